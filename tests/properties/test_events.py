"""Properties of the event log: JSON, folding in parts, and the crash rule."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import (
    KINDS,
    Calibrated,
    Compared,
    Conflicts,
    DataReady,
    EpochEnd,
    Evaluated,
    Event,
    Exported,
    Failed,
    Filtered,
    Finished,
    Foreseen,
    Learned,
    Measured,
    Part,
    Progress,
    Resumed,
    Screened,
    StandAlone,
    Trained,
    Trusted,
    View,
    Warned,
    fold,
    from_payload,
    to_payload,
)

number = st.floats(0, 1e6, allow_subnormal=False)
whole = st.integers(0, 1000)
word = st.text(max_size=12)
arch = st.sampled_from(["k3e3", "k3e6", "k5e3", "k5e6"])
table = st.dictionaries(word, number | word | st.none(), max_size=3)
numbers = st.lists(number, max_size=3).map(tuple)

by_kind: dict[str, st.SearchStrategy[Event]] = {
    "Resumed": st.builds(Resumed, whole),
    "Progress": st.builds(Progress, whole, whole, word),
    "DataReady": st.builds(
        DataReady, word, word, st.lists(word, max_size=3).map(tuple), st.dictionaries(word, whole)
    ),
    "Calibrated": st.builds(Calibrated, table, table, number, number, number),
    "EpochEnd": st.builds(
        EpochEnd,
        *(word, whole, number, number, number),
        st.lists(numbers, max_size=3).map(tuple),
        numbers,
        st.none() | number,
    ),
    "Evaluated": st.builds(Evaluated, arch, number, number, whole, whole),
    "Measured": st.builds(
        Measured, arch, number, number, number, whole, st.tuples(number, number, number)
    ),
    "Trained": st.builds(Trained, arch, word, st.none() | number, number, number, number),
    "Filtered": st.builds(Filtered, whole, st.dictionaries(word, whole, max_size=3)),
    "Learned": st.builds(Learned, table, number, whole),
    "Foreseen": st.builds(Foreseen, st.lists(table, max_size=2).map(tuple)),
    "Screened": st.builds(
        Screened, whole, st.dictionaries(word, st.dictionaries(word, number, max_size=2))
    ),
    "Conflicts": st.builds(
        Conflicts,
        word,
        st.lists(word, max_size=3).map(tuple),
        st.lists(numbers, max_size=3).map(tuple),
    ),
    "StandAlone": st.builds(StandAlone, arch, whole, number, whole, word),
    "Trusted": st.builds(Trusted, table),
    "Part": st.builds(Part, whole, word),
    "Compared": st.builds(Compared, table),
    "Exported": st.builds(Exported, arch, word, table),
    "Warned": st.builds(Warned, word),
    "Failed": st.builds(Failed, word, word, word),
    "Finished": st.builds(Finished, word, number),
}
any_event = st.one_of(*by_kind.values())


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events in an order that a worker may write: measured only after evaluated."""
    log: list[Event] = []
    known: set[str] = set()
    for event in draw(st.lists(any_event, max_size=20)):
        if isinstance(event, Resumed):
            kept = [e for e in fold(log).kept if isinstance(e, Progress)]
            event = Resumed(draw(st.sampled_from([0, *(e.step for e in kept)])))
            log.append(event)
            known = set(fold(log).candidates)
        elif isinstance(event, Measured) and event.arch not in known:
            continue
        else:
            known |= {event.arch} if isinstance(event, Evaluated) else set()
            log.append(event)
    return log


def test_every_kind_of_event_is_drawn():
    assert by_kind.keys() == KINDS.keys()


@given(any_event)
def test_an_event_survives_its_json(event: Event):
    payload = json.loads(json.dumps(to_payload(event), allow_nan=False))
    assert from_payload(type(event).__name__, payload) == event


@given(logs(), st.integers(0, 20))
def test_folding_a_prefix_then_the_rest_equals_folding_all(log: list[Event], cut: int):
    assert fold(log[cut:], fold(log[:cut])) == fold(log)


# -- the crash rule: a worker that may die between any two writes ---------------------------------


class Crash(Exception):
    """The power goes off."""


@dataclass
class Disk:
    """What survives a crash: an appended log and the newest checkpoint (step, state)."""

    log: list[Event] = field(default_factory=list)
    checkpoint: tuple[int, int] = (0, 0)
    writes_left: int = 10**9

    def append(self, event: Event) -> None:
        """One write to the log."""
        self._spend()
        self.log.append(event)

    def save(self, step: int, state: int) -> None:
        """One write of the checkpoint."""
        self._spend()
        self.checkpoint = (step, state)

    def _spend(self) -> None:
        if self.writes_left == 0:
            raise Crash
        self.writes_left -= 1


def work(disk: Disk, steps: int) -> None:
    """A worker in small: its state is what a search's weights and randomness are."""
    start, state = disk.checkpoint
    disk.append(Resumed(start))
    for step in range(start, steps):
        state = (state * 31 + step + 7) % 1009
        for i in range(state % 4):
            name = f"k3e{(state + i) % 5}"
            disk.append(Evaluated(name, state / 1009, 1.0 + i, state, state))
            if i % 2:
                disk.append(Measured(name, 1.0, 1.0, 1.0, state, (1.0, 2.0)))
        disk.append(EpochEnd("search", step, state, 1.0, 0.0, (), ()))
        disk.append(Progress(step + 1, steps, "search"))
        disk.save(step + 1, state)
    disk.append(Finished("budget used", 1.0))


def without_restarts(view: View) -> View:
    """The view without what tells only that there were restarts."""
    return replace(view, kept=[e for e in view.kept if not isinstance(e, Resumed)])


@settings(max_examples=500)
@given(st.integers(1, 6), st.lists(st.integers(0, 25), max_size=5))
def test_a_run_that_crashed_anywhere_ends_in_the_view_of_one_that_did_not(
    steps: int, crashes: list[int]
):
    calm, rough = Disk(), Disk()
    work(calm, steps)
    for writes in crashes:
        rough.writes_left = writes
        try:
            work(rough, steps)
        except Crash:
            continue
        break
    rough.writes_left = 10**9
    if not any(isinstance(e, Finished) for e in fold(rough.log).kept):
        work(rough, steps)
    assert without_restarts(fold(rough.log)) == without_restarts(fold(calm.log))
