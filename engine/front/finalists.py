"""Measuring what a search found: which candidates, as real ONNX files, and which one is picked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from engine.build import arrays
from engine.devices import STANDARD, Device, Samples
from engine.devices.calm import measure_calmly, too_slow
from engine.events import Measured, View, Warned
from engine.graph import to_onnx
from engine.space import Arch
from engine.store import Progressing
from engine.supernet import SuperNet

NEAR = (0.80, 0.975)  # of the limit, predicted: room for the prediction's error and for noise
MOST = 24  # finalists measured in the first round
CONFIRMATIONS = 6  # further rounds for the pick at most; a pick that fails one is replaced


def finalists(view: View, limit_ms: float) -> list[str]:
    """Architectures to measure: front members up to the limit, and the best of those near it.

    None of them is above another limit of the search; empty where all that were evaluated are.
    """
    low, high = NEAR[0] * limit_ms, NEAR[1] * limit_ms
    front = [c for c in view.front() if c.predicted_ms <= limit_ms]
    admitted = view.admitted()
    near = [c for c in admitted if low <= c.predicted_ms <= high]
    near.sort(key=lambda c: (-c.proxy_accuracy, -c.predicted_ms, c.arch))
    ordered = dict.fromkeys(c.arch for c in (*near[: MOST // 2], *reversed(front), *near))
    if not ordered and admitted:  # a limit so tight that only the fastest may meet it
        ordered = {min(admitted, key=lambda c: (c.predicted_ms, c.arch)).arch: None}
    return list(ordered)[:MOST]


def measure_finalists(
    supernet: SuperNet,
    device: Device,
    view: View,
    *,
    limit_ms: float,
    yardstick_ns: float,
    on_progress: Progressing,
) -> Iterator[Measured | Warned]:
    """Measures finalists in turn with each other, then the pick again until it is confirmed."""
    known: dict[str, Measured] = {}
    names = finalists(view, limit_ms)
    if not names:
        yield Warned("No network that was evaluated keeps all limits: none was measured.")
        return
    files = [onnx_of(supernet, Arch.parse(name)) for name in names]
    results = measure_calmly(
        device,
        files,
        STANDARD,
        yardstick_ns=yardstick_ns,
        on_progress=lambda share, words: on_progress(0.7 * share, words),
    )
    if too_slow(results[0], yardstick_ns):
        yield Warned("This computer was busy: the finalists may be faster than was measured.")
    for name, samples in zip(names, results, strict=True):
        known[name] = _measured(name, samples)
        yield known[name]
    for round_ in range(CONFIRMATIONS):
        pick = _pick(view, known, limit_ms)
        if pick is None:
            yield Warned(_missed(known, limit_ms))
            return
        on_progress(0.7 + 0.3 * round_ / CONFIRMATIONS, "confirming the pick")
        again = [files[names.index(pick)]]
        samples = measure_calmly(
            device, again, STANDARD, yardstick_ns=yardstick_ns, on_progress=lambda *_: None
        )[0]
        known[pick] = _joined(known[pick], _measured(pick, samples))
        yield known[pick]
        if known[pick].worst_ms <= limit_ms:
            return
    yield Warned(f"Every pick failed its second measurement. {_missed(known, limit_ms)}")


def _missed(known: Mapping[str, Measured], limit_ms: float) -> str:
    """Why there is no pick, and what to do: a busy device is another matter than slow networks."""
    if any(min(m.sessions) <= limit_ms for m in known.values()):
        return (
            "No network met the limit in every session, though some did in others: something kept"
            " the device busy. Search again while it is idle, or with a higher limit."
        )
    return "No measured network met the limit: search with a higher one."


def onnx_of(supernet: SuperNet, arch: Arch) -> bytes:
    """The ONNX file of `arch` with its shared weights."""
    with torch.no_grad():
        network = supernet.subnet(arch)
    return to_onnx(supernet.space.layers(arch), arrays(network), metadata={"arch": str(arch)})


def _pick(view: View, known: dict[str, Measured], limit_ms: float) -> str | None:
    tried = {name: replace(view.candidates[name], measured=known[name]) for name in known}
    best = View(view.limits, candidates=tried).best(limit_ms)
    return best.arch if best else None


def _measured(arch: str, samples: Samples) -> Measured:
    p = samples
    return Measured(arch, p.p50_ms, p.p90_ms, p.p99_ms, p.runs, tuple(p.sessions))


def _joined(a: Measured, b: Measured) -> Measured:
    """Both measurements as one: the later percentiles, the sessions and runs of both."""
    runs, sessions = a.runs + b.runs, (*a.sessions, *b.sessions)
    return Measured(b.arch, b.p50_ms, b.p90_ms, b.p99_ms, runs, sessions)
