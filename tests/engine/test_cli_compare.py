"""`onepath compare`: what it starts, goes on with and prints; the worker is a fake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli.compare import command
from engine.errors import RunError, StudioError
from engine.events import Compared, Finished
from engine.methods import METHODS
from engine.store import Store
from tests.fake_worker import worker

SPREAD = {"mean": 0.9, "error": 0.01, "t": 2.1}
ROW = {
    **{"strategy": "one_shot", "mode": "sandwich", "epochs": 12, "seconds": 58.0, "picks": 3},
    **{"peak_bytes": 4e8, "hypervolume": SPREAD, "finetuned": SPREAD, "retrained": SPREAD},
    **{"ri": {"value": 0.02, "error": 0.005, "t": 2.1, "real": True}, "seeds": 3, "shared": True},
}
SCREEN = ROW | {"strategy": "zero_cost", "shared": False, "picks": 1, "ri": None}
WINNER = {"strategy": "one_shot", "level": ["one_shot"], "rule": "the best", "says": "One wins."}
REPORT = {
    **{"space": "digits", "data": "digits", "limit_ms": 0.5, "budget_s": 60.0, "seeds": 3},
    **{"epochs_after": 20, "reference": {"ms": 1.0, "error": 1.0}, "strategies": [ROW, SCREEN]},
    **{"random": {"networks": 8, "accuracy": 0.88, "deviation": 0.01}, "runs": []},
    **{"winner": WINNER, "remarks": ["Not the same cost: one took less."]},
}
DONE = (Compared(REPORT), Finished("compared", 99.0))

Run = Callable[..., str]


@pytest.fixture
def asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with a limit of 0.5 ms; what it prints on stdout."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        line = ["--space", "digits", "--data", "digits", "--latency-ms", "0.5", *arguments]
        line += ["--workspace", str(tmp_path / "w")]
        command.main(line, prog_name="onepath compare", standalone_mode=False)
        return capsys.readouterr().out

    return run


def runs(folder: Path) -> list:
    store = Store(folder / "w" / "studio.db")
    found = store.runs("compare")
    store.close()
    return found


def test_the_document_is_the_report_of_the_run(asked, does) -> None:
    does(worker(*DONE))
    assert json.loads(asked("--json")) == REPORT


def test_the_text_is_a_table_and_what_its_columns_mean(asked, does) -> None:
    does(worker(*DONE))
    said = asked()
    assert "one_shot" in said
    assert "90 ± 1" in said
    assert "2 ± 0.5" in said
    assert "random networks alone: 88.00 ± 1.00 % over 8" in said
    assert "better than these (95 %): one_shot" in said


def test_one_seed_has_no_error_to_show(asked, does) -> None:
    one = ROW | {name: SPREAD | {"error": 0.0, "t": 0.0} for name in ("hypervolume", "finetuned")}
    does(worker(Compared(REPORT | {"seeds": 1, "strategies": [one]}), Finished("compared", 9.0)))
    said = asked()
    assert ", 1 seed, 60 s each" in said
    assert "90 ± 1" in said  # trained alone, which has an error
    assert "± 0 " not in said


@pytest.mark.parametrize(
    "wrong", [("--space", "nope"), ("--strategies", "nope"), ("--seeds", "0"), ("--data", "nope")]
)
def test_a_slip_of_the_pen_makes_no_workspace(asked, tmp_path: Path, wrong) -> None:
    with pytest.raises(StudioError):
        asked(*wrong)
    assert not (tmp_path / "w").exists()


def test_the_text_says_who_wins_by_which_rule_and_what_was_not_equal(asked, does) -> None:
    does(worker(*DONE))
    said = asked().splitlines()
    at = said.index("One wins.")
    assert said[at + 1 : at + 3] == ["rule: the best", "Not the same cost: one took less."]


def test_the_text_has_picks_per_seeds_and_marks_what_is_not_of_shared_weights(asked, does) -> None:
    does(worker(*DONE))
    plain, marked = (next(r for r in asked().splitlines() if n in r) for n in ("one_s", "zero_"))
    assert "0.9 ± 0.01 *  1/3" in marked
    assert "*" not in plain
    assert "3/3" in plain
    assert "* of short trainings alone" in asked().splitlines()


def test_options_become_the_spec(asked, does, tmp_path) -> None:
    does(worker(*DONE))
    asked("--strategies", "fbnet,one_shot", "--seeds", "2", "--budget-s", "7.5", "--epochs", "4")
    spec = runs(tmp_path)[0].spec
    assert (spec.strategies, spec.seeds, spec.budget_s) == (("fbnet", "one_shot"), 2, 7.5)
    assert (spec.epochs, spec.latency_limit_ms) == (4, 0.5)
    asked()
    assert runs(tmp_path)[0].spec.strategies == tuple(METHODS)


@pytest.mark.parametrize("state", ["stopped", "failed", "finished"])
def test_the_same_command_goes_on_with_the_same_comparison(asked, does, tmp_path, state) -> None:
    does(worker(state=state))
    with pytest.raises(RunError, match="run 1 was stopped before its table"):
        asked("--json")
    does(worker(*DONE))
    assert json.loads(asked("--json")) == REPORT
    assert [run.id for run in runs(tmp_path)] == [1]


def test_an_unknown_strategy_is_refused_before_there_is_a_run(asked, tmp_path) -> None:
    with pytest.raises(RunError, match=r"strategies: must be all or among .*, got 'luck'"):
        asked("--strategies", "luck")
    assert not (tmp_path / "w").exists()


def test_a_workspace_made_here_has_drafts_for_the_studio(asked, does, tmp_path) -> None:
    does(worker(*DONE))
    asked("--latency-ms", "2.5")
    store = Store(tmp_path / "w/studio.db")
    assert (store.document("space") or {})["name"] == "digits"
    assert (store.document("goal") or {})["limit_ms"] == 2.5
    assert store.document("data") == {"source": "digits", "path": ""}
