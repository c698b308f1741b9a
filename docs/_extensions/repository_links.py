"""Links and names that mean one thing in the repository and another on the site.

Links that lead out of docs/ on GitHub lead to the site's own pages: examples to the gallery, and so on.  Names
that ``import carryover`` gives lead to the module where they live.
"""

import re
from pathlib import Path
from typing import Any

from carryover import _HOME_OF

PAGES = {"../CONTRIBUTING.md": "contributing.md", "../CHANGELOG.md": "changelog.md"}
_EXAMPLE = re.compile(r"\]\(\.\./examples/(\w+)/(plot_\w+)\.py\)")


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("source-read", _rewrite)
    app.connect("missing-reference", _at_home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _rewrite(app: Any, name: str, source: list[str]) -> None:
    if Path(app.env.doc2path(name)).suffix == ".md":
        source[0] = on_the_site(source[0])


def _at_home(app: Any, env: Any, node: Any, content: Any) -> Any:
    package, _, name = node.get("reftarget", "").rpartition(".")
    if node.get("refdomain") != "py" or package != "carryover" or name not in _HOME_OF:
        return None
    target = f"{_HOME_OF[name]}.{name}"
    return env.get_domain("py").resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], target, node, content
    )


def on_the_site(text: str) -> str:
    """The page's Markdown with its links turned.

    >>> on_the_site("[a](../examples/theory/plot_design.py) and [b](../CHANGELOG.md)")
    '[a](gallery/theory/plot_design.rst) and [b](changelog.md)'
    """
    for there, here in PAGES.items():
        text = text.replace(f"]({there})", f"]({here})")
    return _EXAMPLE.sub(r"](gallery/\1/\2.rst)", text)
