"""A worker that says prepared events at once, and the command line of a search it may be given."""

from __future__ import annotations

from collections.abc import Callable

from engine.events import Calibrated, Evaluated, Event, Finished, Measured
from engine.spec import ExportSpec
from engine.store import Status, Store

PREDICTION = {
    "mape": 0.011,
    "within_5pct": 0.97,
    "within_10pct": 1.0,
    "n_heldout": 30,
    "n_calibration": 20,
    "table_seconds": 4.0,
    "pairs": [[1.0, 1.1]],
}
CALIBRATED = Calibrated({"device": "test computer"}, PREDICTION, 0.5, 1.0, 2.0)
FAST, SLOW = "k3e3-" * 7 + "k3e3", "k5e6-" * 7 + "k5e6"
FOUND: tuple[Event, ...] = (
    CALIBRATED,
    Evaluated(FAST, 0.90, 0.8, 2000, 20000),
    Evaluated(SLOW, 0.99, 1.9, 9000, 90000),
    Measured(FAST, 0.82, 0.9, 1.0, 3000, (0.82, 0.81, 0.84)),
    Finished("budget used", 12.5),
)
REPORT = {
    "arch": FAST,
    "onnx_sha256": "ab" * 32,
    "parity_max_abs": 4e-7,
    "limit_ms": 1.0,
    "within_limit": True,
    "latency": {
        "p50_ms": 0.82,
        "p90_ms": 0.9,
        "p99_ms": 1.0,
        "runs": 3000,
        "threads": 1,
        "runtime": "onnxruntime 1.31",
        "sessions": [0.82],
    },
    "test_accuracy": None,
}

Execute = Callable[[Store, int, Callable[[Status], None] | None], int]


def worker(*events: Event, code: int = 0, state: str = "finished") -> Execute:
    """A worker that says these events and is done; exports get a file."""

    def execute(
        store: Store, run_id: int, on_status: Callable[[Status], None] | None = None
    ) -> int:
        print("chatter that belongs into the log")
        if on_status:
            on_status(Status("search", 0.5, 61.0, "epoch 1 of 2"))
        if isinstance(store.run(run_id).spec, ExportSpec):
            (store.folder / "exports").mkdir(exist_ok=True)
            (store.folder / "exports/model.zip").write_bytes(b"archive")
        store.append(run_id, *events)
        store.set_state(run_id, state)
        return code

    return execute


SEARCH = (
    *("search", "--space", "digits", "--data", "digits", "--device", "local"),
    *("--latency-ms", "1.0", "--seed", "3", "--epochs", "5"),
)
