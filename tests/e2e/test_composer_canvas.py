"""The composer in a real browser, alone on a page: mouse, finger, keyboard; both ways of sync."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from studio import composer
from tests.e2e.canvas_board import Board, Server, families, middle, open_board, serve, touch, widths
from tests.e2e.canvas_script import DOCUMENTS, MARKUP, SUMMARY, document
from tests.e2e.canvas_script import STAGES as START

pytestmark = pytest.mark.e2e

DESK, PHONE = {"width": 1280, "height": 1700}, {"width": 390, "height": 844}
DROPS, STEPS = 30, 20
WATCH = """() => {
  window.seen = [];
  const note = () => window.seen.push([performance.now(), echo.textContent.slice(0, 20)]);
  const echo = document.querySelector(".st-key-echo");
  new MutationObserver(note).observe(echo, {subtree: true, childList: true, characterData: true});
}"""
# Streamlit cleans up after every call of the entry that a newer one has overtaken.
CLEAN_UP = """async (doc) => {
  const files = performance.getEntriesByType("resource").map((entry) => entry.name);
  const { default: mount } = await import(files.find((name) => name.endsWith("/index.js")));
  const host = document.body.appendChild(document.createElement("div"));
  const parentElement = host.attachShadow({ mode: "open" });
  const cleaned = async (cleanup) => {
    cleanup();
    await new Promise((resolve) => setTimeout(resolve));
    return parentElement.querySelectorAll(".card").length;
  };
  const cleanup = mount({ data: { doc, rev: 0 }, parentElement, setStateValue() {} });
  const overtaken = await cleaned(cleanup);
  host.remove();
  return [overtaken, await cleaned(cleanup)];
}"""
# An edit, then a restarted server that has another saved state, then what is sent again.
TOOK = """(rev) => {
  const drop = performance.getEntriesByName("composer-drop")[0];
  const back = window.seen.find(([, text]) => text.startsWith(`{"rev": ${rev},`));
  return [drop.duration, back[0] - drop.startTime];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all."""
    yield from serve(tmp_path_factory.mktemp("canvas"))


@pytest.fixture(scope="module")  # its pages share what they have loaded
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A desk with a mouse; nothing is in motion when it is pressed."""
    context = browser.new_context(viewport=DESK, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def board(context: BrowserContext, server: Server) -> Iterator[Board]:
    """The composer with four stages."""
    board = open_board(context, server)
    yield board
    board.page.close()


# -- mouse -----------------------------------------------------------------------------------------


def test_a_block_dragged_from_the_palette_becomes_a_stage_where_it_is_dropped(board: Board):
    board.drag(board.block("fused"), board.gap(2))
    expect(board.card("Stage 2 of 5, Fused-MBConv")).to_be_visible()
    stage = board.heard(1)["stages"][1]
    assert (stage["width"], stage["depth"], stage["stride"]) == (16, [1, 2], 1)
    assert stage["blocks"] == [
        {"block": "fused", "kernel": [3, 5], "expand": [3, 6], "act": ["relu"]}
    ]


def test_a_stage_dragged_by_its_handle_moves(board: Board):
    board.drag(board.grip(4), board.gap(2))
    assert widths(board.heard(1)) == [16, 80, 24, 40]
    expect(board.said()).to_have_text("Stage 4 moved to position 2 of 4")


def test_selected_stages_are_dragged_together(board: Board):
    board.card("Stage 3").locator(".title").click()
    board.card("Stage 4").locator(".title").click(modifiers=["Control"])
    board.drag(board.grip(4), board.gap(1))
    assert widths(board.heard(1)) == [40, 80, 16, 24]


def test_escape_puts_a_dragged_card_back(board: Board):
    board.drag(board.grip(4), board.gap(2), drop=False)
    expect(board.page.locator(".ghost")).to_be_visible()
    expect(board.page.locator(".drop-line")).to_be_visible()
    board.page.keyboard.press("Escape")
    board.page.mouse.up()
    expect(board.page.locator(".ghost")).to_have_count(0)
    board.chip("Stage 2", "Kernel 7×7").click()
    assert widths(board.heard(1)) == widths(document(START))


def test_a_chip_reaches_python_and_nothing_else_changes(board: Board):
    before = board.heard(0)
    board.chip("Stage 2", "Kernel 7×7").click()
    expect(board.chip("Stage 2", "Kernel 7×7")).to_have_attribute("aria-pressed", "true")
    after = board.heard(1)
    assert after["stages"][1]["blocks"][0]["kernel"] == [3, 5, 7]
    before["stages"][1]["blocks"][0]["kernel"] = [3, 5, 7]
    assert after == before


def test_one_change_goes_to_all_selected_stages(board: Board):
    board.card("Stage 2").locator(".title").click()
    board.card("Stage 4").locator(".title").click(modifiers=["Shift"])
    expect(board.page.get_by_text("3 stages selected")).to_be_visible()
    board.card("Stage 3").get_by_role("button", name="Width: more").click()
    assert widths(board.heard(1)) == [16, 32, 48, 88]
    board.card("Stage 3").get_by_role("radio", name="Stride 1").click()
    assert [stage["stride"] for stage in board.heard(2)["stages"]] == [1, 1, 1, 1]
    board.card("Stage 2").get_by_role("button", name="Activation h-swish").click()
    acts = [[b["act"] for b in stage["blocks"]] for stage in board.heard(3)["stages"]]
    both = ["relu", "hswish"]
    assert acts == [[["relu"]], [both], [both, ["relu"]], [both]]


def test_a_lock_keeps_the_largest_value_and_gives_the_others_back(board: Board):
    board.card("Stage 4").get_by_role("button", name="Kernel: fix to one value").click()
    assert board.heard(1)["stages"][3]["blocks"][0]["kernel"] == [7]
    board.card("Stage 4").get_by_role("radio", name="Kernel 3×3").click()
    assert board.heard(2)["stages"][3]["blocks"][0]["kernel"] == [3]
    board.card("Stage 4").get_by_role("button", name="give all choices back").click()
    assert board.heard(3)["stages"][3]["blocks"][0]["kernel"] == [3, 5, 7]


def test_a_field_without_any_choice_says_so(board: Board):
    board.chip("Stage 2", "Channel attention none").click()
    expect(
        board.card("Stage 2").get_by_text("Choose at least one channel attention.")
    ).to_be_visible()
    assert board.heard(1)["stages"][1]["blocks"][0]["attention"] == []


def test_a_slot_takes_another_family_and_gives_it_up(board: Board):
    board.card("Stage 2").get_by_role("button", name="another family").click()
    board.page.get_by_role("menuitem", name="Ghost").click()
    expect(board.card("Stage 2 of 4, MBConv or Ghost")).to_contain_text("2 paths")
    assert board.heard(1)["stages"][1]["blocks"][1]["block"] == "ghost"
    board.card("Stage 2").get_by_role("button", name="Remove MBConv").click()
    assert families(board.heard(2)) == ["separable", "ghost", "mbconv", "mbconv"]


def test_widths_go_down_in_steps_that_suit_small_networks(board: Board):
    less = board.card("Stage 2").get_by_role("button", name="Width: less")
    more = board.card("Stage 2").get_by_role("button", name="Width: more")
    seen = []
    for press in (*(less,) * 7, *(more,) * 6):
        press.click()
        seen.append(widths(board.heard(len(seen) + 1))[1])
    assert seen == [16, 8, 6, 4, 3, 2, 1, 2, 3, 4, 6, 8, 16]
    board.card("Head").get_by_role("spinbutton", name="Width").press("ArrowDown")
    assert board.heard(14)["head"]["width"] == 56


def test_shares_are_those_of_macs_while_no_latency_is_known(
    context: BrowserContext, server: Server
):
    board = open_board(context, server, "?unmeasured=1")
    latency = board.page.get_by_role("radio", name="latency")
    expect(latency).to_be_disabled()
    expect(latency).to_have_attribute("title", "latency: the device is not measured yet")
    expect(board.page.get_by_role("radio", name="MACs")).to_have_attribute("aria-checked", "true")
    expect(board.card("Stage 4").locator(".share")).to_contain_text("of MACs")
    board.page.goto(server.url("?plain=1"))  # nothing computed
    expect(latency).to_be_disabled()
    board.page.close()


def test_numbers_can_be_typed_and_are_kept_within_bounds(board: Board):
    board.card("Stage 2").get_by_role("spinbutton", name="Width").fill("99999")
    board.page.keyboard.press("Enter")
    board.card("Head").get_by_role("spinbutton", name="Dropout").press("ArrowUp")
    free = board.card("Stage 2").get_by_label("another value")
    free.fill("4,5")
    free.press("Enter")
    after = board.heard(3)
    assert (widths(after)[1], after["head"]["dropout"]) == (4096, 0.25)
    assert after["stages"][1]["blocks"][0]["expand"] == [3, 4.5, 6]


# -- keyboard --------------------------------------------------------------------------------------


def test_a_stage_is_built_and_moved_by_keyboard_alone(context: BrowserContext, server: Server):
    board = open_board(context, server, "?doc=empty")
    keyboard = board.page.keyboard
    board.page.get_by_label("Find a block").focus()
    for key in ("s", "h", "u", "f", "f", "ArrowDown", "Enter"):
        keyboard.press(key)
    assert families(board.heard(1)) == ["shuffle"]
    expect(board.card("Stage 1")).to_be_focused()
    keyboard.press("Control+d")
    board.heard(2)
    keyboard.press("Enter")
    expect(board.grip(2)).to_be_focused()
    for _ in range(4):
        keyboard.press("ArrowRight")
    keyboard.press("ArrowUp")
    assert widths(board.heard(3)) == [16, 24]
    keyboard.press("Escape")
    keyboard.press("Alt+ArrowUp")
    assert widths(board.heard(4)) == [24, 16]
    expect(board.card("Stage 1")).to_be_focused()
    expect(board.said()).to_have_text("Stage 2 moved to position 1 of 2")
    keyboard.press("Control+c")
    keyboard.press("Control+v")
    assert widths(board.heard(5)) == [24, 24, 16]
    keyboard.press("Control+a")
    keyboard.press("Delete")
    assert board.heard(6)["stages"] == []


def test_twenty_steps_back_and_forward_restore_every_document(board: Board):
    documents = [board.heard(0)]
    for number in range(STEPS):
        chips = board.card("Stage 4").locator(".chips >> nth=0").locator(".chip")
        chips.nth(number % 3).click()
        documents.append(board.heard(number + 1))
    for number in range(STEPS):
        board.page.keyboard.press("Control+z")
        assert board.heard(STEPS + 1 + number) == documents[-2 - number]
    expect(board.page.get_by_role("button", name="Undo (0 steps)")).to_be_disabled()
    for number in range(STEPS):
        board.page.keyboard.press("Control+Shift+z" if number % 2 else "Control+y")
        assert board.heard(2 * STEPS + 1 + number) == documents[1 + number]


# -- touch -----------------------------------------------------------------------------------------


def test_a_finger_drags_on_a_phone(browser: Browser, server: Server):
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    board = open_board(context, server)
    board.page.get_by_role("button", name="Collapse all").tap()
    touch(board, middle(board.block("fused")), board.gap(2))
    expect(board.card("Stage 2 of 5, Fused-MBConv")).to_be_visible()
    board.heard(1)
    board.card("Stage 5").scroll_into_view_if_needed()
    touch(board, middle(board.grip(4)), board.gap(2))
    assert widths(board.heard(2)) == [16, 40, 16, 24, 80]
    context.close()


def test_no_screen_is_too_narrow(context: BrowserContext, server: Server):
    board = open_board(context, server, "?wrong=1")
    for width in (320, 390, 768):
        board.page.set_viewport_size({"width": width, "height": 844})
        inside = "e => e.getRootNode().host.scrollWidth <= e.getRootNode().host.clientWidth"
        assert board.page.locator(".composer").evaluate(inside), width
        assert board.page.evaluate("document.documentElement.scrollWidth") <= width
        assert board.card("Stage 2").evaluate("e => e.scrollWidth <= e.clientWidth"), width
    board.page.close()


def test_the_main_figures_stay_in_view_on_narrow_screens(context: BrowserContext, server: Server):
    board = open_board(context, server)
    bar = board.page.locator(".sums")
    expect(bar).to_be_hidden()
    board.page.set_viewport_size(PHONE)
    expect(bar.locator("span")).to_have_text(SUMMARY)
    for card in ("Input", "Stage 2"):
        board.card(card).scroll_into_view_if_needed()
        box = bar.bounding_box()
        assert box is not None
        assert round(box["y"] + box["height"]) == PHONE["height"], card
    board.page.close()


def test_the_labels_of_choices_stand_in_one_column_and_on_one_line(board: Board):
    labels = board.card("Stage 4").locator(".field > .label")
    for width in (700, 980):
        board.page.set_viewport_size({"width": width, "height": 900})
        boxes = [label.bounding_box() for label in labels.all()]
        assert len({box["x"] for box in boxes if box}) == 1, width
        assert len({box["height"] for box in boxes if box}) == 1, width
        fits = "all => all.every((one) => one.scrollWidth <= one.clientWidth)"
        assert labels.evaluate_all(fits), width
    board.page.set_viewport_size(DESK)


# -- two sides -------------------------------------------------------------------------------------


def test_a_document_of_the_server_is_shown_and_can_be_undone(board: Board):
    board.chip("Stage 2", "Kernel 7×7").click()
    mine = board.heard(1)
    board.page.get_by_role("button", name="Load another document").click()
    expect(board.card("Stage 1 of 1")).to_be_visible()
    board.page.get_by_role("button", name="Undo (2 steps)").click()
    assert board.heard(3) == mine


def test_an_edit_made_while_the_server_is_away_is_not_lost(board: Board, server: Server):
    board.chip("Stage 2", "Kernel 7×7").click()
    board.heard(1)
    server.stop()
    board.chip("Stage 2", "Kernel 3×3").click()
    server.start()
    assert board.heard(2)["stages"][1]["blocks"][0]["kernel"] == [5, 7]


def test_only_a_composer_that_has_left_the_page_ends(board: Board):
    assert board.page.evaluate(CLEAN_UP, document(START)) == [7, 0]


def test_markup_in_names_is_text(board: Board):
    assert board.block("markup").get_by_text(MARKUP).count() == 2
    board.block("markup").click()
    expect(board.card("Stage 5").locator(".names")).to_have_text(MARKUP)
    assert board.page.locator(".top img").count() == 0


def test_nothing_can_be_changed_where_only_reading_is_allowed(
    context: BrowserContext, server: Server
):
    board = open_board(context, server, "?readonly=1")
    expect(board.chip("Stage 2", "Kernel 7×7")).to_be_disabled()
    board.card("Stage 2").locator(".title").click()
    board.page.keyboard.press("Delete")
    board.page.keyboard.press("Control+d")
    expect(board.card("Stage 4 of 4")).to_be_visible()
    expect(board.page.locator(".shelf")).to_be_hidden()
    assert board.heard(0) == document(START)


def test_a_strange_document_is_shown_and_kept(context: BrowserContext, server: Server):
    board = open_board(context, server, "?doc=strange")
    expect(board.card("Stage 1 of 2, tomorrow")).to_contain_text("does not know")
    board.card("Stem").get_by_role("button", name="Width: more").click()
    strange = DOCUMENTS["strange"]
    assert board.heard(1) == strange | {"stem": strange["stem"] | {"width": 24}}
    board.page.close()


def test_other_files_have_another_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for path in composer.FRONTEND.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    name = composer.component_name.__wrapped__
    monkeypatch.setattr(composer, "FRONTEND", tmp_path)
    assert name() == composer.component_name()
    (tmp_path / "dom.js").write_text("// newer\n")
    assert name() != composer.component_name()


def test_drops_are_timed(
    context: BrowserContext, server: Server, capsys: pytest.CaptureFixture[str]
):
    board = open_board(context, server, "?doc=twenty")
    board.page.evaluate(WATCH)
    took = []
    for rev in range(1, DROPS + 1):
        board.drag(board.grip(2), board.gap(1))
        board.heard(rev)
        took.append(board.page.evaluate(TOOK, rev))
    with capsys.disabled():
        times = zip(*took, strict=True)
        for what, values in zip(("cards in place", "Python's answer"), times, strict=True):
            tail = statistics.quantiles(values, n=20)[-1]
            print(f"\n{what}: median {statistics.median(values):.1f} ms, p95 {tail:.1f} ms", end="")
        print(f" after a drop, 20 stages, {DROPS} drops")
    assert len(took) == DROPS
