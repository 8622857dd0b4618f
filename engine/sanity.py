"""Two free numbers of a network before any training, after DeepMAD (arXiv:2303.02165).

Both look only at how deep and how wide its convolutions are. They do not predict an accuracy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.layers import (
    Attend,
    Branches,
    Chain,
    Conv,
    Layer,
    Primitive,
    RepConv,
    Residual,
    Split,
    out_side,
    walk,
)
from engine.space import Arch, SearchSpace

MOST_RHO = 0.5
"""Effectiveness that mobile networks should stay at or below, after DeepMAD."""
LAST_WEIGHT = 8
"""How much more the map that the head sees counts in the entropy than every earlier one."""


@dataclass(frozen=True, slots=True)
class Sanity:
    """Effectiveness `rho` and `entropy` of one network of `convs` convolutions in a row.

    Both None where `outside` names layers that hold attention: they are defined for convolutions
    only. `branched` says that layers have convolutions side by side, of which the longest row was
    counted. Linear layers and what only weighs channels (squeeze-and-excitation) count nowhere.
    """

    rho: float | None
    entropy: float | None
    convs: int
    outside: tuple[str, ...] = ()
    branched: bool = False

    @property
    def too_deep(self) -> bool:
        """Whether the network is deeper than its width makes use of."""
        return self.rho is not None and self.rho > MOST_RHO

    @property
    def note(self) -> str:
        """Why there are no numbers, or how far they can be trusted, in one sentence; or ""."""
        if self.outside:
            names = ", ".join(self.outside[:3]) + (" …" if len(self.outside) > 3 else "")
            return (
                f"Effectiveness and entropy are defined for convolutions; {names} have attention."
            )
        if self.branched:
            return "Of convolutions side by side only the longest row is counted."
        return ""


def sanity(space: SearchSpace, arch: Arch) -> Sanity:
    """The two numbers of the network of `arch`.

    With w = input channels per group times taps of each convolution, over all of them up to where
    a map size ends: rho = L / geometric mean of w, the greatest over the map sizes; entropy = sum
    of (ln C + ln side^2) * sum of (ln w) / 2, the last map size weighing 8.
    """
    layers = space.layers(arch)
    outside = tuple(layer.name for layer in layers if _attends(layer))
    widths = [_log_widths(layer.primitives) for layer in layers]
    convs = sum(map(len, widths))
    branched = any(_branches(layer.primitives) for layer in layers)
    if outside:
        return Sanity(None, None, convs, outside, branched)
    rhos, entropies = [], []
    for end in _ends(layers):
        logs = list(itertools.chain(*widths[: end + 1]))
        rhos.append(len(logs) / math.exp(sum(logs) / len(logs)))
        entropies.append(_log_map(layers[end]) * sum(logs) / 2)
    entropy = sum(entropies) + (LAST_WEIGHT - 1) * entropies[-1]
    return Sanity(max(rhos), entropy, convs, (), branched)


def _ends(layers: Sequence[Layer]) -> Iterator[int]:
    """Index of the last layer on every map size."""
    for index, (_, following) in enumerate(itertools.pairwise(layers)):
        if following.stride > 1:
            yield index
    yield len(layers) - 1


def _attends(layer: Layer) -> bool:
    return any(isinstance(leaf, Attend) for leaf, _, _ in walk(layer.primitives, layer.map))


def _log_map(layer: Layer) -> float:
    """ln of channels times pixels of the map that leaves; of the head, of the map it sees last."""
    channels, side = layer.cout, out_side(layer.side, layer.stride)
    if layer.family == "head":
        first = layer.primitives[0]
        channels = first.cout if isinstance(first, Conv) else layer.cin
    return math.log(channels) + 2 * math.log(side)


def _log_widths(chain: Chain) -> list[float]:
    """ln w of the convolutions that follow each other, in order."""
    return [log for primitive in chain for log in _of(primitive)]


def _of(primitive: Primitive) -> list[float]:
    match primitive:
        case Conv(cin=cin, groups=groups):
            return [math.log(cin // groups * math.prod(primitive.taps))]
        case RepConv(kernel=kernel):
            return [2 * math.log(kernel)]
        case Residual(body=body):
            return _log_widths(body)
        case Branches(chains=chains, join="mul"):
            return _log_widths(chains[0])  # the others are gates
        case Split(chains=chains, cascade=True):
            return [log for chain in chains for log in _log_widths(chain)]
        case Branches(chains=chains) | Split(chains=chains):
            return max(map(_log_widths, chains), key=len)
        case _:
            return []


def _branches(chain: Chain) -> bool:
    for primitive in chain:
        match primitive:
            case Residual(body=body):
                inside = [_branches(body)]
            case Branches(chains=chains, join="mul"):
                inside = [_branches(chains[0])]
            case Branches(chains=chains) | Split(chains=chains):
                inside = [sum(1 for c in chains if _log_widths(c)) > 1, *map(_branches, chains)]
            case _:
                inside = []
        if any(inside):
            return True
    return False
