import importlib
import json

import pytest
import typer
from typer.testing import CliRunner

from ecgkd.errors import DataError, UsageError


@pytest.fixture
def run():
    """Runs `ecgkd report` with these words and returns what it printed on stdout."""
    app = typer.Typer()
    app.callback()(lambda: None)
    importlib.import_module("ecgkd.cli.report").register(app)

    def call(*words: str) -> str:
        result = CliRunner().invoke(app, ["report", *words], catch_exceptions=False, standalone_mode=False)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    return call


def test_the_page_stands_in_the_folder_and_json_names_it(run, demo):
    document = json.loads(run(str(demo), "--json"))
    assert document["report"] == str(demo / "report.html")
    assert document["written"]
    assert (demo / "report.html").stat().st_size == document["bytes"]
    assert "Evidence" in document["sections"]


def test_the_page_can_go_elsewhere_and_nothing_else_is_left(run, demo, tmp_path):
    run(str(demo), "--out", str(tmp_path / "out" / "page.html"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["page.html"]
    assert not (demo / "report.html").exists()


def test_a_dry_run_writes_nothing(run, demo):
    assert not json.loads(run(str(demo), "--json", "--dry-run"))["written"]
    assert not (demo / "report.html").exists()


def test_without_a_folder_it_takes_the_newest_run(run, demo, monkeypatch):
    monkeypatch.chdir(demo)
    assert json.loads(run("--json"))["report"].endswith("report.html")
    assert len(list(demo.glob("runs/*/*/report.html"))) == 1


def test_without_any_run_it_says_what_to_name(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no finished run"):
        run()


def test_a_broken_part_leaves_no_page(run, demo):
    (demo / "bench.json").write_text("{")
    with pytest.raises(DataError, match=r"bench\.json"):
        run(str(demo))
    assert not (demo / "report.html").exists()


def test_a_folder_is_no_place_for_the_page(run, demo):
    with pytest.raises(UsageError, match="is a folder"):
        run(str(demo), "--out", str(demo / "export"))
