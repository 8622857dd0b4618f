"""Trust runs in this process: what they train, what a restart does again, what they report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch

from engine import clock, devices, run, worker
from engine.events import Finished, Progress, Resumed, StandAlone
from engine.front import phase as front_phase
from engine.spec import DataChoice, DeviceChoice, RunSpec, TrustSpec
from engine.store import Status, Store
from engine.trust import job as trust_job
from engine.trust.plan import Unit
from tests.builders import small_space, stage
from tests.problems import CountingDevice, toy_space

SEEDS = 1
PARTS = 8 * 2 * SEEDS  # trainings of the subnets; the pick and the random networks come on top


@pytest.fixture(autouse=True)
def a_fake_device(monkeypatch: pytest.MonkeyPatch) -> None:
    made_small(monkeypatch)


def made_small(patch: pytest.MonkeyPatch) -> None:
    """No real device, short searches, and every status told instead of a few per second."""
    patch.setitem(devices.DEVICES, "local", lambda _: CountingDevice())
    patch.setattr(front_phase, "GENERATIONS", 2)
    patch.setattr(front_phase, "CHILDREN", 6)
    patch.setattr(clock, "INTERVAL_S", 0.0)


def untrained(patch: pytest.MonkeyPatch) -> list[Unit]:
    """What is trained from here on; instead of training, larger networks are called better."""
    done: list[Unit] = []

    def alone(_space: object, _splits: object, unit: Unit, **how: object) -> float:
        how["tick"](0.5)
        done.append(unit)
        return 0.5 + len(unit.arch.replace("skip", "")) / 100 + unit.seed / 1000

    patch.setattr(trust_job, "alone", alone)
    return done


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[Unit]:
    return untrained(monkeypatch)


@dataclass(frozen=True)
class Judged:
    """A finished search, and a finished trust run on it with what it told."""

    store: Store
    search: int
    run: int
    statuses: list[Status]
    trained: list[Unit]

    @property
    def report(self) -> dict:
        return self.store.view(self.run).trusted.report


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """Tests add trust runs of their own, and leave these two alone."""
    store, statuses = Store(tmp_path_factory.mktemp("trust") / "studio.db"), []
    with pytest.MonkeyPatch.context() as patch:
        made_small(patch)
        trained = untrained(patch)
        search = searched(store)
        run_id = store.create_run(TrustSpec(search, seeds=SEEDS, epochs=1))
        assert worker.execute(store, run_id, statuses.append) == worker.OK
    yield Judged(store, search, run_id, statuses, trained)
    store.close()


def searched(store: Store) -> int:
    space = toy_space().with_data(10)
    search = RunSpec(space, DataChoice("digits"), DeviceChoice(), 0.16, epochs=4)
    run_id = store.create_run(search)
    assert worker.execute(store, run_id) == worker.OK
    return run_id


def trusted(store: Store, search: int, **changes: int) -> int:
    spec = TrustSpec(search, **{"seeds": SEEDS, "epochs": 1, **changes})
    run_id = store.create_run(spec)
    assert worker.execute(store, run_id) == worker.OK
    return run_id


def kept(store: Store, run_id: int, kind: type) -> list[object]:
    return [e for e in store.view(run_id).kept if isinstance(e, kind)]


def test_a_trust_run_trains_judges_and_ends_with_a_verdict(judged: Judged) -> None:
    view, report = judged.store.view(judged.run), judged.report
    assert isinstance(view.kept[-1], Finished)
    assert len(view.stand_alone) == len(judged.trained) >= PARTS
    assert report["colour"] in ("red", "grey", "amber", "green")
    assert report["sentences"]
    assert (report["n"], report["seeds"], report["search"]) == (8, 2, judged.search)


def test_a_trust_run_tells_how_far_it_is_and_how_long_it_will_take(judged: Judged) -> None:
    shown = list(dict.fromkeys(s.phase for s in judged.statuses))
    assert shown == ["data", "device", "train alone", "compare"]
    training = [s for s in judged.statuses if s.phase == "train alone"]
    assert [s.done for s in training] == sorted(s.done for s in training)
    assert training[-1].seconds_left is not None
    count = len(judged.trained)
    assert training[-1].detail == f"training {count} of {count}"


def test_the_proxy_is_that_of_the_shared_weights_as_the_search_left_them(judged: Judged) -> None:
    said = {c.arch: c.proxy_accuracy for c in judged.store.view(judged.search).fresh()}
    both = [n for n in judged.report["networks"] if n["arch"] in said]
    assert both
    assert [n["proxy"] for n in both] == [said[n["arch"]] for n in both]
    assert any(n["raw"] != n["proxy"] for n in judged.report["networks"])


def test_the_pick_has_three_seeds_and_eight_rivals_of_its_latency(judged: Judged) -> None:
    found = judged.report["improvement"]
    assert found["pick"]["arch"] == judged.store.view(judged.search).best(0.16).arch
    assert (found["n_pick"], found["n_random"]) == (3, 8)
    low, high = found["window_ms"]
    assert all(low <= n["predicted_ms"] <= high for n in found["random"])
    assert found["pick"]["arch"] not in {n["arch"] for n in found["random"]}


def test_stopped_half_way_it_goes_on_and_trains_nothing_twice(judged: Judged, trainings) -> None:
    store = judged.store
    run_id = store.create_run(TrustSpec(judged.search, seeds=SEEDS, epochs=1))

    def stop_after_five(_: Status) -> None:
        if len(trainings) == 5:
            store.want(run_id, "stopped")

    assert worker.execute(store, run_id, stop_after_five) == worker.OK
    assert store.run(run_id).state == "stopped"
    assert store.view(run_id).trusted is None
    done = len(store.view(run_id).stand_alone)
    assert done == store.view(run_id).step > 0
    before = list(trainings)
    store.reopen(run_id)
    assert worker.execute(store, run_id) == worker.OK
    assert set(before[:done]).isdisjoint(trainings[len(before) :])
    assert store.view(run_id).trusted.report == judged.report
    steps = [e.step for e in kept(store, run_id, Progress)]
    assert steps == list(range(1, len(steps) + 1))


def test_a_training_whose_progress_was_not_written_is_done_again(judged: Judged, trainings) -> None:
    store = judged.store
    known = kept(store, judged.run, StandAlone)
    run_id = store.create_run(TrustSpec(judged.search, seeds=SEEDS, epochs=1))
    store.append(run_id, Resumed(0), known[0], Progress(1, 27, "train alone"), known[1])
    assert worker.execute(store, run_id) == worker.OK
    first, second = (Unit(e.arch, e.seed) for e in known[:2])
    assert first not in trainings
    assert trainings.count(second) == 1
    assert len(kept(store, run_id, StandAlone)) == len(known)


@pytest.mark.usefixtures("trainings")
def test_trainings_of_other_epochs_do_not_count(judged: Judged) -> None:
    store = judged.store
    known = kept(store, judged.run, StandAlone)[0]
    run_id = store.create_run(TrustSpec(judged.search, seeds=SEEDS, epochs=2))
    other = replace(known, accuracy=0.99)
    store.append(run_id, Resumed(0), other, Progress(1, 27, "train alone"))
    assert worker.execute(store, run_id) == worker.OK
    assert 0.99 in [s.accuracy for s in store.view(run_id).stand_alone]
    assert 0.99 not in [a for n in networks(store, run_id) for _, a in n["alone"]]


def networks(store: Store, run_id: int) -> list[dict]:
    return store.view(run_id).trusted.report["networks"]


def test_a_network_trained_alone_gives_the_same_accuracy_for_the_same_seed(judged: Judged) -> None:
    store, search = judged.store, judged.search
    space = store.run(search).spec.space
    data = trust_job.same_data(store, search, store.run(search).spec)
    splits = trust_job.load_splits(data, flip=False)
    recipe = trust_job.recipe_for(len(splits["weights"]))
    seen: list[float] = []
    found = [
        trust_job.alone(space, splits, unit, epochs=1, recipe=recipe, tick=seen.append)
        for unit in (Unit(str(space.smallest()), seed) for seed in (1, 1, 2))
    ]
    assert found[0] == found[1] != found[2]
    assert max(seen) == 1.0


def test_the_test_split_is_never_judged(judged: Judged, monkeypatch) -> None:
    real = trust_job.load_splits

    def without_test(*args: object, **options: object) -> dict:
        splits = real(*args, **options)
        splits.pop("test")
        return splits

    monkeypatch.setattr(trust_job, "load_splits", without_test)
    monkeypatch.setattr(trust_job, "alone", once(trust_job.alone))
    assert judged.store.view(trusted(judged.store, judged.search)).trusted is not None


def once(real):
    """Trains the first network, and says the same accuracy of every other."""
    known: list[float] = []

    def alone(*args: object, **options: object) -> float:
        if not known:
            known.append(real(*args, **options))
        return known[0]

    return alone


def test_a_search_without_weights_is_refused_in_a_sentence(store) -> None:
    space = small_space(stage(), classes=10)
    search = store.create_run(RunSpec(space, DataChoice("digits"), DeviceChoice(), 0.001))
    worker.execute(store, search)
    run_id = store.create_run(TrustSpec(search))
    assert worker.execute(store, run_id) == worker.MISTAKE
    assert "has no weights yet" in store.view(run_id).failed.message


@pytest.mark.usefixtures("trainings")
def test_shared_weights_that_learned_shuffled_labels_are_red(store, monkeypatch) -> None:
    monkeypatch.setattr(run, "load_splits", mislabelled(run.load_splits))
    report = store.view(trusted(store, searched(store))).trusted.report
    assert report["colour"] == "red"
    assert "hardly more than guessing" in report["sentences"][0]


def mislabelled(load):
    """Splits whose weights split has its labels shuffled."""

    def shuffled(*args: object, **options: object) -> dict:
        splits = load(*args, **options)
        labels = splits["weights"].labels
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
        return {**splits, "weights": replace(splits["weights"], labels=labels[order])}

    return shuffled
