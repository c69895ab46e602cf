"""What real boards and phones print, as documented; each fixture names its source."""

import pytest

from ecgkd_bench import facts

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled: the bits; 0x50005 is the example of
# https://forum.libreelec.tv/thread/17860-how-to-interpret-rpi-vcgencmd-get-throttled
THROTTLED = "throttled=0x50005\n"

# Samsung A52 5G, Android 12: https://android.stackexchange.com/questions/246774 (shortened)
THERMALSERVICE = """\
IsStatusOverride: false
Thermal Status: 0
Cached temperatures:
        Temperature{mValue=99.0, mType=3, mName=LRB, mStatus=0}
HAL Ready: true
Current temperatures from HAL:
        Temperature{mValue=25.6, mType=0, mName=AP, mStatus=0}
        Temperature{mValue=23.8, mType=2, mName=BAT, mStatus=0}
        Temperature{mValue=0.0, mType=2, mName=SUBBAT, mStatus=0}
        Temperature{mValue=NaN, mType=4, mName=USB, mStatus=0}
Current cooling devices from HAL:
Temperature static thresholds from HAL:
"""

# A phone charging over USB: https://gh0st.tistory.com/6 (shortened)
BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Charge counter: 0
  status: 2
  level: 84
  scale: 100
  voltage: 4063
  temperature: 326
  technology: Li-ion
"""

# The form that `getprop` prints: https://developer.android.com/tools/adb and AOSP, toolbox/getprop
GETPROP = """\
[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 4]
[ro.build.version.release]: [13]
[ro.serialno]: []
"""


def test_a_pi_says_what_holds_it_back_now_and_not_what_once_did() -> None:
    assert facts.throttled_pi(THROTTLED) == ("under-voltage", "throttled")
    assert facts.throttled_pi("throttled=0x50000") == ()


@pytest.mark.parametrize("text", [None, "", "VCHI initialization failed", "throttled=", "throttled=0x5z"])
def test_an_answer_of_a_pi_that_is_none_is_absent(text: str | None) -> None:
    assert facts.throttled_pi(text) is None
    assert facts.temperature_pi(text) is None
    assert facts.clock_pi(text) is None


def test_a_pi_shows_its_temperature_and_the_clock_that_it_really_has() -> None:
    assert facts.temperature_pi("temp=43.8'C\n") == 43.8
    assert facts.clock_pi("frequency(48)=700154304\n") == pytest.approx(700.154304)
    assert facts.clock_pi("frequency(0)=0\n") is None


def test_a_phone_shows_current_temperatures_of_the_sensors_it_has() -> None:
    assert facts.thermal_zones(THERMALSERVICE) == {"AP": 25.6, "BAT": 23.8}
    assert facts.thermal_status(THERMALSERVICE) == "none"
    assert facts.thermal_status("Thermal Status: 3\n") == "severe"


def test_a_battery_is_read_in_volts_and_degrees() -> None:
    shown = facts.battery(BATTERY)
    assert (shown["charge_c"], shown["charging"]) == (None, True)
    assert (shown["level"], shown["temperature_c"], shown["voltage_v"]) == pytest.approx((0.84, 32.6, 4.063))
    assert facts.battery("  Charge counter: 2150000\n")["charge_c"] == pytest.approx(7740)


@pytest.mark.parametrize("text", [None, "", "Can't find service: battery\n", "  temperature: 0\n  voltage: 0\n"])
def test_a_phone_that_shows_nothing_gives_absent_values_and_not_zeros(text: str | None) -> None:
    assert set(facts.battery(text).values()) == {None}
    assert facts.thermal_status(text) is None
    assert facts.thermal_zones(text) == {}


def test_properties_without_a_value_are_absent() -> None:
    assert facts.properties(GETPROP) == {
        "ro.product.manufacturer": "Google",
        "ro.product.model": "Pixel 4",
        "ro.build.version.release": "13",
    }
    assert facts.properties(None) == {}
