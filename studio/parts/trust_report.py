"""What the trust meter found: verdict, two pictures, and the figures with a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import streamlit as st

from engine.events import EpochEnd
from engine.spec import TrustSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import state, text
from studio.charts import intervals, ranking
from studio.parts import front_view

Report = Mapping[str, Any]
Figure = tuple[str, str, str]
"""Name, value with its unit, and what it means."""

LOOKS = {
    "green": ("green", ":material/verified:"),
    "amber": ("orange", ":material/warning:"),
    "grey": ("gray", ":material/help:"),
    "red": ("red", ":material/dangerous:"),
}
"""Per colour of a verdict: what the theme calls it, and a shape of its own."""


def draw(workspace: Workspace, search: Run, made: Run) -> None:
    """The report of trust run `made` on `search`."""
    view = state.run_view(workspace, made.id)
    assert view.trusted is not None
    report = view.trusted.report
    if outdated(workspace, search, made):
        st.warning(
            "The shared weights were trained further since: this judges them as they were."
            " Judge again.",
            icon=":material/history:",
        )
    with st.container(border=True, key="front.trust.verdict"):
        st.markdown(verdict(report))
        st.caption(_how(made, report))
    for warning in view.warnings:
        st.warning(text.told(warning), icon=":material/warning:")
    left, right = st.columns(2, gap="medium")
    with left:
        _ranking(report, made)
    with right:
        _intervals(report, made)
    _figures(report)
    with st.expander("The networks it rests on", icon=":material/table_rows:"):
        st.dataframe(table(report), hide_index=True, height="content")


def outdated(workspace: Workspace, search: Run, made: Run) -> bool:
    """Whether the search has trained its shared weights since `made` judged them."""
    judged_at = made.ended_at or made.heartbeat_at
    if search.heartbeat_at <= judged_at:
        return False
    told = workspace.store.timed(search.id)
    return any(at > judged_at for at, event in told if isinstance(event, EpochEnd))


def verdict(report: Report) -> str:
    """Markdown of the verdict: colour, mark and words, what led there, and the rest as a list."""
    colour, icon = LOOKS[report["colour"]]
    first, *rest = (text.told(sentence) for sentence in report["sentences"])
    head = f"#### :{colour}[{icon} {text.plain(report['title'])}]"
    return "\n\n".join([head, first, "\n".join(f"- {sentence}" for sentence in rest)])


def _how(made: Run, report: Report) -> str:
    assert isinstance(made.spec, TrustSpec)
    ago = text.ago(made.ended_at or made.heartbeat_at)
    return (
        f"Judged {ago} from {text.plural(report['n'], 'network')}, trained alone with"
        f" {text.plural(report['seeds'], 'seed')} each for"
        f" {text.plural(report['epochs'], 'epoch')}. No test image was touched."
    )


# -- the pictures -------------------------------------------------------------------------------


def _ranking(report: Report, made: Run) -> None:
    networks = report["networks"]
    st.vega_lite_chart(
        ranking.rows(networks),
        ranking.spec(networks, dark=front_view.dark()),
        key=f"front.trust.ranking.{made.id}",
        alt=ranking.alt(networks),
    )
    line = ranking.diagonal(*ranking.spans(networks))
    faint = "" if line is None else " Faint line: as accurate alone as with shared weights."
    st.caption(
        "Each point is a network, the bar its luckiest and unluckiest seed. The more they rise"
        f" from left to right, the better the ranking.{faint}"
    )


def _intervals(report: Report, made: Run) -> None:
    known = intervals.taus(report)
    st.vega_lite_chart(
        intervals.rows(known),
        intervals.spec(known, dark=front_view.dark()),
        key=f"front.trust.intervals.{made.id}",
        alt=intervals.alt(known),
    )
    st.caption(
        "How well each orders the networks; bars are 95 % intervals of a bootstrap. The noise"
        " ceiling is how well other seeds of the same trainings do it: no ranking can be expected"
        " to do better."
    )


# -- the figures --------------------------------------------------------------------------------


def _figures(report: Report) -> None:
    found = list(figures(report))
    for column, (name, value, says) in zip(st.columns(len(found)), found, strict=True):
        with column:
            st.metric(name, value)
            st.caption(says)


def figures(report: Report) -> Iterator[Figure]:
    """Gain over chance, spread, error of latency, and batch norm."""
    yield _gain(report["improvement"])
    yield _spread(report["spread"])
    yield _latency(report["latency"])
    norm = report["batch_norm"]
    before, after = (intervals.signed(norm[key]) for key in ("tau_without", "tau_with"))
    yield (
        "Recalibrated batch norm",
        _points(norm["accuracy_gain"]),
        f"What it changes in proxy accuracy; tau goes from {before} to {after}.",
    )


def _gain(found: Mapping[str, Any] | None) -> Figure:
    name = "Gain over chance"
    if found is None:
        return name, text.UNKNOWN, "No pick within the limit to compare with random networks."
    low, high = found["window_ms"]
    gain = _minus(f"{100 * found['ri']:+.1f} ± {100 * found['se']:.1f}{text.THIN}%")
    real = "more than" if found["real"] else "not more than"
    return (
        name,
        gain,
        f"The pick against {text.plural(found['n_random'], 'random network')} of {text.ms(low)} to"
        f" {text.ms(high)}, all trained alone; {real} two standard errors (±) from 0.",
    )


def _spread(found: Mapping[str, Any]) -> Figure:
    gap = f"{100 * found['range']:.1f}{text.THIN}points"
    says = f"From worst to best network; another seed changes {100 * found['seed_sd']:.2f} (s.d.)"
    times = "" if found["times"] is None else f", {text.significant(found['times'], 2)} times less"
    return "Spread of accuracy", gap, f"{says}{times}."


def _latency(found: Mapping[str, Any]) -> Figure:
    name, held = "Error of latency", int(found.get("n_heldout") or 0)
    if not held:
        return name, text.UNKNOWN, "Not tested: the space holds too few networks."
    says = f"Mean error of predictions on {text.plural(held, 'network')} that no fit has seen."
    return name, text.percent(found["mape"]), says


def _points(share: float) -> str:
    return _minus(f"{100 * share:+.1f}{text.THIN}points")


def _minus(number: str) -> str:
    return number.replace("-", "−")


def table(report: Report) -> dict[str, list[Any]]:
    """Columns of the networks, fastest first; the ranges are those of the seeds."""
    networks = report["networks"]
    seeds = [[accuracy for _, accuracy in network["alone"]] for network in networks]
    return {
        "predicted latency": [text.ms(n["predicted_ms"]) for n in networks],
        "proxy accuracy": [text.percent(n["proxy"]) for n in networks],
        "alone, mean": [text.percent(n["mean"]) for n in networks],
        "lowest seed": [text.percent(min(each)) for each in seeds],
        "highest seed": [text.percent(max(each)) for each in seeds],
        "parameters": text.aligned(n["params"] for n in networks),
        "MACs": [text.compact(n["macs"]) for n in networks],
        "architecture": [n["arch"] for n in networks],
    }
