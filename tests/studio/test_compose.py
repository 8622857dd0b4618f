"""Compose: edits of the canvas, drafts, revisions, presets, import, the X-ray; and its pictures."""

from __future__ import annotations

import copy
import json
from typing import Any
from xml.etree import ElementTree

import onnx
import pytest
from streamlit.testing.v1 import AppTest

from engine import presets
from engine.blocks import SEARCHED
from engine.layers import Residual
from engine.space import SearchSpace
from engine.workspace import Workspace
from studio import composing, draft, state, text
from studio.charts import blocks
from studio.charts.network import diagram
from studio.parts import canvas, specimen
from tests.studio.conftest import Opening, words


@pytest.fixture
def page(open_page: Opening, workspace: Workspace) -> AppTest:
    return open_page("compose", workspace)


NOTHING = "Nothing to choose from yet: drag a block onto the canvas, or press one."


def press(at: AppTest, label: str, number: int = 0) -> AppTest:
    [b for b in at.button if b.label == label][number].click()
    return at.run()


def saved(workspace: Workspace) -> SearchSpace:
    return state.drafted_space(workspace)


def sent(at: AppTest) -> dict[str, Any]:
    """What the page gives the composer."""
    return json.loads(at.get("bidi_component")[0].proto.json)


def edit(at: AppTest, workspace: Workspace, **stage: object) -> dict[str, Any]:
    """The browser changes stage 2 and sends the whole document, as the composer does."""
    shown = sent(at)
    document = copy.deepcopy(shown["doc"])
    document["stages"][1] |= stage
    return send(at, workspace, document, shown["rev"] + 1)


def send(
    at: AppTest, workspace: Workspace, document: object, rev: int, **more: object
) -> dict[str, Any]:
    state_of = {"doc": {"rev": rev, "doc": document, "why": "an edit", **more}}
    at.session_state[composing.key(workspace)] = state_of
    at.run()
    assert not at.exception
    return sent(at)


# -- the canvas ------------------------------------------------------------------------------------


def test_the_canvas_gets_the_space_with_nothing_left_out(page: AppTest) -> None:
    shown = sent(page)
    assert not page.exception
    assert SearchSpace.from_json(shown["doc"]) == presets.load("digits")
    option = shown["doc"]["stages"][0]["blocks"][0]
    assert option["attention"] == ["none"]
    assert [family["family"] for family in shown["catalogue"]] == list(SEARCHED)
    assert shown["insight"]["rev"] == shown["rev"]
    assert shown["insight"]["cards"]["stage 2"]["channels"] == [2, 4]


def test_a_valid_edit_is_a_revision_with_its_author(page: AppTest, workspace: Workspace) -> None:
    shown = edit(page, workspace, width=12)
    assert saved(workspace).stages[1].width == 12
    newest = workspace.store.revisions("space")[0]
    assert (newest.number, newest.author) == (2, composing.author())
    assert "rev 2" in "".join(str(e.proto) for e in page.get("page_link"))
    assert (shown["insight"]["rev"], shown["insight"]["errors"]) == (2, [])


def test_an_edit_that_was_seen_already_is_not_saved_again(
    page: AppTest, workspace: Workspace
) -> None:
    shown = edit(page, workspace, width=12)
    send(page, workspace, shown["doc"], shown["rev"])
    send(page, workspace, presets.load("single-path").to_json(), shown["rev"])
    assert workspace.store.revision("space") == 2


def test_an_edit_that_cannot_be_built_is_told_on_its_card_and_kept_as_a_draft(
    page: AppTest, workspace: Workspace, open_page: Opening
) -> None:
    shown = edit(page, workspace, width=0)
    assert shown["insight"]["errors"] == [
        {"card": "stage 2", "text": "Stage 2 width: must be 1 to 4\u202f096, got 0."}
    ]
    assert str(page.warning[0].value).startswith("Stage 2 width")
    assert workspace.store.revision("space") == 1
    again = sent(open_page("compose", workspace))  # another session, as after a restart
    assert again["doc"]["stages"][1]["width"] == 0
    assert again["insight"]["errors"] == shown["insight"]["errors"]


def test_a_draft_that_was_taken_back_does_not_come_again(
    page: AppTest, workspace: Workspace, open_page: Opening
) -> None:
    edit(page, workspace, width=0)
    edit(page, workspace, width=4)
    assert workspace.store.revision("space") == 1
    assert sent(open_page("compose", workspace))["doc"]["stages"][1]["width"] == 4


def test_a_draft_of_an_older_revision_is_forgotten(
    page: AppTest, workspace: Workspace, open_page: Opening
) -> None:
    edit(page, workspace, width=0)
    edit(page, workspace, width=16)
    assert sent(open_page("compose", workspace))["doc"]["stages"][1]["width"] == 16


def test_what_a_restarted_server_has_not_seen_is_taken_when_the_browser_sends_it_again(
    open_page: Opening, workspace: Workspace
) -> None:
    document = draft.whole(presets.load("digits").to_json())
    document["stages"][1]["width"] = 24
    shown = send(open_page("compose", workspace), workspace, document, 17)
    assert (shown["rev"], saved(workspace).stages[1].width) == (17, 24)


def test_an_idle_browser_does_not_overwrite_what_others_saved(
    open_page: Opening, workspace: Workspace
) -> None:
    document = draft.whole(presets.load("digits").to_json())
    for width in (16, 40):
        document["stages"][1]["width"] = width
        workspace.store.save("space", SearchSpace.from_json(document).to_json())
    at = open_page("compose", workspace)  # a session after a restart
    document["stages"][1]["width"] = 20
    shown = send(at, workspace, document, 57, base=2)
    assert (workspace.store.revision("space"), saved(workspace).stages[1].width) == (3, 40)
    assert shown["doc"]["stages"][1]["width"] == 20
    assert "Revision 3 was saved elsewhere" in words(at)
    press(at, "Take revision 3")
    assert (sent(at)["doc"]["stages"][1]["width"], workspace.store.revision("space")) == (40, 3)


def test_an_edit_whose_confirmation_was_lost_is_no_conflict(
    open_page: Opening, workspace: Workspace
) -> None:
    document = draft.whole(presets.load("digits").to_json())
    document["stages"][1]["width"] = 12
    workspace.store.save("space", SearchSpace.from_json(document).to_json())  # and then it died
    at, before = open_page("compose", workspace), copy.deepcopy(document)
    document["stages"][1]["width"] = 16
    send(at, workspace, document, 3, base=1, before=[before])
    assert (saved(workspace).stages[1].width, workspace.store.revision("space")) == (16, 3)
    assert "saved elsewhere" not in words(at)


def test_an_overtaken_draft_can_be_used_all_the_same(
    open_page: Opening, workspace: Workspace
) -> None:
    document = draft.whole(presets.load("digits").to_json())
    workspace.store.save("space", presets.load("single-path-cifar").to_json())
    at = open_page("compose", workspace)
    document["stages"][1]["width"] = 20
    send(at, workspace, document, 57, base=1)
    document["stages"][1]["width"] = 24  # goes on editing
    send(at, workspace, document, 58, base=2)
    assert workspace.store.revision("space") == 2
    press(at, "Use the canvas")
    assert (saved(workspace).stages[1].width, workspace.store.revision("space")) == (24, 3)
    assert "saved elsewhere" not in words(at)


def test_somebody_else_saving_between_two_edits_is_told(
    page: AppTest, workspace: Workspace
) -> None:
    shown = edit(page, workspace, width=12)
    workspace.store.save("space", presets.load("single-path-cifar").to_json())
    shown["doc"]["stages"][1]["width"] = 16
    send(page, workspace, shown["doc"], shown["rev"] + 1, base=2)
    assert workspace.store.revision("space") == 3
    assert "Revision 3 was saved elsewhere" in words(page)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"stages": {}}, {"stages": [{}]}])
def test_nonsense_from_a_browser_changes_nothing(
    page: AppTest, workspace: Workspace, document: object
) -> None:
    send(page, workspace, document, 9)
    assert workspace.store.revision("space") == 1
    assert saved(workspace) == presets.load("digits")


def test_a_document_without_end_is_refused_and_not_kept(
    page: AppTest, workspace: Workspace
) -> None:
    document = draft.whole(presets.load("digits").to_json()) | {"name": "x" * 600_000}
    shown = send(page, workspace, document, 9)
    assert "at most 500\u202f000 characters" in shown["insight"]["errors"][0]["text"]
    assert workspace.store.document("space-draft") is None


# -- tools -----------------------------------------------------------------------------------------


def test_a_preset_is_put_on_the_canvas(page: AppTest, workspace: Workspace) -> None:
    page.session_state["compose.preset.kind"] = "224×224 images"
    page.session_state["compose.preset.224×224 images"] = "single-path"
    press(page, "Use this space")
    assert saved(workspace) == presets.load("single-path")
    assert "10¹³·⁵" in words(page)
    assert "31\u202f250\u202f000\u202f000\u202f000" in words(page)
    assert sent(page)["rev"] == 2


def test_an_empty_canvas_keeps_input_stem_and_head(page: AppTest, workspace: Workspace) -> None:
    press(page, "Empty canvas")
    shown = sent(page)
    assert (shown["doc"]["stages"], shown["doc"]["input"]["size"]) == ([], 16)
    assert shown["doc"]["name"] == workspace.title
    assert shown["insight"]["errors"] == [{"card": "stages", "text": NOTHING}]
    assert saved(workspace) == presets.load("digits")


def test_a_revision_saved_elsewhere_comes_onto_the_canvas(
    page: AppTest, workspace: Workspace
) -> None:
    workspace.store.save("space", presets.load("single-path-cifar").to_json())
    page.run()
    assert sent(page)["doc"]["input"]["size"] == 32
    assert sent(page)["rev"] == 2


# -- the X-ray -------------------------------------------------------------------------------------


def test_the_x_ray_counts_the_networks_and_shows_the_middle_and_the_ends(page: AppTest) -> None:
    shown = words(page)
    assert f"### {text.count(presets.load('digits').size())}" in shown
    assert "Parameters" in shown
    assert "MACs" in shown
    assert "Peak activation memory" in shown
    assert [b.label for b in page.button if "Measure" in b.label] == ["Measure this computer"]


def test_any_network_of_the_space_can_be_looked_at(page: AppTest, workspace: Workspace) -> None:
    for which in ("Smallest", "Median", "Largest", "Any"):
        control = next(w for w in page.get("button_group") if w.label == "Network")
        control.set_value(which).run()
        assert not page.exception
    press(page, "Draw another")
    space = saved(workspace)
    onnx.checker.check_model(
        onnx.load_from_string(specimen.onnx_file(space, space.largest())), full_check=True
    )


# -- drafts and looks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ("stage 2: depth must start between 1 and 3, got 0.", "stage 2"),
        ("stage 12 width: must be 1 to 4096, got 0.", "stage 12"),
        ("stem: stride must be 1 or 2, got 3.", "stem"),
        ("classes: must be 2 to 10000, got 1.", "input"),
        ("stages: must be 1 to 64, got 0.", ""),
    ],
)
def test_an_error_is_shown_at_the_card_it_speaks_of(message: str, place: str) -> None:
    assert draft.place(message) == place


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("must be 1 to 4096, got 50000.", "must be 1 to 4\u202f096, got 50\u202f000."),
        ("1,234,567 parameters (2.5 times)", "1\u202f234\u202f567 parameters (2.5 times)"),
        ("a 3x3 convolution, arXiv:1812.03443, 0.07831 ms", None),
        ("stage 12 of 64, got mb4096", "stage 12 of 64, got mb4096"),
    ],
)
def test_numbers_in_sentences_are_written_as_elsewhere(sentence: str, shown: str | None) -> None:
    assert draft.grouped(sentence) == (shown or sentence.replace("3x3", "3×3"))


def test_errors_say_what_to_do() -> None:
    empty = "stage 3: expand must be one or more of 3, 6, got nothing."
    assert draft.told(empty) == "Stage 3: choose at least one expansion of 3, 6."
    assert draft.told("stem: stride must be 1 or 2, got 3.").startswith("Stem: stride must be 1")
    assert draft.told("") == ""


@pytest.mark.parametrize("name", presets.names())
def test_a_whole_document_is_the_same_space(name: str) -> None:
    document = presets.document(name)["space"]
    assert SearchSpace.from_json(draft.whole(document)) == presets.load(name)


def test_every_family_has_a_look_of_its_own() -> None:
    outlines = [blocks.outline(family) for family in (*SEARCHED, "head")]
    assert len(set(outlines)) == len(outlines)
    assert all(abs(x) <= 1 and abs(y) <= 1 for line in outlines for x, y in line)
    assert all(family in blocks.LOOKS for family in SEARCHED)


def test_a_new_card_of_every_family_builds_somewhere(workspace: Workspace) -> None:
    document = draft.whole(saved(workspace).to_json())
    for family in canvas.catalogue():
        option = {"block": family["family"]} | {f["name"]: f["default"] for f in family["fields"]}
        wide = {"width": 64, "depth": [1, 1], "stride": 1, "layers": "own", "blocks": [option]}
        stem = {"width": 64, "kernel": 3, "stride": 2, "act": "relu"}
        space, error = composing.judged(document | {"stem": stem, "stages": [wide]})
        assert space is not None, error


# -- diagram ---------------------------------------------------------------------------------------


def test_a_diagram_is_well_formed_and_names_every_layer() -> None:
    space = presets.load("digits")
    svg = diagram(space, space.largest(), None, dark=False)
    told = "".join(ElementTree.fromstring(svg).itertext())
    for layer in space.layers(space.largest()):
        assert layer.name in told


def test_a_diagram_shows_layers_left_out_and_shares_of_latency() -> None:
    space = presets.load("digits")
    share = {layer.name: 0.25 for layer in space.layers(space.smallest())}
    svg = diagram(space, space.smallest(), share, dark=True)
    assert svg.count("left out") == space.smallest().ops.count("skip")
    assert svg.count("25\u202f%") == len(share)


def test_a_diagram_has_an_arc_per_residual() -> None:
    space = presets.load("digits")
    layers = space.layers(space.largest())
    residuals = [x for x in layers if any(isinstance(p, Residual) for p in x.primitives)]
    assert residuals
    assert diagram(space, space.largest(), None, dark=False).count("<path") == len(residuals)


def test_a_diagram_escapes_what_users_named() -> None:
    document = presets.load("digits").to_json() | {"name": "<script>"}
    space = SearchSpace.from_json(document)
    assert "<script>" not in diagram(space, space.largest(), None, dark=False)
