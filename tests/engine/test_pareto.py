"""Fronts and hypervolume by example; their laws are in tests/properties."""

from __future__ import annotations

from engine.pareto import crowding, dominates, front, hypervolume, ranks


def test_equal_points_do_not_dominate_each_other():
    assert not dominates((1.0, 2.0), (1.0, 2.0))


def test_being_better_in_one_and_equal_in_the_other_dominates():
    assert dominates((1.0, 2.0), (1.0, 3.0))


def test_the_front_is_ascending_in_the_first_objective():
    items = [("slow", (3.0, 1.0)), ("fast", (1.0, 3.0)), ("worse", (3.0, 3.0))]
    assert [name for name, _ in front(items, lambda item: item[1])] == ["fast", "slow"]


def test_the_front_of_nothing_is_empty():
    assert front([], lambda p: p) == []


def test_a_point_at_infinity_still_has_a_rank():
    inf = float("inf")
    assert ranks([(1.0, inf), (2.0, inf), (0.0, 1.0)]) == [1, 2, 0]


def test_ranks_peel_one_front_after_the_other():
    assert ranks([(1.0, 1.0), (2.0, 2.0), (1.0, 2.0), (1.0, 1.0)]) == [0, 2, 1, 0]


def test_crowding_is_the_share_of_the_box_around_a_point():
    assert crowding([(0.0, 4.0), (1.0, 2.0), (4.0, 0.0)]) == [float("inf"), 2.0, float("inf")]


def test_crowding_of_equal_points_is_no_division_by_zero():
    assert crowding([(1.0, 1.0)] * 3) == [float("inf"), 0.0, float("inf")]


def test_hypervolume_of_a_staircase_is_its_area():
    assert hypervolume([(1.0, 2.0), (2.0, 1.0)], (3.0, 3.0)) == 3.0


def test_points_beyond_the_reference_add_nothing():
    assert hypervolume([(1.0, 4.0), (5.0, 0.0)], (3.0, 3.0)) == 0.0
