"""The documentation site: `make docs`.  Nothing is fetched while it is built."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # the gallery's last digits depend on it

from carryover import __version__  # noqa: E402  (after the environment)

project = "carryover"
author = "the authors of carryover"
copyright = "2026, the authors of carryover"
version = release = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
    "plain_docstrings",
    "repository_links",
]
exclude_patterns = [
    "sg_execution_times.rst",
    "_build",
    "figures",
    "tables",
    "gallery/**/*.py",
    "gallery/**/*.md5",
]
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = ["config.cache"]

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
python_maximum_signature_line_length = 88
add_module_names = False
# What the prose refers to must exist.  Not asked of the types in signatures: other libraries' manuals are not at
# hand while building, and the reference leaves out modules that nobody calls.
nitpicky = True
nitpick_ignore = [("py:data", "carryover.data.decoding.RESIZE_RULE")]  # a sentence, without a docstring
nitpick_ignore_regex = [(r"py:class", r".*"), (r"py:.*", r"(?!carryover).*")]

sphinx_gallery_conf = {
    "examples_dirs": ["../examples/tutorials", "../examples/extending", "../examples/theory"],
    "gallery_dirs": ["gallery/tutorials", "gallery/extending", "gallery/theory"],
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib",),
    "matplotlib_animations": False,
    "min_reported_time": 0,
    "parallel": False,
}

html_theme = "furo"
html_title = "carryover"
html_static_path = ["_static"]
html_css_files = ["carryover.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
