"""Finding and reading spaces by name or file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import SpaceError
from engine.presets import document, load, load_space, names, read_space
from tests.builders import small_space


def test_a_name_loads_the_preset_with_its_golden_figures():
    space, golden = load_space("spnasnet_100")
    assert space == load("spnasnet_100")
    assert golden == document("spnasnet_100")["golden"]


def test_a_file_loads_the_space_in_it(tmp_path: Path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(small_space().to_json()))
    assert load_space(str(path)) == (small_space(), {})


def test_a_file_may_be_a_preset_of_ours(tmp_path: Path):
    path = tmp_path / "copy.json"
    path.write_text(json.dumps(document("digits")))
    assert load_space(str(path))[0] == load("digits")


def test_an_unknown_name_lists_the_presets():
    with pytest.raises(SpaceError, match=", ".join(names())):
        load_space("nope")


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SpaceError, match=r"gone\.json cannot be read"):
        load_space(str(tmp_path / "gone.json"))


def test_a_folder_is_no_file(tmp_path: Path):
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(SpaceError, match="cannot be read"):
        load_space(str(tmp_path / "folder.json"))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_a_file_that_is_no_json_is_refused(content: bytes):
    with pytest.raises(SpaceError):
        read_space(content, "upload.json")
