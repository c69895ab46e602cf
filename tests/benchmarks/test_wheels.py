"""Which wheels a device is given."""

from pathlib import Path

from ecgkd_bench import wheels
from ecgkd_bench.wheels import Interpreter, modules


def test_platforms_follow_the_c_library_newest_first() -> None:
    tags = Interpreter((3, 11), "aarch64", ("glibc", "2.36")).platforms()
    assert tags[0] == "manylinux_2_36_aarch64"
    assert tags[-1] == "manylinux2014_aarch64"
    assert Interpreter((3, 12), "aarch64", ("musl", "1.2")).platforms()[0] == "musllinux_1_2_aarch64"


def test_runtimes_are_tried_in_the_version_used_here_first() -> None:
    ort, litert = wheels.runtimes()
    assert ort.choices[0][0].startswith("onnxruntime==")
    assert [choice[0].partition("=")[0] for choice in litert.choices] == [
        "ai-edge-litert",
        "ai-edge-litert",
        "tflite-runtime",
    ]


def test_what_is_unpacked_must_be_importable() -> None:
    names = ("ai_edge_litert-2.3.0-cp311-cp311-x.whl", "numpy-2.4.6-x.whl", "onnxruntime-1.31.1-x.whl")
    assert modules([Path(name) for name in names]) == ["ai_edge_litert.interpreter", "onnxruntime"]
