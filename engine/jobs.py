"""The runs that need no torch: reading data, and measuring a device for a space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

from engine.clock import Clock
from engine.data import Dataset, prepare
from engine.devices import open_device
from engine.events import Calibrated, DataReady, Event, Finished, Resumed
from engine.latency import LatencyModel, profile
from engine.space import Input
from engine.spec import DataSpec, ProfileSpec, Spec
from engine.store import Store


def read_data(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Reads, checks and splits images into the workspace."""
    assert isinstance(spec, DataSpec), spec
    yield Resumed(0)
    clock.enter("data")
    shape = Input(spec.size, spec.channels)
    yield data_ready(prepare(spec.data, store.folder / "data", shape, clock.tick))
    yield Finished("data read", clock.seconds())


def profile_device(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Fills the latency table of a device for a space and calibrates it."""
    assert isinstance(spec, ProfileSpec), spec
    yield Resumed(0)
    clock.enter("device")
    device = open_device(spec.device)
    yield calibrated(profile(store, spec.space, device, clock.tick, fresh=spec.fresh))
    yield Finished("device measured", clock.seconds())


def data_ready(data: Dataset) -> DataReady:
    """What a prepared data set says of itself."""
    sizes = {name: len(index) for name, index in data.splits.items()}
    return DataReady(data.name, data.hash, data.classes, sizes)


def calibrated(latency: LatencyModel) -> Calibrated:
    """What a latency model says of itself."""
    prediction = asdict(latency.prediction)
    span = (latency.fastest_ms, latency.median_ms, latency.slowest_ms)
    return Calibrated(dict(latency.device), prediction, *span)


JOBS: dict[str, Callable[[Spec, Store, Clock], Iterator[Event]]] = {
    DataSpec.kind: read_data,
    ProfileSpec.kind: profile_device,
}
