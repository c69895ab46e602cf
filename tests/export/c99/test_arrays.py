"""Numbers and text as C: exactly these characters."""

import json

import numpy as np
import pytest

from ecgkd_export.c99.arrays import (
    WIDTH,
    array,
    comment,
    identifier,
    json_comment,
    number,
    padded,
    read_json_comments,
    remark,
    string,
    struct,
)


def test_an_array_has_its_type_and_its_size() -> None:
    assert array("w", np.array([[1, -2], [3, 4]], np.int8)) == "static const int8_t w[4] = {\n    1, -2, 3, 4,\n};\n"


def test_the_least_int32_is_spelled_by_its_name() -> None:
    assert number(-(1 << 31)) == "INT32_MIN"
    assert "INT32_MIN, 2147483647," in array("m", np.array([-(1 << 31), (1 << 31) - 1], np.int32))


def test_long_arrays_are_broken_into_lines() -> None:
    text = array("w", np.arange(-128, 128, dtype=np.int16))

    assert max(len(line) for line in text.splitlines()) <= WIDTH
    assert [int(part) for part in text[text.index("{") + 1 : text.index("}")].replace("\n", "").split(",")[:-1]] == [
        *range(-128, 128)
    ]


def test_a_struct_names_its_fields() -> None:
    text = struct("ecgkd_add_t", "op_3", {"count": 12, "table": "table_3", "zero_point": -5})

    assert text == "static const ecgkd_add_t op_3 = {\n    .count = 12, .table = table_3, .zero_point = -5,\n};\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [("node_add_1:raised", "node_add_1_raised"), ("parts.0.conv1", "parts_0_conv1"), ("4x", "n4x"), ("é", "n_")],
)
def test_any_tensor_has_a_name_in_c(text: str, name: str) -> None:
    assert identifier(text) == name


def test_documents_inside_comments_come_back() -> None:
    document = {"a": [1, 2.5, None, True], "evil */ /* // text": '*/\n"quoted" é * /', "n": list(range(300))}

    text = "int x;\n" + json_comment("ecgkd.contract", document) + "int y;\n" + json_comment("other", {})

    found = read_json_comments(text)
    assert json.loads(found["ecgkd.contract"]) == document
    assert json.loads(found["other"]) == {}
    assert text.count("/*") == text.count("*/") == 2


def test_a_comment_cannot_be_ended_from_inside() -> None:
    assert comment(["a */ b", "c /* d"]) == "/* a * / b\n * c / * d\n */\n"
    assert remark("a */ b") == "/* a * / b */"


def test_strings_are_escaped() -> None:
    assert string('a"b\\c??/é') == '"a\\"b\\\\c\\?\\?/\\303\\251"'


def test_padding_is_zeros_behind() -> None:
    assert padded(np.array([[1, 2]], np.int8), (2, 3)).tolist() == [[1, 2, 0], [0, 0, 0]]
