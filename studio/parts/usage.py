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


def growth(run: Run, view: View) -> None:
    """Two curves side by side: the best within the limit, and the hypervolume."""
    grown = _grown(run, view)
    if len(grown) < 2:
        return
    now, rows, dark = grown[-1], hypervolume.rows(grown), front_view.dark()
    left, right = st.columns(2, gap="medium")
    with left:
        if now.best is not None:
            st.vega_lite_chart(
                rows,
                hypervolume.spec("best", "Best within the limit", dark=dark),
                key=f"search.{run.id}.within",
                alt="Most accurate network that is predicted within the limit, now"
                f" {text.percent(now.best)} after {text.plural(now.networks, 'network')}.",
            )
            st.caption(
                "Proxy accuracy; within by prediction, as nothing is measured until the end."
            )
    with right:
        st.vega_lite_chart(
            rows,
            hypervolume.spec("share", "Hypervolume", dark=dark),
            key=f"search.{run.id}.hypervolume",
            alt=f"Hypervolume of the front, now {text.percent(now.share)} of what is between"
            f" guessing and a perfect network of no latency, after {now.networks} networks.",
        )
        st.caption(
            "How much the front beats: the share of the area from the slowest network and guessing"
            " to a perfect network that takes no time."
        )


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
        f"The darker, the more of the {text.plural(len(archs), 'network')} on the front have it."
        " Empty: a layer has no such choice."
        if not front_view.dark()
        else f"The brighter, the more of the {text.plural(len(archs), 'network')} on the front"
        " have it. Empty: a layer has no such choice."
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
    """How many networks kept the limits, and which limit refused how many."""
    refused = sum(filtered.refused.values())
    share = text.percent(1 - refused / filtered.asked, 0)
    told = f"{share} of {text.plural(filtered.asked, 'network')} drawn kept all limits"
    by = [f"{UNITS[name][0]} {text.count(count)}" for name, count in filtered.refused.items()]
    return f"{told}; refused by {', '.join(by)}." if by else f"{told}."


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
