"""What the whole owner check costs, samples in and decision out, on every emulated target: `python whole_path.py DIR`.

DIR is an export with C (`ecgkd export --int8 --formats c --out DIR`). The bundle's golden recordings are fed to
ports/owner/owner.c; QEMU's plugin charges what `ecgkd_poll` calls with all that it takes. Prints Markdown.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd.bundle.device_test import device_tests
from ecgkd.bundle.pack import make_bundle
from ecgkd.bundle.selftest import open_bundle

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware_stubs"
BUILD = FIRMWARE.parent / "build" / "firmware"
SIZES = {"m4": "arm-none-eabi-size", "m7": "arm-none-eabi-size", "m33": "arm-none-eabi-size"}
SIZES |= {"m55": "arm-none-eabi-size", "armhf": "arm-linux-gnueabihf-size"}
SIZES |= dict.fromkeys(("aarch64", "aarch64-dotprod"), "aarch64-linux-gnu-size")


def make(*words: str) -> str:
    """Returns what `make -C firmware_stubs …` printed."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-s", "-C", FIRMWARE, *words], capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def cost(network: Path, stream: bytes, target: str) -> tuple[int, dict[str, int], tuple[int, int]]:
    """Returns how many windows the network saw, instructions by what `ecgkd_poll` calls, and flash and RAM in bytes."""
    given = network / "golden.in"
    given.write_bytes(stream)
    make("owner-count", f"TARGET={target}", f"NETWORK={network}", f"GIVEN={given}")
    program = BUILD / target / f"owner-{network.name}"
    said = program.with_name(program.name + ".out").read_text().splitlines()
    seen = sum(line.split()[:3:2] == ["w", "0"] for line in said)
    counted: dict[str, int] = {}
    for line in program.with_name(program.name + ".tsv").read_text().splitlines():
        name, instructions, _ = line.split("\t")
        counted[name] = int(instructions)
    text, data, zeroed = subprocess.check_output([SIZES[target], program], text=True).splitlines()[1].split()[:3]
    return seen, counted, (int(text) + int(data), int(data) + int(zeroed))


def table(folder: Path) -> str:
    """Returns the table of the network in `folder` for every target."""
    with TemporaryDirectory() as scratch:
        make_bundle(folder, Path(scratch) / "x.zip", None)
        (test,) = device_tests(open_bundle(Path(scratch) / "x.zip"))
        network = Path(scratch) / test.name
        network.mkdir()
        for place, content in test.files.items():
            if place.startswith("models/"):
                (network / Path(place).name).write_bytes(content)
        rows = []
        for target, _ in SIZES.items():
            seen, counted, (flash, ram) = cost(network, test.stream, target)
            whole, own = sum(counted.values()) / seen / 1e6, counted["ecgkd_model_run"] / seen / 1e6
            parts = ", ".join(f"{name} {value / seen / 1e6:.2f}" for name, value in counted.items() if value > 1e5)
            rows.append(
                f"| {target} | {whole:.2f} | {own:.2f} ({100 * own / whole:.0f} %) | {flash:,} | {ram:,} | {parts} |"
            )
    head = "| target | whole path, million instructions a window | of it the network | flash, B | RAM, B | parts |"
    return "\n".join([head, "| --- | --- | --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
