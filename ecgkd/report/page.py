"""The parts that a report page is made of, and how they become one HTML file without outside references."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

from ecgkd.errors import MissingToolError
from ecgkd.report.svg import dark_colours

if TYPE_CHECKING:
    from markupsafe import Markup

Tone = Literal["plain", "good", "bad", "notice", "soft"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: str
    tone: Tone = "plain"
    kind: str = "text"


@dataclass(frozen=True)
class Code:
    """Commands to type, one a line."""

    lines: tuple[str, ...]
    kind: str = "code"


@dataclass(frozen=True)
class Cell:
    """A table's cell in two lines: what it says, and smaller beneath it what belongs to that."""

    value: str
    detail: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first column holds names, the others numbers unless `words` names them."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    caption: str = ""
    words: tuple[int, ...] = ()
    """Columns of words, which stand to the left and may break."""
    stacked: bool = False
    """On a phone the first column gets a line of its own."""
    kind: str = "table"

    @property
    def narrow(self) -> bool:
        """Whether it has too few columns to fill a screen."""
        return len(self.header) <= 2

    @property
    def cells(self) -> list[list[Cell]]:
        return [[Cell(one) if isinstance(one, str) else one for one in row] for row in self.rows]


@dataclass(frozen=True)
class Bar:
    """One line of a chart of intervals; `low`, `value` and `high` are in the chart's unit."""

    name: str
    value: float
    words: str
    """The value as it is written."""
    low: float | None = None
    high: float | None = None
    tone: Tone = "plain"
    detail: str = ""
    """Stands beneath the name."""
    more: str = ""
    """Stands beneath the value."""


@dataclass(frozen=True)
class Bars:
    """Values with their intervals on one axis that starts at zero."""

    title: str
    bars: tuple[Bar, ...]
    caption: str = ""
    detail: str = ""
    """Stands beneath the title."""
    kind: str = "bars"

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return 1.05 * max([1e-9, *(x for bar in self.bars for x in (bar.value, bar.high or 0.0))])

    def percent(self, value: float) -> str:
        """Returns where `value` stands on the axis, in percent of its length."""
        return f"{100 * max(0.0, value) / self.end:.2f}"


@dataclass(frozen=True)
class Figure:
    """A drawing that `ecgkd.report.svg.inline` made fit to stand in the page."""

    svg: str
    caption: str
    kind: str = "figure"


@dataclass(frozen=True)
class Fold:
    """Blocks that show when their title is opened."""

    title: str
    blocks: "tuple[Block, ...]"
    kind: str = "fold"

    @property
    def groups(self) -> "list[list[Block]]":
        return grouped(self.blocks)


Block = Text | Code | Table | Bars | Figure | Fold


def grouped(blocks: "tuple[Block, ...]") -> list[list[Block]]:
    """Returns the blocks in order, drawings that follow each other together so that they stand side by side."""
    groups: list[list[Block]] = []
    for block in blocks:
        if groups and block.kind == "figure" == groups[-1][0].kind:
            groups[-1].append(block)
        else:
            groups.append([block])
    return groups


@dataclass(frozen=True)
class Section:
    """A titled part of the page."""

    title: str
    blocks: tuple[Block, ...]
    name: str = ""
    """Its anchor; empty: none, and no entry in the list of contents."""

    @property
    def groups(self) -> list[list[Block]]:
        return grouped(self.blocks)


@dataclass(frozen=True)
class Tile:
    """A headline figure."""

    value: str
    what: str
    detail: str = ""
    """Interval, or on how many people."""


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    subtitle: str
    summary: tuple[Tile, ...] = ()
    sections: tuple[Section, ...] = ()
    notice: str = ""
    """What must not be overlooked, such as that the people are synthetic."""
    footer: str = ""

    @property
    def dark_colours(self) -> dict[str, str]:
        """What colours of the drawings become on a dark page."""
        return dark_colours(block.svg for section in self.sections for block in _drawings(section.blocks))


def _drawings(blocks: tuple[Block, ...]) -> Iterator[Figure]:
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, Fold):
            yield from _drawings(block.blocks)


def render(page: Page) -> str:
    """Returns the page as HTML that needs no network. Raises: MissingToolError without jinja2."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingToolError("reports need jinja2; pip install 'ecgkd[report]'") from error
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["breakable"] = _breakable
    template = (files("ecgkd.report") / "page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(template).render(page=page) + "\n"


def _breakable(text: str) -> "Markup":
    """Returns `text` as HTML whose long names may break after an underscore or a slash."""
    from markupsafe import Markup, escape

    return Markup(re.sub("([_/])", r"\1<wbr>", str(escape(text))))
