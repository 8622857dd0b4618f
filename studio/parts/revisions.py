"""Every saved state of a search space: when, by whom, what changed; any can be brought back."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from engine.store import Revision
from engine.workspace import Workspace
from studio import composing, draft, text

SHOWN = 50


def draw(workspace: Workspace) -> None:
    """A list of the newest revisions, each with a button to bring it back."""
    found = workspace.store.revisions(composing.SPACE, SHOWN)
    st.caption("Every edit that can be built is kept. Bringing one back is an edit as well.")
    with st.container(height=360, border=False):
        for revision, before in zip(found, [*found[1:], None], strict=True):
            _row(workspace, revision, before, newest=revision is found[0])


def _row(
    workspace: Workspace, revision: Revision, before: Revision | None, *, newest: bool
) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        who = f" · {text.plain(revision.author)}" if revision.author else ""
        when = datetime.fromtimestamp(revision.at).strftime("%Y-%m-%d %H:%M")
        st.markdown(
            f"**{revision.number}** · {change(revision, before)}  \n:small[{when}{who}]",
            width="stretch",
        )
        if newest:
            st.badge("now", color="green")
        else:
            st.button(
                "Bring back",
                key=f"compose.revision.{revision.number}",
                on_click=_restore,
                args=(workspace, revision),
            )


def _restore(workspace: Workspace, revision: Revision) -> None:
    composing.put(workspace, draft.whole(revision.payload))
    composing.tell(f"Revision {revision.number} is back. Undo takes that back.")


def change(revision: Revision, before: Revision | None) -> str:
    """What a revision changed, in a few words."""
    if before is None:
        return "the beginning"
    new, old = revision.payload, before.payload
    parts = [word for word in ("input", "stem", "head") if new.get(word) != old.get(word)]
    stages, earlier = new.get("stages", []), old.get("stages", [])
    if len(stages) != len(earlier):
        parts.append(f"{len(earlier)} to {text.plural(len(stages), 'stage', 'stages')}")
    else:
        pairs = enumerate(zip(stages, earlier, strict=True), 1)
        parts += [f"stage {i}" for i, (a, b) in pairs if a != b]
    return ", ".join(parts[:4]) + (" …" if len(parts) > 4 else "") or "its name"
