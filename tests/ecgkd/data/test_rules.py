from datetime import date
from pathlib import Path

import pytest

from ecgkd.data.rules import Rule, Source, by_table, compile_pattern, number_sessions, parse_date, recording_files
from ecgkd.errors import UsageError


def source(subject: str = "p", name: str = "r", **rest) -> Source:
    return Source(Path(name), name, subject=subject, **rest)


def test_a_pattern_of_fields_becomes_an_expression():
    match = compile_pattern("{subject}/{session}_{activity}").fullmatch("p01/2_rest")
    assert match is not None
    assert match.groupdict() == {"subject": "p01", "session": "2", "activity": "rest"}
    assert compile_pattern("data/{subject}_*").fullmatch("data/p7_visit.2-b")["subject"] == "p7"
    assert compile_pattern("{subject}").fullmatch("a/b") is None
    assert compile_pattern(r"(?P<subject>\d+)x").fullmatch("12x")["subject"] == "12"


@pytest.mark.parametrize(
    "pattern", ["{name}/*", "{session}", r"(?P<person>\d+)", r"(?P<subject>[", r"(?P<subject>a)(?P<x>b)"]
)
def test_a_pattern_that_cannot_work_is_refused(pattern):
    with pytest.raises(UsageError, match="pattern"):
        compile_pattern(pattern)


def test_dates_are_read_and_ambiguous_ones_refused():
    for text in ("2024-05-31", "20240531", "31.05.2024", "2024-05-31 10:11:12", "2024-05-31T10:11"):
        assert parse_date(text, "t") == date(2024, 5, 31)
    with pytest.raises(UsageError, match=r"t: '05/06/2024' is no date; write it as 2024-05-31"):
        parse_date("05/06/2024", "t")


def test_sessions_are_days_where_days_are_known():
    found = number_sessions([
        source(date=date(2024, 1, 9)), source(date=date(2024, 1, 2)), source(date=date(2024, 1, 9)),
        source("q", date=date(2020, 1, 1)),
    ])  # fmt: skip
    assert found == [(2, 7), (1, 0), (2, 7), (1, 0)]


def test_given_sessions_stay_and_other_labels_are_ranked_by_day():
    assert [s for s, _ in number_sessions([source(session="2"), source(session="5")])] == [2, 5]
    labelled = [source(session="late", day=30), source(session="early", day=3), source(session="late", day=31)]
    assert number_sessions(labelled) == [(2, 27), (1, 0), (2, 28)]
    assert [s for s, _ in number_sessions([source(session="20240105"), source(session="20230105")])] == [2, 1]


def test_an_undated_recording_makes_one_session_of_its_person():
    found = number_sessions([source(date=date(2024, 1, 1)), source(), source("q", day=4), source("q", day=9)])
    assert found == [(1, -1), (1, -1), (1, 0), (2, 5)]


def test_a_session_for_some_recordings_only_is_refused():
    with pytest.raises(UsageError, match="r2: no session, though other recordings of p have one"):
        number_sessions([source(session="1"), source(name="r2")])


def test_what_stands_beside_a_wfdb_header_belongs_to_it(tmp_path):
    for name in ("a/1.hea", "a/1.dat", "a/1.mat", "a/2.csv", ".hidden/3.csv", "a/notes.md", "LICENSE.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [path.name for path in recording_files(tmp_path)] == ["1.hea", "2.csv"]


def table(folder: Path, text: str) -> Path:
    for name in ("x.csv", "y.csv"):
        (folder / name).write_text("1\n")
    (folder / "people.csv").write_text(text)
    return folder / "people.csv"


def test_a_table_gives_every_field(tmp_path):
    text = "File;Subject;Date;Activity;extra\nx;p1;2024-01-01;walk;?\ny.csv;p2;;;?\n"
    x, y = by_table(tmp_path, table(tmp_path, text), Rule(activity="rest"))
    assert (x.path, x.name, x.subject, x.date, x.activity) == (tmp_path / "x.csv", "x", "p1", date(2024, 1, 1), "walk")
    assert (y.name, y.subject, y.date, y.activity) == ("y", "p2", None, "rest")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,who\nx,p1\n", "no column 'subject' .it has file, who.; name it with --columns subject=COLUMN"),
        ("file,subject\nx,p1\nzz,p2\n", "1 of 2 recording.s. are not in .*'zz' in line 3"),
        ("file,subject\nx,p1\nx.csv,p2\n", "line 3: x.csv stands in line 2 already"),
        ("file,subject\nx,\n", "line 2: no subject for x"),
        ("file,subject,day\nx,p1,monday\n", "line 2: 'monday' is no number of days"),
        ("file,subject,date\nx,p1,yesterday\n", "line 2: 'yesterday' is no date"),
        ("", "no rows"),
    ],
)
def test_a_faulty_table_is_refused_by_line(tmp_path, text, words):
    with pytest.raises(Exception, match=words):
        by_table(tmp_path, table(tmp_path, text), Rule())


def test_other_column_names_are_taken_when_named(tmp_path):
    path = table(tmp_path, "hi,lo,who\nnone,x,15709.0\n")
    rule = Rule(columns=(("file", "hi"), ("file", "lo"), ("subject", "who")), subject="xl{subject:05d}")
    assert [(s.name, s.subject) for s in by_table(tmp_path, path, rule)] == [("x", "xl15709")]
    with pytest.raises(UsageError, match="no column 'mid'; it has hi, lo, who"):
        by_table(tmp_path, path, Rule(columns=(("file", "mid"),)))
