"""The integer decision against its golden vectors and a second implementation, one number at a time."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ecgkd.enrolment.cohort import Cohort, cohort_statistics
from ecgkd.enrolment.decision import (
    VERSION,
    Constants,
    Outcome,
    Rule,
    Template,
    decide,
    make_template,
    quantise_embedding,
)
from ecgkd.enrolment.integer import divide, isqrt
from ecgkd.enrolment.template import EnrolmentPolicy, cosines, fuse, normalise, select

GOLDEN = Path(__file__).parents[2] / "golden"


def golden(what: str) -> list[dict]:
    document = json.loads((GOLDEN / f"decision_{what}.json").read_text())
    assert document["decision_version"] == VERSION
    return document["cases"]


def name(case: dict) -> str:
    return case["name"]


# The definition once more, written from docs/decision.md for one number at a time; `i32` and `i64` hold the ranges.


def i32(x: int) -> int:
    assert -(2**31) <= x < 2**31, f"{x} leaves 32 bits"
    return x


def i64(x: int) -> int:
    assert -(2**63) <= x < 2**63, f"{x} leaves 64 bits"
    return x


def ref_div(a: int, b: int) -> int:
    size = (i64(abs(a)) + (b >> 1)) // b
    return -size if a < 0 else size


def ref_norm(v: list[int]) -> int:
    squares = 0
    for x in v:
        squares = i64(squares + i32(x) * x)
    return i32(math.isqrt(i64(squares << 16)))


def ref_unit(v: list[int]) -> list[int]:
    norm = ref_norm(v)
    return [max(-32767, min(32767, ref_div(i64(x << 23), norm))) if norm else 0 for x in v]


def ref_dot(a: list[int], b: list[int]) -> int:
    total = 0
    for x, y in zip(a, b, strict=True):
        total = i32(total + x * y)
    return total


def ref_cos(u: list[int], t: list[int]) -> int:
    return i32(ref_div(ref_dot(u, t), 2**10))


def ref_fuse(vectors: list[list[int]]) -> list[int]:
    return ref_unit([i32(sum(column)) for column in zip(*vectors, strict=True)])


def ref_statistics(u: list[int], centroids: list[list[int]], top: int) -> tuple[int, int]:
    near = [i32(ref_div(i64(ref_dot(u, c) << 13), ref_norm(c))) for c in centroids]
    near = sorted(near)[-min(top, len(near)) :]
    mean = ref_div(i32(sum(near)), len(near))
    variance = i64(sum((c - mean) ** 2 for c in near) << 8) // len(near)
    return mean, max(math.isqrt(variance), 2**17)


def ref_score(plain: dict, u: list[int], template: tuple[list[int], int, int]) -> int:
    vector, mean, sigma = template
    cos = ref_cos(u, vector)
    if plain["kind"] == "cosine":
        return i32(ref_div(cos, 16))
    mean_u, sigma_u = ref_statistics(u, plain["centroids"], plain["top"])
    z = i32(ref_div(i64((cos - mean) << 20), sigma))
    t = i32(ref_div(i64((cos - mean_u) << 20), sigma_u))
    return i32(ref_div(i32(z + t), 2))


def ref_decide(plain: dict, template: tuple[list[int], int, int], embeddings: list[list[int]]) -> tuple:
    taken: list[list[int]] = []
    total = llr = 0
    last = -1
    rule = "threshold"
    for index, embedding in enumerate(embeddings[: plain["max_windows"]]):
        u = ref_unit(embedding)
        if not any(u):
            continue
        taken.append(u)
        last = index
        if not plain["calibrated"]:
            continue
        single = ref_div(i64(ref_score(plain, u, template) * plain["slope"]), 2**16) + plain["offset"]
        total = i32(total + max(-(2**22), min(2**22, single)))
        llr = i32(ref_div(i64(total << 16), i32(2**16 + (len(taken) - 1) * plain["rho"])))
        if llr >= plain["accept"] or llr <= plain["reject"]:
            rule = "early_accept" if llr >= plain["accept"] else "early_reject"
            break
    if not taken:
        return ("no_decision", "no_window", 0, 0, 0, -1)
    score = ref_score(plain, ref_fuse(taken), template)
    accepted = score >= plain["threshold"] if rule == "threshold" else rule == "early_accept"
    return ("accepted" if accepted else "refused", rule, score, llr, len(taken), last)


def ref_select(case: dict) -> tuple[list[int], list[int], int, list[int], str]:
    """Returns kept, cosines, consistency, template and refusal of a golden enrolment."""
    vectors = [ref_unit(e) for e in case["embeddings"]]
    kept = [int(any(u)) for u in vectors]
    near = [0] * len(vectors)
    if sum(kept) >= 3:
        total = [i32(sum(column)) for column in zip(*vectors, strict=True)]
        for k, u in enumerate(vectors):
            near[k] = ref_cos(u, ref_unit([t - x for t, x in zip(total, u, strict=True)])) if kept[k] else 0
        ranked = sorted(c for c, keep in zip(near, kept, strict=True) if keep)
        middle = (len(ranked) - 1) >> 1
        spread = sorted(abs(c - ranked[middle]) for c in ranked)[middle]
        least = max(ranked[middle] - max(4 * spread, 2**17), case["floor_q20"])
        kept = [int(keep and c >= least) for c, keep in zip(near, kept, strict=True)]
    taken = [u for u, keep in zip(vectors, kept, strict=True) if keep]
    n, consistency, template = len(taken), 0, [0] * len(case["template"])
    if taken:
        template = ref_fuse(taken)
    if n > 1:
        together = i64(sum(sum(column) ** 2 for column in zip(*taken, strict=True)))
        consistency = ref_div(i64(together - sum(x * x for u in taken for x in u)), i32(n * (n - 1) * 2**10))
    refusal = "inconsistent" if consistency < case["min_consistency_q20"] else ""
    return kept, near, consistency, template, "too_few" if n < case["min_windows"] else refusal


def as_tuple(decision) -> tuple:
    return (decision.outcome, decision.rule, decision.score, decision.llr, decision.windows, decision.last)


def constants_from(plain: dict) -> Constants:
    values = {key: value for key, value in plain.items() if key not in ("top", "centroids")}
    return Constants(**values, cohort=cohort_from(plain) if "centroids" in plain else None)


def cohort_from(case: dict) -> Cohort:
    rows = np.array(case["centroids"], np.int64)
    return Cohort(rows.astype(np.int8), isqrt((rows * rows).sum(axis=1) << 16), case["top"], "golden")


# Golden vectors.


@pytest.mark.parametrize("case", golden("arithmetic"), ids=name)
def test_golden_arithmetic_has_the_same_bits(case):
    match case["name"]:
        case "divide":
            assert divide(np.array([case["a"]]), case["b"])[0] == ref_div(case["a"], case["b"]) == case["out"]
        case "isqrt":
            assert isqrt(np.array([case["x"]]))[0] == math.isqrt(case["x"]) == case["out"]
        case "normalise":
            assert normalise(np.array([case["in"]]))[0].tolist() == ref_unit(case["in"]) == case["out"]
        case "cosine_q20":
            a, b = np.array([case["a"]], np.int16), np.array([case["b"]], np.int16)
            assert cosines(a, b)[0, 0] == ref_cos(case["a"], case["b"]) == case["out"]


@pytest.mark.parametrize("case", golden("cohort"), ids=name)
def test_golden_cohort_statistics_have_the_same_bits(case):
    cohort = cohort_from(case)
    assert cohort.norms.tolist() == case["norms_q8"]
    mean, sigma = cohort_statistics(cohort, np.array(case["vectors"], np.int16))
    assert (mean.tolist(), sigma.tolist()) == (case["mean_q20"], case["sigma_q24"])
    want = list(zip(case["mean_q20"], case["sigma_q24"], strict=True))
    assert [ref_statistics(u, case["centroids"], case["top"]) for u in case["vectors"]] == want


@pytest.mark.parametrize("case", golden("template"), ids=name)
def test_golden_enrolment_has_the_same_bits(case):
    policy = EnrolmentPolicy(case["min_windows"], case["floor_q20"] / 2**20, case["min_consistency_q20"] / 2**20)
    embeddings = np.array(case["embeddings"], np.int16).reshape(-1, len(case["template"]))
    found = select(embeddings, policy)
    refusal = found.refusal.name.lower() if found.refusal else ""
    got = (found.kept.tolist(), found.cosines.tolist(), found.consistency, found.template.tolist(), refusal)
    want = tuple(case[key] for key in ("kept", "cosines_q20", "consistency_q20", "template", "refusal"))
    assert got == want
    assert ref_select(case) == want


@pytest.mark.parametrize("case", golden("verdict"), ids=name)
def test_golden_verdict_has_the_same_bits(case):
    vector = np.array(case["template"], np.int16)
    template = Template(vector, case["template_mean_q20"], case["template_sigma_q24"])
    embeddings = np.array(case["embeddings"], np.int16).reshape(-1, len(vector))
    want = tuple(case[key] for key in ("outcome", "rule", "score_q16", "llr_q16", "windows", "last"))
    assert as_tuple(decide(constants_from(case["constants"]), template, embeddings)) == want
    plain = (case["template"], template.mean, template.sigma)
    assert ref_decide(case["constants"], plain, embeddings.tolist()) == want


def test_golden_verdicts_show_every_rule_and_outcome():
    assert {case["rule"] for case in golden("verdict")} == {str(rule) for rule in Rule}
    assert {case["outcome"] for case in golden("verdict")} == {str(outcome) for outcome in Outcome}


# Beyond the golden vectors.


@pytest.mark.parametrize("seed", range(4))
def test_random_decisions_equal_the_reference_and_stay_in_range(seed):
    rng = np.random.default_rng([5, seed])
    centroids = rng.integers(-60, 60, (30, 64)).tolist()
    plain = next(case for case in golden("verdict") if case["name"] == "vague")["constants"]
    plain |= {
        "centroids": centroids,
        "top": 12,
        "accept": int(rng.integers(1, 9) << 16),
        "reject": -int(rng.integers(1, 9) << 16),
    }
    constants = constants_from(plain)
    everyone = quantise_embedding(0.05 * rng.normal(size=64) + 0.08 * rng.normal(size=(40, 64)))
    template = make_template(fuse(normalise(everyone[:8])), constants.cohort)
    kept = (template.vector.tolist(), template.mean, template.sigma)
    for first in range(8, 34, 4):
        probe = everyone[first : first + 6]
        assert as_tuple(decide(constants, template, probe)) == ref_decide(plain, kept, probe.tolist())


def test_extreme_vectors_stay_in_range():
    size = 1024
    loud, soft = [32767] * size, [-32767, 1] * (size // 2)
    constants = {"kind": "as_norm", "centroids": [[127] * size, [-127, 127] * (size // 2)], "top": 1024}
    vectors = [ref_unit(v) for v in (loud, soft, [32767] + [0] * (size - 1))]
    total = ref_fuse([vectors[0]] * 255)
    for u in (*vectors, total):
        for t in vectors:
            ref_score(constants, u, (t, *ref_statistics(t, constants["centroids"], 1024)))
    assert fuse(np.tile(np.array(vectors[0], np.int16), (255, 1))).tolist() == total
