"""Asking an old search for a new front: another limit, layers held to some choices, "like this".

Nothing is trained: what was evaluated is filtered, and what was not is foreseen and drawn as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import streamlit as st

from engine.errors import StudioError
from engine.events import View
from engine.front.new_front import NewFront, Wish, new_front
from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace
from engine.store import Run
from engine.workspace import Workspace
from studio import state, text
from studio.charts import pareto
from studio.parts import front_view, launch_form, network_card, runs
from studio.parts.front_view import Front

KEPT = 3
"""Layers that are held to some choices and named on the page; more are counted."""


@dataclass(slots=True)
class Asked:
    """What a session asks of one search; `limit_ms` None: as it was searched."""

    limit_ms: float | None = None
    pins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    like: str = ""


def draw(workspace: Workspace, front: Front) -> Front:
    """The controls; `front` as it is while nothing is asked, else what is asked of it."""
    shown = _draw(workspace, front)
    one = shown.ghost or shown.picked
    st.session_state[_shown_key(front.run)] = one.arch if one else ""
    return shown


def _draw(workspace: Workspace, front: Front) -> Front:
    run, model = front.run, network_card.model_of(workspace, front.run)
    if model is None:
        _unmeasured(workspace)
        return front
    if not front.view.fresh():
        return front
    asked = _asked(run)
    with st.container(horizontal=True, vertical_alignment="bottom", key="front.whatif"):
        _limit(front, model, asked)
        _layers(run, asked)
        _like(run, asked)
        st.button(
            "As searched",
            icon=":material/undo:",
            key=f"front.reset.{run.id}",
            disabled=asked == Asked(),
            help="Back to the limit and the choices of the search itself.",
            on_click=_reset,
            args=(run,),
        )
    if asked == Asked():
        return front
    try:
        found = _found(workspace, front, model, asked)
    except StudioError as error:
        text.show_error(error)
        return front
    _told(front, asked, found)
    return _under(front, _wish(front, asked), found)


def _unmeasured(workspace: Workspace) -> None:
    st.caption(
        ":material/info: To try other limits here, this computer must have been measured for this"
        " space: its latency table is not there. Measure it on Search."
    )
    st.page_link(
        state.page("search"), label="Measure this computer", icon=":material/speed:",
        query_params=state.link_query(workspace),
    )  # fmt: skip


# -- what is asked ------------------------------------------------------------------------------


def _asked(run: Run) -> Asked:
    found = st.session_state.setdefault(f"front.asked.{run.id}", Asked())
    assert isinstance(found, Asked)
    return found


def _reset(run: Run) -> None:
    st.session_state[f"front.asked.{run.id}"] = Asked()


def _limit(front: Front, model: LatencyModel, asked: Asked) -> None:
    low, high, step = launch_form.limits(model)
    searched = front.limit_ms
    low, high = min(low, searched), max(high, searched)
    key = f"front.limit.{front.run.id}"
    value = min(high, max(low, searched if asked.limit_ms is None else asked.limit_ms))
    if st.session_state.get(key) != value:
        st.session_state[key] = value

    def moved() -> None:
        wanted = float(st.session_state[key])
        # The slider rests on its steps, the search's own limit need not: near it means it.
        asked.limit_ms = None if abs(wanted - searched) < step / 2 else wanted

    st.slider(
        "Latency limit in ms",
        low,
        high,
        step=step,
        format=f"%.{launch_form.decimals(step)}f",
        key=key,
        on_change=moved,
        help="A new front at once, from what this search has evaluated; nothing is trained.",
    )


def _layers(run: Run, asked: Asked) -> None:
    slots = {slot.name: slot.ops for slot in runs.search_spec(run).space.slots()}
    label = f"Layers · {len(asked.pins)} held" if asked.pins else "Layers"
    with st.popover(label, icon=":material/keep:", key=f"front.layers.{run.id}"):
        layer = st.selectbox("Layer", list(slots), key=f"front.layer.{run.id}")
        key = f"front.pins.{run.id}.{layer}"
        kept = list(asked.pins.get(layer, slots[layer]))
        if st.session_state.get(key) != kept:
            st.session_state[key] = kept

        def changed() -> None:
            wanted = set(st.session_state[key])
            chosen = tuple(op for op in slots[layer] if op in wanted)
            asked.pins.pop(layer, None)
            if chosen != tuple(slots[layer]):
                asked.pins[layer] = chosen

        st.pills("It keeps", slots[layer], selection_mode="multi", key=key, on_change=changed)
        st.caption("Take a choice away to ban it here; leave one alone to hold the layer to it.")
        for name, ops in list(asked.pins.items()):
            st.caption(f"{text.plain(name)} keeps {text.plain(', '.join(ops) or 'nothing')}")


def _shown_key(run: Run) -> str:
    return f"front.shown.{run.id}"


def _like(run: Run, asked: Asked) -> None:
    def wanted() -> None:
        # "This" is what stood beside the chart when the button was pressed.
        asked.like = "" if asked.like else st.session_state[_shown_key(run)]

    st.button(
        "Not only like it" if asked.like else "More like this",
        icon=":material/close:" if asked.like else ":material/join_inner:",
        key=f"front.like.{run.id}",
        help="Networks that differ from the picked one in two decisions at most.",
        on_click=wanted,
    )


def _wish(front: Front, asked: Asked) -> Wish:
    return Wish(
        limit_ms=front.limit_ms if asked.limit_ms is None else asked.limit_ms,
        limits=runs.search_spec(front.run).limits,
        pins=tuple(sorted(asked.pins.items())),
        like=Arch.parse(asked.like) if asked.like else None,
    )


# -- what comes of it ---------------------------------------------------------------------------


def _found(workspace: Workspace, front: Front, model: LatencyModel, asked: Asked) -> NewFront:
    _refuse_empty(asked.pins)
    wish, space = _wish(front, asked), runs.search_spec(front.run).space
    if front.view.data is not None:
        space = space.with_data(len(front.view.data.classes))
    table = f"{model.device_key} {model.constant_ms} {model.slowest_ms}"
    at = (str(workspace.folder), front.run.id, front_view.version(front.view), table, repr(wish))
    return _new_front(at, space, model, front.view, wish)


def _refuse_empty(pins: Mapping[str, tuple[str, ...]]) -> None:
    for name, ops in pins.items():
        if not ops:
            raise StudioError(f"{name}: must keep at least one choice.", "Pick one under Layers.")


@st.cache_resource(show_spinner=False, max_entries=128)
def _new_front(
    at: tuple[object, ...], _space: SearchSpace, _model: LatencyModel, _view: View, _wish: Wish
) -> NewFront:
    del at  # the key of this entry
    return new_front(_space, _model, _view, _wish)


def _told(front: Front, asked: Asked, found: NewFront) -> None:
    """In words: what the front is made of, what it took, and the best within the limit."""
    count = text.plural(len(found.evaluated), "evaluated network")
    told = f"New front under {text.ms(_wish(front, asked).limit_ms)}"
    if asked.like:
        told += f", like `{asked.like}`"
    told += f": {count} and {text.count(len(found.ghosts))} foreseen."
    best = found.best
    if best is not None:
        told += f" **Best within the limit** `{best.arch}` {front_view.line(best)}."
    else:
        less = ", take back what is held" if asked.pins or asked.like else ""
        told += (
            " No network that was evaluated keeps to it."
            f" Raise the limit{less}, or search again with this limit."
        )
    st.markdown(told)
    held = [f"{text.plain(n)} keeps {text.plain(', '.join(o))}" for n, o in asked.pins.items()]
    more = f" and {len(held) - KEPT} more" if len(held) > KEPT else ""
    rest = f" Held: {'; '.join(held[:KEPT])}{more}." if held else ""
    took = f"{max(found.seconds, 0.1):.1f}{text.THIN}s"
    st.caption(f"Took {took}, nothing was trained.{_trust(found)}{rest}")


def _trust(found: NewFront) -> str:
    if found.error is None:
        few = text.plural(found.n, "network")
        return f" Nothing could be foreseen: {few} evaluated are too few to learn from."
    learned = text.plural(found.n, "network")
    return f" Foreseen after {learned}, mean error {front_view.points(found.error)}."


def _under(front: Front, wish: Wish, found: NewFront) -> Front:
    """`front` with the members, the limit and the best of the new one."""
    shown = pareto.around(front.view, found.evaluated, found.ghosts)
    shown = replace(shown, trained=front.shown.trained)
    best = found.best if found.best and found.best.within(wish.limit_ms) else None
    started = found.best or next(iter(found.evaluated), front.picked)
    marks = replace(
        front.marks, best=found.best.arch if found.best else "", chosen=_compared(front)
    )
    return front_view.picking(
        replace(
            front,
            shown=shown,
            best=best,
            picked=started,
            marks=marks,
            limit_ms=wish.limit_ms,
            error=found.error,
        )
    )


def _compared(front: Front) -> frozenset[str]:
    one = front.ghost or front.picked
    return frozenset(front.marks.chosen) - {one.arch if one else ""}
