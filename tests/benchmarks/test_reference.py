"""The reference network: one file for ever."""

import hashlib
from pathlib import Path

import pytest

from ecgkd_bench import reference
from ecgkd_bench.backends import load


def test_the_reference_never_changes(tmp_path: Path) -> None:
    assert (
        hashlib.sha256(reference.PATH.read_bytes()).hexdigest()
        == "599f3bc6688a7dc61f578aeb9d7fb646c050f92350a25effb337048b52e69a2a"
    )
    pytest.importorskip("onnx")
    reference.write(tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == reference.PATH.read_bytes()


def test_the_reference_runs() -> None:
    (embedding,) = load("onnxruntime", str(reference.PATH), 1).run()
    assert embedding.shape == (96,)
