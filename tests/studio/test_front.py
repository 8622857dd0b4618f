"""The Front page: what is picked, by chart, table and address; what may be said about the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.events import Evaluated, Measured
from engine.store import Store
from studio.parts.front_view import error_words
from tests.studio import fake_run
from tests.studio.conftest import Opening, words
from tests.studio.fake_run import LIMIT_MS


def picked(at: AppTest) -> list[str]:
    return [c.value for c in at.code]


def chart_rows(at: AppTest) -> Any:
    return at.get("vega_lite_chart")[0].proto


def test_without_a_search_the_page_says_what_will_be_here_and_leads_to_it(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    at = open_page("front", fake.workspace)
    assert [s.value for s in at.subheader] == ["No front yet"]
    assert "Start a search" in [link.proto.label for link in at.get("page_link")]


def test_while_the_weights_are_trained_the_page_says_so(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "running", share=0.2)
    at = open_page("front", fake.workspace)
    assert "No network has been evaluated yet" in words(at)
    assert not at.get("vega_lite_chart")


@pytest.mark.parametrize("page", ["front", "model"])
def test_a_later_search_without_networks_does_not_hide_an_earlier_one(
    root: Path, open_page: Opening, page: str
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    fake_run.search(fake, "stopped", share=0.1)
    at = open_page(page, fake.workspace)
    assert at.query_params["run"] == str(run)
    assert at.code or at.selectbox[1].value in fake.store.view(run).candidates


@pytest.mark.parametrize("page", ["front", "model"])
@pytest.mark.parametrize("state", ["stopped", "crashed", "failed"])
def test_a_search_that_ended_without_networks_says_so_and_offers_a_way_on(
    root: Path, open_page: Opening, page: str, state: str
) -> None:
    fake = fake_run.make(root)
    earlier = fake_run.search(fake)
    run = fake_run.search(fake, state, share=0.1)
    at = open_page(page, fake.workspace, run=run)
    assert "No network was evaluated" in words(at)
    assert "Resume" in [b.label for b in at.button]
    offered = [p.proto.label for p in at.get("page_link")]
    assert f"Open search {earlier}, the last with networks" in offered


def test_the_best_within_the_limit_is_picked_to_begin_with(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    best = fake.store.view(run).best(LIMIT_MS)
    at = open_page("front", fake.workspace)
    assert best is not None
    assert picked(at) == [best.arch]
    assert "Best within the limit" in words(at)
    assert "measured within the limit of 0.0800\u202fms" in words(at)


def test_a_measurement_counts_more_than_the_prediction_it_corrects(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    arch, ms = "skip-skip-k5e6-skip-skip-k5e6-skip-skip", LIMIT_MS * 0.99
    fake.store.append(
        run,
        Evaluated(arch, 0.999, LIMIT_MS * 1.01, 9000, 60_000),
        Measured(arch, ms, ms, ms, 500, (ms, ms)),
    )
    at = open_page("front", fake.workspace)
    assert picked(at) == [arch]
    assert "Best within the limit" in words(at)


def test_mid_run_nothing_is_called_within_the_limit(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "running")
    at = open_page("front", fake.workspace)
    assert "No network has been measured within the limit" in words(at)
    assert "predicted within the limit of 0.0800\u202fms, not measured yet" in words(at)
    assert ":material/check_circle:] median measured within" not in words(at)
    assert "Best within the limit" not in words(at)


def test_a_network_measured_over_the_limit_is_called_so(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    arch = over_the_limit(fake.store, run)
    at = open_page("front", fake.workspace, arch=arch)
    assert picked(at) == [arch]
    assert "measured over the limit of 0.0800\u202fms" in words(at)
    assert ":material/check_circle:] median measured within" not in words(at)


def over_the_limit(store: Store, run: int) -> str:
    """A network that is predicted just within the limit and measured just over it."""
    arch = "skip-skip-k5e6-skip-skip-k5e6-skip-skip"
    slow = LIMIT_MS * 1.001
    store.append(
        run,
        Evaluated(arch, 0.999, LIMIT_MS * 0.999, 9000, 60_000),
        Measured(arch, LIMIT_MS * 0.9999, slow, slow, 500, (LIMIT_MS * 0.9999, slow)),
    )
    return arch


def test_the_address_picks_a_network(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    member = fake.store.view(run).front()[0]
    at = open_page("front", fake.workspace, run=run, arch=member.arch)
    assert picked(at) == [member.arch]


def test_an_architecture_in_the_address_that_nobody_evaluated_is_no_pick(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    best = fake.store.view(run).best(LIMIT_MS)
    at = open_page("front", fake.workspace, arch="k3e3")
    assert best is not None
    assert picked(at) == [best.arch]


def test_what_was_clicked_stays_picked_while_points_arrive(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running")
    at = open_page("front", fake.workspace)
    dominated = next(iter(fake.store.view(run).candidates))
    at.session_state[f"front.pick.{run}"] = dominated
    fake.store.append(run, Evaluated("skip-skip-k3e6-skip-skip-k3e6-skip-skip", 0.9, 0.05, 1, 1))
    at.run()
    assert picked(at) == [dominated]


def test_the_table_lists_the_front_and_marks_the_pick(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    front = fake.store.view(run).front()
    best = fake.store.view(run).best(LIMIT_MS)
    at = open_page("front", fake.workspace)
    table = at.dataframe[0].value
    assert list(table["architecture"]) == [c.arch for c in front]
    assert best is not None
    assert list(table["architecture"][table[""] == "best"]) == [best.arch]


def test_exported_networks_are_marked(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    member = fake.store.view(run).front()[1]
    fake_run.export(fake, run, member.arch)
    table = open_page("front", fake.workspace).dataframe[0].value
    assert list(table["architecture"][table[""] == "exported"]) == [member.arch]


def test_two_networks_are_compared_side_by_side(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    view = fake.store.view(run)
    at = open_page("front", fake.workspace)
    compare = next(s for s in at.selectbox if s.label == "Compare with")
    compare.set_value(view.front()[0].arch).run()
    best = view.best(LIMIT_MS)
    assert best is not None
    assert picked(at) == [best.arch, best.arch, view.front()[0].arch]
    assert "Side by side" in words(at)
    differences = at.table[0].value
    first = next(iter(differences["difference"]))
    assert first.startswith("−")
    assert first.endswith("percentage points")
    slots = next(d.value for d in at.dataframe if "compared" in d.value)
    assert list(slots["layer"]) == [slot.name for slot in fake.space.slots()]
    assert "skipped" in list(slots["compared"])


def test_a_failed_search_keeps_its_front_and_says_what_happened(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "failed", share=0.9)
    at = open_page("front", fake.workspace)
    assert "got a damaged copy" in words(at)
    assert at.get("vega_lite_chart")


def test_the_chart_is_told_in_words(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake)
    at = open_page("front", fake.workspace)
    assert "of 240 networks, limit 0.0800" in chart_rows(at).alt


def test_ten_thousand_networks_are_thinned_and_said_to_be(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, candidates=3000)
    at = open_page("front", fake.workspace)
    assert "of 3\u202f000 networks are drawn" in words(at)


@pytest.mark.parametrize(("held", "said"), [(30, "30 networks held out"), (0, "was not tested")])
def test_the_error_of_a_prediction_says_on_what_it_was_found(held: int, said: str) -> None:
    told = error_words({"mape": 0.021, "within_10pct": 1.0, "n_heldout": held})
    assert said in told
    assert ("2.1" in told) == bool(held)
