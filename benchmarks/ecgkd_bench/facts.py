"""What boards and phones print about themselves, as values. Unknown or missing is None, never zero."""

import re

THROTTLED_NOW = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
"""Bits of `vcgencmd get_throttled` that hold now. Source: Raspberry Pi documentation, "vcgencmd"."""

THERMAL_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Source: Android documentation, PowerManager.THERMAL_STATUS_*."""


def throttled_pi(text: str | None) -> tuple[str, ...] | None:
    """Returns what holds a Raspberry Pi back now, from `vcgencmd get_throttled`; empty where nothing does."""
    found = re.fullmatch(r"throttled=0x([0-9a-fA-F]+)", (text or "").strip())
    if not found:
        return None
    bits = int(found[1], 16)
    return tuple(name for bit, name in THROTTLED_NOW.items() if bits >> bit & 1)


def temperature_pi(text: str | None) -> float | None:
    """Returns °C from `vcgencmd measure_temp`."""
    return _number(r"temp=(-?[0-9.]+)'C", text)


def clock_pi(text: str | None) -> float | None:
    """Returns the measured MHz from `vcgencmd measure_clock arm`; 0 is the answer of a clock it does not know."""
    hertz = _number(r"frequency\([0-9]+\)=([0-9]+)", text)
    return hertz / 1e6 if hertz else None


def power_pi(text: str | None) -> float | None:
    """Returns W drawn through the rails of a Raspberry Pi 5, from `vcgencmd pmic_read_adc`: the sum of volts times
    amperes of every rail that shows both.
    """
    found = re.findall(r"^\s*(\w+)_([AV]) (?:current|volt)\(\d+\)=([0-9.]+)[AV]\s*$", text or "", re.MULTILINE)
    amperes = {rail: float(value) for rail, unit, value in found if unit == "A"}
    volts = {rail: float(value) for rail, unit, value in found if unit == "V"}
    rails = amperes.keys() & volts.keys()
    return sum(amperes[rail] * volts[rail] for rail in rails) if rails else None


def properties(text: str | None) -> dict[str, str]:
    """Returns Android's properties from `getprop`; empty values are left out."""
    return dict(re.findall(r"^\[([^]]+)\]: \[(.+)\]\s*$", text or "", re.MULTILINE))


def battery(text: str | None) -> dict[str, float | bool | None]:
    """Returns `level` (share), `temperature_c`, `voltage_v`, `charge_c` (coulombs left) and `charging` from
    `dumpsys battery`.

    A temperature, voltage or charge counter of 0 is what a device without that sensor prints.
    """
    fields = dict(re.findall(r"^\s*([^:\n]+):[ \t]*(\S+)\s*$", text or "", re.MULTILINE))
    level, scale, temperature, voltage = (_float(fields.get(k)) for k in ("level", "scale", "temperature", "voltage"))
    counter = _float(fields.get("Charge counter"))
    powered = [value == "true" for name, value in fields.items() if name.endswith(" powered")]
    return {
        "level": level / scale if level is not None and scale else None,
        "temperature_c": temperature / 10 if temperature else None,
        "voltage_v": voltage / 1000 if voltage else None,
        "charge_c": counter * 3600e-6 if counter else None,
        "charging": any(powered) if powered else None,
    }


def thermal_status(text: str | None) -> str | None:
    """Returns Android's thermal status in words, from `dumpsys thermalservice`."""
    status = _number(r"^\s*Thermal Status: ([0-9]+)", text)
    return THERMAL_STATUS[int(status)] if status is not None and status < len(THERMAL_STATUS) else None


def thermal_zones(text: str | None) -> dict[str, float]:
    """Returns °C by sensor, as the hardware reports them now, from `dumpsys thermalservice`.

    Sensors that show 0 or NaN are not fitted, and cached values are old: both are left out.
    """
    _, _, current = (text or "").partition("Current temperatures from HAL:")
    current = current.partition("Current cooling devices")[0]
    found = re.findall(r"Temperature\{mValue=([^,]+), mType=[^,]+, mName=([^,]+),", current)
    values = {name: _float(value) for value, name in found}
    return {name: value for name, value in values.items() if value and value == value}


def _number(pattern: str, text: str | None) -> float | None:
    found = re.search(pattern, text or "", re.MULTILINE)
    return _float(found[1]) if found else None


def _float(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
