"""The document as text beside the cards: what parses is taken, what does not is told and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, expect

from engine import presets
from engine.xray import Within, XRay, examine
from studio.composing import Composition
from studio.parts import canvas
from tests.e2e.canvas_board import Board, Server, open_board, serve, widths
from tests.e2e.canvas_script import STAGES as START
from tests.e2e.canvas_script import document

pytestmark = pytest.mark.e2e

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
LABEL = "The whole document as JSON"
UNDRAWN = "This document has no cards that can be drawn."
FAULTS = {
    "": "Line 1, column 1: a value is required, got the end.",
    "[1]": "Line 1, column 1: the document must be an object {…}, got a list.",
    "null": "Line 1, column 1: the document must be an object {…}, got null.",
    '{\n "a": 1\n "b": 2}': 'Line 3, column 2: a comma or } is required, got “"b"”.',
    '{"a": [1,]}': "Line 1, column 10: something must follow the comma, got “]”.",
    '{"a" 1}': "Line 1, column 6: a : is required after the name, got “1”.",
    "{'a': 1}": "Line 1, column 2: text must be in double quotes, got “'”.",
    "{a: 1}": "Line 1, column 2: a name in double quotes is required, got “a”.",
    '{"a": 01}': "Line 1, column 7: a value is required, got “01”.",
    '{"a": "x\n}': "Line 1, column 7: a closing double quote is missing.",
    '{"a": "\\x"}': "Line 1, column 7: a backslash or a tab must be escaped.",
    "{} {}": "Line 1, column 4: nothing may follow the document, got “{”.",
    "[" * 70: "Line 1, column 61: at most 60 levels are possible, got “[”.",
    " " * 500_001: "The document may have at most 500\u202f000 characters.",
}
IMPORT = """
  const files = performance.getEntriesByType("resource").map((entry) => entry.name);
  const load = (name) => import(files.find((one) => one.endsWith(`/${name}.js`)));
  let seed = 7;
  const below = (n) => (seed = (seed * 48271) % 2147483647) % n;
"""
# Texts with one to three characters changed: where the parser fails, and only there, is a fault.
TEXTS = f"""async ([text, times]) => {{{IMPORT}
  const {{ read }} = await load("jsontext");
  const signs = '{{}}[]",:\\\\0123e.+-tfn \\n\\'ua/';
  const mutate = (old) => {{
    const at = below(old.length);
    const sign = [signs[below(signs.length)], ""][below(2)];
    return old.slice(0, at) + sign + old.slice(at + below(2));
  }};
  const parses = (one) => {{
    try {{ return JSON.parse(one)?.constructor === Object; }} catch {{ return false; }}
  }};
  const wrong = [];
  let good = 0;
  for (let i = 0; i < times; i++) {{
    let one = text;
    for (let n = 1 + below(3); n; n--) one = mutate(one);
    good += parses(one);
    if (parses(one) !== "doc" in read(one)) wrong.push(one);
  }}
  return [wrong, good];
}}"""
# Documents with any value in any place, given by a server; then everything is pressed once.
DOCUMENTS = f"""async ([doc, catalogue, times]) => {{{IMPORT}
  const {{ default: mount }} = await load("index");
  (await load("sync")).Sync.paceMs = 0;
  const odd = () => [null, true, 0, -3, 2.5, 1e300, "", "x", [], {{}}, [[]], [null],
    {{ toString: 1 }}, [1, "a"], {{ block: {{}} }}, {{ length: 2 }},
    {{ valueOf: null, blocks: [0] }}][below(17)];
  const mutate = (value) => {{
    if (!below(7)) return odd();
    if (typeof value !== "object" || value === null) return below(12) ? value : odd();
    if (Array.isArray(value)) return value.flatMap((one) => (below(15) ? [mutate(one)] : []));
    const kept = Object.entries(value).filter(() => below(15));
    return Object.fromEntries(kept.map(([key, one]) => [key, mutate(one)]));
  }};
  const faults = [];
  let cards = 0;
  let sent;
  let now;
  const note = (event) => faults.push([JSON.stringify(now), event.message]);
  addEventListener("error", note);
  for (let i = 0; i < times; i++) {{
    now = i ? mutate(doc) : odd();
    if (i < 17) now = [null, true, 3, "x", [], {{}}, {{ stages: 3 }}][i % 7];
    const host = document.body.appendChild(document.createElement("div"));
    const parentElement = host.attachShadow({{ mode: "open" }});
    const data = {{ doc: now, rev: 0, catalogue, place: `any ${{i}}`, insight: null }};
    try {{
      const cleanup = mount({{ data, parentElement, setStateValue: (_, one) => (sent = one.doc) }});
      cards += parentElement.querySelectorAll(".card").length;
      const press = (what) => parentElement.querySelectorAll(what)[0]?.click();
      const buttons = parentElement.querySelectorAll(".card button").length;
      press(".json-button");
      const text = parentElement.querySelector("textarea").value;
      if (JSON.stringify(JSON.parse(text)) !== JSON.stringify(now)) throw Error(`text: ${{text}}`);
      for (let n = Math.min(buttons, 8); n; n--) {{
        const all = parentElement.querySelectorAll(".card button:not(:disabled)");
        all[below(all.length)]?.click();
      }}
      press(".shelf .block");
      if (!parentElement.querySelector(".card")) throw Error("nothing was added");
      for (let undo = true; undo; ) {{
        undo = parentElement.querySelector("[aria-label^='Undo']:not(:disabled)");
        undo?.click();
      }}
      const undone = JSON.stringify(sent);
      if (undone !== JSON.stringify(now)) throw Error(`undone: ${{undone}}`);
      host.remove();
      cleanup();
    }} catch (error) {{
      note(error);
      host.remove();
    }}
  }}
  removeEventListener("error", note);
  return [faults.slice(0, 5), cards];
}}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all."""
    yield from serve(tmp_path_factory.mktemp("json"))


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A desk; its pages share what they have loaded."""
    context = browser.new_context(viewport=DESK, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture(scope="module")
def only(context: BrowserContext, server: Server) -> Board:
    """One page for all."""
    return open_board(context, server)


@pytest.fixture
def board(only: Board) -> Board:
    """The composer with four stages, its panel closed."""
    only.page.set_viewport_size(DESK)
    only.start_over()
    return only


def opened(board: Board) -> Locator:
    """The text field, after a press on the button."""
    board.page.get_by_role("button", name="JSON", exact=True).click()
    text = board.page.get_by_label(LABEL)
    expect(text).to_be_focused()
    return text


def said(board: Board) -> Locator:
    """What stands below the text."""
    return board.page.locator(".json-said")


def undo(board: Board) -> Locator:
    return board.page.locator("button[aria-label^='Undo']")


# -- a text that parses ----------------------------------------------------------------------------


def test_what_is_typed_becomes_the_document_as_one_step(board: Board):
    text = opened(board)
    before = json.loads(text.input_value())
    assert before == document(START)
    text.fill(text.input_value().replace('"width": 24', '"width": 32'))
    assert widths(board.heard(1)) == [16, 32, 40, 80]
    expect(board.card("Stage 2").get_by_role("spinbutton", name="Width")).to_have_value("32")
    expect(board.said()).to_have_text("Edited as JSON")
    undo(board).click()
    assert board.heard(2) == before
    assert json.loads(text.input_value()) == before


def test_an_edit_of_the_cards_shows_in_the_text(board: Board):
    text = opened(board)
    board.chip("Stage 2", "Kernel 7×7").click()
    after = board.heard(1)
    assert after["stages"][1]["blocks"][0]["kernel"] == [3, 5, 7]
    assert json.loads(text.input_value()) == after


def test_a_text_keeps_its_own_form_while_it_means_the_document(board: Board):
    text = opened(board)
    own = json.dumps(document(START[:2]))
    text.fill(own)
    board.heard(1)
    expect(said(board)).to_have_text("This space can be built.")
    assert text.input_value() == own


def test_leaving_the_field_does_not_wait(board: Board):
    text = opened(board)
    text.fill(text.input_value().replace('"width": 24', '"width": 32'))
    board.chip("Stage 2", "Kernel 7×7").click()
    after = board.heard(2)
    assert (widths(after)[1], after["stages"][1]["blocks"][0]["kernel"]) == (32, [3, 5, 7])


def test_a_stage_that_names_its_block_itself_becomes_a_card(board: Board):
    text = opened(board)
    flat = {"block": "mbconv", "kernel": [3], "width": 8, "depth": [1, 2], "stride": 1}
    text.fill(json.dumps(document([flat])))
    expect(board.card("Stage 1 of 1, MBConv")).to_be_visible()
    block = {"block": "mbconv", "kernel": [3]}
    assert board.heard(1)["stages"] == [
        {"width": 8, "depth": [1, 2], "stride": 1, "blocks": [block]}
    ]


def test_a_lock_outlives_an_edit_of_another_stage_as_text(board: Board):
    board.card("Stage 4").get_by_role("button", name="Kernel: fix to one value").click()
    text = opened(board)
    text.fill(text.input_value().replace('"width": 24', '"width": 32'))
    assert widths(board.heard(2))[1] == 32
    board.card("Stage 4").get_by_role("button", name="give all choices back").click()
    assert board.heard(3)["stages"][3]["blocks"][0]["kernel"] == [3, 5, 7]


def test_errors_of_the_server_stand_below_the_text(context: BrowserContext, server: Server):
    board = open_board(context, server, "?wrong=1")
    text = opened(board)
    expect(said(board)).to_contain_text("stage 2: stride 2 leaves a map of 1×1")
    text.fill('{"stages": 3}')
    expect(said(board)).to_contain_text("Space: this cannot be built.")
    expect(board.page.locator(".notes")).to_contain_text("This cannot be built.")
    board.page.close()


# -- a text that does not parse --------------------------------------------------------------------


def test_the_place_of_a_fault_is_told_at_once(board: Board):
    text = opened(board)
    for typed, fault in FAULTS.items():
        text.fill(f"{typed} ")
        text.fill(typed)
        assert said(board).locator(".problem").inner_text() == fault
    expect(text).to_have_attribute("aria-invalid", "true")
    text.fill('{\n "a": 1\n "b": 2}')
    board.page.get_by_role("button", name="Show the place").click()
    assert text.evaluate("e => e.value.slice(e.selectionStart, e.selectionEnd)") == '"b"'
    assert board.heard(0) == document(START)


def test_a_fault_is_told_where_the_parser_fails_and_only_there(board: Board):
    base = json.dumps({"a": [1, -2.5e3, "x\n\u00e9", {"b": None}], "d": {}, "e": []})
    wrong, good = board.page.evaluate(TEXTS, [base, 20_000])
    assert wrong == []
    assert good > 1000


def test_cards_and_an_unfinished_text_do_not_disturb_each_other(board: Board):
    text = opened(board)
    unfinished = text.input_value()[:-1]
    text.fill(unfinished)
    board.chip("Stage 2", "Kernel 7×7").click()
    after = board.heard(1)
    assert text.input_value() == unfinished
    expect(said(board)).to_contain_text("Meanwhile the cards were edited")
    text.press("Escape")
    assert opened(board).input_value() == unfinished
    board.page.get_by_role("button", name="Drop the text").click()
    assert json.loads(text.input_value()) == after


# -- documents of any kind -------------------------------------------------------------------------


def test_odd_parts_are_shown_in_words_and_kept(board: Board):
    text = opened(board)
    odd = document(START[:1]) | {"stages": [3, {"blocks": [None, 5]}, START[0]], "stem": "no"}
    text.fill(json.dumps(odd))
    expect(board.card("Stage 1 of 3")).to_contain_text("the document has 3.")
    expect(board.card("Stage 2 of 3, null or 5")).to_be_visible()
    board.card("Stage 3").get_by_role("button", name="Width: more").click()
    assert board.heard(2) == odd | {"stages": [*odd["stages"][:2], START[0] | {"width": 24}]}


@pytest.mark.parametrize("typed", [{}, {"stages": 3}, {"stem": [], "head": None, "input": "x"}])
def test_a_document_without_cards_says_so_and_can_be_undone(board: Board, typed: dict[str, Any]):
    text = opened(board)
    text.fill(json.dumps(typed))
    expect(board.page.locator(".flow")).to_contain_text(UNDRAWN)
    assert board.heard(1) == typed
    assert json.loads(text.input_value()) == typed
    undo(board).click()
    assert board.heard(2) == document(START)
    expect(board.card("Stage 4 of 4")).to_be_visible()


def test_no_value_of_a_document_breaks_the_canvas(board: Board):
    catalogue = [{"family": "mbconv", "name": "MBConv", "fields": FIELDS}]
    faults, cards = board.page.evaluate(DOCUMENTS, [document(START), catalogue, 120])
    assert faults == []
    assert cards > 300


FIELDS = [
    {"name": "kernel", "label": "Kernel", "values": [3, 5, 7], "default": [3]},
    {"name": "expand", "label": "Expansion", "values": [1, 6], "default": [6]},
]


# -- keys and screens ------------------------------------------------------------------------------


def test_the_panel_is_opened_left_and_closed_by_keys(board: Board):
    board.card("Stage 2").focus()
    board.page.keyboard.press("j")
    text = board.page.get_by_label(LABEL)
    expect(text).to_be_focused()
    before = text.input_value()
    board.page.keyboard.press("Shift+Tab")
    board.page.keyboard.press("Tab")
    expect(text).to_be_focused()
    board.page.keyboard.press("Tab")
    expect(text).not_to_be_focused()
    assert text.input_value() == before
    text.focus()
    board.page.keyboard.press("Escape")
    expect(text).to_be_hidden()
    expect(board.page.get_by_role("button", name="JSON", exact=True)).to_be_focused()
    expect(board.card("Stage 4 of 4")).to_be_visible()


def test_the_panel_lies_beside_the_cards_or_over_their_lower_end(board: Board):
    text = opened(board)
    beside, card = text.bounding_box(), board.card("Stage 1").bounding_box()
    assert beside is not None
    assert card is not None
    assert beside["x"] > card["x"] + card["width"]
    for width in (320, PHONE["width"], 700):
        board.page.set_viewport_size({"width": width, "height": PHONE["height"]})
        board.card("Stage 1").scroll_into_view_if_needed()
        box = board.page.locator(".panel").bounding_box()
        assert box is not None
        assert round(box["y"] + box["height"]) == PHONE["height"], width
        assert board.page.evaluate("document.documentElement.scrollWidth") <= width
        expect(board.page.locator(".sums")).to_be_hidden()


def test_a_text_that_may_only_be_read_cannot_be_typed_in(context: BrowserContext, server: Server):
    board = open_board(context, server, "?readonly=1")
    expect(opened(board)).not_to_be_editable()
    board.page.close()


# -- what the page tells ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def xray() -> XRay:
    return examine(presets.load("digits"))


def told(xray: XRay | None, error: str = "") -> list[str]:
    """The summary without the spaces that do not break."""
    made = Composition("w", {}, 1, 1, None, error)
    summary: list[str] = canvas.insight(made, xray)["summary"]
    return [text.replace("\u202f", " ") for text in summary]


def test_the_summary_has_the_number_of_networks_and_the_median_macs(xray: XRay):
    assert told(xray) == ["250 000 networks", "295 k MACs"]


@pytest.mark.parametrize(
    ("verdict", "share", "words"),
    [
        ("sometimes", 0.62, "62 % within 0.0800 ms"),
        ("sometimes", 0.0, "under 1 % within 0.0800 ms"),
        ("sometimes", 1.0, "over 99 % within 0.0800 ms"),
        ("always", 1.0, "all within 0.0800 ms"),
        ("never", 0.0, "no network within 0.0800 ms"),
    ],
)
def test_the_summary_says_what_a_limit_leaves(xray: XRay, verdict: str, share: float, words: str):
    within = Within(limit_ms=0.08, share=share, verdict=verdict, tightest_ms=0.05)
    assert told(replace(xray, within=within))[2] == words


def test_the_summary_of_what_cannot_be_built_names_the_card():
    error = "stage 2 width: must be 1 to 4096, got 0."
    assert told(None, error) == ["cannot be built", "see stage 2"]
    assert told(None, "space: stages must be a list, got 3.") == ["cannot be built"]
