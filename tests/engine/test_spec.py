"""Specs of every kind: JSON in and out, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.errors import RunError, SpaceError
from engine.spec import (
    SPECS,
    CompareSpec,
    ConflictSpec,
    DataChoice,
    DataSpec,
    DeviceChoice,
    ExportSpec,
    ProfileSpec,
    Spec,
    TrainSpec,
    TrustSpec,
    from_json,
    to_json,
)
from tests.builders import search_spec, small_space

EXAMPLES: dict[str, Spec] = {
    "search": search_spec(data=DataChoice("folder", "/pictures"), seed=5),
    "profile": ProfileSpec(small_space(), DeviceChoice("local", 2)),
    "data": DataSpec(DataChoice("digits"), 16, 1),
    "train": TrainSpec(3, "k3e3-skip", "retrain", 7, 1),
    "export": ExportSpec(3, "k3e3-skip"),
    "conflicts": ConflictSpec(3, 16, 5),
    "trust": TrustSpec(3, 12, 3, 30, 7),
    "compare": CompareSpec(
        small_space(), DataChoice("digits"), DeviceChoice(), 0.5, ("fbnet", "one_shot"), 2, 9.5, 4
    ),
}


def test_there_is_an_example_of_every_kind():
    assert EXAMPLES.keys() == SPECS.keys()


@pytest.mark.parametrize("kind", SPECS)
def test_a_spec_survives_its_json(kind: str):
    text = json.dumps(to_json(EXAMPLES[kind]), allow_nan=False)
    assert from_json(kind, json.loads(text)) == EXAMPLES[kind]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency_limit_ms": 0.0}, "latency limit: must be above 0 ms"),
        ({"latency_limit_ms": float("nan")}, "latency limit: must be above 0 ms"),
        ({"latency_limit_ms": float("inf")}, "latency limit: must be above 0 ms"),
        ({"epochs": 2}, "epochs: must be a whole number from 3"),
        ({"epochs": True}, "epochs: must be a whole number"),
        ({"seed": -1}, "seed: must be a whole number from 0"),
        ({"mode": "fast"}, "mode: must be one of stable, reference"),
    ],
)
def test_a_search_that_cannot_run_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(RunError, match=message):
        replace(search_spec(), **changes)


def test_a_device_needs_at_least_one_thread():
    with pytest.raises(RunError, match="threads: must be a whole number from 1 to 256, got 0"):
        DeviceChoice("local", 0)


def test_training_knows_two_modes():
    with pytest.raises(RunError, match="mode: must be finetune or retrain"):
        TrainSpec(1, "k3e3", "warm")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subnets": 7}, "networks: must be a whole number from 8 to 100, got 7"),
        ({"seeds": 0}, "seeds per set: must be a whole number from 1 to 10, got 0"),
        ({"epochs": 0}, "epochs: must be a whole number from 1"),
        ({"seed": 2**31}, "seed: must be a whole number from 0"),
    ],
)
def test_a_trust_report_that_would_say_nothing_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(RunError, match=message):
        TrustSpec(**{"run": 1, **changes})


def test_an_unknown_kind_lists_the_known_ones():
    with pytest.raises(RunError, match="search, profile, data, train, export"):
        from_json("dream", {})


def test_an_unknown_field_is_refused():
    with pytest.raises(RunError, match="export spec"):
        from_json("export", {"run": 1, "arch": "k3e3", "shell": "rm"})


def test_a_damaged_space_inside_a_spec_is_refused():
    with pytest.raises(SpaceError):
        from_json("profile", {"space": {"name": "x"}, "device": {}})


def test_a_data_choice_reads_as_the_command_line_writes_it():
    assert str(DataChoice("cifar10", "/c.zip")) == "cifar10=/c.zip"
    assert str(DataChoice("digits")) == "digits"
