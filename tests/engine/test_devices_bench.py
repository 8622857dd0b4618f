"""The measuring script: alone as the `benchmark.py` of an archive, and as the device's server."""

from __future__ import annotations

import ast
import hashlib
import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.devices import bench
from engine.graph import layer_onnx, random_weights, to_onnx
from engine.space import SearchSpace
from tests.builders import small_space

SCRIPT = Path(bench.__file__)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder as an exported archive unpacks: model, report, benchmark."""
    space: SearchSpace = small_space()
    layers = space.layers(space.smallest())
    content = to_onnx(layers, random_weights(layers, 0), metadata={})
    (tmp_path / "model.onnx").write_bytes(content)
    report = {
        "onnx_sha256": hashlib.sha256(content).hexdigest(),
        "limit_ms": 1e4,
        "latency": {"p50_ms": 1e-6, "threads": 1},
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    shutil.copy(SCRIPT, tmp_path / "benchmark.py")
    return tmp_path


@pytest.fixture(autouse=True)
def _no_rests(monkeypatch):
    monkeypatch.setattr(bench, "REST_S", 0.0)
    monkeypatch.setattr(bench, "WAKE_S", 0.0)


def call(capsys, *arguments: str) -> tuple[int, str, str]:
    code = bench.main(arguments)
    return code, *capsys.readouterr()


def test_it_needs_only_python_numpy_and_onnxruntime():
    tree = ast.parse(SCRIPT.read_text())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names - set(sys.stdlib_module_names) == {"numpy", "onnxruntime"}


def test_without_arguments_it_times_the_model_beside_it(archive):
    command = [sys.executable, "benchmark.py", "--runs", "40"]
    done = subprocess.run(command, cwd=archive, capture_output=True, text=True, check=True)
    assert "p50" in done.stdout
    assert "40 runs in 5 sessions" in done.stdout
    assert "report.json says p50" in done.stdout
    assert "limit 10000.0000 ms: met in every session" in done.stdout


def test_json_is_one_document_with_what_was_recorded(archive, capsys):
    code, out, _ = call(capsys, str(archive / "model.onnx"), "--runs", "40", "--json")
    result = json.loads(out)
    assert code == 0
    assert 0 < result["p50_ms"] <= result["p90_ms"] <= result["p99_ms"]
    assert (result["runs"], result["threads"], len(result["sessions"])) == (40, 1, 5)
    assert (result["recorded_p50_ms"], result["within_limit"]) == (1e-6, True)
    assert result["runtime"].startswith("onnxruntime ")


def test_a_limit_that_one_session_misses_is_not_met(archive, capsys):
    report = json.loads((archive / "report.json").read_text()) | {"limit_ms": 1e-6}
    (archive / "report.json").write_text(json.dumps(report))
    _, out, _ = call(capsys, str(archive / "model.onnx"), "--runs", "40")
    assert "not met in every session" in out


def test_a_report_about_another_file_is_not_compared(archive, capsys):
    (archive / "model.onnx").write_bytes(layer_onnx(small_space().stem_layer(), 0))
    _, out, _ = call(capsys, str(archive / "model.onnx"), "--runs", "40", "--json")
    assert not {"recorded_p50_ms", "limit_ms", "within_limit"} & json.loads(out).keys()


@pytest.mark.parametrize("content", [None, b"no network"])
def test_what_is_no_model_is_one_sentence(tmp_path, capsys, content):
    path = tmp_path / "model.onnx"
    if content:
        path.write_bytes(content)
    code, out, err = call(capsys, str(path))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert str(path) in err


def test_runs_must_be_a_number_above_0(capsys):
    with pytest.raises(SystemExit) as refused:
        bench.main(["--runs", "0"])
    assert refused.value.code == 2
    assert "above 0" in capsys.readouterr().err


def plan(**changes: float) -> bench.Plan:
    return bench.Plan(**{"sessions": 1, "runs": 8, "warmup": 1, "seconds": 1.0, **changes})


def test_disturbed_turns_are_repeated_until_they_are_quiet(archive, monkeypatch):
    # Around each of the eight turns, and once before: the third turn meets other work.
    readings = itertools.chain([100.0] * 6 + [200.0] + [100.0] * 9, itertools.repeat(100.0))
    monkeypatch.setattr(bench, "yardstick", lambda: next(readings))
    ((*turns,),) = bench.measure([archive / "model.onnx"], plan(), lambda _: None)
    assert [turn.yardstick for turn in turns] == [1.0] * 8
    assert bench.summary(turns)["disturbed"] == 0.0


def test_what_never_gets_quiet_ends_and_says_so(archive, monkeypatch):
    readings = itertools.chain([100.0] * 4, itertools.repeat(200.0))
    monkeypatch.setattr(bench, "yardstick", lambda: next(readings))
    ((*turns,),) = bench.measure([archive / "model.onnx"], plan(), lambda _: None)
    assert bench.summary(turns)["disturbed"] == 0.75


def test_a_session_ends_with_its_seconds_but_runs_in_every_turn(archive):
    ((*turns,),) = bench.measure(
        [archive / "model.onnx"], plan(runs=80, seconds=0.0), lambda _: None
    )
    assert [len(turn.times) for turn in turns] == [1] * bench.TURNS


def test_the_p50_is_the_median_of_the_sessions():
    turns = [bench.Turn(0, session, [ms] * 3, 1.0) for session, ms in enumerate([1.0, 2.0, 9.0])]
    result = bench.summary(turns)
    assert result["sessions"] == [1.0, 2.0, 9.0]
    assert (result["p50_ms"], result["runs"]) == (2.0, 9)


def test_it_ends_and_clears_up_when_whoever_asked_is_gone(archive, tmp_path):
    asked = tmp_path / "asked"
    asked.mkdir()
    shutil.copy(archive / "model.onnx", asked / "0.onnx")
    forever = {"sessions": 10**6, "runs": 8, "warmup": 1, "seconds": 1.0, "threads": 1}
    request = {"models": [str(asked / "0.onnx")], "plan": forever}
    (asked / "request.json").write_text(json.dumps(request))
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, {str(SCRIPT)!r}, '--serve',"
        f" {str(asked / 'request.json')!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()"  # it measures; now leave it alone
    )
    # stderr stays open as long as the child lives, so this returns only once it has ended.
    subprocess.run([sys.executable, "-c", parent], stderr=subprocess.PIPE, check=True, timeout=60)
    assert not asked.exists()
