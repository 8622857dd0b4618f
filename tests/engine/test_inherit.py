"""What a search left and how it is taken over: slices put back, networks with their own weights."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import devices, worker
from engine.batches import load_splits
from engine.data import prepare
from engine.events import View
from engine.inherit import left_by, plant
from engine.recipe import Recipe
from engine.run import flips
from engine.space import Arch, SearchSpace
from engine.spec import (
    ConflictSpec,
    DataChoice,
    DeviceChoice,
    ExportSpec,
    RunSpec,
    TrainSpec,
    TrustSpec,
)
from engine.store import Store
from engine.strategies import zero_cost
from engine.supernet import SuperNet
from engine.train import accuracy, recalibrate_bn
from tests.builders import spaces
from tests.problems import CountingDevice, toy_space


def drawn(space: SearchSpace, seed: int, *, separate: bool = False) -> SuperNet:
    return SuperNet(space, torch.Generator().manual_seed(seed), separate=separate)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(spaces(), st.integers(0, 99), st.booleans())
def test_a_network_put_into_shared_weights_comes_out_as_it_was(space, seed, separate):
    arch = space.sample(random.Random(seed))
    network = drawn(space, 1).subnet(arch)
    target = drawn(space, 2, separate=separate)
    plant(target, arch, network)
    found, wanted = target.subnet(arch).state_dict(), network.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_what_a_network_does_not_use_stays_as_it_was():
    space = toy_space()
    smallest, target, before = space.smallest(), drawn(space, 2), drawn(space, 2)
    network = drawn(space, 1).subnet(smallest)
    plant(target, smallest, network)
    used = sum(t.numel() for t in network.state_dict().values() if t.is_floating_point())
    pairs = zip(target.state_dict().values(), before.state_dict().values(), strict=True)
    changed = sum(int((a != b).sum()) for a, b in pairs)
    assert 0 < changed <= used


# -- a search that trains every network alone ----------------------------------------------------


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Run 1 is a finished zero-cost screen; tests add runs and leave it as it is."""
    store = Store(tmp_path_factory.mktemp("alone") / "studio.db")
    space, data = toy_space().with_data(10), DataChoice("digits")
    recipe = Recipe(distill=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(devices.DEVICES, "local", lambda _: CountingDevice())
        patch.setattr(zero_cost, "PER_EPOCH", 4)
        spec = RunSpec(
            space, data, DeviceChoice(), 0.16, strategy="zero_cost", epochs=8, recipe=recipe
        )
        assert worker.execute(store, store.create_run(spec)) == worker.OK
        yield store
    store.close()


def told(store: Store) -> dict[str, float]:
    return {c.arch: c.proxy_accuracy for c in store.view(1).candidates.values()}


def loser(store: Store) -> str:
    """A network that was evaluated and is not the most accurate one."""
    return min(told(store), key=lambda arch: told(store)[arch])


def unseen(store: Store) -> str:
    rng = random.Random(0)
    names = (str(toy_space().sample(rng)) for _ in range(100))
    return next(name for name in names if name not in told(store))


def done(store: Store, spec: object) -> View:
    run_id = store.create_run(spec)
    worker.execute(store, run_id)
    return store.view(run_id)


def test_each_accuracy_of_a_zero_cost_search_is_found_again_in_its_checkpoint(alone):
    left = left_by(alone, 1)
    data = prepare(left.spec.data, alone.folder / "data", left.space.input, lambda *_: None)
    splits = load_splits(data, flip=flips(left.spec.data))
    assert len(told(alone)) > 2
    for arch, proxy in told(alone).items():
        network = left.require(Arch.parse(arch))
        recalibrate_bn(network, splits["weights"])
        assert accuracy(network, splits["architecture"]) == proxy


def test_finetuning_and_exporting_one_that_did_not_win_begin_with_its_own_weights(alone):
    arch = loser(alone)
    exported = done(alone, ExportSpec(1, arch)).exported[0].report
    assert exported["proxy_accuracy"] == told(alone)[arch]
    tuned = done(alone, TrainSpec(1, arch, "finetune", epochs=1))
    assert tuned.trained[0].proxy_accuracy == told(alone)[arch]


def test_a_network_that_it_did_not_train_cannot_be_finetuned_or_exported(alone):
    arch = unseen(alone)
    for spec in (TrainSpec(1, arch, "finetune", epochs=1), ExportSpec(1, arch)):
        failed = done(alone, spec).failed
        assert "Zero-cost screen trained only the networks it tells of" in failed.message
        assert "retrain this one" in failed.hint


def test_a_network_that_it_did_not_train_can_be_retrained_without_a_proxy_or_a_teacher(alone):
    arch = unseen(alone).replace("k5", "k3")
    view = done(alone, TrainSpec(1, arch, "retrain", epochs=1))
    assert view.trained[0].proxy_accuracy is None
    assert any("without a teacher" in warning for warning in view.warnings)
    assert done(alone, ExportSpec(1, arch)).exported[0].report["weights"] == "retrained"


@pytest.mark.parametrize("spec", [TrustSpec(1), ConflictSpec(1)])
def test_there_are_no_shared_weights_to_judge(alone, spec):
    failed = done(alone, spec).failed
    assert "there are no shared weights to judge" in failed.message
    assert "retrain a network" in failed.hint
