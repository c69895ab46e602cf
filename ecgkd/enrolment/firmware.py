"""The decision's constants as C: what `ecgkd_init` of the C library takes beside the network."""

from typing import Any

import numpy as np

from ecgkd.contract import Contract
from ecgkd.enrolment.ageing import least_llr
from ecgkd.enrolment.decision import Constants, DecisionPolicy, constants_of
from ecgkd.enrolment.enrol import policy_of
from ecgkd.enrolment.integer import to_fixed
from ecgkd.enrolment.template import COSINE_Q
from ecgkd.errors import UsageError


def _space(contract: Contract) -> bytes:
    try:
        space = bytes.fromhex(contract.embedding_space)
    except ValueError:
        space = b""
    if len(space) != 16:
        raise UsageError(
            f"the contract's embedding space is {contract.embedding_space!r}; expected 32 hex digits: export it again"
        )
    return space


def _numbers(contract: Contract, constants: Constants, policy: DecisionPolicy) -> dict[str, int]:
    floors = policy_of(contract)
    return {
        "size": contract.embedding_size,
        "as_norm": int(constants.kind == "as_norm"),
        "calibrated": int(constants.calibrated),
        "max_windows": constants.max_windows,
        "min_windows": floors.min_windows,
        "threshold": constants.threshold,
        "slope": constants.slope,
        "offset": constants.offset,
        "rho": constants.rho,
        "accept": constants.accept,
        "reject": constants.reject,
        "update": least_llr(contract, policy),
        "floor": to_fixed(floors.floor, COSINE_Q, "the floor of enrolment"),
        "min_consistency": to_fixed(floors.min_consistency, COSINE_Q, "the least consistency of enrolment"),
    }


def decision_source(contract: Contract, name: str, policy: DecisionPolicy | None = None) -> dict[str, str]:
    """Returns `NAME_decision.h` and `.c`, which define `const ecgkd_decision_t NAME_decision`, by file name.

    The cohort goes along only where scores are normalised by it. Raises: UsageError where the contract allows no
    decision.
    """
    from ecgkd_export.c99.arrays import array, comment, identifier, string, wrapped

    policy = policy or DecisionPolicy()
    constants = constants_of(contract, policy)
    symbol = f"{identifier(name)}_decision"
    space = _space(contract)
    fields: dict[str, Any] = {
        "magic": "ECGKD_DECISION_MAGIC",
        "abi": "ECGKD_DECISION_ABI",
        "embedding_space": string(contract.embedding_space),
        "space": "{ " + ", ".join(str(byte) for byte in space) + " }",
        **_numbers(contract, constants, policy),
    }
    tables = ""
    if constants.cohort is not None and constants.kind == "as_norm":
        tables = array("centroids", constants.cohort.centroids) + array(
            "norms", constants.cohort.norms.astype(np.int32)
        )
        fields |= {"centroids_count": len(constants.cohort.centroids), "top": constants.cohort.top}
        fields |= {"centroids": "centroids", "norms": "norms"}
    head = comment([f"Decision of {contract.model}, embedding space {contract.embedding_space}: do not edit."])
    body = "\n".join(wrapped([f".{key} = {value}" for key, value in fields.items()], "    "))
    return {
        f"{name}_decision.h": f'{head}#include "ecgkd.h"\n\nextern const ecgkd_decision_t {symbol};\n',
        f"{name}_decision.c": f'{head}#include "{name}_decision.h"\n\n{tables}\n'
        f"const ecgkd_decision_t {symbol} = {{\n{body}\n}};\n",
    }
