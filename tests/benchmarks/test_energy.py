"""Energy: found where a device meters it, absent elsewhere."""

import time
from pathlib import Path

import pytest

from ecgkd_bench import energy, facts
from ecgkd_bench.machine import Tool

# The form that `vcgencmd pmic_read_adc` of a Raspberry Pi 5 prints (shortened), as projects quote it that read real
# boards: the Home Assistant integration pi5_power_monitor (an idle Pi 5) has all 25 lines among its test fixtures.
PMIC = """\
     3V3_SYS_A current(1)=0.06441045A
    VDD_CORE_A current(7)=2.01540000A
     3V3_SYS_V volt(9)=3.31331300V
    VDD_CORE_V volt(15)=0.72163700V
       EXT5V_V volt(24)=5.14875000V
        BATT_V volt(25)=0.00000000V
"""


def _printed(answers: dict[str, str]) -> Tool:
    return lambda *command: answers.get(" ".join(command))


def test_a_pi_5_shows_the_power_of_the_rails_whose_current_it_measures() -> None:
    assert facts.power_pi(PMIC) == pytest.approx(0.06441045 * 3.313313 + 2.0154 * 0.721637)


@pytest.mark.parametrize("text", [None, "", 'error=1 error_msg="Command not registered"', "EXT5V_V volt(24)=5.1V"])
def test_a_board_that_measures_no_current_shows_no_power(text: str | None) -> None:
    assert facts.power_pi(text) is None


def test_a_machine_without_a_meter_has_none(tmp_path: Path) -> None:
    assert energy.find(tmp_path, _printed({})) is None


def test_meters_are_found_the_one_that_tells_most_first(tmp_path: Path) -> None:
    battery = {"dumpsys battery": "  USB powered: false\n  Charge counter: 2150000\n  voltage: 4000\n"}
    found = energy.find(tmp_path, _printed(battery))
    assert found is not None
    assert (found.source, found.joules and found.joules()) == ("battery", pytest.approx(-2.15 * 3600 * 4))
    assert getattr(energy.find(tmp_path, _printed({**battery, "vcgencmd pmic_read_adc": PMIC})), "source", "") == "pmic"
    (tmp_path / energy.RAPL).mkdir(parents=True)
    (tmp_path / energy.RAPL / "energy_uj").write_text("5000000\n")
    found = energy.find(tmp_path, _printed(battery))
    assert found is not None
    assert (found.source, found.joules and found.joules()) == ("rapl", 5.0)


def test_a_phone_that_charges_shows_no_energy(tmp_path: Path) -> None:
    charging = "  USB powered: true\n  Charge counter: 2150000\n  voltage: 4000\n"
    assert energy.find(tmp_path, _printed({"dumpsys battery": charging})) is None


def test_energy_of_an_inference_is_what_the_meter_counts_above_idle() -> None:
    drawn = [0.0]
    started = time.perf_counter()

    def joules() -> float:
        return drawn[0] + 2.0 * (time.perf_counter() - started)  # 2 W at rest

    def run() -> None:
        drawn[0] += 0.01
        time.sleep(0.002)

    measured = energy.measure(run, 0.3, energy.Meter("rapl", joules=joules))
    assert measured is not None
    assert measured["idle_watts"] == pytest.approx(2.0, rel=0.1)
    assert measured["joules_per_inference"] == pytest.approx(0.01, rel=0.1)


def test_a_meter_that_stands_still_gives_no_figure() -> None:
    assert energy.measure(lambda: None, 0.05, energy.Meter("battery", joules=lambda: 7.0)) is None
