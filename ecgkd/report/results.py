"""Reads results.json of `ecgkd evaluate` back into what it was written from."""

from pathlib import Path
from typing import Any

from ecgkd.errors import DataError, UsageError
from ecgkd.evaluation.bootstrap import Measured
from ecgkd.evaluation.results import (
    VERSION,
    ActivityCalibration,
    ActivityDifference,
    ByActivity,
    Cell,
    Curves,
    Difference,
    Disturbed,
    Evaluation,
    Histogram,
    Identification,
    Model,
    Outcome,
    Told,
    Verification,
)
from ecgkd.files import read_json


def load_results(path: Path) -> Evaluation:
    """Returns the evaluation at `path`. Raises: UsageError for another version, DataError where it is broken."""
    document = read_json(path, "evaluation result")
    version = document.get("version") if isinstance(document, dict) else None
    if version is None:
        raise DataError(f"{path}: not an evaluation result; `ecgkd evaluate ... --out DIR` writes one")
    if version != VERSION:
        raise UsageError(f"{path}: evaluation result version {version}; this ecgkd reads version {VERSION}")
    try:
        found = _evaluation(_with_measured(document))
        [one.headline for one in found.outcomes]  # a row without figures raises
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"{path}: broken evaluation result ({type(error).__name__}: {error}); evaluate again"
        ) from error
    return found


def _with_measured(value: Any) -> Any:
    """Returns JSON's `value` with every figure that has an interval as one."""
    if isinstance(value, list):
        return [_with_measured(one) for one in value]
    if not isinstance(value, dict):
        return value
    inner = {key: _with_measured(one) for key, one in value.items()}
    return Measured(**inner) if inner.keys() == {"value", "low", "high"} else inner


def _evaluation(document: dict[str, Any]) -> Evaluation:
    parts = {
        "models": tuple(Model(**one) for one in document["models"]),
        "outcomes": tuple(_outcome(one) for one in document["outcomes"]),
        "differences": tuple(Difference(**one) for one in document["differences"]),
        "robustness": tuple(Disturbed(**one) for one in document["robustness"]),
        "notes": tuple(document["notes"]),
        "activity": tuple(_told(one) for one in document.get("activity", ())),
        "activity_differences": tuple(ActivityDifference(**one) for one in document.get("activity_differences", ())),
    }
    return Evaluation(**{**document, **parts})


def _outcome(document: dict[str, Any]) -> Outcome:
    verification, identification, curves = (document[part] for part in ("verification", "identification", "curves"))
    parts = {
        "cells": tuple(Cell(**one) for one in document["cells"]),
        "verification": verification and Verification(**verification),
        "identification": identification and Identification(**identification),
        "curves": Curves(**{**curves, "scores": Histogram(**curves["scores"])}),
        "by_activity": tuple(ByActivity(**one) for one in document.get("by_activity", ())),
    }
    return Outcome(**{**document, **parts})


def _told(document: dict[str, Any]) -> Told:
    checked = document["calibration"]
    parts = {
        **{key: tuple(document[key]) for key in ("activities", "windows", "recall")},
        "calibration": checked and ActivityCalibration(**checked),
    }
    return Told(**{**document, **parts})
