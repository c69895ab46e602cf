"""Python on a device: finds it, gives it the runtimes' wheels once (`--setup`), and the worker for every run."""

import hashlib
import json
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd_bench.emulated.system import Tell, cache_folder
from ecgkd_bench.errors import DeviceError
from ecgkd_bench.transport.base import Transport

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


@dataclass(frozen=True)
class Interpreter:
    """The device's own Python."""

    version: tuple[int, int]
    machine: str
    """As the system names it: `aarch64`, `armv7l`; of the process, where a 32-bit one runs on a 64-bit kernel."""
    libc: tuple[str, str]
    """Name and version, such as `glibc`, `2.36`."""

    @property
    def environment(self) -> str:
        """Name of the folder that holds its wheels."""
        return f"python{self.version[0]}.{self.version[1]}-{self.machine}"

    def platforms(self) -> list[str]:
        """Returns the platform tags of wheels that it can use, newest first (PEP 600, PEP 656)."""
        name, version = self.libc
        if name != "glibc":
            return [f"musllinux_1_{minor}_{self.machine}" for minor in (2, 1)]
        newest = int(version.split(".")[1])
        tags = [f"manylinux_2_{minor}_{self.machine}" for minor in range(newest, 16, -1)]
        return [*tags, f"manylinux2014_{self.machine}"]


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
        transport.python = ("env", f"PYTHONPATH={transport.push(worker)}", command)


def probe(transport: Transport) -> Interpreter:
    """Returns the device's Python. Raises: DeviceError where there is none, or only an old one."""
    where = f"{transport.reached}: "
    if not transport.run(("sh", "-c", "command -v python3 || true"), "", 60).strip():
        phone = "; a phone without it cannot be measured yet" if transport.reached.startswith("adb") else ""
        raise DeviceError(f"{where}Python is missing there; install python3 ({_dotted(OLDEST)} or newer){phone}")
    version, machine, libc, wide = json.loads(transport.run(("python3", "-c", PROBE), "", 120).strip().splitlines()[-1])
    if tuple(version) < OLDEST:
        raise DeviceError(f"{where}its python3 is {_dotted(version)}; expected {_dotted(OLDEST)} or newer")
    if not wide:
        machine = {"aarch64": "armv7l", "x86_64": "i686"}.get(machine, machine)
    return Interpreter((version[0], version[1]), machine, (libc[0], libc[1]))


def install(transport: Transport, interpreter: Interpreter, environment: str, tell: Tell) -> None:
    """Makes a virtual environment on the device and unpacks the runtimes' wheels into it; a finished one is kept."""
    wheels = download(interpreter, tell)
    listed = "\n".join(wheel.name for wheel in wheels) + "\n"
    quoted = shlex.quote(environment)
    there = transport.run(("sh", "-c", f"cat {quoted}/wheels.txt 2>/dev/null || true"), "", 60)
    if there.strip() == listed.strip():
        tell(f"{transport.reached}: {environment} is complete")
        return
    tell(f"{transport.reached}: unpacking {len(wheels)} wheels into {environment}")
    unfinished = f"{environment}.unfinished"
    begin = f"rm -rf {shlex.quote(unfinished)}; mkdir -p {shlex.quote(unfinished)}"
    transport.run(("sh", "-c", begin), "", 120)
    try:
        transport.run(("python3", "-m", "venv", "--without-pip", unfinished), "", SETUP_SECONDS)
        for wheel in wheels:
            remote = transport.push(wheel)
            transport.run((f"{unfinished}/bin/python", "-c", UNPACK, remote), "", SETUP_SECONDS)
            transport.run(("rm", "-f", remote), "", 60)
        transport.run((f"{unfinished}/bin/python", "-c", "import onnxruntime"), "", SETUP_SECONDS)
        finish = f"cat >{shlex.quote(unfinished)}/wheels.txt; rm -rf {quoted}; mv {shlex.quote(unfinished)} {quoted}"
        transport.run(("sh", "-c", finish), listed, 120)
    except BaseException:
        transport.run(("rm", "-rf", unfinished), "", 120)
        raise


def download(interpreter: Interpreter, tell: Tell = lambda text: None) -> list[Path]:
    """Returns wheels of ONNX Runtime, in the version used here, and NumPy for `interpreter`; kept in the cache.

    Raises: DeviceError where the package index has none, or is not reached.
    """
    wanted = [f"onnxruntime=={metadata.version('onnxruntime')}", "numpy<3"]
    tags = interpreter.platforms()
    key = hashlib.sha256("\n".join([*wanted, *tags, str(interpreter.version)]).encode()).hexdigest()[:12]
    folder = cache_folder().parent / "wheels" / key
    if not folder.is_dir():
        tell(f"fetching {' and '.join(wanted)} for {interpreter.environment}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as unfinished:
            _download(wanted, interpreter, Path(unfinished) / "done")
            (Path(unfinished) / "done").rename(folder)
    return sorted(folder.glob("*.whl"))


def _download(wanted: list[str], interpreter: Interpreter, folder: Path) -> None:
    tags = [part for tag in interpreter.platforms() for part in ("--platform", tag)]
    major, minor = interpreter.version
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *tags]
    command += ["--implementation", "cp", "--python-version", f"{major}.{minor}", "--abi", f"cp{major}{minor}"]
    done = subprocess.run([*command, "--dest", str(folder), *wanted], capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")] or ["pip said nothing"]
        what = f"{interpreter.environment} with {' '.join(interpreter.libc)}"
        raise DeviceError(f"no wheels for {what}: {lines[-1].removeprefix('ERROR: ')[:200]}")


def write_worker(path: Path) -> None:
    """Writes what runs on the device as one file that Python imports from: no emulator, no transports."""
    files = [*sorted(PACKAGE.glob("*.py")), *(PACKAGE / "transport" / name for name in ("__init__.py", "base.py"))]
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            # Fixed times: the same package gives the same bytes, which recorded sessions rely on.
            archive.writestr(zipfile.ZipInfo(str(Path("ecgkd_bench") / file.relative_to(PACKAGE))), file.read_bytes())


def _dotted(version: tuple[int, ...] | list[int]) -> str:
    return ".".join(str(part) for part in version)
