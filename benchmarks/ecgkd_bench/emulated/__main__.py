"""`python -m ecgkd_bench.emulated [lay|boot]`: lays the emulated system, or boots it until interrupted."""

import argparse
import signal
import sys
import time

from ecgkd_bench.emulated.boot import Board, boot
from ecgkd_bench.emulated.system import lay
from ecgkd_bench.errors import BenchError


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ecgkd_bench.emulated", description=__doc__)
    parser.add_argument("action", choices=("lay", "boot"))
    parser.add_argument("--mirror", help="a Debian mirror; without it, the one of this machine's apt")
    parser.add_argument("--cpu", default=Board.cpu, help="what QEMU models: cortex-a53, cortex-a76, max, …")
    parser.add_argument("--cores", type=int, default=Board.cores)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        start = time.monotonic()
        system = lay(options.mirror, _say)
        _say(f"{system.initramfs.parent} ({time.monotonic() - start:.0f} s)")
        if options.action == "lay":
            return
        with boot(system, Board(cpu=options.cpu, cores=options.cores)) as machine:
            _say(f"booted in {machine.boot_seconds:.1f} s; end it with Ctrl-C. Reach it with")
            _say(f"  ssh -F {machine.ssh_config} -p {machine.ssh_port} root@127.0.0.1")
            _say(
                f"  ecgkd bench MODEL --device ssh:root@127.0.0.1:{machine.ssh_port} --ssh-config {machine.ssh_config}"
            )
            _say(f"  ecgkd bench MODEL --device adb:127.0.0.1:{machine.adb_port}")
            machine.process.wait()
    except KeyboardInterrupt:
        sys.exit(130)
    except BenchError as error:
        _say(f"error: {error}")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
