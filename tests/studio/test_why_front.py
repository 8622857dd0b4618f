"""Below a front: what each choice does, which are in each other's way, and a smaller space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.events import Conflicts, Evaluated
from engine.space import SearchSpace
from engine.spec import ConflictSpec, Spec
from engine.workspace import Workspace
from studio import composing, state
from studio.parts import conflicts_card, effects_card, lessons, network_card, shrink_card
from tests.studio import fake_run, fake_why
from tests.studio.conftest import Opening, labels, words
from tests.studio.fake_run import LIMIT_MS
from tests.studio.fake_why import Planted

KERNELS = [3, 5]


@pytest.fixture
def searched(root: Path) -> tuple[Planted, int]:
    """A finished search whose last stage is better off without 5×5 kernels, and its id."""
    return fake_why.make(root)


def press(at: AppTest, label: str) -> AppTest:
    return next(b for b in at.button if b.label == label).click().run()


def pictures(at: AppTest) -> list[Any]:
    """Charts that tell of effects or conflicts: their words."""
    said = [chart.proto.alt for chart in at.get("vega_lite_chart")]
    return [alt for alt in said if alt.startswith(("Effects", "Cosines"))]


def last_kernels(workspace: Workspace) -> list[int]:
    """Kernels that the last stage of the workspace's space offers."""
    (option,) = state.drafted_space(workspace).stages[-1].options
    return list(dict(option.choices)["kernel"])


# -- what each choice does ------------------------------------------------------------------------


def test_the_most_influential_choices_are_drawn_with_what_they_rest_on(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    at = open_page("front", searched[0].workspace)
    (alt,) = pictures(at)
    assert alt.startswith(f"Effects of {effects_card.SHOWN} choices, with intervals:")
    assert " in stage3." in alt
    assert "layer " not in alt
    said = words(at)
    assert "From 240 networks; choices one by one explain 9" in said
    assert "no random sample" in said


def test_all_choices_are_drawn_when_asked_for(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    at = open_page("front", searched[0].workspace)
    toggle = next(t for t in at.toggle if t.label == "Show all 22 choices")
    toggle.set_value(True).run()
    assert pictures(at)[0].startswith("Effects of 22 choices")


@pytest.mark.parametrize(
    ("epochs", "advice", "link"),
    [
        (20, "Up to 40 epochs, a longer search evaluates more", "Search for longer"),
        (40, "A space with fewer choices needs fewer", "Change the space"),
    ],
)
def test_too_few_networks_for_the_choices_are_said_to_be_with_what_to_do(
    root: Path, open_page: Opening, epochs: int, advice: str, link: str
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, candidates=24, epochs=epochs)
    at = open_page("front", fake.workspace)
    assert not pictures(at)
    assert "24 evaluated networks for 22 effects are too few" in words(at)
    assert advice in words(at)
    assert link in [one.proto.label for one in at.get("page_link")]
    assert "Too few networks were evaluated to say what is useless" in words(at)


def test_while_a_search_goes_on_the_advice_is_to_wait(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running", share=0.1)
    fake.store.append(run, Evaluated(str(fake.space.smallest()), 0.5, 0.04, 1, 1))
    said = words(open_page("front", fake.workspace))
    assert "1 evaluated network is too few to tell what a choice does. Let the search go on" in said
    assert "This can be measured once the search has ended" in said


def test_without_networks_nothing_of_it_is_drawn(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "running", share=0.1)
    at = open_page("front", fake.workspace)
    assert "What each choice does" not in [s.value for s in at.subheader]


def test_a_page_drawn_again_computes_nothing_again(
    searched: tuple[Planted, int], open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page("front", searched[0].workspace)
    monkeypatch.delattr(lessons, "Why")
    monkeypatch.delattr(lessons, "shrink")
    at.run()
    assert not at.error
    assert pictures(at)


# -- conflicts ------------------------------------------------------------------------------------


def test_conflicts_are_explained_and_measured_on_request(
    searched: tuple[Planted, int], open_page: Opening, started: list[Spec]
) -> None:
    fake, run = searched
    at = open_page("front", fake.workspace)
    assert "both are judged worse than they are" in words(at)
    press(at, "Measure")
    assert started == [ConflictSpec(run)]


def test_a_measuring_that_goes_on_says_how_far_it_is(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    fake_why.conflicts(fake, run, "running", share=0.5)
    at = open_page("front", fake.workspace)
    (bar,) = at.get("progress")
    assert bar.proto.value == 50
    assert "8\u202fs left" in bar.proto.text
    assert "Place 4 of 8" in words(at)
    assert not {"Measure", "Measure again"} & set(labels(at))
    assert "Pause" in labels(at)


def test_measured_conflicts_are_a_heat_map_and_a_sentence(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    fake_why.conflicts(fake, run)
    at = open_page("front", fake.workspace)
    assert "left out and k5e6 in stage1\\.2 (−0.31). 1 of 72 pairs pulls apart." in words(at)
    assert "between the gradients of 5 choices of stage1.2" in pictures(at)[1]
    layer = next(s for s in at.selectbox if s.label == "Layer" and "conflicts" in (s.key or ""))
    layer.set_value("stage2.1").run()
    assert "of 4 choices of stage2.1" in pictures(at)[1]
    assert "Measure again" in labels(at)


def test_where_nothing_pulls_apart_the_sentence_says_so() -> None:
    table = ((1.0, 0.4), (0.4, 1.0))
    said = conflicts_card.summary([Conflicts("stage1.1", ("k3e3", "k5e3"), table)])
    assert said.startswith("No two choices pull the shared weights apart; k3e3 and k5e3 in")


def test_a_measuring_that_failed_says_why_and_can_be_asked_again(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    fake_why.conflicts(fake, run, "failed", share=0.0)
    at = open_page("front", fake.workspace)
    assert "damaged copy" in at.error[0].value
    assert "Measure again" in labels(at)


def test_conflicts_of_another_search_are_not_shown(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    fake_why.conflicts(fake, run)
    other = fake_run.search(fake, seed=3)
    at = open_page("front", fake.workspace, run=other)
    assert len(pictures(at)) == 1
    assert "Measure" in labels(at)


# -- shrinking ------------------------------------------------------------------------------------


def test_what_would_go_is_said_before_anything_changes(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, _ = searched
    at = open_page("front", fake.workspace)
    said = words(at)
    assert "**250\u202f000 → 45\u202f000 networks** · 10⁵·⁴ → 10⁴·⁷" in said
    assert "Stage 3\\: kernel 5 goes" in said
    assert "points better in every layer" in said
    assert last_kernels(fake.workspace) == KERNELS


def test_one_click_makes_the_smaller_space_a_revision_with_its_reason(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    store = fake.store
    before, revision = store.document("space"), store.revision("space")
    searched_for = store.run(run).spec
    at = press(open_page("front", fake.workspace), "Shrink the space")
    assert last_kernels(fake.workspace) == [3]
    assert store.revision("space") == revision + 1
    assert store.document("space", revision) == before
    assert composing.reasons(fake.workspace, 9)[revision + 1] == f"shrunk after search {run}"
    assert "The space was shrunk: **250\u202f000 → 45\u202f000 networks**" in words(at)
    links = [one.proto.label for one in at.get("page_link")]
    assert {"Look at it on Compose", "Search the smaller space"} <= set(links)
    assert store.run(run).spec == searched_for
    assert state.device_model(fake.workspace) is not None


def test_a_shrunk_space_keeps_its_name_and_its_classes(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, _ = searched
    named = fake.space.to_json() | {"name": "mine", "classes": 7}
    fake.store.save("space", named)
    press(open_page("front", fake.workspace), "Shrink the space")
    drafted = state.drafted_space(fake.workspace)
    assert (drafted.name, drafted.classes) == ("mine", 7)
    assert last_kernels(fake.workspace) == [3]


def test_undo_brings_the_space_back_and_keeps_both_revisions(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, _ = searched
    store = fake.store
    revision = store.revision("space")
    at = press(press(open_page("front", fake.workspace), "Shrink the space"), "Undo")
    assert state.drafted_space(fake.workspace) == fake.space
    assert store.revision("space") == revision + 2
    reason = composing.reasons(fake.workspace, 9)[revision + 2]
    assert reason == f"revision {revision} brought back"
    assert "Shrink the space" in labels(at)


def test_a_space_that_was_edited_since_is_not_overwritten_without_asking(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    edited = fake.space.to_json() | {"head": {"width": 64, "dropout": 0.2}}
    fake.store.save("space", edited)
    revision = fake.store.revision("space")
    at = open_page("front", fake.workspace)
    assert "Shrink the space" not in labels(at)
    assert f"(revision {revision}) is no longer the one of search {run}" in words(at)
    press(at, "Shrink it anyway")
    shrunk = state.drafted_space(fake.workspace)
    assert shrunk.head == fake.space.head
    assert last_kernels(fake.workspace) == [3]
    assert SearchSpace.from_json(fake.store.document("space", revision)) == SearchSpace.from_json(
        edited
    )


def test_a_draft_on_the_canvas_is_not_taken_off_without_asking(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, _ = searched
    draft = {"revision": fake.store.revision("space"), "document": {}}
    fake.store.save("space-draft", draft)
    at = open_page("front", fake.workspace)
    assert "A draft that cannot be built yet lies on the canvas" in words(at)
    assert "Shrink the space" not in labels(at)


def test_a_space_that_is_the_smaller_one_already_is_not_saved_again(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, _ = searched
    press(open_page("front", fake.workspace), "Shrink the space")
    smaller = state.drafted_space(fake.workspace).to_json()
    fake.store.save("space", fake.space.to_json())
    fake.store.save("space", smaller)
    at = open_page("front", fake.workspace)
    assert "is this smaller one already" in words(at)
    assert not {"Shrink the space", "Shrink it anyway"} & set(labels(at))


def test_what_was_trained_or_is_the_best_stays_in_the_space(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    worse = next(a for a in fake.store.view(run).candidates if a.split("-")[-1].startswith("k5"))
    fake_run.train(fake, run, worse)
    at = open_page("front", fake.workspace)
    assert "Nothing can go" in words(at)
    assert "Shrink the space" not in labels(at)


def test_a_search_that_uses_everything_says_that_nothing_can_go(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake)
    assert "Nothing can go" in words(open_page("front", fake.workspace))


def test_without_a_latency_table_shrinking_says_what_it_needs(
    searched: tuple[Planted, int], open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_card, "model_of", lambda *_: None)
    at = open_page("front", searched[0].workspace)
    assert "To see what may go, this computer must have been measured" in words(at)


def test_numbers_too_long_to_read_are_written_as_powers_alone() -> None:
    assert shrink_card.sizes(10**30, 10**24) == "**10³⁰ → 10²⁴ networks**"
    assert shrink_card.sizes(40, 1) == "**40 → 1 network** · 10¹·⁶ → 10⁰"


def test_the_best_within_the_limit_is_in_the_smaller_space(
    searched: tuple[Planted, int], open_page: Opening
) -> None:
    fake, run = searched
    press(open_page("front", fake.workspace), "Shrink the space")
    best = fake.store.view(run).best(LIMIT_MS)
    assert best is not None
    ops = best.arch.split("-")
    slots = state.drafted_space(fake.workspace).slots()
    assert all(op in slot.ops for op, slot in zip(ops, slots, strict=True))
