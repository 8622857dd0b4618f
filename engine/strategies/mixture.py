"""One categorical choice per gene of a space, as logits that learn; what it expects to cost in ms.

Shared by the strategies whose ops have weights of their own. Shares are a vector per gene over its
values: probabilities, one-hot gates or a Gumbel-softmax mask. A slot is told the marginal of its
gene's shares, so that a tied stage stays one choice. Neither weights nor training are here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from engine.blocks.mbconv import Corners, MBConv
from engine.cost import FLOAT_BYTES
from engine.latency import LatencyModel, gene_ms
from engine.memory import KEPT_TIMES, kept_numbers
from engine.paths import Mixture
from engine.space import SKIP, Arch, SearchSpace, all_layers
from engine.stage import Slot
from engine.superkernel import SlotGates

DAMPING = 50.0  # price of an excess of the whole limit, at once
AT_ONCE_BYTES = 2**31  # what all ops of all slots may keep; fixed, so results are the same anywhere
Shares = Sequence[Tensor]
"""Per gene (values,), each from 0 to 1 and summing to 1."""


class Choices(nn.Module):
    """Logits of every gene over its values, beginning at about 0 (`spread` is their deviation)."""

    def __init__(
        self,
        space: SearchSpace,
        latency: LatencyModel,
        *,
        generator: torch.Generator,
        spread: float = 0.0,
    ) -> None:
        super().__init__()
        self.space = space
        self.constant_ms = latency.constant_ms
        self.ms = [torch.tensor(row) for row in gene_ms(space, latency.slot_ms)]
        self.logits = nn.ParameterList(
            nn.Parameter(spread * torch.randn(len(row), generator=generator)) for row in self.ms
        )
        self._gates = [_gates_of(slot) for slot in space.slots()]

    def probabilities(self) -> list[Tensor]:
        """Softmax of the logits, per gene."""
        return [logit.softmax(0) for logit in self.logits]

    def expected_ms(self, shares: Shares) -> Tensor:
        """Latency under `shares` in ms, a scalar: exact on one-hot shares, linear in each gene's.

        With shares p = softmax(a) its gradient is dE/da_i = p_i (F_i - sum_j p_j F_j).
        """
        pairs = zip(shares, self.ms, strict=True)
        return torch.stack([(share * ms).sum() for share, ms in pairs]).sum() + self.constant_ms

    def uncertainty(self) -> Tensor:
        """Entropy of the probabilities in nats, summed over the genes, a scalar."""
        rows = [logit.log_softmax(0) for logit in self.logits]
        return -torch.stack([(row.exp() * row).sum() for row in rows]).sum()

    def level_ms(self) -> float:
        """Latency that the probabilities expect now, in ms."""
        with torch.no_grad():
            return float(self.expected_ms(self.probabilities()))

    def mixtures(self, shares: Shares, *, active: Sequence[int] | None = None) -> list[Mixture]:
        """What the slots are told, one mixture each; all ops of all values take part.

        With `active` (the value that each gene has chosen) the other ops answer quietly.
        """
        every = [range(len(share)) for share in shares]
        return self.mixed(shares, every, active=active)

    def mixed(
        self, shares: Shares, used: Sequence[Sequence[int]], *, active: Sequence[int] | None = None
    ) -> list[Mixture]:
        """As `mixtures`, of the `used` values of each gene only."""
        told = []
        for number, gene in enumerate(self.space.genes()):
            for place in range(len(gene.slots)):
                of: dict[str, Tensor] = {}
                for value in used[number]:
                    op, share = gene.values[value][place], shares[number][value]
                    of[op] = of[op] + share if op in of else share
                kept = of if active is None else {gene.values[active[number]][place]}
                told.append(Mixture(of, frozenset(of) - frozenset(kept)))
        return told

    def arch(self, chosen: Sequence[int]) -> Arch:
        """The architecture of one value per gene."""
        pairs = zip(self.space.genes(), chosen, strict=True)
        return Arch(tuple(op for gene, value in pairs for op in gene.values[value]))

    def best(self) -> Arch:
        """The most probable value of every gene; nothing is drawn."""
        rows = [logit.tolist() for logit in self.logits]
        return self.arch([row.index(max(row)) for row in rows])

    def draw(self, generator: torch.Generator) -> Arch:
        """One architecture, each gene by its probabilities."""
        with torch.no_grad():
            return self.arch([pick(p, generator) for p in self.probabilities()])

    def gates(self, shares: Shares) -> list[SlotGates | str]:
        """Shares in the words of gates, for people: how probable it is that a part is kept.

        Only slots whose ops are the corners of one MBConv have gates; the others are told "".
        """
        told: list[SlotGates | str] = []
        mixtures = self.mixtures([share.detach() for share in shares])
        for mixture, gates in zip(mixtures, self._gates, strict=True):
            if gates is None:
                told.append("")
                continue
            sums = [sum(s * gates[op][i] for op, s in mixture.shares.items()) for i in range(4)]
            told.append(SlotGates._make(cast(list[Tensor], sums)))
        return told


@dataclass(slots=True)
class Multiplier:
    """The price of latency, learned so that the limit is hit: dual ascent, as in LightNAS.

    loss + price · (E / T - 1), and after each step value <- max(0, value + rate · (E / T - 1)), so
    it rises for as long as the expected latency E is above the limit T and falls below it. The
    price is the value plus DAMPING · (E / T - 1), as an augmented Lagrangian has it: the value
    alone goes on pressing after the limit was reached, and passes it. Below the limit the price may
    be negative, which brings back what fell too far. Where no network is excluded it is `idle`.
    """

    limit_ms: float
    rate: float
    idle: bool = False
    value: float = 0.0

    def price(self, expected_ms: float) -> float:
        """What the relative excess costs at an expected latency in ms; below 0 where it pays."""
        if self.idle:
            return 0.0
        return self.value + DAMPING * (expected_ms / self.limit_ms - 1)

    def penalty(self, modelled_ms: Tensor, expected_ms: float) -> Tensor:
        """The latency term of the loss, a scalar, at the price of `expected_ms`."""
        return self.price(expected_ms) * (modelled_ms / self.limit_ms - 1)

    def learn(self, expected_ms: float) -> None:
        """One step of the price."""
        self.value = max(0.0, self.value + self.rate * (expected_ms / self.limit_ms - 1))


def side_by_side(space: SearchSpace, batch: int) -> int:
    """How many images of a batch may go through all ops of all slots at once, while training."""
    kept = sum(kept_numbers(layer) for layer in all_layers(space))
    return max(2, min(batch, int(AT_ONCE_BYTES / (KEPT_TIMES * FLOAT_BYTES * kept))))


def pick(probabilities: Tensor, generator: torch.Generator) -> int:
    """The index of one value, drawn by `probabilities` (n,)."""
    return int(torch.multinomial(probabilities, 1, generator=generator))


def _gates_of(slot: Slot) -> dict[str, SlotGates] | None:
    """Every op of a slot as gates of 0 or 1; None where no gates could tell its ops apart."""
    if not slot.gated:
        return None
    blocks = {op: MBConv.parse(op) for op in slot.ops if op != SKIP}
    held = Corners.of(block for block in blocks.values() if block)
    values = (held.kernels[1:], held.expands[1:], held.attentions[1:])
    table = {SKIP: SlotGates._make([*(torch.zeros(len(v)) for v in values), torch.zeros(())])}
    for op, block in blocks.items():
        assert block is not None, op
        rings = torch.tensor([float(k <= block.kernel) for k in held.kernels[1:]])
        bands = torch.tensor([float(e <= block.expand) for e in held.expands[1:]])
        excite = torch.tensor([float(a == block.attention) for a in held.attentions[1:]])
        table[op] = SlotGates(rings, bands, excite, torch.tensor(1.0))
    return table
