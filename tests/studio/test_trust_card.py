"""The trust meter on the Front page: asked for, going on, found; and the twelve checks below it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.events import Candidate, EpochEnd, Evaluated, Event, Failed, Resumed, StandAlone
from engine.spec import Spec, TrustSpec
from engine.store import Status
from engine.trust.checks import CHECKS
from engine.trust.verdict import TITLES
from studio.parts import checks_list, runs, trust_card, trust_report
from tests.studio import fake_run, fake_trust
from tests.studio.conftest import Opening, labels, words
from tests.studio.fake_run import Fake

Showing = Callable[[], AppTest]


@pytest.fixture
def shown(searched: Fake, open_page: Opening) -> Showing:
    """Opens Front on that search."""
    return lambda: open_page("front", searched.workspace, run=1)


def fields(at: AppTest) -> dict[str, Any]:
    return {n.label: n for n in at.number_input if (n.key or "").startswith("front.trust")}


def press(at: AppTest, label: str) -> AppTest:
    return next(b for b in at.button if b.label == label).click().run()


def alts(at: AppTest) -> list[str]:
    return [chart.proto.alt for chart in at.get("vega_lite_chart")]


# -- asking for it ------------------------------------------------------------------------------


def test_before_anybody_asked_a_sentence_says_what_would_be_done(shown: Showing) -> None:
    at = shown()
    assert "trains 8 networks alone and from scratch, with 4 seeds each, the pick and" in words(at)
    assert "Up to 44 trainings of 20 epochs" in words(at)
    assert "Judge this search" in labels(at)
    assert not at.error


def test_a_time_that_nobody_knows_is_not_made_up(shown: Showing) -> None:
    assert "How long that takes is unknown" in words(shown())


def test_a_training_of_this_search_tells_how_long_an_epoch_takes(
    searched: Fake, shown: Showing
) -> None:
    arch = searched.store.view(1).front()[0].arch
    fake_run.train(searched, 1, arch)
    assert "Roughly 16\u202fmin" in words(shown())  # 44 x 21.4 s


def test_another_search_s_training_tells_nothing(searched: Fake, shown: Showing) -> None:
    other = fake_run.search(searched)
    fake_run.train(searched, other, searched.store.view(other).front()[0].arch)
    assert "How long that takes is unknown" in words(shown())


def test_the_fields_are_the_usual_ones_and_change_what_is_promised(shown: Showing) -> None:
    at = shown()
    assert {name: f.value for name, f in fields(at).items()} == {
        "Networks": 8,
        "Seeds per set": 2,
        "Epochs": 20,
    }
    fields(at)["Networks"].set_value(12)
    fields(at)["Seeds per set"].set_value(1).run()
    assert "trains 12 networks alone and from scratch, with 2 seeds each" in words(at)
    assert "Up to 39 trainings" in words(at)  # 12 x 2, the pick with 3, 12 others


def test_the_button_starts_what_the_fields_say(shown: Showing, started: list[Spec]) -> None:
    at = shown()
    fields(at)["Epochs"].set_value(5).run()
    press(at, "Judge this search")
    assert started == [TrustSpec(1, 8, 2, 5)]
    assert "Judging this search" in words(at)
    assert "Judge this search" not in labels(at)


def test_while_something_else_goes_on_the_button_says_so(
    searched: Fake, shown: Showing, started: list[Spec]
) -> None:
    fake_run.profile(searched)
    at = press(shown(), "Judge this search")
    assert "is still going on" in at.error[0].value
    assert not started


def test_a_search_that_goes_on_cannot_be_judged_yet(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "running", share=0.9)
    at = open_page("front", fake.workspace)
    assert "judge it once it has ended" in words(at)
    assert "Judge this search" not in labels(at)


def test_a_search_without_networks_has_nothing_to_trust(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "stopped", share=0.1)
    assert "How far to trust it" not in words(open_page("front", fake.workspace))


def test_without_a_network_within_the_limit_no_pick_is_promised() -> None:
    spec = TrustSpec(1)
    assert trust_card.trainings(spec, None) == 32
    assert "the pick" not in trust_card.promise(spec, picks=False)


def test_epochs_of_the_search_tell_the_time_until_something_was_trained_alone(
    searched: Fake,
) -> None:
    store = searched.store
    run = store.create_run(replace(runs.search_spec(store.run(1)), seed=3))
    for number in range(3):
        store.append(run, EpochEnd("search", number, 0.1, 0.0, 0.0, (), ()))
    store.set_state(run, "finished")
    known = trust_card.pace(searched.workspace, store.run(run))
    assert known is not None
    assert known[1] == "one of the search"
    made = store.create_run(TrustSpec(run))
    for seed in range(3):
        store.append(made, StandAlone("k3e3", seed, 0.9, 20, "r1"))
    known = trust_card.pace(searched.workspace, store.run(run))
    assert known is not None
    assert known[1] == "in the trainings of the last judgement"


@pytest.mark.parametrize(
    ("times", "found"),
    [([], None), ([5.0], None), ([5.0, 5.0], None), ([0, 2, 4, 900, 902.5], 2.25)],
)
def test_a_pause_does_not_change_the_typical_gap(times: list[float], found: float | None) -> None:
    assert trust_card.typical(times) == found


# -- while it goes on ---------------------------------------------------------------------------


def test_a_meter_at_work_shows_progress_time_left_and_trainings(
    searched: Fake, shown: Showing
) -> None:
    fake_trust.judge(searched, 1, "running")
    at = shown()
    (bar,) = at.get("progress")
    assert "3\u202fmin left" in bar.proto.text
    assert "12 of 32 trainings done, 20 epochs each" in words(at)
    assert "Judge this search" not in labels(at)


def test_a_meter_at_work_can_be_stopped(searched: Fake, shown: Showing) -> None:
    run = fake_trust.judge(searched, 1, "running")
    press(shown(), "Stop")
    assert searched.store.wanted(run) == "stopped"


@pytest.mark.parametrize("state", ["stopped", "crashed"])
def test_a_meter_that_was_cut_off_goes_on_when_resumed(
    searched: Fake, shown: Showing, started: list[Spec], state: str
) -> None:
    fake_trust.judge(searched, 1, state)
    at = shown()
    assert "12 of 32 trainings done" in words(at)
    assert "Judge with other settings" in [e.label for e in at.expander]
    press(at, "Resume")
    assert started == [TrustSpec(1)]
    assert len(searched.store.runs("trust")) == 1


def test_a_meter_that_failed_says_why(searched: Fake, shown: Showing) -> None:
    run = fake_trust.judge(searched, 1, "failed")
    searched.store.append(run, Failed("space: must have at least 8 networks.", "Widen it."))
    assert "must have at least 8 networks" in words(shown())


def test_before_the_first_training_is_done_there_is_no_count(
    searched: Fake, shown: Showing
) -> None:
    store = searched.store
    run = store.create_run(TrustSpec(1))
    store.append(run, Resumed(0))
    store.report(run, Status("device", 0.1, None, ""))
    store.set_state(run, "running")
    searched.hold(run)
    assert "No training is done yet" in words(shown())


# -- what it found ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "colour"), [("good", "green"), ("fair", "amber"), ("weak", "red"), ("flat", "grey")]
)
def test_a_verdict_has_words_a_mark_and_a_colour_of_its_own(
    searched: Fake, shown: Showing, kind: str, colour: str
) -> None:
    fake_trust.judge(searched, 1, kind=kind)
    at = shown()
    told = next(m.value for m in at.markdown if m.value.startswith("#### "))
    name, icon = trust_report.LOOKS[colour]
    assert told.startswith(f"#### :{name}[{icon} {TITLES[colour][:-1]}")
    assert not at.error


def test_every_colour_of_a_verdict_looks_different() -> None:
    assert list(trust_report.LOOKS) == ["green", "amber", "grey", "red"]
    assert len(set(trust_report.LOOKS.values())) == len(TITLES)
    assert len({icon for _, icon in trust_report.LOOKS.values()}) == len(TITLES)


def test_all_sentences_of_the_verdict_are_said(searched: Fake, shown: Showing) -> None:
    run = fake_trust.judge(searched, 1, kind="fair")
    trusted = searched.store.view(run).trusted
    assert trusted is not None
    told = words(shown()).replace("\\", "")
    assert all(sentence in told for sentence in trusted.report["sentences"])


def test_two_pictures_are_told_in_words(searched: Fake, shown: Showing) -> None:
    fake_trust.judge(searched, 1)
    found = alts(shown())
    assert any("8 networks as points" in alt and "Kendall's tau 0.93" in alt for alt in found)
    assert any("noise ceiling 0.95" in alt and "MACs alone 0.71" in alt for alt in found)


def test_the_figures_have_units_and_a_sentence_each(searched: Fake, shown: Showing) -> None:
    fake_trust.judge(searched, 1)
    at = shown()
    found = {m.label: m.value for m in at.metric}
    assert found["Gain over chance"] == "+7.2 ± 1.3\u202f%"
    assert found["Spread of accuracy"] == "13.9\u202fpoints"
    assert found["Error of latency"] == "2.1\u202f%"
    assert found["Recalibrated batch norm"] == "+3.3\u202fpoints"
    assert "another seed changes 0.82 (s.d.)" in words(at)
    assert "tau goes from 0.86 to 0.93" in words(at)


def test_without_a_pick_there_is_no_gain_but_a_reason(searched: Fake, shown: Showing) -> None:
    fake_trust.judge(searched, 1, kind="alone")
    at = shown()
    assert next(m.value for m in at.metric if m.label == "Gain over chance") == "–"
    assert "No pick within the limit" in words(at)


def test_latency_that_was_not_tested_has_no_error(searched: Fake) -> None:
    report = fake_trust.report(searched, 1, "good") | {"latency": {"n_heldout": 0, "mape": None}}
    found = {name: (value, says) for name, value, says in trust_report.figures(report)}
    assert found["Error of latency"] == ("–", "Not tested: the space holds too few networks.")


def test_a_loss_and_a_spread_without_noise_are_written_as_such(searched: Fake) -> None:
    report = fake_trust.report(searched, 1, "good")
    report["improvement"] |= {"ri": -0.02, "se": 0.03, "real": False}
    report["spread"] |= {"seed_sd": 0.0, "times": None}
    found = {name: (value, says) for name, value, says in trust_report.figures(report)}
    assert found["Gain over chance"][0] == "−2.0 ± 3.0\u202f%"
    assert "not more than two standard errors" in found["Gain over chance"][1]
    assert "times" not in found["Spread of accuracy"][1]


def test_the_networks_are_listed_with_the_range_of_their_seeds(searched: Fake) -> None:
    report = fake_trust.report(searched, 1, "good")
    table = trust_report.table(report)
    first = report["networks"][0]
    accuracies = [accuracy for _, accuracy in first["alone"]]
    assert table["architecture"][0] == first["arch"]
    assert table["lowest seed"][0] == f"{100 * min(accuracies):.1f}\u202f%"
    assert len({len(column) for column in table.values()}) == 1


def test_a_report_on_weights_that_were_trained_further_says_so(
    searched: Fake, shown: Showing
) -> None:
    fake_trust.judge(searched, 1)
    assert "trained further since" not in words(shown())
    searched.store.append(1, Resumed(51))
    assert "trained further since" not in words(shown())
    candidate = searched.store.view(1).fresh()[0]
    searched.store.append(1, EpochEnd("front", 41, 0.1, 0.0, 0.0, (), ()), _again(candidate))
    assert "trained further since" in words(shown())


def _again(candidate: Candidate) -> Event:
    figures = candidate.proxy_accuracy, candidate.predicted_ms, candidate.params, candidate.macs
    return Evaluated(candidate.arch, *figures)


def test_the_last_report_stays_while_another_is_made(searched: Fake, shown: Showing) -> None:
    fake_trust.judge(searched, 1)
    fake_trust.judge(searched, 1, "stopped")
    at = shown()
    assert "The ranking can be trusted" in words(at)
    assert "12 of 32 trainings done" in words(at)
    assert "Judge again" in [e.label for e in at.expander]


def test_another_search_s_report_is_not_shown(searched: Fake, shown: Showing) -> None:
    other = fake_run.search(searched)
    fake_trust.judge(searched, other)
    assert "The ranking can be trusted" not in words(shown())


# -- the twelve checks --------------------------------------------------------------------------


def checked(at: AppTest) -> list[str]:
    columns = [m.value for m in at.markdown if "**1 Random" in m.value or "**7 Rank" in m.value]
    return "\n\n".join(columns).split("\n\n")


@pytest.mark.parametrize("judged", [False, True])
def test_the_twelve_checks_are_listed_in_order_before_and_after(
    searched: Fake, shown: Showing, judged: bool
) -> None:
    if judged:
        fake_trust.judge(searched, 1)
    found = [re.search(r"\*\*(\d+) ([^*]+)\*\*, (met|failed|open)", c) for c in checked(shown())]
    assert [(int(m[1]), m[2]) for m in found if m] == list(enumerate(CHECKS, 1))
    assert found[6] is not None
    assert found[6][3] == ("met" if judged else "open")


def test_a_check_has_a_mark_a_word_and_its_sentence(shown: Showing) -> None:
    lines = checked(shown())
    assert lines[2].startswith(f"{checks_list.MARKS['failed']} **3 One recipe**, failed")
    assert "which recipe they were trained with" in lines[2]
    assert len(set(checks_list.MARKS.values())) == 3


def test_the_summary_counts_every_state_that_occurs(shown: Showing) -> None:
    assert "**Twelve checks** · 5 met · 1 failed · 6 open" in words(shown())


def test_a_small_space_is_said_to_be_too_small(
    root: Path, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake)
    monkeypatch.setattr(trust_card, "FEWEST", fake.space.size() + 1)
    at = open_page("front", fake.workspace)
    assert "a ranking can be judged from" in words(at)
    assert "Judge this search" not in labels(at)
