"""What the commands print, key by key, and what they pass on; runs are faked here."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.devices import DEVICES, STANDARD, Effort, Samples
from engine.events import Evaluated, Exported, Trained, Warned
from engine.spec import ExportSpec, ProfileSpec, RunSpec, TrainSpec
from engine.store import Store
from tests.fake_worker import (
    CALIBRATED,
    FAST,
    FOUND,
    PREDICTION,
    REPORT,
    SEARCH,
    SLOW,
    worker,
)


def test_space_prints_size_ends_and_golden_figures(onepath):
    code, out, _ = onepath("space", "spnasnet_100", "--json")
    cost = {"params": 4_421_616, "macs": 333_467_072}
    assert (code, json.loads(out)) == (
        0,
        {"size": 1, "min": cost, "max": cost, "golden": cost, "golden_matches": True},
    )


def test_space_reads_a_file(onepath, tmp_path: Path):
    (tmp_path / "bad.json").write_text('{"name": "x"}')
    code, out, err = onepath("space", tmp_path / "bad.json")
    assert (code, out) == (2, "")
    assert err == "onepath: space: stages must be a list, got nothing.\n"


def test_search_prints_exactly_the_keys_of_the_contract(does, onepath, tmp_path: Path):
    does(worker(*FOUND))
    code, out, _ = onepath(*SEARCH, "--workspace", tmp_path / "w", "--json")
    printed = json.loads(out)
    point = {
        "arch": FAST,
        "proxy_accuracy": 0.90,
        "latency_ms": 0.82,
        "latency_source": "measured",
        "predicted_ms": 0.8,
        "params": 2000,
        "macs": 20000,
    }
    slow = point | {
        "arch": SLOW,
        "proxy_accuracy": 0.99,
        "latency_ms": 1.9,
        "latency_source": "predicted",
        "predicted_ms": 1.9,
        "params": 9000,
        "macs": 90000,
    }
    assert code == 0
    assert printed == {
        "run": 1,
        "workspace": str(tmp_path / "w"),
        "seed": 3,
        "seconds": 12.5,
        "limit_ms": 1.0,
        "space": {"size": 250_000},
        "device": {"device": "test computer"},
        "prediction": {key: value for key, value in PREDICTION.items() if key != "pairs"},
        "front": [point, slow],
        "best": point,
    }


def test_search_without_json_prints_a_table(does, onepath, tmp_path: Path):
    does(worker(*FOUND))
    code, out, _ = onepath(*SEARCH, "--workspace", tmp_path / "w")
    assert code == 0
    assert any(line.split()[:3] == ["0.820", "measured", "0.9000"] for line in out.splitlines())


def test_small_latencies_keep_three_digits(does, onepath, tmp_path: Path):
    does(worker(replace(CALIBRATED, fastest_ms=0.0085426)))
    out = onepath("profile", "--workspace", tmp_path, "--space", "digits")[1]
    assert "fastest     0.00854 ms" in out


def test_search_passes_on_what_was_asked_for(does, onepath, tmp_path: Path):
    does(worker(*FOUND))
    onepath(*SEARCH, "--workspace", tmp_path / "w", "--threads", "2", "--strategy", "single_path")
    spec = Store(tmp_path / "w/studio.db").run(1).spec
    assert isinstance(spec, RunSpec)
    assert (spec.latency_limit_ms, spec.seed, spec.epochs) == (1.0, 3, 5)
    assert (spec.device.threads, spec.strategy, spec.data.source) == (2, "single_path", "digits")


def test_epochs_have_the_default_of_the_spec(does, onepath, tmp_path: Path):
    does(worker(*FOUND))
    onepath(*SEARCH[:-2], "--workspace", tmp_path / "w")
    spec = Store(tmp_path / "w/studio.db").run(1).spec
    assert isinstance(spec, RunSpec)
    fresh = RunSpec(spec.space, spec.data, spec.device, 1.0)
    assert spec.epochs == fresh.epochs


def test_a_workspace_made_here_has_drafts_for_the_studio(searched: Path):
    store = Store(searched / "studio.db")
    assert store.document("goal") == {"limit_ms": 1.0, "epochs": 5, "seed": 3}
    assert (store.document("space") or {})["name"] == "digits"


def test_drafts_of_the_studio_are_left_alone(does, onepath, tmp_path: Path):
    (tmp_path / "w").mkdir()
    store = Store(tmp_path / "w/studio.db")
    store.save("space", {"name": "mine"})
    does(worker(*FOUND))
    onepath(*SEARCH, "--workspace", tmp_path / "w")
    assert store.document("space") == {"name": "mine"}


def test_what_a_run_prints_goes_to_its_log_and_progress_to_stderr(does, onepath, tmp_path: Path):
    does(worker(*FOUND))
    _, out, err = onepath(*SEARCH, "--workspace", tmp_path / "w", "--json")
    assert "chatter" not in out + err
    assert "chatter" in (tmp_path / "w/runs/1/worker.log").read_text()
    assert "search 50 %, 1:01 left, epoch 1 of 2" in err


def test_warnings_of_a_run_are_shown(does, onepath, tmp_path: Path):
    does(worker(Warned("The computer was busy."), *FOUND))
    assert "Note: The computer was busy.\n" in onepath(*SEARCH, "--workspace", tmp_path / "w")[2]


def test_profile_prints_exactly_the_keys_of_the_contract(does, onepath, tmp_path: Path):
    does(worker(CALIBRATED))
    code, out, _ = onepath("profile", "--workspace", tmp_path, "--space", "digits", "--json")
    assert (code, json.loads(out)) == (
        0,
        {
            "device": {"device": "test computer"},
            "prediction": {key: value for key, value in PREDICTION.items() if key != "pairs"},
            "fastest_ms": 0.5,
            "median_ms": 1.0,
            "slowest_ms": 2.0,
        },
    )
    assert isinstance(Store(tmp_path / "studio.db").run(1).spec, ProfileSpec)


def test_resume_of_a_finished_search_prints_its_result_again(does, onepath, searched: Path):
    does(worker(code=1))
    code, out, _ = onepath("resume", "1", "--workspace", searched, "--json")
    assert (code, json.loads(out)["best"]["arch"]) == (0, FAST)


@pytest.mark.parametrize("state", ["running", "stopped", "failed", "waiting", "paused"])
def test_resume_goes_on_with_a_search_that_did_not_finish(
    does, onepath, searched: Path, state: str
):
    store = Store(searched / "studio.db")
    store.set_state(1, state)
    store.want(1, "stopped")
    does(worker(Evaluated("-".join(["k5e3"] * 8), 0.95, 1.5, 5000, 50000)))
    code, out, _ = onepath("resume", "1", "--workspace", searched, "--json")
    assert (code, len(json.loads(out)["front"])) == (0, 3)
    assert store.wanted(1) == "running"


def test_resume_refuses_a_search_that_is_going_on(onepath, searched: Path):
    store = Store(searched / "studio.db")
    store.set_state(1, "running")
    with store.hold(1):
        code, _, err = onepath("resume", "1", "--workspace", searched)
    assert (code, err) == (
        2,
        "onepath: run 1 of this workspace is still going on. Wait for it, or stop it first.\n",
    )


def test_front_prints_what_there_is_of_an_unfinished_search(does, onepath, tmp_path: Path):
    does(worker(CALIBRATED, Evaluated(FAST, 0.9, 0.8, 1, 1), state="running"))
    onepath(*SEARCH, "--workspace", tmp_path)
    printed = json.loads(onepath("front", "1", "--workspace", tmp_path, "--json")[1])
    assert (printed["seconds"], printed["best"]) == (None, None)
    assert [point["arch"] for point in printed["front"]] == [FAST]


def test_front_prints_a_search_that_has_nothing_yet(does, onepath, tmp_path: Path):
    does(worker(state="running"))
    onepath(*SEARCH, "--workspace", tmp_path)
    printed = json.loads(onepath("front", "1", "--workspace", tmp_path, "--json")[1])
    assert (printed["device"], printed["prediction"], printed["front"]) == (None, None, [])
    assert onepath("front", "1", "--workspace", tmp_path)[0] == 0


def test_finetune_prints_exactly_the_keys_of_the_contract(does, onepath, searched: Path):
    does(worker(Trained(FAST, "finetune", 0.90, 0.95, 0.94, 7.0)))
    code, out, _ = onepath(
        *("finetune", "1", "--workspace", searched, "--arch", "best", "--epochs", "4", "--json")
    )
    assert (code, json.loads(out)) == (
        0,
        {
            "arch": FAST,
            "proxy_accuracy": 0.90,
            "accuracy": 0.95,
            "test_accuracy": 0.94,
            "seconds": 7.0,
        },
    )
    spec = Store(searched / "studio.db").run(2).spec
    assert spec == TrainSpec(1, FAST, "finetune", 4, 3)


def test_export_writes_the_archive_and_prints_its_report(does, onepath, searched: Path):
    does(worker(Exported(FAST, "exports/model.zip", REPORT)))
    out_file = searched.parent / "mine.zip"
    code, out, _ = onepath(
        *("export", "1", "--workspace", searched, "--arch", "best", "--out", out_file, "--json")
    )
    latency = {key: value for key, value in REPORT["latency"].items() if key != "sessions"}
    keys = ("onnx_sha256", "parity_max_abs", "limit_ms", "within_limit", "test_accuracy")
    expected = {"archive": str(out_file), **{key: REPORT[key] for key in keys}, "latency": latency}
    assert (code, json.loads(out)) == (0, expected)
    assert out_file.read_bytes() == b"archive"


def test_export_takes_an_architecture_by_its_text(does, onepath, searched: Path):
    does(worker(Exported(SLOW, "exports/model.zip", REPORT)))
    out_file = searched.parent / "mine.zip"
    assert (
        onepath("export", "1", "--workspace", searched, "--arch", SLOW, "--out", out_file)[0] == 0
    )
    assert Store(searched / "studio.db").run(2).spec == ExportSpec(1, SLOW)


def test_export_into_a_folder_that_is_not_there_starts_nothing(onepath, searched: Path):
    code, _, err = onepath(
        *("export", "1", "--workspace", searched, "--arch", "best", "--out", "/nope/x.zip")
    )
    assert (code, err) == (2, "onepath: out: folder /nope must exist. Make it first.\n")
    assert len(Store(searched / "studio.db").runs()) == 1


def test_an_architecture_of_another_space_is_refused(onepath, searched: Path):
    code, _, err = onepath("finetune", "1", "--workspace", searched, "--arch", "k3e3-k3e3")
    assert code == 2
    assert "digits needs 8 ops, got 2" in err


def test_best_needs_an_architecture_measured_within_the_limit(does, onepath, tmp_path: Path):
    does(worker(CALIBRATED, Evaluated(FAST, 0.9, 0.8, 1, 1)))
    onepath(*SEARCH, "--workspace", tmp_path)
    code, _, err = onepath("finetune", "1", "--workspace", tmp_path, "--arch", "best")
    assert code == 2
    assert "run 1 measured no architecture within 1 ms" in err


def test_only_a_search_has_a_front(does, onepath, tmp_path: Path):
    does(worker(CALIBRATED))
    onepath("profile", "--workspace", tmp_path, "--space", "digits")
    code, _, err = onepath("front", "1", "--workspace", tmp_path)
    assert (code, err) == (2, "onepath: run: must be a search, but run 1 is of kind profile.\n")


@pytest.mark.parametrize("command", ["front", "resume"])
def test_reading_commands_make_no_workspace(onepath, tmp_path: Path, command: str):
    code, _, err = onepath(command, "1", "--workspace", tmp_path / "w")
    assert code == 2
    assert "is none yet" in err
    assert not (tmp_path / "w").exists()


def test_a_damaged_workspace_is_a_sentence(onepath, tmp_path: Path):
    (tmp_path / "studio.db").write_bytes(b"no database at all" * 100)
    code, _, err = onepath("front", "1", "--workspace", tmp_path)
    assert code == 2
    assert "cannot be opened" in err


class FakeDevice:
    """A device whose every network needs 2 ms."""

    name = key = "fake"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def provenance(self) -> dict[str, Any]:
        return {"runtime": "fake", "runtime_version": "1.0", "threads": self.threads}

    def measure(
        self, models: Sequence[bytes], effort: Effort, on_progress: Callable[[float, str], None]
    ) -> list[Samples]:
        on_progress(1.0, "done")
        runs = effort.runs * effort.sessions
        return [Samples(2.0, 2.5, 3.0, 1.5, runs, (2.0,) * effort.sessions) for _ in models]


def test_bench_onnx_prints_percentiles_and_what_they_were_measured_with(
    onepath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(DEVICES, "local", FakeDevice)
    (tmp_path / "model.onnx").write_bytes(b"a network")
    code, out, _ = onepath("bench-onnx", tmp_path / "model.onnx", "--threads", "2", "--json")
    assert (code, json.loads(out)) == (
        0,
        {
            "p50_ms": 2.0,
            "p90_ms": 2.5,
            "p99_ms": 3.0,
            "runs": STANDARD.runs * STANDARD.sessions,
            "threads": 2,
            "runtime": "fake 1.0",
        },
    )


def test_bench_onnx_refuses_a_file_that_is_no_network(onepath, tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"no network")
    code, out, err = onepath("bench-onnx", tmp_path / "model.onnx", "--json")
    assert (code, out) == (2, "")
    assert "must run in ONNX Runtime" in err
