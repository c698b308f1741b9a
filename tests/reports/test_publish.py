"""Publishing: all files or none, never over an existing report unasked, and a cache stays where it is."""

import errno
from pathlib import Path

import pandas as pd
import pytest

from carryover._core.errors import DiskFullError, InputError
from carryover.reports import publish as publishing
from carryover.reports.publish import PUBLISHED, check_free, write_report
from carryover.reports.record import read_record


@pytest.fixture(autouse=True)
def quick_page(monkeypatch):
    """The page itself is tested elsewhere; its drawing is the slow part."""
    monkeypatch.setattr(
        publishing, "render_report", lambda record: f"<html>{len(record['models'])} models</html>"
    )


def _listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_files_appear(examples, tmp_path):
    record = examples.example_record(2)
    page = write_report(record, tmp_path / "new" / "out")
    assert page == tmp_path / "new" / "out" / "report.html"
    assert _listing(page.parent) == sorted(PUBLISHED)
    assert read_record(page.with_name("report.json")) == record
    assert len(pd.read_parquet(page.parent / "tables" / "models.parquet")) == 2


def test_a_cache_stays(examples, tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "cache.bin").write_bytes(b"x")
    write_report(examples.example_record(1), tmp_path)
    assert _listing(tmp_path) == sorted([*PUBLISHED, "features"])
    assert (tmp_path / "features" / "cache.bin").read_bytes() == b"x"


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_existing_report_is_refused_and_overwritten_when_asked(examples, tmp_path, name):
    write_report(examples.example_record(1), tmp_path)
    for other in set(PUBLISHED) - {name}:
        (tmp_path / other).rename(tmp_path / f"moved-{other}")
    with pytest.raises(InputError, match=rf"{name}.*--overwrite"):
        write_report(examples.example_record(2), tmp_path)
    write_report(examples.example_record(2), tmp_path, overwrite=True)
    assert len(read_record(tmp_path / "report.json")["models"]) == 2


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match=r"out is a file: name another with --out"):
        check_free(tmp_path / "out", overwrite=True)


def test_a_wrong_record_writes_nothing(examples, tmp_path):
    record = examples.example_record(1)
    record["warnings"] = None
    with pytest.raises(InputError, match=r"record\.warnings"):
        write_report(record, tmp_path / "out")
    assert _listing(tmp_path) == []


def test_a_full_disk_leaves_nothing(examples, tmp_path, monkeypatch):
    def full(record, directory):
        directory.mkdir()
        (directory / "models.parquet").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(publishing, "write_tables", full)
    with pytest.raises(DiskFullError, match=r"no space left while writing .*out"):
        write_report(examples.example_record(1), tmp_path / "out")
    assert _listing(tmp_path) == []


@pytest.mark.parametrize("failing", PUBLISHED)
def test_a_move_that_fails_puts_the_old_report_back(examples, tmp_path, monkeypatch, failing):
    write_report(examples.example_record(1), tmp_path)
    rename = Path.rename

    def fail(self, target):
        if self.name == failing and self.parent.name.startswith(".report-"):
            raise PermissionError(errno.EACCES, "not permitted")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PermissionError):
        write_report(examples.example_record(2), tmp_path, overwrite=True)
    assert _listing(tmp_path) == sorted(PUBLISHED)
    assert len(read_record(tmp_path / "report.json")["models"]) == 1
    assert len(pd.read_parquet(tmp_path / "tables" / "models.parquet")) == 1


def test_an_interrupt_leaves_nothing(examples, tmp_path, monkeypatch):
    def interrupted(record, directory):
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "write_tables", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_report(examples.example_record(1), tmp_path / "out")
    assert _listing(tmp_path) == []
