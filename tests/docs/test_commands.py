"""Every command that the pages show parses, and every target of make and every recipe that they name exists."""

import re
import shlex
from pathlib import Path

import pytest

from carryover.cli.commands import parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def lines_of_code(text: str) -> list[str]:
    """Lines of the blocks without a language, continued lines joined, comments left out."""
    kept, language = [], None
    for line in text.splitlines():
        if line.startswith("```"):
            language = line[3:] if language is None else None
        elif language == "":
            kept.append(line)
    joined = "\n".join(kept).replace("\\\n", " ")
    return [line for raw in joined.splitlines() if (line := re.sub(r"\s+# .*$", "", raw).strip())]


def commands() -> list[tuple[str, str]]:
    """(page, command) for every line of a block that calls carryover, and every command in a sentence with flags."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        inline = re.findall(r"`(carryover [^`]* --[^`]*)`", text)
        shown = [line for line in lines_of_code(text) if line.startswith("carryover ")]
        found += [(page.name, line) for line in [*shown, *inline] if line != "carryover --help"]
    for path in sorted((ROOT / "configs").glob("*.toml")):
        text = path.read_text(encoding="utf-8").replace("\\\n#", " ")
        found += [(path.name, line) for line in re.findall(r"^#\s+(carryover .*)$", text, re.MULTILINE)]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "command"), commands(), ids=lambda value: value[:40])
def test_command_parses(page: str, command: str) -> None:
    arguments = shlex.split(command.replace("...", "images"))[1:]
    assert callable(parse(arguments).run), page


def test_commands_were_found() -> None:
    pages = {page for page, _ in commands()}
    assert {"README.md", "choose.md", "bounds.md", "adaptation.md", "mae_mnist_small.toml"} <= pages


def test_what_does_not_parse_is_found_out(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        parse(["diagnose", "--no-such-flag", "1"])
    assert "no-such-flag" in capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_and_recipes_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    inline = re.findall(r"`make ([\w-]+)", text)
    targets = [*inline, *(line.split()[1] for line in lines_of_code(text) if line.startswith("make "))]
    assert set(targets) <= TARGETS
    assert all((ROOT / path).is_file() for path in re.findall(r"configs/\w+\.toml", text))
