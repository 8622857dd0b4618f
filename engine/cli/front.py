"""`onepath front` under new wishes: parses them, and tells the new front; nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from engine.cli.output import columns, point
from engine.cli.runs import Done
from engine.devices import open_device
from engine.errors import RunError
from engine.front.limits import UNITS, Limits, told
from engine.front.new_front import Wish, new_front
from engine.latency import LatencyModel, load_model, require_feasible
from engine.space import Arch, SearchSpace

Document = dict[str, Any]


def wish(
    done: Done,
    limit_ms: float | None,
    limits: Limits,
    *,
    pins: Iterable[str] = (),
    bans: Iterable[str] = (),
    like: str = "",
) -> Wish:
    """What the options ask for; the search's own limits where they name none."""
    limit = done.search.latency_limit_ms if limit_ms is None else limit_ms
    if not (math.isfinite(limit) and limit > 0):
        raise RunError(f"latency limit: must be above 0 ms, got {limit}.")
    space = searched_space(done)
    kept = [_parts("pin", text) for text in pins]
    slots = {slot.name: slot.ops for slot in space.slots()}
    for name, ops in (_parts("ban", text) for text in bans):
        if name not in slots:
            raise RunError(f"ban: must name a layer among {', '.join(slots)}, got {name!r}.")
        kept.append((name, tuple(op for op in slots[name] if op not in ops)))
    near = space.require(Arch.parse(like)) if like else None
    asked = replace(done.search.limits, **limits.asked())
    return Wish(limit, asked, tuple(kept), near)


def _parts(what: str, text: str) -> tuple[str, tuple[str, ...]]:
    name, separator, ops = text.partition("=")
    if not (name and separator and ops):
        raise RunError(f"{what}: must be LAYER=CHOICE,CHOICE, got {text!r}.")
    return name, tuple(ops.split(","))


def searched_space(done: Done) -> SearchSpace:
    """The space as it was searched, with the classes of its images."""
    data = done.view.data
    space = done.search.space
    return space if data is None else space.with_data(len(data.classes))


def document(done: Done, wanted: Wish) -> Document:
    """The document of the new front, with the seconds that it took."""
    space = searched_space(done)
    latency = _latency(done, space)
    require_feasible(latency, wanted.limit_ms, "the device")
    found = new_front(space, latency, done.view, wanted)
    return {
        "run": done.run.id,
        "limit_ms": wanted.limit_ms,
        "limits": wanted.limits.asked(),
        "pins": {name: list(ops) for name, ops in wanted.pins},
        "like": str(wanted.like) if wanted.like else None,
        "front": [point(candidate) for candidate in found.evaluated],
        "best": point(found.best) if found.best else None,
        "foreseen": [asdict(ghost) for ghost in found.ghosts],
        "predictor": {"mean_error": found.error, "learned_from": found.n},
        "seconds": found.seconds,
    }


def _latency(done: Done, space: SearchSpace) -> LatencyModel:
    key = open_device(done.search.device).key
    model = load_model(done.workspace.store, key, space)
    if model is None:
        raise RunError(
            f"front: needs the latency table of run {done.run.id}, which this computer does not"
            " have.",
            "Measure the device again: onepath profile.",
        )
    return model


def text(document: Document) -> str:
    """The new front in words: what was evaluated, then what is only foreseen."""
    limits: dict[str, int] = document["limits"]
    head = [
        ("run", str(document["run"])),
        ("limit", f"{document['limit_ms']:g} ms"),
        *((UNITS[name][0], f"at most {told(name, most)}") for name, most in limits.items()),
        ("took", f"{document['seconds']:.2f} s, nothing was trained"),
    ]
    names = ("predicted ms", "measured ms", "proxy acc.", "architecture")
    rows = [_row(one) for one in document["front"]]
    ghosts = [_row(one) for one in document["foreseen"]]
    best = document["best"]
    parts = [columns(head), "evaluated\n" + columns([names, *rows])]
    inside = "  ".join(_row(best)) if best else "none that was evaluated"
    parts.append(f"best within the limit\n{inside}")
    if ghosts:
        error = document["predictor"]["mean_error"]
        said = f"foreseen, not evaluated (mean error {error:.4f})"
        parts.append(said + "\n" + columns([names, *ghosts]))
    return "\n\n".join(parts)


def _row(one: Document) -> tuple[str, ...]:
    measured = one.get("latency_source") == "measured"
    took = f"{one['latency_ms']:.3g}" if measured else "-"
    return f"{one['predicted_ms']:.3g}", took, f"{one['proxy_accuracy']:.4f}", one["arch"]
