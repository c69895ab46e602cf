import json

import pytest
import typer
from typer.testing import CliRunner

from ecgkd.cli.protocol import register
from ecgkd.errors import UsageError
from ecgkd.protocols.protocol import Protocol

app = typer.Typer()
app.callback()(lambda: None)
register(app)


def ecgkd(*words: object):
    return CliRunner().invoke(app, ["protocol", *map(str, words)])


@pytest.fixture
def made(toy_set, tmp_path):
    """Gives a set and a protocol file for it."""
    one, path = toy_set(), tmp_path / "p.json"
    ran = ecgkd("make", one.path, "--kind", "cross-session", "--out", path, "--include-locked", "--json")
    return one, path, ran


def test_make_writes_a_protocol_and_counts_its_people(made):
    one, path, ran = made
    document = json.loads(ran.stdout)
    assert Protocol.load(path).sha256 == document["sha256"]
    assert document["sets"] == {one.name: one.sha256}
    assert document["parts"]["train"] == {"people": 15, "recordings": 60, "windows": 180}
    row = next(row for row in document["rows"] if row["name"] == "toy.s1-s2.locked")
    assert (row["genuine_people"], row["enrol"]["windows"], row["evidence"]) == (4, 24, "test: unseen people")


def test_a_dry_run_writes_nothing(toy_set, tmp_path):
    ran = ecgkd("make", toy_set().path, "--kind", "same-day", "--out", tmp_path / "p.json", "--dry-run")
    assert (ran.exit_code, (tmp_path / "p.json").exists()) == (0, False)
    assert f"would write {tmp_path / 'p.json'}" in ran.stderr
    assert "row toy.same-day" in ran.stdout


def test_a_sound_protocol_passes_the_lint(made):
    one, path, _ = made
    ran = ecgkd("lint", path, one.path)
    assert ran.exit_code == 0
    assert ran.stdout.startswith("no leak found\nprotocol cross-session toy")
    assert json.loads(ecgkd("lint", path, one.path, "--json").stdout)["sound"] is True


def test_a_leak_ends_with_exit_2_and_its_reason(made, tmp_path):
    one, path, _ = made
    sound = Protocol.load(path)
    given = {
        field: getattr(sound, field) for field in ("name", "kind", "seed", "sets", "validate", "calibrate", "rows")
    }
    Protocol(**given, train=(*sound.train, sound.rows[0].probe[0])).save(tmp_path / "leaks.json")
    ran = ecgkd("lint", tmp_path / "leaks.json", one.path)
    assert ran.exit_code == 2
    assert "- train and row toy.s1-s2 (probe) overlap in toy#p01/s2-rest-0" in ran.stdout
    document = json.loads(ecgkd("lint", tmp_path / "leaks.json", one.path, "--json").stdout)
    assert not document["sound"]
    assert len(document["reasons"]) >= 2


def test_make_and_lint_refuse_in_one_line_what_does_not_fit(made, toy_set, tmp_path):
    _, path, _ = made
    other = toy_set("other", prefix="q")
    assert isinstance(ecgkd("lint", path, other.path).exception, UsageError)
    ran = ecgkd("make", other.path, "--kind", "best", "--out", tmp_path / "no.json")
    assert isinstance(ran.exception, UsageError)
    assert not (tmp_path / "no.json").exists()


def test_fold_and_part_write_sound_protocols(toy_set, tmp_path):
    large = toy_set("large")
    small = toy_set("small", prefix="m", people=range(12), days=(0, 0), activities=("rest", "run"))
    base = tmp_path / "p.json"
    ecgkd("make", large.path, small.path, "--kind", "cross-session", "--out", base)

    ran = ecgkd("fold", base, small.path, "--out", tmp_path / "folds", "--folds", 2, "--json")
    alone = ecgkd("part", tmp_path / "folds" / "r0f1.json", small.path, "--out", tmp_path / "q.json", "--json")

    assert [line["protocol"] for line in json.loads(ran.stdout)["protocols"]] == [
        str(tmp_path / "folds" / f"r0f{n}.json") for n in range(2)
    ]
    assert ecgkd("lint", tmp_path / "folds" / "r0f0.json", large.path, small.path).exit_code == 0
    assert json.loads(alone.stdout)["protocols"][0]["sha256"] == Protocol.load(tmp_path / "q.json").sha256
    assert set(Protocol.load(tmp_path / "q.json").sets) == {"small"}


def test_fold_and_part_write_nothing_in_a_dry_run_and_refuse_a_strange_set(made, toy_set, tmp_path):
    one, path, _ = made
    assert ecgkd("part", path, one.path, "--out", tmp_path / "q.json", "--dry-run").exit_code == 0
    assert not (tmp_path / "q.json").exists()
    assert isinstance(ecgkd("part", path, toy_set("other").path, "--out", tmp_path / "q.json").exception, UsageError)
