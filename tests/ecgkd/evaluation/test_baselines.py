from time import process_time

import numpy as np
import pytest

from ecgkd.data.synthetic import SynthConfig, synthesise
from ecgkd.errors import UsageError
from ecgkd.evaluation.baselines import (
    AFTER,
    BEAT_SAMPLES,
    BEFORE,
    correlation_embed,
    correlation_records,
    fit_lda,
    fit_lda_beats,
)
from ecgkd.evaluation.metrics import eer
from ecgkd.record import to_integer_microvolts
from ecgkd.signal.chain import front_end
from ecgkd.signal.window import cut, tile_starts


def windows_of(config: SynthConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the front end's windows (n, 1000), whose they are and from which session."""
    windows, subject, session = [], [], []
    for record in synthesise(config):
        starts = tile_starts(record.n_samples, record.fs)
        native = cut(to_integer_microvolts(record.signal[0]), starts, record.fs)
        windows.append(front_end(native, record.fs))
        subject += [record.subject] * len(starts)
        session += [record.session] * len(starts)
    return np.concatenate(windows), np.array(subject), np.array(session)


@pytest.fixture(scope="module")
def people() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return windows_of(SynthConfig(people=60, sessions=2))


def across_sessions(embeddings: np.ndarray, subject: np.ndarray, session: np.ndarray) -> float:
    first, second = session == 1, session == 2
    scores = embeddings[first] @ embeddings[second].T
    mated = subject[first][:, None] == subject[second][None]
    return eer(scores[mated], scores[~mated])


def spikes(at: list[int], height: float = 100) -> np.ndarray:
    """Returns a window (1, 1000) of narrow beats, each with a T wave."""
    t = np.arange(1000)[:, None] - np.array(at)
    beats = np.exp(-0.5 * (t / 2.5) ** 2) + 0.3 * np.exp(-0.5 * ((t - 60) / 10) ** 2)
    return np.rint(height * beats.sum(axis=1)).astype(np.int8)[None]


def test_rows_are_unit_float32_without_mean(people):
    beats = correlation_embed(people[0])
    assert beats.shape == (len(people[0]), BEAT_SAMPLES)
    assert beats.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(beats, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(beats.mean(axis=1), 0, atol=1e-6)


def test_the_beat_stands_200_ms_after_its_start():
    beat = correlation_embed(spikes([150, 400, 650, 900]))[0]
    assert (BEFORE, AFTER, beat.argmax()) == (50, 100, 50)


def test_the_cosine_is_the_correlation_of_mean_beats():
    at = [150, 400, 650]
    window = spikes(at)
    mean = np.mean([window[0, peak - 50 : peak + 100] for peak in at], axis=0)
    other = correlation_embed(spikes(at, 60) // 2)[0]
    expected = np.corrcoef(mean, other)[0, 1]
    assert correlation_embed(window)[0] @ other == pytest.approx(expected, abs=1e-5)


def test_where_the_beats_lie_does_not_matter():
    first, second = correlation_embed(np.concatenate([spikes([150, 400, 650]), spikes([210, 420, 700, 890])]))
    assert first @ second > 0.999


def test_an_artefact_among_the_beats_is_left_out():
    clean = spikes([150, 350, 550, 750])
    spoilt = clean.copy()
    spoilt[0, 520:580] = np.where(np.arange(60) % 20 < 10, 120, -120)
    first, second = correlation_embed(np.concatenate([clean, spoilt]))
    assert first @ second > 0.99


def test_a_flat_window_is_uncorrelated_with_every_beat(people):
    flat = correlation_embed(np.zeros((1, 1000), np.int8))
    assert np.linalg.norm(flat) == pytest.approx(1)
    assert np.abs(correlation_embed(people[0][:50]) @ flat.T).max() < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_a_window_of_noise_still_gives_a_unit_row(seed):
    rng = np.random.default_rng(seed)
    windows = rng.integers(-127, 128, (20, 1000)).astype(np.int8)
    windows[10:] = 0
    windows[np.arange(10, 20), rng.integers(0, 1000, 10)] = 127  # one spike, anywhere
    rows = correlation_embed(windows)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_no_windows_give_no_rows():
    assert correlation_embed(np.zeros((0, 1000), np.int8)).shape == (0, BEAT_SAMPLES)


def test_lda_of_other_people_separates_better_than_correlation(people):
    windows, subject, session = people
    tested = np.isin(subject, np.unique(subject)[::2])
    lda = fit_lda(windows[~tested], subject[~tested])
    mine = [part[tested] for part in (windows, subject, session)]
    assert across_sessions(lda.embed(mine[0]), *mine[1:]) < across_sessions(correlation_embed(mine[0]), *mine[1:])


def test_lda_rows_are_unit_float32_of_40_dimensions(people):
    rows = fit_lda(people[0], people[1]).embed(people[0][:9])
    assert rows.shape == (9, 40)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_lda_whitens_what_varies_inside_people(people):
    beats, subject = correlation_embed(people[0]), people[1]
    lda = fit_lda_beats(beats, subject)
    projected = (beats - lda.mean) @ lda.projection
    _, label = np.unique(subject, return_inverse=True)
    means = np.stack([projected[label == k].mean(axis=0) for k in range(label.max() + 1)])
    inside = projected - means[label]
    covariance = inside.T @ inside / len(inside)
    np.testing.assert_allclose(covariance, np.eye(40), atol=0.02)
    between = np.cov(means, rowvar=False)
    assert np.abs(between - np.diag(np.diag(between))).max() < 1e-6 * between.max()
    assert (np.diff(np.diag(between)) <= 0).all()


def test_lda_spans_the_same_space_as_the_field_s_own(people):
    discriminant = pytest.importorskip("sklearn.discriminant_analysis")
    decomposition = pytest.importorskip("sklearn.decomposition")
    beats, subject = correlation_embed(people[0]).astype(np.float64), people[1]
    pca = decomposition.PCA(60, svd_solver="full").fit(beats)
    reference = discriminant.LinearDiscriminantAnalysis(solver="eigen", n_components=40)
    theirs = reference.fit(pca.transform(beats), subject).transform(pca.transform(beats))
    lda = fit_lda_beats(beats, subject)
    mine = (beats - lda.mean) @ lda.projection
    for k in range(10):
        assert abs(np.corrcoef(theirs[:, k], mine[:, k])[0, 1]) > 0.995


def test_the_order_of_windows_and_the_names_of_people_change_nothing(people):
    beats, subject = correlation_embed(people[0]), people[1]
    order = np.random.default_rng(0).permutation(len(beats))
    renamed = np.array([f"x{name[::-1]}" for name in subject])
    first, second = (fit_lda_beats(*arguments) for arguments in ((beats, subject), (beats[order], renamed[order])))
    np.testing.assert_allclose(first.embed_beats(beats[:20]), second.embed_beats(beats[:20]), atol=1e-3)


def test_few_people_give_few_dimensions():
    windows, subject, _ = windows_of(SynthConfig(people=5, sessions=1))
    assert fit_lda(windows, subject).embed(windows).shape == (len(windows), 4)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_lda_of_fewer_than_three_people_is_refused(people, n):
    chosen = np.isin(people[1], np.unique(people[1])[:n])
    with pytest.raises(UsageError, match=f"here are {n} people"):
        fit_lda(people[0][chosen], people[1][chosen])


def test_lda_of_single_windows_is_refused(people):
    _, first = np.unique(people[1], return_index=True)
    with pytest.raises(UsageError, match=r"1 window\(s\) at most"):
        fit_lda(people[0][first], people[1][first])


@pytest.mark.parametrize("fs", [128, 500])
def test_whole_recordings_at_any_rate_give_the_same_beat(fs):
    plain = {"people": 4, "sessions": 1, "records_per_session": 1, "noise": 0.2, "ectopic_share": 0}
    here, there = (
        correlation_records([record.signal[0] for record in synthesise(SynthConfig(**plain, fs=rate))], rate)
        for rate in (250, fs)
    )
    assert (here * there).sum(axis=1).min() > 0.97


def test_a_recording_too_short_for_a_beat_is_refused():
    with pytest.raises(UsageError, match=r"recording 0 has 1\.0 s"):
        correlation_records([np.zeros(250)], 250)


def test_4000_windows_take_less_than_ten_seconds(people):
    windows = np.resize(people[0], (4000, 1000))
    lda = fit_lda(people[0], people[1])
    start = process_time()
    lda.embed(windows)
    assert process_time() - start < 10
