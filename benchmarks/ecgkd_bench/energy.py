"""Energy, where the device itself meters it: a battery's charge counter, a power chip, a processor's counter.

A meter is never assumed: without one there is no figure. Nothing here works while a phone charges.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecgkd_bench import facts
from ecgkd_bench.machine import Tool, number, tool

SAMPLE_SECONDS = 0.5
"""Between two readings of a meter that shows power."""
RAPL = "sys/class/powercap/intel-rapl:0"
BATTERY = "sys/class/power_supply/battery"


@dataclass(frozen=True)
class Meter:
    """Something that shows energy in joules, counting up, or power in watts."""

    source: str
    joules: Callable[[], float | None] | None = None
    watts: Callable[[], float | None] | None = None


def find(root: Path = Path("/"), run: Tool = tool) -> Meter | None:
    """Returns the meter of this machine that tells most, or None where it shows none."""

    def rapl() -> float | None:
        return number(root / RAPL / "energy_uj", 1e-6)

    def pmic() -> float | None:
        return facts.power_pi(run("vcgencmd", "pmic_read_adc"))

    def battery() -> float | None:
        return battery_joules(root, run)

    if rapl() is not None:
        return Meter("rapl", joules=rapl)
    if pmic() is not None:
        return Meter("pmic", watts=pmic)
    if battery() is not None:
        return Meter("battery", joules=battery)
    return None


def battery_joules(root: Path = Path("/"), run: Tool = tool) -> float | None:
    """Returns what was drawn from the battery, J, counting up from an arbitrary start; None while it charges."""
    shown = facts.battery(run("dumpsys", "battery"))
    charge = number(root / BATTERY / "charge_counter", 1e-6 * 3600)  # µAh, in coulombs
    volts = number(root / BATTERY / "voltage_now", 1e-6)
    charge = shown["charge_c"] if charge is None else charge
    volts = shown["voltage_v"] if volts is None else volts
    if charge is None or volts is None or shown["charging"]:
        return None
    return -charge * volts


def measure(run: Callable[[], Any], seconds: float, meter: Meter | None = None) -> dict[str, Any] | None:
    """Returns what the meter shows with nothing running and with `run` without a pause; None without a meter.

    None too where the meter stood still: its steps are larger than what was drawn.
    """
    meter = meter or find()
    if meter is None:
        return None
    run()
    idle = _power(meter, lambda: time.sleep(0.05), seconds)
    busy = _power(meter, run, seconds)
    if idle is None or busy is None:
        return None
    runs, watts = busy[0], busy[1]
    if watts <= idle[1]:
        return None
    return {
        "source": meter.source,
        "seconds": seconds,
        "idle_watts": idle[1],
        "busy_watts": watts,
        "joules_per_inference": (watts - idle[1]) * busy[2] / runs,
    }


def _power(meter: Meter, run: Callable[[], Any], seconds: float) -> tuple[int, float, float] | None:
    """Returns how often `run` ran in `seconds`, the mean power, W, and the time that it really took, s."""
    samples: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while meter.watts and not over.wait(SAMPLE_SECONDS):
            if (shown := meter.watts()) is not None:
                samples.append(shown)

    thread = threading.Thread(target=sample, daemon=True)
    first = meter.joules() if meter.joules else None
    start = time.perf_counter()
    thread.start()
    runs = 0
    while time.perf_counter() - start < seconds:
        run()
        runs += 1
    took = time.perf_counter() - start
    over.set()
    thread.join()
    if meter.watts:
        return (runs, sum(samples) / len(samples), took) if samples else None
    last = meter.joules() if meter.joules else None
    if first is None or last is None or last <= first:  # a counter that began again counts as none
        return None
    return runs, (last - first) / took, took
