"""What this machine can do, what is missing, and the one command that mends each lack."""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

NEEDS = {
    "core": ("numpy", "scipy", "typer", "rich", "onnxruntime"),
    "data": ("wfdb", "edfio"),
    "train": ("torch", "timm", "lightning-fabric", "pytorch-metric-learning", "safetensors"),
    "export": ("onnx", "onnxscript", "onnxsim", "ml_dtypes"),
    "tflite": ("flatbuffers", "ai-edge-litert", "tflite-runtime"),
    "report": ("matplotlib", "jinja2"),
}
"""Packages by extra."""

TOOLS = {
    "arm-none-eabi-gcc": ("firmware for Cortex-M", "make arm-tools, or apt install gcc-arm-none-eabi"),
    "aarch64-linux-gnu-gcc": ("static runners for 64-bit ARM", "make arm-tools, or apt install gcc-aarch64-linux-gnu"),
    "arm-linux-gnueabihf-gcc": (
        "static runners for 32-bit ARM",
        "make arm-tools, or apt install gcc-arm-linux-gnueabihf",
    ),
    "cc": ("C on this machine", "apt install gcc"),
}
"""Optional programs: what each serves, and how Debian and Ubuntu install it."""

KINDS = {
    "local": ((), ""),
    "ssh:user@host": (("ssh",), "apt install openssh-client"),
    "adb": (("adb",), "apt install adb"),
    "qemu:aarch64": (("qemu-system-aarch64", "mmdebstrap", "ssh", "ssh-keygen"), "make arm-tools"),
    "qemu:armhf": (("qemu-arm", "arm-linux-gnueabihf-gcc", "make", "gcc"), "make arm-tools"),
    "qemu:mps2-an386": (("qemu-system-arm", "arm-none-eabi-gcc", "make", "gcc"), "make arm-tools"),
    "qemu:mps2-an500": (("qemu-system-arm", "arm-none-eabi-gcc", "make", "gcc"), "make arm-tools"),
    "qemu:mps2-an505": (("qemu-system-arm", "arm-none-eabi-gcc", "make", "gcc"), "make arm-tools"),
    "qemu:mps3-an547": (("qemu-system-arm", "arm-none-eabi-gcc", "make", "gcc"), "make arm-tools"),
}
"""What each kind of `ecgkd bench --device` needs on this machine, and what brings all of it."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    group: str
    name: str
    found: str
    """Version or path; empty where it is missing."""
    remedy: str = ""
    optional: bool = False


def _package(extra: str, name: str) -> Finding:
    remedy = "pip install ecgkd" if extra == "core" else f"pip install 'ecgkd[{extra}]'"
    if name == "tflite-runtime" and platform.python_version_tuple()[:2] > ("3", "11"):
        remedy = "has no wheel for this Python; use Python 3.11 for it, or leave it"
    return Finding(extra, name, _version(name), remedy, extra != "core")


def _version(package: str) -> str:
    """Returns the installed version; empty where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _tool(name: str) -> Finding:
    purpose, remedy = TOOLS[name]
    return Finding("tools", f"{name} ({purpose})", shutil.which(name) or "", remedy, True)


def _kind(name: str) -> Finding:
    """Returns whether devices of a kind can be used from here."""
    programs, remedy = KINDS[name]
    missing = [one for one in programs if shutil.which(one) is None]
    found = "" if missing else "ready"
    if name == "local":
        runtimes = [one for one in ("onnxruntime", "ai-edge-litert", "tflite-runtime", "torch") if _version(one)]
        found = f"ready, with {', '.join(runtimes)}" if runtimes else ""
        remedy = "pip install ecgkd"
    return Finding("devices", name, found, f"lacks {', '.join(missing)}; {remedy}" if missing else remedy, True)


def _phones() -> list[Finding]:
    """Returns the phones that the real adb lists; none where adb is missing or does not answer."""
    if shutil.which("adb") is None:
        return []
    try:
        listed = subprocess.run(["adb", "devices"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return [Finding("devices", "adb", "", f"adb does not answer ({error}); try `adb kill-server`", True)]
    rows = [line.split("\t") for line in listed.splitlines()[1:] if "\t" in line]
    remedies = {"unauthorized": "allow this computer on the phone's screen", "offline": "plug the phone in again"}
    return [
        Finding("devices", f"adb:{serial}", state if state == "device" else "", remedies.get(state, state), True)
        for serial, state in rows
    ]


def _machine() -> list[Finding]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    return [
        Finding("machine", "Python", platform.python_version()),
        Finding("machine", "system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        Finding("machine", "processor", f"{model}, {os.cpu_count()} cores"),
        Finding("machine", "free disk here", f"{free:.1f} GB", "free some space" if free < 2 else ""),
    ]


def _accelerator() -> Finding:
    """Returns the graphics card that training would use, asked of the driver so that torch need not be loaded."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found = ""
    return Finding("machine", "NVIDIA GPU", found, "training runs on the CPU without one", True)


def examine() -> list[Finding]:
    """Returns all findings, grouped; changes nothing and loads no heavy package."""
    packages = [_package(extra, name) for extra, names in NEEDS.items() for name in names]
    tools, kinds = (_tool(name) for name in TOOLS), (_kind(name) for name in KINDS)
    return [*_machine(), _accelerator(), *packages, *tools, *kinds, *_phones()]
