"""Data: before, while and after reading, when it fails; uploads; and the page's pictures."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.data import prepare
from engine.events import Failed
from engine.space import Input
from engine.spec import DataChoice, DataSpec
from engine.store import Status
from engine.workspace import Workspace
from studio import fitting, launch, sentence, state, text
from studio.charts import blocks
from studio.charts.balance import MAX_CLASSES, SPLIT_COLORS, class_bars, split_bar
from studio.pages import data
from studio.uploads import safe_stem, save_archive
from tests.studio.conftest import Opening, labels, words


def spec_of(workspace: Workspace) -> DataSpec:
    shape = state.drafted_space(workspace).input
    return DataSpec(state.data_choice(workspace), shape.size, shape.channels)


@pytest.fixture
def read(workspace: Workspace) -> Workspace:
    """A workspace whose digits are prepared."""
    shape = state.drafted_space(workspace).input
    prepare(DataChoice("digits"), workspace.data_folder, shape, lambda *_: None)
    return workspace


def test_before_reading_there_is_one_action_and_what_it_gives(
    open_page: Opening, workspace: Workspace
) -> None:
    at = open_page("data", workspace)
    assert not at.exception
    assert labels(at) == ["Read the images"]
    assert "Here will be samples of every class" in words(at)


def test_reading_starts_a_run_of_its_own(
    open_page: Opening, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_spawn", lambda *_: None)
    at = open_page("data", workspace)
    next(b for b in at.button if b.label == "Read the images").click().run()
    (run,) = workspace.store.runs("data")
    assert run.spec == spec_of(workspace)
    assert "Stop" in labels(at)


def test_while_reading_there_is_progress_with_time_left(
    open_page: Opening, workspace: Workspace
) -> None:
    run_id = workspace.store.create_run(spec_of(workspace))
    with workspace.store.hold(run_id):
        workspace.store.set_state(run_id, "running")
        workspace.store.report(run_id, Status("data", 0.4, 12.0, "reading images: 700 of 1,797"))
        at = open_page("data", workspace)
    (bar,) = at.get("progress")
    assert bar.proto.value == 40
    assert "12\u202fs left" in bar.proto.text
    assert "Read the images" not in labels(at)


def test_a_failed_reading_says_why_and_can_be_repeated(
    open_page: Opening, workspace: Workspace
) -> None:
    run_id = workspace.store.create_run(spec_of(workspace))
    failed = Failed("a.zip: 1 image of class dog, at least 3 are needed.", "Add images.")
    workspace.store.append(run_id, failed)
    workspace.store.set_state(run_id, "failed")
    at = open_page("data", workspace)
    assert "at least 3 are needed" in at.error[0].value
    assert labels(at) == ["Read the images"]


def test_an_interrupted_reading_says_so(open_page: Opening, workspace: Workspace) -> None:
    run_id = workspace.store.create_run(spec_of(workspace))
    workspace.store.set_state(run_id, "running")
    assert "was interrupted" in words(open_page("data", workspace))


def test_images_that_are_read_are_shown_with_splits_and_hash(
    open_page: Opening, read: Workspace
) -> None:
    at = open_page("data", read)
    assert not at.exception
    dataset = state.dataset(read)
    assert dataset is not None
    assert [s.value for s in at.subheader] == ["1\u202f797 images of 10 classes"]
    assert f"`{dataset.hash[:16]}`" in words(at)
    assert len(at.get("image")) == 60
    assert "1\u202f797 images" in "".join(str(e.proto.label) for e in at.get("page_link"))


def test_other_sizes_of_images_have_to_be_read_again(open_page: Opening, read: Workspace) -> None:
    document = read.store.document("space") or {}
    read.store.save("space", document | {"input": {"size": 32, "channels": 1}})
    assert labels(open_page("data", read)) == ["Read the images"]


def test_images_decide_how_many_classes_are_searched_for(read: Workspace) -> None:
    document = read.store.document("space") or {}
    read.store.save("space", document | {"classes": 3})
    assert state.drafted_space(read).classes == 3
    assert state.space(read).classes == 10


def test_one_source_is_exchanged_for_another(open_page: Opening, workspace: Workspace) -> None:
    at = open_page("data", workspace)
    at.get("button_group")[0].set_value("cifar10").run()
    assert workspace.store.document("data") == {"source": "cifar10", "path": ""}
    assert labels(at) == ["Read the images"]


def test_my_images_wait_for_a_path(open_page: Opening, workspace: Workspace) -> None:
    at = open_page("data", workspace)
    at.get("button_group")[0].set_value("folder").run()
    assert labels(at) == []
    assert workspace.store.document("data") == {"source": "digits", "path": ""}


def test_a_path_that_does_not_exist_is_refused_in_words(
    open_page: Opening, workspace: Workspace, tmp_path: Path
) -> None:
    at = open_page("data", workspace)
    at.get("button_group")[0].set_value("folder").run()
    at.text_input[0].set_value(str(tmp_path / "nowhere")).run()
    assert "nowhere" in at.error[0].value
    assert workspace.store.document("data") == {"source": "digits", "path": ""}


def test_an_uploaded_zip_becomes_the_source(open_page: Opening, workspace: Workspace) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cat/1.png", b"x")
    at = open_page("data", workspace)
    at.get("button_group")[0].set_value("folder").run()
    at.file_uploader[0].upload("../My pictures.zip", buffer.getvalue()).run()
    assert not at.exception
    choice = state.data_choice(workspace)
    path = Path(choice.path)
    assert choice.source == "folder"
    assert path.parent == workspace.uploads_folder
    assert path.name.startswith("My-pictures-")
    assert path.read_bytes() == buffer.getvalue()
    assert labels(at) == ["Read the images"]
    assert sentence.data_name(workspace) == "My pictures.zip"
    assert "My pictures" in "".join(str(e.proto.label) for e in at.get("page_link"))


def test_the_name_of_an_upload_goes_with_it(workspace: Workspace) -> None:
    data._save(workspace, DataChoice("folder", "/x/a-1234.zip"), "写真.zip")
    assert sentence.data_name(workspace) == "写真.zip"
    data._save(workspace, DataChoice("folder", "/x/mine"))
    assert sentence.data_name(workspace) == "mine"


# -- images and space ------------------------------------------------------------------------------


def pictures(folder: Path, *, colour: bool, side: int) -> DataChoice:
    """A folder of two classes of random images, read by nobody yet."""
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 256, (side, side, 3 if colour else 1), dtype=np.uint8)
            image = np.broadcast_to(pixels, (side, side, 3))
            Image.fromarray(np.ascontiguousarray(image)).save(folder / name / f"{number}.png")
    return DataChoice("folder", str(folder))


def read_as_it_is(workspace: Workspace, choice: DataChoice) -> None:
    data._save(workspace, choice)
    shape = state.drafted_space(workspace).input
    prepare(choice, workspace.data_folder, shape, lambda *_: None)


def test_colour_images_in_a_space_of_one_channel_are_warned_of_and_fixed(
    open_page: Opening, workspace: Workspace, tmp_path: Path
) -> None:
    read_as_it_is(workspace, pictures(tmp_path / "mine", colour=True, side=16))
    at = open_page("data", workspace)
    assert "Your images are in colour; this space reads 1 channel." in words(at)
    next(b for b in at.button if b.label == "Use 3 channels").click().run()
    assert not at.exception
    assert state.drafted_space(workspace).input == Input(16, 3)
    assert workspace.store.revision("space") == 2
    assert labels(at) == ["Read the images"]
    read_as_it_is(workspace, state.data_choice(workspace))
    assert "in colour" not in words(open_page("data", workspace))


def test_images_much_larger_than_they_are_read_are_warned_of_and_fixed(
    open_page: Opening, workspace: Workspace, tmp_path: Path
) -> None:
    read_as_it_is(workspace, pictures(tmp_path / "mine", colour=False, side=80))
    at = open_page("data", workspace)
    assert "at least 80 pixels wide and high; this space reads them at 16×16" in words(at)
    assert "in colour" not in words(at)
    next(b for b in at.button if b.label == "Read 64×64 pixels").click().run()
    assert state.drafted_space(workspace).input == Input(64, 1)


def test_images_that_fit_the_space_are_not_warned_of(
    open_page: Opening, workspace: Workspace, tmp_path: Path
) -> None:
    read_as_it_is(workspace, pictures(tmp_path / "mine", colour=False, side=48))
    assert "this space reads" not in words(open_page("data", workspace))


def test_the_side_of_images_is_that_of_half_of_them() -> None:
    assert fitting.short_side({"640×480": 5, "10×20": 4, "other": 90}) == 480
    assert fitting.short_side({"640×480": 4, "10×20": 5}) == 10
    assert fitting.short_side({"other": 3}) == 0


# -- uploads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd.zip", "passwd"),
        ("C:\\Users\\me\\cats & dogs.zip", "cats-dogs"),
        ("写真.zip", "images"),
        (".zip", "zip"),
        ("a" * 300 + ".zip", "a" * 60),
    ],
)
def test_uploads_get_safe_names(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


def test_equal_names_with_other_content_do_not_replace_each_other(workspace: Workspace) -> None:
    first = save_archive(workspace, "a.zip", io.BytesIO(b"one"))
    second = save_archive(workspace, "a.zip", io.BytesIO(b"two"))
    assert save_archive(workspace, "a.zip", io.BytesIO(b"one")) == first
    assert (first.read_bytes(), second.read_bytes()) == (b"one", b"two")
    assert len(list(workspace.uploads_folder.iterdir())) == 2


# -- charts ----------------------------------------------------------------------------------------


def test_bars_hold_every_class_and_split_once() -> None:
    spec = class_bars({"weights": {"cat": 3, "dog": 5}, "test": {"cat": 1, "dog": 0}}, dark=False)
    rows = {(row["class"], row["split"]): row["images"] for row in spec["data"]["values"]}
    assert rows[("cat", "weights")] == 3
    assert rows[("dog", "test")] == 0
    assert len(rows) == 4


def test_no_split_has_the_amber_of_the_limit() -> None:
    assert blocks.color("fused") not in SPLIT_COLORS.values()
    assert len(set(SPLIT_COLORS.values())) == len(SPLIT_COLORS)


def test_bars_stop_at_forty_classes() -> None:
    spec = class_bars({"weights": {f"class {i}": i for i in range(100)}}, dark=True)
    assert len(spec["data"]["values"]) == MAX_CLASSES


def test_the_bar_of_splits_says_its_numbers() -> None:
    html = split_bar({"weights": 1200, "architecture": 297, "test": 300}, dark=False)
    assert text.count(1200) in html
    assert "67\u202f%" in html
    assert 'aria-label="Splits: weights 1200, architecture 297, test 300"' in html
