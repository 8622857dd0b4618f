"""Why the front looks as it does: effects of choices, conflicts between them, a smaller space."""

from __future__ import annotations

from engine.store import Run
from engine.workspace import Workspace
from studio.parts import conflicts_card, effects_card, front_view, lessons, shrink_card


def draw(workspace: Workspace, run: Run) -> None:
    """The sections below the front of search `run`; nothing while it has no networks."""
    front = front_view.read(workspace, run)
    if front.picked is None:
        return
    known = lessons.why(workspace, run)
    effects_card.draw(workspace, run, known)
    conflicts_card.draw(workspace, run)
    shrink_card.draw(workspace, front, known)
