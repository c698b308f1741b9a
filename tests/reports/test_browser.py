"""The page in a real browser: no horizontal overflow on a phone, no text over text in the figures."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

WIDTHS = (360, 1180)
_HARNESS = Path(__file__).with_name("harness.html")


def _browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        if os.environ.get("CARRYOVER_REQUIRE_BROWSER") == "1":
            pytest.fail("CARRYOVER_REQUIRE_BROWSER=1, but no chromium is on the path")
        pytest.skip("no chromium on the path")
    return found


def _command(folder: Path) -> list[str]:
    quiet = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += [
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={folder / 'profile'}",
    ]
    reading = ["--allow-file-access-from-files", "--virtual-time-budget=20000", "--window-size=1300,900"]
    return [
        _browser(),
        "--headless",
        "--no-sandbox",
        *quiet,
        *reading,
        "--dump-dom",
        (folder / "harness.html").as_uri(),
    ]


@pytest.fixture(scope="module")
def measured(pages, tmp_path_factory) -> dict[str, dict]:
    """What the harness measures of every page at every width, from one start of the browser."""
    folder = tmp_path_factory.mktemp("browser")
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    frames = json.dumps([{"name": name, "width": width} for name in pages for width in WIDTHS])
    harness = _HARNESS.read_text(encoding="utf-8").replace("[/* frames */]", frames)
    (folder / "harness.html").write_text(harness, encoding="utf-8")
    done = subprocess.run(_command(folder), capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


FIGURED = ["troubled", "one", "twelve", "regression", "pretrained", "adapted", "compared", "bounds"]


@pytest.mark.parametrize("name", [*FIGURED, "nothing"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_its_width(measured, name, width):
    page = measured[f"{name}-{width}"]
    assert page["height"] > 500
    assert page["scroll_width"] <= width
    assert page["beyond"] == []


@pytest.mark.parametrize("name", FIGURED)
@pytest.mark.parametrize("width", WIDTHS)
def test_text_in_figures_is_shown_whole_and_never_over_other_text(measured, name, width):
    page = measured[f"{name}-{width}"]
    assert page["n_texts"] > 20
    assert page["overlaps"] == []
    assert page["clipped"] == []
    assert page["smallest_font"] >= 8


def test_nothing_but_the_files_themselves_was_loaded(measured):
    assert [resource for page in measured.values() for resource in page["resources"]] == []


def test_the_harness_finds_overflow_overlap_and_clipping(measured):
    broken = measured["broken-360"]
    assert broken["scroll_width"] > 360
    assert broken["beyond"]
    assert broken["overlaps"] == [["first", "second"]]
    assert broken["clipped"] == ["clipped"]
