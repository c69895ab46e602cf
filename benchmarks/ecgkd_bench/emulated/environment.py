"""The runtimes' virtual environment as an archive that the machine's kernel unpacks; its Python would take minutes."""

import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

from ecgkd_bench.emulated.cpio import CpioWriter
from ecgkd_bench.wheels import Interpreter, listing

PYTHON = Interpreter((3, 11), "aarch64", ("glibc", "2.36"))
"""Of Debian bookworm."""
CACHE = "root/.cache/ecgkd-bench"
CONFIGURATION = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n"


def environment(wheels: Sequence[Path]) -> bytes:
    """Returns the archive that holds what `ecgkd bench --setup` would lay on the machine."""
    out = BytesIO()
    writer = CpioWriter(out)
    known: set[PurePosixPath] = set()
    folder = PurePosixPath(CACHE) / PYTHON.environment
    packages = folder / "lib" / f"python{PYTHON.version[0]}.{PYTHON.version[1]}" / "site-packages"

    def file(path: PurePosixPath, data: bytes, mode: int = 0o644) -> None:
        for parent in [*reversed(path.parents)][1:]:
            if parent not in known:
                known.add(parent)
                writer.folder(str(parent))
        writer.file(str(path), data, mode)

    file(folder / "pyvenv.cfg", CONFIGURATION.encode())
    file(folder / "wheels.txt", listing(wheels).encode())
    writer.folder(str(folder / "bin"))
    writer.link(str(folder / "bin" / "python"), "/usr/bin/python3.11")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                if not member.is_dir():
                    file(packages / member.filename, archive.read(member), 0o755)
    writer.close()
    return out.getvalue()
