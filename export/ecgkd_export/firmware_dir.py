"""Where the C sources of the engine lie: inside the installed package, else in the checkout."""

from importlib.resources import files
from pathlib import Path

from ecgkd_export.errors import ArtefactError

HEADER = "include/ecgkd_nn.h"


def firmware_dir() -> Path:
    """Returns the folder with `include/` and `kernels/`. Raises: ArtefactError where this installation has none."""
    installed = Path(str(files("ecgkd_export") / "firmware"))
    checkout = Path(__file__).resolve().parents[2] / "firmware_stubs"
    for folder in (installed, checkout):
        if (folder / HEADER).is_file():
            return folder
    raise ArtefactError(f"no {HEADER} in {installed} or {checkout}; install ecgkd again")


def kernel_sources() -> list[Path]:
    """Returns the C files that a generated network is compiled with, sorted by name."""
    return sorted((firmware_dir() / "kernels").glob("*.c"))


def kernel_files() -> dict[str, bytes]:
    """Returns what a generated network is compiled with: headers and kernels, by their path below `firmware_dir`."""
    root = firmware_dir()
    paths = [root / HEADER, *sorted((root / "kernels").glob("*.[ch]"))]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
