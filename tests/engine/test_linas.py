"""LINAS: what is proposed is the front of what is predicted, within limits and pins."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from engine.events import Foreseen, Learned
from engine.front.encoding import Encoder
from engine.front.filter import Filter
from engine.front.limits import Limits
from engine.front.linas import FIRST, Linas, propose
from engine.front.predictor import Predictor, ridge
from engine.pareto import hypervolume
from engine.space import Arch
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_space

FILES_AND_MEMORY = ("onnx_bytes", "peak_bytes")


def setting(space=None, share: float = 0.6, **limits: int):
    space = space or toy_space()
    latency = macs_latency(space)
    limit = latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)
    return Encoder(space, latency), Filter(space, latency, limit, Limits(**limits))


def known_worth(encoder: Encoder) -> Predictor:
    """A plane that every op moves by an amount of its own, and that rises with latency."""
    coef = np.random.default_rng(3).normal(0, 1, encoder.width)
    coef[-3:] = 8.0, 0.0, 0.0
    return Predictor("ridge", 0.5, tuple(coef))


def test_linas_finds_the_whole_front_of_a_small_space():
    encoder, kept = setting(small_space(stage(depth=[1, 2]), stage(depth=[1, 2])))
    predictor = known_worth(encoder)
    everything = [
        Arch(tuple(itertools.chain(*parts)))
        for parts in itertools.product(*(gene.values for gene in encoder.genes))
    ]
    at = encoder.at(everything)
    worth, ms = predictor(encoder.features(at)), encoder.total("latency_ms", at)
    found = propose(encoder, predictor, kept)
    reference = (1.25 * kept.limit_ms, -float(worth.min()))
    best = hypervolume(list(zip(ms, -worth, strict=True)), reference)
    reached = hypervolume(list(zip(found.ms, -found.accuracy, strict=True)), reference)
    assert reached == pytest.approx(best, rel=1e-9)


def test_linas_proposes_nothing_outside_the_limits():
    encoder, free = setting()
    middle = int(np.median(encoder.total("params", encoder.sample(500, np.random.default_rng(0)))))
    _, kept = setting(share=0.4, params=middle)
    found = propose(encoder, known_worth(encoder), kept)
    assert len(found.archs) > 5
    assert found.ms.max() <= 1.25 * kept.limit_ms < free.latency.slowest_ms
    assert encoder.total("params", encoder.at(found.archs)).max() <= middle


def test_linas_pinned_genes_keep_to_their_values():
    encoder, kept = setting()
    found = propose(encoder, known_worth(encoder), kept, allowed={1: (0,), 2: (1, 2)})
    at = encoder.at(found.archs)
    assert set(at[:, 1]) == {0}
    assert set(at[:, 2]) <= {1, 2}


def test_linas_more_looks_never_give_a_worse_front():
    encoder, kept = setting()
    predictor = known_worth(encoder)
    areas = []
    for looks in (400, 4_000, 20_000):
        found = propose(encoder, predictor, kept, predicted=looks)
        points = list(zip(found.ms, -found.accuracy, strict=True))
        areas.append(hypervolume(points, (1.25 * kept.limit_ms, 10.0)))
    assert areas == sorted(areas)


def test_linas_the_same_seed_proposes_the_same():
    encoder, kept = setting()
    predictor = known_worth(encoder)
    first, again = (propose(encoder, predictor, kept, seed=1) for _ in range(2))
    assert first.archs == again.archs


def run_loop(seed: int, evaluations: int) -> tuple[Linas, Predictor]:
    encoder, kept = setting()
    truth = known_worth(encoder)
    loop = Linas(kept)
    rng = random.Random(seed)
    while len(loop.told) < evaluations:
        archs = loop.ask(12, rng)
        worth = truth(encoder.features(encoder.at(archs)))
        for arch, value in zip(archs, worth, strict=True):
            loop.tell(arch, float(value))
    return loop, truth


def test_linas_beats_as_many_random_networks():
    loop, truth = run_loop(0, 108)
    encoder, kept = loop.encoder, loop.filter
    rng = random.Random(5)
    drawn = [kept.toward(kept.space.sample(rng), rng) for _ in range(108)]
    worth = truth(encoder.features(encoder.at(drawn)))
    inside = [-v for a, (ms, v) in loop.told.items() if ms <= kept.limit_ms]
    assert max(inside) > worth.max()


def test_linas_says_nothing_before_it_has_learned_and_then_what_it_foresees():
    loop, _ = run_loop(0, FIRST - 12)
    assert list(loop.foresee(random.Random(0))) == []
    loop, _ = run_loop(0, FIRST + 12)
    learned, foreseen = loop.foresee(random.Random(0))
    assert isinstance(learned, Learned)
    assert learned.n == len(loop.told)
    assert isinstance(foreseen, Foreseen)
    predictor = Predictor.from_json(learned.predictor)
    for ghost in foreseen.ghosts:
        row = loop.encoder.features(loop.encoder.at([Arch.parse(ghost["arch"])]))
        assert ghost["proxy_accuracy"] == pytest.approx(float(predictor(row)[0]))


def test_linas_limits_of_files_and_memory_are_kept_exactly():
    encoder, free = setting()
    archs = [free.space.sample(random.Random(i)) for i in range(40)]
    most = {n: int(np.median([free.figure(n, a) for a in archs])) for n in FILES_AND_MEMORY}
    _, kept = setting(**most)
    found = propose(encoder, known_worth(encoder), kept, predicted=2000)
    assert len(found.archs) > 3
    assert all(kept.keeps(arch, slack=kept.slack) for arch in found.archs)


def test_linas_counts_what_it_draws_before_it_is_moved():
    _, kept = setting(params=2000)
    loop = Linas(kept)
    asked = loop.ask(12, random.Random(0))
    assert len(asked) == 12
    assert kept.asked >= 12
    assert sum(kept.refused.values()) > kept.asked / 2  # most of them had to be moved


def test_linas_no_network_is_asked_for_twice():
    loop, _ = run_loop(2, 96)
    assert len(loop.told) == len(set(loop.told)) >= 96


def test_a_plane_through_few_points_is_not_taken_for_certain():
    encoder, _ = setting()
    at = encoder.sample(12, np.random.default_rng(0))
    worth = np.random.default_rng(1).normal(0, 1, 12)
    assert np.abs(ridge(encoder.features(at), worth, 10.0)(encoder.features(at))).max() < 3
