"""Properties of fronts and hypervolume, cross-checked with pymoo."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pareto import crowding, dominates, front, hypervolume, ranks

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what an independent implementation warns of is its own matter
    from pymoo.indicators.hv import HV
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

coordinate = st.integers(0, 8).map(float) | st.floats(0, 8, allow_subnormal=False)
point = st.tuples(coordinate, coordinate)
points = st.lists(point, max_size=24)
REFERENCE = (8.5, 8.5)


@given(points)
def test_members_do_not_dominate_each_other(given_points: list[tuple[float, float]]):
    chosen = front(given_points, lambda p: p)
    assert not any(dominates(a, b) for a in chosen for b in chosen)


@given(points)
def test_every_other_point_equals_or_is_dominated_by_a_member(
    given_points: list[tuple[float, float]],
):
    chosen = front(given_points, lambda p: p)
    for p in given_points:
        assert p in chosen or any(dominates(member, p) for member in chosen)


@given(points, st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter(given_points: list[tuple[float, float]], rng):
    again = given_points * 2
    rng.shuffle(again)
    assert front(again, lambda p: p) == front(given_points, lambda p: p)


@given(st.lists(point, min_size=1, max_size=24))
def test_the_first_given_of_equal_points_is_kept(given_points: list[tuple[float, float]]):
    numbered = [*enumerate(given_points), *enumerate(given_points, len(given_points))]
    assert all(i < len(given_points) for i, _ in front(numbered, lambda item: item[1]))


@given(points)
def test_ranks_agree_with_pymoo(given_points: list[tuple[float, float]]):
    expected = [-1] * len(given_points)
    if given_points:
        for level, members in enumerate(NonDominatedSorting().do(np.array(given_points))):
            for i in members:
                expected[i] = level
    assert ranks(given_points) == expected


@given(points)
def test_hypervolume_agrees_with_pymoo(given_points: list[tuple[float, float]]):
    inside = [p for p in given_points if p[0] < REFERENCE[0] and p[1] < REFERENCE[1]]
    expected = float(HV(ref_point=np.array(REFERENCE))(np.array(inside))) if inside else 0.0
    assert hypervolume(given_points, REFERENCE) == pytest.approx(expected)


@given(points, point)
def test_hypervolume_never_falls_when_a_point_is_added(
    given_points: list[tuple[float, float]], new: tuple[float, float]
):
    before = hypervolume(given_points, REFERENCE)
    assert hypervolume([*given_points, new], REFERENCE) >= before - 1e-9


@given(points)
def test_the_ends_of_a_front_are_never_crowded(given_points: list[tuple[float, float]]):
    chosen = front(given_points, lambda p: p)
    distances = crowding(chosen)
    assert all(distance >= 0 for distance in distances)
    if chosen:
        assert distances[0] == distances[-1] == float("inf")
