"""The small histogram of a figure: what it says, what is inside the limit, and that it is SVG."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from studio.charts.spread import BINS, HEIGHT, WIDTH, bars_of, spread_svg
from studio.charts.theme import DARK, LIGHT

SVG = "{http://www.w3.org/2000/svg}"
VALUES = [1.0, 2.0, 2.5, 3.0, 4.0]


def drawn(values: list[float], **changes) -> ET.Element:
    usual = {"low": 1.0, "high": 4.0, "dark": False, "words": "Predicted latency in ms"}
    return ET.fromstring(spread_svg(values, **{**usual, **changes}))


def test_it_is_a_picture_with_a_name_in_words():
    svg = drawn(VALUES, limit=2.6)
    expected = (
        "Predicted latency in ms: from 1.00 to 4.00, half of the networks up to 2.50."
        " 60\u202f% within the limit of 2.60."
    )
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == svg.find(f"{SVG}title").text == expected


def test_one_network_is_one_bar_and_so_it_is_said():
    svg = drawn([2.0], low=2.0, high=2.0)
    assert len(svg.findall(f"{SVG}rect")) == 1
    assert svg.get("aria-label") == "Predicted latency in ms: 2.00 in every network."


def test_without_networks_there_is_no_bar_and_no_share():
    svg = drawn([], limit=2.0)
    assert svg.findall(f"{SVG}rect") == []
    assert svg.get("aria-label") == "Predicted latency in ms: from 1.00 to 4.00."


def test_bars_within_the_limit_are_full_and_others_outlined():
    values = [*VALUES, 2.65]  # in the bar that begins at the limit
    fills = [rect.get("fill") for rect in drawn(values, limit=2.6).findall(f"{SVG}rect")]
    assert fills == [LIGHT.path] * 3 + ["none"] * 3


def test_without_a_limit_all_bars_are_full_and_there_is_no_line():
    svg = drawn(VALUES)
    assert {rect.get("fill") for rect in svg.findall(f"{SVG}rect")} == {LIGHT.path}
    assert svg.findall(f"{SVG}line") == []


def test_a_limit_outside_the_range_stands_at_its_edge():
    below, above = (drawn(VALUES, limit=limit).find(f"{SVG}line") for limit in (0.1, 9.0))
    assert 0 < float(below.get("x1")) < WIDTH / 4 < WIDTH * 3 / 4 < float(above.get("x1")) < WIDTH


def test_a_value_at_the_limit_is_within_it():
    bars = bars_of([2.0], low=1.0, high=4.0, limit=2.0)
    assert [bar.right for bar in bars] == [2.0]


def test_the_dark_picture_has_the_colours_of_the_dark_theme():
    line = drawn(VALUES, limit=2.0, dark=True).find(f"{SVG}line")
    assert line.get("stroke") == DARK.limit


def test_words_are_text_and_never_markup():
    assert drawn(VALUES, words='<b a="1">').get("aria-label").startswith('<b a="1">:')


figures = st.floats(0, 1e6).map(lambda value: round(value, 3))


@given(st.lists(figures, min_size=1, max_size=40), figures, st.booleans())
def test_every_network_is_in_a_bar_that_stays_in_the_picture(
    values: list[float], limit: float, dark: bool
):
    low, high = min(values), max(values)
    bars = bars_of(values, low=low, high=high, limit=limit)
    for value in values:
        assert any(bar.left <= value <= bar.right for bar in bars)
    assert len(bars) <= BINS + 1
    assert not any(bar.left < limit < bar.right for bar in bars)
    for rect in drawn(values, low=low, high=high, limit=limit, dark=dark).findall(f"{SVG}rect"):
        x, y, width, height = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
        assert min(width, height) > 0
        assert min(x, y) >= 0
        assert x + width <= WIDTH
        assert y + height <= HEIGHT


def test_a_sliver_beside_the_limit_is_no_spike():
    bars = bars_of([1.0, *[3.0] * 9], low=1.0, high=4.0, limit=1.0001)
    assert [round(bar.height, 2) for bar in bars] == [0.22, 1.0]
