"""Checkpoints under every mishap of a disk: what is read back is whole, and nothing executes."""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import checkpoint
from engine.checkpoint import NAME, PARTIAL, PREVIOUS, load_checkpoint, save_checkpoint
from engine.errors import CheckpointError

LOG = {1, 2, 3}  # steps that the log holds


def state(step: int) -> dict[str, Any]:
    """All that a run's state is made of: tensors of several kinds and plain values."""
    return {
        "step": step,
        "seconds": 1.5,
        "supernet": {"weight": torch.arange(6).reshape(2, 3) / 7 + step},
        "strategy": {"snapshots": [["k3e3-skip", 0.25]], "chosen": "", "state": {0: None}},
        "rng": [3, [1, 2**32 - 1], None],
        "generator": torch.Generator().manual_seed(step).get_state(),
    }


def step_of(folder: Path) -> int | None:
    """Step of the checkpoint that a run would go on from."""
    found, _ = load_checkpoint(folder, LOG)
    return None if found is None else found["step"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder in which steps 1 and 2 were saved."""
    for step in (1, 2):
        save_checkpoint(tmp_path, state(step))
    return tmp_path


def test_what_was_saved_comes_back_equal_without_a_word(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(1))
    found, warning = load_checkpoint(tmp_path, LOG)
    assert warning == ""
    assert found is not None
    expected = state(1)
    assert torch.equal(found["supernet"].pop("weight"), expected["supernet"].pop("weight"))
    assert torch.equal(found.pop("generator"), expected.pop("generator"))
    assert found == expected


def test_a_folder_without_checkpoints_begins_anew_without_a_word(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, LOG) == (None, "")


def test_the_newest_is_read_and_only_the_one_before_is_kept(saved: Path) -> None:
    save_checkpoint(saved, state(3))
    assert step_of(saved) == 3
    assert {path.name for path in saved.iterdir()} == {NAME, PREVIOUS}
    (saved / NAME).unlink()
    assert step_of(saved) == 2


def test_a_damaged_one_never_pushes_out_the_whole_one_before_it(saved: Path) -> None:
    (saved / NAME).write_bytes(b"torn")
    save_checkpoint(saved, state(2))
    assert step_of(saved) == 2
    (saved / NAME).unlink()
    assert step_of(saved) == 1


# -- damage ---------------------------------------------------------------------------------------


def test_one_flipped_bit_anywhere_leads_to_the_one_before(saved: Path) -> None:
    content = (saved / NAME).read_bytes()
    for place in (*range(40), *range(40, len(content), 17)):  # the hash, and all over the rest
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        (saved / NAME).write_bytes(damaged)
        assert step_of(saved) == 1, place
    assert "cannot be used" in load_checkpoint(saved, LOG)[1]


@pytest.mark.parametrize("kept", [0, 1, 31, 32, 33, 0.5, -1])
def test_a_file_cut_short_leads_to_the_one_before(saved: Path, kept: float) -> None:
    content = (saved / NAME).read_bytes()
    length = int(kept * len(content)) if isinstance(kept, float) else kept
    (saved / NAME).write_bytes(content[:length])
    found, warning = load_checkpoint(saved, LOG)
    assert found is not None
    assert found["step"] == 1
    assert "goes on from the one before" in warning


def test_bytes_appended_lead_to_the_one_before(saved: Path) -> None:
    with (saved / NAME).open("ab") as file:
        file.write(b"\0")
    assert step_of(saved) == 1


def test_both_damaged_begin_anew_and_that_is_said(saved: Path) -> None:
    for name in (NAME, PREVIOUS):
        (saved / name).write_bytes((saved / name).read_bytes()[:-1])
    found, warning = load_checkpoint(saved, LOG)
    assert found is None
    assert "begins anew" in warning


def test_the_only_one_damaged_begins_anew_and_that_is_said(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state(1))
    (tmp_path / NAME).write_bytes(b"")
    found, warning = load_checkpoint(tmp_path, LOG)
    assert found is None
    assert "begins anew" in warning


def test_a_damaged_one_before_does_not_matter_while_the_newest_is_whole(saved: Path) -> None:
    (saved / PREVIOUS).write_bytes(b"torn")
    found, warning = load_checkpoint(saved, LOG)
    assert found is not None
    assert (found["step"], warning) == (2, "")


# -- a log that lost its end ----------------------------------------------------------------------


def test_a_step_that_the_log_does_not_hold_is_passed_over_and_that_is_said(saved: Path) -> None:
    found, warning = load_checkpoint(saved, {1})
    assert found is not None
    assert found["step"] == 1
    assert warning


def test_no_step_in_the_log_begins_anew_and_that_is_said(saved: Path) -> None:
    found, warning = load_checkpoint(saved, set())
    assert found is None
    assert "begins anew" in warning


# -- interrupted while saving ---------------------------------------------------------------------


class PowerCut(BaseException):
    """The computer goes off; no handler of the product may run on it."""


@pytest.mark.parametrize(("call", "expected"), [("open", 2), ("fsync", 2), (1, 2), (2, 2)])
def test_a_cut_at_any_moment_of_a_save_leaves_the_last_whole_one(
    saved: Path, monkeypatch, call, expected
) -> None:
    renames: list[object] = []
    rename = os.replace

    def cut(*_: object, **__: object) -> None:
        raise PowerCut

    def cut_at_rename(source: Path, target: Path) -> None:
        renames.append(target)
        if len(renames) == call:
            raise PowerCut
        rename(source, target)

    with monkeypatch.context() as patched:
        if call == "open":
            patched.setattr(Path, "open", cut)
        elif call == "fsync":
            patched.setattr(checkpoint.os, "fsync", cut)
        else:
            patched.setattr(checkpoint.os, "replace", cut_at_rename)
        with pytest.raises(PowerCut):
            save_checkpoint(saved, state(3))
    found, warning = load_checkpoint(saved, LOG)
    assert found is not None
    assert (found["step"], warning) == (expected, "")
    save_checkpoint(saved, state(3))
    assert step_of(saved) == 3


def test_a_torn_partial_file_is_never_read_and_written_over(saved: Path) -> None:
    kept = [path.rename(saved.parent / path.name) for path in list(saved.iterdir())]
    (saved / PARTIAL).write_bytes(b"half of a checkpoint")
    assert load_checkpoint(saved, LOG) == (None, "")
    for path in kept:
        path.rename(saved / path.name)
    assert step_of(saved) == 2
    save_checkpoint(saved, state(3))
    assert step_of(saved) == 3
    assert not (saved / PARTIAL).exists()


def test_the_content_is_on_the_disk_before_it_takes_its_name(saved: Path, monkeypatch) -> None:
    told: list[str] = []
    rename, flush = os.replace, os.fsync

    def fsync(descriptor: int) -> None:
        told.append(f"flushed {os.fstat(descriptor).st_size}")
        flush(descriptor)

    def replace(source: Path, target: Path) -> None:
        told.append(f"renamed {source.name}")
        rename(source, target)

    monkeypatch.setattr(checkpoint.os, "fsync", fsync)
    monkeypatch.setattr(checkpoint.os, "replace", replace)
    save_checkpoint(saved, {"step": 3})  # small enough to wait in a buffer
    size = (saved / NAME).stat().st_size
    assert told == [f"flushed {size}", f"renamed {NAME}", f"renamed {PARTIAL}"]


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_full_disk_is_said_in_words_and_the_last_one_is_intact(
    saved: Path, monkeypatch, at: str
) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.os, at, full)
        with pytest.raises(CheckpointError, match="could not be written") as caught:
            save_checkpoint(saved, state(3))
    assert os.strerror(errno.ENOSPC) in caught.value.message
    assert "Free some space" in caught.value.hint
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert step_of(saved) == 2


# -- nothing from outside executes ----------------------------------------------------------------


class Bomb:
    """Unpickling one writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.target,)


def _as_pickle(bomb: Bomb, path: Path) -> None:
    path.write_bytes(pickle.dumps({"step": 1, "bomb": bomb}, protocol=2))


def _as_torch(bomb: Bomb, path: Path) -> None:
    torch.save({"step": 1, "bomb": bomb}, path)


@pytest.mark.parametrize("write", [_as_pickle, _as_torch])
def test_a_payload_that_would_execute_is_refused_even_with_a_right_hash(
    tmp_path: Path, write
) -> None:
    folder, touched = tmp_path / "run", tmp_path / "touched"
    folder.mkdir()
    write(Bomb(touched), tmp_path / "payload")
    payload = (tmp_path / "payload").read_bytes()
    (folder / NAME).write_bytes(hashlib.sha256(payload).digest() + payload)
    try:
        found, _ = load_checkpoint(folder, LOG)
    except (pickle.UnpicklingError, CheckpointError):
        found = None
    assert found is None
    assert not touched.exists()


def test_the_bomb_of_that_test_does_go_off(tmp_path: Path) -> None:
    _as_torch(Bomb(tmp_path / "touched"), tmp_path / "payload")
    torch.load(tmp_path / "payload", weights_only=False)
    assert (tmp_path / "touched").exists()
