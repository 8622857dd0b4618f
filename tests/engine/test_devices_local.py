"""This computer as a device: what happens when the measuring process misbehaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from engine.devices import Effort, Samples
from engine.devices.local import LocalDevice, cores
from engine.errors import StudioError

EFFORT = Effort(sessions=1, runs=8, warmup=1, seconds=0.01)


def device(tmp_path: Path, script: str, stall_s: float = 60.0) -> LocalDevice:
    """This computer with another program in place of the measuring one."""
    path = tmp_path / "script.py"
    path.write_text(script)
    return LocalDevice(1, path, stall_s)


def measure(local: LocalDevice, on_progress=lambda *_: None) -> list[Samples]:
    return local.measure([b"model"], EFFORT, on_progress)


def test_a_process_that_dies_is_one_sentence_with_its_last_words(tmp_path):
    local = device(tmp_path, "import sys; sys.exit('no memory left')")
    with pytest.raises(StudioError, match=r"exit 1\): no memory left") as refused:
        measure(local)
    assert "\n" not in str(refused.value)


def test_a_killed_process_is_one_sentence(tmp_path):
    local = device(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(StudioError, match="ended early"):
        measure(local)


def test_a_process_that_hangs_is_ended(tmp_path):
    local = device(tmp_path, "import signal; signal.pause()", stall_s=0.3)
    with pytest.raises(StudioError, match=r"nothing happened for 0\.3 s"):
        measure(local)


def test_the_process_does_not_outlive_an_interrupted_measurement(tmp_path):
    pid_file = tmp_path / "pid"
    script = (
        f"import os, signal; open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "print('{\"done\": 0.1}', flush=True); signal.pause()"
    )

    def interrupt(_done: float, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(device(tmp_path, script), interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), signal.SIG_DFL)


def test_its_answer_becomes_samples(tmp_path):
    result = (
        '{"p50_ms": 2.0, "p90_ms": 3.0, "p99_ms": 4.0, "p10_ms": 1.0, "runs": 9,'
        ' "sessions": [2.0, 2.0], "disturbed": 0.5}'
    )
    local = device(tmp_path, f"print('{{\"results\": [{result}]}}')")
    assert measure(local) == [Samples(2.0, 3.0, 4.0, 1.0, 9, (2.0, 2.0), 0.5)]


def test_more_threads_than_cores_are_refused():
    with pytest.raises(StudioError, match=f"{cores()} cores, got {cores() + 1}"):
        measure(LocalDevice(cores() + 1))


def test_sessions_that_disagree_or_were_disturbed_are_called_busy():
    steady = Samples(1.0, 1.0, 1.0, 1.0, 9, (1.0, 1.05))
    assert steady.spread == pytest.approx(0.05)
    assert not steady.busy
    assert Samples(1.0, 1.0, 1.0, 1.0, 9, (1.0, 1.3)).busy
    assert Samples(1.0, 1.0, 1.0, 1.0, 9, (1.0, 1.0), 0.5).busy
