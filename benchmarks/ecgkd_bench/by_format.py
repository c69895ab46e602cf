"""A session's networks side by side: one row a network, one column a kind of artefact, ratios to one of them.

    python -m ecgkd_bench.by_format SESSION.json [--to=int8.tflite]

prints a Markdown table. Networks are told apart by what their files' names begin with, as `ecgkd export` writes them:
`<network>_4s_250hz_<precision>.<format>`.
"""

import sys
from collections.abc import Sequence

from ecgkd_bench.errors import BenchError, MismatchError
from ecgkd_bench.result import Record, Session

BASE = "int8.tflite"
COLUMNS = ("int8.tflite", "w8.tflite", "fp32.tflite", "int8.onnx", "fp32.onnx", "int8.c")
"""In this order where there are any; others follow."""


def table(session: Session, base: str = BASE) -> str:
    """Returns the Markdown table; `base` is what ratios are to, above 1 is slower than it.

    Raises: MismatchError where no record is of the base's kind.
    """
    found = by_network(session)
    kinds = list(dict.fromkeys(kind for records in found.values() for kind in records))
    if base not in kinds:
        raise MismatchError(f"no record of {base}; the session has {', '.join(kinds)}")
    columns = in_order(kinds)
    unit = session.records[0].latency.unit
    lines = [f"| {unit} a window, one thread (ratio to {base}) | {' | '.join(columns)} | fastest |"]
    lines.append("| --- " * (len(columns) + 2) + "|")
    for network, records in found.items():
        cells = [_cell(records.get(kind), records.get(base)) for kind in columns]
        fastest = min(records, key=lambda kind: records[kind].latency.p50)
        lines.append(f"| {network} | {' | '.join(cells)} | {fastest} |")
    return "\n".join(lines)


def in_order(kinds: Sequence[str]) -> list[str]:
    """Returns kinds of artefacts in the order of the tables."""
    return [kind for kind in COLUMNS if kind in kinds] + sorted(set(kinds) - set(COLUMNS))


def by_network(session: Session) -> dict[str, dict[str, Record]]:
    """Returns the records by network and kind of artefact; files of one name are told apart by their folders."""
    found: dict[str, dict[str, Record]] = {}
    for record in session.records:
        network, _, kind = record.model.name.rpartition("_")
        found.setdefault(network.removesuffix("_4s_250hz"), {})[kind] = record
    return found


def _cell(record: Record | None, base: Record | None) -> str:
    if record is None:
        return ""
    latency = record.latency
    value = f"{latency.p50:.3f}" if latency.unit == "ms" else f"{latency.p50 / 1e6:.2f} M"
    return value if base is None or record is base else f"{value} ({latency.p50 / base.latency.p50:.2f})"


def main(words: Sequence[str]) -> int:
    paths = [word for word in words if not word.startswith("-")]
    base = next((word.partition("=")[2] for word in words if word.startswith("--to=")), BASE)
    if len(paths) != 1:
        print("usage: python -m ecgkd_bench.by_format SESSION.json [--to=int8.tflite]", file=sys.stderr)
        return 2
    try:
        print(table(Session.load(paths[0]), base))
    except BenchError as error:
        print(f"ecgkd: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
