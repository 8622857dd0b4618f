"""`onepath trust`: what it starts, carries on and prints; the worker is a fake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli.trust import trust
from engine.errors import RunError
from engine.events import Finished, StandAlone, Trusted
from engine.spec import TrustSpec
from engine.store import Store
from tests.engine.test_checks import REPORT
from tests.fake_worker import worker

NETWORK = {
    **{"arch": "k3e3-k3e3", "predicted_ms": 0.4, "params": 1200, "macs": 34000},
    **{"proxy": 0.7, "raw": 0.6, "mean": 0.8, "alone": [[0, 0.8]]},
}
SAID = {"colour": "amber", "title": "Trust it with care.", "sentences": ["It is fair."]}
DONE = (Trusted({**REPORT, "search": 1, "networks": [NETWORK], **SAID}), Finished("judged", 9.5))

Run = Callable[..., str]


@pytest.fixture
def asked(searched: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command on a workspace with one search; what it prints on stdout."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        line = [*arguments, "--workspace", str(searched)]
        trust.main(line, prog_name="onepath trust", standalone_mode=False)
        return capsys.readouterr().out

    return run


def runs(folder: Path) -> list[object]:
    store = Store(folder / "studio.db")
    specs = [run.spec for run in store.runs("trust")]
    store.close()
    return specs


def test_the_document_has_the_report_and_the_twelve_checks(asked, does) -> None:
    does(worker(*DONE))
    found = json.loads(asked("1", "--json"))
    assert (found["run"], found["seconds"], found["colour"]) == (2, 9.5, "amber")
    assert found["tau"] == REPORT["tau"]
    assert [check["number"] for check in found["checks"]] == list(range(1, 13))


def test_the_text_has_verdict_networks_and_checks(asked, does) -> None:
    does(worker(*DONE))
    lines = asked("1").splitlines()
    assert lines[:2] == ["amber: Trust it with care.", "It is fair."]
    assert any(line.startswith("0.4") and line.endswith("k3e3-k3e3") for line in lines)
    assert any("Rank correlation" in line and "met" in line for line in lines)


def test_options_become_the_spec(asked, does, searched) -> None:
    does(worker(*DONE))
    asked("1", "--subnets", "12", "--seeds", "3", "--epochs", "7", "--seed", "4")
    assert runs(searched) == [TrustSpec(1, 12, 3, 7, 4)]


def test_a_run_that_was_stopped_is_carried_on_by_the_same_command(asked, does, searched) -> None:
    does(worker(StandAlone("k3e3-k3e3", 0, 0.8, 20, "r1"), state="stopped"))
    with pytest.raises(RunError, match="run 2 was stopped before its verdict"):
        asked("1", "--json")
    does(worker(*DONE))
    assert json.loads(asked("1", "--json"))["run"] == 2
    assert json.loads(asked("1", "--json"))["run"] == 3
    assert runs(searched) == [TrustSpec(1), TrustSpec(1)]


def test_another_question_does_not_carry_on_a_stopped_run(asked, does) -> None:
    does(worker(state="stopped"))
    with pytest.raises(RunError):
        asked("1")
    does(worker(*DONE))
    assert json.loads(asked("1", "--epochs", "7", "--json"))["run"] == 3


def test_too_few_networks_are_refused_before_there_is_a_run(asked, searched) -> None:
    with pytest.raises(RunError, match="networks: must be a whole number from 8 to 100, got 5"):
        asked("1", "--subnets", "5")
    assert runs(searched) == []


def test_a_run_that_is_no_search_is_refused(asked, does) -> None:
    does(worker(*DONE))
    asked("1")
    with pytest.raises(RunError, match="must be a search, but run 2 is of kind trust"):
        asked("2")
