"""The C decision and enrolment against golden vectors and against ecgkd.enrolment on made-up people."""

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgkd.enrolment.ageing import age
from ecgkd.enrolment.cohort import Cohort
from ecgkd.enrolment.decision import Constants, Template, decide, make_template
from ecgkd.enrolment.integer import isqrt
from ecgkd.enrolment.template import (
    COSINE_Q,
    EnrolmentPolicy,
    cosines,
    fuse,
    normalise,
    quantise_embedding,
    select,
)

GOLDEN = Path(__file__).parents[2] / "golden"
RESULTS = {"accepted": 6, "refused": 7, "no_decision": 8}
REFUSALS = {"": 0, "too_few": 9, "inconsistent": 10}
AT_BOUND = 12
EARLY = ("early_accept", "early_reject")
ORDER = (
    *("as_norm", "calibrated", "max_windows", "min_windows", "centroids", "top", "threshold", "slope", "offset"),
    *("rho", "accept", "reject", "update", "floor", "min_consistency"),
)


def golden(what: str) -> list[dict]:
    return json.loads((GOLDEN / f"decision_{what}.json").read_text())["cases"]


def name(case: dict) -> str:
    return case["name"]


def address(x: np.ndarray | None) -> ctypes.c_void_p | None:
    return None if x is None else np.ascontiguousarray(x).ctypes.data_as(ctypes.c_void_p)


def numbers(**values: int) -> np.ndarray:
    return np.array([values.get(key, 0) for key in ORDER], np.int32)


def c_verdict(library, constants: Constants, vector: np.ndarray, embeddings: np.ndarray) -> tuple:
    """Returns what C says: result, whether early, score, llr, windows, last."""
    plain = constants.to_dict()
    cohort = constants.cohort
    plain |= {"as_norm": int(constants.kind == "as_norm"), "centroids": 0 if cohort is None else len(cohort.norms)}
    values = numbers(**{key: int(plain.get(key, 0)) for key in ORDER})
    centroids = None if cohort is None else np.ascontiguousarray(cohort.centroids, np.int8)
    norms = None if cohort is None else cohort.norms.astype(np.int32)
    embeddings, vector = np.ascontiguousarray(embeddings, np.int16), np.ascontiguousarray(vector, np.int16)
    out, scratch = np.zeros(6, np.int32), np.zeros(16_384, np.uint8)
    args = (values, len(vector), centroids, norms, vector, embeddings, len(embeddings), out, scratch)
    library.c.flat_verdict(*(address(x) if isinstance(x, np.ndarray) or x is None else x for x in args))
    return tuple(out.tolist())


def as_c(decision) -> tuple:
    early = int(decision.rule in EARLY)
    return (RESULTS[decision.outcome], early, decision.score, decision.llr, decision.windows, decision.last)


def c_select(library, embeddings: np.ndarray, size: int, policy: dict[str, int]) -> tuple:
    """Returns what C makes of an enrolment: kept, cosines, consistency, template, refusal."""
    embeddings = np.ascontiguousarray(embeddings, np.int16)
    n = len(embeddings)
    units, kept = np.zeros((n, size), np.int16), np.zeros(max(n, 1), np.uint8)
    near, vector = np.zeros(max(n, 1), np.int32), np.zeros(size, np.int16)
    out, scratch = np.zeros(3, np.int32), np.zeros(6 * size + 4 * n + 16, np.uint8)
    args = (numbers(**policy), size, embeddings, n, units, kept, near, vector, out, scratch)
    library.c.flat_select(*(address(x) if isinstance(x, np.ndarray) else x for x in args))
    return kept[:n].tolist(), near[:n].tolist(), int(out[2]), vector.tolist(), int(out[0])


def cohort_of(centroids: np.ndarray, top: int) -> Cohort:
    wide = centroids.astype(np.int64)
    return Cohort(centroids.astype(np.int8), isqrt((wide * wide).sum(axis=1) << 16), top, "test")


def constants_from(plain: dict) -> Constants:
    values = {key: value for key, value in plain.items() if key not in ("top", "centroids")}
    cohort = cohort_of(np.array(plain["centroids"]), plain["top"]) if "centroids" in plain else None
    return Constants(**values, cohort=cohort)


# Golden vectors.


@pytest.mark.parametrize("case", golden("arithmetic"), ids=name)
def test_golden_arithmetic_has_the_same_bits(library, case):
    c = library.c
    match case["name"]:
        case "divide":
            c.ecgkd_divide.restype = ctypes.c_int64
            assert c.ecgkd_divide(ctypes.c_int64(case["a"]), ctypes.c_int64(case["b"])) == case["out"]
        case "isqrt":
            assert c.ecgkd_root(ctypes.c_uint64(case["x"])) == case["out"]
        case "normalise":
            x, u = np.array(case["in"], np.int32), np.zeros(len(case["in"]), np.int16)
            c.ecgkd_unit(address(x), len(x), address(u))
            assert u.tolist() == case["out"]
        case "cosine_q20":
            a, b = np.array(case["a"], np.int16), np.array(case["b"], np.int16)
            assert c.ecgkd_cosine(address(a), address(b), len(a)) == case["out"]


@pytest.mark.parametrize("case", golden("cohort"), ids=name)
def test_golden_cohort_statistics_have_the_same_bits(library, case):
    centroids, norms = np.array(case["centroids"], np.int8), np.array(case["norms_q8"], np.int32)
    count, size = centroids.shape
    for vector, mean, sigma in zip(case["vectors"], case["mean_q20"], case["sigma_q24"], strict=True):
        u, out, near = np.array(vector, np.int16), np.zeros(2, np.int32), np.zeros(count, np.int32)
        library.c.flat_cohort(
            size, count, case["top"], address(centroids), address(norms), address(u), address(out), address(near)
        )
        assert out.tolist() == [mean, sigma]


@pytest.mark.parametrize("case", golden("template"), ids=name)
def test_golden_enrolment_has_the_same_bits(library, case):
    size = len(case["template"])
    policy = {
        "floor": case["floor_q20"],
        "min_consistency": case["min_consistency_q20"],
        "min_windows": case["min_windows"],
    }
    embeddings = np.array(case["embeddings"], np.int16).reshape(-1, size)
    want = (case["kept"], case["cosines_q20"], case["consistency_q20"], case["template"], REFUSALS[case["refusal"]])
    assert c_select(library, embeddings, size, policy) == want


@pytest.mark.parametrize("case", golden("verdict"), ids=name)
def test_golden_verdict_has_the_same_bits(library, case):
    vector = np.array(case["template"], np.int16)
    embeddings = np.array(case["embeddings"], np.int16).reshape(-1, len(vector))
    want = (
        *(RESULTS[case["outcome"]], int(case["rule"] in EARLY)),
        *(case[key] for key in ("score_q16", "llr_q16", "windows", "last")),
    )
    assert c_verdict(library, constants_from(case["constants"]), vector, embeddings) == want


# Beyond the golden vectors.


@settings(max_examples=100, deadline=None)
@given(data=st.data(), size=st.integers(1, 300), largest=st.sampled_from([1, 3, 20, 128]))
def test_embeddings_of_any_length_become_the_same_vectors(library, data, size, largest):
    seed = data.draw(st.integers(0, 2**32 - 1))
    e = np.random.default_rng(seed).integers(-largest, largest, size).astype(np.int8)
    out = np.zeros(size, np.int32)
    library.c.ecgkd_embedding_q15(address(e), size, address(out))
    assert out.tolist() == quantise_embedding((e / 128.0).astype(np.float32)[None])[0].tolist()


def people(rng: np.random.Generator, size: int, alike: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns int16 embeddings of an owner and of a probe that is `alike` them, both (8, size)."""
    owner = rng.normal(size=size)
    probe = alike * owner + (1 - alike) * rng.normal(size=size)
    spread = rng.uniform(0.1, 1.2)
    return tuple(quantise_embedding(one + spread * rng.normal(size=(8, size))) for one in (owner, probe))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1, 5, 64, 192, 1024]),
    centroids=st.integers(0, 40),
    top=st.integers(1, 40),
    calibrated=st.booleans(),
    max_windows=st.integers(1, 9),
)
def test_made_up_people_get_the_same_verdicts(library, seed, size, centroids, top, calibrated, max_windows):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-127, 128, (centroids, size))
    rows[:, 0] = np.where(rows.any(axis=1), rows[:, 0], 1)
    cohort = cohort_of(rows, min(top, centroids)) if centroids else None
    constants = Constants(
        kind="as_norm" if centroids else "cosine",
        threshold=int(rng.integers(-(2**16), 4 * 2**16)),
        max_windows=max_windows,
        calibrated=calibrated,
        slope=int(rng.integers(1, 2**21)) * calibrated,
        offset=int(rng.integers(-(2**19), 2**19)) * calibrated,
        rho=int(rng.integers(0, 2**16 + 1)) * calibrated,
        accept=int(rng.integers(1, 2**20)) * calibrated,
        reject=-int(rng.integers(1, 2**20)) * calibrated,
        cohort=cohort,
    )
    owner, probe = people(rng, size, rng.uniform())
    probe[rng.uniform(size=8) < 0.1] = 0
    vector = fuse(normalise(owner))
    template = make_template(vector, cohort)
    assert isinstance(template, Template)
    assert c_verdict(library, constants, vector, probe) == as_c(decide(constants, template, probe))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 20), size=st.sampled_from([1, 6, 192]))
def test_made_up_people_are_enrolled_with_the_same_bits(library, seed, n, size):
    rng = np.random.default_rng(seed)
    embeddings = np.concatenate([*people(rng, size, rng.uniform()), np.zeros((1, size), np.int16)])
    embeddings = embeddings[rng.integers(0, len(embeddings), n)]
    policy = EnrolmentPolicy(int(rng.integers(2, 6)), rng.integers(0, 2**20) / 2**20, rng.integers(0, 2**20) / 2**20)
    found = select(embeddings, policy)
    plain = {
        "floor": int(policy.floor * 2**COSINE_Q),
        "min_consistency": int(policy.min_consistency * 2**COSINE_Q),
        "min_windows": policy.min_windows,
    }
    refusal = REFUSALS[found.refusal.name.lower() if found.refusal else ""]
    want = (
        found.kept.astype(int).tolist(),
        found.cosines.tolist(),
        found.consistency,
        found.template.tolist(),
        refusal,
    )
    assert c_select(library, embeddings, size, plain) == want


def test_largest_vectors_stay_in_range(library):
    size = 1024
    loud = np.full((255, size), 32767, np.int16)
    kept, _, _, vector, refusal = c_select(library, loud, size, {"min_windows": 3})
    assert (sum(kept), refusal) == (255, 0)
    assert vector == select(loud, EnrolmentPolicy(3, 0, 0)).template.tolist()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([2, 16, 192]))
def test_ageing_takes_the_same_steps_and_stops_at_the_same_bound(library, seed, size):
    rng = np.random.default_rng(seed)
    anchor, towards = (fuse(normalise(one)) for one in people(rng, size, 0.0))
    mine, theirs = anchor.copy(), anchor.copy()
    scratch = np.zeros(6 * size, np.uint8)
    for _ in range(40):
        result = library.c.ecgkd_age(address(theirs), address(anchor), address(towards), size, address(scratch))
        moved = age(mine, anchor, towards)
        assert result == (AT_BOUND if moved is None else 0)
        mine = mine if moved is None else moved
        assert mine.tolist() == theirs.tolist()
        assert cosines(mine[None], anchor[None])[0, 0] >= 0.8 * 2**COSINE_Q
