"""A figure drawn in pixels and written as an inline SVG: deterministic, offline, unique ids.

Text stays text (selectable, small, read by screen readers) and takes the page's font; it is measured with DejaVu
Sans, which is wider than the usual system fonts, so what fits here fits there.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from carryover.reports.wording import display_name

WIDE, NARROW = 940, 340
PAPER = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
INK, MUTED, FAINT, GRID = "#17212b", "#5a6672", "#b9c2cb", "#e6eaee"
ACCENT, ACCENT_SOFT = "#0b5fa5", "#c9deef"
# Okabe and Ito's colours, which stay apart for colour-blind readers, in the order they are used.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
FONT = 11.0
_STYLE = {
    "svg.hashsalt": "carryover",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": FONT,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "path.simplify": False,
}
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT_FAMILY = re.compile(r"font:\s*(?:(\d+)\s+)?([\d.]+)px [^;]*")


@contextmanager
def drawing() -> Iterator[None]:
    """Our style, without touching pyplot; characters DejaVu lacks are only measured with it, never drawn."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings(
            "ignore", message=r"Matplotlib currently does not support", category=UserWarning
        )
        yield


def blank(width: float, height: float) -> Figure:
    """A transparent figure measured in pixels."""
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    return figure


def panel(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in pixels from the top left corner, with a light grid and no frame."""
    full_width, full_height = figure.get_size_inches() * 72
    box = (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    axes = figure.add_axes(box)
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.tick_params(length=0, colors=MUTED, labelsize=FONT - 1, pad=4)
    axes.set_axisbelow(True)
    axes.grid(True, axis="x", color=GRID, linewidth=1)
    return axes


def write(figure: Figure, x: float, y: float, *, said: str, **style: Any) -> None:
    """Text at pixels from the top left corner."""
    width, height = figure.get_size_inches() * 72
    style = {"color": INK, "fontsize": FONT, "va": "center", **style}
    figure.text(x / width, 1 - y / height, said, parse_math=False, **style)


def shorten(name: str, width: float, *, size: float = FONT) -> str:
    """A name cut in the middle to fit ``width`` pixels; its two ends usually tell models apart.

    >>> shorten("google/vit-base-patch16-224-in21k", 100)
    'google/…-in21k'
    """
    name = display_name(name)
    units = [1.0 if ord(character) < 0x1100 else 1.9 for character in name]
    room = width / (0.64 * size)
    if sum(units) <= room:
        return name
    head, tail, used = 0, len(name), 1.0
    while True:
        take_head = head <= len(name) - tail
        cost = units[head] if take_head else units[tail - 1]
        if used + cost > room:
            return f"{name[:head]}…{name[tail:]}"
        used += cost
        head, tail = (head + 1, tail) if take_head else (head, tail - 1)


def to_svg(figure: Figure, ident: str, *, title: str, description: str) -> str:
    """The figure as an ``<svg>`` element for an HTML page.

    Ids are prefixed by ``ident``; metadata, style sheet, fixed size and XML namespaces are dropped; a title and a
    description are added for screen readers.
    """
    buffer = StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        _simplify(element, ident)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.attrib |= {"role": "img", "aria-labelledby": f"{ident}-title {ident}-desc"}
    for index, (tag, said) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, {"id": f"{ident}-{tag}"})
        element.text = display_name(said)
        root.insert(index, element)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _simplify(element: ElementTree.Element, ident: str) -> None:
    element.tag = element.tag.rpartition("}")[2]
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        name = key.rpartition("}")[2]
        if name == "id":
            value = f"{ident}-{value}"
        elif name == "href" and value.startswith("#"):
            value = f"#{ident}-{value[1:]}"
        value = _REFERENCE.sub(rf"url(#{ident}-\1)", value)
        if name == "style":
            value = _FONT_FAMILY.sub(r"font-weight: \1; font-size: \2px", value).replace(
                "font-weight: ; ", ""
            )
        element.attrib[name] = value
