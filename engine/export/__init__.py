"""One architecture out of the studio: an ONNX file proved equal to the network, in an archive.

The steps are one file each: `parity` proves, `card` writes for people, `bundle` packs. The archive
holds `model.onnx`, `report.json`, `README.md` and a `benchmark.py` that needs no studio.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine import __version__
from engine.batches import load_splits
from engine.build import arrays
from engine.clock import Clock
from engine.cost import network_cost
from engine.data import Dataset
from engine.devices import STANDARD, Samples, open_device
from engine.devices.calm import measure_calmly
from engine.devices.local import SCRIPT
from engine.events import Event, Exported, Finished, Resumed, Warned
from engine.export.bundle import write_archive
from engine.export.card import model_card
from engine.export.parity import check_model, max_difference
from engine.graph import to_onnx
from engine.latency import load_model
from engine.memory import images_at_once
from engine.methods import METHODS, Method
from engine.run import flips
from engine.space import Arch, SearchSpace
from engine.spec import ExportSpec, RunSpec, Spec
from engine.store import Store
from engine.train_job import Weights, best_weights, same_data
from engine.trust.checks import checks

PACKAGES = ("torch", "onnx", "onnxruntime", "numpy")
PARITY_INPUTS = 128


def export(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Writes, proves, measures and packs one network; the archive appears only when all is done."""
    assert isinstance(spec, ExportSpec), spec
    yield Resumed(0)
    clock.enter("export")
    search = store.run(spec.run).spec
    assert isinstance(search, RunSpec), search
    data = same_data(store, spec.run, search)
    space = search.space.with_data(len(data.classes))
    arch = space.require(Arch.parse(spec.arch))
    splits = load_splits(data, flip=flips(search.data), most=images_at_once(space))
    weights = best_weights(store, spec.run, arch, splits)
    if weights.trained is None and weights.times_tested:
        kind = METHODS[search.strategy].weights
        yield Warned(f"The search's weights ({kind}) are more accurate than any since: exported.")
    clock.tick(0.2, "writing the ONNX file")
    model = to_onnx(
        space.layers(arch), arrays(weights.network), metadata=_metadata(space, arch, data)
    )
    check_model(model)
    clock.tick(0.3, "comparing it with the trained network")
    parity = max_difference(weights.network, model, splits["architecture"], PARITY_INPUTS)
    device = open_device(search.device)
    latency = load_model(store, device.key, space)
    samples = measure_calmly(
        device,
        [model],
        STANDARD,
        yardstick_ns=latency.yardstick_ns if latency else 0.0,
        on_progress=lambda share, _: clock.tick(0.4 + 0.5 * share, "measuring"),
    )[0]
    digest = hashlib.sha256(model).hexdigest()
    report: dict[str, Any] = {
        "arch": str(arch),
        "onnx_sha256": digest,
        "size_bytes": len(model),
        "parity_max_abs": parity,
        "parity_inputs": PARITY_INPUTS,
        **_latency(samples, search, device.provenance() | {"busy": samples.busy}),
        **_accuracy(weights, METHODS[search.strategy]),
        **_facts(search, space, arch, data),
        "predicted_ms": latency.predict(arch) if latency else None,
        "checks": [asdict(check) for check in checks(store, spec.run, exporting=digest)],
    }
    clock.tick(0.95, "packing")
    path = _archive_path(store, spec, report)
    files = {
        "model.onnx": model,
        "report.json": json.dumps(report, indent=2, allow_nan=False).encode(),
        "README.md": model_card(report).encode(),
        "benchmark.py": SCRIPT.read_bytes(),
    }
    write_archive(path, files)
    yield Exported(str(arch), str(path.relative_to(store.folder)), report)
    yield Finished("exported", clock.seconds())


def _metadata(space: SearchSpace, arch: Arch, data: Dataset) -> dict[str, str]:
    """What travels inside the ONNX file: enough to feed it without any other file."""
    return {
        "arch": str(arch),
        "space": space.name,
        "classes": json.dumps(list(data.classes)),
        "mean": json.dumps(list(data.mean)),
        "std": json.dumps(list(data.std)),
        "preprocessing": "float32 (pixels / 255 - mean) / std, shape (batch, channels, size, size)",
    }


def _latency(samples: Samples, search: RunSpec, provenance: dict[str, Any]) -> dict[str, Any]:
    """This export's own measurement, and the verdict: every session must meet the limit."""
    return {
        "latency": {
            "p50_ms": samples.p50_ms,
            "p90_ms": samples.p90_ms,
            "p99_ms": samples.p99_ms,
            "runs": samples.runs,
            "sessions": list(samples.sessions),
            "warmup": STANDARD.warmup,
            "disturbed": samples.disturbed,
            "threads": search.device.threads,
            "runtime": f"{provenance['runtime']} {provenance['runtime_version']}",
        },
        "device": provenance,
        "limit_ms": search.latency_limit_ms,
        "within_limit": max(samples.sessions) <= search.latency_limit_ms,
    }


def _accuracy(weights: Weights, method: Method) -> dict[str, Any]:
    trained = weights.trained
    kinds = {"finetune": "finetuned", "retrain": "retrained"}
    return {
        "weights": kinds[trained.mode] if trained else "shared" if method.shared else "alone",
        "proxy_accuracy": weights.proxy_accuracy,
        "accuracy": trained.accuracy if trained else None,
        "test_accuracy": trained.test_accuracy if trained else None,
        "times_tested": weights.times_tested,
    }


def _facts(search: RunSpec, space: SearchSpace, arch: Arch, data: Dataset) -> dict[str, Any]:
    cost = network_cost(space, arch)
    return {
        "params": cost.params,
        "macs": cost.macs,
        "peak_bytes": cost.peak_bytes,
        "space": space.to_json(),
        "data": {
            "name": data.name,
            "hash": data.hash,
            "classes": list(data.classes),
            "splits": {name: len(index) for name, index in data.splits.items()},
        },
        "preprocessing": {
            "size": space.input.size,
            "channels": space.input.channels,
            "mean": list(data.mean),
            "std": list(data.std),
        },
        "strategy": search.strategy,
        "seed": search.seed,
        "epochs": search.epochs,
        "versions": {"onepath-studio": __version__, "python": platform.python_version()}
        | {p: version(p) for p in PACKAGES},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _archive_path(store: Store, spec: ExportSpec, report: dict[str, Any]) -> Path:
    name = f"{store.folder.name}-run{spec.run}-{report['onnx_sha256'][:8]}.zip"
    return store.folder / "exports" / name
