"""axe-core on Compose: WCAG 2 A and AA, light and dark, wide and narrow, at rest and in use."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.compose_desk import Desk, open_desk
from tests.e2e.conftest import PATIENCE_S, Studio, settle
from tests.studio import fake_run

pytestmark = pytest.mark.e2e

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
THEIRS: set[tuple[str, str]] = set()
"""(rule, test id of Streamlit's own element around it) of what is known and not ours to change.

It is empty with Streamlit 1.67; what is found outside of this list fails, whoever made it.
"""
AROUND = """(path) => {
  let root = document;
  let found = null;
  for (const selector of [path].flat()) {
    found = root.querySelector(selector);
    root = found?.shadowRoot ?? root;
  }
  if (found.getRootNode() !== document) return "composer";
  return found.closest("[data-testid]")?.dataset.testid ?? "page";
}"""
"""In whose markup a node stands: the composer's, or the nearest named element of Streamlit."""
PICTURE_WITHOUT_WORDS = """card => card.append(document.createElement("img"))"""


def findings(page: Page) -> set[tuple[str, str]]:
    """(rule, where) of every violation that axe-core reports for what is on the page now."""
    options: dict[str, Any] = {"resultTypes": ["violations"], "runOnly": LEVELS}
    violations = Axe().run(page, options=options).response["violations"]
    return {
        (violation["id"], page.evaluate(AROUND, node["target"][0]))
        for violation in violations
        for node in violation["nodes"]
    }


def test_axe_looks_into_the_composer(page: Page, studio: Studio):
    desk = open_desk(page, studio)
    assert findings(page) - THEIRS == set()
    desk.card("Stage 2").evaluate(PICTURE_WITHOUT_WORDS)
    assert findings(page) - THEIRS == {("image-alt", "composer")}


def test_everybody_can_use_compose_in_light_and_dark_wide_and_narrow(
    browser: Browser, studio: Studio
):
    fake = fake_run.make(studio.root)
    found: dict[str, set[tuple[str, str]]] = {}
    for scheme, screen in itertools.product(("light", "dark"), (WIDE, NARROW)):
        context = browser.new_context(viewport=screen, color_scheme=scheme, reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        desk = Desk(page, studio, fake.workspace)
        desk.show()
        expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
        where = f"{scheme}, {screen['width']} px"
        found |= {f"{where}: {what}": findings(page) - THEIRS for what in in_use(desk)}
        context.close()
    assert len(found) == 12
    assert {where: what for where, what in found.items() if what} == {}


def in_use(desk: Desk) -> Iterator[str]:
    """Names of what is on the page, one after the other; it ends with the space as it began."""
    expect(desk.page.locator(".st-key-xray-number")).to_be_visible()
    yield "at rest"
    unbuilt(desk)
    desk.press("Stage 1", "More for stage 1")
    expect(desk.page.get_by_role("menuitem", name="Duplicate")).to_be_visible()
    yield "an error, two stages selected, a menu"
    desk.keys("Escape")
    undo = desk.page.get_by_role("button", name=re.compile("^Undo"))
    undo.click()
    undo.click()
    expect(desk.page.get_by_test_id("stAlert")).to_be_hidden(timeout=1000 * PATIENCE_S)
    desk.page.get_by_role("button", name="Presets", exact=True).click()
    expect(desk.page.get_by_role("button", name="Empty canvas")).to_be_visible()
    settle(desk.page)
    yield "the presets"


def unbuilt(desk: Desk) -> None:
    """Two stages selected, one of them without a choice, and the reason on its card."""
    desk.card("Stage 1").locator(".title").click()
    desk.press("Stage 2", "Kernel 3×3")
    desk.press("Stage 2", "Kernel 5×5")
    desk.card("Stage 1").locator(".title").click(modifiers=["Control"])
    expect(desk.page.get_by_test_id("stAlert")).to_contain_text("kernel")
    settle(desk.page)
