"""Networks of three leads: from the set to the run."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from ecgkd.config import AugmentConfig, Recipe, load_recipe
from ecgkd.data.prepared import PreparedSet, open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Protocol, Span
from ecgkd.protocols.trials import network_windows, raw_windows, span_windows, taking, window_shape
from ecgkd.record import Record
from ecgkd.signal.quality import assess
from ecgkd.training.augment import augment
from ecgkd.training.dataset import Draw, draw_windows, training_stretches
from ecgkd.training.embed import activity_logits, embed_windows
from ecgkd.training.fit import load_run, train
from ecgkd.training.run_directory import read_info
from ecgkd.training.study import references, study
from ecgkd.training.teachers import open_teacher

from .conftest import TINY

FS = 250
OFF = AugmentConfig(**{name: 0.0 for name in AugmentConfig.__dataclass_fields__ if name.endswith("_p")})
LEADS = ("II", "III", "chest")
THREE = 'data.leads=["I","II","III"]'


def random_set(folder, leads=LEADS, name="m") -> PreparedSet:
    """Returns a set of three people whose recordings hold wandering noise, the same in a lead of the same name."""
    records = []
    for person in "xyz":
        for session in (1, 2):
            signals = []
            for lead in leads:
                rng = np.random.default_rng([ord(person), session, len(lead)])
                signals.append(np.cumsum(rng.normal(0, 20, 5000)).astype(np.float32))
            records.append(Record(np.stack(signals), FS, tuple(leads), f"{person}{session}", person, session))
    path = folder / f"{name}-{'-'.join(leads)}.npz"
    write_set(path, records, {"key": name})
    return open_set(path)


def drawn(one: PreparedSet, config: AugmentConfig = AugmentConfig()) -> np.ndarray:
    spans = [Span("m", f"{person}{session}", 0, 5000) for person in "xyz" for session in (1, 2)]
    stretches = training_stretches(spans, {"m": one})
    draw = Draw(np.tile(np.arange(6), 4), np.linspace(0, 0.9, 24))
    return draw_windows(stretches, draw, config, (3,))


def all_windows(one: PreparedSet):
    return span_windows([Span(one.name, str(name), 0, one.n_samples(i)) for i, name in enumerate(one.record)], [one])


def test_the_first_lead_by_its_name_is_the_set_as_it_is(tmp_path):
    one = random_set(tmp_path)

    assert one.taking(["II"]) is one
    assert one.taking([]) is one
    assert one.taking([""]) is one


def test_another_lead_gives_the_bits_of_a_set_that_begins_with_it(tmp_path):
    first = random_set(tmp_path, ("III", "II", "chest"))
    named = random_set(tmp_path).taking(["III"])

    np.testing.assert_array_equal(drawn(named), drawn(first))
    np.testing.assert_array_equal(
        network_windows(all_windows(named), [named]), network_windows(all_windows(first), [first])
    )


def test_each_of_three_leads_is_what_the_front_end_makes_of_it_alone(tmp_path):
    one = random_set(tmp_path)
    three = one.taking(["chest", "II", "III"])

    together, trained = network_windows(all_windows(three), [three]), drawn(three, OFF)

    assert together.shape == (30, 3, 1000)
    assert trained.shape == (24, 3, 1000)
    for place, lead in enumerate(("chest", "II", "III")):
        alone = one.taking([lead])
        np.testing.assert_array_equal(together[:, place], network_windows(all_windows(alone), [alone]))
        np.testing.assert_array_equal(trained[:, place], drawn(alone, OFF))


def test_time_runs_alike_in_all_leads_and_each_is_mixed_by_itself(tmp_path):
    one = random_set(tmp_path)
    three, alone = one.taking(LEADS), one.taking(["III"])
    warp, mix = replace(OFF, warp_p=1.0), replace(OFF, lead_p=1.0)

    np.testing.assert_array_equal(drawn(three, warp)[:, 1], drawn(alone, warp))
    mixed = drawn(three, mix)
    assert (mixed[:, 1] != drawn(alone, OFF)).any()
    assert (mixed[:, 0] != mixed[:, 1]).any()


@pytest.mark.parametrize("name", ["amplitude", "mains", "lowpass", "adc"])
def test_the_device_does_the_same_to_every_lead(name):
    changed = of_three_alike(replace(OFF, **{f"{name}_p": 1.0}))

    np.testing.assert_array_equal(changed[:, 0], changed[:, 1])
    np.testing.assert_array_equal(changed[:, 0], changed[:, 2])


@pytest.mark.parametrize("name", ["wander", "muscle", "motion", "mask"])
def test_every_electrode_has_noise_of_its_own(name):
    changed = of_three_alike(replace(OFF, **{f"{name}_p": 1.0}))

    assert (changed[:, 0] != changed[:, 1]).any(axis=1).all()
    assert (changed[:, 1] != changed[:, 2]).any(axis=1).all()


def of_three_alike(config: AugmentConfig) -> np.ndarray:
    """Returns augmented windows (n, 3, samples) of three leads that were the same."""
    one = np.random.default_rng(1).normal(0, 300, (8, 4 * FS)).astype(np.float32)
    given = np.stack([one] * 3, axis=1)
    kept = given.copy()
    changed = augment(given, FS, config, np.random.default_rng(2))
    np.testing.assert_array_equal(given, kept)
    return changed


def test_a_window_is_usable_where_every_lead_is(tmp_path):
    config = SynthConfig(people=4, sessions=1, leads=3, noise=2.0)
    write_set(tmp_path / "s.npz", synthesise(config), synthetic_info(config))
    one = open_set(tmp_path / "s.npz").taking(["I", "II", "III"])
    windows = span_windows([Span(one.name, str(name), 0, 3750) for name in one.record], [one])
    judged = 0

    for _, native, _ in raw_windows(windows, [one]):
        together = assess(native, FS)
        alone = [assess(native[:, lead], FS) for lead in range(3)]
        for number, found in enumerate(together):
            leads = [of_lead[number] for of_lead in alone]
            assert found.usable == all(lead.usable for lead in leads)
            assert set(found.reasons) == {reason for lead in leads for reason in lead.reasons}
            assert found.periodicity == min(lead.periodicity for lead in leads)
            judged += not found.usable
    assert judged


def test_a_set_without_the_lead_says_what_it_has(tmp_path):
    with pytest.raises(UsageError, match=r"no lead 'V1' in the set m; it has II, III, chest"):
        random_set(tmp_path).taking(["II", "V1", "chest"])


def test_leads_go_with_a_set_to_other_processes_and_share_what_is_read(tmp_path):
    one = random_set(tmp_path)
    one.counts(0)
    three = one.taking(LEADS)

    assert three.counts(0).base is one.counts(0).base
    assert pickle.loads(pickle.dumps(three)).taken == (0, 1, 2)
    assert three.sha256 == one.sha256
    assert one.taken == (0,)


def test_sets_that_take_different_numbers_of_leads_do_not_mix(tmp_path):
    one, other = random_set(tmp_path), random_set(tmp_path, name="n")

    assert window_shape([one, other]) == (1000,)
    assert window_shape(taking([one, other], LEADS)) == (3, 1000)
    with pytest.raises(UsageError, match="the sets take 1 and 3 leads"):
        window_shape([one, other.taking(LEADS)])


@pytest.mark.parametrize("leads", ['["I","II"]', '["I","I","II"]', '[""]', '["I","II","III","V1"]'])
def test_leads_that_no_network_takes_are_refused(leads):
    with pytest.raises(UsageError, match=r"data\.leads is .*expected the names of one lead, or of three"):
        load_recipe("dt4ecg_ci", [f"data.leads={leads}"])


@pytest.fixture(scope="module")
def one(three_leads) -> PreparedSet:
    return three_leads.sets[0]


@pytest.fixture(scope="module")
def protocol(three_leads) -> Protocol:
    return three_leads.protocol


def quick(*more: str) -> Recipe:
    return load_recipe("dt4ecg_cpu", (*TINY, *more))


@pytest.fixture(scope="module")
def three(three_run):
    return three_run


def test_a_run_of_three_leads_says_so(three, one):
    model, info = load_run(three)
    windows = network_windows(all_windows(one.taking(info.contract.leads)), [one.taking(info.contract.leads)])[:3]

    assert info.contract.leads == ("I", "II", "III")
    assert info.contract.inputs[0].shape == (1, 3, 1000)
    assert info.contract.activities == ("rest", "walking")
    assert load_recipe(str(three / "recipe.toml")).data.leads == ("I", "II", "III")
    assert embed_windows(model, windows).shape == (3, 192)
    assert activity_logits(model, windows).shape == (3, 2)
    with pytest.raises(UsageError, match=r"takes 3 lead\(s\), these windows have 1"):
        embed_windows(model, windows[:, 0])


def test_a_stopped_training_of_three_leads_goes_on_to_the_same_weights(one, protocol, three, tmp_path):
    def stop(done: int, total: int, what: str) -> None:
        if what == "epoch 2 of 2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(quick(THREE, "optim.epochs=2"), protocol, [one], tmp_path, progress=stop)
    train(quick(THREE, "optim.epochs=2"), protocol, [one], tmp_path)

    assert read_info(tmp_path).contract.weights_sha256 == read_info(three).contract.weights_sha256


def test_a_checkpoint_of_other_leads_is_not_continued(one, protocol, tmp_path):
    def stop(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(quick(THREE), protocol, [one], tmp_path, progress=stop)
    with pytest.raises(UsageError, match="made with another recipe"):
        train(quick('data.leads=["III","II","I"]'), protocol, [one], tmp_path)


def test_the_first_lead_by_its_name_trains_the_weights_of_no_name(one, protocol, tmp_path):
    for folder, more in (("named", ('data.leads=["I"]',)), ("plain", ())):
        train(quick(*more), protocol, [one], tmp_path / folder)
    named, plain = (read_info(tmp_path / folder).contract for folder in ("named", "plain"))

    assert named.weights_sha256 == plain.weights_sha256
    assert (named.leads, plain.leads) == (("I",), ())
    assert named.inputs == plain.inputs


def test_a_teacher_of_one_lead_teaches_a_student_of_three(one, protocol, tmp_path):
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (2, 3, 1000)).astype(np.float32))
    student = quick(THREE, "loss.embedding=1")
    for folder, more, lead in (("first", (), 0), ("third", ('data.leads=["III"]',), 2)):
        train(quick(*more), protocol, [one], tmp_path / folder)
        teacher = open_teacher(tmp_path / folder, student, ()).model
        torch.testing.assert_close(teacher(x).embedding, load_run(tmp_path / folder)[0](x[:, [lead]]).embedding)

    assert train(student, protocol, [one], tmp_path / "student", teacher=tmp_path / "third")["distilled"]


def test_a_teacher_whose_lead_is_not_there_is_refused(one, protocol, three, tmp_path):
    with pytest.raises(UsageError, match="sees the lead I, this training has the first lead of any recording"):
        train(quick("loss.embedding=1"), protocol, [one], tmp_path, teacher=three)


def test_other_beginnings_and_networks_are_refused(one, protocol, three, tmp_path):
    with pytest.raises(UsageError, match="is a run on I, II, III, this training is on the first lead of any"):
        train(quick(f"model.start={three}"), protocol, [one], tmp_path)
    with pytest.raises(UsageError, match=r"deit_nano takes one lead .* 3 lead\(s\)"):
        train(
            quick(THREE, "model.preset=deit_nano", "loss.activity=0", "loss.balance=fixed"), protocol, [one], tmp_path
        )
    with pytest.raises(UsageError, match="no lead 'chest' in the set three"):
        train(quick('data.leads=["I","II","chest"]'), protocol, [one], tmp_path)


def test_metrics_count_what_three_leads_cost(three):
    metrics = json.loads((three / "metrics.json").read_text())

    assert metrics["macs"] > 25_000_000


def test_the_study_sees_three_leads_too(one, tmp_path):
    found = study(quick(THREE), one, tmp_path, n_folds=2, rows=("fixed weights",))
    beside = references(found["fixed weights"], one, {})

    assert [output.embeddings.shape[1] for output in found["fixed weights"]] == [192, 192]
    assert read_info(tmp_path / "fixed-weights" / "r0f0").contract.leads == ("I", "II", "III")
    assert set(beside) == {"correlation of mean beats", "majority class", "heart rate alone"}
