"""Numbers as the page writes them. A no-break space stands between a number and its unit."""

from collections.abc import Sequence
from pathlib import Path

SPACE = "\u00a0"


def percent(share: float | None, digits: int = 1) -> str:
    """Returns a share of 1 as `8.8 %`."""
    return "–" if share is None else f"{100 * share:.{digits}f}{SPACE}%"


def points(share: float, digits: int = 2) -> str:
    """Returns a difference of shares in percentage points, with its sign."""
    return _minus(f"{_zero(100 * share, digits):+.{digits}f}{SPACE}points")


def between(low: float | None, high: float | None, scale: float = 1.0, digits: int = 1, signed: bool = False) -> str:
    """Returns an interval as `6.1 to 11.9`, empty where there is none."""
    if low is None or high is None:
        return ""
    sign = "+" if signed else ""
    ends = (f"{_zero(scale * end, digits):{sign}.{digits}f}" for end in (low, high))
    return _minus(f"{SPACE}to{SPACE}".join(ends))


def _minus(text: str) -> str:
    """Returns `text` with the sign that is as wide as a plus."""
    return text.replace("-", "\u2212")


def _zero(value: float, digits: int) -> float:
    """Returns `value` rounded, without a sign before zero."""
    return round(value, digits) + 0.0


def milliseconds(value: float) -> str:
    return f"{value:.3g}{SPACE}ms" if value < 100 else f"{value:.0f}{SPACE}ms"


def size(n_bytes: int | None) -> str:
    """Returns a size in decimal units, as file managers and data sheets count."""
    if n_bytes is None:
        return "–"
    if n_bytes < 1_000_000:
        return f"{n_bytes / 1000:.0f}{SPACE}kB"
    if n_bytes < 1_000_000_000:
        return f"{n_bytes / 1e6:.1f}{SPACE}MB"
    return f"{n_bytes / 1e9:.1f}{SPACE}GB"


def count(number: int) -> str:
    """Returns 12 345 with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f")


def many(number: int, one: str, more: str = "") -> str:
    """Returns `1 person` or `12 345 people`."""
    return f"{count(number)}{SPACE}{one if number == 1 else more or one + 's'}"


def large(number: float) -> str:
    """Returns 217 216 as `0.22 M`."""
    for unit, scale in (("G", 1e9), ("M", 1e5), ("k", 1e3)):
        if number >= scale:
            return f"{number / (1e6 if unit == 'M' else scale):.3g}{SPACE}{unit}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f}{SPACE}s"
    return f"{seconds / 60:.0f}{SPACE}min" if seconds < 5400 else f"{seconds / 3600:.1f}{SPACE}h"


def short(sha256: str) -> str:
    """Returns enough of a hash to compare by eye."""
    return f"{sha256[:12]}…" if sha256 else "–"


def listed(words: Sequence[str]) -> str:
    """Returns `a, b and c`."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def near(path: Path, where: Path) -> str:
    """Returns `path` as seen from the folder that the report is about, else its last parts."""
    path, where = path.resolve(), where.resolve()
    if path.is_relative_to(where):
        return str(path.relative_to(where))
    return str(Path(*path.parts[-2:]))
