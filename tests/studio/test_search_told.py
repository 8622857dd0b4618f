"""What the Search page tells of a search: what it was asked for, where it stands, its curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.data import prepare
from engine.front.limits import Limits
from engine.spec import DataChoice
from engine.store import Run
from engine.workspace import Workspace
from studio import state
from studio.parts import live, runs
from tests.studio import fake_run
from tests.studio.conftest import Opening, labels, words
from tests.studio.test_search import OPEN, ended


@pytest.mark.parametrize("page", ["search", "front"])
def test_a_search_names_its_strategy_and_all_its_limits(
    root: Path, open_page: Opening, page: str
) -> None:
    fake = fake_run.make(root)
    first = fake.store.run(fake_run.search(fake))
    limits = Limits(params=50_000, macs=9_000_000)
    spec = replace(runs.search_spec(first), strategy="one_shot", mode="fair", limits=limits)
    run = fake.store.create_run(spec)
    fake.store.append(run, *fake.store.events_after(first.id)[0])
    fake.store.set_state(run, "finished")
    said = "limit 0.0800\u202fms, ≤ 50\u202fk parameters, ≤ 9\u202fM MACs · 40 epochs"
    at = open_page(page, fake.workspace, run=run)
    assert f"One-shot · {said} · seed 0" in [c.value for c in at.caption]
    assert runs.label(fake.store.run(run)).startswith(f"Search {run} · One-shot · {said}")


def test_while_a_search_runs_it_stands_above_the_form_which_is_closed(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running")
    at = open_page("search", fake.workspace)
    drawn = labels(at)
    assert drawn.index("Stop") < drawn.index("Search")
    form = next(e for e in at.expander if e.label == "New search")
    assert not form.proto.expanded
    fake.store.set_state(run, "finished")
    drawn = labels(at.run())
    assert drawn.index("Search") < drawn.index("Stop")


def test_the_sentence_tells_of_images_that_the_running_search_has_read(
    root: Path, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "running", share=0.1)
    phase = live.phase

    def reads(workspace: Workspace, run: Run, name: str) -> None:
        shape = state.drafted_space(workspace).input
        prepare(DataChoice("digits"), workspace.data_folder, shape, lambda *_: None)
        phase(workspace, run, name)

    monkeypatch.setattr(live, "phase", reads)
    at = open_page("search", fake.workspace)
    said = [link.proto.label for link in at.get("page_link")]
    assert any("1\u202f797 images" in label for label in said)


@pytest.mark.parametrize(
    ("gated", "caption", "alt"),
    [
        (True, "its moving average after the warm-up", "Modelled latency over"),
        (False, "the networks that were trained, which need not", "Latency of what was trained"),
    ],
)
def test_latency_per_epoch_is_said_to_be_of_gates_or_of_what_was_trained(
    root: Path, open_page: Opening, gated: bool, caption: str, alt: str
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running", share=0.0)
    told = (ended(number, OPEN if gated else ()) for number in (1, 2))
    fake.store.append(run, *told)
    at = open_page("search", fake.workspace)
    assert caption in words(at)
    assert any(chart.proto.alt.startswith(alt) for chart in at.get("vega_lite_chart"))
