"""Docstrings here are plain prose with ``code``; this makes reStructuredText of them that parses without warnings.

``h*``, ``|s|`` and ``name_`` are no markup in prose, a list may follow its sentence at once, and an indented formula
is shown as it stands.
"""

import re
from typing import Any

_MARKUP = re.compile(r"(``.+?``|:\w+(?::\w+)?:`[^`]+`)")
_ITEM = re.compile(r"^(\s*)(?:- |\d+\. )")


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    app.connect("autodoc-process-docstring", lambda *given: _replace(given[-1]))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _replace(lines: list[str]) -> None:
    lines[:] = plain(lines)


def plain(lines: list[str]) -> list[str]:
    """The same text as reStructuredText.

    >>> plain(["The score of h* is |s|:", "- ``a*`` stays", "Then text."])
    ['The score of h\\\\* is \\\\|s\\\\|:', '', '- ``a*`` stays', '', 'Then text.']
    >>> plain(["It is", "", "    a * b", "", "and so on."])
    ['It is', '', '.. code-block:: text', '', '    a * b', '', 'and so on.']
    """
    found: list[str] = []
    for block in _blocks(lines):
        if block[0].lstrip().startswith(">>>"):
            found += [*block, ""]
        elif _is_formula(block, found):
            found += [] if _opens_literal(found) else [".. code-block:: text", ""]
            found += [*block, ""]
        else:
            found += [*_prose(block), ""]
    return found[:-1]


def _blocks(lines: list[str]) -> list[list[str]]:
    """Runs of lines between blank ones."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _is_formula(block: list[str], before: list[str]) -> bool:
    """Indented, and neither a list nor what goes on with one."""
    if not all(line.startswith("    ") for line in block) or _ITEM.match(block[0]):
        return False
    return not any(_ITEM.match(line) for line in before[-8:])


def _opens_literal(before: list[str]) -> bool:
    text = [line for line in before if line]
    return bool(text) and (text[-1].endswith("::") or text[-1].startswith("    "))


def _prose(block: list[str]) -> list[str]:
    """Escaped, with blank lines around lists and around what is indented inside a paragraph."""
    found: list[str] = []
    margin, in_list = 0, False
    for line in block:
        item = _ITEM.match(line)
        indent = len(line) - len(line.lstrip())
        ends = in_list and not item and indent <= margin
        if found and ((item and not in_list) or ends):
            found.append("")
        if item:
            margin, in_list = len(item.group(1)), True
        elif ends:
            in_list = False
        if found and found[-1] and not in_list and indent != len(found[-1]) - len(found[-1].lstrip()):
            found.append("")
        found.append(_escaped(line))
    return found


def _escaped(line: str) -> str:
    parts = _MARKUP.split(line)
    return "".join(part if _MARKUP.fullmatch(part) else _escaped_text(part) for part in parts)


def _escaped_text(text: str) -> str:
    text = text.replace("\\", r"\\")
    opening = re.match(r"\s*", text).group(0)
    return opening + re.sub(
        r"[*|]|(?<=\w)_(?=\W|$)", lambda found: "\\" + found.group(0), text[len(opening) :]
    )
