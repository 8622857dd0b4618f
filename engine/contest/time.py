"""How long a comparison takes, before it begins and while it goes on; nothing is done here."""

from __future__ import annotations

from engine.contest.compare import Step, phases
from engine.spec import CompareSpec
from engine.store import Status

PILOT_S = 20.0  # what a pilot may take, before there was one
STARTING_S = 4.0  # a process imports and reads the images before its run begins
MEASURING_S = 8.0  # the front of a search is measured after its budget
TRAININGS = ("finetune", "retrain", "baseline")


class Timing:
    """Seconds that steps take: measured where one of their phase was, else guessed."""

    def __init__(self, spec: CompareSpec, epoch_s: float = 0.0) -> None:
        """`epoch_s`: what an epoch of one network takes, where that is known (0: it is not)."""
        self.phases = phases(spec)
        self.measured: dict[str, list[float]] = {}
        self.epoch_s = 0.0
        training = spec.epochs * epoch_s + STARTING_S
        self.guess = dict.fromkeys(TRAININGS, training)
        pilot = min(PILOT_S, spec.budget_s) + STARTING_S
        around = STARTING_S + MEASURING_S
        self.guess |= {"pilot": pilot, "search": spec.budget_s + around}
        self.guess["long pilot"] = spec.budget_s / 2 + around
        self.epochs = spec.epochs

    def took(self, number: int, seconds: float, *, epoch_s: float = 0.0) -> None:
        """Step `number` took so many seconds, and an epoch of it `epoch_s` (0: not known).

        The cheapest epoch of a search stands for those of the trainings, until there was one.
        """
        phase = self.phases[number]
        self.measured.setdefault(phase, []).append(seconds)
        if epoch_s:
            self.epoch_s = min(epoch_s, self.epoch_s or epoch_s)
            self.guess |= dict.fromkeys(TRAININGS, self.epochs * self.epoch_s + STARTING_S)

    def expected(self, phase: str) -> float:
        """Seconds of a step of that phase."""
        known = self.measured.get(phase)
        return sum(known) / len(known) if known else self.guess[phase]

    def total(self) -> float:
        """Seconds of all steps."""
        return sum(self.expected(phase) for phase in self.phases)

    def status(self, step: Step, spent: float) -> Status:
        """Where a step that has gone on for `spent` seconds stands in the whole."""
        each = [self.expected(phase) for phase in self.phases]
        before, own = sum(each[: step.number]), each[step.number]
        done = before + own * min(0.99, spent / own)
        left = sum(each) - done
        words = f"{step.words}, step {step.number + 1} of {len(each)}"
        return Status(self.phases[step.number], done / sum(each), left, words)
