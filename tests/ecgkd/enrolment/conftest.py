"""Toy people and a toy network: deterministic, no training, good enough to tell the toy people apart."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from ecgkd.contract import Contract, ScoreCalibration, Tensor, Threshold
from ecgkd.record import Record
from ecgkd.signal.chain import definition

SIZE = 64


def toy_record(person: int, session: int = 1, seconds: float = 32, fs: int = 250, name: str = "") -> Record:
    """Returns beats of a shape that only `person` has, with noise that only `session` has."""
    shape = np.random.default_rng([7, person])
    rr, qrs, t_height, t_delay, t_width, p_height = shape.uniform(
        (0.65, 0.008, 0.1, 0.22, 0.03, 0.05), (1.05, 0.0125, 0.5, 0.32, 0.07, 0.25)
    )
    noise = np.random.default_rng([8, person, session])
    t = np.arange(round(seconds * fs)) / fs
    x = 200 * np.sin(2 * np.pi * 0.2 * t)
    for beat in np.arange(noise.uniform(0, rr), seconds, rr):
        x += 900 * np.exp(-0.5 * ((t - beat) / qrs) ** 2)
        x += 900 * t_height * np.exp(-0.5 * ((t - beat - t_delay) / t_width) ** 2)
        x += 900 * p_height * np.exp(-0.5 * ((t - beat + 0.16) / 0.025) ** 2)
    x += noise.normal(0, 15, len(t))
    return Record(x.astype(np.float32)[None], fs, ("I",), name or f"p{person}s{session}", str(person), session)


def toy_embed(windows: np.ndarray) -> np.ndarray:
    """Returns random Fourier features of each window's coarse amplitude spectrum: alike spectra, alike vectors."""
    spectrum = np.abs(np.fft.rfft(windows.astype(np.float64), axis=1))[:, 1:161].reshape(-1, 80, 2).mean(axis=2)
    spectrum /= np.maximum(np.linalg.norm(spectrum, axis=1, keepdims=True), 1e-9)
    rng = np.random.default_rng(3)
    directions, phases = rng.normal(0, 3, (80, SIZE)), rng.uniform(0, 2 * np.pi, SIZE)
    features = np.cos(spectrum @ directions + phases)
    return (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)


def toy_contract(**changes: object) -> Contract:
    contract = Contract(
        model="toy",
        precision="fp32",
        inputs=(Tensor("window", (1, 1, 1000), "float32", "1"),),
        outputs=(Tensor("embedding", (1, SIZE), "float32", "1"),),
        embedding_size=SIZE,
        front_end=definition(),
        weights_sha256="0" * 64,
        embedding_space="toy-space",
        threshold=Threshold("cosine", 0.75, 6, 3, 0.01, 0.02, 0.05, 30, 435, "development"),
        calibration=ScoreCalibration(slope=40.0, offset=-30.0, rho=0.5, kind="cosine"),
    )
    return replace(contract, **changes)


@dataclass(frozen=True)
class ToyModel:
    contract: Contract

    def embed(self, windows: np.ndarray) -> np.ndarray:
        return toy_embed(windows)


@pytest.fixture
def record():
    return toy_record


@pytest.fixture
def contract():
    return toy_contract


@pytest.fixture
def model():
    return ToyModel(toy_contract())
