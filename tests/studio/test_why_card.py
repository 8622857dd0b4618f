"""Why this model: what other choices would cost, the useful ones first, and opening them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.events import Evaluated
from engine.explain.regression import Estimate
from engine.explain.why import Change
from engine.space import Arch
from studio.parts import network_card, why_card
from tests.studio import fake_run, fake_why
from tests.studio.conftest import Opening, labels, words
from tests.studio.fake_run import LIMIT_MS
from tests.studio.fake_why import Planted

ROOM = 0.01


@pytest.fixture
def searched(root: Path) -> tuple[Planted, int]:
    """A finished search whose last stage is better off with small kernels, and its id."""
    return fake_why.make(root)


def change(ms: float, value: float | None, half: float | None = 0.001, **more: Any) -> Change:
    if value is None or half is None:
        accuracy = Estimate(value, why="too few")
    else:
        accuracy = Estimate(value, value - half, value + half)
    fields: dict[str, Any] = {"arch": "k3e3", "words": "kernel 5→3 in layer 4", "evaluated": False}
    return Change(ms=ms, params=0, macs=0, accuracy=accuracy, **(fields | more))


def table(at: AppTest) -> Any:
    return at.dataframe[-1].value


def picking(monkeypatch: pytest.MonkeyPatch, row: int) -> None:
    """Has the list answer as if somebody had picked a row: tests have no canvas to click on."""
    drawn = why_card.st.dataframe

    def picked(*args: object, **options: Any) -> object:
        drawn(*args, **options)
        return {"selection": {"rows": [row]}}

    monkeypatch.setattr(why_card.st, "dataframe", picked)


def test_useful_changes_come_first_and_those_over_the_limit_after_what_is_possible() -> None:
    wanted = [
        change(-0.002, 0.01),
        change(0.002, 0.02),
        change(0.002, 0.01),
        change(-0.004, -0.01, 0.05),
        change(-0.002, 0.01, None),
        change(-0.010, -0.01),
        change(-0.001, -0.01),
        change(0.02, 0.05),
        change(0.002, 0.001, 0.05),
        change(0.002, -0.05),
        change(-0.05, None),
    ]
    assert why_card.useful(wanted[::-1], ROOM) == wanted


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (change(-0.002, 0.01), "faster and more accurate"),
        (change(0.002, 0.01), "more accurate, no faster"),
        (change(0.0, 0.01), "more accurate, no faster"),
        (change(0.02, 0.01), "more accurate, over the limit"),
        (change(-0.002, 0.01, 0.05), "faster, uncertain"),
        (change(-0.002, 0.01, None), "faster, uncertain"),
        (change(0.002, 0.01, 0.05), "no faster, uncertain"),
        (change(-0.002, None), "accuracy cannot be told"),
    ],
)
def test_what_a_change_comes_to_is_said_in_words(made: Change, said: str) -> None:
    assert why_card.SAYS[why_card.kind_of(made, ROOM)] == said


@pytest.mark.parametrize(
    ("said", "place", "what"),
    [
        ("kernel 5→3 in layer 4", "Layer 4", "kernel 5 → 3"),
        ("3→2 layers and kernel 5→3 in stage 2", "Stage 2", "3 → 2 layers and kernel 5 → 3"),
        ("layer 4 left out", "Layer 4", "left out"),
        ("k3e3 added as layer 4", "Layer 4", "k3e3 added"),
        ("2 times k3e3 added as stage 2", "Stage 2", "2 times k3e3 added"),
    ],
)
def test_a_change_is_split_into_where_and_what(said: str, place: str, what: str) -> None:
    assert why_card.placed(said) == (place, what)


def test_a_change_in_one_sentence_has_units_signs_and_its_interval() -> None:
    told = change(-0.041, -0.003, 0.003)
    assert why_card.sentence(told, 2) == (
        "Layer 4: kernel 5 → 3 · −0.04\u202fms · −0.3 points (−0.6 to 0.0)"
    )


def test_a_change_without_an_interval_says_why() -> None:
    assert why_card.sentence(change(0.01, 0.02, None), 2).endswith("+2.0 points (a guess: too few)")
    unknown = why_card.sentence(change(0.01, None), 2)
    assert unknown.endswith("+0.01\u202fms · accuracy cannot be told: too few")
    assert "both evaluated" in why_card.sentence(change(0.01, 0.02, 0.0, evaluated=True), 2)


def test_the_page_lists_what_other_choices_would_cost(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    arch = "k3e3-skip-k5e3-skip-k3e6-k5e6-k3e6-skip"
    at = open_page("model", fake.workspace, run=run, arch=arch)
    assert "Why this model?" in [s.value for s in at.subheader]
    shown = table(at)
    assert len(shown) == why_card.SHOWN
    first = shown.iloc[0]
    assert (first["where"], first["which is"]) == ("stage3.1", "faster and more accurate")
    assert first["instead"] == "kernel 5 → 3"
    other = Arch.parse("k3e3-skip-k5e3-skip-k3e6-k3e6-k3e6-skip")
    assert first["latency, ms"] == pytest.approx(fake.ms(other) - fake.ms(Arch.parse(arch)))
    assert 3 < first["accuracy, points"] < 7
    assert "no random sample" in words(at)


def test_all_changes_are_shown_when_asked_for(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    at = open_page("model", fake.workspace, run=run)
    many = next(t for t in at.toggle if t.label.startswith("Show all"))
    many.set_value(True).run()
    assert len(table(at)) == sum(len(gene.values) - 1 for gene in fake.space.genes())


def test_a_picked_change_leads_to_the_network_it_makes(
    searched: tuple[Planted, int], open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, run = searched
    at = open_page("model", fake.workspace, run=run)
    assert "Open this network" not in labels(at)
    before = at.selectbox[0].value
    picking(monkeypatch, 0)
    at.run()
    leads = at.code[-1].value
    assert re.search(r"^stage\d\\\.\d\\: ", words(at), re.M)
    assert "Layer " not in words(at)
    next(b for b in at.button if b.label == "Open this network").click().run()
    assert at.selectbox[0].value == leads != before
    assert sum(a != b for a, b in zip(leads.split("-"), before.split("-"), strict=True)) == 1


def test_before_the_front_is_searched_the_page_says_when_it_tells(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running", share=0.1)
    fake.store.append(run, Evaluated(str(fake.space.smallest()), 0.5, 0.04, 1, 1))
    said = words(open_page("model", fake.workspace, run=run))
    assert "evaluated too few networks to say" in said
    assert "Most useful first" not in said


def test_few_networks_give_guesses_that_are_called_so(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, candidates=24)
    at = open_page("model", fake.workspace, run=run)
    assert {"a guess", "not known", "both evaluated"} >= set(table(at)["interval"])
    assert "a guess" in set(table(at)["interval"])


def test_without_a_latency_table_the_way_to_one_is_offered(
    searched: tuple[Planted, int], open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_card, "model_of", lambda *_: None)
    at = open_page("model", searched[0].workspace)
    assert "its latency table is not there" in words(at)
    assert "Measure this computer" in [link.proto.label for link in at.get("page_link")]
    assert not at.error


def test_a_network_that_was_not_evaluated_has_its_changes_too(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    known = fake.store.view(run).candidates
    arch = next(a for a in map(str, neighbours(fake)) if a not in known)
    at = open_page("model", fake.workspace, run=run, arch=arch)
    assert "did not evaluate this network" in words(at)
    assert "both evaluated" not in set(table(at)["interval"])


def neighbours(fake: Planted) -> list[Arch]:
    best = fake.store.view(1).best(LIMIT_MS)
    assert best is not None
    ops = Arch.parse(best.arch).ops
    return [Arch((op, *ops[1:])) for op in fake.space.slots()[0].ops]
