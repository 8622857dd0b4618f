"""Compose: figures, edits, edits that cannot be built, undo, presets, import; and its pictures."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest

from engine import presets
from engine.cost import network_cost
from engine.layers import Residual
from engine.space import SearchSpace
from engine.workspace import Workspace
from studio import draft, state, text
from studio.charts.network import diagram
from tests.studio.conftest import Opening, words


@pytest.fixture
def page(open_page: Opening, workspace: Workspace) -> AppTest:
    return open_page("compose", workspace)


def widget(at: AppTest, kind: str, label: str, number: int = 0) -> object:
    return [w for w in at.get(kind) if w.label == label][number]


def press(at: AppTest, label: str, number: int = 0) -> AppTest:
    [b for b in at.button if b.label == label][number].click()
    return at.run()


def saved(workspace: Workspace) -> SearchSpace:
    return state.drafted_space(workspace)


def test_the_page_shows_what_the_space_amounts_to(page: AppTest) -> None:
    assert not page.exception
    space = presets.load("digits")
    small, large = (network_cost(space, arch) for arch in (space.smallest(), space.largest()))
    shown = words(page)
    assert f"**{text.count(space.size())}**" in shown
    assert f"**{text.compact(small.params)} – {text.compact(large.params)}**" in shown
    assert f"**{text.compact(small.macs)} – {text.compact(large.macs)}**" in shown
    assert [b.label for b in page.button if "Measure" in b.label] == ["Measure this computer"]


def test_a_valid_edit_is_a_revision(page: AppTest, workspace: Workspace) -> None:
    widget(page, "number_input", "Width", 1).set_value(12).run()
    assert saved(workspace).stages[1].width == 12
    assert workspace.store.revision("space") == 2
    assert "rev 2" in "".join(str(e.proto) for e in page.get("page_link"))


def test_choices_of_a_stage_can_be_changed(page: AppTest, workspace: Workspace) -> None:
    widget(page, "button_group", "Kernel", 0).set_value([3, 5, 7]).run()
    assert saved(workspace).stages[0].values("kernel") == (3, 5, 7)


def test_an_edit_that_cannot_be_built_is_explained_in_place_and_not_saved(
    page: AppTest, workspace: Workspace
) -> None:
    widget(page, "button_group", "Kernel", 1).set_value([]).run()
    assert not page.exception
    assert [str(e.value) for e in page.error] == [
        "Stage 2\\: choose at least one kernel of 3, 5, 7\\."
    ]
    assert str(page.warning[0].value).startswith(
        "Stage 2\\: choose at least one kernel of 3, 5, 7\\. Changes are not saved yet"
    )
    assert workspace.store.revision("space") == 1


def test_a_draft_that_cannot_be_built_survives_other_edits(
    page: AppTest, workspace: Workspace
) -> None:
    widget(page, "button_group", "Kernel", 1).set_value([]).run()
    widget(page, "number_input", "Width", 2).set_value(20).run()
    assert workspace.store.revision("space") == 1
    widget(page, "button_group", "Kernel", 1).set_value([5]).run()
    stages = saved(workspace).stages
    assert (workspace.store.revision("space"), len(page.error)) == (2, 0)
    assert (stages[2].width, stages[1].values("kernel")) == (20, (5,))


def test_undo_drops_the_draft_first_and_then_a_revision(
    page: AppTest, workspace: Workspace
) -> None:
    before = saved(workspace).stages[2].width
    widget(page, "number_input", "Width", 2).set_value(20).run()
    widget(page, "button_group", "Kernel", 1).set_value([]).run()
    press(page, "Undo")
    assert (len(page.error), saved(workspace).stages[2].width) == (0, 20)
    press(page, "Undo")
    assert saved(workspace).stages[2].width == before
    assert widget(page, "number_input", "Width", 2).value == before


def test_a_number_never_names_two_revisions(page: AppTest, workspace: Workspace) -> None:
    widget(page, "number_input", "Width", 2).set_value(20).run()
    press(page, "Undo")
    widget(page, "number_input", "Width", 2).set_value(24).run()
    assert workspace.store.revision("space") == 4
    assert "rev 4" in "".join(str(e.proto) for e in page.get("page_link"))


def test_undo_takes_back_one_unsaved_edit_at_a_time_and_redo_brings_it_again(
    page: AppTest, workspace: Workspace
) -> None:
    widget(page, "button_group", "Kernel", 1).set_value([]).run()
    widget(page, "number_input", "Width", 2).set_value(20).run()
    before = saved(workspace).stages[2].width
    press(page, "Undo")
    assert (len(page.error), widget(page, "number_input", "Width", 2).value) == (1, before)
    press(page, "Undo")
    assert len(page.error) == 0
    assert widget(page, "button", "Undo").disabled
    press(page, "Redo")
    press(page, "Redo")
    assert (len(page.error), widget(page, "number_input", "Width", 2).value) == (1, 20)
    assert widget(page, "button", "Redo").disabled
    widget(page, "button_group", "Kernel", 1).set_value([5]).run()
    assert (saved(workspace).stages[2].width, workspace.store.revision("space")) == (20, 2)


def test_redo_brings_a_saved_edit_again(page: AppTest, workspace: Workspace) -> None:
    assert widget(page, "button", "Redo").disabled
    widget(page, "number_input", "Width", 2).set_value(20).run()
    press(page, "Undo")
    press(page, "Redo")
    assert (saved(workspace).stages[2].width, workspace.store.revision("space")) == (20, 4)
    assert widget(page, "number_input", "Width", 2).value == 20


def test_a_removed_stage_says_that_it_comes_back(page: AppTest, workspace: Workspace) -> None:
    before = saved(workspace)
    press(page, "Remove", 1)
    assert str(page.toast[0].value) == "Stage 2 is removed. Undo brings it back."
    press(page, "Undo")
    assert saved(workspace) == before


def test_stages_are_added_duplicated_moved_and_removed(page: AppTest, workspace: Workspace) -> None:
    a, b, c = (stage.width for stage in saved(workspace).stages)
    press(page, "Add a stage")
    assert [s.width for s in saved(workspace).stages] == [a, b, c, c]
    press(page, "Duplicate", 0)
    assert [s.width for s in saved(workspace).stages] == [a, a, b, c, c]
    press(page, "Remove", 1)
    assert [s.width for s in saved(workspace).stages] == [a, b, c, c]
    press(page, "Up", 2)
    assert [s.width for s in saved(workspace).stages] == [a, c, b, c]
    assert not page.exception


def test_the_skip_switch_is_the_range_of_layers(page: AppTest, workspace: Workspace) -> None:
    widget(page, "toggle", "Layers may be skipped", 1).set_value(False).run()
    assert saved(workspace).stages[1].depth == (3, 3)
    widget(page, "toggle", "Layers may be skipped", 1).set_value(True).run()
    assert saved(workspace).stages[1].depth == (1, 3)
    assert widget(page, "slider", "Layers, fewest to most", 1).value == (1, 3)


def test_a_preset_replaces_the_space(page: AppTest, workspace: Workspace) -> None:
    page.radio[0].set_value("single-path").run()
    press(page, "Use this space")
    assert saved(workspace) == presets.load("single-path")
    assert "**10¹³·⁵**" in words(page)
    assert "31\u202f250\u202f000\u202f000\u202f000" in words(page)
    press(page, "Undo")
    assert saved(workspace) == presets.load("digits")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"stages": []}', b"\xff\xfe"])
def test_a_file_that_is_no_space_changes_nothing(
    page: AppTest, workspace: Workspace, content: bytes
) -> None:
    page.file_uploader[0].upload("space.json", content).run()
    press(page, "Use this space", 1)
    assert not page.exception
    (popover,) = (block for block in page.get("popover") if block.error)
    assert "Nothing was changed" in str(popover.error[0].value)
    assert workspace.store.revision("space") == 1


def test_a_space_saved_as_json_can_be_imported(page: AppTest, workspace: Workspace) -> None:
    content = json.dumps(presets.load("single-path-cifar").to_json()).encode()
    page.file_uploader[0].upload("space.json", content).run()
    press(page, "Use this space", 1)
    assert saved(workspace) == presets.load("single-path-cifar")


def test_a_revision_saved_elsewhere_replaces_the_form(page: AppTest, workspace: Workspace) -> None:
    workspace.store.save("space", presets.load("single-path-cifar").to_json())
    page.run()
    assert widget(page, "number_input", "Image side").value == 32


# -- draft -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ("stage 2: depth must start between 1 and 3, got 0.", "stage 2"),
        ("stage 12 width: must be 1 to 4096, got 0.", "stage 12"),
        ("stem: stride must be 1 or 2, got 3.", "stem"),
        ("classes: must be 2 to 10000, got 1.", "input"),
        ("stages: must be 1 to 16, got 0.", ""),
    ],
)
def test_an_error_is_shown_at_the_card_it_speaks_of(message: str, place: str) -> None:
    assert draft.place(message) == place


def test_errors_say_what_to_do() -> None:
    empty = "stage 3: expand must be one or more of 3, 6, got nothing."
    assert draft.told(empty) == "Stage 3: choose at least one expansion of 3, 6."
    assert draft.told("stem: stride must be 1 or 2, got 3.").startswith("Stem: stride must be 1")
    assert draft.told("") == ""


def test_edits_of_a_draft_leave_the_document_as_it_was() -> None:
    document = presets.load("digits").to_json()
    before = json.dumps(document)
    draft.added(document)
    draft.duplicated(document, 0)
    draft.removed(document, 0)
    draft.moved(document, 0, 1)
    draft.changed(document, ("stages", 0, "width"), 99)
    assert json.dumps(document) == before


def test_a_stage_at_the_end_stays_there() -> None:
    document = presets.load("digits").to_json()
    assert draft.moved(document, 0, -1) == document
    assert draft.moved(document, 2, 1) == document


def test_the_first_layer_may_go_only_where_it_keeps_width_and_side() -> None:
    document = presets.load("digits").to_json()
    document["stages"][0] |= {"stride": 1, "width": document["stem"]["width"]}
    document["stages"][1] |= {"stride": 2}
    document["stages"][2] |= {"stride": 1, "width": document["stages"][1]["width"] + 1}
    assert [draft.fewest_layers(document, i) for i in range(3)] == [0, 1, 1]


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
