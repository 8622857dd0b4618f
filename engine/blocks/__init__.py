"""The table of block families; what a family must offer stands in `contract`.

To add one: a file beside this one, one line in `BLOCKS`.
"""

from __future__ import annotations

from functools import lru_cache

from engine.blocks.cga import CascadedAttention
from engine.blocks.contract import Block, Field, Place, Value, choices
from engine.blocks.conv import Plain
from engine.blocks.e2gc import GroupSize
from engine.blocks.emo import Emo
from engine.blocks.fbnet import FBNet
from engine.blocks.fused import Fused
from engine.blocks.ghost import Ghost
from engine.blocks.ghostv2 import GhostV2
from engine.blocks.ibn import InstanceBatch
from engine.blocks.inception import Inception
from engine.blocks.mbconv import MBConv
from engine.blocks.moat import Moat
from engine.blocks.osa import OneShot
from engine.blocks.poolformer import PoolFormer
from engine.blocks.replk import LargeKernel
from engine.blocks.separable import Separable
from engine.blocks.shsa import SingleHead
from engine.blocks.shuffle import ShuffleUnit
from engine.blocks.skip import Skip
from engine.blocks.tokens import Tokens
from engine.blocks.tucker import Tucker
from engine.blocks.ulsam import SubSpace
from engine.blocks.vanilla import Vanilla
from engine.errors import SpaceError

__all__ = ["BLOCKS", "SEARCHED", "Block", "Field", "Place", "Value", "choices", "parse_op"]

BLOCKS: dict[str, type[Block]] = {
    "mbconv": MBConv,
    "fused": Fused,
    "separable": Separable,
    "conv": Plain,
    "tucker": Tucker,
    "fbnet": FBNet,
    "ghost": Ghost,
    "ghostv2": GhostV2,
    "shuffle": ShuffleUnit,
    "osa": OneShot,
    "ibn": InstanceBatch,
    "e2gc": GroupSize,
    "vanilla": Vanilla,
    "replk": LargeKernel,
    "inception": Inception,
    "ulsam": SubSpace,
    "poolformer": PoolFormer,
    "tokens": Tokens,
    "cga": CascadedAttention,
    "shsa": SingleHead,
    "moat": Moat,
    "emo": Emo,
    "skip": Skip,
}
SEARCHED = tuple(name for name in BLOCKS if name != "skip")
"""The families that a stage can be made of."""


@lru_cache(maxsize=10_000)
def parse_op(text: str) -> Block:
    """The op named `text`; raises SpaceError that says what ops look like."""
    for family in BLOCKS.values():
        op = family.parse(text)
        if op is not None:
            return op
    raise SpaceError(
        f"op: must be like k5e6 or skip, got {text[:40]!r}.",
        "Families known: " + ", ".join(BLOCKS) + ".",
    )
