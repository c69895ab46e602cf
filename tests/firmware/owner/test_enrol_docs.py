"""What the pages tell engineers to write compiles."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAME = "deit_nano_4s_250hz_int8"
MODEL = f'#include "ecgkd_nn.h"\n#define {NAME.upper()}_ARENA_SIZE 20000\nextern const ecgkd_model_t {NAME};\n'
DECISION = f'#include "ecgkd.h"\nextern const ecgkd_decision_t {NAME}_decision;\n'


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_firmware_page_shows_c_that_compiles(compile_owner, tmp_path, compiler):
    page = (ROOT / "docs" / "firmware-api.md").read_text()
    (tmp_path / f"{NAME}.h").write_text(MODEL)
    (tmp_path / f"{NAME}_decision.h").write_text(DECISION)
    declared = "void setup(void);\nvoid sensor_interrupt(int32_t microvolts);\nbool is_the_owner(void);\n"
    block = re.search(r"```c\n(.*?)```", page, re.DOTALL).group(1)
    (tmp_path / "app.c").write_text(block.replace("static int32_t ring", f"{declared}static int32_t ring", 1))
    includes = (f"-I{tmp_path}", f"-I{ROOT / 'firmware_stubs' / 'include'}", "-c", "-Wmissing-prototypes")
    compile_owner(tmp_path / "app.o", [tmp_path / "app.c"], includes, compiler=compiler, whole=False)
