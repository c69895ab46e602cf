"""The owner check on a device: a bundle's own C as one static program, samples in and verdicts out.

What the program reads and prints stands in its source, firmware/ports/owner/owner.c.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd_bench import static_runner
from ecgkd_bench.remote_facts import RemoteFacts
from ecgkd_bench.transport.base import Transport

PROGRAM = "firmware/ports/owner/owner.c"
PORT = "firmware/ports/linux/port.c"
LIBRARY = ("kernels", "signal", "enrol")
INCLUDES = ("models", "firmware/include", "firmware/ports/linux", *(f"firmware/{one}" for one in LIBRARY))
SECONDS = 300.0
OWN_REFUSAL = "{ code=$?; [ $code -lt 126 ] || exit $code; }"
"""Where the program itself gave up, what it printed tells more; from 126 on it could not run, or was ended."""


def said(transport: Transport, name: str, files: Mapping[str, bytes], stream: bytes) -> list[str]:
    """Returns the lines that the owner check prints on the device for `stream`.

    `files` are sources by their place in a bundle: `firmware/…`, and `models/` with the network `name` and its
    decision. Raises: DeviceError where there is no compiler for the device or the program fails there.
    """
    described = RemoteFacts(transport).describe()
    target = static_runner.target_of(str(described["abi"]).partition(" ")[0], tuple(described["features"]))
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for place, content in files.items():
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).write_bytes(content)
        (root / "golden.in").write_bytes(stream)
        program = transport.push(build(root, name, target))
        given = transport.push(root / "golden.in")
        transport.run(("chmod", "755", program), "", 60)
        command = f"{shlex.quote(program)} <{shlex.quote(given)} || {OWN_REFUSAL}"
        return [line.strip() for line in transport.run(("sh", "-c", command), "", SECONDS).splitlines() if line.strip()]


def build(root: Path, name: str, target: str) -> Path:
    """Returns the owner check of the network `name` for `target`, built of the bundle's sources below `root`."""
    header = root / "owner_all.h"
    header.write_text(f'#include "{name}.h"\n#include "{name}_decision.h"\n')
    options = [f'-DOWNER_HEADER="{header.name}"', f"-DOWNER_DECISION={name}_decision", f"-DOWNER_MODEL={name}"]
    options += [f"-DOWNER_ARENA={name.upper()}_ARENA_SIZE", f"-I{root}", *(f"-I{root / one}" for one in INCLUDES)]
    files = [root / one for one in (PROGRAM, PORT, f"models/{name}.c", f"models/{name}_decision.c")]
    files += [file for one in LIBRARY for file in sorted((root / "firmware" / one).glob("*.c"))]
    return static_runner.compiled(f"{name}.c", target, options, files, root / "owner")
