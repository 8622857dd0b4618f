"""Compose in the real studio: opening it, and hands for the tools and the cards on it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from engine.workspace import Workspace, create_workspace
from studio import composing, draft
from tests.e2e.canvas_board import Board, middle
from tests.e2e.conftest import Studio, settle

Json = dict[str, Any]
FOCUSED = """(wanted) => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return Boolean(at?.matches(wanted));
}"""
"""Whether what has the focus, through shadow roots, matches a selector."""
MOST_TABS = 80
MOVES, RESTS, APART_S = 10, 5, 0.1
TOUCH = "Input.dispatchTouchEvent"
SAVED_WITHIN_S = 5.0


@dataclass
class Desk(Board):
    """The page, the server behind it, and the workspace that the canvas belongs to."""

    studio: Studio
    workspace: Workspace
    finger: bool = False

    def hit(self, what: Locator, times: int = 1) -> None:
        """Presses with the mouse, or the finger where there is one."""
        if not self.finger:
            what.click(click_count=times)
            return
        for _ in range(times):
            what.tap()

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
        deadline = time.monotonic() + SAVED_WITHIN_S
        while self.stages() != stages and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.stages() == stages, f"{self.stages()} is not {stages}"

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

    def press(self, card: str, name: str, times: int = 1) -> None:
        """A button in a card."""
        self.hit(self.card(card).get_by_role("button", name=name, exact=True), times)

    def pick(self, card: str, name: str) -> None:
        """One of a few."""
        self.hit(self.card(card).get_by_role("radio", name=name, exact=True))

    def menu(self, stage: int, entry: str) -> None:
        """An entry of a stage's menu."""
        self.press(f"Stage {stage}", f"More for stage {stage}")
        self.hit(self.page.get_by_role("menuitem", name=entry))

    def choose(self, card: str, field: str, *wanted: str) -> None:
        """Presses chips until just these are on."""
        row = self.card(card).get_by_role("group", name=field, exact=True)
        chips = row.get_by_role("button")
        on = chips.evaluate_all(
            "all => all.filter(c => c.ariaPressed === 'true').map(c => c.textContent)"
        )
        for text in [*(w for w in wanted if w not in on), *(o for o in on if o not in wanted)]:
            self.hit(chips.filter(has_text=_exactly(text)))

    def step(self, card: str, label: str, to: int) -> None:
        """Presses + or − until the number is there; whatever a press is worth."""
        shown = self.card(card).get_by_role("spinbutton", name=label, exact=True)
        for _ in range(20):
            left = to - _number(shown)
            if not left:
                return
            button = f"{label}: {'more' if left > 0 else 'less'}"
            self.press(card, button)
            rest = to - _number(shown)
            presses = rest // (left - rest)
            if presses > 0:
                self.press(card, button, presses)
        raise AssertionError(f"{card}: {label} does not come to {to}")

    def carry(self, what: Locator, to: tuple[float, float]) -> None:
        """With a finger that rests before it lets go: else Chromium takes the next tap for a stop.

        The events tell of a second and a half, which nobody waits for.
        """
        session = self.page.context.new_cdp_session(self.page)
        start, began = middle(what), time.time() - (MOVES + RESTS) * APART_S
        for number in range(MOVES + RESTS):
            part = min(number / MOVES, 1)
            x, y = (a + (b - a) * part for a, b in zip(start, to, strict=True))
            event = {"type": "touchMove" if number else "touchStart"}
            event |= {"touchPoints": [{"x": x, "y": y}], "timestamp": began + number * APART_S}
            session.send(TOUCH, event)
        session.send(TOUCH, {"type": "touchEnd", "touchPoints": []})

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


def open_desk(page: Page, studio: Studio, *, finger: bool = False) -> Desk:
    """Compose with the digits example's space in a new workspace."""
    page.emulate_media(reduced_motion="reduce")  # nothing is in motion when it is pressed
    desk = Desk(page, studio, create_workspace(studio.root, "Composed"), finger)
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
    # For the keyboard only; it shows where the page's style sheet has gone.
    expect(page.get_by_text("Go to Home")).to_be_hidden()


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
