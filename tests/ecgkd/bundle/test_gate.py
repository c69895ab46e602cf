"""The biometric gate: verdicts on planted differences between two networks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd.bundle import gate
from ecgkd.bundle.make import Evidence
from ecgkd.contract import Contract
from ecgkd.evaluation.baselines import correlation_embed


def _noisy(share: float) -> gate.Embed:
    def embed(windows: NDArray[np.int8]) -> NDArray[np.float32]:
        beats = correlation_embed(windows)
        noise = np.random.default_rng(int(windows.view(np.uint8).sum())).normal(
            0, share / np.sqrt(beats.shape[1]), beats.shape
        )
        return (beats + noise).astype(np.float32)

    return embed


def _gate(candidate: gate.Embed, contract: Contract, evidence: Evidence) -> dict[str, Any]:
    return gate.biometric_gate(correlation_embed, candidate, contract, evidence.protocol, evidence.sets)


def _figures(**changed: Any) -> dict[str, Any]:
    usual = {"delta_eer": 0.001, "delta_eer_ci95": [-0.001, 0.004], "people": 35}
    compared = {"genuine": 300, "impostor": 9000, "genuine_flipped": 1, "impostor_flipped": 7}
    return {**usual, **compared, "genuine_flips": 0.002, "impostor_flips": 0.001, **changed}


def test_a_network_compared_with_itself_differs_in_nothing(contract: Contract, evidence: Evidence) -> None:
    found = _gate(correlation_embed, contract, evidence)
    assert found["delta_eer"] == found["genuine_flips"] == found["impostor_flips"] == 0
    assert found["delta_eer_ci95"] == [0, 0]
    assert found["fmr"] == found["fmr_float"]
    assert found["genuine_flipped"] == found["impostor_flipped"] == 0 < found["genuine"]


def test_too_few_synthetic_people_are_undecided_and_do_not_count(contract: Contract, evidence: Evidence) -> None:
    found = _gate(correlation_embed, contract, evidence)
    assert (found["result"], found["counts"], found["synthetic"]) == ("undecided", False, True)
    assert "too few people" in found["why"]


def test_a_network_of_noise_fails_on_any_number_of_people(contract: Contract, evidence: Evidence) -> None:
    found = _gate(_noisy(10.0), contract, evidence)
    assert (found["result"], found["counts"]) == ("failed", True)
    assert found["delta_eer"] > 0.1


def test_decisions_are_taken_at_the_threshold_of_the_contract(contract: Contract, evidence: Evidence) -> None:
    assert contract.threshold is not None
    never = replace(contract, threshold=replace(contract.threshold, value=1.5))
    found = _gate(_noisy(0.1), never, evidence)
    assert (found["fmr"], found["fnmr"], found["genuine_flips"], found["impostor_flips"]) == (0, 1, 0, 0)
    always = replace(contract, threshold=replace(contract.threshold, value=-1.5))
    assert _gate(_noisy(0.1), always, evidence)["fmr"] == 1


def test_without_a_threshold_the_float_networks_own_is_used(contract: Contract, evidence: Evidence) -> None:
    found = _gate(correlation_embed, replace(contract, threshold=None), evidence)
    assert found["fmr"] == pytest.approx(found["fnmr"], abs=0.1)


def test_a_protocol_without_development_rows_leaves_the_gate_absent(contract: Contract, evidence: Evidence) -> None:
    rows = tuple(replace(row, population="test") for row in evidence.protocol.rows)
    bare = Evidence(replace(evidence.protocol, rows=rows), evidence.sets)
    assert _gate(correlation_embed, contract, bare)["result"] == "absent"


@pytest.mark.parametrize(
    ("changed", "result"),
    [
        ({}, "passed"),
        ({"delta_eer": -0.02, "delta_eer_ci95": [-0.04, 0.0]}, "passed"),
        ({"delta_eer": 0.0031}, "failed"),
        ({"genuine_flips": 0.011}, "failed"),
        ({"impostor_flips": 0.011}, "failed"),
        ({"delta_eer_ci95": [-0.01, 0.011]}, "undecided"),
        ({"genuine": 99}, "undecided"),
        ({"delta_eer_ci95": None}, "undecided"),
        ({"genuine": 20, "delta_eer": 0.2, "delta_eer_ci95": [0.1, 0.3]}, "failed"),
        ({"genuine": 20, "genuine_flips": 0.05}, "undecided"),
    ],
)
def test_verdicts_follow_the_stated_bounds(changed: dict[str, Any], result: str) -> None:
    verdict, why = gate._verdict(_figures(**changed))
    assert verdict == result
    assert why


def test_flips_are_counted_beside_their_share(contract: Contract, evidence: Evidence) -> None:
    assert contract.threshold is not None
    cosines = replace(contract, threshold=replace(contract.threshold, kind="cosine", value=0.5))
    found = _gate(_noisy(10.0), cosines, evidence)
    assert 0 < found["genuine_flipped"] <= found["genuine"]
    assert 0 < found["genuine_flips"] <= 1
    why = gate._verdict(_figures(genuine_flips=0.0192, genuine_flipped=5, genuine=282))[1]
    assert why == "1.92 % of genuine decisions flip (5 of 282); allowed 1 %"


def test_the_float_network_is_asked_once_for_all_candidates(evidence: Evidence, contract: Contract) -> None:
    asked: list[int] = []

    def reference(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        asked.append(len(windows))
        return windows[:, 0, ::50] + 1

    score = evidence.gate(contract)
    first = score(reference, reference)
    once = sum(asked)
    assert score(reference, lambda windows: windows[:, 0, ::50] + 1) == first
    assert sum(asked) == once
    assert first["genuine_flips"] == 0
