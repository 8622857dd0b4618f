"""Compose in the real studio: opening it, and hands for the tools and the cards on it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from engine.workspace import Workspace, create_workspace
from studio import composing, draft
from tests.e2e.canvas_board import Board
from tests.e2e.conftest import Studio, settle

Json = dict[str, Any]
FOCUSED = """(wanted) => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return Boolean(at?.matches(wanted));
}"""
"""Whether what has the focus, through shadow roots, matches a selector."""
MOST_TABS = 80


@dataclass
class Desk(Board):
    """The page, the server behind it, and the workspace that the canvas belongs to."""

    studio: Studio
    workspace: Workspace

    @property
    def revision(self) -> int:
        """How often the space was saved."""
        return self.workspace.store.revision(composing.SPACE)

    def space(self) -> Json:
        """The space as the workspace holds it, each stage with a list of blocks."""
        saved = self.workspace.store.document(composing.SPACE)
        assert saved is not None
        return saved | {"stages": [_with_blocks(stage) for stage in saved["stages"]]}

    def stages(self) -> list[Json]:
        """The stages of the saved space."""
        stages: list[Json] = self.space()["stages"]
        return stages

    def saves(self, stages: list[Json]) -> None:
        """Waits until the workspace holds a space with just these stages."""
        self.studio.wait_for(lambda: self.stages() == stages, f"space with {stages}")

    def held(self) -> Json:
        """What the workspace would put on the canvas: the draft if there is one, else the space."""
        store = self.workspace.store
        kept = store.document(composing.DRAFT) or {}
        if kept.get("revision") == self.revision:
            document: Json = kept["document"]
            return document
        return draft.whole(self.space())

    def holds(self, check: Callable[[Json], bool]) -> None:
        """Waits until the saved space is as it should be."""
        self.studio.wait_for(lambda: check(self.space()), "such a space in the workspace")

    def show(self) -> None:
        """Opens Compose, or loads it again."""
        self.page.goto(f"{self.studio.url}/compose?ws={self.workspace.name}")
        self.ready()

    def ready(self) -> None:
        """Waits until the canvas is there and the server has nothing more to draw."""
        self.card("Head").wait_for()
        settle(self.page)

    def press(self, card: str, name: str) -> None:
        """A button in a card."""
        self.card(card).get_by_role("button", name=name, exact=True).click()

    def pick(self, card: str, name: str) -> None:
        """One of a few."""
        self.card(card).get_by_role("radio", name=name, exact=True).click()

    def menu(self, stage: int, entry: str) -> None:
        """An entry of a stage's menu."""
        self.press(f"Stage {stage}", f"More for stage {stage}")
        self.page.get_by_role("menuitem", name=entry).click()

    def choose(self, card: str, field: str, *wanted: str) -> None:
        """Presses chips until just these are on."""
        row = self.card(card).get_by_role("group", name=field, exact=True)
        chips = row.get_by_role("button")
        on = chips.evaluate_all(
            "all => all.filter(c => c.ariaPressed === 'true').map(c => c.textContent)"
        )
        for text in [*(w for w in wanted if w not in on), *(o for o in on if o not in wanted)]:
            chips.filter(has_text=_exactly(text)).click()

    def step(self, card: str, label: str, to: int) -> None:
        """Presses + or − until the number is there; whatever a press is worth."""
        shown = self.card(card).get_by_role("spinbutton", name=label, exact=True)
        for _ in range(20):
            left = to - _number(shown)
            if not left:
                return
            button = f"{label}: {'more' if left > 0 else 'less'}"
            self.press(card, button)
            worth = to - left - _number(shown)
            presses = (to - _number(shown)) // -worth
            if presses > 0:
                pressed = self.card(card).get_by_role("button", name=button, exact=True)
                pressed.click(click_count=presses)
        raise AssertionError(f"{card}: {label} does not come to {to}")

    def tab_to(self, selector: str) -> None:
        """Walks with the Tab key, as somebody without a mouse does."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(FOCUSED, selector):
                return
        raise AssertionError(f"{selector} is not reached by Tab")

    def keys(self, *names: str) -> None:
        """Key presses one after the other."""
        for name in names:
            self.page.keyboard.press(name)


def open_desk(page: Page, studio: Studio, preset: str = "digits") -> Desk:
    """Compose with a preset's space in a new workspace."""
    page.emulate_media(reduced_motion="reduce")  # nothing is in motion when it is pressed
    desk = Desk(page, studio, create_workspace(studio.root, "Composed", preset))
    desk.show()
    return desk


def from_shelf(desk: Desk, kind: str, preset: str) -> None:
    """Puts a preset on the canvas by its menu."""
    page = desk.page
    page.get_by_role("button", name="Presets", exact=True).click()
    page.get_by_role("button", name=kind, exact=True).or_(
        page.get_by_role("radio", name=kind, exact=True)
    ).click()
    page.get_by_test_id("stRadio").get_by_text(preset, exact=True).click()
    settle(page)
    page.get_by_role("button", name="Use this space").click()
    desk.holds(lambda space: space["name"] == preset)
    settle(page)


def empty_canvas(desk: Desk) -> None:
    """Takes all stages off; the menu is open before and closed after."""
    page = desk.page
    page.get_by_role("button", name="Empty canvas").click()
    expect(page.locator(".nothing")).to_be_visible()
    page.get_by_role("button", name="Presets", exact=True).click()
    expect(page.get_by_role("button", name="Empty canvas")).to_be_hidden()
    settle(page)


def _number(shown: Locator) -> int:
    return int(shown.get_attribute("aria-valuenow") or 0)


def _exactly(text: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(text)}$")


def _with_blocks(stage: Json) -> Json:
    own = {key: stage[key] for key in ("width", "depth", "stride")}
    if "layers" in stage:
        own["layers"] = stage["layers"]
    blocks = stage.get("blocks") or [{k: v for k, v in stage.items() if k not in own}]
    return own | {"blocks": blocks}
