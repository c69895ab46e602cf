"""Lays Debian's arm64 system into a cache folder: a kernel and an initramfs. Runs no foreign code."""

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd_bench.emulated.cpio import CpioWriter, add_tar
from ecgkd_bench.errors import DeviceError

SUITE = "bookworm"
PACKAGES = (
    "linux-image-cloud-arm64",
    "dash",
    "busybox-static",
    "openssh-server",
    "adbd",
    "python3-minimal",
    "libpython3-stdlib",
    "libstdc++6",
)
PREFERENCES = f"Package: src:android-platform-tools\nPin: release n={SUITE}-backports\nPin-Priority: 600\n"
"""Debian has adbd in the backports only."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
INIT = Path(__file__).with_name("init.sh")
MODULES = (
    "virtio_ring.ko",
    "virtio/virtio.ko",
    "virtio_mmio.ko",
    "core/failover.ko",
    "net_failover.ko",
    "virtio_net.ko",
)
"""In the order of loading."""
DROPPED = (
    "boot/",
    "dev/",
    "usr/share/",
    "usr/lib/klibc/",
    "usr/lib/linux-image-",
    "lib/udev/",
    "lib/systemd/",
    "usr/bin/perl",
    "usr/lib/aarch64-linux-gnu/perl",
    "var/",
)
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nsshd:x:74:74::/run/sshd:/usr/sbin/nologin\n"
    "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nsshd:x:74:\nshell:x:2000:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nsshd:!:19000::::::\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}

Tell = Callable[[str], None]


@dataclass(frozen=True)
class System:
    """What QEMU starts."""

    kernel: Path
    initramfs: Path


def cache_folder() -> Path:
    """Returns where emulated systems are kept: the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecgkd" / "emulated"


def lay(mirror: str | None = None, tell: Tell = lambda text: None) -> System:
    """Returns the system, laid now where the cache does not hold it (a minute; 60 MB from the Debian mirror).

    `mirror`: address of a Debian mirror; without it, the one of this machine's own apt.
    Raises: DeviceError where a tool is missing or the packages cannot be had.
    """
    recipe = "\n".join((SUITE, *PACKAGES, PREFERENCES, *MODULES, *DROPPED, *ACCOUNTS.values(), INIT.read_text()))
    folder = cache_folder() / f"arm64-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    system = System(folder / "vmlinuz", folder / "initramfs.cpio")
    if folder.is_dir():
        return system
    if shutil.which("mmdebstrap") is None:
        raise DeviceError("mmdebstrap is missing, needed once to lay the emulated system; apt install mmdebstrap")
    address = mirror or apt_mirror()
    tell(f"laying Debian {SUITE} arm64 from {address} into {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".laying-") as unfinished:
        tar = Path(unfinished) / "root.tar"
        _download(address, Path(unfinished), tar)
        done = Path(unfinished) / "done"
        done.mkdir()
        pack(tar, System(done / system.kernel.name, done / system.initramfs.name))
        try:
            done.rename(folder)
        except OSError:  # another process laid it meanwhile
            if not folder.is_dir():
                raise
    return system


def apt_mirror() -> str:
    """Returns the Debian mirror that this machine's apt uses. Raises: DeviceError where it uses none."""
    command = ("apt-get", "indextargets", "--format", "$(REPO_URI)|$(CODENAME)|$(ORIGIN)", "Created-By: Packages")
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        listed = ""
    for line in listed.splitlines():
        address, codename, origin = (*line.split("|"), "", "")[:3]
        if origin == "Debian" and not codename.endswith("-security"):
            return address
    raise DeviceError(
        "this machine's apt knows no Debian mirror; name one, such as --mirror http://deb.debian.org/debian"
    )


def pack(tar: Path, system: System) -> None:
    """Turns the extracted packages in `tar` into the kernel and the initramfs."""
    with tarfile.open(tar) as packages:
        names = [member.name.removeprefix("./") for member in packages]
        kernel = next(name for name in names if name.startswith("boot/vmlinuz-"))
        modules = [next(name for name in names if name.endswith(f"/{module}")) for module in MODULES]
        with packages.extractfile(f"./{kernel}") as image:  # type: ignore[union-attr]
            system.kernel.write_bytes(image.read())

        def wanted(name: str) -> bool:
            if name.startswith("lib/modules/"):
                return name in modules or (not name.endswith(".ko") and "/modules." not in name)
            return not f"{name}/".startswith(DROPPED) and name not in ("bin/sh", "init")

        with system.initramfs.open("wb") as out:
            writer = CpioWriter(out)
            for name in (
                ".",
                "dev",
                "proc",
                "sys",
                "run",
                "var",
                "var/tmp",
                "root",
                "bin",
                "usr",
                "usr/local",
                "usr/local/bin",
                "etc",
            ):
                writer.folder(name)
            writer.folder("root/.ssh", 0o700)
            writer.character("dev/console", 5, 1)
            writer.character("dev/null", 1, 3)
            add_tar(writer, packages, wanted)
            writer.link("bin/sh", "dash")
            for name, text in {**ACCOUNTS, "etc/modules": "\n".join(f"/{name}" for name in modules)}.items():
                writer.file(name, text.encode(), 0o600 if name == "etc/shadow" else 0o644)
            writer.file("init", INIT.read_bytes(), 0o755)
            writer.close()


def _download(address: str, folder: Path, tar: Path) -> None:
    signed = f"[signed-by={KEYRING}] " if KEYRING.is_file() else ""
    sources, preferences = folder / "sources.list", folder / "preferences"
    sources.write_text("".join(f"deb {signed}{address} {suite} main\n" for suite in (SUITE, f"{SUITE}-backports")))
    preferences.write_text(PREFERENCES)
    proxy = _apt_proxy()
    options = [f'--aptopt=Dir::Etc::Preferences "{preferences}"']
    options += [f'--aptopt=Acquire::http::Proxy "{proxy}"'] if proxy else []
    command = ["mmdebstrap", "--variant=extract", "--architectures=arm64", *options]
    command += [f"--include={','.join(PACKAGES)}", SUITE, str(tar), str(sources)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "Err:"))]
        raise DeviceError(f"mmdebstrap could not lay the system from {address}: {(lines or ['no word why'])[0][:200]}")


def _apt_proxy() -> str:
    try:
        command = ("apt-config", "--format", "%v", "dump", "Acquire::http::Proxy")
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
