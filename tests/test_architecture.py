"""The house: which package may import which, read from the source with `ast`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEVELS = (
    ("ecgkd_export",),
    ("ecgkd_bench",),
    ("ecgkd", "ecgkd.errors", "ecgkd.names", "ecgkd.files"),
    ("ecgkd.record", "ecgkd.contract", "ecgkd.config"),
    ("ecgkd.signal", "ecgkd.data", "ecgkd.protocols", "ecgkd.models", "ecgkd.losses", "ecgkd.enrolment"),
    ("ecgkd.training", "ecgkd.evaluation", "ecgkd.bundle"),
    ("ecgkd.report", "ecgkd.doctor", "ecgkd.weights"),
    ("ecgkd.cli",),
)
NO_TORCH = ("ecgkd.signal", "ecgkd.evaluation", "ecgkd.enrolment", "ecgkd.bundle", "ecgkd.protocols", "ecgkd.data")


def sources() -> dict[str, Path]:
    found = {}
    for folder in (ROOT, ROOT / "export", ROOT / "benchmarks"):
        for package in ("ecgkd", "ecgkd_export", "ecgkd_bench"):
            for path in (folder / package).rglob("*.py"):
                name = ".".join(path.relative_to(folder).with_suffix("").parts)
                found[name.removesuffix(".__init__")] = path
    return found


SOURCES = sources()


class _WithoutTypeChecking(ast.NodeTransformer):
    """Takes out `if TYPE_CHECKING:`, whose imports exist for annotations alone and never run."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)


def imports(path: Path, at_run_time: bool = False) -> set[str]:
    """Returns every module that a file imports, inside functions too; names are absolute in this project."""
    names = set()
    tree: ast.AST = ast.parse(path.read_text())
    for node in ast.walk(_WithoutTypeChecking().visit(tree) if at_run_time else tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in SOURCES}
    return names


def level(module: str) -> int:
    matches = [
        (len(prefix), number)
        for number, prefixes in enumerate(LEVELS)
        for prefix in prefixes
        if module == prefix or module.startswith(prefix + ".")
    ]
    return max(matches)[1]


def test_the_three_packages_are_found():
    assert {"ecgkd.cli", "ecgkd_export", "ecgkd_bench"} <= set(SOURCES)


def test_every_module_has_a_place_in_the_house():
    homeless = [m for m in SOURCES if m.startswith("ecgkd.") and m.count(".") == 1 and level(m) == 2]
    assert set(homeless) <= {"ecgkd.errors", "ecgkd.names", "ecgkd.files"}


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_run_one_way(module):
    up = [name for name in imports(SOURCES[module]) if name.startswith("ecgkd") and level(name) > level(module)]
    assert not up, f"{module} imports {up}, which stand above it"


@pytest.mark.parametrize("module", sorted(m for m in SOURCES if m.startswith("ecgkd_export")))
def test_export_knows_neither_ecg_nor_benchmarks(module):
    assert not [n for n in imports(SOURCES[module]) if n.split(".")[0] in ("ecgkd", "ecgkd_bench")]


@pytest.mark.parametrize("module", sorted(m for m in SOURCES if m.startswith("ecgkd_bench")))
def test_benchmarks_know_no_ecg(module):
    assert not [n for n in imports(SOURCES[module]) if n.split(".")[0] == "ecgkd"]


@pytest.mark.parametrize("module", sorted(m for m in SOURCES if not m.startswith("ecgkd.cli")))
def test_only_the_command_line_knows_typer_and_rich(module):
    assert not [n for n in imports(SOURCES[module]) if n.split(".")[0] in ("typer", "rich")]


@pytest.mark.parametrize("module", sorted(m for m in SOURCES if m.startswith(NO_TORCH)))
def test_verification_needs_no_torch(module):
    banned = ("torch", "timm", "lightning_fabric", "ecgkd.models", "ecgkd.losses", "ecgkd.training")
    assert not [n for n in imports(SOURCES[module], at_run_time=True) if n.startswith(banned)]
