"""Fills a real workspace with searches, trainings and exports like real ones; no worker, no torch.

Accuracies and latencies come from a small formula over the architecture, so that fronts have the
shape that real ones have; nothing here is ever shown to a user of the studio.
"""

from __future__ import annotations

import json
import math
import random
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from engine import pareto
from engine.cost import layer_cost, network_cost
from engine.devices import open_device
from engine.errors import StudioError
from engine.events import (
    Calibrated,
    DataReady,
    EpochEnd,
    Evaluated,
    Event,
    Exported,
    Failed,
    Finished,
    Measured,
    Progress,
    Resumed,
    Trained,
    Warned,
)
from engine.latency import LatencyModel, Prediction
from engine.space import SKIP, Arch, SearchSpace
from engine.spec import DataChoice, DeviceChoice, ExportSpec, ProfileSpec, RunSpec, Spec, TrainSpec
from engine.store import Status, Store
from engine.workspace import Workspace, create_workspace

LIMIT_MS = 0.080
SPACE = SearchSpace.from_json(
    {
        "name": "digits-small",
        "input": {"size": 16, "channels": 1},
        "classes": 10,
        "stem": {"width": 4, "kernel": 3, "stride": 2},
        "stages": [
            {"block": "mbconv", "width": width, "depth": depth, "stride": stride}
            | {"kernel": [3, 5], "expand": [3, 6]}
            for width, depth, stride in ((4, [0, 2], 1), (8, [1, 3], 2), (16, [1, 3], 2))
        ],
        "head": {"width": 32, "dropout": 0.2},
    }
)
WARM_UP, SETTLE = 0.25, 0.15


@dataclass(eq=False)
class Fake:
    """One workspace, its space and additive latencies; runs that go on are alive while it lives."""

    workspace: Workspace
    space: SearchSpace
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    @property
    def store(self) -> Store:
        return self.workspace.store

    def hold(self, run_id: int) -> None:
        """Holds a run's lock as its worker would, until this object is gone."""
        weakref.finalize(self, self.store.hold(run_id).close)

    def ms(self, arch: Arch) -> float:
        """Predicted latency: a constant and one term per slot, as a latency model has it."""
        return self.model.predict(arch)

    @cached_property
    def model(self) -> LatencyModel:
        """A latency model whose slot times follow the MACs of their layers."""
        tables = [
            {op: 0.0 if op == SKIP else _layer_ms(slot.layer(op)) for op in slot.ops}
            for slot in self.space.slots()
        ]
        totals = [0.021 + sum(pick(t.values()) for t in tables) for pick in (min, max)]
        return LatencyModel(
            device=open_device(DeviceChoice()).provenance(),
            device_key=open_device(DeviceChoice()).key,
            space_digest=self.space.digest(),
            constant_ms=0.021,
            slot_ms=tuple(tables),
            prediction=prediction(),
            fastest_ms=totals[0],
            median_ms=sum(totals) / 2,
            slowest_ms=totals[1],
        )

    def accuracy(self, arch: Arch) -> float:
        """Rises with size and saturates; the same architecture always gets the same."""
        params = network_cost(self.space, arch).params
        luck = random.Random(zlib.crc32(str(arch).encode())).gauss(0, 0.015)
        return round(0.985 - 0.3 * math.exp(-params / 4200) + min(luck, 0.01), 4)


def make(root: Path, title: str = "Digits on this computer", *, profiled: bool = True) -> Fake:
    """A new workspace below `root` with a space of its own; `profiled` gives it a latency model."""
    workspace = create_workspace(root, title)
    workspace.store.save("space", SPACE.to_json())
    fake = Fake(workspace, SPACE)
    if profiled:
        model = fake.model
        fake.store.put_calibration(model.device_key, model.space_digest, model.to_json())
        goal = {"limit_ms": LIMIT_MS, "epochs": 40, "seed": 0}
        fake.store.save("goal", goal)
    return fake


def prediction() -> Prediction:
    """A held-out error as a real calibration has it."""
    rng = random.Random(3)
    pairs = tuple((ms, ms * rng.gauss(1, 0.02)) for ms in (0.04 + 0.003 * i for i in range(30)))
    return Prediction(
        mape=0.021,
        within_5pct=0.967,
        within_10pct=1.0,
        n_heldout=30,
        n_calibration=20,
        table_seconds=14.2,
        pairs=pairs,
    )


def search(fake: Fake, state: str = "finished", **options: Any) -> int:
    """Id of a search that is waiting, running, paused, stopped, failed, crashed or finished.

    Options: `candidates` (number, 240), `epochs` (40), `limit_ms`, `seed`, `share` (0..1 of the
    search that is done), `dead` (all gradients of thresholds 0), `mode`.
    """
    spec = RunSpec(
        space=fake.space,
        data=DataChoice("digits"),
        device=DeviceChoice(),
        latency_limit_ms=options.get("limit_ms", LIMIT_MS),
        epochs=options.get("epochs", 40),
        seed=options.get("seed", 0),
        mode=options.get("mode", "stable"),
    )
    told = list(
        search_events(
            fake, spec, count=options.get("candidates", 240), dead=options.get("dead", False)
        )
    )
    share = options.get("share", 1.0 if state == "finished" else 0.6)
    if state == "waiting":
        told = []
    elif state != "finished":
        told = [e for e in told[: int(len(told) * share)] if not isinstance(e, Finished)]
    return _record(fake, spec, told, state)


def search_events(fake: Fake, spec: RunSpec, *, count: int, dead: bool) -> Iterator[Event]:
    """All events of one finished search, in order."""
    model = fake.model
    generations = max(1, count // 24)
    steps = spec.epochs + generations + 1
    yield Resumed(0)
    splits = {"weights": 1203, "architecture": 297, "test": 297}
    yield DataReady("digits", "5f1c0d2e" * 8, tuple("0123456789"), splits)
    held = asdict(model.prediction)
    yield Calibrated(model.device, held, model.fastest_ms, model.median_ms, model.slowest_ms)
    for epoch in epochs(fake, spec, dead=dead):
        yield epoch
        yield Progress(epoch.epoch, steps, epoch.phase)
    yield Warned("the device was busy while its table was measured (load 1.9 on 2 cores).")
    pool = _pool(fake, count)
    for generation in range(generations):
        for arch in pool[generation::generations]:
            cost = network_cost(fake.space, arch)
            yield Evaluated(str(arch), fake.accuracy(arch), fake.ms(arch), cost.params, cost.macs)
        yield Progress(spec.epochs + generation + 1, steps, "front")
    yield from _measured(fake, spec, pool)
    yield Progress(steps, steps, "measure")
    yield Finished("budget used", 142.7)


def epochs(fake: Fake, spec: RunSpec, *, dead: bool = False) -> Iterator[EpochEnd]:
    """The epochs of a search whose gates close one after the other, towards the limit."""
    rng = fake.rng
    slots = fake.space.slots()
    target = _pool(fake, 60)[-1]
    drops = [[rng.uniform(0.35, 0.8) for _ in range(3)] for _ in slots]
    for number in range(1, spec.epochs + 1):
        done = number / spec.epochs
        phase = _phase(done)
        gates = []
        for slot, op, when in zip(slots, target.ops, drops, strict=True):
            wanted = (float("5" in op[:2]), float(op.endswith("6")), float(op != SKIP))
            fixed = (
                [0.6 + rng.uniform(-0.05, 0.05)] * 3
                if phase == "warm-up"
                else [1.0 if done < at else want for at, want in zip(when, wanted, strict=True)]
            )
            gates.append((*fixed[:2], fixed[2] if slot.skippable else 1.0))
        open_share = sum(map(sum, gates)) / (3 * len(gates))
        yield EpochEnd(
            phase=phase,
            epoch=number,
            loss=2.2 * math.exp(-3.2 * done) + 0.12 + rng.uniform(-0.03, 0.03),
            modelled_ms=spec.latency_limit_ms * (0.4 + open_share) + rng.uniform(-0.002, 0.002),
            penalty=0.0 if phase == "warm-up" else max(0.0, open_share - 0.6),
            gates=tuple(gates),
            threshold_grads=tuple(0.0 if dead else 10 ** rng.uniform(-3.4, -1.6) for _ in slots),
        )


def profile(fake: Fake, state: str = "running") -> int:
    """A run that measures this computer."""
    spec = ProfileSpec(fake.space, DeviceChoice())
    return _record(fake, spec, [Resumed(0)], state, Status("device", 0.4, 11.0, "layer 23 of 61"))


def train(fake: Fake, run: int, arch: str, state: str = "finished", **options: Any) -> int:
    """A training of `arch` of search `run`; options: `mode`, `accuracy`."""
    mode, accuracy = options.get("mode", "finetune"), options.get("accuracy", 0.988)
    proxy = fake.accuracy(Arch.parse(arch))
    spec = TrainSpec(run, arch, mode, epochs=20)
    told: list[Event] = [Resumed(0)]
    for number in range(1, 21):
        loss = 0.4 * math.exp(-number / 6) + 0.05
        grown = accuracy - 0.1 * math.exp(-number / 5)
        told.append(EpochEnd(mode, number, loss, 0.0, 0.0, (), (), grown))
        told.append(Progress(number, 20, mode))
    told.append(Trained(arch, mode, proxy, accuracy, 0.968, 21.4))
    told.append(Finished("budget used", 21.4))
    return _record(fake, spec, told if state == "finished" else told[:21], state)


def export(fake: Fake, run: int, arch: str, *, within: bool = True, state: str = "finished") -> int:
    """An export of `arch` of search `run`, with a (tiny) archive on disk."""
    spec = ExportSpec(run, arch)
    if state != "finished":
        return _record(fake, spec, [Resumed(0)], state)
    report = report_of(fake, arch, within=within)
    fake.workspace.exports_folder.mkdir(parents=True, exist_ok=True)
    archive = fake.workspace.exports_folder / f"run{run}-{zlib.crc32(arch.encode()):08x}.zip"
    with zipfile.ZipFile(archive, "w") as pack:
        pack.writestr("report.json", json.dumps(report))
    told = [Resumed(0), Exported(arch, str(archive), report), Finished("done", 2.4)]
    return _record(fake, spec, told, state)


def report_of(fake: Fake, arch: str, *, within: bool) -> dict[str, Any]:
    """A report.json as an export writes it."""
    cost = network_cost(fake.space, Arch.parse(arch))
    p50 = LIMIT_MS * (0.951 if within else 1.042)
    return {
        "arch": arch,
        "onnx_sha256": "9b1d" * 16,
        "parity_max_abs": 4.8e-07,
        "parity_inputs": 64,
        "limit_ms": LIMIT_MS,
        "within_limit": within,
        "latency": {
            "p50_ms": p50,
            "p90_ms": p50 * 1.06,
            "p99_ms": p50 * 1.31,
            "runs": 2000,
            "threads": 1,
            "runtime": "onnxruntime 1.31.1",
            "sessions": [p50 * 0.99, p50, p50 * 1.005],
        },
        "test_accuracy": 0.968,
        "accuracy": 0.976,
        "proxy_accuracy": fake.accuracy(Arch.parse(arch)),
        "weights": "finetuned",
        "params": cost.params,
        "macs": cost.macs,
        "size_bytes": 4 * cost.params + 5200,
        "device": fake.model.device,
        "data": {
            "name": "digits",
            "hash": "5f1c0d2e" * 8,
            "classes": list("0123456789"),
            "splits": {"weights": 1203, "architecture": 297, "test": 297},
        },
        "preprocessing": {"size": 16, "channels": 1, "mean": [0.3], "std": [0.37]},
        "seed": 0,
        "versions": {"onepath-studio": "0.1.0"},
        "space": fake.space.to_json(),
        "date": "2026-11-20T12:00:00+00:00",
        "predicted_ms": fake.ms(Arch.parse(arch)),
    }


def _record(
    fake: Fake, spec: Spec, told: list[Event], state: str, status: Status | None = None
) -> int:
    store = fake.store
    run_id = store.create_run(spec)
    if told:
        store.append(run_id, *told)
    if state == "failed":
        store.append(run_id, _failure())
    last = next((e for e in reversed(told) if isinstance(e, Progress)), Progress(0, 1, "data"))
    left = None if state in ("waiting", "paused") else 48.0
    store.report(
        run_id, status or Status(last.phase, last.step / last.steps, left, f"step {last.step}")
    )
    if state in ("running", "paused"):
        fake.hold(run_id)
    if state == "paused":
        store.want(run_id, "paused")
    store.set_state(run_id, "running" if state == "crashed" else state)
    return run_id


def _failure() -> Failed:
    error = StudioError(
        "data: digits must be readable, got a damaged copy.", "Open Data and read it again."
    )
    return Failed(error.message, error.hint, "")


def _measured(fake: Fake, spec: RunSpec, pool: list[Arch]) -> Iterator[Measured]:
    points = [(fake.ms(a), -fake.accuracy(a)) for a in pool]
    members = pareto.front(range(len(pool)), lambda i: points[i])
    near = [i for i in members if points[i][0] <= 1.1 * spec.latency_limit_ms][-8:]
    for i in near:
        p50 = points[i][0] * fake.rng.gauss(1.0, 0.012)
        sessions = tuple(p50 * (1 + 0.003 * k) for k in range(3))
        yield Measured(str(pool[i]), p50, p50 * 1.05, p50 * 1.3, 900, sessions)


def _pool(fake: Fake, count: int) -> list[Arch]:
    rng = random.Random(11)
    pool = dict.fromkeys([fake.space.smallest(), fake.space.largest()])
    while len(pool) < count:
        base = fake.space.sample(rng)
        pool[base] = None
        pool[fake.space.mutate(base, rng, 0.2)] = None
    return list(pool)[:count]


def _phase(done: float) -> str:
    if done <= WARM_UP:
        return "warm-up"
    return "settle" if done > 1 - SETTLE else "search"


def _layer_ms(layer: Any) -> float:
    return 0.004 + layer_cost(layer).macs / 1.9e6


def main() -> None:
    """`python tests/studio/fake_run.py FOLDER` makes a folder of workspaces to look at."""
    import sys
    import time

    root = Path(sys.argv[1])
    done = make(root, "Finished")
    run = search(done)
    best = done.store.view(run).best(LIMIT_MS)
    assert best is not None
    train(done, run, best.arch)
    export(done, run, best.arch)
    kept = []
    for state in ("running", "paused", "stopped", "failed", "crashed", "waiting"):
        fake = make(root, state.title())
        search(fake, state)
        kept.append(fake)
    big = make(root, "Ten thousand")
    search(big, candidates=10_000)
    make(root, "Profiled")
    make(root, "Empty", profiled=False)
    measuring = make(root, "Measuring", profiled=False)
    profile(measuring)
    kept.append(measuring)
    print("ready", flush=True)
    while "--hold" in sys.argv:  # locks live as long as this process
        time.sleep(60)


if __name__ == "__main__":
    main()
