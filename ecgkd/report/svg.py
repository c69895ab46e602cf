"""Makes an SVG file's drawing fit to stand inside the page: nothing foreign in it, its own ids, the page's colours."""

import re
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


def inline(text: str, prefix: str, label: str, where: Path | str = "drawing") -> str:
    """Returns the drawing of an SVG file as an element for HTML.

    `prefix` keeps its ids apart from those of other drawings; `label` is read out in its place. Black and white turn
    into the page's ink and paper, so that the drawing also reads on a dark page. Raises: DataError where it is no SVG.
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
    if max(channels) - min(channels) > 8:
        return colour
    if max(channels) < INK_BELOW:
        return "currentColor"
    return "var(--paper)" if min(channels) >= PAPER_FROM else colour
