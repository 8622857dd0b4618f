"""Small ways of the composer: where the focus goes, what is said beside a field, what is new."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from tests.e2e.canvas_board import Board, Server, open_board, serve

pytestmark = pytest.mark.e2e

DESK, PHONE = {"width": 1280, "height": 1700}, {"width": 390, "height": 844}
STOPS = """all => all.filter((block) => block.tabIndex === 0).length"""
# Both keys come before the browser has told that the menu is closed.
ESCAPE_AND_BACK = """(entry) => {
  const press = (at, key, more) =>
    at.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
  const root = entry.getRootNode();
  press(entry, "Escape");
  const name = root.activeElement?.getAttribute("aria-label");
  press(root.activeElement ?? document.body, "z", { ctrlKey: true });
  return name;
}"""
GLOWS = """(card) => card.getAnimations().length"""
BROKEN = """(names) => {
  const text = names.firstChild;
  const range = document.createRange();
  return [...text.data.matchAll(/\\S+/g)].filter(({ index, 0: word }) => {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    return range.getClientRects().length > 1;
  }).length;
}"""
"""How many words of a text are broken over lines."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all."""
    yield from serve(tmp_path_factory.mktemp("ways"))


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A desk; things may move."""
    context = browser.new_context(viewport=DESK)
    yield context
    context.close()


@pytest.fixture
def board(context: BrowserContext, server: Server) -> Iterator[Board]:
    """The composer with four stages."""
    board = open_board(context, server)
    yield board
    board.page.close()


def width(board: Board, card: str) -> Locator:
    return board.card(card).get_by_role("spinbutton", name="Width")


# -- keyboard --------------------------------------------------------------------------------------


def test_a_key_right_after_escape_out_of_a_menu_is_not_lost(board: Board):
    before = board.heard(0)
    board.chip("Stage 2", "Kernel 7×7").click()
    board.heard(1)
    board.card("Stage 2").get_by_role("button", name="More for stage 2").click()
    entry = board.page.get_by_role("menuitem", name="Duplicate")
    assert entry.evaluate(ESCAPE_AND_BACK) == "More for stage 2"
    assert board.heard(2) == before
    expect(entry).to_have_count(0)


def test_the_blocks_are_one_stop_of_the_tab_key_and_arrows_walk_among_them(board: Board):
    blocks, keyboard = board.page.locator(".shelf .block"), board.page.keyboard
    assert blocks.evaluate_all(STOPS) == 1
    board.page.get_by_label("Find a block").focus()
    keyboard.press("Tab")
    expect(blocks.first).to_be_focused()
    for key, at in (("ArrowDown", 1), ("ArrowRight", 2), ("ArrowUp", 1), ("End", -1), ("Home", 0)):
        keyboard.press(key)
        expect(blocks.nth(at)).to_be_focused()
        assert blocks.evaluate_all(STOPS) == 1
    keyboard.press("ArrowDown")
    keyboard.press("Tab")
    expect(board.page.locator(".shelf :focus")).to_have_count(0)
    keyboard.press("Shift+Tab")
    expect(blocks.nth(1)).to_be_focused()
    keyboard.press("Enter")
    expect(board.card("Stage 5 of 5, Fused-MBConv")).to_be_focused()


def test_a_search_leaves_a_stop_for_the_tab_key(board: Board):
    board.page.get_by_label("Find a block").fill("ghost")
    board.page.keyboard.press("Tab")
    expect(board.block("ghost")).to_be_focused()


def test_arrow_keys_walk_in_the_sheet_of_blocks_too(browser: Browser, server: Server):
    context = browser.new_context(viewport=PHONE)
    board = open_board(context, server)
    board.page.get_by_role("button", name="All blocks").click()
    blocks = board.page.locator(".sheet .block")
    blocks.first.focus()
    board.page.keyboard.press("ArrowDown")
    expect(blocks.nth(1)).to_be_focused()
    context.close()


# -- what is said ----------------------------------------------------------------------------------


def test_a_number_beyond_its_bounds_is_kept_within_and_the_field_says_so(board: Board):
    words = "Width is at most 4\u202f096."
    width(board, "Stage 2").fill("5000")
    board.page.keyboard.press("Enter")
    assert board.heard(1)["stages"][1]["width"] == 4096
    expect(board.card("Stage 2").locator(".hint")).to_have_text(words)
    expect(board.said()).to_have_text(words)
    width(board, "Stage 2").press("ArrowUp")
    expect(board.said()).to_have_text(words)
    width(board, "Stage 2").press("ArrowDown")
    expect(board.page.locator(".hint")).to_have_count(0)
    board.card("Input").get_by_role("spinbutton", name="Classes").fill("1")
    board.page.keyboard.press("Enter")
    expect(board.card("Input").locator(".hint")).to_have_text("Classes are at least 2.")


def test_what_is_no_number_is_answered_beside_its_field(board: Board):
    width(board, "Stage 3").fill("wide")
    board.page.keyboard.press("Enter")
    words = "Width: a number from 1 to 4\u202f096 is needed."
    expect(board.card("Stage 3").locator(".hint")).to_have_text(words)
    free = board.card("Stage 2").get_by_label("another value")
    free.fill("99")
    free.press("Enter")
    expect(board.card("Stage 2").locator(".field .hint")).to_contain_text("from 0.5 to 10")
    expect(board.page.locator(".hint")).to_have_count(1)


def test_shares_and_paths_say_what_they_are_of_and_what_they_cost(board: Board):
    share = board.card("Stage 3").locator(".share")
    expect(share).to_have_attribute("title", "Share of the latency of the median network")
    expect(share).to_contain_text("of the median network")
    badge = board.card("Stage 3").locator(".badge")
    expect(badge).to_have_attribute("title", "2 paths: 2 times the weights")


def test_an_own_value_is_written_like_the_others(board: Board):
    free = board.card("Stage 2").get_by_label("another value")
    free.fill("4.5")
    free.press("Enter")
    expect(board.chip("Stage 2", "Expansion ×4.5")).to_be_visible()
    expect(board.said()).to_have_text("Stage 2: expansion ×4.5 on")


# -- what is new -----------------------------------------------------------------------------------


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_new_card_is_in_view_and_stands_out(browser: Browser, server: Server, motion: str):
    context = browser.new_context(viewport={"width": 1280, "height": 700}, reduced_motion=motion)
    board = open_board(context, server, "?doc=twenty")
    board.block("fused").click()
    card = board.card("Stage 21 of 21, Fused-MBConv, selected")
    expect(card).to_be_in_viewport()
    expect(card).to_be_focused()
    assert (card.evaluate(GLOWS) > 0) == (motion == "no-preference")
    context.close()


def test_many_families_are_counted_where_a_card_is_narrow(browser: Browser, server: Server):
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    board = open_board(context, server)
    for family in ("Fused-MBConv", "Depthwise-separable"):
        board.card("Stage 3").get_by_role("button", name="another family").tap()
        board.page.get_by_role("menuitem", name=family).tap()
    names = board.card("Stage 3 of 4, MBConv or Ghost or Fused-MBConv").locator(".names:visible")
    expect(names).to_have_text("4 families")
    assert names.evaluate(BROKEN) == 0
    context.close()
