"""What every device in the table must do, whatever it is."""

from __future__ import annotations

import json

import pytest

from engine.devices import DEVICES, PROVENANCE, Effort, Samples, open_device
from engine.errors import StudioError
from engine.graph import layer_onnx
from engine.spec import DeviceChoice
from tests.builders import small_space

EFFORT = Effort(sessions=2, runs=8, warmup=1, seconds=0.02)

every_device = pytest.mark.parametrize("name", DEVICES)


@pytest.fixture(scope="module", params=DEVICES)
def measured(request) -> tuple[list[Samples], list[float]]:
    """Two layers measured on a device, and the progress that was told meanwhile."""
    space, told = small_space(), []
    models = [layer_onnx(layer, 0) for layer in (space.stem_layer(), space.head_layer())]
    device = open_device(DeviceChoice(request.param))
    return device.measure(models, EFFORT, lambda done, _: told.append(done)), told


def test_every_model_gets_its_samples(measured):
    samples, _ = measured
    assert len(samples) == 2
    for one in samples:
        assert len(one.sessions) == EFFORT.sessions
        assert one.runs == EFFORT.sessions * EFFORT.runs


def test_times_are_positive_and_in_order(measured):
    for one in measured[0]:
        assert 0 < one.p10_ms <= one.p50_ms <= one.p90_ms <= one.p99_ms
        assert min(one.sessions) <= one.p50_ms <= max(one.sessions)


def test_progress_only_grows(measured):
    told = measured[1]
    assert told == sorted(told)
    assert all(0 < done <= 1 for done in told)


@every_device
def test_provenance_is_complete_and_plain_json(name):
    provenance = open_device(DeviceChoice(name)).provenance()
    assert set(PROVENANCE) <= provenance.keys()
    json.dumps(provenance, allow_nan=False)


@every_device
def test_the_key_is_the_same_every_time_and_differs_with_threads(name):
    one, again, two = (open_device(DeviceChoice(name, threads)) for threads in (1, 1, 2))
    assert one.key == again.key
    assert one.key != two.key
    assert one.provenance()["runtime_version"] in one.key


@every_device
def test_a_file_that_is_no_network_is_refused(name):
    with pytest.raises(StudioError):
        open_device(DeviceChoice(name)).measure([b"no network"], EFFORT, lambda *_: None)


def test_an_unknown_device_names_the_known_ones():
    with pytest.raises(StudioError, match="local"):
        open_device(DeviceChoice("toaster"))
