"""The self-test of a bundle on a device: golden recordings for the C artefact, and what it must print of them.

The program that runs there is firmware/ports/owner/owner.c of the bundle; its source describes both streams.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgkd.bundle import golden
from ecgkd.bundle.pack import FIRMWARE, MODELS
from ecgkd.bundle.selftest import Bundle
from ecgkd.enrolment.activity import MARGIN_Q
from ecgkd.enrolment.decision import SCORE_Q, Outcome, Rule
from ecgkd.enrolment.windows import usable_windows
from ecgkd.errors import GateError, UsageError
from ecgkd.record import Record, to_integer_microvolts

PROGRAM = f"{FIRMWARE}/ports/owner/owner.c"
RESULTS = {Outcome.ACCEPTED: 6, Outcome.REFUSED: 7, Outcome.NO_DECISION: 8}
"""As ecgkd.h numbers them; 0 is `done`, for an enrolment."""
EARLY = (Rule.EARLY_ACCEPT, Rule.EARLY_REJECT)
NAMES = {code: outcome.value for outcome, code in RESULTS.items()}


@dataclass(frozen=True)
class Expected:
    """What the program must print of one golden recording, as integers."""

    role: str
    windows: tuple[int, ...]
    """FNV-1a of what the network sees of each usable window, until the decision."""
    verdict: tuple[int, ...]
    """Of an enrolment: result, usable windows. Else: result, early, score and LLR in Q16, windows."""
    told: tuple[int, ...] = ()
    """Number of the activity, windows, log-odds in Q16; () of a network that tells none."""
    activities: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeviceTest:
    """One C artefact, what it is built of, what it is fed, and what it must print."""

    name: str
    """Of the generated network, without an ending."""
    files: dict[str, bytes]
    """Sources by their place in the bundle."""
    stream: bytes
    expected: tuple[Expected, ...]


def device_tests(bundle: Bundle) -> list[DeviceTest]:
    """Returns the test of every C artefact of a bundle.

    Raises: UsageError where it has none, GateError where its golden results are broken or it lacks the program.
    """
    names = [name for name in bundle.contracts if name.endswith(".c")]
    if not names:
        raise UsageError(
            "no C artefact in the bundle, which alone runs on every device; export with --formats tflite,c"
        )
    if PROGRAM not in bundle.members:
        raise GateError(f"{PROGRAM} is missing: made by an older ecgkd; make the bundle again")
    recordings, kept = golden.read_golden(bundle.members)
    seen = {role: usable_windows([recordings[role]]).inputs for role in golden.ROLES}
    tests = []
    for name in names:
        if name not in kept or set(kept[name].decisions) != set(golden.EXPECTED):
            raise GateError(f"the golden results lack the decisions of {name}; make the bundle again")
        if not np.array_equal(np.concatenate([seen[role] for role in golden.ROLES]), kept[name].inputs):
            raise GateError("the golden recordings and windows do not belong together; make the bundle again")
        activities = bundle.contracts[name].activities
        expected = tuple(_expected(role, seen[role], kept[name], activities) for role in golden.ROLES)
        tests.append(DeviceTest(name.removesuffix(".c"), _sources(bundle, name), _stream(recordings), expected))
    return tests


def compare(test: DeviceTest, lines: Sequence[str]) -> list[dict[str, str]]:
    """Returns one row for each check of what the device printed: `check`, `result` ("passed", or what differs)."""
    parts = _parts(lines)
    rows = []
    for number, want in enumerate(test.expected):
        windows, verdict, told = parts[number] if number < len(parts) else ((), (), ())
        rows += [_windows_row(want, windows), _verdict_row(want, verdict)]
        if want.told or told:
            rows.append(_told_row(want, told))
    return [{"artefact": f"{test.name}.c", **row} for row in rows]


def fnv(content: bytes) -> int:
    """Returns FNV-1a, 32 bits."""
    value = 2166136261
    for byte in content:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def _expected(role: str, inputs: NDArray[np.int8], kept: golden.Outcome, activities: tuple[str, ...]) -> Expected:
    hashes = tuple(fnv(window.tobytes()) for window in inputs)
    decision = kept.decisions.get(role)
    told = _told(role, kept, activities)
    if decision is None:
        return Expected(role, hashes, (0, len(hashes)), told, activities)
    try:
        early = int(Rule(decision["rule"]) in EARLY)
        fixed = [round((decision[key] or 0) * 2**SCORE_Q) for key in ("score", "llr")]
        used = int(decision["windows"])
        verdict = (RESULTS[Outcome(decision["decision"])], early, *fixed, used)
        return Expected(role, hashes[:used], verdict, told, activities)
    except (KeyError, ValueError, TypeError) as error:
        raise GateError(f"the golden decision on the {role} is broken ({error}); make the bundle again") from error


def _told(role: str, kept: golden.Outcome, activities: tuple[str, ...]) -> tuple[int, ...]:
    if not activities:
        return ()
    one = kept.told.get(role)
    if one is None or one["name"] not in activities:
        raise GateError(f"the golden activity of the {role} is missing or unknown; make the bundle again")
    return activities.index(one["name"]), one["windows"], round(one["log_odds"] * 2**MARGIN_Q)


def _sources(bundle: Bundle, name: str) -> dict[str, bytes]:
    stem = f"{MODELS}/{name.removesuffix('.c')}"
    own = [f"{stem}{end}" for end in (".c", ".h", "_decision.c", "_decision.h")]
    return {
        place: content for place, content in bundle.members.items() if place in own or place.startswith(f"{FIRMWARE}/")
    }


def _stream(recordings: dict[str, Record]) -> bytes:
    samples = {role: to_integer_microvolts(recordings[role].signal[0]).astype("<i4") for role in golden.ROLES}
    pushed = {role: b"S" + struct.pack("<I", len(x)) + x.tobytes() for role, x in samples.items()}
    verified = b"".join(b"V" + pushed[role] + b"D" for role in golden.EXPECTED)
    return struct.pack("<I", golden.FS) + b"E" + pushed[golden.ENROL] + b"F" + verified


def _parts(lines: Sequence[str]) -> list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Returns the windows' hashes, the verdict and the activity, for each recording. Raises: GateError for others."""
    parts: list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = []
    windows: list[int] = []
    for line in lines:
        kind, *rest = line.split()
        try:
            numbers = tuple(int(one) for one in rest)
            if kind == "w" and numbers[1] == 0:
                windows.append(numbers[2])
            elif kind in ("e", "v"):
                parts.append((tuple(windows), numbers, ()))
                windows = []
            elif kind == "a":
                parts[-1] = (*parts[-1][:2], numbers)
        except (ValueError, IndexError) as error:
            raise GateError(f"the device printed {line[:80]!r}, which is no line of the owner check") from error
    return parts


def _windows_row(want: Expected, found: tuple[int, ...]) -> dict[str, str]:
    check = f"{want.role}: {len(want.windows)} windows, the front end's bits"
    if found == want.windows:
        return {"check": check, "result": "passed"}
    if len(found) != len(want.windows):
        return {"check": check, "result": f"{len(found)} windows there"}
    first = next(i for i, pair in enumerate(zip(found, want.windows, strict=True)) if pair[0] != pair[1])
    return {"check": check, "result": f"window {first + 1} has other bits there"}


def _verdict_row(want: Expected, found: tuple[int, ...]) -> dict[str, str]:
    here, there = _in_words(want, want.verdict), _in_words(want, found)
    same = found[: len(want.verdict)] == want.verdict
    return {"check": f"{want.role}: {here}", "result": "passed" if same else f"{there} there"}


def _told_row(want: Expected, found: tuple[int, ...]) -> dict[str, str]:
    here, there = (_activity_in_words(want.activities, numbers) for numbers in (want.told, found))
    return {"check": f"{want.role}: {here}", "result": "passed" if found == want.told else f"{there} there"}


def _activity_in_words(names: tuple[str, ...], numbers: tuple[int, ...]) -> str:
    if len(numbers) != 3:
        return "no activity"
    index, windows, margin = numbers
    name = names[index] if 0 <= index < len(names) else f"number {index}"
    return f"activity {name} by {windows} windows, log-odds {margin} in Q{MARGIN_Q}"


def _in_words(want: Expected, numbers: tuple[int, ...]) -> str:
    if len(numbers) < len(want.verdict):
        return "no verdict"
    if want.role == golden.ENROL:
        return f"{'refused' if numbers[0] else 'enrolled'}, {numbers[1]} usable windows"
    result, early, score, llr, windows = numbers[:5]
    decided = NAMES.get(result, f"result {result}") + (" early" if early else "")
    return f"{decided}, score {score} and LLR {llr} in Q{SCORE_Q}, {windows} windows"
