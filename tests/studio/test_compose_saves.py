"""Compose: what the list of revisions says and brings back, and what a file must be to come in."""

from __future__ import annotations

import copy
import json

import pytest
from streamlit.testing.v1 import AppTest

from engine import presets
from engine.blocks import BLOCKS
from engine.space import SearchSpace
from engine.store import Revision
from engine.workspace import Workspace
from studio import composing, draft
from studio.parts import revisions
from tests.studio.conftest import Opening, words
from tests.studio.test_compose import edit, press, saved, send, sent


@pytest.fixture
def page(open_page: Opening, workspace: Workspace) -> AppTest:
    return open_page("compose", workspace)


def test_an_older_revision_can_be_brought_back(page: AppTest, workspace: Workspace) -> None:
    edit(page, workspace, width=12)
    press(page, "Bring back")
    assert saved(workspace) == presets.load("digits")
    assert workspace.store.revision("space") == 3
    assert sent(page)["doc"] == draft.whole(presets.load("digits").to_json())


def test_a_revision_says_what_it_changed(page: AppTest, workspace: Workspace) -> None:
    edit(page, workspace, width=12)
    newest, first = workspace.store.revisions("space")
    assert revisions.change(newest, first) == "Stage 2: width 12"
    assert revisions.change(first, None) == "the beginning"


def test_a_revision_is_called_what_its_author_did(page: AppTest, workspace: Workspace) -> None:
    shown = edit(page, workspace, width=12)
    assert composing.reasons(workspace, 9) == {2: "an edit"}
    assert "an edit" in words(page)
    shown["doc"]["stages"][1]["width"] = 16  # one that says nothing of the edit before it
    send(page, workspace, shown["doc"], shown["rev"] + 2, before=[shown["doc"]])
    assert 3 not in composing.reasons(workspace, 9)
    assert "Stage 2: width 16" in words(page).replace("\\", "")


def test_two_documents_tell_which_choices_came_and_went(workspace: Workspace) -> None:
    document = draft.whole(presets.load("digits").to_json())
    other = copy.deepcopy(document)
    other["stages"][1]["blocks"][0] |= {"kernel": [5, 7]}
    other["stages"][2]["blocks"].append({"block": "fused", "kernel": [3], "expand": [3]})
    other["head"]["width"] = 1024
    early, middle, late = document["stages"]
    turned, one = ({"stages": stages} for stages in ([early, late, middle], [early]))
    for changed in (other, document, document | turned, document | one):
        workspace.store.save("space", SearchSpace.from_json(changed).to_json())
    short, order, back, chosen, first = workspace.store.revisions("space")
    assert revisions.change(chosen, first) == (
        "Head: width 1\u202f024; Stage 2: kernel 7×7 on, kernel 3×3 off; "
        "Stage 3: Fused-MBConv added"
    )
    assert revisions.change(order, back) == "stages in another order"
    assert revisions.change(short, order) == "3 to 1 stage"


FUSED = {"block": "fused", "kernel": [3], "expand": [3], "act": ["relu"]}
PLAIN = {"block": "separable", "kernel": [3], "act": ["relu"]}


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (
            [FUSED | {"kernel": [5]}, PLAIN | {"kernel": [3, 5]}],
            "Stage 2: {fused} kernel 5×5 on, {fused} kernel 3×3 off, {separable} kernel 5×5 on",
        ),
        ([PLAIN, FUSED], "Stage 2: families in another order"),
        ([{"block": "of-old"}, PLAIN], "Stage 2: of-old added, {fused} removed"),
    ],
)
def test_a_change_names_the_family_where_a_stage_has_several(
    blocks: list[dict[str, object]], words: str
) -> None:
    before = draft.whole(presets.load("digits").to_json())
    before["stages"][1]["blocks"] = [FUSED, PLAIN]
    after = copy.deepcopy(before)
    after["stages"][1]["blocks"] = blocks
    titles = {name: BLOCKS[name].title for name in ("fused", "separable")}
    old, new = (Revision(n, 0.0, "", doc) for n, doc in ((1, before), (2, after)))
    assert revisions.change(new, old) == words.format(**titles)


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


@pytest.mark.parametrize(
    ("encoding", "got"), [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("cp500", "another")]
)
def test_a_file_in_another_encoding_is_refused_in_one_sentence(
    page: AppTest, workspace: Workspace, encoding: str, got: str
) -> None:
    content = json.dumps(presets.load("digits").to_json()).encode(encoding)
    page.file_uploader[0].upload("space.json", content).run()
    press(page, "Use this space", 1)
    (popover,) = (block for block in page.get("popover") if block.error)
    said = str(popover.error[0].value).replace("\\", "")
    assert f"space.json: must be text in UTF-8, got {got}" in said
    assert said.endswith("Save it as UTF-8 and import it again.")
    assert workspace.store.revision("space") == 1


def test_a_file_without_a_name_inside_is_called_as_the_file(
    page: AppTest, workspace: Workspace
) -> None:
    document = presets.load("single-path-cifar").to_json()
    del document["name"]
    content = b"\xef\xbb\xbf" + json.dumps(document).encode()
    page.file_uploader[0].upload("mine.json", content).run()
    press(page, "Use this space", 1)
    assert saved(workspace).name == "mine"
    assert composing.reasons(workspace, 9) == {2: "imported mine.json"}


def test_a_space_saved_as_json_can_be_imported(page: AppTest, workspace: Workspace) -> None:
    content = json.dumps(presets.load("single-path-cifar").to_json()).encode()
    page.file_uploader[0].upload("space.json", content).run()
    press(page, "Use this space", 1)
    assert saved(workspace) == presets.load("single-path-cifar")
