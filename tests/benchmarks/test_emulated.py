"""The emulated system: how it is laid, without QEMU; the machine itself is tested in test_emulated_devices.py."""

import io
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from ecgkd_bench.emulated.boot import Board, _command, boot
from ecgkd_bench.emulated.cpio import CpioWriter, add_tar
from ecgkd_bench.emulated.environment import PYTHON, environment
from ecgkd_bench.emulated.system import MODULES, System, pack
from ecgkd_bench.errors import DeviceError


def _tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(data)
            member.mode = 0o755
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("./usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, "python3.11"
        tar.addfile(link)
    return path


def _listed(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """Returns mode and content by name; reads the format a second time, from its description."""
    entries: dict[str, tuple[int, bytes]] = {}
    at = 0
    while archive[at : at + 6] == b"070701":
        fields = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 109 + length].decode()
        start = (at + 110 + length + 3) // 4 * 4
        entries[name] = (mode, archive[start : start + size])
        at = (start + size + 3) // 4 * 4
    return entries


def test_an_archive_holds_what_was_put_in(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = CpioWriter(out)
    writer.folder("etc", 0o700)
    writer.file("etc/odd name", b"12345", 0o600)
    writer.link("bin/sh", "dash")
    writer.character("dev/null", 1, 3)
    writer.close()
    assert out.tell() % 512 == 0
    assert _listed(out.getvalue()) == {
        "etc": (0o40700, b""),
        "etc/odd name": (0o100600, b"12345"),
        "bin/sh": (0o120777, b"dash"),
        "dev/null": (0o20600, b""),
        "TRAILER!!!": (0, b""),
    }


@pytest.mark.skipif(shutil.which("cpio") is None, reason="needs cpio; apt install cpio")
def test_the_real_cpio_reads_it(tmp_path: Path) -> None:
    with (tmp_path / "x.cpio").open("wb") as out:
        writer = CpioWriter(out)
        writer.file("a", b"one")
        writer.file("b", b"")
        writer.close()
    archive = (tmp_path / "x.cpio").read_bytes()
    listed = subprocess.run(["cpio", "-t"], input=archive, capture_output=True, check=True)
    assert listed.stdout == b"a\nb\n"


def test_only_wanted_members_of_a_tar_are_taken(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = CpioWriter(out)
    with tarfile.open(_tar(tmp_path / "x.tar", {"usr/bin/a": b"a", "usr/share/doc/a": b"b"})) as tar:
        add_tar(writer, tar, lambda name: not name.startswith("usr/share"))
    assert list(_listed(out.getvalue())) == ["usr/bin/a", "usr/bin/python3"]


def test_the_system_has_its_kernel_modules_and_no_others(tmp_path: Path) -> None:
    folder = "lib/modules/6.1-arm64/kernel/drivers"
    modules = [f"{folder}/virtio/{one}" for one in MODULES if "/" not in one]
    modules += [f"{folder}/{one}" for one in MODULES if "/" in one]
    files = dict.fromkeys((*modules, f"{folder}/sound/big.ko"), b"module")
    files |= {"boot/vmlinuz-6.1-arm64": b"kernel", "bin/dash": b"dash", "usr/share/man/x": b"x", "var/lib/x": b"x"}
    system = System(tmp_path / "vmlinuz", tmp_path / "initramfs.cpio")
    pack(_tar(tmp_path / "x.tar", files), system)
    listed = _listed(system.initramfs.read_bytes())
    assert system.kernel.read_bytes() == b"kernel"
    assert listed["bin/sh"] == (0o120777, b"dash")
    assert [name for name in listed if name.endswith(".ko")] == modules
    assert listed["etc/modules"][1].decode().split() == [f"/{name}" for name in sorted(modules, key=_order)]
    assert "usr/share/man/x" not in listed
    assert listed["etc/shadow"][0] == 0o100600
    assert listed["init"][1].startswith(b"#!/bin/busybox sh\n")


def _order(name: str) -> int:
    return next(i for i, module in enumerate(MODULES) if name.endswith(f"/{module}"))


def test_the_machine_is_reached_from_this_machine_only(tmp_path: Path) -> None:
    system = System(Path("vmlinuz"), Path("initramfs"))
    command = _command(system, tmp_path, Board(cpu="cortex-a76", icount=True), {1001: 22, 1002: 5555})
    network = command[command.index("-netdev") + 1]
    assert "hostfwd=tcp:127.0.0.1:1001-:22,hostfwd=tcp:127.0.0.1:1002-:5555" in network
    assert "restrict=on" in network
    assert command[command.index("-cpu") + 1] == "cortex-a76"
    assert command[command.index("-icount") + 1] == "shift=0"
    assert command[command.index("-append") + 1].endswith(" ecgkd.clock=instructions")


def test_a_missing_emulator_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"qemu-system-aarch64 is missing.*apt install qemu-system-arm"):
        boot(System(tmp_path / "k", tmp_path / "i"))


def test_the_environment_is_what_setup_would_lay(tmp_path: Path) -> None:
    wheel = tmp_path / "numpy-2.0-cp311-cp311-x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("numpy/__init__.py", "x = 1\n")
    listed = _listed(environment([wheel]))
    folder = f"root/.cache/ecgkd-bench/{PYTHON.environment}"
    assert listed[f"{folder}/wheels.txt"][1] == b"numpy-2.0-cp311-cp311-x.whl\n"
    assert listed[f"{folder}/lib/python3.11/site-packages/numpy/__init__.py"] == (0o100755, b"x = 1\n")
    assert listed[f"{folder}/bin/python"] == (0o120777, b"/usr/bin/python3.11")
    assert list(listed).index(folder) < list(listed).index(f"{folder}/wheels.txt")
