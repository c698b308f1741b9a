"""Every link inside the repository leads to a file, and to a heading of it where it names one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/api/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
ROLE = re.compile(r":doc:`/([\w/]+)`")


def anchors(page: Path) -> set[str]:
    """The names that GitHub, and MyST after it, give to a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def broken(page: Path, text: str) -> list[str]:
    """Links of a page that lead nowhere."""
    found = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page(page: Path) -> None:
    assert broken(page, page.read_text(encoding="utf-8")) == []


def test_what_leads_nowhere_is_found_out() -> None:
    page = ROOT / "docs" / "bounds.md"
    links = "[a](nowhere.md) [b](bounds.md#no-such-heading) [c](bounds.md#tight-somewhere) [d](https://x.org)"
    assert broken(page, links) == ["nowhere.md", "bounds.md#no-such-heading"]


def test_pages_that_examples_name_exist() -> None:
    named = {
        name
        for path in ROOT.glob("examples/**/*.*")
        for name in ROLE.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) >= 5
    assert [name for name in named if not (ROOT / "docs" / f"{name}.md").is_file()] == []


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").splitlines()
    assert [page.stem for page in ROOT.glob("docs/*.md") if page.stem not in {*listed, "index"}] == []
