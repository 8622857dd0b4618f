"""Finding and reading spaces by name or file, and the command that lists and checks them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import SpaceError
from engine.presets import document, figures, load, load_space, names, read_space, summary
from tests.builders import small_space

REMEMBERED = ("mnasnet", "mnasnet-cifar", "mobilenet-v3-small")
LISTED = {"name", "about", "kind", "size", "citation", "golden", "from_memory"}


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


@pytest.mark.parametrize("name", REMEMBERED)
def test_what_no_source_confirmed_is_marked(name: str):
    assert document(name)["from_memory"]


@pytest.mark.parametrize(("name", "kind"), [("fbnet", "space"), ("fbnet-c", "network")])
def test_a_summary_tells_spaces_from_networks(name: str, kind: str):
    assert summary(name)["kind"] == kind


def test_a_summary_has_what_a_list_shows():
    found = summary("mobilenet-v3-small")
    written = document("mobilenet-v3-small")
    assert found.keys() == LISTED
    assert (found["size"], found["citation"]) == (1, written["space"]["citation"])
    assert found["golden"] == written["golden"]
    assert found["from_memory"] == written["from_memory"]


def test_a_summary_of_what_nobody_published_has_no_figures():
    found = summary("digits")
    assert (found["golden"], found["from_memory"], found["citation"]) == (None, [], "")


def test_figures_are_those_of_the_largest_network():
    assert figures(load("spnasnet_100")) == {"size": 1, "params": 4_421_616, "macs": 333_467_072}


def test_the_list_has_every_preset_with_its_summary(onepath):
    code, out, err = onepath("space", "--list", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"presets": [summary(name) for name in names()]}


def test_the_list_in_words_has_one_line_per_preset(onepath):
    code, out, _ = onepath("space", "--list")
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines[1:]] == names()
    row = next(line for line in lines if line.startswith("fbnet-c "))
    assert row.split(maxsplit=3) == ["fbnet-c", "network", "1", document("fbnet-c")["about"]]


def test_the_list_takes_no_space_beside_it(onepath):
    code, out, err = onepath("space", "--list", "digits")
    assert (code, out) == (2, "")
    assert err == "onepath: --list takes no space, got 'digits'. See onepath space --help.\n"


def test_the_command_without_a_space_asks_for_one(onepath):
    code, out, err = onepath("space", "--json")
    assert (code, out) == (2, "")
    assert "Missing argument 'PRESET|FILE.json'." in err


def test_published_figures_are_shown_with_whether_we_reproduce_them(onepath):
    printed = json.loads(onepath("space", "fbnet-c", "--json")[1])
    assert printed["golden"] == {"params": 5_572_200, "macs": 384_960_160}
    assert printed["golden_matches"] is True
    assert "macs 384,960,160: matches" in onepath("space", "fbnet-c")[1]


def test_a_mismatch_is_reported(onepath, monkeypatch: pytest.MonkeyPatch):
    wrong = {"params": 5_572_201, "macs": 384_960_160}
    monkeypatch.setattr("engine.cli.main.load_space", lambda name: (load(name), wrong))
    assert json.loads(onepath("space", "fbnet-c", "--json")[1])["golden_matches"] is False
    assert "macs 384,960,160: does not match" in onepath("space", "fbnet-c")[1]


def test_a_space_without_published_figures_matches_nothing(onepath):
    printed = json.loads(onepath("space", "digits", "--json")[1])
    assert (printed["golden"], printed["golden_matches"]) == ({}, None)
