"""The Compare page: asking and what it costs, watching, the table, and what parts are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.methods import METHODS
from studio import launch, state
from studio.charts import contest
from studio.parts import comparison, comparison_form
from tests.studio import fake_compare, fake_run
from tests.studio.conftest import Opening, labels, words


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Run ids for which a worker would have been started."""
    ids: list[int] = []
    monkeypatch.setattr(launch, "_spawn", lambda _, run_id: ids.append(run_id))
    return ids


@pytest.fixture
def fake(root: Path) -> fake_run.Fake:
    return fake_run.make(root)


# -- asking ----------------------------------------------------------------------------------------


def test_without_a_measured_device_the_page_offers_to_measure_it(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root, profiled=False)
    at = open_page("compare", fake.workspace)
    assert "Measure this computer" in labels(at)
    assert "Compare" not in labels(at)
    assert "What will be here" in words(at)


def test_without_a_limit_the_page_leads_to_where_it_is_chosen(fake, open_page: Opening) -> None:
    fake.store.save("goal", {"epochs": 40, "seed": 0})
    at = open_page("compare", fake.workspace)
    assert "none has been chosen yet" in words(at)
    assert "Choose a limit on Search" in [link.proto.label for link in at.get("page_link")]


def test_a_limit_that_no_network_meets_is_said_before_anything_starts(
    fake, open_page: Opening
) -> None:
    fake.store.save("goal", {"limit_ms": 0.001, "epochs": 40, "seed": 0})
    at = open_page("compare", fake.workspace)
    assert "below the fastest network" in words(at)
    assert "Compare" not in labels(at)


def test_what_it_takes_is_said_before_it_starts(fake, open_page: Opening) -> None:
    said = words(open_page("compare", fake.workspace))
    assert "At least" in said
    assert "24 searches of" in said
    assert "16 pilots" in said
    assert "Random search is part of every comparison" not in said
    assert "56 trainings of 20 epochs, 8 of them of random networks" in said


def test_with_a_training_behind_it_the_page_knows_the_whole_time(fake, open_page: Opening) -> None:
    run = fake_run.search(fake)
    fake_run.train(fake, run, fake.store.view(run).front()[0].arch)
    spec = fake_compare.spec_of(fake)
    assert comparison_form.pace(fake.workspace, spec) == pytest.approx(21.4 / 20)
    # 24 x (60 + 12) s of searching, 8 x (24 + 42) s of pilots, 56 x (21.4 + 4) s of training
    assert "**About 1\u202fh 2\u202fmin" in comparison_form.cost(spec, 21.4 / 20)
    assert "**About 1\u202fh 2" in words(open_page("compare", fake.workspace))


def test_random_search_is_said_to_take_part_where_it_was_not_chosen(
    fake, open_page: Opening
) -> None:
    at = open_page("compare", fake.workspace)
    at.get("button_group")[0].set_value(["one_shot"]).run()
    assert "Random search is part of every comparison, asked for or not." in words(at)
    assert "6 searches of" in words(at)


def test_the_button_starts_what_the_form_says(fake, open_page: Opening, started) -> None:
    at = open_page("compare", fake.workspace)
    at.number_input[0].set_value(2).run()
    at.number_input[1].set_value(30).run()
    at.button(key="compare.launch").click().run()
    [run] = fake.store.runs("compare")
    assert started == [run.id]
    wanted = fake_compare.spec_of(fake, seeds=2, budget_s=30.0)
    assert run.spec == wanted
    assert wanted.strategies == tuple(METHODS)
    assert at.query_params["comparison"] == str(run.id)


def test_the_same_comparison_is_gone_on_with_and_not_begun_anew(
    fake, open_page: Opening, started
) -> None:
    run, _ = fake_compare.compare(fake, "stopped")
    at = open_page("compare", fake.workspace)
    assert f"Comparison {run} has asked for just this" in words(at)
    at.button(key="compare.launch").click().run()
    assert started == [run]
    assert len(fake.store.runs("compare")) == 1


def test_a_finished_one_is_only_shown_again(fake, open_page: Opening, started) -> None:
    fake_compare.compare(fake)
    open_page("compare", fake.workspace).button(key="compare.launch").click().run()
    assert started == []


# -- watching --------------------------------------------------------------------------------------


def test_a_comparison_that_goes_on_says_what_it_does_and_how_long_it_will(
    fake, open_page: Opening
) -> None:
    fake_compare.compare(fake, "running")
    at = open_page("compare", fake.workspace)
    assert "NAS, seed 1\\: searching, step 3 of 96" in words(at)
    assert at.get("progress")[0].proto.text == "Searching · 29\u202fmin left"
    assert {"Pause", "Stop"} <= set(labels(at))
    assert "The table will be here" in words(at)


@pytest.mark.parametrize("name", ["stopped", "failed", "crashed"])
def test_one_that_was_cut_off_says_what_is_done_and_can_be_resumed(
    fake, open_page: Opening, started, name: str
) -> None:
    run, _ = fake_compare.compare(fake, name)
    at = open_page("compare", fake.workspace)
    assert "2 of 96 steps are done" in words(at)
    at.button(key=f"run.toggle.{run}").click().run()
    assert started == [run]


def test_a_number_that_is_not_there_is_said(fake, open_page: Opening) -> None:
    fake_compare.compare(fake)
    at = open_page("compare", fake.workspace, comparison=99)
    assert "no comparison 99" in at.warning[0].value


def test_earlier_comparisons_can_be_chosen(fake, open_page: Opening) -> None:
    first, _ = fake_compare.compare(fake)
    second, _ = fake_compare.compare(fake, seeds=2)
    at = open_page("compare", fake.workspace)
    assert f"Comparison {second}" in words(at)
    at.selectbox(key="compare.run").set_value(first).run()
    assert at.query_params["comparison"] == str(first)


# -- the table -------------------------------------------------------------------------------------


def test_the_best_of_each_column_is_bold(fake) -> None:
    spec = fake_compare.spec_of(fake)
    report = fake_compare.report_of(spec, {})
    columns = comparison.table(report)
    assert columns["strategy"][1] == "One-shot"
    assert [c for c in columns["finetuned"] if c.startswith("**")] == [columns["finetuned"][1]]
    assert columns["RI"][1].startswith("**+2.2 ± 0.6")
    assert columns["peak memory"][0] == "**380\u202fMB**"
    assert not any(c.startswith("**") for c in (*columns["epochs"], *columns["seconds"]))


def test_a_hypervolume_that_is_not_of_shared_weights_is_marked_and_never_bold(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake), {})
    best = {"mean": 0.99, "error": 0.01, "t": 2.0}
    report["strategies"][-1]["hypervolume"] = best
    cells = comparison.table(report)["hypervolume"]
    assert cells[-1] == "0.990 ± 0.010 †"
    assert [c for c in cells if c.startswith("**")]
    assert not any("†" in c for c in cells[:-1])


def test_picks_are_shown_of_how_many_seeds(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake), {})
    report["strategies"][0]["picks"] = 1
    assert comparison.table(report)["picks"][:2] == ["1 of 3", "3 of 3"]


def test_the_winner_and_its_rule_come_first_and_what_was_not_equal_is_said(
    fake, open_page: Opening
) -> None:
    _, report = fake_compare.compare(fake)
    [said] = comparison.crowned(report)
    assert said.startswith("**One\\-shot** wins\\: ")
    assert ":small[The rule, said beforehand: of the strategies of shared weights" in said
    page = words(open_page("compare", fake.workspace))
    assert "wins\\: " in page
    assert "The hypervolume of Zero\\-cost screen is of short trainings alone" in page


def test_a_report_from_before_there_was_a_winner_is_still_shown(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake), {})
    said = comparison.verdict(report)
    for name in ("winner", "remarks"):
        del report[name]
    for row in report["strategies"]:
        del row["seeds"], row["shared"]
        for field in ("hypervolume", "finetuned", "retrained", "ri"):
            row[field] = {k: v for k, v in row[field].items() if k not in ("t", "real")}
    assert comparison.crowned(report) == []
    assert comparison.verdict(report) == said
    assert comparison.table(report)["picks"][0] == "3 of 3"


def test_with_few_degrees_of_freedom_two_standard_errors_prove_nothing(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake), {})
    for row in report["strategies"]:
        row["finetuned"]["t"] = 12.7
        row["ri"]["real"] = False
    said = comparison.verdict(report)
    assert said.count(",") == len(report["strategies"]) - 2
    assert said.endswith("with 95 % certainty: none.")


def test_cells_that_read_alike_are_bold_alike(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake, seeds=1), {})
    for row in report["strategies"][:2]:
        row["finetuned"] = {"mean": 0.99 + row["epochs"] / 1e6, "error": 0.0}
    assert [c.startswith("**") for c in comparison.table(report)["finetuned"]][:3] == [
        True,
        True,
        False,
    ]


def test_without_errors_none_are_shown_and_what_is_missing_is_a_dash(fake, open_page) -> None:
    fake_compare.compare(fake, seeds=1)
    report = fake_compare.report_of(fake_compare.spec_of(fake, seeds=1), {})
    columns = comparison.table(report)
    assert set(columns["RI"]) == {"–"}
    assert not any("±" in cell for cell in columns["finetuned"])
    said = words(open_page("compare", fake.workspace))
    assert "With one seed nobody knows how much of that is luck" in said
    assert "Gain over random networks (RI): needs two seeds or more" in said


def test_the_verdict_names_the_best_its_equals_and_who_beats_random_networks(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake), {})
    said = comparison.verdict(report)
    assert said.startswith("**One-shot** is the most accurate after finetuning: 97.")
    assert (
        "Not told apart from it with 95 % certainty: Single-Path NAS, ProxylessNAS, NetAdapt."
        in said
    )
    assert said.endswith("random networks with 95 % certainty: One-shot, NetAdapt.")


def test_equally_accurate_strategies_are_named_together(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake, seeds=1), {})
    for row in report["strategies"]:
        row["finetuned"]["mean"] = 0.5
    for row in report["strategies"][:2]:
        row["finetuned"]["mean"] = 0.9
    first, second = (comparison.title_of(row["strategy"]) for row in report["strategies"][:2])
    assert comparison.verdict(report).startswith(f"**{first}, {second}** are the most accurate")


def test_a_comparison_in_which_nothing_was_found_says_so(fake) -> None:
    report = fake_compare.report_of(fake_compare.spec_of(fake), {})
    for row in report["strategies"]:
        row["finetuned"] = row["retrained"] = row["ri"] = None
    assert "No strategy found a network within the limit" in comparison.verdict(report)
    assert set(comparison.table(report)["finetuned"]) == {"–"}
    assert contest.rows(report, "finetuned")["name"] == []


def test_the_caption_names_the_reference_point_and_what_is_equal(fake, open_page: Opening) -> None:
    fake_compare.compare(fake)
    said = words(open_page("compare", fake.workspace))
    assert "reference point of 0.193\u202fms, the slowest network, and an error of 100" in said
    assert "20 epochs of the same recipe for every training after" in said
    assert "8 random networks of the same latency" in said


def test_every_search_of_the_table_leads_to_its_front(fake, open_page: Opening) -> None:
    _, report = fake_compare.compare(fake)
    at = open_page("compare", fake.workspace)
    links = [p.proto for p in at.get("page_link") if p.proto.label.startswith("seed")]
    assert len(links) == 24
    assert f"run={report['runs'][1]['run']}" in links[1].query_string
    assert links[0].label == "seed 0: 96.2\u202f%"


# -- pictures --------------------------------------------------------------------------------------


def test_the_picture_has_intervals_by_students_t_highest_first(fake) -> None:
    known = contest.rows(fake_compare.report_of(fake_compare.spec_of(fake), {}), "ri")
    assert known["name"][0] == "One-shot"
    assert known["value"] == sorted(known["value"], reverse=True)
    assert known["high"][0] - known["low"][0] == pytest.approx(2 * 2.1 * 0.006)
    assert known["full"] == [low > 0 for low in known["low"]]
    assert contest.alt(known, "Gain").startswith("Gain, highest first: One-shot +2.2 ± 0.6")


@pytest.mark.parametrize("dark", [False, True])
def test_only_the_gain_has_a_line_at_zero(fake, dark: bool) -> None:
    known = contest.rows(fake_compare.report_of(fake_compare.spec_of(fake), {}), "ri")
    gain = contest.spec(known, "Gain", zero="0: as good", dark=dark)
    plain = contest.spec(known, "Accuracy", zero="", dark=dark)
    assert [layer["encoding"]["x"].get("datum") for layer in gain["layer"]] == [0, None, None]
    assert len(plain["layer"]) == 2


# -- elsewhere -------------------------------------------------------------------------------------


def test_front_shows_a_search_of_the_users_own_before_parts_of_comparisons(
    fake, open_page: Opening
) -> None:
    own = fake_run.search(fake)
    fake_compare.compare(fake)
    assert state.shown_search(fake.workspace).id == own
    for name in ("front", "search"):
        assert open_page(name, fake.workspace).query_params["run"] == str(own)


def test_parts_are_not_in_the_list_of_searches_but_labelled_when_shown(
    fake, open_page: Opening
) -> None:
    own = fake_run.search(fake)
    number, report = fake_compare.compare(fake)
    part = report["runs"][0]["run"]
    at = open_page("front", fake.workspace, run=part)
    options = at.selectbox(key="front.run").options
    assert len(options) == 2
    assert options[0].endswith(f"part of comparison {number}")
    assert options[1].startswith(f"Search {own} ")
    link = f"Part of comparison {number}"
    assert link in [link.proto.label for link in at.get("page_link")]
    at = open_page("front", fake.workspace, run=own)
    assert link not in [link.proto.label for link in at.get("page_link")]
    assert not [s for s in at.selectbox if s.key == "front.run"]


def test_parts_are_shown_where_there_is_no_other_search(fake, open_page: Opening) -> None:
    _, report = fake_compare.compare(fake)
    at = open_page("front", fake.workspace)
    assert int(at.query_params["run"]) in {entry["run"] for entry in report["runs"]}
