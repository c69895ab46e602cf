import re
from html.parser import HTMLParser

import pytest

from ecgkd.report.collect import collect
from ecgkd.report.page import Bar, Bars, Cell, Code, Page, Section, Table, Text, Tile, render
from ecgkd.report.sections import make_page
from ecgkd_bench.result import Clock

VOID = ("meta", "link", "br", "img", "input", "hr", "wbr")


class Reader(HTMLParser):
    """Collects what a browser would load or run, ids, text, and tags that are closed in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster") and value:
                self.loads += [] if value.startswith("#") else [value]
            if "url(" in (value or ""):
                self.loads += [one for one in re.findall(r"url\(([^)]*)\)", value or "") if not one.startswith("#")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


def test_a_browser_loads_nothing_from_elsewhere(html):
    reader = read(html)
    assert reader.loads == []
    assert not {"script", "link", "iframe", "object", "base"} & set(reader.tags)
    assert "@import" not in html
    assert not re.search(r"url\(\s*['\"]?(https?:|//)", html)
    assert {one for one in re.findall(r"https?://[^\s\"'<]+", html) if "www.w3.org" not in one} == set()


def test_no_id_stands_twice(html):
    ids = read(html).ids
    assert ids
    assert len(ids) == len(set(ids))


def test_every_reference_inside_the_page_has_its_target(html):
    targets = re.findall(r'href="#([^"]+)"', html) + re.findall(r"url\(#([^)]+)\)", html)
    assert targets
    assert set(targets) <= set(read(html).ids)


def test_it_reads_on_phones_and_in_both_colour_schemes(html):
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "prefers-color-scheme: dark" in html


def test_all_text_is_escaped():
    nasty = "<script>alert('&')</script>"
    blocks = (
        Text(f"{nasty} `{nasty}`"),
        Code((nasty,)),
        Table((nasty,), ((Cell(nasty, nasty),),), nasty),
        Bars(nasty, (Bar(nasty, 1.0, nasty, detail=nasty),), nasty),
    )
    html = render(Page(nasty, nasty, (Tile(nasty, nasty, nasty),), (Section(nasty, blocks),), nasty, nasty))
    assert "<script" not in html
    assert read(html).text.count(nasty) == 21


def test_text_from_documents_is_escaped(html):
    assert "CC0 &lt;b&gt;1.0&lt;/b&gt;" in html


def test_headline_figures_stand_in_tiles(demo):
    tiles = {tile.what: tile for tile in make_page(collect(demo)).summary}
    assert tiles["ΔEER, int8 against float"].value == "+0.23\u00a0points"
    assert tiles["time per window of 4\u00a0s"].value == "0.2\u00a0ms"
    assert tiles["int8 file"].value == "2\u00a0kB"


def test_each_gate_shows_number_bound_and_result(html):
    text = read(html).text
    for words in ("0.98765", "at least 0.995", "int8: failed", "int8: undecided", "at most 1\u00a0%", "26", "of 26"):
        assert words in text
    assert "written by --force" in text


def test_the_machine_stands_beside_latencies(html):
    text = read(html).text
    assert "Cortex-A72" in text
    assert "1500 MHz" in text
    assert "0.240\u00a0to\u00a00.260" in text


@pytest.mark.parametrize(("clock", "word"), [(Clock.EMULATED, "emulated"), (Clock.INSTRUCTIONS, "instructions")])
def test_no_latency_of_an_emulator_stands_without_the_word(demo, clock, word, session):
    (demo / "bench.json").write_text(session(clock).to_json())
    page = make_page(collect(demo))
    tile = next(tile for tile in page.summary if "per window" in tile.what)
    assert word in tile.value + tile.what
    assert clock is not Clock.INSTRUCTIONS or "ms" not in tile.value


def test_synthetic_people_are_said_on_top(write_run, tmp_path):
    assert make_page(collect(write_run(tmp_path, synthetic=True))).notice.startswith("Synthetic: proves plumbing")


def test_a_run_alone_makes_a_page_that_says_what_is_missing(write_run, tmp_path):
    text = read(render(make_page(collect(write_run(tmp_path))))).text
    for verb in ("ecgkd evaluate", "ecgkd export", "ecgkd bench"):
        assert verb in text


def test_commands_to_do_it_again_are_told_from_the_folder(html):
    text = read(html).text
    assert "ecgkd distill runs/thkd_ci/20260101T000000Z/recipe.toml --teacher runs/teacher_ci/20260101T000000Z" in text
    assert "ecgkd export runs/thkd_ci/20260101T000000Z --int8" in text


def test_an_interval_stands_at_its_place_on_the_axis():
    chart = Bars("EER", (Bar("a", 0.1, "10 %", 0.05, 0.2),))
    assert chart.percent(0.2) == "95.24"
    assert chart.percent(0.0) == "0.00"


def test_a_measurement_of_a_file_that_was_exported_again_is_said(demo):
    text = (demo / "bench.json").read_text().replace("net_int8.onnx", "deit_nano_4s_250hz_int8.onnx")
    (demo / "bench.json").write_text(text)
    assert "is not the file that was measured" in read(render(make_page(collect(demo)))).text
