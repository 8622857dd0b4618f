"""One architecture, drawn: its figures with their provenance, its diagram, its layers."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.cost import layer_cost, network_cost
from engine.devices import open_device
from engine.events import Candidate, View
from engine.latency import LatencyModel, load_model
from engine.space import Arch, SearchSpace
from engine.store import Run
from engine.workspace import Workspace
from studio import state, text
from studio.charts import network
from studio.charts.pareto import verdict
from studio.parts import front_view, runs
from studio.parts.front_view import Front

OVERRULED = (
    ":red[:material/cancel:] median over the limit of {} when measured again for its archive"
)
VERDICTS = {
    "within": ":green[:material/check_circle:] median measured within the limit of {}",
    "over": ":red[:material/cancel:] median measured over the limit of {}",
    "predicted over": ":red[:material/cancel:] predicted over the limit of {}, not measured",
    "not measured": ":material/help: predicted within the limit of {}, not measured yet",
}


def model_of(workspace: Workspace, run: Run) -> LatencyModel | None:
    """Predicted latencies on the device and space of a search, or None once they are gone."""
    spec = runs.search_spec(run)
    return load_model(workspace.store, open_device(spec.device).key, spec.space)


def facts(candidate: Candidate, front: Front) -> None:
    """Accuracy, latency with its kind and provenance, size, and the verdict in words."""
    view, limit = front.view, text.ms(front.limit_ms)
    with st.container(horizontal=True):
        st.metric("Proxy accuracy", text.percent(candidate.proxy_accuracy), width="content")
        st.metric(
            f"Latency, {candidate.latency_source}", text.ms(candidate.latency_ms), width="content"
        )
    if candidate.arch in front.marks.over:
        st.markdown(OVERRULED.format(limit))
    else:
        st.markdown(VERDICTS[verdict(candidate, front.limit_ms)].format(limit))
    st.markdown(f"{text.params(candidate.params)} · {text.macs(candidate.macs)}")
    st.caption(latency_words(candidate, view))


def open_button(workspace: Workspace, front: Front, *, primary: bool) -> None:
    """Leads to the page of the picked architecture, where it is trained and exported."""
    assert front.picked is not None
    if st.button(
        "Open this model",
        key=f"open.model.{front.run.id}",
        type="primary" if primary else "secondary",
        icon=":material/deployed_code:",
        shortcut="M",
    ):
        query = state.link_query(workspace, run=front.run.id, arch=front.picked.arch)
        st.switch_page(state.page("model"), query_params=query)


def latency_words(candidate: Candidate, view: View) -> str:
    """Where the latency of a candidate comes from."""
    device = text.provenance(view.calibrated.device) if view.calibrated else ""
    told = text.plain(device)
    measured = candidate.measured
    if measured is not None:
        return (
            f"p50 {text.ms(measured.p50_ms)}, p90 {text.ms(measured.p90_ms)}, p99"
            f" {text.ms(measured.p99_ms)} of {text.plural(measured.runs, 'run')} in"
            f" {text.plural(len(measured.sessions), 'session')}, slowest session"
            f" {text.ms(measured.worst_ms)}; predicted {text.ms(candidate.predicted_ms)}. {told}"
        )
    error = front_view.error_words(view.calibrated.prediction) if view.calibrated else ""
    return f"Predicted. {error} {told}"


def diagram(space: SearchSpace, arch: Arch, model: LatencyModel | None) -> None:
    """The picture of `arch`, with a latency bar per layer where the device is known."""
    drawn = network.diagram(space, arch, shares(space, arch, model), front_view.dark())
    st.image(drawn, width="stretch", alt=f"Diagram of {arch}, its layers from image to classes")


def shares(space: SearchSpace, arch: Arch, model: LatencyModel | None) -> dict[str, float] | None:
    """Name of a layer to its share of the predicted latency, 0..1; None without a model."""
    if model is None:
        return None
    times = dict(model.layer_ms(space, arch))
    total = sum(times.values())
    return {name: ms / total for name, ms in times.items()}


def layers(space: SearchSpace, arch: Arch, model: LatencyModel | None) -> None:
    """Parameters, MACs and predicted latency of every layer as a table."""
    times = dict(model.layer_ms(space, arch)) if model else {}
    made = space.layers(arch)
    costs = [layer_cost(layer) for layer in made]
    columns: dict[str, Any] = {
        "layer": [layer.name for layer in made],
        "op": [layer.op for layer in made],
        "map": [f"{layer.side}×{layer.side}" for layer in made],
        "parameters": text.aligned(cost.params for cost in costs),
        "MACs": text.aligned(cost.macs for cost in costs),
    }
    if times:
        total = sum(times.values())
        columns["predicted ms"] = [times.get(layer.name) for layer in made]
        columns["share"] = [100 * times.get(layer.name, 0.0) / total for layer in made]
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        column_config={
            "parameters": st.column_config.TextColumn(alignment="right"),
            "MACs": st.column_config.TextColumn(alignment="right"),
            "predicted ms": st.column_config.NumberColumn(
                format=f"%.{text.decimals(times.values())}f"
            ),
            "share": st.column_config.ProgressColumn(
                format="%.0f %%", min_value=0, max_value=100, help="of the predicted latency"
            ),
        },
    )
    cost = network_cost(space, arch)
    st.caption(f"Together {text.params(cost.params)} and {text.macs(cost.macs)}.")
