"""A search's front while it grows: by how much, of which choices, and what the limits refused."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.events import Filtered, Screened, View
from engine.front.limits import UNITS
from engine.store import Run
from studio import text
from studio.charts import hypervolume, usage
from studio.parts import front_view, runs


def growth(run: Run, view: View, *, alive: bool) -> None:
    """Two curves side by side: the best within the limit, and the hypervolume."""
    grown = _grown(run, view)
    if len(grown) < 2:
        return
    now, rows, dark = grown[-1], hypervolume.rows(grown), front_view.dark()
    left, right = st.columns(2, gap="medium")
    with left:
        if all(g.best is None for g in grown):
            st.caption("No network that was evaluated is predicted within every limit.")
        else:
            st.vega_lite_chart(
                rows,
                hypervolume.spec("best", "Best predicted within the limit", dark=dark),
                key=f"search.{run.id}.within",
                alt="Most accurate network that is predicted within the limit, now"
                f" {text.percent(now.best)} after {text.plural(now.evaluations, 'evaluation')}.",
            )
            st.caption(_by_prediction(view, alive=alive))
    with right:
        st.vega_lite_chart(
            rows,
            hypervolume.spec("share", "Hypervolume", dark=dark),
            key=f"search.{run.id}.hypervolume",
            alt=f"Hypervolume of the front, now {text.percent(now.share)} of what is between"
            " guessing and a perfect network of no latency, after"
            f" {text.plural(now.evaluations, 'evaluation')}.",
        )
        st.caption(
            "How much the front beats: the share of the area from the slowest network and guessing"
            " to a perfect network that takes no time."
        )


def _by_prediction(view: View, *, alive: bool) -> str:
    """What the curve of the best goes by, and how that differs from the best that is named."""
    if any(c.measured for c in view.candidates.values()):
        return (
            "Proxy accuracy, within by prediction. What this page calls best was measured within"
            " the limit as well, and may be another network."
        )
    until = "is measured until the end" if alive else "was measured in this search"
    return f"Proxy accuracy, within by prediction: nothing {until}."


def _grown(run: Run, view: View) -> list[hypervolume.Growth]:
    if view.calibrated is None:
        return []
    spec = runs.search_spec(run)
    classes = len(view.data.classes) if view.data else spec.space.classes
    return hypervolume.growth(
        view.kept,
        slowest_ms=view.calibrated.slowest_ms,
        classes=classes,
        limit_ms=spec.latency_limit_ms,
        limits=spec.limits,
    )


def table(run: Run, view: View) -> None:
    """Layer against op on the front, as a heat table."""
    archs = [candidate.arch for candidate in view.front()]
    if not archs:
        return
    space = runs.search_spec(run).space
    st.markdown("**Choices on the front**")
    st.caption(
        f"The {'brighter' if front_view.dark() else 'darker'}, the more of the"
        f" {text.plural(len(archs), 'network')} on the front have it. A dot: none of them has it."
        " Blank: a layer has no such choice."
    )
    st.vega_lite_chart(
        usage.rows(space, archs),
        usage.spec(space, dark=front_view.dark()),
        key=f"search.{run.id}.usage",
        alt=usage.alt(space, archs),
    )


def limits(view: View) -> None:
    """One line: what share of the networks that were drawn the limits let pass."""
    if view.filtered is not None and view.filtered.asked:
        st.caption(acceptance(view.filtered))


def acceptance(filtered: Filtered) -> str:
    """How many networks kept the limits as drawn, and which limit the others did not keep."""
    refused = sum(filtered.refused.values())
    share = text.percent(1 - refused / filtered.asked, 0)
    told = f"{share} of {text.plural(filtered.asked, 'network')} kept all limits as drawn"
    by = [f"{UNITS[name][0]} {text.count(count)}" for name, count in filtered.refused.items()]
    moved = f"the others (over in {', '.join(by)}) were moved into the limits before any evaluation"
    return f"{told}; {moved}." if by else f"{told}."


def screened(view: View) -> None:
    """Training-free metrics and how far they only follow size, as a small table."""
    if view.screened is None:
        return
    st.markdown("**Training-free metrics**")
    st.table(columns(view.screened))
    st.caption(
        f"Kendall's tau over {text.plural(view.screened.n, 'untrained network')}, from −1 to 1: a"
        " metric that follows parameters or MACs says little that size does not."
    )


def columns(found: Screened) -> dict[str, Sequence[str]]:
    """The table of correlations, a metric per row."""
    known = found.correlations
    return {
        "metric": [text.plain(name) for name in known],
        "parameters": [_tau(pair.get("params")) for pair in known.values()],
        "MACs": [_tau(pair.get("macs")) for pair in known.values()],
    }


def _tau(value: float | None) -> str:
    return text.UNKNOWN if value is None else f"{value:+.2f}".replace("-", "−")
