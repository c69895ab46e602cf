"""Leak canaries: what tells nothing of a person must tell nothing of a person, or the evidence is spoilt.

Real recordings, without the locked people. Bounds are 95 % bootstrap intervals over people.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd.data.prepared import PreparedSet, open_set, write_set
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Row, population, windows_of
from ecgkd.protocols.split import make
from ecgkd.protocols.trials import network_windows, row_windows
from ecgkd.record import Record
from ecgkd.signal.window import tile_starts

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
HEARTPRINT = SHARED / "heartprint.npz"
pytestmark = pytest.mark.skipif(not HEARTPRINT.is_file(), reason=f"no recordings of real people at {SHARED}")

HEAD = 10
"""Samples that the canaries are fed."""
N_CANARIES = 6
REPLICATES = 2000
CONFIDENCE = 1 - 0.05 / N_CANARIES
"""Of each canary's interval, so that all of them together hold at 95 %."""


@pytest.fixture(scope="module")
def heartprint() -> PreparedSet:
    return open_set(HEARTPRINT)


@pytest.fixture(scope="module")
def rows(heartprint) -> dict[str, Row]:
    """Rows of all people who are not locked: as if the set were tested as a whole."""
    return {row.name: row for row in make("cross-database", [heartprint]).rows}


def level(head: NDArray[np.float64]) -> NDArray[np.float64]:
    return head.mean(keepdims=True)


def gain(head: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log1p(head.std(keepdims=True))


def noise(head: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log1p(np.abs(np.fft.rfft(np.diff(head, 2))))


def person_features(one: PreparedSet, row: Row, feature, planted=None) -> tuple[NDArray, NDArray]:
    """Returns (n, k) means over recordings of enrolment and of probes, of those who have both, in one order."""
    sides = []
    for spans in (row.enrol, row.probe):
        of_person: dict[str, list[NDArray]] = {}
        for span in spans:
            i = one.find(span.record)
            head = one.counts(i)[:HEAD].astype(float)
            if planted is not None:
                head = head + planted(str(one.subject[i]))
            of_person.setdefault(str(one.subject[i]), []).append(feature(head))
        sides.append({person: np.mean(values, axis=0) for person, values in of_person.items()})
    both = sorted(sides[0].keys() & sides[1].keys())
    enrol, probe = (np.array([side[person] for person in both]) for side in sides)
    scale = np.concatenate([enrol, probe]).std(axis=0) + 1e-9
    return enrol / scale, probe / scale


def win_rate(enrol: NDArray, probe: NDArray) -> tuple[float, float, float]:
    """Returns how often the own template beats another person's (0.5 is chance), with its interval over people."""
    distance = np.abs(probe[:, None] - enrol[None]).sum(axis=2)
    own = np.diag(distance)[:, None]
    n = len(own)
    wins = ((distance > own).sum(axis=1) + 0.5 * ((distance == own).sum(axis=1) - 1)) / (n - 1)
    drawn = np.random.default_rng(0).integers(0, n, (REPLICATES, n))
    low, high = np.quantile(wins[drawn].mean(axis=1), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(wins.mean()), float(low), float(high)


@pytest.mark.parametrize("feature", [level, gain, noise])
@pytest.mark.parametrize("label", ["s1-s2", "s1-s3"])
def test_the_first_ten_samples_tell_nobody_from_another_session(heartprint, rows, feature, label):
    rate, low, high = win_rate(*person_features(heartprint, rows[f"heartprint.{label}"], feature))
    assert low < 0.5 < high, f"{feature.__name__}: own template wins {rate:.1%} [{low:.1%}, {high:.1%}], chance is 50 %"
    assert high < 0.65, f"{feature.__name__}: too few people to tell chance from a leak (up to {high:.1%})"


def test_the_canary_sings_when_a_level_is_planted(heartprint, rows):
    def planted(subject: str) -> float:
        return 3e4 * np.random.default_rng(list(subject.encode())).random()

    rate, low, _ = win_rate(*person_features(heartprint, rows["heartprint.s1-s2"], level, planted))
    assert low > 0.65, f"a planted level wins {rate:.1%}"


def test_the_index_lists_behind_heartprints_samples_never_reach_a_window(heartprint):
    # The source's files go on after sample 3747 with lists of R-peak positions and zeros.
    assert {heartprint.n_samples(i) for i in range(len(heartprint))} == {3747}
    for i in range(len(heartprint)):
        # A position is hundreds of units, 0.1 mV each: as samples they all stand at the rail; zeros do not move either.
        assert np.ptp(heartprint.counts(i)[-40:]) > 0, f"{heartprint.record[i]} ends in something that is no ECG"


def test_every_window_of_a_heartprint_protocol_ends_before_the_lists(heartprint):
    protocol = make("cross-session", [heartprint])
    last = {int(windows_of(span, heartprint.fs).max()) + 1000 for span in protocol.spans()}
    assert last == {int(tile_starts(3747, 250).max()) + 1000} == {3000}


def within_session_eer(one: PreparedSet, tag=None) -> float:
    """Returns the EER of the same-day row for a plain spectrum of what the network sees.

    `tag` (record) -> (158,) adds something to the spectra of a recording: what a device of its own would do.
    """
    row = next(row for row in make("cross-database", [one]).rows if row.kind == "same-day")
    sides = row_windows(row, [one])
    means = []
    for windows in (sides.enrol, sides.probe):
        seen = network_windows(windows, [one]).astype(np.float64)
        features = np.log1p(np.abs(np.fft.rfft(seen * np.hanning(1000), axis=1))[:, 2:160])
        if tag is not None:
            tags = np.stack([tag(str(one.record[i])) for _, i in windows.recordings])
            features += tags[windows.recording]
        means.append(np.stack([features[windows.subject == s].mean(axis=0) for s in range(len(sides.subjects))]))
    centre = means[0].mean(axis=0)
    enrol, probe = ((m - centre) / np.linalg.norm(m - centre, axis=1, keepdims=True) for m in means)
    scores = probe @ enrol.T
    own = np.eye(len(scores), dtype=bool)
    steps = np.sort(scores[own])
    fnmr = np.arange(len(steps)) / len(steps)
    fmr = np.array([(scores[~own] >= step).mean() for step in steps])
    at = int(np.argmin(np.abs(fnmr - fmr)))
    return float(fnmr[at] + fmr[at]) / 2


def with_shuffled_sessions(one: PreparedSet, path: Path) -> PreparedSet:
    """Returns the set with each person's session labels exchanged among that person's sessions."""
    rng = np.random.default_rng(1)
    label: dict[tuple[str, int], int] = {}
    for person in sorted(set(one.subject.tolist())):
        numbers = sorted(set(one.session[one.subject == person].tolist()))
        label |= dict(zip([(person, s) for s in numbers], rng.permutation(numbers).tolist()))
    records = []
    for i in range(len(one)):
        if population(str(one.subject[i])) != "locked":
            old = one.load(i)
            new = label[old.subject, old.session]
            # The day decides what "the same day" is; only the label moves.
            records.append(
                Record(
                    old.signal, old.fs, old.leads, old.name, old.subject, new, old.day, old.activity, gain_known=False
                )
            )
    write_set(path, records, {"name": "shuffled", "gain_known": False})
    return open_set(path)


@pytest.fixture(scope="module")
def shuffled(heartprint, tmp_path_factory) -> PreparedSet:
    return with_shuffled_sessions(heartprint, tmp_path_factory.mktemp("shuffled") / "shuffled.npz")


def test_shuffled_session_labels_do_not_change_the_within_session_number(heartprint, shuffled):
    # Measured 12.4 and 12.5 %; two standard errors of such an EER over 128 people are about 4 points.
    assert abs(within_session_eer(heartprint) - within_session_eer(shuffled)) < 0.04


def test_the_number_changes_when_every_session_has_a_device_of_its_own(heartprint, shuffled):
    def tag(record: str) -> NDArray[np.float64]:
        return 0.4 * np.random.default_rng(int(record[len("Session-")])).normal(size=158)

    # Measured 12.4 and 6.2 %: people of other sessions are told apart by the device.
    assert within_session_eer(heartprint, tag) - within_session_eer(shuffled, tag) > 0.04


def test_a_pool_of_unknown_people_is_never_tested():
    pool = SHARED / "ptbxl_pool.npz"
    if not pool.is_file():
        pytest.skip(f"no {pool}")
    with pytest.raises(UsageError, match="ptbxl_pool cannot be tested"):
        make("cross-database", [open_set(pool)])
