"""`ecgkd evaluate` as users type it, with the shipped network."""

import json
import sys

import pytest

from ecgkd.cli.load import shipped_model


@pytest.fixture
def ecgkd(monkeypatch, capsys, tmp_path):
    """Returns a caller of the command line in a folder of its own: exit code, stdout, stderr."""
    from ecgkd.cli import main

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ecgkd", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    monkeypatch.chdir(tmp_path)
    return call


@pytest.fixture
def given(people, protocol, tmp_path) -> list[str]:
    protocol.save(tmp_path / "p.json")
    return ["evaluate", str(shipped_model()), "--data", str(people.path), "--protocol", str(tmp_path / "p.json")]


def test_results_table_and_plots_come_into_one_folder(ecgkd, given, tmp_path):
    code, out, _ = ecgkd(*given, "--rows", "people.s1-s2", "--bootstrap", "100", "--out", "found", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["notice"].startswith("synthetic")
    assert {one["model"] for one in document["outcomes"]} == {shipped_model().stem, "correlation", "LDA"}
    assert json.loads((tmp_path / "found" / "results.json").read_text())["outcomes"] == document["outcomes"]
    assert "| LDA |" in (tmp_path / "found" / "table.md").read_text()
    assert (tmp_path / "found" / "plots" / "people.s1-s2.det.svg").is_file()


def test_without_baselines_and_folder_the_table_is_printed(ecgkd, given, tmp_path):
    code, out, err = ecgkd(*given, "--rows", "people.s1-s2", "--bootstrap", "100", "--no-baselines", "--robustness")
    assert (code, err) == (0, "")
    assert "LDA" not in out
    assert "noise em, synthesised" in out
    assert [path.name for path in tmp_path.iterdir()] == ["p.json"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--rows", "nothing"], "no row 'nothing'"),
        (["--noise", "x.npz"], "add --robustness"),
        (["--rows", "people.s1-s2", "--robustness", "--noise", "PEOPLE"], "bw, em, ma"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(ecgkd, given, people, more, words):
    arguments = [str(people.path) if one == "PEOPLE" else one for one in more]
    code, out, err = ecgkd(*given, "--bootstrap", "100", "--no-baselines", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
