"""Section on the evidence: every row of the protocol with its intervals, baselines beside the models."""

from collections.abc import Iterator, Sequence

from ecgkd.evaluation import plots
from ecgkd.evaluation.results import Cell as Figures
from ecgkd.evaluation.results import Difference, Outcome
from ecgkd.report.page import Bar, Bars, Block, Cell, Figure, Fold, Section, Table, Text, Tile, Tone
from ecgkd.report.shown import Shown, measured
from ecgkd.report.svg import inline
from ecgkd.report.words import between, count, many, percent, points, short

SCORES = {"as_norm": "AS-norm", "cosine": "cosine"}
BELOW = "below baseline"
DRAWINGS = {
    plots.det: "Both errors at every threshold (DET).",
    plots.cmc: "Probes whose person is among the first ranks (CMC).",
    plots.enrolment: "EER against the length of enrolment.",
    plots.rejection: "EER of single windows against the share that is left out, worst quality first.",
    plots.per_person: "How rejections are spread over people.",
}


def evidence_section(found: Shown | None) -> Section:
    """Returns the evidence, the best row first and in full. Raises: MissingToolError without matplotlib."""
    if found is None:
        words = "No evaluation here; `ecgkd evaluate MODEL... --data SET --protocol P.json --out DIR` makes one."
        return Section("Evidence", (Text(words),), "evidence")
    blocks: list[Block] = [Text(_introduction(found))]
    for number, row in enumerate(found.rows):
        blocks += _row(found, row, f"row{number}-", in_full=number == 0)
    looks = [one.look for one in found.results.models if one.look]
    if looks:
        blocks.append(Text(_looks(looks)))
    return Section("Evidence", tuple(blocks), "evidence")


def _looks(looks: Sequence[int]) -> str:
    numbers = ", ".join(str(one) for one in sorted(looks))
    return (
        f"By the ledger beside the protocol, the locked people have now scored {many(max(looks), 'network')}; "
        f"here: {numbers}. Looks count: whatever is chosen after one is no longer chosen blindly."
    )


def _introduction(found: Shown) -> str:
    notes = [f" {one.name}: {one.note}." for one in found.results.models if one.note]
    return (
        f"Protocol “{found.results.protocol}” ({short(found.results.protocol_sha256)}); all models and baselines make "
        f"the same comparisons. Lines are 95 % intervals from {count(found.results.replicates)} replicates that "
        f"resample people. A model is “{BELOW}” on a row where a "
        f"baseline, with either score, makes fewer errors.{''.join(notes)}"
    )


def _row(found: Shown, row: str, prefix: str, in_full: bool) -> Iterator[Block]:
    """Gives the blocks of a row; those that are not wanted in full go into a fold."""
    outcomes = found.outcomes(row)
    differences = [one for one in found.results.differences if one.row == row]
    yield _bars(found, row, outcomes)
    yield from (Text(words, "soft") for words in _refusals(outcomes))
    heads = _table(found, [(one, one.headline) for one in outcomes], full=False)
    every = _table(found, [(one, cell) for one in outcomes for cell in one.cells])
    drawn = drawings(found, row, prefix, in_full)
    if in_full:
        yield heads
        mine = [one for one in differences if found.headline == one.model]
        yield from _differences(mine)
        others = [one for one in differences if one not in mine]
        yield Fold(
            "Other numbers of windows, scores, with the quality gate; other differences", (every, *_differences(others))
        )
        yield from drawn
    else:
        yield Fold(
            "TAR and rank-1, other numbers of windows, differences, drawings",
            (every, *_differences(differences), *drawn),
        )


def _bars(found: Shown, row: str, outcomes: Sequence[Outcome]) -> Bars:
    first, cell = outcomes[0], outcomes[0].headline
    gate = found.results.gate.get(row)
    refused = f" The quality gate would refuse {percent(gate['probe'])} of the probe windows." if gate else ""
    caption = (
        f"{many(cell.n_people, 'person', 'people')} compared with themselves, {count(cell.n_enrolled)} enrolled; "
        f"{many(cell.n_genuine, 'genuine comparison')} and {many(cell.n_impostor, 'impostor comparison')} of "
        f"{many(cell.n_pairs, 'pair')} of people; {cell.enrol_windows} windows enrolled, {cell.probe_windows} probed, "
        f"all of them scored.{refused}"
    )
    bars = tuple(_bar(found, one) for one in outcomes)
    return Bars(f"{row}: EER", bars, caption, f"{first.evidence[:1].upper()}{first.evidence[1:]}.")


def _bar(found: Shown, one: Outcome) -> Bar:
    cell = one.headline
    tone: Tone = "plain" if one.baseline else "bad" if cell.below_baseline else "good"
    return Bar(
        name=one.model,
        value=cell.eer.value,
        words=percent(cell.eer.value),
        low=cell.eer.low,
        high=cell.eer.high,
        tone=tone,
        detail=found.what(one.model, BELOW * cell.below_baseline),
        more=between(cell.eer.low, cell.eer.high, scale=100) or "no interval",
    )


def _table(found: Shown, cells: Sequence[tuple[Outcome, Figures]], full: bool = True) -> Table:
    """Returns a line per cell; with `full` also what kind of cell it is."""
    fmrs = [fmr for fmr in cells[0][1].tar if any(cell.tar.get(fmr) for _, cell in cells)]
    rows = []
    for one, cell in cells:
        mark = BELOW * cell.below_baseline
        detail = ", ".join(part for part in (_kind(cell), mark) if part) if full else found.what(one.model, mark)
        tars = (measured(cell.tar.get(fmr)) for fmr in fmrs)
        rows.append(
            (Cell(one.model, detail, "bad" if mark else "plain"), measured(cell.eer), *tars, measured(cell.rank1))
        )
    header = ("model", "EER", *(f"TAR at FMR {_rate(fmr)}" for fmr in fmrs), "rank-1")
    caption = (
        "Windows enrolled × probed. Gated: windows that the quality gate refuses are left out, and whoever cannot be "
        "enrolled or has none left counts as a false rejection."
    )
    return Table(header, tuple(rows), caption if full else "")


def _kind(cell: Figures) -> str:
    kind = f"{cell.enrol_windows} × {cell.probe_windows}, {SCORES.get(cell.score, cell.score)}"
    return f"{kind}, gated" if cell.gated else kind


def _differences(differences: Sequence[Difference]) -> list[Block]:
    """Returns EERs of models less those of others, on the same comparisons."""
    rows = []
    for one in differences:
        value, low, high = one.eer.value, one.eer.low, one.eer.high
        tone: Tone = "plain" if low is None or high is None or low <= 0 <= high else "good" if value < 0 else "bad"
        interval = between(low, high, scale=100, signed=True)
        rows.append((Cell(one.model, f"less {one.other}"), Cell(points(value, 1), interval, tone)))
    caption = "Below zero: fewer errors. Coloured where the 95 % interval, of the same draws of people, excludes zero."
    return [Table(("same comparisons", "difference in EER"), tuple(rows), caption)] if rows else []


def _refusals(outcomes: Sequence[Outcome]) -> list[str]:
    found = {
        (-float(fmr), f"TAR at FMR {_rate(fmr)} {why}.") for o in outcomes for fmr, why in o.headline.refused.items()
    }
    return [words for _, words in sorted(found)]


def _rate(fmr: str) -> str:
    """Returns the FMR that a key of results.json names, such as `0.1 %`."""
    return percent(float(fmr), max(0, len(fmr.partition(".")[2]) - 2))


def drawings(found: Shown, row: str, prefix: str, in_full: bool = True) -> list[Figure]:
    """Returns the drawings of a row, or only its DET and disturbances. Raises: MissingToolError without matplotlib."""
    outcomes = found.outcomes(row)
    drawn = [
        drawing(kind(outcomes, f"{prefix}{kind.__name__}"), f"{prefix}{kind.__name__}-", f"{row}: {caption}")
        for kind, caption in DRAWINGS.items()
        if in_full or kind is plots.det
    ]
    for number, what in enumerate(dict.fromkeys(one.disturbance for one in found.results.robustness if one.row == row)):
        name = f"{prefix}disturbed{number}"
        source = next((one.source for one in found.results.robustness if one.disturbance == what), "")
        caption = f"{row}: EER under {what}{f' ({source})' if source else ''}, probes alone disturbed."
        drawn.append(drawing(plots.robustness(found.results, row, what, name), f"{name}-", caption))
    return drawn


def drawing(svg: str, prefix: str, caption: str) -> Figure:
    """Returns an SVG text as a figure of the page."""
    return Figure(inline(svg, prefix, caption), caption)


def headline_tile(found: Shown | None) -> Tile | None:
    """Returns the EER that the page is about."""
    one = found.best if found else None
    if one is None:
        return None
    cell = one.headline
    interval = between(cell.eer.low, cell.eer.high, scale=100) or "no interval"
    mark = f"; {BELOW}" * cell.below_baseline
    people = many(cell.n_people, "person", "people")
    return Tile(percent(cell.eer.value), f"EER, {one.row}", f"{interval}, {people}{mark}")
