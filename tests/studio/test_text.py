"""Words and numbers as the pages write them."""

from __future__ import annotations

import pytest

from studio import launch, text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.07834, "0.0783"),
        (12.0, "12.0"),
        (0.9996, "1.00"),
        (417.4, "417"),
        (11358, "11\u202f358"),
        (0, "0"),
        (float("nan"), "–"),
        (4.8e-7, "4.80e-07"),
        (999.7, "1\u202f000"),
    ],
)
def test_numbers_have_three_significant_digits(value: float, expected: str) -> None:
    assert text.significant(value) == expected


def test_numbers_carry_their_units() -> None:
    assert text.ms(0.08) == "0.0800\u202fms"
    assert text.ms(None) == "–"
    assert text.percent(0.979) == "97.9\u202f%"
    assert text.macs(1_240_000) == "1.24\u202fM MACs"
    assert text.params(11_358) == "11\u202f358 parameters"
    assert text.size_bytes(18_400) == "18.4\u202fkB"
    assert text.networks(4_100_000) == "4.1 million networks"
    assert text.networks(1) == "1 network"
    assert text.power(4**5 * 5**15) == "10¹³·⁵"
    assert text.power(10**21) == "10²¹"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, ""), (0.2, "1\u202fs left"), (59, "59\u202fs left"), (61, "2\u202fmin left")],
)
def test_time_left_is_told_in_words(seconds: float | None, expected: str) -> None:
    assert text.seconds_left(seconds) == expected


@pytest.mark.parametrize(
    ("passed", "expected"),
    [(5, "just now"), (65, "1 minute ago"), (7300, "2 hours ago"), (90_000, "1 day ago")],
)
def test_the_past_is_told_in_words(passed: float, expected: str) -> None:
    assert text.ago(1000.0, 1000.0 + passed) == expected


def test_every_state_has_a_label_a_colour_and_an_icon() -> None:
    for table in (text.STATE_LABELS, text.STATE_COLORS, text.STATE_ICONS):
        assert set(table) == set(launch.STATES)


def test_names_cannot_become_markdown() -> None:
    shown = text.plain("<b>x</b> :red[y] [z](http://e.org) $a$ `c`\n# h")
    assert "\\<b\\>" in shown
    assert "\\:red\\[" in shown
    assert "\n" not in shown


def test_a_name_is_one_line_and_a_number_in_it_is_never_broken() -> None:
    assert text.plain(" a\u2028b \t c ") == "a b c"
    assert text.plain(text.ms(0.08)) == "0\\.0800\u202fms"


def test_sentences_of_the_engine_get_a_capital_and_thin_spaces() -> None:
    assert text.told("of 60,000 photos, 170 MB") == "Of 60\u202f000 photos, 170 MB"
    assert text.told("1,5 or 1,2345") == "1,5 or 1,2345"


def test_layers_have_the_names_that_pages_call_them_by() -> None:
    names = [f"stage1.{i}" for i in range(1, 13)]
    assert text.by_name("kernel 5→3 in layer 12", names) == "kernel 5→3 in stage1.12"
    assert text.by_name("Layer 1: left out; stage 2", names) == "stage1.1: left out; stage 2"


def test_a_column_of_whole_numbers_sorts_by_value() -> None:
    numbers = [5, 13_786, 2_186, 1_000_000]
    cells = dict(zip(text.aligned(numbers), numbers, strict=True))
    assert [cells[cell] for cell in sorted(cells)] == sorted(numbers)


@pytest.mark.parametrize(
    ("values", "expected"), [([0.0107, 0.2], 4), ([12.3, None], 1), ([417.0], 0), ([], 2)]
)
def test_a_column_of_latencies_has_three_significant_digits(
    values: list[float | None], expected: int
) -> None:
    assert text.decimals(values) == expected


def test_a_prediction_nobody_tested_is_not_given_an_error() -> None:
    assert text.prediction({"mape": 0.021, "n_heldout": 30}) == "predicted ±2.1\u202f%"
    assert text.prediction({"mape": 0.0, "n_heldout": 0}) == "predicted, not tested"


def test_provenance_is_one_line_from_what_is_known() -> None:
    facts = {
        "device": "This computer",
        "cpu": "Some CPU",
        "runtime": "onnxruntime",
        "runtime_version": "1.31.1",
        "threads": 1,
        "batch": 1,
        "date": "2026-11-20T17:24:21Z",
    }
    assert text.provenance(facts) == (
        "This computer · Some CPU · onnxruntime 1.31.1 · 1 thread · batch 1 · 2026-11-20"
    )
    assert text.provenance({"device": "This computer"}) == "This computer"
    assert "busy with other work" in text.provenance(facts | {"busy": True})
