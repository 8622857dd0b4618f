"""The one sentence on every page of a workspace: what is searched, for what, on what."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from engine.workspace import Workspace
from studio import state, text


def draw(workspace: Workspace) -> None:
    """The sentence; each part links to the page that changes it, what is missing is a prompt."""
    query = state.link_query(workspace)
    with st.container(
        key="sentence", horizontal=True, vertical_alignment="center", gap="xxsmall", border=True
    ):
        st.markdown(f"**{text.plain(workspace.title)}** ·", width="content")
        for words, page in parts(workspace):
            if page:
                label = f":green[**{words}**]"
                st.page_link(state.page(page), label=label, icon="", query_params=query)
            else:
                st.markdown(words, width="content")


def parts(workspace: Workspace) -> list[tuple[str, str]]:
    """(words, name of the page they link to or "") from left to right."""
    goal = state.goal(workspace)
    limit = text.ms(goal.limit_ms) if goal.limit_ms else "choose a limit"
    return [
        ("Find the most accurate network of", ""),
        (_space(workspace), "compose"),
        ("for", ""),
        (_data(workspace), "data"),
        ("that runs within", ""),
        (limit, "search"),
        ("on", ""),
        (_device(workspace), "search"),
        (".", ""),
    ]


def plain_sentence(workspace: Workspace) -> str:
    """The sentence as plain text, for cards and alternative texts."""
    return " ".join(words for words, _ in parts(workspace)).replace(" .", ".")


def _space(workspace: Workspace) -> str:
    space = state.space(workspace)
    revision = workspace.store.revision("space")
    return f"{text.plain(space.name)} · rev {revision} · {text.networks(space.size())}"


def _data(workspace: Workspace) -> str:
    dataset = state.dataset(workspace)
    if dataset is None:
        return f"{text.plain(data_name(workspace))} · not read yet"
    named = uploaded_name(workspace) or dataset.name
    return f"{text.plain(named)} · {text.plural(len(dataset.labels), 'image')}"


def data_name(workspace: Workspace) -> str:
    """What people call the chosen images: a built-in's name, or that of a folder or archive."""
    choice = state.data_choice(workspace)
    if choice.source == "folder" and choice.path:
        return uploaded_name(workspace) or choice.path.rstrip("/").rsplit("/", 1)[-1]
    return {"cifar10": "CIFAR-10"}.get(choice.source, choice.source)


def uploaded_name(workspace: Workspace) -> str:
    """What the uploaded archive was called where it came from; empty for other images."""
    return str((workspace.store.document("data") or {}).get("name", ""))


def _device(workspace: Workspace) -> str:
    choice = state.device_choice(workspace)
    model = state.device_model(workspace)
    error = text.prediction(asdict(model.prediction)) if model else "not measured yet"
    return f"{text.device(choice.name, choice.threads)} · {error}"
