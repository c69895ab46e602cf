import json
from dataclasses import replace

import pytest

from ecgkd.errors import DataError
from ecgkd.evaluation.looks import count_looks, ledger_of, read_looks, record_looks
from ecgkd.evaluation.table import as_text

ROW = "people.s1-s2"


def test_every_network_counts_once_in_the_order_of_scoring(tmp_path):
    ledger = tmp_path / "p.looks.json"
    assert record_looks(ledger, "p", [("teacher", "aa"), ("teacher int8", "aa")]) == {"aa": 1}
    assert record_looks(ledger, "p", [("student", "bb"), ("again", "aa")]) == {"aa": 1, "bb": 2}
    assert [(one.model, one.weights_sha256) for one in read_looks(ledger, "p")] == [
        ("teacher int8", "aa"),
        ("student", "bb"),
    ]


def test_only_rows_of_locked_people_count(people, protocol, candidate, tmp_path):
    path = tmp_path / "p.json"
    protocol.save(path)
    given = [candidate(), replace(candidate("baseline"), contract=None)]
    (seen, baseline) = count_looks(given, protocol, [ROW], path)
    assert seen.look == 0
    assert not ledger_of(path).exists()
    (seen, baseline) = count_looks(given, protocol, [], path)
    assert (seen.look, baseline.look) == (1, 0)
    assert len(read_looks(ledger_of(path), protocol.sha256)) == 1


def test_the_table_says_which_look_it_is(people, protocol, candidate):
    from ecgkd.evaluation.evaluate import evaluate

    rows = [ROW, f"{ROW}.locked"]
    text = as_text(evaluate([replace(candidate(), look=3)], protocol, [people], rows=rows, replicates=100))
    assert text.count("random is network 3 that was scored on locked people") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol_sha256": "other"}, "counts looks of protocol other"),
        ({"version": 9}, "version 9"),
        ({"looks": [{"model": "half"}]}, "broken ledger"),
    ],
)
def test_a_ledger_that_cannot_be_right_is_refused(change, message, tmp_path):
    ledger = tmp_path / "p.looks.json"
    record_looks(ledger, "p", [("teacher", "aa")])
    ledger.write_text(json.dumps(json.loads(ledger.read_text()) | change))
    with pytest.raises(DataError, match=message):
        record_looks(ledger, "p", [("student", "bb")])
