import json

import numpy as np
import pytest

from ecgkd.config import LossConfig, load_recipe
from ecgkd.errors import UsageError
from ecgkd.evaluation.scores import Comparisons
from ecgkd.protocols.trials import Groups
from ecgkd.training.ablation import ablate, ablation_rows, compare_rows, markdown
from ecgkd.training.objective import DISTIL
from ecgkd.training.validate import Comparison

from .conftest import small


def test_the_rows_are_each_term_alone_all_of_them_and_all_without_features():
    rows = ablation_rows(load_recipe("thkd_ci").loss)

    on = {name: [term for term in DISTIL if getattr(loss, term)] for name, loss in rows.items()}
    assert on == {
        "task only": [],
        "+ logits": ["kd"],
        "+ features": ["features"],
        "+ relations": ["relations", "relations_embedding"],
        "+ embedding": ["embedding"],
        "all": ["kd", "embedding", "features", "relations", "relations_embedding"],
        "all - features": ["kd", "embedding", "relations", "relations_embedding"],
    }


def test_logits_have_their_row_where_the_recipe_leaves_them_out():
    rows = ablation_rows(load_recipe("thkd_cpu").loss)

    assert rows["+ logits"].kd == 9.0
    assert rows["all"].kd == 0


def test_a_recipe_without_a_task_is_compared_with_cross_entropy_and_stands_without_it():
    loss = load_recipe("thkd_cpu").loss
    rows = ablation_rows(loss)

    assert loss.ce == loss.triplet == 0
    assert [name for name, one in rows.items() if one.ce == 0] == ["all - task"]
    assert rows["all - task"] == loss


def test_a_recipe_that_distils_nothing_is_refused():
    with pytest.raises(UsageError, match="no term of distillation"):
        ablation_rows(LossConfig())


def scores_of(strength: float, seed: int, n: int = 40) -> list[Comparisons]:
    cosine = np.random.default_rng(seed).normal(size=(n, n)).astype(np.float32) + strength * np.eye(n, dtype=np.float32)
    return [Comparisons(cosine, np.arange(n), np.arange(n))]


def comparison(n: int = 40) -> Comparison:
    empty, groups = np.zeros((0, 1000), np.int8), Groups(np.arange(n)[:, None], np.arange(n))
    return Comparison("row", "cross-session", tuple(f"p{i}" for i in range(n)), empty, empty, groups, groups)


def test_intervals_hold_the_rate_and_show_a_gain_that_is_there():
    scores = {
        "task only": [scores_of(2.0, seed) for seed in range(3)],
        "all": [scores_of(4.0, seed) for seed in range(3)],
        "same": [scores_of(2.0, seed) for seed in range(3)],
    }

    base, better, same = compare_rows(scores, [comparison()])

    assert base.low <= base.eer <= base.high
    assert base.gain == base.gain_low == base.gain_high == 0
    assert better.gain_low > 0
    assert (same.gain, same.gain_low, same.gain_high) == (0, 0, 0)


def test_an_ablation_writes_its_table_and_keeps_what_is_finished(people, teacher, tmp_path):
    recipe = small("thkd_ci", "optim.epochs=1", "loss.kd=0", "loss.features=0")
    told: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, what: str) -> None:
        told.append((done, total, what))
        if what == "all, seed 0":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ablate(recipe, people.protocol, people.sets, tmp_path, teacher, 1, progress)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/*/weights.safetensors")}

    table = ablate(recipe, people.protocol, people.sets, tmp_path, teacher, 1)

    assert [one.row for one in table] == ["task only", "+ logits", "+ relations", "+ embedding", "all"]
    assert len(kept) == 4
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert json.loads((tmp_path / "ablation.json").read_text())["rows"][0]["row"] == "task only"
    assert (tmp_path / "ablation.csv").read_text().startswith("row,seeds,eer,low,high,")
    assert (tmp_path / "ablation.md").read_text() == markdown(table)
    assert all(0 <= done <= total for done, total, _ in told)
