"""What a search is asked for: device, limit, epochs, seed; first of all, measuring the device."""

from __future__ import annotations

import math
import os
from dataclasses import asdict
from functools import partial
from typing import Any

import streamlit as st

from engine.latency import LatencyModel
from engine.spec import MAX_EPOCHS, MAX_SEED, DeviceChoice, ProfileSpec, RunSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.parts import front_view, runs, strategy_choice
from studio.parts.strategy_choice import Choice

THREADS, LIMIT, EPOCHS, SEED = (f"search.{name}" for name in ("threads", "limit", "epochs", "seed"))


def draw(workspace: Workspace) -> None:
    """The form, or the one step before it."""
    _device(workspace)
    model = state.device_model(workspace)
    if model is None:
        measure(workspace)
    else:
        _form(workspace, model)


def _device(workspace: Workspace) -> None:
    threads = state.device_choice(workspace).threads
    key = f"{THREADS}.{workspace.name}"
    if st.session_state.get(key) != threads:
        st.session_state[key] = threads
    st.selectbox(
        "Device",
        range(1, max(cores(), threads) + 1),
        format_func=lambda n: text.device("local", n).capitalize(),
        key=key,
        on_change=_save_device,
        args=(workspace, key),
        help="Networks run here through ONNX Runtime on the processor, one image at a time.",
    )


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _save_device(workspace: Workspace, key: str) -> None:
    workspace.store.save("device", {"name": "local", "threads": st.session_state[key]})


def measure(workspace: Workspace) -> None:
    """The step before a limit can be chosen: a latency table of this computer."""
    run = next(iter(workspace.store.runs("profile")), None)
    name = launch.state_of(workspace, run) if run else ""
    st.markdown(
        "A limit in milliseconds needs to know this computer: every building block of the space is"
        " timed once, then a few whole networks, so that the latency of any network can be"
        " predicted, with its error. It takes some seconds."
    )
    if run and name in launch.LIVE:
        runs.watch(_progress, workspace, run)
        return
    if run:
        runs.trouble(workspace, run, name)
    label = "Resume measuring" if name == "crashed" else "Measure this computer"
    if st.button(
        label,
        type="primary",
        icon=":material/speed:",
        key="search.measure",
        shortcut="Ctrl+Enter",
    ):
        spec = ProfileSpec(state.space(workspace), state.device_choice(workspace))
        if name == "crashed" and run and run.spec == spec:
            runs.perform(partial(launch.resume, workspace, run.id))
        else:
            runs.perform(partial(launch.start, workspace, spec))


def _progress(workspace: Workspace, run: Run, name: str) -> None:
    runs.bar(run, name)
    runs.button(
        "Stop",
        lambda: launch.stop(workspace, run.id),
        key=f"run.stop.{run.id}",
        icon=":material/stop:",
        disabled=workspace.store.wanted(run.id) == "stopped",
        shortcut="S",
    )


def _form(workspace: Workspace, model: LatencyModel) -> None:
    goal = state.goal(workspace)
    limit = _limit(workspace, model, goal.limit_ms)
    st.caption(
        f"Networks of this space run in {text.ms(model.fastest_ms)} to"
        f" {text.ms(model.slowest_ms)}, half of them in {text.ms(model.median_ms)} or less,"
        f" predicted. {front_view.error_words(asdict(model.prediction))}"
    )
    if model.device.get("busy"):
        st.caption(
            ":orange[:material/warning: The computer was busy with other work while it was"
            " measured: predictions may be too slow, and limits harder to meet than they look.]"
        )
    choice = strategy_choice.draw(workspace, model, limit)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = st.number_input(
            "Epochs",
            3,
            MAX_EPOCHS,
            goal.epochs,
            key=f"{EPOCHS}.{workspace.name}",
            width=140,
            help="Passes over the images while the search trains weights.",
        )
        seed = st.number_input(
            "Seed", 0, MAX_SEED, goal.seed, key=f"{SEED}.{workspace.name}", width=140
        )
        pressed = st.button(
            "Search",
            type="primary",
            icon=":material/play_arrow:",
            key="search.launch",
            shortcut="Ctrl+Enter",
        )
    asked = {"limit_ms": limit, "epochs": int(epochs), "seed": int(seed)}
    known = same_search(workspace, wanted_search(workspace, asked, choice))
    if known is not None:
        st.caption(
            f":material/info: Search {known.id} has asked for just this: the same search again"
            " finds the same but for the noise of measuring. Another seed makes it another search."
        )
    if pressed and choice.problems:
        st.error(f"Not started. {strategy_choice.ELSEWHERE}")
    elif pressed:
        runs.perform(partial(start, workspace, asked, choice))


def _limit(workspace: Workspace, model: LatencyModel, asked: float | None) -> float:
    """The limit in ms, by a slider or as a number: two views of the goal, which holds the value."""
    low, high, step = limits(model)
    digits = decimals(step)
    value = min(high, max(low, round(model.median_ms, digits) if asked is None else asked))
    key = f"{LIMIT}.{workspace.name}.{model.device_key}.{model.space_digest}"
    keys = {name: f"{key}.{name}" for name in ("slider", "number", "problem")}
    for name in ("slider", "number"):
        if st.session_state.get(keys[name]) != value:
            st.session_state[keys[name]] = value
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.slider(
            "Latency limit in ms",
            low,
            high,
            step=step,
            format=f"%.{digits}f",
            key=keys["slider"],
            on_change=_save_limit,
            args=(workspace, keys, "slider", (low, high)),
        )
        st.number_input(
            "Limit as a number",
            step=step,
            format=f"%.{digits + 2}f",
            key=keys["number"],
            on_change=_save_limit,
            args=(workspace, keys, "number", (low, high)),
            width=170,
        )
    if keys["problem"] in st.session_state:
        st.error(st.session_state[keys["problem"]])
    st.caption(
        "Within means: the median (p50) of every measuring session is at or below the limit."
    )
    return value


def limits(model: LatencyModel) -> tuple[float, float, float]:
    """Lowest and highest limit to choose from, and the step: all reachable, on round numbers."""
    step = 10.0 ** math.floor(math.log10((model.slowest_ms - model.fastest_ms) / 100 or 1e-4))
    digits = decimals(step)
    low = round(math.ceil(model.fastest_ms / step) * step, digits)
    return low, max(low + step, round(math.ceil(model.slowest_ms / step) * step, digits)), step


def decimals(step: float) -> int:
    """Digits after the point that a multiple of `step` needs."""
    return max(0, -math.floor(math.log10(step)))


def _save_limit(
    workspace: Workspace, keys: dict[str, str], name: str, span: tuple[float, float]
) -> None:
    asked, (low, high) = float(st.session_state[keys[name]]), span
    st.session_state.pop(keys["problem"], None)
    if not low <= asked <= high:
        st.session_state[keys["problem"]] = (
            f"Limit: must be from {text.ms(low)} to {text.ms(high)}, which networks of this space"
            f" reach, got {text.ms(asked)}. The limit stays as it was."
        )
        return
    document = workspace.store.document("goal") or {}
    goal = state.goal(workspace)
    rest = {"epochs": goal.epochs, "seed": goal.seed}
    workspace.store.save("goal", rest | document | {"limit_ms": asked})


def wanted_search(workspace: Workspace, asked: dict[str, float | int], choice: Choice) -> RunSpec:
    """The search that the form describes."""
    return RunSpec(
        space=state.space(workspace),
        data=state.data_choice(workspace),
        device=state.device_choice(workspace),
        latency_limit_ms=float(asked["limit_ms"]),
        strategy=choice.strategy,
        mode=choice.mode,
        limits=choice.limits,
        recipe=choice.recipe,
        front=choice.front,
        epochs=int(asked["epochs"]),
        seed=int(asked["seed"]),
    )


def same_search(workspace: Workspace, spec: RunSpec) -> Run | None:
    """The newest finished search if it asked for the same as `spec`."""
    done = (run for run in workspace.store.runs("search") if run.state == "finished")
    newest = next(done, None)
    return newest if newest is not None and newest.spec == spec else None


def start(workspace: Workspace, asked: dict[str, float | int], choice: Choice) -> None:
    """Saves what is asked for and launches the search; RunError while another run is going on."""
    spec = wanted_search(workspace, asked, choice)
    device: DeviceChoice = spec.device
    store = workspace.store
    documents: dict[str, dict[str, Any]] = {
        "goal": dict(asked),
        "device": {"name": device.name, "threads": device.threads},
    }
    for name, document in documents.items():
        if store.document(name) != document:
            store.save(name, document)
    strategy_choice.save(workspace, choice)
    st.query_params["run"] = str(launch.start(workspace, spec))
