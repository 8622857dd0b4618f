"""NetAdapt's rules: steps that save enough, slices, which proposal is kept, where it ends."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.epoch_log import EpochLog
from engine.events import EpochEnd, Evaluated, Event, View, Warned, fold
from engine.front.filter import Filter
from engine.front.finalists import finalists
from engine.front.limits import Limits
from engine.problem import evaluate
from engine.space import Arch, SearchSpace
from engine.spec import Start
from engine.strategies import netadapt
from engine.strategies.netadapt import LEAST, NetAdapt
from engine.strategies.shrinking import Proposal, Shrinking, best_of
from tests.builders import small_space, spaces, stage
from tests.problems import macs_latency, toy_problem, toy_space


def opened(space: SearchSpace | None = None, **changes) -> NetAdapt:
    return NetAdapt(toy_problem(space, strategy="netadapt", **{"epochs": 4, **changes}))


def limit(share: float, space: SearchSpace | None = None) -> float:
    latency = macs_latency(space or toy_space())
    return latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)


def run(search: NetAdapt) -> list[Event]:
    return [event for i in range(search.steps) for event in search.step(i)]


def adapted(search: NetAdapt) -> list[Event]:
    """The events of the adaptation alone, on untrained weights."""
    parts = range(search.start, search.start + search.adapts)
    return [event for i in parts for event in search.step(i)]


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_it_ends_within_the_limit(share):
    search = opened(latency_limit_ms=limit(share))
    adapted(search)
    assert search.ended
    assert search.problem.latency.predict(search.accepted[-1]) <= limit(share)


@pytest.mark.parametrize("epochs", [4, 24])
def test_latency_falls_by_a_hundredth_of_the_start_at_least_in_every_step(epochs):
    search = opened(latency_limit_ms=limit(0.2), epochs=epochs)
    adapted(search)
    told = [search.problem.latency.predict(arch) for arch in search.accepted]
    assert len(told) > 2
    for before, after in pairwise(told):
        assert before - after >= LEAST * told[0] * (1 - 1e-9)


def test_every_accepted_step_changes_one_gene_and_is_evaluated():
    search = opened(latency_limit_ms=limit(0.3))
    events = [event for event in adapted(search) if isinstance(event, Evaluated)]
    assert [event.arch for event in events] == [str(arch) for arch in search.accepted]
    space = search.problem.space
    for before, after in pairwise(search.accepted):
        pairs = zip(space.parts(before), space.parts(after), strict=True)
        assert sum(a != b for a, b in pairs) == 1


def test_a_truncated_layer_has_the_slices_of_its_parent():
    search = opened()
    space, supernet = search.problem.space, search.problem.supernet
    large = space.largest()
    options = search.shrinking.proposals(large, 0.0)
    small = next(o.arch for o in options if o.arch.ops[0] not in (large.ops[0], "skip"))
    parent, child = supernet.subnet(large).state_dict(), supernet.subnet(small).state_dict()
    for name, tensor in child.items():
        whole = parent[name]
        for dim, (held, wanted) in enumerate(zip(whole.shape, tensor.shape, strict=True)):
            whole = whole.narrow(dim, (held - wanted) // 2 if dim >= 2 else 0, wanted)
        assert torch.equal(tensor, whole)


def test_layers_that_are_tied_change_together():
    space = small_space(stage(depth=[2, 3], layers="same"), stage(stride=2))
    search = opened(space, latency_limit_ms=limit(0.3, space))
    adapted(search)
    assert len(search.accepted) > 1
    assert all(arch in space for arch in search.accepted)


def test_a_proposal_is_the_least_change_of_its_gene_that_saves_enough():
    search = opened()
    space, cost = search.problem.space, search.shrinking.cost
    largest = space.largest()
    every = search.shrinking.proposals(largest, 0.0)
    least = sorted(p.saved for p in every)[len(every) // 2]
    enough = search.shrinking.proposals(largest, least)
    assert all(p.saved >= least for p in enough)
    assert all(p.saved == pytest.approx(cost(largest) - cost(p.arch)) for p in enough)
    for proposal in every:
        if proposal.saved >= least:
            assert proposal in enough


def test_where_no_change_saves_enough_each_gene_offers_its_most():
    search = opened()
    most = search.shrinking.proposals(search.problem.space.largest(), math.inf)
    least = search.shrinking.proposals(search.problem.space.largest(), 0.0)
    assert len(most) == len(least)
    assert sum(p.saved for p in most) > sum(p.saved for p in least)


def test_what_must_be_saved_grows_when_few_steps_are_left():
    search = opened(latency_limit_ms=limit(0.3))
    assert search.least(1) > search.least(2) > search.least(4)
    cost = search.shrinking.cost(search.accepted[0])
    assert search.least(1) == pytest.approx(cost - 1)
    assert search.least(10_000) == pytest.approx(LEAST * cost)


def proposal(op: int, saved: float, accuracy: float, loss: float = 1.0) -> Proposal:
    archs = [toy_space().sample(random.Random(i)) for i in range(3)]
    return Proposal(archs[op], saved, accuracy, loss)


def test_the_best_proposal_is_the_most_accurate_or_loses_least_for_what_it_saves():
    small, large = proposal(0, 0.01, 0.79), proposal(1, 0.10, 0.75)
    assert best_of([small, large], 0.80, by_accuracy=True) is small
    assert best_of([small, large], 0.80, by_accuracy=False) is large


def test_among_equally_accurate_proposals_that_of_the_least_loss_is_kept():
    worse, better = proposal(0, 0.1, 0.8, loss=0.9), proposal(1, 0.1, 0.8, loss=0.4)
    assert best_of([worse, better], 0.9, by_accuracy=True) is better
    assert best_of([worse, better], 0.9, by_accuracy=False) is better


def test_the_weights_of_the_proposal_that_is_kept_are_written_back(monkeypatch):
    search, tuned = opened(latency_limit_ms=limit(0.5)), {}
    real = NetAdapt._finetune

    def finetune(self, arch, batches):
        losses = real(self, arch, batches)
        weights = self.problem.supernet.named_parameters()
        tuned[arch] = {name: p.detach().clone() for name, p in weights}
        return losses

    monkeypatch.setattr(NetAdapt, "_finetune", finetune)
    list(search._shrink(1, EpochLog(0)))
    assert 1 < len(tuned) <= netadapt.FINETUNED
    for name, p in search.problem.supernet.named_parameters():
        assert torch.equal(p, tuned[search.accepted[-1]][name])


def test_every_proposal_of_a_step_is_finetuned_from_the_same_weights(monkeypatch):
    search, begun = opened(latency_limit_ms=limit(0.5)), []
    real = NetAdapt._finetune

    def finetune(self, arch, batches):
        begun.append({n: p.detach().clone() for n, p in self.problem.supernet.named_parameters()})
        return real(self, arch, batches)

    monkeypatch.setattr(NetAdapt, "_finetune", finetune)
    list(search._shrink(1, EpochLog(0)))
    assert all(torch.equal(begun[0][name], p) for other in begun for name, p in other.items())


def test_in_the_end_every_accepted_network_is_judged_on_the_weights_as_they_are():
    search = opened(latency_limit_ms=limit(0.3))
    view = fold(run(search))
    assert {c.arch for c in view.fresh()} == {str(arch) for arch in search.accepted}
    last = list(search.step(search.steps - 1))
    assert {event.arch: event.proxy_accuracy for event in last} == {
        c.arch: c.proxy_accuracy for c in view.fresh()
    }


def test_while_it_adapts_what_counts_is_judged_on_the_weights_as_they_are():
    search, view = opened(latency_limit_ms=limit(0.2), epochs=12), View()
    assert search.adapts > 2
    for number in range(search.start + search.adapts):
        fold(search.step(number), view)
        for c in view.fresh():
            now = evaluate(search.problem, Arch.parse(c.arch))
            assert now.proxy_accuracy == c.proxy_accuracy
    assert 0 < len(view.fresh()) < len(view.candidates) == len(search.accepted)


def test_epochs_and_parts_of_the_adaptation_are_numbered_in_a_row():
    search = opened(latency_limit_ms=limit(0.02), epochs=12)
    told = [event for event in run(search) if isinstance(event, EpochEnd)]
    assert [event.epoch for event in told] == list(range(1, len(told) + 1))
    assert [event.phase for event in told if event.phase != "finetune"][-1] == "adapt"


def started(arch: str, **changes) -> NetAdapt:
    return opened(start=Start(1, arch), **changes)


def test_from_a_trained_network_it_adapts_at_once_and_begins_with_that_network():
    space = toy_space()
    first = space.require(Arch.parse("k5e6-k5e6-k3e6-k5e6-k3e3"))
    search = started(str(first), latency_limit_ms=limit(0.1))
    phases = [search.phase(i) for i in range(search.steps)]
    assert list(dict.fromkeys(phases)) == ["adapt", "finetune", "judge"]
    assert len(phases) == search.problem.spec.epochs + 1
    view = fold(run(search))
    assert next(iter(view.candidates)) == str(first)
    assert {c.arch for c in view.fresh()} == {str(arch) for arch in search.accepted}
    costs = [search.problem.latency.predict(arch) for arch in search.accepted]
    assert len(costs) > 2
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] <= limit(0.1) < costs[0]


def test_from_a_trained_network_it_learns_more_gently_than_from_none(monkeypatch):
    told: list[float] = []
    monkeypatch.setattr(netadapt, "set_lr", lambda _, lr: told.append(lr))
    search = started(str(toy_space().largest()), latency_limit_ms=limit(0.3))
    list(search._shrink(1, EpochLog(0)))
    assert 0 < max(told) < 0.5 * search.problem.recipe.lr


def test_what_may_be_chosen_keeps_the_limits_that_its_way_begins_above():
    problem = toy_problem()
    largest, smallest = (
        problem.filter.figure("params", arch)
        for arch in (problem.space.largest(), problem.space.smallest())
    )
    limits = Limits(params=int((largest + smallest) / 2))
    search = opened(latency_limit_ms=limit(1.5), limits=limits)
    view = fold(run(search), View(limits))
    assert any(c.params > limits.params for c in view.fresh())
    chosen = [*view.front(), *(view.candidates[a] for a in finalists(view, limit(1.5)))]
    assert chosen
    assert all(c.params <= limits.params for c in chosen)


def test_a_limit_that_excludes_nothing_leaves_the_largest_network():
    search = opened(latency_limit_ms=limit(1.5))
    adapted(search)
    assert search.accepted == [search.problem.space.largest()]


@pytest.mark.parametrize("name", ["params", "macs", "peak_bytes", "onnx_bytes"])
def test_other_limits_lead_the_way_where_they_bind(name):
    problem = toy_problem()
    most, least = (
        problem.filter.figure(name, arch)
        for arch in (problem.space.largest(), problem.space.smallest())
    )
    limits = Limits(**{name: int(least + 0.5 * (most - least))})
    search = opened(latency_limit_ms=limit(1.5), limits=limits)
    events = adapted(search)
    kept = search.problem.filter
    assert kept.admits(search.accepted[-1])
    if not any(isinstance(event, Warned) for event in events):
        told = [kept.figure(name, arch) for arch in search.accepted]
        assert told == sorted(set(told), reverse=True)


def test_costs_are_counted_in_the_limit_that_binds_most():
    problem = toy_problem()
    large, kept = problem.space.largest(), problem.filter
    params, macs = (kept.figure(name, large) for name in ("params", "macs"))
    kept.limits = Limits(params=int(params / 2), macs=int(macs / 3))
    assert Shrinking(kept, math.inf).cost(large) == pytest.approx(3, rel=0.01)
    loose = Shrinking(kept, problem.latency.predict(large) / 5)
    assert loose.cost(large) == pytest.approx(5)


def test_a_search_that_is_stuck_says_so_and_takes_a_random_network(monkeypatch):
    search = opened(latency_limit_ms=limit(0.3))
    monkeypatch.setattr(Shrinking, "proposals", lambda *_: [])
    events = adapted(search)
    (warning,) = [event.message for event in events if isinstance(event, Warned)]
    assert "a random one" in warning
    assert search.problem.filter.admits(search.accepted[-1])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(spaces(), st.integers(0, 20), st.booleans())
def test_shrinking_ends_on_every_space_within_what_the_space_can_reach(space, percent, greedy):
    latency = macs_latency(space)
    target = limit(percent / 100, space)
    shrinking = Shrinking(Filter(space, latency, target), target)
    arch, changes = space.largest(), sum(len(gene.values) for gene in space.genes())
    for _ in range(changes):
        options = shrinking.proposals(arch, 0.0 if greedy else 0.05)
        if shrinking.cost(arch) <= 1 or not options:
            break
        arch = options[-1].arch
    assert shrinking.cost(arch) <= 1 + 1e-9
