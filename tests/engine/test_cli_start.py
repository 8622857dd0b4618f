"""`onepath search --start`: what is taken over from the other search, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli import runs
from engine.events import Evaluated, Finished, Measured, Progress
from engine.presets import load
from engine.spec import RunSpec, Start, TrainSpec
from engine.store import Store
from tests.fake_worker import CALIBRATED, SEARCH, worker
from tests.problems import macs_latency

NET = str(load("digits").smallest()).replace("skip", "k3e2")
FOUND = (
    CALIBRATED,
    Evaluated(NET, 0.90, 0.8, 2000, 20000),
    Progress(1, 2, "front"),
    Measured(NET, 0.82, 0.9, 1.0, 3000, (0.82, 0.81, 0.84)),
    Finished("budget used", 12.5),
)
REFINE = ("search", "--strategy", "netadapt", "--start", 1, "--latency-ms", "0.5")


@pytest.fixture
def workspace(does, onepath, tmp_path: Path) -> Path:
    """A workspace whose run 1 is a finished search with threads, seed and a limit of its own."""
    folder = tmp_path / "w"
    does(worker(*FOUND))
    options = ("--threads", "2", "--max-params", "90000", "--recipe", '{"lr": 0.01}')
    assert onepath(*SEARCH, "--workspace", folder, *options)[0] == 0
    return folder


def asked(folder: Path) -> RunSpec:
    """The newest search."""
    spec = Store(folder / "studio.db").runs("search")[0].spec
    assert isinstance(spec, RunSpec)
    return spec


def test_what_is_not_told_is_as_in_the_search_that_the_network_is_from(onepath, workspace: Path):
    first = asked(workspace)
    assert onepath(*REFINE, "--arch", NET, "--workspace", workspace)[0] == 0
    spec = asked(workspace)
    assert spec.start == Start(1, NET)
    assert (spec.strategy, spec.mode, spec.latency_limit_ms) == ("netadapt", "per_ms", 0.5)
    for name in ("space", "data", "device", "limits", "recipe", "seed"):
        assert getattr(spec, name) == getattr(first, name), name


def test_what_is_told_counts(onepath, workspace: Path):
    told = ("--threads", "1", "--epochs", "7", "--seed", "8", "--mode", "accuracy")
    more = ("--space", "digits", "--max-macs", "5000000")
    onepath(*REFINE, "--arch", NET, "--workspace", workspace, *told, *more)
    spec = asked(workspace)
    assert (spec.device.threads, spec.epochs, spec.seed, spec.mode) == (1, 7, 8, "accuracy")
    assert spec.limits.asked() == {"macs": 5_000_000}


def test_best_names_the_network_within_the_limit_of_that_search(onepath, workspace: Path):
    onepath(*REFINE, "--arch", "best", "--workspace", workspace)
    assert asked(workspace).start == Start(1, NET)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", 9, "--arch", NET), "must be one of this workspace's (1), got 9."),
        (("--start", 1), "--start needs --arch"),
        (("--arch", NET), "--arch needs --start"),
        (("--start", 1, "--arch", "k3e3"), "needs 8 ops, got 1"),
        (("--start", 1, "--arch", NET, "--space", "fbnet-cifar"), "the space must be that of run"),
        (
            ("--start", 1, "--arch", NET, "--strategy", "fbnet"),
            "must be given to strategy netadapt",
        ),
    ],
)
def test_a_start_that_cannot_be_is_refused_before_there_is_a_run(
    onepath, workspace: Path, options, said: str
):
    code, _, err = onepath("search", "--latency-ms", "0.5", "--workspace", workspace, *options)
    assert code == 2
    assert said in err
    assert len(Store(workspace / "studio.db").runs()) == 1


def test_a_network_that_keeps_all_limits_is_refused_before_there_is_a_run(
    onepath, workspace: Path, monkeypatch: pytest.MonkeyPatch
):
    space = asked(workspace).space
    monkeypatch.setattr(runs, "load_model", lambda *_: macs_latency(space))
    slowest = macs_latency(space).slowest_ms
    options = ("--start", 1, "--arch", NET, "--latency-ms", str(slowest))
    code, _, err = onepath("search", "--workspace", workspace, *options)
    assert code == 2
    assert "must be below the" in err
    assert len(Store(workspace / "studio.db").runs()) == 1


def test_without_a_strategy_it_is_the_one_that_shrinks(onepath, workspace: Path):
    onepath("search", "--latency-ms", "0.5", "--workspace", workspace, "--start", 1, "--arch", NET)
    assert asked(workspace).strategy == "netadapt"


def test_a_run_that_is_no_search_is_refused(onepath, workspace: Path):
    store = Store(workspace / "studio.db")
    store.set_state(store.create_run(TrainSpec(1, NET)), "stopped")
    code, _, err = onepath(*REFINE, "--start", 2, "--arch", NET, "--workspace", workspace)
    assert code == 2
    assert "run 2 is of kind train" in err


@pytest.mark.parametrize("missing", ["--space", "--data"])
def test_space_and_data_must_be_told_where_nothing_is_taken_over(onepath, tmp_path, missing: str):
    options = list(SEARCH)
    at = options.index(missing)
    del options[at : at + 2]
    code, _, err = onepath(*options, "--workspace", tmp_path / "new")
    assert code == 2
    assert f"Missing option '{missing}'" in err
    assert not (tmp_path / "new").exists()
