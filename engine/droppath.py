"""ScheduledDropPath: residual branches left out at random while a network trains; not a word.

Branch l of L gives its output with probability `1 - (l + 1) / L · min(1, share) · most` for every
image on its own, divided by that probability so that the mean stays; `share` is how much of the
planned training is done. (Zoph et al. 2018, arXiv:1707.07012, there of the ops of a cell.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from engine.modules import ResidualBody


class DropPath:
    """Within a `with`, thins out the residual branches of `network` as far as `share` says.

    Only where the network is in training mode; with `share` 0, as at the start, and with `most` 0
    it changes nothing and draws nothing. Afterwards nothing of it is left in the network.
    """

    def __init__(self, network: nn.Module, most: float, generator: torch.Generator) -> None:
        self.bodies = [m.body for m in network.modules() if isinstance(m, ResidualBody)]
        self.most, self.generator = most, generator
        self.share = 0.0
        self._handles: list[RemovableHandle] = []

    def keep(self, depth: int) -> float:
        """Probability that branch `depth` (from 0, in the order they run) gives its output now."""
        return 1.0 - (depth + 1) / len(self.bodies) * min(1.0, self.share) * self.most

    def __enter__(self) -> Self:
        if self.most > 0.0:
            self._handles = [
                body.register_forward_hook(self._thinning(depth))
                for depth, body in enumerate(self.bodies)
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _thinning(self, depth: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
        def thin(body: nn.Module, _: tuple[Tensor, ...], y: Tensor) -> Tensor:
            keep = self.keep(depth)
            return thinned(y, keep, self.generator) if body.training and keep < 1.0 else y

        return thin


def thinned(y: Tensor, keep: float, generator: torch.Generator) -> Tensor:
    """`y` (N, ...) with each image's part divided by `keep`, or 0 with probability 1 - `keep`."""
    kept = torch.rand(len(y), generator=generator) < keep
    return y * (kept.to(y.dtype) / keep).view(-1, *[1] * (y.ndim - 1))
