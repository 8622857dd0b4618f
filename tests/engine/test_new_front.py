"""A new front without training: limits, pins and likeness hold, ghosts stay ghosts."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import RunError
from engine.events import Candidate, Learned, Measured, View, fold
from engine.front.encoding import Encoder
from engine.front.limits import Limits
from engine.front.new_front import NEAR_GENES, Wish, allowed_values, new_front
from engine.front.predictor import fit_ridge
from engine.front.tables import onnx_bytes
from engine.pareto import front
from engine.space import Arch
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_space

SPACE = toy_space()
LATENCY = macs_latency(SPACE)
SPAN = LATENCY.slowest_ms - LATENCY.fastest_ms


def viewed(count: int = 60, seed: int = 0) -> View:
    """Candidates whose accuracy follows latency, with a little noise."""
    rng = random.Random(seed)
    view = View()
    for _ in range(count):
        arch = SPACE.sample(rng)
        ms = LATENCY.predict(arch)
        worth = 0.5 + 0.4 * (ms - LATENCY.fastest_ms) / SPAN + rng.gauss(0, 0.01)
        view.candidates[str(arch)] = Candidate(str(arch), worth, ms, 1, 1)
    return view


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_nothing_on_it_is_above_the_limit(share):
    limit = LATENCY.fastest_ms + share * SPAN
    found = new_front(SPACE, LATENCY, viewed(), Wish(limit))
    assert all(c.predicted_ms <= limit for c in found.evaluated)
    assert all(g.predicted_ms <= limit for g in found.ghosts)
    assert found.best
    assert found.best.predicted_ms <= limit


def test_a_looser_limit_never_has_a_worse_best():
    view = viewed()
    bests = []
    for share in (0.1, 0.3, 0.5, 0.7, 1.0):
        best = new_front(SPACE, LATENCY, view, Wish(LATENCY.fastest_ms + share * SPAN)).best
        bests.append(best.proxy_accuracy if best else 0.0)
    assert bests == sorted(bests)


def test_ghosts_are_networks_that_nobody_evaluated():
    view = viewed()
    found = new_front(SPACE, LATENCY, view, Wish(LATENCY.slowest_ms))
    assert found.ghosts
    assert not {g.arch for g in found.ghosts} & set(view.candidates)


def test_foreseen_accuracy_is_close_where_the_world_is_plain():
    found = new_front(SPACE, LATENCY, viewed(120), Wish(LATENCY.slowest_ms))
    assert found.error is not None
    assert found.error < 0.03
    for ghost in found.ghosts:
        true = 0.5 + 0.4 * (ghost.predicted_ms - LATENCY.fastest_ms) / SPAN
        assert ghost.proxy_accuracy == pytest.approx(true, abs=0.05)


def test_pinned_layers_keep_their_choice():
    name = SPACE.slots()[1].name
    found = new_front(SPACE, LATENCY, viewed(), Wish(LATENCY.slowest_ms, pins=((name, ("k3e3",)),)))
    for one in (*found.evaluated, *found.ghosts):
        assert Arch.parse(one.arch).ops[1] == "k3e3"


def test_a_banned_choice_is_a_pin_to_the_others():
    name = SPACE.slots()[0].name
    others = tuple(op for op in SPACE.slots()[0].ops if op != "skip")
    found = new_front(SPACE, LATENCY, viewed(), Wish(LATENCY.slowest_ms, pins=((name, others),)))
    assert found.evaluated
    for one in (*found.evaluated, *found.ghosts):
        assert Arch.parse(one.arch).ops[0] != "skip"


def test_more_like_this_differs_in_two_genes_at_most():
    like = SPACE.sample(random.Random(7))
    wish = Wish(LATENCY.slowest_ms, like=like)
    found = new_front(SPACE, LATENCY, viewed(), wish)
    encoder = Encoder(SPACE, LATENCY)
    row = encoder.at([like])[0]
    assert found.ghosts
    for one in (*found.evaluated, *found.ghosts):
        assert (encoder.at([Arch.parse(one.arch)])[0] != row).sum() <= NEAR_GENES


def test_other_limits_count_too():
    view = viewed()
    encoder = Encoder(SPACE, LATENCY)
    at = encoder.at([Arch.parse(a) for a in view.candidates])
    most = int(np.median(encoder.total("params", at)))
    found = new_front(SPACE, LATENCY, view, Wish(LATENCY.slowest_ms, Limits(params=most)))
    names = [one.arch for one in (*found.evaluated, *found.ghosts)]
    assert names
    assert encoder.total("params", encoder.at([Arch.parse(a) for a in names])).max() <= most


def test_more_like_this_is_the_front_of_what_keeps_the_other_limits_too():
    encoder = Encoder(SPACE, LATENCY)
    like = SPACE.sample(random.Random(14))
    row, limit = encoder.at([like]), int(encoder.total("params", encoder.at([like]))[0])
    view = viewed()
    at = encoder.at([Arch.parse(a) for a in view.candidates])
    worth = encoder.total("params", at) / encoder.total("macs", at)  # large and fast is good
    for one, value in zip(list(view.candidates.values()), worth, strict=True):
        view.candidates[one.arch] = replace(one, proxy_accuracy=float(value))
    found = new_front(SPACE, LATENCY, view, Wish(1e9, Limits(params=limit), like=like))
    everything = np.array(list(np.ndindex(*encoder.sizes)))
    near = everything[(everything != row).sum(1) <= NEAR_GENES]
    inside = near[encoder.total("params", near) <= limit]
    assert 1 < len(inside) < len(near)
    predicted = fit_ridge(encoder.features(at), worth)(encoder.features(inside))
    ms = encoder.total("latency_ms", inside)
    members = front(list(range(len(inside))), lambda i: (float(ms[i]), -float(predicted[i])))
    expected = {str(encoder.arch(inside[i])) for i in members} - set(view.candidates)
    assert {ghost.arch for ghost in found.ghosts} == expected


def test_what_was_measured_above_the_limit_is_not_the_best():
    view = viewed()
    best = new_front(SPACE, LATENCY, view, Wish(LATENCY.slowest_ms)).best
    assert best
    above = LATENCY.slowest_ms * 1.1
    fold([Measured(best.arch, above, above, above, 10, (above,))], view)
    found = new_front(SPACE, LATENCY, view, Wish(LATENCY.slowest_ms))
    assert found.best
    assert found.best.arch != best.arch


def test_a_file_whose_size_the_search_has_kept_is_not_written_again():
    view = viewed()
    for arch, one in view.candidates.items():
        view.candidates[arch] = replace(one, onnx_bytes=5000)
    onnx_bytes.cache_clear()
    wish = Wish(LATENCY.slowest_ms, Limits(onnx_bytes=5000))
    found = new_front(SPACE, LATENCY, view, wish)
    assert found.best
    assert onnx_bytes.cache_info().misses < 10
    wish = Wish(LATENCY.slowest_ms, Limits(onnx_bytes=4999))
    assert new_front(SPACE, LATENCY, view, wish).evaluated == ()


def test_the_predictor_of_the_search_is_taken_where_there_is_one():
    view = viewed()
    encoder = Encoder(SPACE, LATENCY)
    at = encoder.at([Arch.parse(a) for a in view.candidates])
    upside_down = fit_ridge(encoder.features(at), -encoder.total("latency_ms", at))
    view.learned = Learned(upside_down.to_json(), 0.25, 48)
    found = new_front(SPACE, LATENCY, view, Wish(LATENCY.slowest_ms))
    assert found.error == pytest.approx(upside_down.error)
    assert found.n == 48
    assert len(found.ghosts) <= 1  # by that predictor the fastest network beats all others


def test_too_few_candidates_give_a_front_without_ghosts():
    found = new_front(SPACE, LATENCY, viewed(4), Wish(LATENCY.slowest_ms))
    assert found.evaluated
    assert (found.ghosts, found.error) == ((), None)


def test_no_candidate_within_the_limit_gives_no_best():
    found = new_front(SPACE, LATENCY, View(), Wish(LATENCY.fastest_ms))
    assert (found.evaluated, found.best) == ((), None)


@pytest.mark.parametrize(
    ("pins", "message"),
    [
        ((("stage9.1", ("k3e3",)),), "must name a layer among"),
        (((SPACE.slots()[1].name, ("k9e9",)),), "has the choices"),
    ],
)
def test_pins_that_mean_nothing_are_refused(pins, message):
    with pytest.raises(RunError, match=message):
        allowed_values(SPACE, pins)


def test_pins_that_no_value_of_a_tied_stage_keeps_are_refused():
    space = small_space(stage(depth=[2, 2], layers="same"))
    first, second = (slot.name for slot in space.slots())
    with pytest.raises(RunError, match="keeps all of them"):
        allowed_values(space, ((first, ("k3e3",)), (second, ("k5e6",))))
