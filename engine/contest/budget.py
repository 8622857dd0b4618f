"""What a search costs in seconds, and how many epochs a budget buys; reads runs, does nothing.

A cost is training and judging: every step but the last one, which measures the front on the device.
Of a strategy's steps only the rounds in which it judges networks are known by name; their number
follows from the epochs and ends at ten. All else, whatever it is called, counts as what it is:
seconds that grow along a straight line with the epochs. Two pilots show that line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.events import Calibrated, DataReady, Event, Progress, Resumed
from engine.front.rounds import rounds

ROUNDS = ("front", "draw")  # phases of rounds of judging, as strategies call them
FEWEST, MOST = 3, 10_000  # epochs of a search
OPENING = (Resumed, DataReady, Calibrated)  # what comes before the first step


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a run: `judging` in so many `rounds`, and the `rest`."""

    rest: float
    judging: float
    rounds: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.rest + self.judging


@dataclass(frozen=True, slots=True)
class Price:
    """What searches of one strategy cost: `fixed` seconds, so many of `each` epoch and `round`."""

    fixed: float
    each: float
    round: float

    def seconds(self, epochs: int) -> float:
        """Cost of a search of so many epochs."""
        return self.fixed + self.each * epochs + self.round * rounds(epochs)

    def epochs(self, budget_s: float) -> int:
        """The most epochs that fit into so many seconds, 3 to 10,000."""
        low, high = FEWEST, MOST + 1  # the first fits or is taken anyway, the last is never taken
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.seconds(middle) <= budget_s else (low, middle)
        return low


def price_of(epochs: int, cost: Cost) -> Price:
    """The price by one pilot, as if nothing were fixed."""
    return Price(0.0, cost.rest / epochs, cost.judging / max(1, cost.rounds))


def price_by(short: tuple[int, Cost], long: tuple[int, Cost]) -> Price:
    """The price by two pilots (epochs and cost): the straight line through both.

    Where noise makes the longer one the cheaper, it alone counts.
    """
    (few, a), (many, b) = short, long
    assert few < many, (few, many)
    each = (b.rest - a.rest) / (many - few)
    if each <= 0:
        return price_of(many, b)
    per_round = (a.judging + b.judging) / max(1, a.rounds + b.rounds)
    return Price(b.rest - each * many, each, per_round)


def cost_of(log: Iterable[tuple[float, Event]]) -> Cost:
    """What a run's training and judging cost, by its events and when each was written.

    A step that a crash made a run do again counts once, with the seconds of its last time; what a
    process needs before its first step counts for nothing.
    """
    took: dict[int, tuple[str, float]] = {}
    last: float | None = None
    for at, event in log:
        if isinstance(event, Resumed):
            took = {step: known for step, known in took.items() if step <= event.step}
        if isinstance(event, Progress) and last is not None:
            took[event.step] = (event.phase, at - last)
        if last is None or isinstance(event, (*OPENING, Progress)):
            last = at
    paid = [known for known in took.values() if known[0] != "measure"]
    judging = [seconds for phase, seconds in paid if phase in ROUNDS]
    rest = sum(seconds for phase, seconds in paid if phase not in ROUNDS)
    return Cost(rest, sum(judging), len(judging))
