"""Spaces built on Compose in the real studio by mouse, keyboard and finger; nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import presets
from engine.space import SearchSpace
from tests.e2e.compose_desk import Desk, empty_canvas, from_shelf, open_desk
from tests.e2e.conftest import PATIENCE_S, Studio

pytestmark = pytest.mark.e2e

PHONE = {"width": 390, "height": 844}
STEPS = 20
EDITS = (
    ("Stage 2", "Kernel 7×7"),
    ("Stage 3", "Width: more"),
    ("Stage 1", "Activation h-swish"),
    ("Stage 3", "Most layers: more"),
    ("Stage 2", "Channel attention none"),
)
"""The last of them leaves nothing to choose: what follows is a draft until it is pressed again."""
NETWORK = "mobilenet-v3-small"


@pytest.fixture
def desk(page: Page, studio: Studio) -> Desk:
    """Compose with the digits example's space."""
    return open_desk(page, studio)


@pytest.fixture
def phone(browser: Browser, studio: Studio) -> Iterator[Desk]:
    """The same on a phone; the browser may tell of no fault."""
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield open_desk(page, studio, finger=True)
    faults += page.get_by_test_id("stException").all_inner_texts()
    context.close()
    assert faults == []


def test_mobilenet_v3_small_is_built_by_mouse_from_an_empty_canvas(desk: Desk):
    from_shelf(desk, "224×224 images", "single-path")
    empty_canvas(desk)
    stem_and_head(desk)
    late_stages(desk)
    early_stages(desk)
    wanted = presets.load(NETWORK)
    named = {"name": wanted.name, "citation": wanted.citation}
    desk.holds(lambda space: len(space["stages"]) == 7)
    desk.studio.wait_for(
        lambda: replace(SearchSpace.from_json(desk.space()), **named) == wanted, NETWORK
    )
    built = SearchSpace.from_json(desk.space())
    assert presets.figures(built) == {"size": 1, "params": 2_542_856, "macs": 56_510_400}
    expect(desk.page.locator(".st-key-xray")).to_contain_text("56.5")


def stem_and_head(desk: Desk) -> None:
    desk.step("Stem", "Stem: Width", 16)
    desk.pick("Stem", "h-swish")
    desk.step("Head", "Head: Width (0: none)", 576)
    desk.step("Head", "Head: Hidden (0: none)", 1024)
    desk.pick("Head", "h-swish")


def late_stages(desk: Desk) -> None:
    """The four stages with 5×5 kernels: one from the palette, three copies with what differs."""
    page = desk.page
    page.locator(".nothing").scroll_into_view_if_needed()
    box = page.locator(".nothing").bounding_box()
    assert box is not None
    desk.drag(desk.block("mbconv"), (box["x"] + 99, box["y"] + 9))
    desk.choose("Stage 1", "Kernel", "5×5")
    desk.choose("Stage 1", "Expansion", "×6")
    desk.choose("Stage 1", "Channel attention", "SE")
    desk.choose("Stage 1", "Activation", "h-swish")
    desk.step("Stage 1", "Width", 40)
    desk.step("Stage 1", "Fewest layers", 2)
    for number in (1, 2, 3):
        desk.menu(number, "Duplicate")
    desk.choose("Stage 1", "Expansion", "×4")
    desk.step("Stage 1", "Most layers", 1)
    desk.choose("Stage 3", "Expansion", "×3")
    desk.step("Stage 3", "Width", 48)
    desk.step("Stage 4", "Width", 96)
    desk.step("Stage 4", "Fewest layers", 3)
    desk.card("Stage 1").locator(".title").click()
    desk.card("Stage 4").locator(".title").click(modifiers=["Control"])
    desk.pick("Stage 4", "Stride 2")


def early_stages(desk: Desk) -> None:
    """The three before them, from one that is dropped in front."""
    page = desk.page
    page.get_by_role("button", name="Collapse all").click()
    desk.card("Stem").scroll_into_view_if_needed()
    desk.drag(desk.block("mbconv"), desk.gap(1))
    desk.choose("Stage 1", "Kernel", "3×3")
    desk.choose("Stage 1", "Channel attention", "none")
    desk.step("Stage 1", "Width", 24)
    desk.step("Stage 1", "Most layers", 1)
    for number in (1, 2):
        desk.menu(number, "Duplicate")
    for number, ratio in ((2, "4.5"), (3, "3.67")):
        free = desk.card(f"Stage {number}").get_by_label("Expansion: another value")
        free.click()
        page.keyboard.type(ratio)  # no chip has it: the only two values that are typed
        page.keyboard.press("Enter")
        desk.choose(f"Stage {number}", "Expansion", f"×{ratio}")
    desk.choose("Stage 1", "Expansion", "×1")
    desk.choose("Stage 1", "Channel attention", "SE")
    desk.step("Stage 1", "Width", 16)
    desk.card("Stage 1").locator(".title").click()
    desk.card("Stage 2").locator(".title").click(modifiers=["Shift"])
    desk.pick("Stage 2", "Stride 2")


# -- the same edit by two other means --------------------------------------------------------------

MBCONV = {"block": "mbconv", "kernel": [3, 5], "expand": [2, 6]}
FUSED = {"block": "fused", "kernel": [3], "expand": [2, 4, 6], "act": ["relu", "hswish"]}
EDITED = [
    {"width": 2, "depth": [0, 2], "stride": 1, "blocks": [MBCONV]},
    {"width": 16, "depth": [1, 2], "stride": 2, "blocks": [FUSED]},
    {"width": 24, "depth": [1, 3], "stride": 2, "blocks": [MBCONV]},
]
"""A Fused-MBConv stage put in, set and moved, and the one that it replaces deleted."""


def test_an_edit_needs_no_more_than_a_keyboard(desk: Desk):
    desk.tab_to(".shelf .block")
    desk.keys("ArrowDown", "Enter")
    expect(desk.card("Stage 4 of 4, Fused-MBConv")).to_be_focused()
    desk.keys("Enter")
    desk.tab_to("[aria-label=Width]")
    desk.keys("1", "6", "Enter")
    for name in ("Stride 2", "Kernel 5×5", "Expansion ×6", "Activation h-swish"):
        desk.tab_to(f"[aria-label='{name}']")
        desk.keys("Space")
    desk.keys("Escape", "Alt+ArrowUp")
    expect(desk.card("Stage 3 of 4, Fused-MBConv")).to_be_focused()
    desk.keys("ArrowUp", "Delete")
    desk.saves(EDITED)


def test_an_edit_needs_no_more_than_a_finger_on_a_phone(phone: Desk):
    phone.page.get_by_role("button", name="Collapse all").tap()
    phone.card("Stage 1").scroll_into_view_if_needed()
    phone.carry(phone.block("fused"), phone.gap(1))
    expect(phone.card("Stage 1 of 4, Fused-MBConv")).to_be_visible()
    phone.choose("Stage 1", "Kernel", "3×3")
    phone.choose("Stage 1", "Expansion", "×2", "×4", "×6")
    phone.choose("Stage 1", "Activation", "ReLU", "h-swish")
    phone.step("Stage 1", "Width", 16)
    phone.pick("Stage 1", "Stride 2")
    phone.page.get_by_role("button", name="Collapse all").tap()
    phone.card("Stage 1").scroll_into_view_if_needed()
    phone.carry(phone.grip(1), phone.gap(3))
    expect(phone.card("Stage 2 of 4, Fused-MBConv")).to_be_visible()
    phone.menu(3, "Delete")
    phone.saves(EDITED)


def test_a_field_without_a_choice_is_told_once_on_its_card_and_once_beside(desk: Desk):
    desk.choose("Stage 2", "Kernel")
    expect(desk.page.get_by_test_id("stAlert")).to_contain_text("choose at least one kernel")
    told = desk.card("Stage 2").get_by_text("Choose at least one kernel")
    expect(told).to_have_count(1)
    desk.card("Stage 2").get_by_role("button", name="Collapse").click()
    expect(told).to_have_count(1)


# -- nothing is lost -------------------------------------------------------------------------------


def test_twenty_steps_back_and_forward_are_the_documents_that_were_saved(desk: Desk):
    documents = [desk.held()]
    for number in range(STEPS):
        desk.press(*EDITS[number % len(EDITS)])
        desk.studio.wait_for(lambda: desk.held() != documents[-1], f"edit {number + 1}")
        documents.append(desk.held())
    for number in range(STEPS):
        desk.keys("Control+z")
        was = documents[-2 - number]
        desk.studio.wait_for(lambda was=was: desk.held() == was, f"step {number + 1} back")
    expect(desk.page.get_by_role("button", name="Undo (0 steps)")).to_be_disabled()
    for number in range(STEPS):
        desk.keys("Control+y")
        was = documents[1 + number]
        desk.studio.wait_for(lambda was=was: desk.held() == was, f"step {number + 1} forward")
    expect(desk.page.get_by_role("button", name="Redo (0 steps)")).to_be_disabled()


def test_a_restart_of_the_server_in_the_middle_of_editing_loses_nothing(desk: Desk):
    desk.choose("Stage 2", "Kernel", "3×3", "5×5", "7×7")
    desk.studio.stop()
    desk.step("Stage 3", "Width", 40)
    desk.drag(desk.block("fused"), desk.gap(1))
    expect(desk.card("Stage 1 of 4, Fused-MBConv")).to_be_visible()
    desk.studio.start()
    desk.holds(lambda space: len(space["stages"]) == 4)
    assert [stage["width"] for stage in desk.stages()] == [2, 2, 4, 40]
    assert desk.stages()[2]["blocks"][0]["kernel"] == [3, 5, 7]
    desk.show()
    expect(desk.card("Stage 1 of 4, Fused-MBConv")).to_be_visible()
    expect(desk.chip("Stage 3", "Kernel 7×7")).to_have_attribute("aria-pressed", "true")
    expect(desk.card("Stage 4").get_by_role("spinbutton", name="Width")).to_have_value("40")
