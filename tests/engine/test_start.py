"""Refining a design: a search that starts from a trained network, its weights, and what refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from engine import devices, worker
from engine.errors import RunError, SpaceError
from engine.events import Evaluated
from engine.front import phase as front_phase
from engine.front.filter import Filter
from engine.front.limits import Limits
from engine.inherit import WEIGHTS, begin, left_by, open_supernet
from engine.space import Arch
from engine.spec import (
    ConflictSpec,
    DataChoice,
    DeviceChoice,
    RunSpec,
    Start,
    TrainSpec,
    TrustSpec,
    from_json,
    to_json,
)
from engine.start import origin, refining, require_shrinking
from engine.store import Store
from engine.trust.verdict import FEWEST
from tests.builders import search_spec
from tests.problems import CountingDevice, macs_latency, toy_space

LIMIT_MS = 0.16


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Run 1 is a finished search, run 2 a NetAdapt from its largest network; tests add others."""
    store = Store(tmp_path_factory.mktemp("start") / "studio.db")
    space = toy_space().with_data(10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(devices.DEVICES, "local", lambda _: CountingDevice())
        patch.setattr(front_phase, "GENERATIONS", 2)
        patch.setattr(front_phase, "CHILDREN", 6)
        first = RunSpec(space, DataChoice("digits"), DeviceChoice(), 9.0, epochs=4)
        assert worker.execute(store, store.create_run(first)) == worker.OK
        second = replace(refining(first, Start(1, LARGEST), LIMIT_MS), epochs=4)
        assert worker.execute(store, store.create_run(second)) == worker.OK
        yield store
    store.close()


LARGEST = str(toy_space().largest())


def evaluated(store: Store, run_id: int) -> list[Evaluated]:
    return [e for e in store.events_after(run_id)[0] if isinstance(e, Evaluated)]


def failure(store: Store, spec: RunSpec) -> str:
    run_id = store.create_run(spec)
    assert worker.execute(store, run_id) == worker.MISTAKE
    failed = store.view(run_id).failed
    return f"{failed.message} {failed.hint}"


# -- the spec ------------------------------------------------------------------------------------


def test_a_start_survives_json_and_a_spec_without_one_is_still_read():
    spec = search_spec(strategy="netadapt", start=Start(3, "k5e6-k3e3"))
    document = json.loads(json.dumps(to_json(spec)))
    assert document["start"] == {"run": 3, "arch": "k5e6-k3e3"}
    assert from_json("search", document) == spec
    del document["start"]
    assert from_json("search", document) == replace(spec, start=None)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({"run": 0, "arch": "k5e6-k3e3"}, "run: must be a whole number"),
        ({"run": True, "arch": "k5e6-k3e3"}, "run: must be a whole number"),
        ({"run": 1, "arch": 7}, "arch must be an architecture"),
        ({"run": 1}, "arch"),
        ({"run": 1, "arch": "k5e6"}, "needs 2 ops, got 1"),
        ({"run": 1, "arch": "k7e6-k3e3"}, "k7e6"),
    ],
)
def test_a_start_that_is_none_is_refused(start, said):
    document = to_json(search_spec(strategy="netadapt")) | {"start": start}
    with pytest.raises((RunError, SpaceError), match=said):
        from_json("search", document)


def test_only_a_strategy_that_shrinks_can_start_from_a_network():
    with pytest.raises(RunError, match=r"must be given to strategy netadapt, .* got one_shot"):
        search_spec(strategy="one_shot", start=Start(1, "k5e6-k3e3"))


# -- the run -------------------------------------------------------------------------------------


def test_its_first_point_is_the_network_as_the_other_search_judged_it(searched):
    first = evaluated(searched, 2)[0]
    (known,) = [c for c in searched.view(1).fresh() if c.arch == LARGEST]
    assert first.arch == LARGEST
    assert first.proxy_accuracy == known.proxy_accuracy


def test_every_accepted_step_is_a_point_down_to_the_limit(searched):
    view = searched.view(2)
    told = list(dict.fromkeys(e.arch for e in evaluated(searched, 2)))
    assert len(told) > 2
    assert {c.arch for c in view.fresh()} == set(told)
    assert view.candidates[told[-1]].predicted_ms <= LIMIT_MS
    assert view.finished is not None


def test_its_own_training_is_what_a_network_starts_with_where_there_is_one(searched):
    arch = next(c.arch for c in searched.view(1).fresh() if c.arch != LARGEST)
    run_id = searched.create_run(TrainSpec(1, arch, "retrain", epochs=1))
    assert worker.execute(searched, run_id) == worker.OK
    file = load_file(searched.run_folder(run_id) / WEIGHTS)
    left = left_by(searched, 1)
    supernet = open_supernet(left.spec, left.space, torch.Generator().manual_seed(7))
    begin(supernet, searched, Start(1, arch))
    found = supernet.subnet(Arch.parse(arch)).state_dict()
    weights = {name: t for name, t in file.items() if "num_batches" not in name}
    assert weights
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())


def test_stopped_and_resumed_it_goes_on_with_its_own_weights(searched):
    def stop(status) -> None:
        if status.phase == "finetune":
            searched.want(run_id, "stopped")

    run_id = searched.create_run(searched.run(2).spec)
    worker.execute(searched, run_id, stop)
    assert searched.run(run_id).state == "stopped"
    searched.reopen(run_id)
    assert worker.execute(searched, run_id) == worker.OK
    again, whole = searched.view(run_id).fresh(), searched.view(2).fresh()
    assert [(c.arch, c.proxy_accuracy) for c in again] == [
        (c.arch, c.proxy_accuracy) for c in whole
    ]


# -- what is refused -----------------------------------------------------------------------------


def refined(store: Store, arch: str = LARGEST, run: int = 1, **changes) -> RunSpec:
    spec = store.run(1).spec
    return replace(refining(spec, Start(run, arch), LIMIT_MS), epochs=3, **changes)


def test_a_run_that_is_not_there_or_is_no_search_is_refused(searched):
    with pytest.raises(RunError, match=r"must be one of this workspace's .*, got 99"):
        origin(searched, Start(99, LARGEST))
    run_id = searched.create_run(ConflictSpec(1))
    searched.set_state(run_id, "stopped")
    with pytest.raises(RunError, match=f"must be a search, but run {run_id} is of kind conflicts"):
        origin(searched, Start(run_id, LARGEST))


def test_a_network_that_was_never_trained_is_refused(searched):
    other = str(toy_space().smallest())
    assert other not in searched.view(2).candidates
    assert origin(searched, Start(1, other)) == searched.run(1).spec
    said = failure(searched, refined(searched, other, run=2))
    assert f"run 2 must have trained the network, but never trained {other}" in said
    assert "retrain this one first" in said


def test_a_search_that_has_not_begun_has_trained_nothing(searched):
    waiting = searched.create_run(replace(searched.run(1).spec, seed=99))
    searched.set_state(waiting, "stopped")
    with pytest.raises(RunError, match="never trained"):
        origin(searched, Start(waiting, LARGEST))


def test_a_limit_above_the_network_is_refused(searched):
    said = failure(searched, refined(searched, latency_limit_ms=8.0))
    assert "latency limit: must be below the" in said
    assert "got 8 ms" in said


def test_a_latency_limit_above_the_network_is_no_mistake_where_another_limit_binds():
    space = toy_space()
    latency, start = macs_latency(space), Start(1, LARGEST)
    kept = Filter(space, latency, 99.0)
    with pytest.raises(RunError, match="must be below"):
        require_shrinking(kept, start)
    kept.limits = Limits(params=int(kept.figure("params", space.largest())) - 1)
    require_shrinking(kept, start)


def test_a_space_of_other_choices_is_refused(searched):
    document = toy_space().with_data(10).to_json()
    document["stages"][0]["kernel"] = [3]
    narrow = type(toy_space()).from_json(document)
    arch = str(narrow.largest())
    said = failure(searched, refined(searched, arch, space=narrow))
    assert "the space must be that of run 1" in said
    assert "taken from that run" in said


def test_other_images_are_refused(searched, monkeypatch):
    changed = searched.view(1).data.hash[::-1]
    monkeypatch.setattr("engine.start.Store.view", _with_hash(Store.view, changed))
    said = failure(searched, refined(searched))
    assert "the images must be those of run 1" in said


def _with_hash(real, changed):
    def view(self, run_id):
        found = real(self, run_id)
        if run_id == 1:
            found.data = replace(found.data, hash=changed)
        return found

    return view


# -- judging what it left ------------------------------------------------------------------------


def test_the_trust_meter_ranks_only_networks_that_netadapt_trained(searched, monkeypatch):
    def alone(_space, _splits, unit, **_how) -> float:
        return 0.5 + len(unit.arch) / 100 + unit.seed / 1000

    monkeypatch.setattr("engine.trust.job.alone", alone)
    known = searched.view(2).candidates
    assert len(known) >= FEWEST
    run_id = searched.create_run(TrustSpec(2, subnets=FEWEST, seeds=1, epochs=1))
    assert worker.execute(searched, run_id) == worker.OK
    ranked = {n["arch"] for n in searched.view(run_id).trusted.report["networks"]}
    assert len(ranked) == FEWEST
    assert ranked <= known.keys()


def test_a_netadapt_of_few_steps_has_no_ranking_to_judge(searched, monkeypatch):
    monkeypatch.setattr("engine.trust.job.FEWEST", 1000)
    run_id = searched.create_run(TrustSpec(2))
    assert worker.execute(searched, run_id) == worker.MISTAKE
    assert "must have evaluated at least 1000 networks" in searched.view(run_id).failed.message


def test_conflicts_are_not_looked_for_where_only_some_networks_were_trained(searched):
    run_id = searched.create_run(ConflictSpec(2))
    assert worker.execute(searched, run_id) == worker.MISTAKE
    assert "trains only the networks on its way" in searched.view(run_id).failed.message


def test_a_started_search_can_be_started_from(searched):
    last = list(searched.view(2).candidates)[1]
    assert origin(searched, Start(2, last)).start == Start(1, LARGEST)
    assert left_by(searched, 2).network(Arch.parse(last)) is not None
