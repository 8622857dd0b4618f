"""The view that events fold into, by example; its laws are in tests/properties."""

from __future__ import annotations

from engine.events import (
    Evaluated,
    Failed,
    Finished,
    Measured,
    Progress,
    Resumed,
    Warned,
    fold,
)


def evaluated(arch: str, accuracy: float, ms: float) -> Evaluated:
    return Evaluated(arch, accuracy, ms, 100, 1000)


def measured(arch: str, *sessions: float) -> Measured:
    return Measured(arch, sorted(sessions)[len(sessions) // 2], 2.0, 3.0, 300, sessions)


def test_an_evaluated_architecture_is_predicted_until_measured():
    view = fold([evaluated("k3e3", 0.9, 1.0)])
    assert view.candidates["k3e3"].latency_source == "predicted"
    view = fold([measured("k3e3", 1.2, 1.1, 1.3)], view)
    candidate = view.candidates["k3e3"]
    assert (candidate.latency_source, candidate.latency_ms) == ("measured", 1.2)


def test_evaluating_again_keeps_the_measurement():
    view = fold([evaluated("k3e3", 0.9, 1.0), measured("k3e3", 1.0), evaluated("k3e3", 0.8, 1.0)])
    candidate = view.candidates["k3e3"]
    assert (candidate.proxy_accuracy, candidate.latency_source) == (0.8, "measured")


def test_the_best_is_measured_within_the_limit_in_every_session():
    view = fold(
        [
            evaluated("k5e6", 0.99, 1.0),
            evaluated("k5e3", 0.95, 0.9),
            evaluated("k3e3", 0.90, 0.8),
            measured("k5e3", 0.9, 1.1, 0.9),
            measured("k3e3", 0.8, 0.9, 0.8),
        ]
    )
    best = view.best(1.0)
    assert best is not None
    assert best.arch == "k3e3"


def test_a_prediction_alone_is_never_within_the_limit():
    assert fold([evaluated("k3e3", 0.9, 0.1)]).best(1.0) is None


def test_of_equally_accurate_architectures_the_faster_is_best():
    view = fold(
        [
            evaluated("k5e3", 0.9, 0.9),
            evaluated("k3e3", 0.9, 0.8),
            measured("k5e3", 0.9),
            measured("k3e3", 0.8),
        ]
    )
    best = view.best(1.0)
    assert best is not None
    assert best.arch == "k3e3"


def test_the_front_goes_by_prediction_for_measured_members_too():
    view = fold([evaluated("k3e3", 0.8, 1.0), evaluated("k5e3", 0.9, 2.0), measured("k3e3", 5.0)])
    assert [c.arch for c in view.front()] == ["k3e3", "k5e3"]


def test_resuming_forgets_what_came_after_the_checkpoint():
    view = fold(
        [
            Resumed(0),
            evaluated("k3e3", 0.9, 1.0),
            Progress(1, 3, "search"),
            evaluated("k5e3", 0.9, 1.0),
            Warned("busy"),
            Progress(2, 3, "search"),
            Resumed(1),
        ]
    )
    assert (view.step, set(view.candidates), view.warnings) == (1, {"k3e3"}, [])


def test_resuming_from_the_beginning_forgets_everything():
    view = fold([Resumed(0), evaluated("k3e3", 0.9, 1.0), Failed("no disk"), Resumed(0)])
    assert (view.candidates, view.failed, view.kept) == ({}, None, [Resumed(0)])


def test_a_finished_run_says_why():
    assert fold([Finished("budget used", 3.5)]).finished == Finished("budget used", 3.5)
