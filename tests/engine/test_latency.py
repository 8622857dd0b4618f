"""Latency models: measured once, stored, additive, with an honest error."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import onnx
import pytest

from engine import presets
from engine.devices import PROVENANCE, Effort, Samples
from engine.errors import StudioError, UnknownLayer
from engine.latency import (
    LatencyModel,
    distinct_layers,
    load_model,
    profile,
    restricted,
    table_sum,
)
from engine.space import Arch, SearchSpace
from engine.store import Progressing, Store
from tests.builders import small_space, stage


@dataclass
class FakeDevice:
    """Takes a cost per file, per node and per weight; remembers the layers it measured alone."""

    key: str = "fake"
    name: str = "Fake device"
    networks: int = 0
    layers: list[str] = field(default_factory=list)
    fails_on_networks: bool = False

    def provenance(self) -> dict[str, Any]:
        return dict.fromkeys(PROVENANCE, "fake")

    def measure(
        self, models: list[bytes], effort: Effort, on_progress: Progressing
    ) -> list[Samples]:
        samples = []
        for done, content in enumerate(models, 1):
            model = onnx.load_from_string(content)
            alone = [p.value for p in model.metadata_props if p.key == "layer"]
            self.layers += alone
            self.networks += not alone
            if self.fails_on_networks and not alone:
                raise StudioError("fake: unplugged.")
            weights = sum(len(t.raw_data) // 4 for t in model.graph.initializer)
            ms = 0.003 + 0.001 * len(model.graph.node) + weights / 1e5
            samples.append(Samples(ms, ms, ms, ms, effort.runs, (ms,) * effort.sessions))
            on_progress(done / len(models), "measuring")
        return samples


def quiet(_done: float, _what: str) -> None:
    pass


@pytest.fixture
def model(store: Store) -> LatencyModel:
    return profile(store, presets.load("digits"), FakeDevice(), quiet)


def test_the_error_is_that_of_networks_no_fit_has_seen(model):
    prediction = model.prediction
    assert (prediction.n_calibration, prediction.n_heldout) == (20, 32)
    assert len(prediction.pairs) == 32
    errors = [abs(predicted / ms - 1) for predicted, ms in prediction.pairs]
    assert prediction.mape == pytest.approx(sum(errors) / 32)
    assert prediction.mape < 0.01
    assert prediction.within_5pct == prediction.within_10pct == 1.0


def test_a_prediction_is_the_constant_and_one_term_per_slot(model):
    space = presets.load("digits")
    arch = space.sample(random.Random(5))
    terms = [table[op] for table, op in zip(model.slot_ms, arch.ops, strict=True)]
    assert model.predict(arch) == pytest.approx(model.constant_ms + sum(terms))


def test_layers_share_out_the_whole_prediction(model):
    space = presets.load("digits")
    arch = space.sample(random.Random(6))
    layers = model.layer_ms(space, arch)
    assert [name for name, _ in layers] == [layer.name for layer in space.layers(arch)]
    assert sum(ms for _, ms in layers) == pytest.approx(model.predict(arch))
    assert all(ms >= 0 for _, ms in layers)


def test_no_architecture_is_predicted_beyond_the_fastest_and_the_slowest(model):
    space, rng = presets.load("digits"), random.Random(7)
    drawn = [model.predict(space.sample(rng)) for _ in range(200)]
    assert model.fastest_ms <= min(drawn) <= model.median_ms <= max(drawn) <= model.slowest_ms
    assert model.predict(model.fastest(space)) == pytest.approx(model.fastest_ms)


def test_ends_of_the_space_lie_in_the_space(model):
    space = presets.load("digits")
    assert model.fastest(space) in space


def test_a_space_that_leaves_choices_out_keeps_the_model_of_the_larger_one(model):
    old = presets.load("digits")
    document = old.to_json()
    document["stages"][1] |= {"kernel": [5], "depth": [3, 3]}
    new = SearchSpace.from_json(document)
    kept = restricted(model, old, new)
    assert kept.space_digest == new.digest()
    rng = random.Random(1)
    archs = [new.sample(rng) for _ in range(50)]
    assert [kept.predict(a) for a in archs] == [model.predict(a) for a in archs]
    assert kept.fastest_ms == pytest.approx(kept.predict(kept.fastest(new)))
    assert model.fastest_ms < kept.fastest_ms <= kept.median_ms <= kept.slowest_ms


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"kernel": [3, 5, 7]}, id="another choice"),
        pytest.param({"width": 16}, id="another width"),
        pytest.param({"depth": [1, 2]}, id="fewer layers"),
    ],
)
def test_a_space_that_was_changed_otherwise_does_not(model, change):
    old = presets.load("digits")
    document = old.to_json()
    document["stages"][1] |= change
    assert restricted(model, old, SearchSpace.from_json(document)) is None


def test_a_stored_model_is_the_measured_one(store, model):
    assert load_model(store, "fake", presets.load("digits")) == model
    assert LatencyModel.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_what_was_never_measured_has_no_model(store, model):
    assert load_model(store, "another", presets.load("digits")) is None
    assert load_model(store, model.device_key, small_space()) is None


def test_a_measured_space_is_not_measured_again(store, model):
    device = FakeDevice()
    assert profile(store, presets.load("digits"), device, quiet) == model
    assert (device.layers, device.networks) == ([], 0)


def test_layers_of_equal_shape_are_measured_once(store):
    device = FakeDevice()
    space = presets.load("digits")
    profile(store, space, device, quiet)
    assert sorted(device.layers) == sorted({layer.key for layer in distinct_layers(space)})


def test_layers_measured_before_an_interruption_are_kept(store):
    space = presets.load("digits")
    with pytest.raises(StudioError, match="unplugged"):
        profile(store, space, FakeDevice(fails_on_networks=True), quiet)
    device = FakeDevice()
    profile(store, space, device, quiet)
    assert device.layers == []
    assert device.networks == 52


def test_only_missing_layers_are_measured(store):
    space = small_space()
    known = space.slots()[0].layer("k3e3").key
    store.put_latency("fake", known, (0.01, 0.01, 0.01, 9))
    device = FakeDevice()
    profile(store, space, device, quiet)
    assert known not in device.layers
    assert {known, *device.layers} == {layer.key for layer in distinct_layers(space)}


def test_progress_grows_from_none_to_all(store):
    told: list[float] = []
    profile(store, small_space(), FakeDevice(), lambda done, _: told.append(done))
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] == pytest.approx(1.0)


def test_a_space_of_one_network_has_a_model_that_was_not_tested(store):
    space = small_space(stage(depth=[1, 1], kernel=[3], expand=[3]))
    model = profile(store, space, FakeDevice(), quiet)
    assert (model.prediction.n_calibration, model.prediction.n_heldout) == (1, 0)
    assert model.prediction.pairs == ()
    assert model.fastest_ms == pytest.approx(model.slowest_ms)
    assert model.prediction.mape < 0.01


def test_provenance_says_how_and_how_quietly_it_was_measured(model):
    said = {"warmup", "runs", "sessions", "session_spread", "disturbed", "busy"}
    assert {*PROVENANCE, *said} <= model.device.keys()
    assert model.device["busy"] is False
    json.dumps(model.device, allow_nan=False)


def test_an_architecture_of_another_space_is_refused(model):
    with pytest.raises(UnknownLayer, match="k7e3"):
        model.predict(Arch(("k7e3",) * 8))
    with pytest.raises(UnknownLayer, match="must be an architecture that was measured, got k3e3"):
        model.predict(Arch(("k3e3",)))


def test_a_row_that_is_missing_names_the_nearest_rows():
    space = small_space()
    rows = {("stage1.1", "k3e3"): 1.0, ("stage1.2", "k5e3"): 2.0}
    assert table_sum(space, Arch.parse("k3e3-skip"), rows, 0.5) == 1.5
    with pytest.raises(UnknownLayer, match=r"stage1.1 k5e3.*Nearest rows: .*stage1.2 k5e3"):
        table_sum(space, Arch.parse("k5e3-skip"), rows, 0.5)


def test_reading_models_needs_neither_runtime_nor_torch():
    code = (
        "import sys, engine.latency, engine.devices\n"
        "heavy = {'torch', 'onnx', 'onnxruntime', 'sklearn', 'streamlit'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
