import json
import math
from dataclasses import replace

import numpy as np
import pytest

from ecgkd.data.prepared import open_set
from ecgkd.data.synthetic import SYNTHETIC_NOTICE
from ecgkd.data.write import write_set
from ecgkd.errors import UsageError
from ecgkd.evaluation.evaluate import Candidate, baselines, evaluate
from ecgkd.evaluation.material import UNUSABLE, View, make_pool, see, view
from ecgkd.evaluation.plots import all_plots
from ecgkd.evaluation.results import Evaluation
from ecgkd.evaluation.table import as_markdown, as_text, percent
from ecgkd.evaluation.write import write_evaluation
from ecgkd.protocols.protocol import Row, Span
from ecgkd.protocols.trials import network_windows, row_windows
from ecgkd.record import Record

ROW = "people.s1-s2"


@pytest.fixture(scope="module")
def evaluation(people, protocol, candidate) -> Evaluation:
    def worse(windows: np.ndarray) -> np.ndarray:
        return candidate().embed(np.where(windows % 3 == 0, windows, 0).astype(np.int8))

    given = [candidate(), candidate("worse", worse), *baselines(protocol, [people])]
    return evaluate(given, protocol, [people], rows=[ROW, f"{ROW}.locked"], replicates=200)


def outcome(evaluation: Evaluation, model: str, row: str = ROW):
    return next(one for one in evaluation.outcomes if (one.model, one.row) == (model, row))


def test_every_candidate_is_on_every_row_with_all_cells(evaluation):
    assert {(one.model, one.row) for one in evaluation.outcomes} == {
        (model, row) for model in ("random", "worse", "correlation", "LDA") for row in (ROW, f"{ROW}.locked")
    }
    for one in evaluation.outcomes:
        sizes = {(c.enrol_windows, c.probe_windows) for c in one.cells if not c.gated}
        assert sizes == {(1, 1), (6, 1), (6, 3)}
        assert sum(c.gated for c in one.cells) == 1


def test_all_candidates_make_the_same_comparisons(evaluation):
    counts = {(c.enrol_windows, c.probe_windows, c.n_genuine, c.n_impostor, c.n_pairs) for o in evaluation.outcomes
              if o.row == ROW for c in o.cells}  # fmt: skip
    assert len(counts) == 3


def test_figures_lie_within_their_intervals(evaluation):
    for one in evaluation.outcomes:
        for cell in one.cells:
            for figure in (cell.eer, cell.rank1, *cell.tar.values()):
                if figure is not None and figure.low is not None:
                    assert 0 <= figure.low <= figure.value + 1e-9
                    assert figure.value <= figure.high + 1e-9 <= 1 + 1e-8


def test_few_people_refuse_low_false_match_rates_in_words(evaluation):
    cell = outcome(evaluation, "random").headline
    assert cell.tar["0.001"] is None
    assert f"{cell.n_pairs} pairs of people support no FMR below" in cell.refused["0.001"]


def test_models_worse_than_a_baseline_are_marked(evaluation):
    for row in (ROW, f"{ROW}.locked"):
        best = min(outcome(evaluation, name, row).headline.eer.value for name in ("correlation", "LDA"))
        worse = outcome(evaluation, "worse", row).headline
        assert worse.eer.value > best
        assert worse.below_baseline
        assert not any(c.below_baseline for c in outcome(evaluation, "LDA", row).cells)


def test_differences_are_paired_and_signed(evaluation):
    found = {(d.model, d.other): d.eer for d in evaluation.differences if d.row == ROW}
    value = outcome(evaluation, "worse").headline.eer.value - outcome(evaluation, "random").headline.eer.value
    assert found["worse", "random"].value == pytest.approx(value)
    assert {"random", "worse"} == {model for model, other in found if other in ("correlation", "LDA")}


def test_a_candidate_differs_from_its_copy_by_nothing(people, protocol, candidate):
    found = evaluate([candidate("a"), candidate("b")], protocol, [people], rows=[ROW], replicates=100)
    (difference,) = found.differences
    assert (difference.eer.value, difference.eer.low, difference.eer.high) == (0, 0, 0)


def test_development_rows_say_that_the_decision_was_fitted_there(evaluation):
    here, locked = (outcome(evaluation, "random", row) for row in (ROW, f"{ROW}.locked"))
    assert (here.verification.fitted_here, locked.verification.fitted_here) == (True, False)
    assert (here.identification.fitted_here, locked.identification.fitted_here) == (True, False)
    assert locked.identification.temperature == here.identification.temperature
    assert here.verification.fmr.value <= 0.01
    assert outcome(evaluation, "LDA").verification is None


def test_calibration_figures_are_consistent(evaluation):
    for one in evaluation.outcomes:
        if one.verification is not None:
            assert one.verification.min_cllr <= one.verification.cllr.value + 1e-9
        assert 0 <= one.identification.ece <= 1
        assert 0 <= one.identification.brier <= 2


def test_everything_from_synthetic_people_says_so(evaluation):
    assert evaluation.notice == SYNTHETIC_NOTICE
    assert SYNTHETIC_NOTICE in as_text(evaluation)
    assert SYNTHETIC_NOTICE in as_markdown(evaluation)
    assert evaluation.models[0].synthetic


def test_results_are_plain_json_without_nan(evaluation):
    document = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert document["version"] == 1
    assert document["outcomes"][0]["curves"]["det"]["fmr"][0] <= 1


def test_curves_go_where_they_must(evaluation):
    for one in evaluation.outcomes:
        c = one.curves
        assert np.all(np.diff(c.det["fmr"]) <= 1e-12)
        assert np.all(np.diff(c.det["fnmr"]) >= -1e-12)
        assert np.all(np.diff(c.cmc) >= -1e-12)
        assert c.cmc[0] == pytest.approx(one.headline.rank1.value) or one.score != one.headline.score
        width = c.scores.edges[1] - c.scores.edges[0]
        assert sum(c.scores.genuine) * width == pytest.approx(1)
        assert sum(c.scores.impostor) * width == pytest.approx(1)
        assert dict(c.enrolment)[6] == pytest.approx(one.headline.eer.value, abs=1e-4)
        assert c.rejection[0][0] == 0
        assert c.per_person == sorted(c.per_person)


def test_tables_hold_a_line_for_every_cell(evaluation):
    lines = as_markdown(evaluation).splitlines()
    assert sum(line.startswith("| random |") for line in lines) == sum(
        len(one.cells) for one in evaluation.outcomes if one.model == "random"
    )
    assert any("below baseline" in line for line in lines if line.startswith("| worse |"))
    assert "selection: choices were made on these people" in as_text(evaluation)


def test_per_cent_with_and_without_an_interval():
    from ecgkd.evaluation.bootstrap import Measured

    assert percent(Measured(0.0731, 0.05, 0.1)) == "7.3 [5.0, 10.0]"
    assert percent(Measured(0.5)) == "50.0"
    assert percent(Measured(-0.021, -0.04, 0.001), sign=True) == "-2.1 [-4.0, +0.1]"
    assert percent(None) == "–"


def test_plots_are_svg_and_the_same_every_time(evaluation):
    one = replace(evaluation, outcomes=tuple(o for o in evaluation.outcomes if o.row == ROW))
    drawn = all_plots(one)
    assert {name.split(".", 2)[2] for name in drawn} == {
        "det.svg", "cmc.svg", "reliability.svg", "rejection.svg", "enrolment.svg", "per_person.svg",
        "scores.0.svg", "scores.1.svg",
    }  # fmt: skip
    assert all(text.startswith("<?xml") and "</svg>" in text for text in drawn.values())
    assert drawn == all_plots(one)


def test_drawing_leaves_matplotlib_as_it_was(evaluation):
    import matplotlib

    before = dict(matplotlib.rcParams)
    all_plots(replace(evaluation, outcomes=evaluation.outcomes[:1]))
    assert dict(matplotlib.rcParams) == before


def test_the_folder_is_written_whole(evaluation, tmp_path):
    write_evaluation(tmp_path / "out", replace(evaluation, outcomes=evaluation.outcomes[:4]))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results.json", "table.md", "headline.md", "plots"}
    assert json.loads((tmp_path / "out" / "results.json").read_text())["protocol"] == evaluation.protocol
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_unknown_row_and_two_models_of_one_name_are_refused(people, protocol, candidate):
    with pytest.raises(UsageError, match="no row 'nothing'"):
        evaluate([candidate()], protocol, [people], rows=["nothing"])
    with pytest.raises(UsageError, match="called alike"):
        evaluate([candidate(), candidate()], protocol, [people], rows=[ROW])


def test_leaky_rows_are_labelled(people, protocol, candidate):
    name = next(row.name for row in protocol.rows if row.leaky)
    found = evaluate([candidate()], protocol, [people], rows=[name], replicates=100)
    assert "leaky" in found.outcomes[0].evidence
    assert found.outcomes[0].leaky


def test_windows_of_several_rows_are_embedded_once(people, protocol, network):
    seen: list[int] = []

    def counting(windows: np.ndarray) -> np.ndarray:
        seen.append(len(windows))
        return network(windows)

    rows = [row for row in protocol.rows if row.population == "development"]
    pool = make_pool(rows, [people])
    found = see(pool, [people], {"": counting})
    spans = {(span.record, span.start, span.stop) for row in rows for span in (*row.enrol, *row.probe)}
    assert sum(seen) == len(pool.windows) <= 3 * len({record for record, _, _ in spans})
    one = row_windows(rows[0], [people])
    np.testing.assert_allclose(
        found.embeddings[""][pool.rows[0].probe.place], network(network_windows(one.probe, [people])), atol=1e-6
    )


def test_several_sessions_are_enrolled_in_turn(people, protocol):
    row = next(row for row in protocol.rows if row.name == ROW)
    both = replace(row, enrol=(*row.enrol, *row.probe))
    windows = make_pool([both], [people]).rows[0].enrol.windows
    session = windows.sessions([people])
    first = windows.subject == windows.subject[0]
    assert session[first][:6].tolist() == [1, 2, 1, 2, 1, 2]
    assert len(windows) == sum(math.floor((s.stop - s.start) / 1000) for s in both.enrol)


def gated_view(people, protocol, network, unusable_enrol, unusable_probe) -> View:
    """Returns a row of which some windows are refused by the gate."""
    pool = make_pool([protocol.row(ROW)], [people])
    found = view(pool.rows[0], see(pool, [people], {"": network}), "", None)
    enrol, probe = np.ones(len(found.enrol), bool), np.ones(len(found.probe), bool)
    enrol[unusable_enrol(found.row.enrol.windows)] = False
    probe[unusable_probe(found.row.probe.windows)] = False
    quality = np.where(probe, 1, UNUSABLE).astype(np.float32)
    return replace(found, enrol_usable=enrol, probe_usable=probe, probe_quality=quality)


def test_who_cannot_be_enrolled_is_rejected_and_never_matched(people, protocol, network):
    found = gated_view(people, protocol, network, lambda w: w.subject == 0, lambda w: np.zeros(len(w), bool))
    gated, plain = found.comparisons(6, 1, False, gated=True), found.comparisons(6, 1, False)
    of_nobody = gated.template_subject == 0
    assert gated.scores[:, of_nobody].max() < gated.scores[:, ~of_nobody].min()
    np.testing.assert_array_equal(gated.scores[:, ~of_nobody], plain.scores[:, ~of_nobody])


def test_a_probe_without_a_usable_window_is_rejected(people, protocol, network):
    found = gated_view(
        people, protocol, network, lambda w: np.zeros(len(w), bool), lambda w: w.recording == w.recording[0]
    )
    gated = found.comparisons(6, 3, False, gated=True)
    assert gated.scores[0].max() < gated.scores[1:].min()


def test_the_gate_enrols_later_windows_in_place_of_refused_ones(people, protocol, network):
    def first_two(windows):
        return [int(i) for s in np.unique(windows.subject) for i in np.flatnonzero(windows.subject == s)[:2]]

    found = gated_view(people, protocol, network, first_two, lambda w: np.zeros(len(w), bool))
    templates, _ = found.groups(3, 1, gated=True)
    assert templates.windows[0].tolist() == np.flatnonzero(found.row.enrol.windows.subject == 0)[2:5].tolist()


def test_baselines_without_training_people_are_correlation_alone(people, protocol):
    (one,) = baselines(replace(protocol, train=()), [people])
    assert one.name == "correlation"
    assert one.score == "cosine"


def test_baselines_stand_only_on_rows_of_the_set_that_they_were_fitted_to(people, protocol, network):
    row = protocol.row(ROW)
    elsewhere = replace(row, enrol=tuple(replace(span, set="others") for span in row.enrol))
    for one in baselines(protocol, [people]):
        assert one.fits(row)
        assert not one.fits(elsewhere)
    here, there = Candidate("mine", network, sets=("people",)), Candidate("mine", network, sets=("others",))
    found = evaluate([here, there], protocol, [people], rows=[ROW], replicates=100)
    assert [(one.model, one.row) for one in found.outcomes] == [("mine", ROW)]


def test_a_candidate_without_contract_has_no_verification(people, protocol, network):
    found = evaluate([Candidate("bare", network)], protocol, [people], rows=[ROW], replicates=100)
    assert found.outcomes[0].verification is None
    assert found.outcomes[0].score == "cosine"


def test_a_candidate_of_three_leads_sees_three(tmp_path, network):
    rng = np.random.default_rng(0)
    leads = ("I", "II", "III")
    records = [
        Record(rng.normal(0, 300, (3, 900)).astype(np.float32), 100, leads, f"p{n}-{day}", f"p{n}", day, day, "rest")
        for n in range(4)
        for day in (1, 2)
    ]
    write_set(tmp_path / "three.npz", records, {"name": "three"})
    one = open_set(tmp_path / "three.npz")
    spans = [tuple(Span("three", f"p{n}-{day}", 0, 900) for n in range(4)) for day in (1, 2)]
    pool = make_pool([Row("days", "test", "cross-session", *spans)], [one])
    seen: dict[str, tuple[int, ...]] = {}

    def looking(name: str):
        def embed(windows: np.ndarray) -> np.ndarray:
            seen[name] = windows.shape
            return network(windows if windows.ndim == 2 else windows[:, 2])

        return embed

    names = ("first", "all")
    found = see(pool, [one], {name: looking(name) for name in names}, leads={"first": (), "all": leads})
    assert seen == {"first": (16, 1000), "all": (16, 3, 1000)}
    third = network(network_windows(pool.windows, [one.taking(("III",))]))
    np.testing.assert_allclose(found.embeddings["all"], third, atol=1e-6)
    with pytest.raises(UsageError, match="no lead 'V1'"):
        see(pool, [one], {"x": looking("x")}, leads={"x": ("V1",)})
