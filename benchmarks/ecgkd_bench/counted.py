"""Boards and processors under QEMU that run the C engine alone: instructions by function, the same every time.

What is built and counted is in the firmware's own Makefile (`make count`): its QEMU plugin counts between the beginning
and the end of one inference.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd_bench import stats
from ecgkd_bench.emulated.system import cache_folder
from ecgkd_bench.errors import DeviceError, MismatchError
from ecgkd_bench.outputs import named_only
from ecgkd_bench.plan import Subject
from ecgkd_bench.result import Backend, Clock, Device, Memory, Record, Session, State, Threads, WarmUp
from ecgkd_bench.runner import Progress
from ecgkd_bench.static_runner import noise, window_bytes

SECONDS = 900.0


@dataclass(frozen=True)
class Board:
    """What QEMU models, and the target of the firmware's Makefile for it."""

    target: str
    processor: str
    features: tuple[str, ...]
    """That the kernels use."""
    system: str
    needs: tuple[str, ...]


_BARE = ("qemu-system-arm", "arm-none-eabi-gcc", "make", "gcc")
BOARDS = {
    "armhf": Board(
        "armhf", "Cortex-A7", ("neon",), "Linux, user mode", ("qemu-arm", "arm-linux-gnueabihf-gcc", "make")
    ),
    "mps2-an386": Board("m4", "Cortex-M4", ("dsp",), "none", _BARE),
    "mps2-an500": Board("m7", "Cortex-M7", ("dsp",), "none", _BARE),
    "mps2-an505": Board("m33", "Cortex-M33", ("dsp",), "none", _BARE),
    "mps3-an547": Board("m55", "Cortex-M55", ("dsp", "mve"), "none", _BARE),
}


def measure(subjects: Sequence[Subject], name: str, tell: Progress | None = None) -> Session:
    """Returns the instructions of one inference of each generated network (NAME.c beside NAME.h) on the board `name`.

    Raises: MismatchError for another kind of model, DeviceError where a tool is missing or the network does not build.
    """
    board, tell = BOARDS[name], tell or (lambda *_: None)
    others = [subject.path.name for subject in subjects if subject.path.suffix != ".c"]
    if others or not subjects:
        raise MismatchError(f"qemu:{name} runs the C engine alone; give it .c files, not {', '.join(others) or 'none'}")
    missing = [tool for tool in board.needs if shutil.which(tool) is None]
    if missing:
        raise DeviceError(f"qemu:{name} needs {', '.join(missing)}, which this machine lacks; make arm-tools")
    records = []
    for position, subject in enumerate(subjects):
        tell(position, len(subjects), subject.name)
        records.append(_record(subject, name, board))
    return Session(datetime.now(UTC).isoformat(timespec="seconds"), tuple(records), ())


def parse(table: str) -> dict[str, int]:
    """Returns instructions by function, most first, from the lines `name, instructions, calls` of `make count`.

    Raises: DeviceError where it is no such table.
    """
    rows = [re.fullmatch(r"(\S+)\t(\d+)\t\d+", line) for line in table.strip().splitlines()]
    found = {row[1]: int(row[2]) for row in rows if row}
    if not found or not all(rows):
        lines = table.strip().splitlines()
        raise DeviceError(f"QEMU's plugin counted nothing; last came: {lines[-1][:200] if lines else 'nothing'}")
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def arena_of(header: str) -> int | None:
    """Returns the arena's bytes that a generated header names."""
    found = re.search(r"_ARENA_SIZE\s+\(?(\d+)", header)
    return int(found[1]) if found else None


def _record(subject: Subject, name: str, board: Board) -> Record:
    header = subject.path.with_suffix(".h")
    if not header.is_file():
        raise DeviceError(f"{subject.path}: no {header.name} beside it; take both of what `ecgkd export` wrote")
    counts = parse(_count(subject.path, header, board))
    state = State(None, None, None)
    emulator = f"QEMU {board.processor}"
    device = Device(
        name=name,
        soc=f"{emulator} ({name})",
        cores=1,
        features=board.features,
        memory_bytes=None,
        os=board.system,
        abi=board.target,
        reached=f"qemu:{name}",
        before=state,
        after=state,
    )
    return Record(
        model=subject.model(),
        device=device,
        clock=Clock.INSTRUCTIONS,
        backend=Backend("c99", f"ecgkd C99 {board.target}", "1"),
        threads=Threads(1, 1, 1),
        warm_up=WarmUp(0, 0.0, True),
        latency=stats.summarise([float(sum(counts.values()))], 1, "instructions"),
        load_seconds=0.0,
        memory=Memory(subject.path.stat().st_size, None, None, None, arena_of(header.read_text())),
        operators={function: float(count) for function, count in counts.items()},
        evidence=subject.evidence,
        outputs=named_only(subject),
    )


def _count(source: Path, header: Path, board: Board) -> str:
    from ecgkd_export.errors import ExportError
    from ecgkd_export.firmware_dir import firmware_dir

    build = cache_folder().parent / "firmware"
    build.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        network = Path(folder)
        for file in (source, header):
            shutil.copy(file, network / file.name)
        (network / "windows.bin").write_bytes(noise(window_bytes(header.read_text())))
        try:
            command = ["make", "-s", "-C", str(firmware_dir()), "count"]
        except ExportError as error:
            raise DeviceError(str(error)) from error
        command += [f"BUILD={build}", f"TARGET={board.target}", f"NETWORK={network}"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise DeviceError(
                f"{source.name}: counting on {board.target} did not end within {SECONDS:.0f} s"
            ) from error
    if done.returncode:
        said = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
        lines = [line for line in said if "error" in line.lower()] or said[-1:] or [f"exit status {done.returncode}"]
        raise DeviceError(f"{source.name}: could not be counted on {board.target} ({lines[0][:200]})")
    return done.stdout
