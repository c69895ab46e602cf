"""The windows that ranges are calibrated on and numbers compared on: as the network sees them, float32 (n, 1, 1000)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet
from ecgkd.data.synthetic import SynthConfig, synthesise
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import FOLDS, Protocol, Span
from ecgkd.protocols.trials import Windows, raw_windows, span_windows
from ecgkd.record import to_integer_microvolts
from ecgkd.signal.chain import INPUT_SCALE, front_end
from ecgkd.signal.quality import assess
from ecgkd.signal.window import cut, tile_starts

N_WINDOWS = 256
SPARE = 4
"""Candidates per window wanted, since the quality gate takes some away."""
INPUT_RANGE = (-128 * INPUT_SCALE, 127 * INPUT_SCALE)
"""Of the network's input: 255 steps of the front end's own grid, so that int8 loses nothing there."""


def as_input(windows: NDArray[np.int8]) -> NDArray[np.float32]:
    """Returns the front end's windows as the network takes them, (n, leads, 1000); (n, 1000) are of one lead."""
    by_lead = windows if windows.ndim == 3 else windows[:, None, :]
    return by_lead.astype(np.float32) * np.float32(INPUT_SCALE)


def calibration_spans(protocol: Protocol, moving: Sequence[PreparedSet] = ()) -> tuple[Span, ...]:
    """Returns what ranges are measured on: the calibration part; where everybody is left out in turn, who trains.

    For a network that tells activities also what validates of the sets `moving`: the calibration part is of people who
    are compared, and they mostly rest.
    """
    if protocol.kind == FOLDS:
        return protocol.train
    names = {one.name for one in moving}
    further = {span for span in protocol.validate if span.set in names} - set(protocol.calibrate)
    return (*protocol.calibrate, *sorted(further))


def calibration_windows(
    protocol: Protocol, sets: Sequence[PreparedSet], n: int = N_WINDOWS, with_activities: bool = False
) -> NDArray[np.float32]:
    """Returns up to `n` windows of the protocol's calibration part, turn by turn over people and activities.

    `with_activities` as for a network that tells them.
    Windows that the quality gate refuses are left out. Raises: UsageError where none is left.
    """
    windows = span_windows(calibration_spans(protocol, sets if with_activities else ()), sets)
    chosen = _in_turns(windows, sets)[: SPARE * n]
    wanted = np.zeros(len(windows), bool)
    wanted[chosen] = True
    seen: dict[int, NDArray[np.int8]] = {}
    for positions, native, one in raw_windows(windows, sets):
        asked = wanted[positions]
        if not asked.any():
            continue
        usable = [quality.usable for quality in assess(native[asked], int(one.fs), one.gain_known)]
        seen.update(zip(positions[asked][usable].tolist(), front_end(native[asked][usable], one.fs), strict=True))
    kept = [seen[position] for position in chosen.tolist() if position in seen][:n]
    if not kept:
        raise UsageError(f"protocol {protocol.name!r} has no usable calibration window; name another with --protocol")
    return as_input(np.stack(kept))


def synthetic_windows(n: int = N_WINDOWS, n_leads: int = 1) -> NDArray[np.float32]:
    """Returns `n` windows of synthetic people: for numbers only, where there are no recordings."""
    cut_windows: list[NDArray[np.int8]] = []
    for record in synthesise(SynthConfig(people=24, sessions=1, seed=1, leads=n_leads)):
        signal = to_integer_microvolts(record.of_leads(record.leads))
        native = cut(signal, tile_starts(record.n_samples, int(record.fs)), int(record.fs))
        cut_windows.extend(front_end(native, record.fs))
        if len(cut_windows) >= n:
            break
    return as_input(np.stack(cut_windows[:n]))


def _in_turns(windows: Windows, sets: Sequence[PreparedSet]) -> NDArray[np.int64]:
    """Returns positions in `windows`: one of every (person, activity), then a second of each, and so on."""
    by_name = {one.name: one for one in sets}
    activity = [str(by_name[name].activity[i]) for name, i in windows.recordings]
    kinds = {kind: number for number, kind in enumerate(dict.fromkeys(activity))}
    of_window = np.array([kinds[kind] for kind in activity], np.int64)[windows.recording]
    group = windows.subject * len(kinds) + of_window
    shuffled = np.random.default_rng(0).permutation(len(windows))
    turn = np.zeros(len(windows), np.int64)
    for label in np.unique(group):
        members = shuffled[group[shuffled] == label]
        turn[members] = np.arange(len(members))
    order: NDArray[np.int64] = np.lexsort((group, turn))
    return order
