import pytest

from ecgkd.report import words


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (words.percent(0.0876), "8.8 %"),
        (words.percent(None), "–"),
        (words.points(0.0023), "+0.23 points"),
        (words.points(-0.00001), "+0.00 points"),
        (words.points(-0.01), "−1.00 points"),
        (words.between(0.061, 0.119, scale=100), "6.1 to 11.9"),
        (words.between(-0.0026, 0.0072, scale=100, digits=2, signed=True), "−0.26 to +0.72"),
        (words.between(None, None), ""),
        (words.milliseconds(0.1412), "0.141 ms"),
        (words.milliseconds(1234.5), "1234 ms"),
        (words.size(315851), "316 kB"),
        (words.size(1_500_000), "1.5 MB"),
        (words.size(None), "–"),
        (words.large(217216), "0.217 M"),
        (words.large(22121152), "22.1 M"),
        (words.large(512), "512"),
        (words.many(1, "person", "people"), "1 person"),
        (words.many(12345, "window"), "12 345 windows"),
        (words.duration(75), "75 s"),
        (words.duration(600), "10 min"),
        (words.duration(9000), "2.5 h"),
        (words.short("0123456789abcdef"), "0123456789ab…"),
        (words.listed(["a", "b", "c"]), "a, b and c"),
        (words.listed(["a"]), "a"),
    ],
)
def test_numbers_are_written_as_people_read_them(found, expected):
    assert found.replace("\u00a0", " ").replace("\u202f", " ") == expected


def test_a_path_is_told_as_seen_from_the_folder(tmp_path):
    assert words.near(tmp_path / "runs" / "a", tmp_path) == "runs/a"
    assert words.near(tmp_path / "runs" / "a", tmp_path / "other") == "runs/a"
