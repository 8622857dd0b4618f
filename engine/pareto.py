"""Dominance, fronts and hypervolume; every objective is minimised (negate what is to grow)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
Point = tuple[float, ...]


def dominates(a: Point, b: Point) -> bool:
    """Whether `a` is nowhere worse than `b` and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


def front(items: Sequence[T], key: Callable[[T], Point]) -> list[T]:
    """Items none dominates, ascending in the first of two objectives; of equal ones the oldest."""
    chosen: list[T] = []
    best: float | None = None
    for item in sorted(items, key=key):  # stable: of equal points the first given comes first
        second = key(item)[1]
        if best is None or second < best:
            chosen.append(item)
            best = second
    return chosen


def ranks(points: Sequence[Point]) -> list[int]:
    """Number of the front that each of two-objective `points` lies on, 0 for the best (NSGA-II)."""
    left = list(range(len(points)))
    result = [0] * len(points)
    level = 0
    while left:
        kept = {tuple(points[i]) for i in front(left, lambda i: points[i])}
        for i in left:
            if tuple(points[i]) in kept:
                result[i] = level
        left = [i for i in left if tuple(points[i]) not in kept]
        level += 1
    return result


def crowding(points: Sequence[Point]) -> list[float]:
    """Crowding distance of points of one front (NSGA-II): infinite at the ends of an objective."""
    distance = [0.0] * len(points)
    for axis in range(len(points[0]) if points else 0):
        order = sorted(range(len(points)), key=lambda i: points[i][axis])
        low, high = points[order[0]][axis], points[order[-1]][axis]
        distance[order[0]] = distance[order[-1]] = float("inf")
        for before, i, after in zip(order, order[1:], order[2:], strict=False):
            if high > low:
                distance[i] += (points[after][axis] - points[before][axis]) / (high - low)
    return distance


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Area that two-objective `points` dominate up to `reference`; points beyond it add nothing."""
    inside = [p for p in points if p[0] < reference[0] and p[1] < reference[1]]
    area, height = 0.0, reference[1]
    for x, y in front(inside, lambda p: p):
        area += (reference[0] - x) * (height - y)
        height = y
    return area
