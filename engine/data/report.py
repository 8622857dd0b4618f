"""What a look at all images tells: counts, sizes, exact copies, and warnings in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.source import SPLITS, Material

MAX_SIZES = 24
UNEVEN = 3.0


@dataclass(frozen=True, slots=True)
class DataReport:
    """Facts for people.

    `counts`: images per split and class. `sizes`: images per original size ("640×480"), the most
    frequent first, the rest under "other". `duplicates`: images that repeat an earlier one pixel
    for pixel at the size read. `leaks`: those of them whose first copy lies in another split.
    """

    counts: dict[str, dict[str, int]]
    sizes: dict[str, int]
    duplicates: int
    leaks: int
    warnings: tuple[str, ...]


def make_report(
    material: Material,
    splits: Mapping[str, NDArray[np.int64]],
    *,
    digests: Sequence[bytes],
    sizes: Counter[tuple[int, int]],
) -> DataReport:
    """The report on `material` from the digest of every picture and their original sizes."""
    counts = {
        name: dict(
            zip(
                material.classes,
                np.bincount(material.labels[index], minlength=len(material.classes)).tolist(),
                strict=True,
            )
        )
        for name, index in splits.items()
    }
    copies = _copies(digests, _split_of(splits, len(digests)))
    leaks = [(a, b) for a, b, crossing in copies if crossing]
    labels = material.labels
    conflicts = [(a, b) for a, b, _ in copies if labels[a] != labels[b]]
    warnings = (
        *material.notes,
        *_copies_in_words(material.names, [(a, b) for a, b, _ in copies], leaks, conflicts),
        *_balance_in_words(counts),
    )
    return DataReport(counts, _histogram(sizes), len(copies), len(leaks), warnings)


def _split_of(splits: Mapping[str, NDArray[np.int64]], count: int) -> list[int]:
    groups = np.zeros(count, dtype=np.int64)
    for number, name in enumerate(SPLITS):
        groups[splits[name]] = number
    return groups.tolist()


def _copies(digests: Sequence[bytes], split_of: Sequence[int]) -> list[tuple[int, int, bool]]:
    """(image, its first copy, whether they lie in different splits) for every repeated image.

    An image of `weights` counts as the first, so that what repeats it elsewhere leaks.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for index, digest in enumerate(digests):
        groups[digest].append(index)
    found = []
    for group in groups.values():
        first, *rest = sorted(group, key=lambda index: (split_of[index], index))
        found += [(index, first, split_of[index] != split_of[first]) for index in rest]
    return found


def _copies_in_words(
    names: Sequence[str],
    copies: Sequence[tuple[int, int]],
    leaks: Sequence[tuple[int, int]],
    conflicts: Sequence[tuple[int, int]],
) -> list[str]:
    def like(pairs: Sequence[tuple[int, int]], where: str = "") -> str:
        index, first = pairs[0]
        example = f"{names[index]} of {names[first]}"
        if len(pairs) == 1:
            return f"1 image is an exact copy of another{where}: {example}"
        return f"{len(pairs):,} images are exact copies of others{where}, such as {example}"

    warnings = []
    if copies:
        warnings.append(f"{like(copies)}.")
    if leaks:
        where = " in a different split"
        warnings.append(f"Leakage: {like(leaks, where)}; accuracy will look better than it is.")
    if conflicts:
        warnings.append(f"{like(conflicts, ' of a different class')}; one of the two is wrong.")
    return warnings


def _balance_in_words(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    totals: Counter[str] = Counter()
    for split in counts.values():
        totals.update(split)
    (most, high), *_, (least, low) = totals.most_common()
    warnings = []
    if high >= UNEVEN * low:
        warnings.append(
            f"Uneven classes: {most} has {high:,} images, {least} only {low:,};"
            " a model may favour the frequent ones."
        )
    for name, split in counts.items():
        empty = [label for label, count in split.items() if not count]
        if empty:
            more = f" and {len(empty) - 1:,} more classes" if len(empty) > 1 else ""
            warnings.append(f"The {name} split holds no image of class {empty[0]}{more}.")
    return warnings


def _histogram(sizes: Counter[tuple[int, int]]) -> dict[str, int]:
    common = sizes.most_common(MAX_SIZES)
    histogram = {f"{width}×{height}": count for (width, height), count in common}
    rest = sizes.total() - sum(histogram.values())
    return histogram | ({"other": rest} if rest else {})
