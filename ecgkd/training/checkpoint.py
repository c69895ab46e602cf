"""Weights and checkpoints on disk, written whole or not at all."""

import hashlib
import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ecgkd.contract import METADATA_KEY, Contract
from ecgkd.errors import DataError
from ecgkd.files import write_bytes
from ecgkd.models import without_classifier

CHECKPOINT = "checkpoint.pt"
WEIGHTS = "weights.safetensors"


def save_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes the whole state of a training. Raises: DataError."""
    buffer = io.BytesIO()  # torch would hide a full disk behind an error of its own
    torch.save(dict(state), buffer)
    write_bytes(folder / CHECKPOINT, buffer.getvalue())


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Returns the state that `save_checkpoint` wrote, on the processor. Raises: DataError."""
    path = folder / CHECKPOINT
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, ValueError) as error:
        raise DataError(f"{path}: damaged, or no checkpoint ({error}); start the training again") from error
    return state


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Returns the hash of the weights that make embeddings: names, shapes and values, without classifiers."""
    total = hashlib.sha256()
    for name, tensor in sorted(without_classifier(dict(state)).items()):
        total.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def save_weights(path: Path, state: Mapping[str, Tensor], contract: Contract) -> None:
    """Writes weights with their contract inside. Raises: DataError."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_bytes(path, save(tensors, {METADATA_KEY: contract.to_json()}))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Returns the weights at `path`. Raises: DataError."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise DataError(f"{path}: damaged, or not a safetensors file ({error})") from error
    return found
