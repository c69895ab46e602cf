"""What the pages tell engineers to write compiles."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
JAVA = """import org.ecgkd.OwnerCheck;

class App {
    private static void keep(byte[] template) { }
    private static byte[] kept() { return new byte[0]; }
    private static void stayUnlocked() { }
    private static void show(String activity, double odds) { }

    static void day(byte[] deviceKey, int[] microvolts, int n) {
%s
    }
}
"""


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(
    ("page", "name"),
    [("docs/firmware-api.md", "deit_nano_4s_250hz_int8"), ("README.md", "deit_micro_4s_250hz_int8")],
)
def test_a_page_shows_c_that_compiles(compile_owner, tmp_path, compiler, page, name):
    model = f'#include "ecgkd_nn.h"\n#define {name.upper()}_ARENA_SIZE 20000\nextern const ecgkd_model_t {name};\n'
    decision = f'#include "ecgkd.h"\nextern const ecgkd_decision_t {name}_decision;\n'
    (tmp_path / f"{name}.h").write_text(model)
    (tmp_path / f"{name}_decision.h").write_text(decision)
    declared = "void setup(void);\nvoid sensor_interrupt(int32_t microvolts);\nbool is_the_owner(void);\n"
    (tmp_path / "app.c").write_text(
        block(page, "c").replace("static int32_t ring", f"{declared}static int32_t ring", 1)
    )
    includes = (f"-I{tmp_path}", f"-I{ROOT / 'firmware_stubs' / 'include'}", "-c", "-Wmissing-prototypes")
    compile_owner(tmp_path / "app.o", [tmp_path / "app.c"], includes, compiler=compiler, whole=False)


APP = """#include "ecgkd.h"
#include "signal.h"
#define NAME_EMBEDDING_SIZE 64
#define NAME_ACTIVITY_SIZE 5
extern const ecgkd_model_t name;
extern ecgkd_t watch;
extern uint8_t arena[10000];
void show(const char *activity, int32_t margin);
void look(const int32_t *rings[3], uint32_t length, uint32_t start);
bool at_rest(void);
"""


def test_the_other_c_of_the_page_compiles(compile_owner, tmp_path):
    page = (ROOT / "docs" / "firmware-api.md").read_text()
    _, *others = re.findall(r"```c\n(.*?)```", page, re.DOTALL)
    (tmp_path / "app.c").write_text(APP + "".join(others))

    assert len(others) == 2
    compile_owner(tmp_path / "app.o", [tmp_path / "app.c"], ("-c", "-Wmissing-prototypes"), whole=False)


@pytest.mark.parametrize("page", ["docs/firmware-api.md", "README.md"])
def test_a_page_shows_java_that_compiles(tmp_path, page):
    javac = shutil.which("javac")
    if javac is None:
        pytest.skip("no javac: make arm-tools")
    (tmp_path / "App.java").write_text(JAVA % block(page, "java"))
    source = ROOT / "firmware_stubs" / "android" / "java" / "org" / "ecgkd" / "OwnerCheck.java"
    made = subprocess.run(
        [javac, "-Xlint:all", "-Werror", "-d", tmp_path, tmp_path / "App.java", source], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
