"""What the commands print: one JSON document, or the same document as text; nothing is computed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.runs import Done
from engine.errors import RunError
from engine.events import Candidate, Exported

Document = dict[str, Any]

PREDICTION = (
    "mape",
    "within_5pct",
    "within_10pct",
    "n_heldout",
    "n_calibration",
    "table_seconds",
)
LATENCY = ("p50_ms", "p90_ms", "p99_ms", "runs", "threads", "runtime")


def show(document: Document, text: Callable[[Document], str], as_json: bool) -> None:
    """Prints the document on stdout, as JSON or in words."""
    click.echo(json.dumps(document, indent=1, allow_nan=False) if as_json else text(document))


def profile(done: Done) -> Document:
    """The document of `onepath profile`."""
    calibrated = done.view.calibrated
    if calibrated is None:
        raise RunError(f"run {done.run.id} was stopped before its calibration.")
    return {
        "device": calibrated.device,
        "prediction": _prediction(calibrated.prediction),
        "fastest_ms": calibrated.fastest_ms,
        "median_ms": calibrated.median_ms,
        "slowest_ms": calibrated.slowest_ms,
    }


def _prediction(known: Document) -> Document:
    """The error over held-out networks; null where a space is too small to hold any out."""
    tested = known["n_heldout"] > 0
    errors = ("mape", "within_5pct", "within_10pct")
    return {key: known[key] if tested or key not in errors else None for key in PREDICTION}


def search(done: Done) -> Document:
    """The document of `onepath search`, `resume` and `front`; null for what is not there yet."""
    spec, view = done.search, done.view
    known = profile(done) if view.calibrated else {"device": None, "prediction": None}
    best = view.best(spec.latency_limit_ms)
    return {
        "run": done.run.id,
        "workspace": str(done.workspace.folder),
        "seed": spec.seed,
        "seconds": view.finished.seconds if view.finished else None,
        "limit_ms": spec.latency_limit_ms,
        "space": {"size": spec.space.size()},
        "device": known["device"],
        "prediction": known["prediction"],
        "front": [point(candidate) for candidate in view.front()],
        "best": point(best) if best else None,
    }


def point(candidate: Candidate) -> Document:
    """One architecture of a front."""
    return {
        "arch": candidate.arch,
        "proxy_accuracy": candidate.proxy_accuracy,
        "latency_ms": candidate.latency_ms,
        "latency_source": candidate.latency_source,
        "predicted_ms": candidate.predicted_ms,
        "params": candidate.params,
        "macs": candidate.macs,
    }


def finetune(done: Done) -> Document:
    """The document of `onepath finetune`."""
    if not done.view.trained:
        raise RunError(f"run {done.run.id} was stopped before its training was complete.")
    trained = done.view.trained[-1]
    return {
        "arch": trained.arch,
        "proxy_accuracy": trained.proxy_accuracy,
        "accuracy": trained.accuracy,
        "test_accuracy": trained.test_accuracy,
        "seconds": trained.seconds,
    }


def export(exported: Exported, out: Path) -> Document:
    """The document of `onepath export`."""
    report = exported.report
    same = ("onnx_sha256", "parity_max_abs", "limit_ms", "within_limit")
    return {
        "archive": str(out.absolute()),
        **{key: report[key] for key in same},
        "latency": {key: report["latency"][key] for key in LATENCY},
        "test_accuracy": report["test_accuracy"],
    }


def profile_text(document: Document) -> str:
    """Device, prediction error and range of a space."""
    ends = [document[f"{name}_ms"] for name in ("fastest", "median", "slowest")]
    fastest, median, slowest = (f"{_three(ms)} ms" for ms in ends)
    rows = [("fastest", fastest), ("median", median), ("slowest", slowest)]
    return columns([*_device_rows(document), *rows])


def search_text(document: Document) -> str:
    """The front as a table, then the best within the limit."""
    seconds = document["seconds"]
    head = [
        ("run", f"{document['run']} in {document['workspace']}"),
        ("limit", f"{document['limit_ms']:g} ms"),
        ("space", f"{document['space']['size']:,} architectures"),
        ("took", "not finished" if seconds is None else f"{seconds:.0f} s"),
        *(_device_rows(document) if document["prediction"] else []),
    ]
    best = document["best"]
    names = ("ms", "", "proxy acc.", "params", "MACs", "architecture")
    front = columns([names, *map(_front_row, document["front"])])
    last = "  ".join(_front_row(best)) if best else "none measured within the limit"
    return f"{columns(head)}\n\n{front}\n\nbest within the limit\n{last}"


def _front_row(p: Document) -> tuple[str, ...]:
    counts = f"{p['params']:,}", f"{p['macs']:,}"
    ms, accuracy = _three(p["latency_ms"]), f"{p['proxy_accuracy']:.4f}"
    return ms, p["latency_source"], accuracy, *counts, p["arch"]


def _device_rows(document: Document) -> list[tuple[str, str]]:
    device, prediction = document["device"], document["prediction"]
    error = "not tested: the space has too few networks"
    if prediction["n_heldout"]:
        within = f"{prediction['within_10pct']:.0%} of {prediction['n_heldout']} within ±10 %"
        error = f"mean error {prediction['mape']:.1%}, {within}"
    named = [str(value) for key, value in device.items() if key in ("device", "cpu", "runtime")]
    return [("device", ", ".join(named)), ("prediction", error)]


def finetune_text(document: Document) -> str:
    """Accuracies of a trained architecture."""
    proxy = document["proxy_accuracy"]
    rows = [
        ("architecture", document["arch"]),
        ("proxy accuracy", "not known" if proxy is None else f"{proxy:.4f}"),
        ("accuracy", f"{document['accuracy']:.4f}"),
        ("test accuracy", f"{document['test_accuracy']:.4f}"),
        ("took", f"{document['seconds']:.0f} s"),
    ]
    return columns(rows)


def export_text(document: Document) -> str:
    """Where the archive is and what was proved about it."""
    tested, verdict = document["test_accuracy"], "within" if document["within_limit"] else "over"
    rows = [
        ("archive", document["archive"]),
        ("model.onnx", f"sha256 {document['onnx_sha256']}"),
        ("parity", f"{document['parity_max_abs']:.1e} largest difference to torch"),
        ("limit", f"{document['limit_ms']:g} ms: {verdict} the limit"),
        ("test accuracy", "not measured" if tested is None else f"{tested:.4f}"),
    ]
    return f"{columns(rows)}\n{bench_text(document['latency'])}"


def bench_text(document: Document) -> str:
    """Percentiles of a measurement."""
    names = ("p50_ms", "p90_ms", "p99_ms")
    rows = [(name.removesuffix("_ms"), f"{_three(document[name])} ms") for name in names]
    threads = f"{document['threads']} thread" + ("s" if document["threads"] > 1 else "")
    return columns([*rows, ("runs", f"{document['runs']} on {threads}, {document['runtime']}")])


def space_text(document: Document) -> str:
    """Size of a space and its two ends."""
    rows = [("architectures", f"{document['size']:,}")]
    for name, words in (("min", "smallest"), ("max", "largest")):
        cost = document[name]
        rows.append((words, f"{cost['params']:,} parameters, {cost['macs']:,} MACs"))
    golden = ", ".join(f"{key} {value:,}" for key, value in document["golden"].items())
    verdict = "matches" if document["golden_matches"] else "does not match"
    return columns([*rows, *([("published", f"{golden}: {verdict}")] if golden else [])])


def presets_text(document: Document) -> str:
    """One line per preset."""
    rows = [(p["name"], p["kind"], f"{p['size']:.3g}", p["about"]) for p in document["presets"]]
    return columns([("preset", "", "architectures", ""), *rows])


def _three(value: float) -> str:
    """The value with three significant digits."""
    return f"{value:#.3g}".rstrip(".")


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as lines with aligned columns, two blanks between them."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (zip(row, widths, strict=True) for row in table)
    return "\n".join("  ".join(c.ljust(w) for c, w in line).rstrip() for line in lines)
