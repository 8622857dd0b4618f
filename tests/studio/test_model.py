"""The Model page: any network of the space, training it, exporting it, and honest verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.cost import network_cost
from engine.events import EpochEnd
from engine.space import Arch
from engine.spec import ExportSpec, Spec, TrainSpec
from studio import text
from studio.parts.export_card import checks
from tests.studio import fake_run
from tests.studio.conftest import Opening, words
from tests.studio.fake_run import LIMIT_MS, Fake


@pytest.fixture
def searched(root: Path) -> tuple[Fake, int, str]:
    """A finished search, its id and its best architecture."""
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    best = fake.store.view(run).best(LIMIT_MS)
    assert best is not None
    return fake, run, best.arch


def button(at: AppTest, label: str) -> Any:
    found = [b for b in at.button if b.label == label]
    assert len(found) == 1, [b.label for b in at.button]
    return found[0]


def download(at: AppTest) -> Any:
    (link,) = at.get("link_button")
    return link.proto


def test_without_a_search_the_page_says_what_will_be_here(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    at = open_page("model", fake.workspace)
    assert [s.value for s in at.subheader] == ["No model yet"]
    assert "Go to the search" in [link.proto.label for link in at.get("page_link")]


def test_the_page_opens_on_the_best_within_the_limit(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, _, best = searched
    at = open_page("model", fake.workspace)
    assert at.selectbox[0].value == best
    assert "measured within the limit of 0.0800\u202fms" in words(at)
    assert not at.error


def test_the_layers_add_up_to_the_network(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, _, best = searched
    table = open_page("model", fake.workspace).dataframe[0].value
    cost = network_cost(fake.space, Arch.parse(best))
    for column, total in (("parameters", cost.params), ("MACs", cost.macs)):
        assert sum(int(cell.replace(text.THIN, "")) for cell in table[column]) == total
    assert table["predicted ms"].sum() == pytest.approx(fake.model.predict(Arch.parse(best)))
    assert table["share"].sum() == pytest.approx(100)


def test_a_full_bar_is_the_whole_latency(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    layers = open_page("model", searched[0].workspace).dataframe[0]
    bar = json.loads(layers.proto.columns)["share"]["type_config"]
    assert (bar["min_value"], bar["max_value"]) == (0, 100)


def test_any_network_of_the_space_can_be_looked_at(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, _ = searched
    other = "-".join(["k5e6"] * 7 + ["k3e6"])
    at = open_page("model", fake.workspace, run=run, arch=other)
    assert "did not evaluate this network" in words(at)
    assert "Latency, predicted" in words(at)


@pytest.mark.parametrize(
    ("typed", "said"),
    [("k5e6-skip", "needs 8 ops, got 2"), ("nonsense", "must be like k5e6 or skip")],
)
def test_a_network_that_is_none_is_refused_in_one_sentence(
    searched: tuple[Fake, int, str], open_page: Opening, typed: str, said: str
) -> None:
    fake, run, _ = searched
    at = open_page("model", fake.workspace, run=run, arch=typed)
    assert len(at.error) == 1
    assert said in at.error[0].value
    assert "Export ONNX" not in [b.label for b in at.button]


@pytest.mark.parametrize(("label", "mode"), [("Finetune", "finetune"), ("Retrain", "retrain")])
def test_training_starts_what_is_asked_for(
    searched: tuple[Fake, int, str],
    open_page: Opening,
    started: list[Spec],
    label: str,
    mode: str,
) -> None:
    fake, run, best = searched
    at = open_page("model", fake.workspace)
    at.number_input[0].set_value(7)
    button(at, label).click().run()
    assert started == [TrainSpec(run, best, mode, 7, 0)]


def test_a_training_that_goes_on_shows_its_curve_and_can_be_stopped(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    training = fake_run.train(fake, run, best, "running")
    at = open_page("model", fake.workspace)
    assert at.get("progress")
    assert at.get("vega_lite_chart")
    assert "Finetune" not in [b.label for b in at.button]
    button(at, "Stop").click().run()
    assert fake.store.wanted(training) == "stopped"


def test_after_one_epoch_there_is_a_figure_and_no_empty_chart(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    training = fake.store.create_run(TrainSpec(run, best, "finetune", 1))
    fake.store.append(training, EpochEnd("finetune", 1, 0.4, 0.0, 0.0, (), (), 0.912))
    fake.store.set_state(training, "finished")
    at = open_page("model", fake.workspace)
    assert "Accuracy after epoch 1: 91.2 %, on the images" in words(at)
    assert not at.get("vega_lite_chart")


def test_a_finished_training_shows_three_accuracies_and_what_they_are(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    fake_run.train(fake, run, best)
    at = open_page("model", fake.workspace)
    shown = {m.label: m.value for m in at.metric}
    assert shown["Accuracy"] == "98.8\u202f%"
    assert shown["Test accuracy"] == "96.8\u202f%"
    assert "touched once" in words(at)


def test_all_trainings_are_listed_and_every_use_of_the_test_split_counts(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    fake_run.train(fake, run, best, accuracy=0.991)
    fake_run.train(fake, run, best, mode="retrain")
    at = open_page("model", fake.workspace)
    listed = next(d.value for d in at.dataframe if "training" in d.value)
    assert list(listed["training"]) == ["Retrain", "Finetune"]
    assert list(listed["accuracy"]) == ["98.8\u202f%", "99.1\u202f%"]
    assert "the test split was used 2 times for this network" in words(at)
    assert "touched once" not in words(at)
    assert "those of the finetune with accuracy 99.1" in words(at)


def test_shared_weights_that_are_better_than_any_training_are_said_to_be_exported(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    assert "has not been trained on its own" in words(open_page("model", fake.workspace))
    fake_run.export(fake, run, best)
    fake_run.train(fake, run, best, accuracy=0.5)
    at = open_page("model", fake.workspace)
    assert "Takes the shared weights: they are more accurate" in words(at)
    assert "Trained since" not in words(at)


def test_another_network_shows_no_training_of_this_one(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    fake_run.train(fake, run, best)
    other = fake.store.view(run).front()[0].arch
    at = open_page("model", fake.workspace, run=run, arch=other)
    assert "Test accuracy" not in {m.label for m in at.metric}


def test_export_is_the_primary_action_and_starts_an_export(
    searched: tuple[Fake, int, str], open_page: Opening, started: list[Spec]
) -> None:
    fake, run, best = searched
    at = open_page("model", fake.workspace)
    export = button(at, "Export ONNX")
    assert export.proto.type == "primary"
    export.click().run()
    assert started == [ExportSpec(run, best)]


def test_a_finished_export_lists_its_checks_and_offers_the_archive(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    export = fake_run.export(fake, run, best)
    at = open_page("model", fake.workspace)
    said = words(at)
    for part in ("4.8e-07 on 64 inputs", "within the limit of 0.0800", "finetuned", "2\u202f000"):
        assert part in said
    (link,) = at.get("link_button")
    archive = next(fake.workspace.exports_folder.glob("*.zip"))
    assert link.proto.url == f"/export/{fake.workspace.name}/{export}/{archive.name}"


def test_weights_trained_after_the_export_are_offered_for_a_new_one(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    fake_run.export(fake, run, best)
    before = open_page("model", fake.workspace)
    assert button(before, "Export ONNX again").proto.type == "secondary"
    assert "Trained since" not in words(before)
    assert download(before).type == "primary"
    fake_run.train(fake, run, best)
    after = open_page("model", fake.workspace)
    assert button(after, "Export ONNX again").proto.type == "primary"
    assert "Trained since" in words(after)
    assert download(after).type != "primary"


def test_a_second_export_while_one_runs_is_refused(
    searched: tuple[Fake, int, str], open_page: Opening, started: list[Spec]
) -> None:
    fake, run, best = searched
    other = fake.store.view(run).front()[0].arch
    going_on = fake_run.export(fake, run, other, state="running")
    at = open_page("model", fake.workspace, run=run, arch=best)
    button(at, "Export ONNX").click().run()
    assert f"run {going_on} of this workspace is still going on" in at.error[0].value
    assert not started


@pytest.mark.parametrize("state", ["failed", "crashed"])
def test_an_export_that_did_not_end_well_says_so_and_can_be_repeated(
    searched: tuple[Fake, int, str], open_page: Opening, state: str
) -> None:
    fake, run, best = searched
    fake_run.export(fake, run, best, state=state)
    at = open_page("model", fake.workspace)
    assert len(at.error) == 1
    assert "Export ONNX again" in [b.label for b in at.button]


def test_an_export_over_the_limit_overrules_what_the_search_measured(
    searched: tuple[Fake, int, str], open_page: Opening
) -> None:
    fake, run, best = searched
    fake_run.export(fake, run, best, within=False)
    at = open_page("model", fake.workspace, run=run, arch=best)
    assert "over the limit of 0.0800\u202fms when measured again" in words(at)
    assert ":material/check_circle:] median measured within" not in words(at)
    table = open_page("front", fake.workspace).dataframe[0].value
    row = table[table["architecture"] == best]
    assert (*row["limit"], *row[""]) == ("over", "exported")


def test_a_model_over_the_limit_is_never_called_within_it(root: Path) -> None:
    fake = fake_run.make(root)
    arch = str(fake.space.largest())
    (over,) = [
        line for line in checks(fake_run.report_of(fake, arch, within=False)) if "limit" in line
    ]
    assert over.startswith(":red[")
    assert "**over** the limit" in over
    assert "within" not in over


def test_an_archive_tells_how_often_the_test_split_was_used(root: Path) -> None:
    fake = fake_run.make(root)
    report = fake_run.report_of(fake, str(fake.space.largest()), within=True)
    assert not any("was used" in line for line in checks(report | {"times_tested": 1}))
    assert any("was used 3 times" in line for line in checks(report | {"times_tested": 3}))


def test_shared_weights_are_said_to_be_untested(root: Path) -> None:
    fake = fake_run.make(root)
    report = fake_run.report_of(fake, str(fake.space.largest()), within=True)
    told = checks(report | {"weights": "shared", "test_accuracy": None})
    assert any("shared weights of the search" in line for line in told)
    assert any("test images not touched" in line for line in told)
