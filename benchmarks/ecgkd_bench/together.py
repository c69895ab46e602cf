"""What one network of two tasks costs beside two networks of one task each, kind of artefact by kind.

    python -m ecgkd_bench.together SESSION.json BOTH ONE OTHER

prints a Markdown table from a session that measured all three in turns, such as `ecgkd bench identity activity both` of
three folders of artefacts. Networks are called as `ecgkd_bench.by_format` calls them: `both/<network>`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ecgkd_bench import stats
from ecgkd_bench.by_format import by_network, in_order
from ecgkd_bench.errors import BenchError, MismatchError
from ecgkd_bench.result import Clock, Record, Session


@dataclass(frozen=True)
class Kind:
    """The three networks as one kind of artefact."""

    name: str
    both: Record
    one: Record
    other: Record

    @property
    def more(self) -> tuple[float, tuple[float, float]]:
        """Cost of both tasks over that of the first alone, and its interval."""
        return stats.paired_ratio(self.both.latency, self.one.latency)

    @property
    def share(self) -> tuple[float, tuple[float, float]]:
        """Cost of both tasks over that of two networks, and its interval."""
        return stats.ratio_to_sum(self.both.latency, (self.one.latency, self.other.latency))

    @property
    def file_share(self) -> float:
        """Bytes of both tasks' file over those of two files."""
        return self.both.memory.file_bytes / (self.one.memory.file_bytes + self.other.memory.file_bytes)


def kinds(session: Session, both: str, one: str, other: str) -> list[Kind]:
    """Returns what all three networks have, in the order of the tables. Raises: MismatchError where that is nothing."""
    found = by_network(session)
    missing = [name for name in (both, one, other) if name not in found]
    if missing:
        raise MismatchError(f"the session has no network {missing[0]}; it has {', '.join(found)}")
    shared = [kind for kind in found[both] if kind in found[one] and kind in found[other]]
    if not shared:
        raise MismatchError(f"{both}, {one} and {other} have no kind of artefact in common")
    return [Kind(kind, found[both][kind], found[one][kind], found[other][kind]) for kind in in_order(shared)]


def table(found: Sequence[Kind]) -> str:
    """Returns the Markdown table."""
    counted = found[0].both.clock is Clock.INSTRUCTIONS
    unit = "M instructions" if counted else found[0].both.latency.unit
    header = (f"{unit} a window", "one task", "the other", "both", "both / one", "both / sum of two", "bytes, likewise")
    lines = [f"| {' | '.join(header)} |", "| --- " * len(header) + "|"]
    for kind in found:
        scale = 1e6 if counted else 1.0
        costs = (f"{record.latency.p50 / scale:.3f}" for record in (kind.one, kind.other, kind.both))
        ratios = (_ratio(*ratio, counted) for ratio in (kind.more, kind.share))
        lines.append(f"| {' | '.join((kind.name, *costs, *ratios, f'{kind.file_share:.3f}'))} |")
    return "\n".join(lines)


def _ratio(value: float, ci95: tuple[float, float], counted: bool) -> str:
    return f"{value:.3f}" if counted else f"{value:.3f} ({ci95[0]:.3f} to {ci95[1]:.3f})"


def main(words: Sequence[str]) -> int:
    if len(words) != 4:
        print("usage: python -m ecgkd_bench.together SESSION.json BOTH ONE OTHER", file=sys.stderr)
        return 2
    try:
        print(table(kinds(Session.load(words[0]), *words[1:])))
    except BenchError as error:
        print(f"ecgkd: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
