import re

import pytest

from ecgkd.errors import DataError
from ecgkd.report.curves import draw_epochs, wide
from ecgkd.report.svg import dark_colours, inline

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt">'


def test_ids_and_references_to_them_get_the_prefix():
    text = f'{HEAD}<path id="a"/><use xlink:href="#a"/><g clip-path="url(#a)"/></svg>'
    drawn = inline(text, "x-", "a drawing")
    assert 'id="x-a"' in drawn
    assert 'href="#x-a"' in drawn
    assert "url(#x-a)" in drawn


def test_two_drawings_with_the_same_content_share_no_id():
    text = draw_epochs({"a": [1.0, 2.0]}, "loss", "salt")
    ids = [set(re.findall(r'id="([^"]+)"', inline(text, prefix, ""))) for prefix in ("a-", "b-")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_whatever_could_load_or_run_something_is_left_out():
    text = (
        f'{HEAD}<script>1</script><style>@import "http://a.b";</style><metadata>x</metadata><foreignObject/>'
        '<image xlink:href="http://a.b/c.png"/><g onclick="1" style="fill: url(http://a.b/c)"/></svg>'
    )
    drawn = inline(text, "x-", "a drawing")
    assert not re.search(r"script|@import|metadata|foreignObject|onclick|a\.b", drawn)


def test_black_and_white_become_the_pages_ink_and_paper_and_colours_stay():
    drawn = inline(f'{HEAD}<g style="fill: #000000; stroke: #ffffff"/><g fill="#d62728"/></svg>', "x-", "")
    assert "fill: currentColor" in drawn
    assert "stroke: var(--paper)" in drawn
    assert "var(--c-d62728, #d62728)" in drawn


def test_the_label_is_escaped():
    assert 'aria-label="&lt;&quot;&gt;"' in inline(f"{HEAD}</svg>", "x-", '<">')


@pytest.mark.parametrize("text", ["", "<html/>", f"{HEAD}<g>", "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>"])
def test_something_else_is_refused_by_name(text):
    with pytest.raises(DataError, match=r"det\.svg"):
        inline(text, "x-", "", "det.svg")


def test_a_curve_is_the_same_every_time():
    series = {"a": [1.0, None, 0.001]}
    assert draw_epochs(series, "loss", "s") == draw_epochs(series, "loss", "s")


def test_colours_are_lightened_for_dark_paper_only_where_they_need_it():
    drawn = inline(f'{HEAD}<g fill="#1f3fa8"/><g fill="#ffd040"/></svg>', "x-", "")
    found = dark_colours([drawn])
    assert set(found) == {"1f3fa8"}
    assert found["1f3fa8"] > "#1f3fa8"


def test_an_axis_is_logarithmic_only_where_values_reach_far():
    assert wide([[1.0, None], [0.001]])
    assert not wide([[1.0], [0.02]])
    assert not wide([[0.0, 1.0]])
    assert not wide([[]])
