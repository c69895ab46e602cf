import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def roots_place() -> Iterator[Path]:
    """A folder that everybody may enter and only root may write to; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="ecgkd-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)
