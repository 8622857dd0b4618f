"""Measuring again when the device as a whole was slower than when its table was made."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.devices.contract import Device, Effort, Samples
from engine.store import Progressing

SLOW = 1.10  # times the yardstick of the table: the figures would be of another machine
TRIES = 6
REST_S = 1.0  # before the second try; each later rest is twice as long, 31 s in all


def measure_calmly(
    device: Device,
    models: Sequence[bytes],
    effort: Effort,
    *,
    yardstick_ns: float,
    on_progress: Progressing,
) -> list[Samples]:
    """One Samples per ONNX file, at the speed the device had when `yardstick_ns` was taken.

    A neighbour on the same processor can slow everything for seconds, so that no turn looks
    disturbed beside the others. Then the measurement is taken again after a rest, six times at
    most; the quietest is returned, as it is. A yardstick of 0 compares nothing.
    """
    best = device.measure(models, effort, on_progress)
    for attempt in range(TRIES - 1):
        if not best or not too_slow(best[0], yardstick_ns):
            break
        on_progress(0.0, "this computer is busy: measuring again")
        time.sleep(REST_S * 2**attempt)
        samples = device.measure(models, effort, on_progress)
        best = min(best, samples, key=lambda each: each[0].yardstick_ns)
    return best


def too_slow(samples: Samples, yardstick_ns: float) -> bool:
    """Whether the device was slower as a whole than when its yardstick was taken."""
    return yardstick_ns > 0 and samples.yardstick_ns > SLOW * yardstick_ns
