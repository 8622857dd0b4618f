"""Predicted latency of every architecture of a space on a device, with the error of the prediction.

`profile` measures (a table of isolated layers, then whole networks) and stores; `load_model` only
reads, imports no runtime and is fast enough for every edit of a page.
"""

from __future__ import annotations

import csv
import difflib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from engine.calibration import Fit, choose, fit
from engine.cost import FLOAT_BYTES, network_cost
from engine.devices.contract import Device, Effort, Samples
from engine.errors import InfeasibleLimit, UnknownLayer
from engine.layers import Layer
from engine.space import SKIP, Arch, SearchSpace, all_layers
from engine.store import Progressing, Store

EFFORT = Effort(sessions=5, runs=320, warmup=4, seconds=0.06)
ROWS_AT_ONCE = 32  # then they are stored, and need not be measured again after a crash
GROUP_BYTES = 256 * 2**20  # of models that are loaded at once
MEDIAN_OF = 1000  # architectures drawn for the median of a space
WEIGHT_SEED = 0


@dataclass(frozen=True, slots=True)
class Prediction:
    """How well networks that no fit has seen were predicted; `mape` and shares as fractions 0..1.

    `pairs`: (predicted, measured) ms of these networks. Where a space is too small to hold any out,
    `n_heldout` is 0 and the errors are those of the networks that were fitted.
    """

    mape: float
    within_5pct: float
    within_10pct: float
    n_heldout: int
    n_calibration: int
    table_seconds: float
    pairs: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """Additive in the slots: `constant_ms` (stem, head, calling) plus one term per slot and op.

    `device` is the provenance at the time of measuring; `stem_share` of the constant is the stem's.
    """

    device: dict[str, Any]
    device_key: str
    space_digest: str
    constant_ms: float
    slot_ms: tuple[dict[str, float], ...]
    prediction: Prediction
    fastest_ms: float
    median_ms: float
    slowest_ms: float
    stem_share: float = 0.5

    def predict(self, arch: Arch) -> float:
        """Predicted ms; UnknownLayer for ops that were not measured."""
        return self.constant_ms + sum(self._terms(arch))

    @property
    def yardstick_ns(self) -> float:
        """What a fixed computation took on the device when it was measured; 0 if not told."""
        return float(self.device.get("yardstick_ns", 0.0))

    def layer_ms(self, space: SearchSpace, arch: Arch) -> list[tuple[str, float]]:
        """(name, ms) of every layer of `arch`, stem and head included; sums to `predict`."""
        stem_ms = self.constant_ms * self.stem_share
        terms = zip(space.slots(), arch.ops, self._terms(arch), strict=True)
        kept = [(slot.name, ms) for slot, op, ms in terms if op != SKIP]
        return [("stem", stem_ms), *kept, ("head", self.constant_ms - stem_ms)]

    def fastest(self, space: SearchSpace) -> Arch:
        """The architecture of `space` with the least predicted latency."""
        genes = zip(space.genes(), gene_ms(space, self.slot_ms), strict=True)
        best = [gene.values[min(range(len(ms)), key=ms.__getitem__)] for gene, ms in genes]
        return Arch(tuple(op for part in best for op in part))

    def _terms(self, arch: Arch) -> list[float]:
        try:
            return [table[op] for table, op in zip(self.slot_ms, arch.ops, strict=True)]
        except (KeyError, ValueError) as error:
            raise UnknownLayer(
                f"latency: must be an architecture that was measured, got {str(arch)[:200]}.",
                "Measure the device for this search space.",
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` is its inverse."""
        return asdict(self)

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> LatencyModel:
        """The model that `to_json` described."""
        prediction = dict(document["prediction"])
        prediction["pairs"] = tuple((float(p), float(m)) for p, m in prediction["pairs"])
        parts = {"slot_ms": tuple(document["slot_ms"]), "prediction": Prediction(**prediction)}
        return LatencyModel(**{**document, **parts})


def gene_ms(space: SearchSpace, slot_ms: Sequence[Mapping[str, float]]) -> list[list[float]]:
    """Ms of every value of every gene of `space`: the sum over the gene's slots."""
    return [
        [sum(slot_ms[i][op] for i, op in zip(gene.slots, v, strict=True)) for v in gene.values]
        for gene in space.genes()
    ]


def load_model(store: Store, device_key: str, space: SearchSpace) -> LatencyModel | None:
    """The stored model of `space` on the device, or None if it was never measured."""
    payload = store.calibration(device_key, space.digest())
    return None if payload is None else LatencyModel.from_json(payload)


def restricted(model: LatencyModel, old: SearchSpace, new: SearchSpace) -> LatencyModel | None:
    """The model of `old` for `new`, if `new` only leaves choices of it out; else None.

    Exact: a prediction is a constant and one term per slot, and both stay what they were.
    """
    before, now = old.slots(), new.slots()
    same_ends = (old.stem_layer(), old.head_layer()) == (new.stem_layer(), new.head_layer())
    if not same_ends or len(before) != len(now):
        return None
    for a, b in zip(before, now, strict=True):
        if a.place != b.place or not set(b.ops) <= set(a.ops):
            return None
    kept = zip(now, model.slot_ms, strict=True)
    tables = tuple({op: table[op] for op in slot.ops} for slot, table in kept)
    fastest, middle, slowest = _ends(new, tables, model.constant_ms)
    return replace(
        model,
        space_digest=new.digest(),
        slot_ms=tables,
        fastest_ms=fastest,
        median_ms=middle,
        slowest_ms=slowest,
    )


def _ends(
    space: SearchSpace, tables: Sequence[Mapping[str, float]], constant_ms: float
) -> tuple[float, float, float]:
    """Ms of the fastest, of a middle one of many drawn, and of the slowest network."""
    rng = random.Random(0)
    genes = gene_ms(space, tables)
    middle = median([sum(rng.choice(ms) for ms in genes) for _ in range(MEDIAN_OF)])
    fastest, slowest = sum(map(min, genes)), sum(map(max, genes))
    return constant_ms + fastest, constant_ms + middle, constant_ms + slowest


def require_feasible(model: LatencyModel, limit_ms: float, device: str) -> None:
    """Raises InfeasibleLimit, naming the tightest limit there is, for one below the fastest."""
    if limit_ms < model.fastest_ms:
        raise InfeasibleLimit(
            f"latency limit {limit_ms:.3g} ms: the fastest architecture needs "
            f"{model.fastest_ms:.3g} ms on {device}.",
            f"Ask for {model.fastest_ms * 1.05:.3g} ms or more, or make the space smaller.",
        )


def profile(
    store: Store,
    space: SearchSpace,
    device: Device,
    on_progress: Progressing,
    *,
    fresh: bool = False,
) -> LatencyModel:
    """The model of `space` on `device`: the stored one, or one that is measured now and stored.

    Table rows that the store has are kept, missing ones are measured and stored a few at a time,
    so that what was interrupted goes on where it ended. `fresh` forgets and measures everything.
    """
    known = load_model(store, device.key, space)
    if known is not None and not fresh:
        return known
    started = time.monotonic()
    provenance = device.provenance()
    if fresh:
        store.forget_latencies(device.key, [layer.key for layer in distinct_layers(space)])
    rows = _table(store, space, device, lambda x, text: on_progress(0.4 * x, text))
    archs, spare = choose(space)
    samples = _measured(
        space, [*archs, *spare], device, lambda x, text: on_progress(0.4 + 0.6 * x, text)
    )
    networks = [(a, s.p50_ms) for a, s in zip([*archs, *spare], samples, strict=True)]
    fitted = fit(space, rows, networks[: len(archs)])
    provenance |= _noise(samples)
    model = _model(space, fitted, rows, device=provenance, device_key=device.key)
    seconds = round(time.monotonic() - started, 2)
    model = replace(model, prediction=_prediction(model, networks, len(archs), seconds))
    store.put_calibration(device.key, space.digest(), model.to_json())
    return model


def _table(
    store: Store, space: SearchSpace, device: Device, on_progress: Progressing
) -> dict[str, float]:
    """Ms of every layer of `space` alone, by key; those that the store lacks are measured."""
    from engine.graph import layer_onnx  # takes a while to import, and pages do without

    rows = store.latencies(device.key)
    missing = [layer for layer in distinct_layers(space) if layer.key not in rows]
    for start in range(0, len(missing), ROWS_AT_ONCE):
        group = missing[start : start + ROWS_AT_ONCE]

        def tell(done: float, _: str, start: int = start, size: int = len(group)) -> None:
            on_progress((start + done * size) / len(missing), f"{len(missing)} layers alone")

        models = [layer_onnx(layer, WEIGHT_SEED) for layer in group]
        for layer, s in zip(group, device.measure(models, EFFORT, tell), strict=True):
            p90 = max(s.p90_ms, s.p50_ms)
            store.put_latency(device.key, layer.key, (s.p50_ms, s.p10_ms, p90, s.runs))
            rows[layer.key] = s.p50_ms
    return rows


def distinct_layers(space: SearchSpace) -> list[Layer]:
    """One layer for every key that occurs in the space: stem, head, every op of every slot."""
    return list({layer.key: layer for layer in all_layers(space)}.values())


def _measured(
    space: SearchSpace, archs: Sequence[Arch], device: Device, on_progress: Progressing
) -> list[Samples]:
    """Samples of whole networks with random weights, measured in groups that fit in memory."""
    from engine.graph import random_weights, to_onnx  # takes a while to import

    samples: list[Samples] = []
    for group in _groups(space, archs):
        first, share = len(samples) / len(archs), len(group) / len(archs)

        def tell(done: float, _: str, first: float = first, share: float = share) -> None:
            on_progress(first + share * done, f"{len(archs)} whole networks")

        networks = (space.layers(arch) for arch in group)
        models = [to_onnx(n, random_weights(n, WEIGHT_SEED), metadata={}) for n in networks]
        samples += device.measure(models, EFFORT, tell)
    return samples


def _groups(space: SearchSpace, archs: Sequence[Arch]) -> Iterator[list[Arch]]:
    group: list[Arch] = []
    size = 0
    for arch in archs:
        more = FLOAT_BYTES * network_cost(space, arch).params
        if group and size + more > GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(arch)
        size += more
    yield group


def _model(
    space: SearchSpace,
    fitted: Fit,
    rows: Mapping[str, float],
    *,
    device: dict[str, Any],
    device_key: str,
) -> LatencyModel:
    """The fit as a model, its error not yet known."""
    slots = space.slots()
    tables = tuple({op: fitted.op_ms(slot, op) for op in slot.ops} for slot in slots)
    stem_ms, head_ms = rows[space.stem_layer().key], rows[space.head_layer().key]
    fastest, middle, slowest = _ends(space, tables, fitted.base_ms)
    return LatencyModel(
        device=device,
        device_key=device_key,
        space_digest=space.digest(),
        constant_ms=fitted.base_ms,
        slot_ms=tables,
        prediction=Prediction(0.0, 0.0, 0.0, 0, 0, 0.0),
        fastest_ms=fastest,
        median_ms=middle,
        slowest_ms=slowest,
        stem_share=stem_ms / (stem_ms + head_ms),
    )


def _prediction(
    model: LatencyModel, networks: Sequence[tuple[Arch, float]], fitted: int, seconds: float
) -> Prediction:
    """The error over the networks after the first `fitted`; over all where there are no more."""
    tested = networks[fitted:] or networks
    pairs = tuple((model.predict(arch), ms) for arch, ms in tested)
    errors = [abs(predicted / measured - 1) for predicted, measured in pairs]
    return Prediction(
        mape=sum(errors) / len(errors),
        within_5pct=sum(error <= 0.05 for error in errors) / len(errors),
        within_10pct=sum(error <= 0.10 for error in errors) / len(errors),
        n_heldout=len(networks) - fitted,
        n_calibration=fitted,
        table_seconds=seconds,
        pairs=pairs if len(networks) > fitted else (),
    )


def _noise(samples: Sequence[Samples]) -> dict[str, Any]:
    """How it was measured and how quiet the device was meanwhile, for the provenance."""
    disturbed = sum(s.disturbed for s in samples) / len(samples)
    return {
        "warmup": EFFORT.warmup,
        "runs": min(s.runs for s in samples),
        "sessions": EFFORT.sessions,
        "session_spread": round(median(s.spread for s in samples), 4),
        "disturbed": round(disturbed, 4),
        "busy": sum(s.busy for s in samples) > len(samples) / 2,
        "yardstick_ns": min(s.yardstick_ns for s in samples),
    }


def read_table(path: Path) -> tuple[float, dict[tuple[str, str], float]]:
    """Constant in ms and (slot name, op) to ms of a shipped CSV table; `#` begins a comment."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    rows = {(row["slot"], row["op"]): float(row["ms"]) for row in csv.DictReader(lines)}
    return rows.pop(("constant", "")), rows


def table_sum(
    space: SearchSpace, arch: Arch, rows: Mapping[tuple[str, str], float], constant_ms: float
) -> float:
    """Ms of `arch` as a bare sum of table rows; UnknownLayer lists the nearest rows there are."""
    total = constant_ms
    for slot, op in zip(space.slots(), space.require(arch).ops, strict=True):
        if op == SKIP:
            continue
        if (slot.name, op) not in rows:
            known = [" ".join(row) for row in rows]
            nearest = difflib.get_close_matches(f"{slot.name} {op}", known, n=3, cutoff=0.0)
            raise UnknownLayer(
                f"latency table: must hold {slot.name} {op}, got none.",
                f"Nearest rows: {', '.join(nearest)}.",
            )
        total += rows[slot.name, op]
    return total
