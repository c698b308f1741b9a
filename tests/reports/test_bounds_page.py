"""The page of ``carryover bounds``: the section alone, its JSON beside it, both or neither."""

import errno
import json
from pathlib import Path

import pytest

from carryover._core.errors import DiskFullError, InputError
from carryover.reports import bounds_page
from carryover.reports.bounds_page import BOUNDS_FILES, check_bounds_free, render_bounds, write_bounds_page
from carryover.reports.record import write_text_atomically


@pytest.fixture
def plain_figure(monkeypatch):
    """The figure has tests of its own, and is the slow part."""
    monkeypatch.setattr(bounds_page, "draw_bounds_of_run", lambda record: None)


def _listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_page_says_what_was_bounded_and_its_answer(examples, pages):
    page = pages["bounds"]
    assert "<h1>resnet56-cifar10, lora-8</h1>" in page
    assert page.count("1.5 times the test error it bounds.") == 1
    assert '<section id="all-bounds">' in page and "figure-all_bounds-narrow" in page
    assert "The test split has 400 examples." in page and "fish, flowers" in page
    assert "carryover.bounds/1" in page and "2 min 31 s" in page


@pytest.mark.usefixtures("plain_figure")
def test_hostile_names_are_escaped_and_what_is_not_known_is_said(examples):
    record = examples.bounds_record()
    record["model"] = record["plan"] = record["target"]["name"] = record["warnings"][0] = examples.HOSTILE
    record["target"]["classes"] = [examples.HOSTILE]
    record["run"] |= {"threads": None, "seconds": None}
    page = render_bounds(record)
    assert "<script" not in page and page.count("alert(1)") >= 6
    assert "not fixed" in page and "not measured" in page
    record["all_bounds"] = []
    assert "The record holds no bounds." in render_bounds(record)


def test_a_wrong_record_is_refused(examples, tmp_path):
    record = examples.bounds_record()
    record["all_bounds"][0]["value"] = 0.9
    for attempt in (render_bounds, lambda wrong: write_bounds_page(wrong, tmp_path / "out")):
        with pytest.raises(InputError, match=r"record\.all_bounds\[0\]\.value must be the sum"):
            attempt(record)
    assert _listing(tmp_path) == []


@pytest.mark.usefixtures("plain_figure")
def test_both_files_appear_beside_what_is_there(examples, tmp_path):
    (tmp_path / "result.json").write_text("{}")
    page = write_bounds_page(examples.bounds_record(), tmp_path)
    assert page == tmp_path / "bounds.html"
    assert _listing(tmp_path) == sorted([*BOUNDS_FILES, "result.json"])
    assert json.loads((tmp_path / "bounds.json").read_text()) == examples.bounds_record()
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.usefixtures("plain_figure")
@pytest.mark.parametrize("name", BOUNDS_FILES)
def test_existing_files_are_refused_and_overwritten_when_asked(examples, tmp_path, name):
    (tmp_path / name).write_text("old")
    with pytest.raises(InputError, match=rf"{name}.*--overwrite"):
        check_bounds_free(tmp_path)
    check_bounds_free(tmp_path, overwrite=True)
    with pytest.raises(InputError, match=rf"{name}.*--overwrite"):
        write_bounds_page(examples.bounds_record(), tmp_path)
    assert (tmp_path / name).read_text() == "old"
    write_bounds_page(examples.bounds_record(), tmp_path, overwrite=True)
    assert (tmp_path / name).read_text() != "old"


@pytest.mark.usefixtures("plain_figure")
@pytest.mark.parametrize("failing", BOUNDS_FILES)
def test_a_full_disk_leaves_the_old_pair_as_it_was(examples, tmp_path, monkeypatch, failing):
    for name in BOUNDS_FILES:
        (tmp_path / name).write_text("old")

    def full(path, text):
        if path.name == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_text_atomically(path, text)

    monkeypatch.setattr("carryover.reports.publish.write_text_atomically", full)
    with pytest.raises(DiskFullError, match=r"no space left while writing"):
        write_bounds_page(examples.bounds_record(), tmp_path, overwrite=True)
    assert _listing(tmp_path) == sorted(BOUNDS_FILES)
    assert [(tmp_path / name).read_text() for name in BOUNDS_FILES] == ["old", "old"]
