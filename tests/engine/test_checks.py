"""The twelve checks: open before anybody looked, met and failed by what the workspace holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.errors import RunError
from engine.events import (
    Calibrated,
    DataReady,
    Evaluated,
    Event,
    Exported,
    Filtered,
    Measured,
    Trained,
    Trusted,
)
from engine.spec import DataChoice, DataSpec, ExportSpec, RunSpec, Spec, TrainSpec, TrustSpec
from engine.store import Store
from engine.trust.checks import CHECKS, Check, checks
from tests.builders import search_spec

FAST, SLOW, OVER = "k3e3-k3e3", "k5e6-k3e3", "k5e6-k5e6"
DEVICE = {"device": "this", "runtime_version": "1", "threads": 1, "date": "", "load_average": 0.1}
DATA = DataReady("digits", "ab" * 32, ("0", "1"), {"weights": 60, "architecture": 20, "test": 20})
CALIBRATED = Calibrated(DEVICE, {"mape": 0.02, "n_heldout": 32}, 0.1, 0.5, 2.0)
FOUND: tuple[Event, ...] = (
    DATA,
    CALIBRATED,
    Evaluated(FAST, 0.80, 0.4, 10, 100, recipe="r1"),
    Evaluated(SLOW, 0.90, 0.9, 20, 200, recipe="r1"),
    Evaluated(OVER, 0.95, 1.5, 30, 300, recipe="r1"),
    Measured(FAST, 0.41, 0.5, 0.6, 100, (0.41, 0.42)),
    Measured(SLOW, 0.93, 1.0, 1.1, 100, (0.92, 0.94)),
    Filtered(50, {"latency_ms": 20, "params": 5}),
)
NETWORKS = [{"alone": [[seed % 3, 0.8]]} for seed in range(8)]
IMPROVEMENT = {
    **{"ri": 0.05, "se": 0.01, "real": True, "n_pick": 3, "n_random": 8},
    **{"random_mean": 0.8, "random_sd": 0.02, "pick_sd": 0.01, "random": NETWORKS},
}
REPORT: dict[str, Any] = {
    **{"recipe": "r1", "epochs": 20, "n": 8, "improvement": IMPROVEMENT},
    "spread": {"range": 0.2, "seed_sd": 0.01, "times": 20.0},
    "tau": {"value": 0.7, "low": 0.5, "high": 0.9},
    "ceiling": {"value": 0.8, "low": 0.6, "high": 1.0},
}


def ended(store: Store, spec: Spec, *events: Event, state: str = "finished") -> int:
    run_id = store.create_run(spec)
    store.append(run_id, *events)
    store.set_state(run_id, state)
    return run_id


def searched(store: Store, *events: Event, spec: RunSpec | None = None) -> int:
    return ended(store, spec or search_spec(), *(events or FOUND))


def reported(store: Store, **changes: Any) -> int:
    run_id = searched(store)
    ended(store, TrustSpec(run_id), Trusted({**REPORT, **changes}))
    return run_id


def check(store: Store, run_id: int, number: int) -> Check:
    return checks(store, run_id)[number - 1]


def test_there_are_twelve_in_their_order_each_with_a_sentence(store) -> None:
    found = checks(store, reported(store))
    assert [c.number for c in found] == list(range(1, 13))
    assert [c.title for c in found] == list(CHECKS)
    assert {c.state for c in found} <= {"met", "failed", "open"}
    assert all(c.says.endswith(".") for c in found)


def test_a_search_that_has_just_begun_is_open_and_fails_nothing(store) -> None:
    found = checks(store, store.create_run(search_spec()))
    assert [c.number for c in found if c.state != "open"] == [6, 9]
    assert all(c.says.endswith(".") for c in found)


@pytest.mark.parametrize("number", [1, 2, 4, 7])
def test_what_the_trust_meter_answers_is_open_without_it_and_met_with_it(store, number) -> None:
    assert check(store, searched(store), number).state == "open"
    assert "trust meter" in check(store, 1, number).says
    assert check(store, reported(store), number).state == "met"


@pytest.mark.parametrize("number", [1, 2, 4, 7])
def test_nobody_is_sent_to_a_trust_meter_that_cannot_judge_the_search(store, number) -> None:
    run_id = searched(store, spec=replace(search_spec(), strategy="zero_cost", mode=""))
    found = check(store, run_id, number)
    assert found.state == "open"
    assert "ask the trust meter" not in found.says
    assert "judges shared weights, and this search has none" in found.says


def test_only_a_space_can_be_searched_in_not_any_run(store) -> None:
    run_id = ended(store, DataSpec(DataChoice("digits"), 8, 1))
    with pytest.raises(RunError, match="must be a search, but run 1 is of kind data"):
        checks(store, run_id)


def test_the_newest_report_counts_and_another_search_s_does_not(store) -> None:
    run_id = reported(store)
    weak = {**REPORT, "tau": {"value": 0.1, "low": 0.0, "high": 0.2}}
    ended(store, TrustSpec(run_id), Trusted(weak))
    ended(store, TrustSpec(searched(store)), Trusted(REPORT))
    ended(store, TrustSpec(run_id), state="stopped")
    assert check(store, run_id, 7).state == "failed"


def test_fewer_than_eight_random_networks_are_no_baseline(store) -> None:
    found = check(store, reported(store, improvement={**IMPROVEMENT, "n_random": 7}), 1)
    assert found.state == "failed"
    assert "7 random networks of its latency reach 80.0 % ± 2.0" in found.says


@pytest.mark.parametrize(
    "change", [{"n_pick": 2}, {"random": [{"alone": [[0, 0.8], [1, 0.8]]}] * 8}]
)
def test_two_seeds_are_too_few_for_pick_or_baseline(store, change: dict[str, Any]) -> None:
    assert check(store, reported(store, improvement={**IMPROVEMENT, **change}), 2).state == "failed"


@pytest.mark.parametrize(
    ("recipe", "words"), [("r2", "Points come from 2 recipes"), ("", "do not say which recipe")]
)
def test_points_of_different_or_unknown_recipes_fail(store, recipe: str, words: str) -> None:
    run_id = searched(store, *FOUND, Evaluated("k5e3-k3e3", 0.5, 0.5, 1, 1, recipe=recipe))
    assert (check(store, run_id, 3).state, check(store, 1, 12).state) == ("failed", "met")
    assert words in check(store, run_id, 3).says


def test_networks_trained_alone_with_another_recipe_fail(store) -> None:
    assert check(store, searched(store), 3).state == "met"
    assert check(store, reported(store, recipe="r2"), 3).state == "failed"


@pytest.mark.parametrize(
    ("gap", "times", "state"),
    [(0.03, 3.0, "failed"), (0.0, None, "failed"), (0.2, None, "met"), (0.04, 4.0, "met")],
)
def test_a_space_must_spread_over_four_times_what_a_seed_changes(store, gap, times, state) -> None:
    spread = {"range": gap, "seed_sd": 0.01, "times": times}
    assert check(store, reported(store, spread=spread), 4).state == state


def test_an_exported_network_may_see_the_test_split_once(store) -> None:
    run_id, trained = searched(store), Trained(FAST, "finetune", 0.8, 0.9, 0.9, 1.0)
    ended(store, TrainSpec(run_id, FAST), trained)
    ended(store, TrainSpec(run_id, SLOW), replace(trained, arch=SLOW))
    ended(store, TrainSpec(run_id, SLOW), replace(trained, arch=SLOW))
    ended(store, ExportSpec(run_id, FAST))
    assert check(store, run_id, 5).state == "met"
    ended(store, TrainSpec(run_id, FAST), trained)
    found = check(store, run_id, 5)
    assert (found.state, "saw the test split 2 times" in found.says) == ("failed", True)


def test_shorter_trainings_of_the_meter_are_told(store) -> None:
    run_id = reported(store)
    assert "epochs" not in check(store, run_id, 6).says
    ended(store, TrainSpec(run_id, FAST, epochs=60))
    assert "stand-alone trainings had 20 of 60 epochs" in check(store, run_id, 6).says


def test_a_tau_below_a_half_is_a_warning(store) -> None:
    tau = {"value": 0.49, "low": 0.2, "high": 0.8}
    found = check(store, reported(store, tau=tau), 7)
    assert found.state == "failed"
    assert "tau 0.49 (0.20 to 0.80) over 8 networks, noise ceiling 0.80." in found.says


def test_random_search_with_the_same_budget_answers_for_the_search(store) -> None:
    run_id = searched(store)
    usual = search_spec(strategy="random_search", seed=3)
    searched(store, spec=replace(usual, epochs=50))
    ended(store, usual, *FOUND, state="stopped")
    assert check(store, run_id, 8).state == "open"
    other = searched(store, spec=usual)
    found = check(store, run_id, 8)
    assert found.state == "met"
    assert f"(run {other}) has proxy 0.900 against 0.900 here" in found.says
    assert check(store, other, 8).state == "met"


def test_all_that_a_result_cost_is_counted_with_what_failed(store) -> None:
    run_id = reported(store)
    ended(store, search_spec(seed=4), state="failed")
    ended(store, search_spec(latency_limit_ms=9.0, space=replace(search_spec().space, classes=9)))
    says = check(store, run_id, 9).says
    assert "over 3 runs: 2 of them searches of this space, 1 not finished" in says


def test_every_point_of_the_front_within_the_limit_must_be_measured(store) -> None:
    found = check(store, searched(store), 10)
    assert found.state == "met"
    assert "2 of 2 points of the front are measured" in found.says
    assert "RMSE 0.022 ms, tau 1.00" in found.says
    run_id = searched(store, *FOUND, Evaluated("k5e3-k3e3", 0.85, 0.5, 1, 1))
    assert check(store, run_id, 10).state == "failed"


def test_the_artefact_is_exact_once_a_file_with_its_hash_exists(store) -> None:
    run_id = searched(store)
    assert check(store, run_id, 11).state == "open"
    exported = Exported(FAST, "exports/a.zip", {"onnx_sha256": "cd" * 32})
    ended(store, ExportSpec(run_id, FAST), exported)
    found = check(store, run_id, 11)
    assert (found.state, "cdcdcdcdcdcd" in found.says) == ("met", True)


def test_a_device_that_does_not_say_what_it_is_fails(store) -> None:
    quiet = {key: value for key, value in DEVICE.items() if key != "threads"}
    run_id = searched(store, DATA, replace(CALIBRATED, device=quiet))
    assert check(store, run_id, 11).says == "The device does not tell threads."


def test_refused_networks_are_counted_beside_the_evaluated(store) -> None:
    says = check(store, searched(store), 12).says
    assert (
        says == "All 3 evaluated networks are in the log; of 50 drawn, 25 broke a limit as drawn."
    )


def test_a_file_that_is_about_to_be_exported_counts_with_its_hash(store) -> None:
    run_id = searched(store)
    assert check(store, run_id, 11).state == "open"
    found = checks(store, run_id, exporting="5e" * 32)[10]
    assert found.state == "met"
    assert "(5e5e5e5e5e5e)" in found.says
