"""What `ecgkd doctor` says of kinds of devices."""

from pathlib import Path

import pytest

from ecgkd import doctor
from ecgkd_bench.devices import parse


def test_every_kind_of_device_is_listed_and_is_one_that_bench_takes() -> None:
    for name in doctor.KINDS:
        parse(name)
    listed = {finding.name for finding in doctor.examine() if finding.group == "devices"}
    assert set(doctor.KINDS) <= listed


def test_a_kind_whose_programs_are_missing_names_them_and_one_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {finding.name: finding for finding in doctor.examine() if finding.group == "devices"}
    assert found["qemu:aarch64"].found == ""
    assert found["qemu:aarch64"].remedy == "lacks qemu-system-aarch64, mmdebstrap, ssh, ssh-keygen; make arm-tools"
    assert found["adb"].remedy == "lacks adb; apt install adb"
    assert found["local"].found.startswith("ready, with onnxruntime")
    assert all(one.optional for one in found.values())
