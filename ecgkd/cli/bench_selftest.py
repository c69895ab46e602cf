"""`ecgkd bench --selftest`: a bundle's golden recordings on a device, from samples to decisions, by its own C."""

from pathlib import Path
from typing import TYPE_CHECKING

from ecgkd.cli.output import emit, ended_like_by_hand, progress, say
from ecgkd.errors import GateError, UsageError

if TYPE_CHECKING:
    from ecgkd_bench.devices import Reach


def run_selftest(path: Path, key: Path | None, device: str, reach: "Reach", dry_run: bool, as_json: bool) -> None:
    """Verifies the bundle at `path` and compares what the device decides with what the bundle keeps.

    Raises: GateError where the bundle is refused or something differs, DeviceError without device or compiler.
    """
    from ecgkd.bundle.device_test import compare, device_tests
    from ecgkd.bundle.selftest import open_bundle
    from ecgkd_bench import owner
    from ecgkd_bench.devices import open_device, parse

    if parse(device).kind == "counted":
        raise UsageError(f"--device {device}: the self-test needs Linux on the device; try qemu:aarch64")
    bundle = open_bundle(path, key)
    try:
        tests = device_tests(bundle)
    except (GateError, UsageError) as error:
        raise type(error)(f"{path}: {error}") from error
    document = {
        "bundle": str(path),
        "device": device,
        "signed_by": bundle.signer.public_key if bundle.signer else None,
        "trusted": bool(bundle.signer and bundle.signer.trusted),
    }
    if dry_run:
        names = ", ".join(f"{test.name}.c" for test in tests)
        emit({**document, "checks": []}, f"would run {names} of {path} on {device}", as_json)
        return
    rows = []
    with ended_like_by_hand(), progress("testing") as tell, open_device(device, reach, say) as transport:
        for number, test in enumerate(tests):
            tell(number, len(tests), test.name)
            rows += compare(test, owner.said(transport, test.name, test.files, test.stream))
    lines = [f"{row['artefact']}, {row['check']}: {row['result']}" for row in rows]
    emit({**document, "checks": rows}, "\n".join(lines), as_json)
    differing = [f"{row['artefact']}, {row['check']}: {row['result']}" for row in rows if row["result"] != "passed"]
    if differing:
        raise GateError(f"{path} on {device}: {'; '.join(differing)}")
