"""Every saved state of a search space: when, by whom, what changed; any can be brought back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import streamlit as st

from engine.blocks import BLOCKS
from engine.store import Revision
from engine.workspace import Workspace
from studio import composing, draft, text

SHOWN = 50
MOST_PARTS = 4
Json = dict[str, Any]


def draw(workspace: Workspace) -> None:
    """A list of the newest revisions, each with a button to bring it back."""
    found = workspace.store.revisions(composing.SPACE, SHOWN)
    known = composing.reasons(workspace, SHOWN)
    st.caption("Every edit that can be built is kept. Bringing one back is an edit as well.")
    with st.container(height=360, border=False):
        for revision, before in zip(found, [*found[1:], None], strict=True):
            words = known.get(revision.number) or change(revision, before)
            _row(workspace, revision, words, newest=revision is found[0])


def _row(workspace: Workspace, revision: Revision, words: str, *, newest: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        who = f" · {text.plain(revision.author)}" if revision.author else ""
        when = datetime.fromtimestamp(revision.at).strftime("%Y-%m-%d %H:%M")
        st.markdown(
            f"**{revision.number}** · {text.plain(words)}  \n:small[{when}{who}]",
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
    document = draft.whole(revision.payload)
    composing.put(workspace, document, f"revision {revision.number} brought back")
    composing.tell(f"Revision {revision.number} is back. Undo takes that back.")


def change(revision: Revision, before: Revision | None) -> str:
    """What a revision changed, in a few words, from the two documents alone."""
    if before is None:
        return "the beginning"
    new, old = draft.whole(revision.payload), draft.whole(before.payload)
    parts = [
        f"{word.capitalize()}: {_members(new[word], old[word])}"
        for word in ("input", "stem", "head")
        if new[word] != old[word]
    ]
    if new["classes"] != old["classes"]:
        parts.append(f"classes {text.count(new['classes'])}")
    parts += _stages(new["stages"], old["stages"])
    return "; ".join(parts[:MOST_PARTS]) + (" …" if len(parts) > MOST_PARTS else "") or "its name"


def _stages(new: list[Json], old: list[Json]) -> list[str]:
    if len(new) != len(old):
        return [f"{len(old)} to {text.plural(len(new), 'stage')}"]
    left = list(old)
    for stage in new:
        if stage in left:
            left.remove(stage)
    if not left and new != old:
        return ["stages in another order"]
    pairs = enumerate(zip(new, old, strict=True), 1)
    return [f"Stage {n}: {_stage(a, b)}" for n, (a, b) in pairs if a != b]


def _stage(new: Json, old: Json) -> str:
    shape = [{k: v for k, v in stage.items() if k != "blocks"} for stage in (new, old)]
    parts = [_members(*shape)] if shape[0] != shape[1] else []
    blocks, earlier = ({b["block"]: b for b in stage["blocks"]} for stage in (new, old))
    parts += [f"{_title(name)} added" for name in blocks if name not in earlier]
    parts += [f"{_title(name)} removed" for name in earlier if name not in blocks]
    for name in blocks:  # in their order: a set's is another one every time
        turned = _choices(blocks[name], earlier.get(name, blocks[name]))
        whose = f"{_title(name)} " if len(blocks) > 1 else ""
        parts += [f"{whose}{words}" for words in turned]
    return ", ".join(parts) or (
        "families in another order" if [*blocks] != [*earlier] else "choices"
    )


def _title(name: str) -> str:
    """What people call a family; its own name where an older revision has one unknown here."""
    known = BLOCKS.get(name)
    return known.title if known else name


def _choices(new: Json, old: Json) -> list[str]:
    """`kernel 7×7 on`, `expansion ×3 off` for each value that came or went."""
    parts = []
    known = BLOCKS.get(new["block"])
    for field in known.fields if known else ():
        values, earlier = new.get(field.name, []), old.get(field.name, [])
        for value in [*values, *(v for v in earlier if v not in values)]:
            if (value in values) != (value in earlier):
                turned = "on" if value in values else "off"
                parts.append(f"{field.label.lower()} {field.word(value)} {turned}")
    return parts


def _members(new: Json, old: Json) -> str:
    """`width 24, stride 2`: every member that is another one, as it is now."""
    return ", ".join(
        f"{_named(key)} {_said(value)}" for key, value in new.items() if old.get(key) != value
    )


def _named(key: str) -> str:
    return {"depth": "layers", "layers": "choices", "size": "side"}.get(key, key)


def _said(value: object) -> str:
    if isinstance(value, list):
        return " to ".join(str(one) for one in dict.fromkeys(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return text.count(value)
    return {"own": "per layer", "same": "same for all"}.get(str(value), str(value))
