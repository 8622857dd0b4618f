"""Times ONNX models with ONNX Runtime on this computer. Needs Python, numpy and onnxruntime only.

    python benchmark.py                  times the model.onnx that lies beside this file
    python benchmark.py FILE --threads 2 --runs 2000 --json

One run is one image through the network, batch 1. Runs are timed one by one in several sessions,
and each session in turns with rests between them; p50 is the median of the sessions' medians. A
small fixed computation, the yardstick, is timed around every turn: where it is slow, something else
kept the computer busy, and the turn is repeated later. So the times are those of a computer that
is left alone. If a report.json lies beside the model, the result is compared with what it says.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import math
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

PROVIDER = "CPUExecutionProvider"
TURNS = 8  # per session; bursts of other work last tens of ms, a session should outlast them
REST_S = 0.02  # between turns
DISTURBED = 1.15  # a turn is repeated if its yardstick was slower than the quiet one by this factor
WAKE_S = 0.002  # computing that is not timed, after a rest: a sleeping core is slow at first
REFUSED = (
    state.Fail,
    state.InvalidArgument,
    state.InvalidGraph,
    state.InvalidProtobuf,
    state.NoSuchFile,
    state.NotImplemented,
    state.RuntimeException,
)
"""What ONNX Runtime raises for a file that it cannot load or run."""


@dataclass(frozen=True)
class Plan:
    """How to time: per session and model at most `runs` runs or `seconds`, in turns.

    Every turn begins with `warmup` untimed runs, or fewer where they take longer than the turn.
    """

    sessions: int = 5
    runs: int = 1000
    warmup: int = 20
    seconds: float = 1.0
    threads: int = 1


class Model:
    """One loaded network and one fixed random image."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDER])
        wanted = self.session.get_inputs()[0]
        shape = [size if isinstance(size, int) else 1 for size in wanted.shape]
        image = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        self.feed = {wanted.name: image}
        self.outputs = [output.name for output in self.session.get_outputs()]

    def time(self, plan: Plan) -> list[float]:
        """Milliseconds of every timed run of one turn; at least one run."""
        run, outputs, feed, clock = self.session.run, self.outputs, self.feed, time.perf_counter_ns
        longest, wanted = plan.seconds * 1e9 / TURNS, math.ceil(plan.runs / TURNS)
        deadline = clock() + longest
        for _ in range(plan.warmup):
            run(outputs, feed)
            if clock() > deadline:
                break
        times: list[int] = []
        deadline = clock() + longest
        while len(times) < wanted:
            start = clock()
            run(outputs, feed)
            end = clock()
            times.append(end - start)
            if end > deadline:
                break
        return [ns / 1e6 for ns in times]


@dataclass
class Turn:
    """The runs of one model in one turn of a session, in ms, and how slow the yardstick was."""

    model: int
    session: int
    times: list[float]
    yardstick: float
    quiet_ns: float = 0.0


def measure(
    paths: Sequence[Path], plan: Plan, on_progress: Callable[[float], None]
) -> list[list[Turn]]:
    """The turns of every model; each round goes once around all models, the last ones repeat.

    Repeating ends once it took half as long as what was planned; `Turn.yardstick` is relative to
    its quiet value, so turns above DISTURBED are those that could not be had undisturbed.
    """
    models = [Model(path, plan.threads) for path in paths]
    rounds = plan.sessions * TURNS
    turns: list[Turn] = []
    gc.collect()
    gc.disable()
    started = time.monotonic()
    try:
        for number in range(rounds):
            turns += _round(models, [(i, number // TURNS) for i in range(len(models))], plan)
            on_progress((number + 1) / rounds)
        deadline = time.monotonic() + (time.monotonic() - started) / 2
        while (noisy := _disturbed(turns)) and time.monotonic() < deadline:
            again = _round(models, [(turn.model, turn.session) for turn in noisy], plan)
            for old, new in zip(noisy, again, strict=True):
                if new.yardstick < old.yardstick:
                    old.times, old.yardstick = new.times, new.yardstick
            on_progress(1.0)
    finally:
        gc.enable()
    quiet = _quiet(turns)
    for turn in turns:
        turn.yardstick /= quiet
        turn.quiet_ns = quiet
    return [[turn for turn in turns if turn.model == i] for i in range(len(models))]


def _quiet(turns: Sequence[Turn]) -> float:
    return float(np.quantile([turn.yardstick for turn in turns], 0.05))


def _disturbed(turns: Sequence[Turn]) -> list[Turn]:
    quiet = _quiet(turns)
    return [turn for turn in turns if turn.yardstick > DISTURBED * quiet]


def _round(models: Sequence[Model], wanted: Sequence[tuple[int, int]], plan: Plan) -> list[Turn]:
    """One turn for each (model, session) of `wanted`, after a rest."""
    _rest()
    turns = []
    before = yardstick()
    for i, session in wanted:
        times = models[i].time(plan)
        after = yardstick()
        turns.append(Turn(i, session, times, max(before, after)))
        before = after
    return turns


def yardstick() -> float:
    """Median ns of a computation that is always the same and never waits for memory."""
    clock = time.perf_counter_ns
    times = []
    for _ in range(25):
        start = clock()
        for _ in range(300):
            pass
        times.append(clock() - start)
    return float(np.median(times))


def _rest() -> None:
    time.sleep(REST_S)
    end = time.perf_counter() + WAKE_S
    while time.perf_counter() < end:
        pass


def summary(turns: Sequence[Turn]) -> dict[str, Any]:
    """Percentiles in ms of the runs of one model, p50 per session, share of disturbed turns."""
    numbers = sorted({turn.session for turn in turns})
    sessions = [[ms for t in turns if t.session == n for ms in t.times] for n in numbers]
    medians = [float(np.median(session)) for session in sessions]
    p10, p90, p99 = np.percentile(np.concatenate(sessions), [10, 90, 99])
    return {
        "p50_ms": float(np.median(medians)),
        "p90_ms": float(p90),
        "p99_ms": float(p99),
        "p10_ms": float(p10),
        "runs": sum(map(len, sessions)),
        "sessions": medians,
        "disturbed": sum(turn.yardstick > DISTURBED for turn in turns) / len(turns),
        "yardstick_ns": turns[0].quiet_ns,
    }


def serve(request: Path) -> int:
    """Times the models that the JSON file `request` lists; one JSON object per line on stdout.

    Lines are {"done": share}, and last {"results": [summary…]} or {"error": sentence}.
    """
    document = json.loads(request.read_text())
    parent, told = os.getppid(), 0.0

    def tell(done: float) -> None:
        nonlocal told
        if os.getppid() != parent:
            shutil.rmtree(request.parent, ignore_errors=True)  # nobody else will clear it away
            sys.exit("whoever asked for this measurement is gone")
        if time.monotonic() - told > 0.1:
            told = time.monotonic()
            print(json.dumps({"done": done}), flush=True)

    try:
        turns = measure([Path(p) for p in document["models"]], Plan(**document["plan"]), tell)
    except REFUSED as error:
        print(json.dumps({"error": _first_line(error)}), flush=True)
        return 1
    print(json.dumps({"results": [summary(each) for each in turns]}), flush=True)
    return 0


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 if the model ran, 2 for a file that is none."""
    options = _options().parse_args(arguments)
    if options.serve:
        return serve(options.serve)
    if not options.model.is_file():
        print(f"{options.model}: there is no such file.", file=sys.stderr)
        return 2
    report = _report(options.model.parent / "report.json")
    threads = options.threads or int(report.get("latency", {}).get("threads", 1))
    plan = Plan(threads=threads)
    if options.runs:
        each = math.ceil(options.runs / plan.sessions)
        plan = Plan(runs=each, seconds=math.inf, threads=threads)
    try:
        turns = measure([options.model], plan, lambda _: None)
    except REFUSED as error:
        print(f"{options.model}: cannot be run: {_first_line(error)}", file=sys.stderr)
        return 2
    result = summary(turns[0]) | {
        "threads": threads,
        "runtime": f"onnxruntime {onnxruntime.__version__} {PROVIDER}",
        "host": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
    }
    result |= _compared(result, options.model, report)
    print(json.dumps(result) if options.json else _words(result))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Times an ONNX model on this computer.")
    beside = Path(__file__).parent / "model.onnx"
    parser.add_argument("model", nargs="?", type=Path, default=beside)
    parser.add_argument("--threads", type=_positive, help="default: as in report.json, else 1")
    parser.add_argument("--runs", type=_positive, help="timed runs in all (default: up to 5000)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text}")
    return int(text)


def _report(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _compared(result: dict[str, Any], model: Path, report: dict[str, Any]) -> dict[str, Any]:
    """What `report` says beside what was measured; empty where it is about another file."""
    sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    if report.get("onnx_sha256") != sha256:
        return {}
    limit = report.get("limit_ms")
    compared = {"recorded_p50_ms": report.get("latency", {}).get("p50_ms"), "limit_ms": limit}
    if limit is not None:
        compared["within_limit"] = max(result["sessions"]) <= limit
    return compared


def _words(result: dict[str, Any]) -> str:
    sessions = result["sessions"]
    lines = [
        "p50 {p50_ms:.4f} ms   p90 {p90_ms:.4f} ms   p99 {p99_ms:.4f} ms".format(**result),
        f"{result['runs']} runs in {len(sessions)} sessions, whose medians went from"
        f" {min(sessions):.4f} to {max(sessions):.4f} ms",
        f"{result['runtime']}, threads: {result['threads']}, batch 1",
        result["host"],
    ]
    if result["disturbed"] > 0.25:
        lines.append("The computer was busy with other work: close other programs and repeat.")
    recorded = result.get("recorded_p50_ms")
    if recorded:
        change = result["p50_ms"] / recorded - 1
        lines.append(f"report.json says p50 {recorded:.4f} ms: here {change:+.1%}")
    if "within_limit" in result:
        verdict = "met in every session" if result["within_limit"] else "not met in every session"
        lines.append(f"limit {result['limit_ms']:.4f} ms: {verdict}")
    return "\n".join(lines)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
