"""The pictures of a trust report as data: every network and correlation, in view, in valid form."""

from __future__ import annotations

from typing import Any

import altair
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.charts import intervals, ranking
from tests.studio.test_charts import as_vega_lite

share = st.floats(0, 1)


def network(arch: str, proxy: float, *alone: float) -> dict[str, Any]:
    return {
        "arch": arch,
        "proxy": proxy,
        "mean": sum(alone) / len(alone),
        "alone": [[seed, accuracy] for seed, accuracy in enumerate(alone)],
        "predicted_ms": 0.07,
    }


NETWORKS = [network("k3", 0.5, 0.8, 0.82), network("k5", 0.6, 0.9, 0.86), network("k7", 0.7, 0.85)]
CORRELATION = {"value": 0.5, "low": -0.12, "high": 1.0}
REPORT = {
    "tau": CORRELATION,
    "ceiling": {"value": 0.9, "low": 0.7, "high": 1.0},
    "baselines": {
        name: {"tau": {"value": value, "low": -0.4, "high": 0.8}}
        for name, value in (("params", -0.14), ("macs", 0.71))
    },
}


def test_a_network_is_one_point_with_the_range_of_its_seeds() -> None:
    rows = ranking.rows(NETWORKS)
    assert rows["arch"] == ["k3", "k5", "k7"]
    assert rows["proxy"] == [0.5, 0.6, 0.7]
    assert rows["mean"] == pytest.approx([0.81, 0.88, 0.85])
    assert (rows["low"], rows["high"]) == ([0.8, 0.86, 0.85], [0.82, 0.9, 0.85])
    assert rows["alone label"][2] == "85.0\u202f%, 1 seed from 85.0\u202f% to 85.0\u202f%"


@pytest.mark.parametrize("dark", [False, True])
def test_the_ranking_is_valid_vega_lite(dark: bool) -> None:
    spec = ranking.spec(NETWORKS, dark=dark)
    assert altair.LayerChart.from_dict(as_vega_lite(spec, ranking.rows(NETWORKS))).layer


@given(st.lists(st.tuples(share, st.lists(share, min_size=1, max_size=4)), min_size=1))
def test_every_point_and_every_seed_is_in_view(drawn: list[tuple[float, list[float]]]) -> None:
    networks = [network(f"k{i}", proxy, *alone) for i, (proxy, alone) in enumerate(drawn)]
    across, up = ranking.spans(networks)
    assert all(across[0] <= n["proxy"] <= across[1] for n in networks)
    assert all(up[0] <= accuracy <= up[1] for n in networks for _, accuracy in n["alone"])
    assert 0 <= across[0] < across[1] <= 1
    assert 0 <= up[0] < up[1] <= 1


@pytest.mark.parametrize(
    ("across", "up", "ends"),
    [
        ((0.5, 0.9), (0.6, 0.95), (0.6, 0.9)),
        ((0.5, 0.7), (0.8, 0.9), None),
        ((0.5, 0.81), (0.8, 0.9), None),
        ((0.0, 1.0), (0.45, 0.5), (0.45, 0.5)),
    ],
)
def test_the_line_of_equal_accuracy_is_drawn_where_it_can_be_seen(
    across: ranking.Span, up: ranking.Span, ends: ranking.Span | None
) -> None:
    assert ranking.diagonal(across, up) == ends


def test_the_line_of_equal_accuracy_lies_behind_the_points() -> None:
    level = [network("k3", 0.8, 0.8), network("k5", 0.9, 0.9)]
    layers = ranking.spec(level, dark=False)["layer"]
    assert [layer["mark"]["type"] for layer in layers] == ["line", "rule", "point"]
    ends = [value["at"] for value in layers[0]["data"]["values"]]
    assert ends == pytest.approx([0.792, 0.908])
    assert len(ranking.spec(NETWORKS, dark=False)["layer"]) == 2


def test_all_layers_of_the_ranking_share_their_axes() -> None:
    level = [network("k3", 0.8, 0.8), network("k5", 0.9, 0.9)]
    for channel in ("x", "y"):
        layers = ranking.spec(level, dark=False)["layer"]
        axes = [layer["encoding"][channel] | {"field": ""} for layer in layers]
        assert all(axis == axes[0] for axis in axes)
        assert axes[0]["axis"]


def test_the_ranking_in_words_has_both_ranges_and_how_well_they_agree() -> None:
    told = ranking.alt(NETWORKS)
    assert told.startswith("3 networks as points: proxy accuracy from 50.0\u202f% to 70.0\u202f%")
    assert "trained alone from 81.0\u202f% to 88.0\u202f%; Kendall's tau 0.33" in told


def test_the_search_s_own_correlation_stands_first_and_the_ceiling_below_it() -> None:
    known = intervals.taus(REPORT)
    assert list(known) == [
        "shared weights",
        "noise ceiling",
        "parameters alone",
        "MACs alone",
    ]
    rows = intervals.rows(known)
    assert rows["value"] == [0.5, 0.9, -0.14, 0.71]
    assert (rows["label"][2], rows["interval"][0]) == ("−0.14", "−0.12 to 1.00")


@pytest.mark.parametrize("dark", [False, True])
def test_the_intervals_are_valid_vega_lite(dark: bool) -> None:
    known = intervals.taus(REPORT)
    spec = intervals.spec(known, dark=dark)
    assert altair.LayerChart.from_dict(as_vega_lite(spec, intervals.rows(known))).layer


@given(st.lists(st.tuples(*[st.floats(-1, 1)] * 3).map(sorted), min_size=4, max_size=4))
def test_one_axis_holds_every_interval_and_zero(ends: list[list[float]]) -> None:
    taus = [{"low": low, "value": value, "high": high} for low, value, high in ends]
    known = dict(zip(intervals.taus(REPORT), taus, strict=True))
    layers = intervals.spec(known, dark=False)["layer"]
    domains = [layer["encoding"]["x"]["scale"]["domain"] for layer in layers]
    assert all(domain == domains[0] for domain in domains)
    low, high = domains[0]
    assert all(low < tau["low"] and tau["high"] < high for tau in taus)
    assert low < 0


def test_lines_mark_no_relation_and_the_ceiling() -> None:
    layers = intervals.spec(intervals.taus(REPORT), dark=False)["layer"]
    lines = [layer["encoding"]["x"]["datum"] for layer in layers if "data" in layer]
    assert lines == [0.0, 0.9]


def test_correlations_differ_by_shape_and_not_by_colour_alone() -> None:
    known = intervals.taus(REPORT)
    layers = intervals.spec(known, dark=False)["layer"]
    shape = next(x["encoding"]["shape"] for x in layers if "shape" in x["encoding"])
    assert shape["scale"] == {
        "domain": list(known),
        "range": ["circle", "diamond", "square", "square"],
    }


def test_the_intervals_in_words_name_every_correlation() -> None:
    told = intervals.alt(intervals.taus(REPORT))
    assert "shared weights 0.50, from −0.12 to 1.00; noise ceiling 0.90" in told
    assert told.endswith("MACs alone 0.71, from −0.40 to 0.80.")
