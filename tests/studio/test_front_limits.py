"""A search with limits beside that of latency, on the page of its front."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.front.limits import Limits
from engine.spec import RunSpec
from engine.workspace import Workspace
from studio import state
from studio.parts import front_view
from tests.studio import fake_run
from tests.studio.conftest import Opening, words


def limited(root: Path) -> tuple[Workspace, int, Limits]:
    """The events of a finished search again, as of one with a limit that half of them break."""
    fake = fake_run.make(root)
    first = fake_run.search(fake)
    params = sorted(c.params for c in fake.store.view(first).candidates.values())
    limits = Limits(params=params[len(params) // 2])
    spec = fake.store.run(first).spec
    assert isinstance(spec, RunSpec)
    run = fake.store.create_run(replace(spec, limits=limits))
    fake.store.append(run, *fake.store.events_after(first)[0])
    fake.store.set_state(run, "finished")
    return fake.workspace, run, limits


def test_the_studio_s_view_of_a_search_knows_its_limits_from_the_first_event_on(root):
    workspace, first, limits = limited(root)
    events = workspace.store.events_after(first)[0]
    run = workspace.store.create_run(workspace.store.run(first).spec)
    workspace.store.append(run, *events[:20])
    assert state.run_view(workspace, run).limits == limits
    workspace.store.append(run, *events[20:])
    view = state.run_view(workspace, run)
    assert view.front()
    assert all(c.params <= limits.params for c in view.front())


def test_the_best_is_within_all_limits_also_when_one_was_over_when_measured_again(root):
    workspace, run, limits = limited(root)
    view = state.run_view(workspace, run)
    best = front_view.best_of(view, fake_run.LIMIT_MS, ())
    assert best
    assert best.params <= limits.params
    other = front_view.best_of(view, fake_run.LIMIT_MS, {best.arch})
    assert other is None or other.params <= limits.params


def test_the_page_draws_the_others_faint_and_says_why(root, open_page: Opening):
    workspace, run, _ = limited(root)
    at = open_page("front", workspace, run=run)
    assert not at.exception
    assert "or above another limit than that of latency" in words(at)
    plain = fake_run.make(root, "Plain")
    at = open_page("front", plain.workspace, run=fake_run.search(plain))
    assert "above another limit" not in words(at)
