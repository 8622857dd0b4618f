"""Which image belongs to which split: stratified, by a constant seed, alike on every machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.source import SPLITS
from engine.errors import DataError

Indices = NDArray[np.int64]
SEED = 20190405


def split(
    labels: Indices, given: Sequence[str], *, classes: Sequence[str], shares: Mapping[str, float]
) -> dict[str, Indices]:
    """Ascending indices per name of SPLITS; DataError for a class too small to be in each of them.

    A split that is given stays as it is; the others take their share of `weights`, class by class.
    """
    groups = np.asarray(given, dtype=object)
    found = {name: np.flatnonzero(groups == name) for name in SPLITS}
    missing = [name for name in SPLITS[1:] if not len(found[name])]
    pool = found["weights"]
    counts = np.bincount(labels[pool], minlength=len(classes))
    _check(counts, classes, len(missing))
    taken: dict[str, list[Indices]] = {name: [] for name in SPLITS}
    quotas: list[Indices] = []
    for number, name in enumerate(missing):
        reserved = len(missing) - number  # one for each split still to come, one for the weights
        most = counts - sum(quotas, start=np.zeros_like(counts)) - reserved
        quotas.append(_quotas(counts, shares[name], most))
    for label in range(len(classes)):
        members = _shuffled(pool[labels[pool] == label], label)
        ends = np.cumsum([quota[label] for quota in quotas], dtype=np.int64)
        parts = np.split(members, ends)
        for name, part in zip((*missing, "weights"), parts, strict=True):
            taken[name].append(part)
    carved = {name: np.sort(np.concatenate(parts)) for name, parts in taken.items() if parts}
    return {name: carved.get(name, found[name]) for name in SPLITS}


def _check(counts: Indices, classes: Sequence[str], carved: int) -> None:
    if len(classes) < 2:
        raise DataError(
            f"images: must show at least 2 classes, got {len(classes)}.",
            "Put the images of each class in a folder of their own.",
        )
    least = carved + 1
    for name, count in zip(classes, counts, strict=True):
        if count < least:
            where = "" if carved == len(SPLITS) - 1 else " for training"
            raise DataError(
                f"class {name}: must have at least {least} images{where}, so that each split"
                f" gets one, got {count}.",
                "Add images, or leave the class out.",
            )


def _quotas(counts: Indices, share: float, most: Indices) -> Indices:
    """Images to take per class: `share` of all by largest remainder, 1 to `most` each."""
    exact = counts * share
    quotas = np.clip(exact.astype(np.int64), 1, most)
    total = round(float(exact.sum()))
    for label in np.argsort(quotas - exact, kind="stable"):
        if quotas.sum() < total and quotas[label] < min(exact[label], most[label]):
            quotas[label] += 1
    return quotas


def _shuffled(members: Indices, label: int) -> Indices:
    # A bit generator's raw stream is fixed by NumPy's policy; shuffle() may change with a version.
    keys = np.random.PCG64([SEED, label]).random_raw(len(members))
    return members[np.argsort(keys, kind="stable")]
