"""One click to a smaller space: what a search found useless goes, as a revision of the space.

The space of the search itself stays as it is, and so does every earlier revision.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from engine.explain.shrink import Shrunk
from engine.explain.why import Why
from engine.space import SearchSpace
from engine.spec import TrainSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import composing, draft, state, text
from studio.parts import lessons, network_card, runs, why_card
from studio.parts.front_view import Front

MOST_EXACT = 10**24  # larger numbers of networks are written as powers of ten alone
KEPT = "The best within the limit and whatever was trained or exported stay in it"


def draw(workspace: Workspace, front: Front, known: Why | None) -> None:
    """The section on the page of a search; `known` is None before its second network."""
    st.subheader("Shrink the space")
    if _done(workspace, front.run):
        _shrunk(workspace, front.run)
        return
    model = network_card.model_of(workspace, front.run)
    if known is None or not lessons.telling(known):
        st.markdown(":material/info: Too few networks were evaluated to say what is useless.")
    elif model is None:
        why_card.unmeasured(workspace, "To see what may go")
    else:
        found = lessons.shrunk(workspace, front.run, latency=model, keep=_keep(workspace, front))
        _proposal(workspace, front.run, found)


def _keep(workspace: Workspace, front: Front) -> list[str]:
    """Networks that somebody has a use for."""
    trained = [
        r.spec.arch
        for r in workspace.store.runs("train")
        if isinstance(r.spec, TrainSpec) and r.spec.run == front.run.id
    ]
    best = [front.best.arch] if front.best else []
    return sorted({*best, *trained, *runs.exported(workspace, front.run.id)})


def _proposal(workspace: Workspace, run: Run, found: Shrunk) -> None:
    if not found.gone:
        st.markdown(
            ":material/check: Nothing can go. Every choice is used by the front's better half, is"
            " faster than what is better, or is not surely worse."
        )
        return
    st.markdown(sizes(found.size_before, found.size_after))
    st.markdown("\n".join(f"- {text.told(reason)}" for reason in found.gone))
    drafted = state.drafted_space(workspace)
    if _same(drafted, found.space):
        st.markdown(":material/check: The workspace's space is this smaller one already.")
        _links(workspace)
        return
    own = _same(drafted, runs.search_spec(run).space)
    blocked = _in_the_way(workspace, run, own=own)
    for sentence in blocked:
        st.warning(sentence, icon=":material/info:")
    st.button(
        "Shrink it anyway" if blocked else "Shrink the space",
        icon=":material/compress:",
        type="secondary" if blocked else "primary",
        key=f"front.shrink.{run.id}",
        on_click=_shrink,
        args=(workspace, run, found.space),
    )
    st.caption(
        f"{KEPT}. The smaller space becomes a new revision of the workspace's space, and the one"
        " before is kept; the latency table holds in both. This search stays as it is."
    )


def sizes(before: int, after: int) -> str:
    """How many networks there were and are, exact and as powers of ten, in Markdown."""
    powers = f"{text.power(before)} → {text.power(after)}"
    if max(before, after) >= MOST_EXACT:
        return f"**{powers} networks**"
    return f"**{text.count(before)} → {text.plural(after, 'network')}** · {powers}"


def _same(one: SearchSpace, other: SearchSpace) -> bool:
    """Whether two spaces hold the same networks, whatever they are called and for any classes."""
    return one.with_data(other.classes).digest() == other.digest()


def _in_the_way(workspace: Workspace, run: Run, *, own: bool) -> list[str]:
    """What to know before the workspace's space is replaced; `own`: it is still the search's."""
    revision = workspace.store.revision(composing.SPACE)
    told = []
    if not own:
        told.append(
            f"The workspace's space (revision {revision}) is no longer the one of search {run.id}."
            f" Shrinking puts the space of search {run.id}, made smaller, in its place. Nothing is"
            f" lost: revision {revision} is kept and can be brought back."
        )
    if (workspace.store.document(composing.DRAFT) or {}).get("revision") == revision:
        told.append(
            "A draft that cannot be built yet lies on the canvas of Compose. Shrinking takes it"
            " off the canvas."
        )
    return told


def _shrink(workspace: Workspace, run: Run, smaller: SearchSpace) -> None:
    drafted = state.drafted_space(workspace)
    if _same(drafted, runs.search_spec(run).space):  # its name and its classes stay
        smaller = replace(drafted, stages=smaller.stages)
    composing.put(workspace, draft.whole(smaller.to_json()), _title(run))


# -- afterwards -----------------------------------------------------------------------------------


def _title(run: Run) -> str:
    return f"shrunk after search {run.id}"


def _done(workspace: Workspace, run: Run) -> bool:
    """Whether the newest revision of the space is the one that this search has shrunk."""
    newest = workspace.store.revision(composing.SPACE)
    return composing.reasons(workspace, 1).get(newest) == _title(run)


def _shrunk(workspace: Workspace, run: Run) -> None:
    after, before = workspace.store.revisions(composing.SPACE, 2)
    old, new = (SearchSpace.from_json(r.payload).size() for r in (before, after))
    st.markdown(
        f":material/check_circle: The space was shrunk: {sizes(old, new)}. It is revision"
        f" {after.number}; revision {before.number} is kept."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Undo",
            icon=":material/undo:",
            key=f"front.unshrink.{run.id}",
            help=f"Brings back revision {before.number}; revision {after.number} is kept as well.",
            on_click=_undo,
            args=(workspace, before.number),
        )
        _links(workspace)


def _undo(workspace: Workspace, number: int) -> None:
    document = workspace.store.document(composing.SPACE, number)
    assert document is not None
    composing.put(workspace, draft.whole(document), f"revision {number} brought back")


def _links(workspace: Workspace) -> None:
    query = state.link_query(workspace)
    for name, label, icon in (
        ("compose", "Look at it on Compose", ":material/dashboard_customize:"),
        ("search", "Search the smaller space", ":material/route:"),
    ):
        st.page_link(state.page(name), label=label, icon=icon, query_params=query)
