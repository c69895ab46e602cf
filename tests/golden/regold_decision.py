"""Makes the decision's golden vectors: `python tests/golden/regold_decision.py`.

Four files, each a list of cases with integers in and integers out, which C must repeat: `decision_arithmetic.json`
(division, root, normalisation, cosine), `decision_cohort.json` (statistics of the closest centroids),
`decision_template.json` (which windows make a template) and `decision_verdict.json` (whole decisions).
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ecgkd.enrolment.cohort import Cohort, cohort_statistics
from ecgkd.enrolment.decision import VERSION, Constants, Rule, decide, make_template, scores
from ecgkd.enrolment.integer import divide, isqrt, to_fixed
from ecgkd.enrolment.template import COSINE_Q, EnrolmentPolicy, cosines, fuse, normalise, select

HERE = Path(__file__).parent
Vectors = np.ndarray


def of_person(person: int, windows: int, size: int, spread: float = 0.35, seed: int = 0) -> Vectors:
    """Returns int16 Q15 embeddings (windows, size) around a direction that only `person` has."""
    centre = np.random.default_rng([11, person]).normal(size=size)
    x = centre + spread * np.random.default_rng([12, person, seed]).normal(size=(windows, size)) * np.sqrt(3)
    return np.rint(32767 * x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.int16)


def cohort(n: int, top: int, size: int, seed: int = 0) -> Cohort:
    """Returns centroids of made-up people; `Constants.to_dict` and these files hold its int8 values and `top`."""
    x = np.random.default_rng([13, seed]).normal(size=(n, size))
    values = np.rint(60 * x / np.abs(x).max()).astype(np.int8)
    wide = values.astype(np.int64)
    return Cohort(values, isqrt((wide * wide).sum(axis=1) << 16), min(top, n), "golden")


def arithmetic() -> list[dict[str, Any]]:
    quotients = [(7, 2), (-7, 2), (5, 2), (-5, 2), (1, 3), (-1, 3), (0, 5), (-3, 6), (99, 1), (2**46, 3)]
    quotients += [(-(2**55), 65_536), (2**55 + 32_768, 65_536), (-(2**55) - 32_768, 65_536)]
    roots = [0, 1, 2, 3, 4, 15, 16, 17, 2**32 - 1, 2**46, (2**30 + 1) ** 2, (2**30 + 1) ** 2 - 1, 2**62 - 1]
    vectors = [
        of_person(1, 1, 8)[0].tolist(),
        [0] * 8,
        [32767, 0, 0, 0, 0, 0, 0, 0],
        [32767] * 8,
        [-32768, 32767] * 4,
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, -1, 1, 0, 0, 0, 0, 0],
        [8_000_000, -1_000_000, 0, 0, 0, 0, 500, 3],
    ]
    unit = normalise(np.array(vectors, np.int64))
    pairs = [(0, 0), (0, 3), (0, 1), (2, 2), (3, 4), (4, 7)]
    return [
        *({"name": "divide", "a": a, "b": b, "out": int(divide(np.array([a]), b)[0])} for a, b in quotients),
        *({"name": "isqrt", "x": x, "out": int(isqrt(np.array([x]))[0])} for x in roots),
        *({"name": "normalise", "in": x, "out": u.tolist()} for x, u in zip(vectors, unit, strict=True)),
        *(
            {"name": "cosine_q20", "a": unit[i].tolist(), "b": unit[j].tolist(), "out": int(cosines(unit, unit)[i, j])}
            for i, j in pairs
        ),
    ]


def statistics() -> list[dict[str, Any]]:
    twins = cohort(6, 3, 16)
    same = replace(twins, centroids=np.tile(twins.centroids[:1], (6, 1)), norms=np.tile(twins.norms[:1], 6))
    cases = {
        "closest_4_of_10": cohort(10, 4, 16),
        "fewer_than_top": cohort(3, 40, 16),
        "one_centroid": cohort(1, 40, 16),
        "equal_centroids": same,
        "closest_40_of_60": cohort(60, 40, 192),
    }
    made = []
    for name, group in cases.items():
        size = group.centroids.shape[1]
        vectors = normalise(np.concatenate([of_person(2, 2, size), np.zeros((1, size), np.int16), group.centroids[:1]]))
        mean, sigma = cohort_statistics(group, vectors)
        made.append(
            {
                "name": name,
                "centroids": group.centroids.tolist(),
                "top": group.top,
                "norms_q8": group.norms.tolist(),
                "vectors": vectors.tolist(),
                "mean_q20": mean.tolist(),
                "sigma_q24": sigma.tolist(),
            }
        )
    return made


def templates() -> list[dict[str, Any]]:
    size, one = 24, of_person(3, 8, 24)
    stranger, zero = of_person(4, 3, size), np.zeros((1, size), np.int16)
    cases = {
        "all_kept": one,
        "one_outlier": np.concatenate([one[:5], stranger[:1], one[5:]]),
        "two_outliers": np.concatenate([stranger[:2], one]),
        "two_placements": np.concatenate([one, of_person(3, 7, size, 0.5, seed=1)]),
        "least_windows": one[:3],
        "two_windows": one[:2],
        "none": one[:0],
        "outlier_leaves_too_few": np.concatenate([one[:2], stranger[:1]]),
        "zero_window": np.concatenate([one[:4], zero]),
        "all_zero": np.zeros((4, size), np.int16),
        "strangers": np.concatenate([of_person(person, 1, size) for person in range(20, 26)]),
        "inconsistent": of_person(3, 8, 64, 1.15),
        "saturated": np.where(one > 0, 32767, -32768).astype(np.int16),
        "opposed": np.concatenate([one[:4], -one[:4]]),
        "most_windows": of_person(5, 255, 6, 0.6),
    }
    policy = EnrolmentPolicy()
    made = []
    for name, embeddings in cases.items():
        found = select(embeddings, policy)
        made.append(
            {
                "name": name,
                "floor_q20": to_fixed(policy.floor, COSINE_Q, "floor"),
                "min_consistency_q20": to_fixed(policy.min_consistency, COSINE_Q, "consistency"),
                "min_windows": policy.min_windows,
                "embeddings": embeddings.tolist(),
                "kept": found.kept.astype(int).tolist(),
                "cosines_q20": found.cosines.tolist(),
                "consistency_q20": found.consistency,
                "template": found.template.tolist(),
                "refusal": found.refusal.name.lower() if found.refusal else "",
            }
        )
    return made


def base(size: int = 16, **changes: Any) -> Constants:
    """Returns constants of an AS-norm decision: threshold 3.5, llr = 1.2·S − 4.4, rho ½, alpha 1e-3, beta 1 %."""
    constants = Constants(
        kind="as_norm",
        threshold=229_376,
        max_windows=6,
        calibrated=True,
        slope=78_643,
        offset=-288_358,
        rho=32_768,
        accept=452_052,
        reject=-301_740,
        cohort=cohort(12, 5, size),
    )
    return replace(constants, **changes)


def cosine(**changes: Any) -> Constants:
    """Returns constants of a cosine decision: threshold 0.6, llr = 24·s − 13."""
    plain = {"kind": "cosine", "cohort": None, "threshold": 39_322, "slope": 24 << 16, "offset": -(13 << 16)}
    return base(**{**plain, **changes})


def verdict_cases() -> list[tuple[str, Constants, Vectors, Vectors]]:
    """Returns name, constants, embeddings that were enrolled, embeddings of the probe."""
    size = 16
    owner, again, stranger = of_person(3, 6, size), of_person(3, 6, size, seed=1), of_person(4, 6, size)
    vague = of_person(3, 9, size, 0.8, seed=2)
    zero = np.zeros((1, size), np.int16)
    unsure = {"accept": 3_000_000, "reject": -3_000_000}
    cases = [
        ("owner", base(), owner, again),
        ("stranger", base(), owner, stranger),
        ("owner_slow_threshold", base(**unsure), owner, again),
        ("stranger_slow_threshold", base(**unsure), owner, stranger),
        ("more_windows_than_looked_at", base(**unsure), owner, vague),
        ("vague", base(), owner, vague),
        ("single_window", base(**unsure), owner, again[:1]),
        ("no_window", base(), owner, again[:0]),
        ("zero_embeddings", base(), owner, np.repeat(zero, 3, axis=0)),
        ("zero_between", base(**unsure), owner, np.concatenate([zero, again[:2], zero, again[2:]])),
        ("zero_template", base(**unsure), zero, again),
        ("saturated", base(), owner, np.where(again > 0, 32767, -32768).astype(np.int16)),
        ("opposed_windows", base(**unsure), owner, np.concatenate([again[:1], -again[:1]])),
        ("cohort_smaller_than_top", base(cohort=cohort(3, 40, size)), owner, again),
        ("cohort_of_one", base(cohort=cohort(1, 40, size)), owner, again),
        ("no_calibration", base(calibrated=False, slope=0, offset=0, rho=0, accept=0, reject=0), owner, again),
        ("independent_windows", base(rho=0), owner, vague),
        ("fully_correlated_windows", base(rho=65_536), owner, vague),
        ("clamped_llr", base(slope=2**31 - 2, **unsure), owner, stranger),
        ("cosine_owner", cosine(), owner, again),
        ("cosine_stranger", cosine(), owner, stranger),
        ("cosine_slow", cosine(**unsure), owner, vague),
        ("int8_embeddings", base(), owner, (again >> 8) << 8),
    ]
    last = base(**unsure)
    template = make_template(fuse(normalise(owner)), last.cohort)
    exact = int(scores(last, [template], fuse(normalise(again))[None])[0, 0])
    cases += [
        ("score_equals_threshold", replace(last, threshold=exact), owner, again),
        ("score_one_below_threshold", replace(last, threshold=exact + 1), owner, again),
    ]
    big = base(192, cohort=cohort(60, 40, 192, seed=1))
    cases.append(("full_size", big, of_person(6, 7, 192, 0.5), of_person(6, 3, 192, 0.6, seed=1)))
    return cases


def verdicts() -> list[dict[str, Any]]:
    made = []
    for name, constants, enrolled, probe in verdict_cases():
        template = make_template(fuse(normalise(enrolled)), constants.cohort)
        decision = decide(constants, template, probe)
        made.append(
            {
                "name": name,
                "constants": constants.to_dict(),
                "template": template.vector.tolist(),
                "template_mean_q20": template.mean,
                "template_sigma_q24": template.sigma,
                "embeddings": probe.tolist(),
                "outcome": decision.outcome.value,
                "rule": decision.rule.value,
                "score_q16": decision.score,
                "llr_q16": decision.llr,
                "windows": decision.windows,
                "last": decision.last,
            }
        )
    assert {case["rule"] for case in made} == {rule.value for rule in Rule}, "a rule has no golden case"
    return made


def write(what: str, cases: list[dict[str, Any]]) -> None:
    document = {"made_by": "python tests/golden/regold_decision.py", "decision_version": VERSION, "cases": cases}
    text = json.dumps(document, separators=(",", ":")).replace('{"name"', '\n{"name"')
    (HERE / f"decision_{what}.json").write_text(text + "\n")


if __name__ == "__main__":
    write("arithmetic", arithmetic())
    write("cohort", statistics())
    write("template", templates())
    write("verdict", verdicts())
