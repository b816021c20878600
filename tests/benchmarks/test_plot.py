"""The charts of the benchmark."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as ET

from tests.benchmarks.plot import svg
from tests.benchmarks.results import Bar, BarGroup

SVG = "{http://www.w3.org/2000/svg}"
GROUPS = [
    BarGroup(
        "300 streams of 50 rows",
        [Bar("tap", 5.3, "5.3 s", is_highlighted=True), Bar("plain & old", 10.6, "10.6 s", is_highlighted=False)],
    ),
    BarGroup("300 streams of 150 rows", [Bar("tap", 0.5, "0.5 s", is_highlighted=True)]),
]


def chart() -> ET.Element:
    return ET.fromstring(svg(GROUPS, "Small streams", ["one note", "another"]))  # noqa: S314 - our own text.


def test_a_chart_has_all_names_figures_headings_and_notes_as_text() -> None:
    texts = [text.text for text in chart().iter(f"{SVG}text")]

    assert texts == [
        "Small streams",
        "300 streams of 50 rows",
        "tap",
        "5.3 s",
        "plain & old",
        "10.6 s",
        "300 streams of 150 rows",
        "tap",
        "0.5 s",
        "one note",
        "another",
    ]


def test_the_longest_bar_of_each_group_fills_the_width() -> None:
    bars = list(chart().iter(f"{SVG}rect"))

    assert [int(bar.attrib["width"]) for bar in bars] == [170, 340, 340]


def test_nothing_overlaps_and_all_is_inside() -> None:
    drawn = chart()

    tops = [int(bar.attrib["y"]) for bar in drawn.iter(f"{SVG}rect")]
    lines = [float(text.attrib["y"]) for text in drawn.iter(f"{SVG}text") if text.attrib["x"] == "0"]

    assert all(below - above >= 22 for above, below in itertools.pairwise(tops))
    assert lines == sorted(lines)
    assert max(*tops, *lines) <= int(drawn.attrib["height"])
