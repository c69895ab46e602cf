"""Writes initramfs archives: the kernel's "newc" cpio, without root and without device nodes on this machine.

Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat
import tarfile
from collections.abc import Callable
from typing import BinaryIO

CHARACTER = stat.S_IFCHR | 0o600


class CpioWriter:
    """Appends files, folders, links and character devices; everything belongs to root."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self._number = 0

    def folder(self, name: str, mode: int = 0o755) -> None:
        self._entry(name, stat.S_IFDIR | mode)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def character(self, name: str, major: int, minor: int) -> None:
        self._entry(name, CHARACTER, device=(major, minor))

    def close(self) -> None:
        """Writes the trailer and pads to 512 bytes, so that another archive may follow."""
        self._entry("TRAILER!!!", 0)
        self.out.write(bytes(-self.out.tell() % 512))

    def _entry(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._number += 1
        path = name.encode() + b"\0"
        fields = (self._number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        self.out.write(header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4))


def add_tar(writer: CpioWriter, tar: tarfile.TarFile, wanted: Callable[[str], bool]) -> None:
    """Copies the members of `tar` whose path (no leading `./`) is `wanted`; hard links become copies."""
    for member in tar:
        name = member.name.removeprefix("./").strip("/")
        if not name or name == "." or not wanted(name):
            continue
        if member.isdir():
            writer.folder(name, member.mode)
        elif member.issym():
            writer.link(name, member.linkname)
        elif member.isfile() or member.islnk():
            content = tar.extractfile(member)
            writer.file(name, content.read() if content else b"", member.mode)
