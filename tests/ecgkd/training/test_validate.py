from dataclasses import replace

import numpy as np
import pytest

from ecgkd.data.prepared import open_set, write_set
from ecgkd.data.synthetic import SynthConfig, synthesise, synthetic_info
from ecgkd.evaluation.scores import Comparisons
from ecgkd.models import build_model
from ecgkd.protocols.protocol import Span
from ecgkd.training.validate import comparisons, eer_of, labelled_windows, score, validate


def test_people_count_alike_however_often_they_probe():
    cosine = np.array([[0.9, 0.1], [0.2, 0.4], [0.2, 0.8], [0.2, 0.8], [0.2, 0.8]], np.float32)
    probes, templates = np.array([0, 1, 1, 1, 1]), np.array([0, 1])

    rate = eer_of(Comparisons(cosine, probes, templates))

    assert rate == 0


def test_a_bootstrap_weight_of_zero_leaves_a_person_out():
    cosine = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.8, 0.8, 0.2]], np.float32)
    found = Comparisons(cosine, np.arange(3), np.arange(3))

    assert eer_of(found) > 0
    assert eer_of(found, np.array([1.0, 1.0, 0.0])) == 0
    assert eer_of(found, np.array([1.0, 1.0, 1.0])) == pytest.approx(eer_of(found))


def test_development_rows_are_compared_and_others_are_not(people):
    ready = comparisons(people.protocol, people.sets)

    assert [one.name for one in ready] == ["people.s1-s2"]
    assert len(ready[0].subjects) == 6


def test_without_rows_the_first_session_is_enrolled_and_later_ones_probe(people):
    protocol = replace(people.protocol, rows=())

    ready = comparisons(protocol, people.sets)

    assert [one.kind for one in ready] == ["cross-session"]
    assert len(ready[0].enrol) == 6
    assert len(ready[0].probe) == 6


def test_a_protocol_without_development_people_validates_nothing(people):
    protocol = replace(people.protocol, rows=(), validate=())

    assert comparisons(protocol, people.sets) == []
    assert validate(build_model("deit_nano"), []) == {}


def test_scores_are_cosines_of_probes_by_templates(people):
    (ready,) = comparisons(people.protocol, people.sets)

    found = score(build_model("deit_nano").eval(), ready)

    assert found.scores.shape == (6, 6)
    assert np.abs(found.scores).max() <= 1 + 1e-5


def test_labels_of_validate_count_where_no_row_has_any_and_sets_of_one_activity_never_do(people, tmp_path):
    config = SynthConfig(people=4, sessions=1, records_per_session=1, seconds=12, activities=("rest", "walking"))
    write_set(tmp_path / "active.npz", synthesise(config), {**synthetic_info(config), "key": "active"})
    active = open_set(tmp_path / "active.npz")
    spans = tuple(Span(active.name, str(name), 0, active.n_samples(i)) for i, name in enumerate(active.record))
    sets = {**people.protocol.sets, active.name: active.sha256}
    protocol = replace(people.protocol, sets=sets, validate=(*people.protocol.validate, *spans))

    found = labelled_windows(protocol, [*people.sets, active], ("rest", "walking"))

    assert found is not None
    assert len(np.unique(found.person)) == 4
    assert len(found.windows) == 4 * 2 * 3
