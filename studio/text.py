"""Words and numbers as people read them, and the one place where errors become sentences.

Units always, three significant digits, thin spaces. Texts are Markdown unless said otherwise;
what users named goes through `plain` first.
"""

from __future__ import annotations

import functools
import logging
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, ParamSpec

import streamlit as st

from engine.errors import StudioError

THIN = "\u202f"  # narrow, and no line is broken there
UNKNOWN = "–"
P = ParamSpec("P")
logger = logging.getLogger("studio")

STATE_LABELS = {
    "waiting": "starting",
    "running": "running",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "crashed": "interrupted",
}
STATE_COLORS: dict[str, Literal["gray", "green", "orange", "red"]] = {
    "waiting": "gray",
    "running": "green",
    "paused": "orange",
    "finished": "green",
    "stopped": "gray",
    "failed": "red",
    "crashed": "red",
}
STATE_ICONS = {
    "waiting": ":material/hourglass_top:",
    "running": ":material/play_arrow:",
    "paused": ":material/pause:",
    "finished": ":material/check:",
    "stopped": ":material/stop:",
    "failed": ":material/error:",
    "crashed": ":material/power_off:",
}
PHASES = {
    "data": "Reading the images",
    "device": "Measuring the device",
    "screen": "Screening networks without training",
    "explore": "Learning which metrics help",
    "follow": "Training the most promising",
    "warm-up": "Warming up the shared weights",
    "train": "Training",
    "learn": "Learning what to draw",
    "search": "Searching under the limit",
    "settle": "Settling on the best network",
    "adapt": "Making the network smaller, step by step",
    "finetune": "Finetuning the best",
    "judge": "Judging the steps",
    "draw": "Drawing networks",
    "front": "Filling the front",
    "measure": "Measuring the front",
    "train alone": "Training networks alone",
    "compare": "Comparing",
    "conflicts": "Comparing the choices",
    "export": "Exporting",
}


# -- numbers ------------------------------------------------------------------------------------


def significant(value: float, digits: int = 3) -> str:
    """`value` with three significant digits, no exponent from 1e-6 up: `0.0783`, `12.0`, `417`."""
    if not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if magnitude < -6:
        return f"{value:.{digits - 1}e}"
    if magnitude >= digits:
        return count(round(value))
    return f"{value:.{digits - 1 - magnitude}f}"


def decimals(values: Iterable[float | None]) -> int:
    """Digits after the point that give the least of `values` three significant digits."""
    least = min((abs(value) for value in values if value), default=1.0)
    return max(0, 2 - math.floor(math.log10(least)))


def ms(value: float | None) -> str:
    """A latency: `0.0783 ms`."""
    return UNKNOWN if value is None else f"{significant(value)}{THIN}ms"


def count(value: int) -> str:
    """A whole number in groups of three from 1 000 up: `11 358`."""
    return f"{value:,}".replace(",", THIN)


def aligned(values: Iterable[int], width: int = 16) -> list[str]:
    """Whole numbers for a column of text that sorts by value: groups of three, spaces before."""
    return [f"{count(value):>{width}}" for value in values]


def compact(value: float) -> str:
    """A large number by its prefix: `1.24 M`, `334 M`, `11.4 k`."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scaled = size if size > 1e4 else 1e3
            return f"{significant(value / scaled)}{THIN}{prefix}"
    return count(round(value))


def params(value: int) -> str:
    """A number of parameters: `11 358 parameters`, `4.42 M parameters`."""
    return f"{count(value) if value < 1e6 else compact(value)} parameters"


def macs(value: int) -> str:
    """Multiply-accumulates: `1.24 M MACs`."""
    return f"{compact(value)}{'' if value >= 1e4 else THIN}{'' if value < 1e4 else ' '}MACs"


def size_bytes(value: float) -> str:
    """Memory or a file: `18.4 kB`, `2.10 MB`."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{significant(value / unit)}{THIN}{name}"
    return f"{round(value)}{THIN}bytes"


def percent(share: float | None, digits: int = 1) -> str:
    """A fraction 0..1 as `97.9 %`."""
    return UNKNOWN if share is None else f"{100 * share:.{digits}f}{THIN}%"


def power(value: int) -> str:
    """A whole number as a power of ten: `10⁶·⁶`."""
    digits = str(value)
    exponent = math.log10(int(digits[:15])) + max(0, len(digits) - 15)
    written = f"{exponent:.1f}".removesuffix(".0")
    return "10" + written.translate(str.maketrans("0123456789.", "⁰¹²³⁴⁵⁶⁷⁸⁹·"))


def networks(size: int) -> str:
    """How many networks a space holds, in words: `4.1 million networks`, `10¹³·⁵ networks`."""
    if size == 1:
        return "1 network"
    for unit, name in ((10**12, ""), (10**9, "billion"), (10**6, "million")):
        if size >= unit:
            words = f"{size / unit:.1f} {name}" if name else power(size)
            return f"{words} networks"
    return f"{count(size)} networks"


def duration(seconds: float) -> str:
    """A length of time: `8 s`, `1 min`, `2 h 5 min`."""
    if seconds < 60:
        return f"{max(1, math.ceil(seconds))}{THIN}s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes}{THIN}min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{THIN}h" + (f" {minutes}{THIN}min" if minutes else "")


def seconds_left(seconds: float | None) -> str:
    """Time to the end in words: `1 min left`; empty while nobody knows."""
    return "" if seconds is None else f"{duration(seconds)} left"


def ago(at: float, now: float | None = None) -> str:
    """When something was: `just now`, `5 min ago`, `3 days ago`."""
    passed = max(0.0, (time.time() if now is None else now) - at)
    if passed < 60:
        return "just now"
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        number = int(passed // unit)
        if number:
            return f"{number} {name}{'s' if number > 1 else ''} ago"
    raise AssertionError(passed)


# -- words --------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """`text` as Markdown that shows it letter by letter: no link, colour or formula works."""
    one_line = re.sub(rf"[^\S{THIN}]+", " ", text).strip()
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=])", r"\\\1", one_line)


def told(sentence: str) -> str:
    """A sentence of the engine as a page shows it: a capital first, thin spaces in numbers."""
    grouped = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", THIN, sentence)
    return plain(grouped[:1].upper() + grouped[1:])


def by_name(words: str, slots: Sequence[str]) -> str:
    """A sentence that counts layers from the input, with the names that the pages call them by."""
    return re.sub(r"\b[Ll]ayer (\d+)\b", lambda found: slots[int(found[1]) - 1], words)


def plural(number: int, one: str, many: str = "") -> str:
    """`1 image`, `1 797 images`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def state(name: str, done: float | None = None, left: float | None = None) -> str:
    """A run's state in a few words: `running 43 % · 1 min left`."""
    if name not in ("running", "paused") or done is None:
        return STATE_LABELS[name]
    rest = seconds_left(left) if name == "running" else ""
    return f"{STATE_LABELS[name]} {percent(done, 0)}" + (f" · {rest}" if rest else "")


def device(name: str, threads: int) -> str:
    """A device as the sentence names it: `this computer · 1 thread`."""
    called = "this computer" if name == "local" else name
    return f"{called} · {plural(threads, 'thread')}"


def provenance(facts: Mapping[str, Any]) -> str:
    """Where a latency comes from, in one line: device, processor, runtime, threads, date."""
    runtime = " ".join(str(facts[k]) for k in ("runtime", "runtime_version") if facts.get(k))
    threads = facts.get("threads")
    parts = [
        facts.get("device"),
        facts.get("cpu"),
        runtime,
        plural(int(threads), "thread") if threads else None,
        f"batch {facts['batch']}" if facts.get("batch") else None,
        str(facts.get("date", ""))[:10],
        "busy with other work meanwhile" if facts.get("busy") else None,
    ]
    return " · ".join(str(part) for part in parts if part)


def prediction(known: Mapping[str, Any]) -> str:
    """How far predicted latencies may be off: `predicted ±2.1 %`, or that nobody tested it."""
    if not known.get("n_heldout"):
        return "predicted, not tested"
    return f"predicted ±{percent(known.get('mape'))}"


# -- the error boundary ---------------------------------------------------------------------------

FAULT = "Something went wrong on our side, and nothing of yours was lost."
FAULT_HINT = "Reload the page; if it comes back, the server's log says what happened."


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """`function` (a page or a fragment's body) with errors as sentences; faults are logged."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception as error:
            show_error(error)

    return inner


def show_error(error: Exception) -> bool:
    """Draws what an error means to a user; True, so that Streamlit shows nothing of its own."""
    if isinstance(error, StudioError):
        st.error(plain(error.message) + (f"\n\n{plain(error.hint)}" if error.hint else ""))
    else:
        logger.error("a page failed", exc_info=error)
        st.error(f"{FAULT} {FAULT_HINT}")
    return True
