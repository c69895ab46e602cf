"""Stored instructions of the shipped networks, and of a DT4ECG, in the runtimes that people use, on emulated arm64.

python tests/benchmarks/budgets.py            measures twice, says how far the two are apart and what changed
python tests/benchmarks/budgets.py --renew    and stores it in budgets.json, for a commit that says why

(The C engine's own budgets, on every target, are in tests/firmware/.)
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "export")]

from ecgkd_bench.emulated.boot import Board  # noqa: E402
from ecgkd_bench.interpreter import prepare  # noqa: E402
from ecgkd_bench.plan import Plan, Subject  # noqa: E402
from ecgkd_bench.result import Session  # noqa: E402
from ecgkd_bench.runner import measure  # noqa: E402
from ecgkd_bench.transport.qemu import QemuTransport  # noqa: E402
from ecgkd_export.tflite.emit import emit  # noqa: E402
from tests.firmware.networks import network  # noqa: E402

STORED = Path(__file__).with_name("budgets.json")
RISE = 1.02
"""A cost may grow by this factor before CI fails."""
ALIKE = 0.001
"""Two processes agree within this share."""
SHIPPED = ROOT / "ecgkd" / "weights"
MODELS = (
    "deit_micro/deit_micro_4s_250hz_fp32.onnx",
    "deit_micro/deit_micro_4s_250hz_int8.onnx",
    "deit_micro/deit_micro_4s_250hz_int8.tflite",
    "resnet34_base24/resnet34_base24_4s_250hz_int8.onnx",
)
UNTRAINED = ("dt4ecg", "dt4ecg_both")
"""A DT4ECG that tells who it is, and one that also tells activities, as int8 TFLite; no weights of it are shipped."""
PLAN = Plan(rounds=4, block_ms=1)


def measured() -> list[Session]:
    """Returns two runs of all models, in processes of their own, on one emulated machine."""
    with TemporaryDirectory() as folder:
        subjects = [Subject(Path(name).name, SHIPPED / name) for name in MODELS]
        subjects += [untrained(preset, Path(folder)) for preset in UNTRAINED]
        transport = QemuTransport(Board(icount=True), print)
        try:
            prepare(transport, setup=True, tell=print)
            return [measure(subjects, transport, PLAN) for _ in range(2)]
        finally:
            transport.close()


def untrained(preset: str, folder: Path) -> Subject:
    """Returns an untrained network of a fixed seed, in int8 for LiteRT: its cost does not depend on its weights."""
    path = folder / f"{preset}_int8.tflite"
    path.write_bytes(emit(network(preset), metadata={}, description=""))
    return Subject(path.name, path)


def counts(session: Session) -> dict[str, int]:
    """Returns instructions per window by model: the fewest, since timers and the network only add to them."""
    return {record.model.name: round(min(record.latency.raw)) for record in session.records}


def apart(sessions: list[Session]) -> float:
    """Returns the largest share by which two runs' counts differ, of any model."""
    first, second = (counts(session) for session in sessions)
    return max(abs(first[name] / second[name] - 1) for name in first)


def over(now: dict[str, int], stored: dict[str, int]) -> list[str]:
    """Returns a line for each model that takes more than it may."""
    lines = []
    for name, count in now.items():
        budget = stored.get(name)
        if budget is None:
            lines.append(f"{name}: {count:,} instructions, no budget stored")
        elif count > budget * RISE:
            lines.append(f"{name}: {count:,} instructions, stored {budget:,}: {100 * (count / budget - 1):.1f} % more")
    return lines


def main() -> None:
    sessions = measured()
    now = counts(sessions[0])
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {}
    print(f"two runs are {100 * apart(sessions):.4f} % apart")
    for name, count in now.items():
        print(f"{name}: {stored.get(name, 'new')} -> {count}")
    if "--renew" in sys.argv:
        STORED.write_text(json.dumps(now, indent=1) + "\n")


if __name__ == "__main__":
    main()
