import json

import pytest

from ecgkd.errors import DataError, UsageError
from ecgkd.protocols.protocol import Protocol, Row, Span, population, windows_of
from ecgkd.protocols.split import make


def tiny(**changed):
    row = Row("a.s1-s2", "development", "cross-session", (Span("a", "r3", 0, 900),), (Span("a", "r4", 0, 900),))
    given = {
        "name": "tiny",
        "kind": "cross-session",
        "seed": 3,
        "sets": {"a": "00ff"},
        "train": (Span("a", "r1", 0, 900), Span("a", "Ünï/r1", 0, 900)),
        "validate": (Span("a", "r2", 0, 900),),
        "calibrate": (),
        "rows": (row,),
        "notes": ("a note",),
    }
    return Protocol(**{**given, **changed})


def test_a_protocol_comes_back_as_it_was_saved(tmp_path):
    tiny().save(tmp_path / "p.json")
    assert Protocol.load(tmp_path / "p.json") == tiny()


def test_the_file_has_one_line_per_span(tmp_path):
    tiny().save(tmp_path / "p.json")
    assert '    ["a", "r1", 0, 900],' in (tmp_path / "p.json").read_text().splitlines()


def test_the_hash_covers_everything_but_itself():
    assert len({tiny().sha256, tiny(seed=4).sha256, tiny(name="x").sha256, tiny(sets={"a": "00fe"}).sha256}) == 4


@pytest.mark.parametrize("change", [("900", "899"), ('"seed": 3', '"seed": 4'), ("development", "locked")])
def test_a_file_changed_by_hand_is_refused(tmp_path, change):
    tiny().save(tmp_path / "p.json")
    text = (tmp_path / "p.json").read_text()
    (tmp_path / "p.json").write_text(text.replace(*change, 1))
    with pytest.raises(UsageError, match="changed since it was written"):
        Protocol.load(tmp_path / "p.json")


def test_another_version_is_refused(tmp_path):
    tiny().save(tmp_path / "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    (tmp_path / "p.json").write_text(json.dumps({**document, "version": 99}))
    with pytest.raises(UsageError, match="protocol version 99; this ecgkd reads version 1"):
        Protocol.load(tmp_path / "p.json")


@pytest.mark.parametrize("text", ["{}", "[]", '{"format": "other"}', "not json"])
def test_something_else_is_not_a_protocol_file(tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(DataError, match="not a protocol file"):
        Protocol.load(tmp_path / "p.json")


def test_a_span_that_holds_nothing_is_refused():
    with pytest.raises(UsageError, match="a#r: a span of samples 5 to 5 is empty"):
        Span("a", "r", 5, 5)


def test_a_span_of_a_set_without_hash_is_refused():
    with pytest.raises(UsageError, match="spans of a, which its sets do not name"):
        tiny(sets={"b": "00"})


def test_windows_are_the_tiles_of_a_span():
    assert windows_of(Span("a", "r", 50, 50 + 1299), 100).tolist() == [50, 450, 850]
    assert windows_of(Span("a", "r", 0, 399), 100).tolist() == []


def test_populations_follow_the_first_byte_of_the_hash():
    # printf hp001 | sha256sum begins with 44 (68); hp002 with 77 (119), hp005 with 18 (24)
    assert [population(s) for s in ("hp001", "hp002", "hp005")] == ["development", "training", "locked"]


def test_a_set_with_other_content_is_refused(toy_set):
    protocol = make("cross-session", [toy_set()])
    changed = toy_set(days=(0, 31))
    with pytest.raises(UsageError, match="not what protocol 'cross-session toy' was made for"):
        protocol.check_sets([changed])


def test_a_foreign_and_a_missing_set_are_refused(toy_set):
    one = toy_set()
    protocol = make("cross-session", [one])
    with pytest.raises(UsageError, match="was made for toy, not for other"):
        protocol.check_sets([one, toy_set("other", prefix="q")])
    with pytest.raises(UsageError, match=r"also needs the set\(s\) toy"):
        protocol.check_sets([])


def test_sets_are_only_needed_for_the_spans_in_use(toy_set):
    one, two = toy_set(), toy_set("two", prefix="q")
    protocol = make("cross-session", [one, two])
    of_one = [span for span in protocol.train if span.set == "toy"]
    assert protocol.check_sets([one], of_one) == {"toy": one}
