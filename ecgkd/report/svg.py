"""Makes an SVG file's drawing fit to stand inside the page: nothing foreign in it, its own ids, the page's colours."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ecgkd.errors import DataError

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
LEFT_OUT = ("metadata", "script", "style", "foreignObject", "title", "desc")
HREFS = ("href", f"{{{XLINK}}}href")
LINES = "stroke-linejoin: round; stroke-linecap: butt"
"""What matplotlib puts into a style sheet, which inside HTML would reach everything else on the page."""
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
INK_BELOW, PAPER_FROM = 0x48, 0xF2
"""Greys darker than the first become the page's ink, those from the second on its paper."""
NAMED = re.compile(r"var\(--c-([0-9a-f]{6}),")
DARK_PAPER = (0x15, 0x18, 0x1B)
CONTRAST = 4.5
"""Least contrast of a drawing's colours on dark paper, as WCAG asks of text."""


def inline(text: str, prefix: str, label: str, where: Path | str = "drawing") -> str:
    """Returns the drawing of an SVG file as an element for HTML.

    `prefix` keeps its ids apart from those of other drawings; `label` is read out in its place. Black and white turn
    into the page's ink and paper and colours get names, so that the drawing also reads on a dark page.

    Raises: DataError where it is no SVG.
    """
    if "<!ENTITY" in text:
        raise DataError(f"{where}: an SVG with entities; expected a plot that `ecgkd evaluate` wrote")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(f"{where}: not an SVG file ({error}); evaluate again") from error
    if root.tag != f"{{{SVG}}}svg":
        raise DataError(f"{where}: not an SVG file; evaluate again")
    _clean(root, prefix)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.attrib |= {"role": "img", "aria-label": label, "style": LINES, "class": "drawing"}
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element, prefix: str) -> None:
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] in LEFT_OUT:
            element.remove(child)
        else:
            _clean(child, prefix)
    for name, value in list(element.attrib.items()):
        if name.lower().startswith("on") or (name in HREFS and not value.startswith("#")):
            del element.attrib[name]
        else:
            element.attrib[name] = _own(name, value, prefix)


def _own(name: str, value: str, prefix: str) -> str:
    """Returns an attribute's value with the drawing's own ids, no address outside it, and the page's colours."""
    if name == "id":
        return prefix + value
    if name in HREFS:
        return f"#{prefix}{value[1:]}"
    value = re.sub(r"url\(\s*['\"]?(#?)([^)'\"]*)['\"]?\s*\)", lambda m: _reference(m[1], m[2], prefix), value)
    return COLOUR.sub(lambda match: _themed(match[0]), value)


def _reference(local: str, target: str, prefix: str) -> str:
    return f"url(#{prefix}{target})" if local else "none"


def _themed(colour: str) -> str:
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    grey = max(channels) - min(channels) <= 8
    if grey and max(channels) < INK_BELOW:
        return "currentColor"
    if grey and min(channels) >= PAPER_FROM:
        return "var(--paper)"
    return f"var(--c-{colour[1:].lower()}, {colour})"


def dark_colours(drawings: Iterable[str]) -> dict[str, str]:
    """Returns what the colours of inlined drawings become on dark paper: lighter, where they would be hard to see."""
    used = sorted({name for drawing in drawings for name in NAMED.findall(drawing)})
    return {name: lighter for name in used if (lighter := lighten(name)) != f"#{name}"}


def lighten(colour: str) -> str:
    """Returns `colour` (rrggbb) mixed with just enough white to stand out from dark paper."""
    own = [int(colour[i : i + 2], 16) for i in (0, 2, 4)]
    for share in range(0, 101, 5):
        mixed = [round(one + (255 - one) * share / 100) for one in own]
        if (_luminance(mixed) + 0.05) / (_luminance(DARK_PAPER) + 0.05) >= CONTRAST:
            break
    return "#" + "".join(f"{one:02x}" for one in mixed)


def _luminance(channels: Sequence[int]) -> float:
    """Returns the relative luminance, 0 … 1. Source: WCAG 2.2."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
