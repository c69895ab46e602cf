"""Python on a device: finds it, gives it the runtimes' wheels once (`--setup`), and the worker for every run."""

import json
import shlex
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd_bench.emulated.system import Tell
from ecgkd_bench.errors import DeviceError
from ecgkd_bench.transport.base import Transport
from ecgkd_bench.wheels import Interpreter, fetch, listing, modules

PACKAGE = Path(__file__).parent
OLDEST = (3, 11)
SETUP_SECONDS = 900.0
PROBE = (
    "import json,platform,sys;"
    "print(json.dumps([list(sys.version_info[:2]),platform.machine(),list(platform.libc_ver()),sys.maxsize>2**32]))"
)
UNPACK = (
    "import sys,sysconfig,zipfile;"
    "[zipfile.ZipFile(wheel).extractall(sysconfig.get_path('purelib')) for wheel in sys.argv[1:]]"
)


def prepare(transport: Transport, setup: bool = False, tell: Tell = lambda text: None) -> None:
    """Makes `transport.python` start the device's Python with this package, and the wheels where they were set up.

    Raises: DeviceError where Python is missing or too old, or no wheel fits; TransferError where the room is short.
    """
    interpreter = probe(transport)
    cache = transport.run(("sh", "-c", 'echo "${XDG_CACHE_HOME:-$HOME/.cache}/ecgkd-bench"'), "", 60).strip()
    environment = f"{cache}/{interpreter.environment}"
    if setup:
        install(transport, interpreter, environment, tell)
    there = transport.run(("sh", "-c", f"cat {shlex.quote(environment)}/wheels.txt 2>/dev/null || true"), "", 60)
    command = f"{environment}/bin/python" if there.strip() else "python3"
    with TemporaryDirectory() as folder:
        worker = Path(folder) / "worker.zip"
        write_worker(worker)
        # A fixed hash seed: where Python's dictionaries put things shows in the instructions that it takes.
        transport.python = ("env", f"PYTHONPATH={transport.push(worker)}", "PYTHONHASHSEED=0", command)


def probe(transport: Transport) -> Interpreter:
    """Returns the device's Python. Raises: DeviceError where there is none, or only an old one."""
    where = f"{transport.reached}: "
    if not transport.run(("sh", "-c", "command -v python3 || true"), "", 60).strip():
        raise DeviceError(
            f"{where}Python is missing there; install python3 ({_dotted(OLDEST)} or newer), or measure without it: "
            "--native with .c files, or --runner"
        )
    version, machine, libc, wide = json.loads(transport.run(("python3", "-c", PROBE), "", 120).strip().splitlines()[-1])
    if tuple(version) < OLDEST:
        raise DeviceError(f"{where}its python3 is {_dotted(version)}; expected {_dotted(OLDEST)} or newer")
    if not wide:
        machine = {"aarch64": "armv7l", "x86_64": "i686"}.get(machine, machine)
    return Interpreter((version[0], version[1]), machine, (libc[0], libc[1]))


def install(transport: Transport, interpreter: Interpreter, environment: str, tell: Tell) -> None:
    """Lays a virtual environment with the wheels of the runtimes on the device; nothing where it is complete."""
    listed = fetch(interpreter, tell)
    quoted = shlex.quote(environment)
    there = transport.run(("sh", "-c", f"cat {quoted}/wheels.txt 2>/dev/null || true"), "", 60)
    names = listing(listed)
    if there.strip() == names.strip():
        tell(f"{transport.reached}: {environment} is complete")
        return
    tell(f"{transport.reached}: unpacking {len(listed)} wheels into {environment}")
    unfinished = f"{environment}.unfinished"
    begin = f"rm -rf {shlex.quote(unfinished)}; mkdir -p {shlex.quote(unfinished)}"
    transport.run(("sh", "-c", begin), "", 120)
    try:
        transport.run(("python3", "-m", "venv", "--without-pip", unfinished), "", SETUP_SECONDS)
        for wheel in listed:
            remote = transport.push(wheel)
            transport.run((f"{unfinished}/bin/python", "-c", UNPACK, remote), "", SETUP_SECONDS)
            transport.run(("rm", "-f", remote), "", 60)
        for module in modules(listed):
            transport.run((f"{unfinished}/bin/python", "-c", f"import {module}"), "", SETUP_SECONDS)
        finish = f"cat >{shlex.quote(unfinished)}/wheels.txt; rm -rf {quoted}; mv {shlex.quote(unfinished)} {quoted}"
        transport.run(("sh", "-c", finish), names, 120)
    except BaseException:
        transport.run(("rm", "-rf", unfinished), "", 120)
        raise


def write_worker(path: Path) -> None:
    """Writes what runs on the device as one file that Python imports from: no emulator, no transports."""
    files = [*sorted(PACKAGE.glob("*.py")), *(PACKAGE / "transport" / name for name in ("__init__.py", "base.py"))]
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            # Fixed times: the same package gives the same bytes, which recorded sessions rely on.
            archive.writestr(zipfile.ZipInfo(str(Path("ecgkd_bench") / file.relative_to(PACKAGE))), file.read_bytes())


def _dotted(version: tuple[int, ...] | list[int]) -> str:
    return ".".join(str(part) for part in version)
