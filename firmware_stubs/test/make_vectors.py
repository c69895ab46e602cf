"""Writes vectors/<op>_<case>.h: what every kernel must give, from the integer simulation of TFLite's reference kernels.

python firmware_stubs/test/make_vectors.py            compares the stored files with what would be written; exit 1
python firmware_stubs/test/make_vectors.py --regold   writes them
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / "vectors"
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "export"), str(Path(__file__).resolve().parent)]

from vector_cases import every_case  # noqa: E402
from vector_text import Case, text  # noqa: E402

HEAD = "/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy {} */\n"


def files() -> Iterator[tuple[str, str]]:
    """Yields name and text of every file."""
    cases: list[Case] = list(every_case())
    head = HEAD.format(np.__version__)
    for case in cases:
        yield f"{case.name}.h", head + text(case)
    includes = "".join(f'#include "{case.name}.h"\n' for case in cases)
    rows = "".join(f"    &case_{case.name},\n" for case in cases)
    yield "all.h", f"{head}{includes}\nstatic const case_t *const cases[] = {{\n{rows}}};\n"


def differences() -> list[str]:
    """Returns which stored files are not what would be written: changed, absent, or nobody's."""
    expected = dict(files())
    stored = {path.name: path.read_text() for path in FOLDER.glob("*.h")}
    return sorted(name for name in expected.keys() | stored.keys() if expected.get(name) != stored.get(name))


def main() -> int:
    if "--regold" in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for path in FOLDER.glob("*.h"):
            path.unlink()
        for name, content in files():
            (FOLDER / name).write_text(content)
        return 0
    wrong = differences()
    for name in wrong:
        print(f"{FOLDER / name} is not what the simulation gives; --regold writes it anew", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
