"""Why a search found what it found: the effect of every choice, and what if one were different.

Effects come from one linear regression over all architectures of a run whose proxy accuracy counts.
It assumes that choices add up: interactions (a kernel that pays only in a wide layer) are not
modelled and count as noise, which widens every interval. The architectures are no random sample:
an evolution bred them from the good ones, so an effect is that among networks worth looking at, and
rare choices are told badly. Every interval holds alone; of twenty, one is expected to miss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.blocks import Value
from engine.cost import network_cost
from engine.errors import RunError
from engine.events import Candidate
from engine.explain.knobs import Knob, change, instead, knobs_of, neighbours, settings
from engine.explain.regression import Estimate, Floats, Regression
from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace

CAVEAT = (
    "From a straight-line fit over the networks that this search evaluated. They are no random "
    "sample, and what choices do only together is not modelled; each interval holds 95 % by itself."
)
FEWEST = 2
POINTS = 100.0  # percentage points in one unit of accuracy


@dataclass(frozen=True, slots=True)
class Effect:
    """What `knob` at `value` does against it at `usual`, the rest of the network unchanged.

    `accuracy` in fractions, `latency_ms` of the predicted latency; `seen` counts networks with the
    value, `seen_usual` those with the usual one, which is the commonest in that place. A family, or
    a layer left out, is compared with the usual op there.
    """

    knob: Knob
    value: Value
    usual: Value
    words: str
    accuracy: Estimate
    latency_ms: Estimate
    seen: int
    seen_usual: int

    @property
    def sentence(self) -> str:
        """The effect in words, with its intervals."""
        return f"{self.words}: {ms_words(self.latency_ms)}, {points_words(self.accuracy)}"


@dataclass(frozen=True, slots=True)
class Change:
    """One gene of a picked architecture set differently: what becomes of it.

    `ms`, `params` and `macs` are exact differences (of the prediction, for ms); `accuracy` is the
    difference of two evaluated proxy accuracies where `evaluated`, else estimated.
    """

    arch: str
    words: str
    ms: float
    params: int
    macs: int
    accuracy: Estimate
    evaluated: bool

    @property
    def sentence(self) -> str:
        """`kernel 5→3 in layer 4: −0.04 ms, −0.3 points (−0.5 to −0.1)`."""
        known = "evaluated" if self.evaluated else ""
        return f"{self.words}: {signed(self.ms, 2)} ms, {points_words(self.accuracy, known)}"


class Why:
    """What the evaluated architectures of a run (its fresh candidates) tell of its space.

    Raises RunError where fewer than two of them were evaluated.
    """

    def __init__(self, space: SearchSpace, candidates: Sequence[Candidate]) -> None:
        pairs = [(Arch(tuple(c.arch.split("-"))), c) for c in candidates]
        pairs = sorted((pair for pair in pairs if pair[0] in space), key=lambda pair: pair[0])
        if len(pairs) < FEWEST:
            raise RunError(
                f"why: must have at least {FEWEST} evaluated networks, got {len(pairs)}.",
                "Let the search go on until its front is searched.",
            )
        self.space = space
        self.known = {str(arch): c for arch, c in pairs}
        self.design = Design(space, [arch for arch, _ in pairs])
        x = self.design.rows([arch for arch, _ in pairs])
        self.accuracy = Regression(x, np.array([c.proxy_accuracy for _, c in pairs]))
        self.latency_ms = Regression(x, np.array([c.predicted_ms for _, c in pairs]))

    @property
    def n(self) -> int:
        """Number of architectures that it rests on."""
        return self.accuracy.n

    def effects(self) -> list[Effect]:
        """The effect of every value of every knob against the usual one, in order of the genes."""
        return [self._effect(k, v) for k, v in self.design.columns]

    def _effect(self, knob: Knob, value: Value) -> Effect:
        between = np.zeros(len(self.design.columns))
        between[self.design.columns.index((knob, value))] = 1.0
        counts, usual = self.design.counts[knob], self.design.usual[knob]
        words = instead(self.space, knob, value, usual)
        accuracy = latency = Estimate(None, why="no evaluated network has it")
        if counts[value]:
            accuracy = self.accuracy.difference(between)
            latency = self.latency_ms.difference(between)
        seen = counts[value], counts[usual]
        return Effect(knob, value, usual, words, accuracy, latency, *seen)

    def swap(self, number: int, old: tuple[str, ...], new: tuple[str, ...]) -> Estimate:
        """The difference in accuracy where gene `number` goes from `old` to `new`."""
        unseen = self.design.unseen(number, old) or self.design.unseen(number, new)
        if unseen:
            return Estimate(None, why=f"no evaluated network has {unseen}")
        tables = self.design.tables[number]
        return self.accuracy.difference(tables[new] - tables[old])

    def changes(self, arch: Arch, latency: LatencyModel) -> list[Change]:
        """Every network that differs from `arch` in one gene, in order of the genes.

        Raises SpaceError for an architecture that is none of the space.
        """
        self.space.require(arch)
        before, ms = network_cost(self.space, arch), latency.predict(arch)
        parts, own = self.space.parts(arch), self.known.get(str(arch))
        found = []
        for number, part, other in neighbours(self.space, arch):
            after, there = network_cost(self.space, other), self.known.get(str(other))
            if own and there:
                exact = there.proxy_accuracy - own.proxy_accuracy
                accuracy = Estimate(exact, exact, exact)
            else:
                accuracy = self.swap(number, parts[number], part)
            found.append(
                Change(
                    str(other),
                    change(self.space, number, parts[number], part),
                    latency.predict(other) - ms,
                    after.params - before.params,
                    after.macs - before.macs,
                    accuracy,
                    own is not None and there is not None,
                )
            )
        return found


class Design:
    """Architectures as rows: a column for every value of every knob but the commonest, the usual.

    A knob that a network does not have, as in a layer left out, is 0 in all its columns.
    """

    def __init__(self, space: SearchSpace, archs: Sequence[Arch]) -> None:
        self.space = space
        self.knobs = knobs_of(space)
        read = [[settings(part) for part in space.parts(arch)] for arch in archs]
        self.counts = {
            knob: Counter(r[knob.gene][knob.turn] for r in read if knob.turn in r[knob.gene])
            for knob in self.knobs
        }
        self.usual = {k: max(k.values, key=self.counts[k].__getitem__) for k in self.knobs}
        self.columns = [(k, v) for k in self.knobs for v in k.values if v != self.usual[k]]
        self.tables = [
            {part: self._row(number, part) for part in gene.values}
            for number, gene in enumerate(space.genes())
        ]

    def _row(self, number: int, part: tuple[str, ...]) -> Floats:
        stands = settings(part)
        hot = [k.gene == number and stands.get(k.turn) == v for k, v in self.columns]
        return np.array(hot, dtype=np.float64)

    def rows(self, archs: Sequence[Arch]) -> Floats:
        """(n, columns) of 0 and 1."""
        found = np.zeros((len(archs), len(self.columns)))
        for row, arch in zip(found, archs, strict=True):
            for table, part in zip(self.tables, self.space.parts(arch), strict=True):
                row += table[part]
        return found

    def unseen(self, number: int, part: tuple[str, ...]) -> str:
        """A setting of that gene's value which no architecture has, in words; "" without any."""
        stands = settings(part)
        for knob in self.knobs:
            value = stands.get(knob.turn)
            if knob.gene == number and value is not None and not self.counts[knob][value]:
                return instead(self.space, knob, value, self.usual[knob]).split(" instead")[0]
        return ""


def ms_words(found: Estimate) -> str:
    """A difference in ms with its interval, or that it cannot be told."""
    if found.value is None:
        return "latency cannot be told"
    return f"{signed(found.value, 3)} ms{_interval(found, 1.0, 3)}"


def points_words(found: Estimate, known: str = "") -> str:
    """A difference in accuracy in points with its interval, or why it cannot be told.

    `known` takes the interval's place.
    """
    if found.value is None:
        return f"accuracy cannot be told: {found.why}"
    inside = f" ({known})" if known else _interval(found, POINTS, 1)
    return f"{signed(POINTS * found.value, 1)} points{inside}"


def _interval(found: Estimate, scale: float, digits: int) -> str:
    if found.low is None or found.high is None:
        return f" (a guess: {found.why})"
    low, high = (signed(scale * end, digits) for end in (found.low, found.high))
    return f" ({low} to {high})"


def signed(value: float, digits: int) -> str:
    """The value with a sign, a true minus; nothing before what rounds to 0."""
    text = f"{abs(value):.{digits}f}"
    if not float(text):
        return text
    return f"{'−' if value < 0 else '+'}{text}"
