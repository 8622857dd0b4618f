"""Gradient conflicts: cosines that can be checked by hand, and the run that finds them."""

from __future__ import annotations

import math
import random
from typing import cast

import pytest
import torch

from engine import devices, worker
from engine.batches import Split
from engine.errors import RunError
from engine.events import Conflicts, Finished, Progress, Resumed
from engine.explain import conflict_job, conflicts
from engine.explain.conflicts import Sketch, conflicts_of, contested, cosines, rest_of, some_batches
from engine.front import phase as front_phase
from engine.recipe import Recipe
from engine.space import Gene, SearchSpace
from engine.spec import ConflictSpec, DataChoice, DeviceChoice, RunSpec
from engine.store import Status, Store
from engine.superkernel import SuperKernel
from engine.supernet import SuperNet
from engine.train import loss_of
from tests.builders import small_space, stage
from tests.problems import CountingDevice, toy_space, toy_splits

RECIPE = Recipe(batch=32)


def batches(space: SearchSpace, count: int = 2) -> list[tuple[torch.Tensor, torch.Tensor]]:
    split: Split = toy_splits(space.input.size)["weights"]
    return some_batches(split, 32, count, torch.Generator().manual_seed(0))


def supernet(space: SearchSpace) -> SuperNet:
    return SuperNet(space, torch.Generator().manual_seed(0))


def told(net: SuperNet, gene: Gene, count: int = 2, seed: int = 0) -> Conflicts:
    images = batches(net.space, count)
    return conflicts_of(net, gene, batches=images, recipe=RECIPE, seed=seed, tick=lambda _: None)


def test_cosines_of_known_vectors():
    vectors = torch.tensor([[1.0, 0.0], [1.0, 1.0], [-2.0, 0.0], [0.0, 0.0]])
    half = math.sqrt(0.5)
    expected = [[1, half, -1, 0], [half, 1, -half, 0], [-1, -half, 1, 0], [0, 0, 0, 1]]
    assert [list(row) for row in cosines(vectors)] == [pytest.approx(row) for row in expected]


def test_a_table_is_symmetric_and_has_a_row_for_every_op():
    net = supernet(toy_space())
    gene = net.space.genes()[1]
    found = told(net, gene)
    assert found.slot == "stage2.1"
    assert found.ops == ("k3e3", "k3e6", "k5e3", "k5e6")
    table = torch.tensor(found.cosine)
    assert torch.equal(table, table.T)
    assert table.abs().max() <= 1.0
    assert torch.equal(table.diagonal(), torch.ones(4, dtype=table.dtype))
    assert table.min() < 0.999


def test_ops_that_compute_the_same_agree_fully():
    net = supernet(small_space(stage(depth=[1, 1], expand=[3]), stage(depth=[1, 1], expand=[3])))
    kernel = cast(SuperKernel, net.slots[0])
    with torch.no_grad():
        kernel.depthwise *= cast(torch.Tensor, kernel.rings)[
            0
        ]  # without its outer ring, 5x5 is 3x3
    first, second = (told(net, gene) for gene in net.space.genes())
    assert first.cosine[0][1] == pytest.approx(1.0, abs=1e-6)
    assert second.cosine[0][1] < 0.999


def test_a_cosine_is_that_of_the_gradients_outside_the_slot():
    net = supernet(small_space(stage(depth=[1, 1]), stage(depth=[1, 1], kernel=[3], expand=[3])))
    gene = net.space.genes()[0]
    images = batches(net.space, 1)
    found = told(net, gene, 1)
    rows = []
    for op in found.ops:
        net.zero_grad()
        other = net.space.largest().ops[1]
        loss = loss_of(net(images[0][0], type(net.space.largest())((op, other))), images[0][1], 0.0)
        loss.backward()
        outside = [net.stem, net.slots[1], net.head]
        parts = [p.grad for m in outside for p in m.parameters() if p.grad is not None]
        rows.append(torch.cat([p.flatten() for p in parts]))
    expected = torch.nn.functional.cosine_similarity(rows[0], rows[3], dim=0)
    assert found.cosine[0][3] == pytest.approx(float(expected), abs=1e-5)


def test_the_weights_of_the_slot_itself_do_not_count():
    net = supernet(toy_space())
    gene = net.space.genes()[1]
    rest = {id(p) for p in rest_of(net, gene)}
    own = {id(p) for p in net.slots[gene.slots[0]].parameters()}
    assert not own & rest
    assert own | rest == {id(p) for p in net.parameters()}


def test_gradients_of_all_batches_are_averaged():
    space = small_space(stage(depth=[1, 1]), stage(depth=[1, 1], kernel=[3], expand=[3]))
    net, gene = supernet(space), space.genes()[0]
    one, two = batches(space, 2)

    def over(*images: tuple[torch.Tensor, torch.Tensor]) -> Conflicts:
        return conflicts_of(
            net, gene, batches=list(images), recipe=RECIPE, seed=0, tick=lambda _: None
        )

    both = over(one, two).cosine
    assert over(two, one).cosine[0] == pytest.approx(both[0], abs=1e-5)
    assert over(one).cosine[0] != pytest.approx(both[0], abs=1e-3)
    assert over(two).cosine[0] != pytest.approx(both[0], abs=1e-3)


def test_the_same_seed_gives_the_same_table_and_another_another():
    net = supernet(small_space(head={"width": 8, "dropout": 0.5}))
    gene = net.space.genes()[0]
    assert told(net, gene) == told(net, gene)
    assert told(net, gene).cosine != told(net, gene, seed=1).cosine


def test_a_tied_stage_is_one_place():
    net = supernet(small_space(stage(layers="same", expand=[3])))
    (gene,) = contested(net.space)
    found = told(net, gene)
    assert found.slot == "stage 1"
    assert found.ops == ("k3e3-skip", "k5e3-skip", "k3e3-k3e3", "k5e3-k5e3")


def test_a_place_without_a_choice_is_not_contested():
    space = small_space(stage(kernel=[3], expand=[3], depth=[1, 1]), stage())
    assert contested(space) == list(space.genes()[1:])


def test_very_many_weights_are_compared_in_short_with_little_error(monkeypatch):
    monkeypatch.setattr(conflicts, "MOST", 800)
    vectors = torch.randn(2, 20_000, generator=torch.Generator().manual_seed(0)) + 0.5
    vectors[1] -= 1.0
    vectors[:, 7] = 50.0  # a few large numbers make most of a gradient
    sketch = Sketch(20_000, seed=1)
    short = torch.stack([sketch(vector) for vector in vectors])
    assert short.shape == (2, 800)
    assert cosines(short)[0][1] == pytest.approx(cosines(vectors)[0][1], abs=3 / math.sqrt(800))


def test_batches_come_from_as_many_passes_as_they_take():
    images = batches(toy_space(), 9)  # of 192 images, 32 each
    assert [len(y) for _, y in images] == [32] * 9


# -- the run --------------------------------------------------------------------------------------


@pytest.fixture
def searched(store: Store, monkeypatch: pytest.MonkeyPatch) -> int:
    """A finished search of the toy space, run 1."""
    monkeypatch.setitem(devices.DEVICES, "local", lambda _: CountingDevice())
    monkeypatch.setattr(front_phase, "GENERATIONS", 1)
    monkeypatch.setattr(front_phase, "CHILDREN", 2)
    space = toy_space().with_data(10)
    spec = RunSpec(
        space, DataChoice("digits"), DeviceChoice(), 0.16, strategy="single_path", epochs=3
    )
    run = store.create_run(spec)
    assert worker.execute(store, run) == worker.OK
    return run


def test_a_run_tells_every_place_and_goes_on_where_it_was_stopped(
    searched: int, store: Store, monkeypatch: pytest.MonkeyPatch
):
    spec = ConflictSpec(searched, batches=2, seed=3)
    calm = store.create_run(spec)
    assert worker.execute(store, calm) == worker.OK
    events = store.events_after(calm)[0]
    genes = contested(toy_space())
    assert [type(e) for e in events] == [Resumed, *[Conflicts, Progress] * len(genes), Finished]
    assert len(store.view(calm).conflicts) == len(genes)

    rough = store.create_run(spec)
    asked: list[Gene] = []

    def dies(net: SuperNet, gene: Gene, **more: object) -> Conflicts:
        asked.append(gene)
        if len(asked) == 3:
            raise MemoryError("by the test")
        return conflicts_of(net, gene, **more)

    monkeypatch.setattr(conflict_job, "conflicts_of", dies)
    assert worker.execute(store, rough) == worker.FAULT
    store.reopen(rough)
    assert worker.execute(store, rough) == worker.OK
    assert asked == [*genes[:3], *genes[2:]]  # nothing is done twice but what was cut off
    assert store.view(rough).conflicts == store.view(calm).conflicts


def test_a_place_whose_progress_was_lost_is_told_again_and_counts_once(searched: int, store: Store):
    spec = ConflictSpec(searched, batches=1)
    run = store.create_run(spec)
    store.append(run, Resumed(0), Conflicts("stage1.1", ("old",), ((1.0,),)))
    assert worker.execute(store, run) == worker.OK
    assert store.view(run).conflicts["stage1.1"].ops != ("old",)
    assert store.events_after(run)[0][2] == Resumed(0)


def test_progress_rises_and_is_whole_only_once_at_the_end(searched: int, store: Store):
    shown: list[Status] = []
    run = store.create_run(ConflictSpec(searched, batches=1))
    assert worker.execute(store, run, shown.append) == worker.OK
    shares = [status.done for status in shown if status.phase == "conflicts"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert shares.count(1.0) == 1


def test_the_number_of_batches_has_bounds():
    with pytest.raises(RunError, match="batches: must be a whole number from 1 to 1000, got 0"):
        ConflictSpec(1, batches=0)


def test_randomness_is_its_own(searched: int, store: Store):
    random.seed(1)
    before = random.random()
    random.seed(1)
    run = store.create_run(ConflictSpec(searched, batches=1))
    assert worker.execute(store, run) == worker.OK
    assert random.random() == before
