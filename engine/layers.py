"""The words that every block is made of, as data; no arithmetic on tensors and no torch.

A network is a tuple of `Layer`s (stem, one per kept slot, head); each holds primitives. Most are
leaves; `Residual`, `Branches` and `Split` hold chains of others. Readers interpret them: `cost`
counts, `graph` writes ONNX, `build` makes torch modules. What a word keeps in memory is said once,
by `shapes`, and where it leaves the map by `after`; all readers go by these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BN_EPS = 1e-5
"""Added to the variance by every batch norm, in training and when it is folded for export."""

ACTS = ("", "relu", "relu6", "hswish", "swish", "gelu", "sigmoid", "hsigmoid", "leaky")
"""Activations by name; "" is none. hswish: x · relu6(x + 3) / 6; leaky: slope 0.01 below 0."""

NORMS = ("batch", "instance", "layer", "group", "response")
"""`layer`: over the channels of each position; `group`: one group, over a whole image; `response`:
global response normalisation, x · (1 + gamma · |x| / mean |x|) + beta with |x| per channel."""


@dataclass(frozen=True, slots=True)
class Map:
    """What flows: `channels` times a square map of `side` pixels; `flat` once it is a vector."""

    channels: int
    side: int
    flat: bool = False

    @property
    def numbers(self) -> int:
        """How many numbers it has per image."""
        return self.channels * self.side**2


@dataclass(frozen=True, slots=True)
class Conv:
    """Convolution, batch norm, activation; padded to `ceil(side / stride)`.

    `kernel` is a side or (height, width), odd. Without `norm` it has a bias instead of batch norm;
    with `bias` it has one before its batch norm, where it does nothing (some published networks).
    `gamma` is what the batch norm's scale starts with.
    """

    cin: int
    cout: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1
    groups: int = 1
    act: str = "relu"
    norm: bool = True
    dilation: int = 1
    gamma: float = 1.0
    bias: bool = False

    @property
    def taps(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        return self.kernel if isinstance(self.kernel, tuple) else (self.kernel, self.kernel)


@dataclass(frozen=True, slots=True)
class RepConv:
    """Depthwise `kernel` x `kernel` convolution trained with dilated ones beside it, then merged.

    `beside` lists (kernel, dilation) of the small ones, each within the large one's reach, each
    with a batch norm of its own. At inference all are one convolution (UniRepLKNet).
    """

    channels: int
    kernel: int
    beside: tuple[tuple[int, int], ...]
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Linear:
    """Fully connected layer with bias and activation: (N, cin) to (N, cout)."""

    cin: int
    cout: int
    act: str = ""


@dataclass(frozen=True, slots=True)
class Norm:
    """A normalisation that stands alone, of one of the `NORMS`, then an activation."""

    channels: int
    kind: str = "batch"
    act: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Each channel times a learned factor that starts at `start` (layer scale)."""

    channels: int
    start: float


@dataclass(frozen=True, slots=True)
class Act:
    """An activation that stands alone."""

    kind: str


@dataclass(frozen=True, slots=True)
class Pool:
    """Mean (`avg`, edges count only real pixels) or largest (`max`) of `kernel` x `kernel`.

    An odd kernel leaves `ceil(side / stride)` pixels; an even one may leave one less.
    """

    kind: str
    kernel: int
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Squeeze:
    """Mean over the map as a map of one pixel: (N, C, H, W) to (N, C, 1, 1)."""


@dataclass(frozen=True, slots=True)
class ChannelConv:
    """Convolution along the channels of a one-pixel map, no bias, then a sigmoid (ECA)."""

    kernel: int


@dataclass(frozen=True, slots=True)
class Upsample:
    """Spreads a map to `side` pixels: pixel i shows the one at floor(i * come / side)."""

    side: int


@dataclass(frozen=True, slots=True)
class Shuffle:
    """Channels dealt into `groups` in turn: those of one group become neighbours of the others."""

    groups: int


@dataclass(frozen=True, slots=True)
class Take:
    """The first `channels` channels."""

    channels: int


@dataclass(frozen=True, slots=True)
class Softmax:
    """Softmax over all pixels of each channel."""


@dataclass(frozen=True, slots=True)
class Attend:
    """Attention of every pixel to all others, from queries, keys and values that lie side by side.

    Input channels: `heads` · `key` queries, as many keys, then `heads` · `value` values; output
    `heads` · `value`. Weights are softmax(q · k / sqrt(key) + bias); with `offsets` a bias is
    learned for every head and distance (|dy|, |dx|). A `window`, which divides `side`, is how far
    a pixel sees: windows lie side by side or, with `spread`, each is a grid over the whole map.
    """

    heads: int
    key: int
    value: int
    side: int
    offsets: bool = False
    window: int = 0
    spread: bool = False

    @property
    def reach(self) -> int:
        """Side of what is seen at once: that of a window, or of the whole map."""
        return self.window or self.side

    @property
    def scores(self) -> int:
        """How many scores it computes per image."""
        return int(self.heads * (self.side // self.reach) ** 2 * self.reach**4)


@dataclass(frozen=True, slots=True)
class Dropout:
    """Drops features with probability `rate` while training; nothing at inference."""

    rate: float


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """Mean over the map: (N, C, H, W) to (N, C)."""


@dataclass(frozen=True, slots=True)
class Residual:
    """Adds its input to what `body` makes of it; `body` keeps width and side."""

    body: tuple[Primitive, ...]
    act: str = ""


@dataclass(frozen=True, slots=True)
class Branches:
    """Several chains from one input, joined: `concat`, `add`, `sub`, `mean`, `mul` (broadcast)."""

    chains: tuple[tuple[Primitive, ...], ...]
    join: str = "concat"


@dataclass(frozen=True, slots=True)
class Split:
    """Channels in parts of `sizes`, one chain each, concatenated.

    In a `cascade` every chain's input has the output of the one before added to it.
    """

    sizes: tuple[int, ...]
    chains: tuple[tuple[Primitive, ...], ...]
    cascade: bool = False


Keeping = Conv | RepConv | Linear | Norm | Scale | ChannelConv | Attend  # arrays of their own
Plain = Act | Pool | Squeeze | Upsample | Shuffle | Take | Softmax | Dropout | GlobalPool
Leaf = Keeping | Plain
Primitive = Leaf | Residual | Branches | Split
Chain = tuple[Primitive, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One named part of a network (`stem`, `stage2.1`, `head`) at the map size it runs on.

    `side` is the side of the square input map in pixels; `family` and `op` name what it is
    (`mbconv`, `k5e6`); `key` is what a latency table knows it by.
    """

    name: str
    family: str
    op: str
    cin: int
    cout: int
    stride: int
    side: int
    primitives: Chain

    @property
    def key(self) -> str:
        """The layer's full shape as text: equal keys mean equal work."""
        return f"{self.family} {self.op} s{self.stride} {self.cin}>{self.cout} @{self.side}"

    @property
    def map(self) -> Map:
        """What flows in."""
        return Map(self.cin, self.side)

    def walk(self) -> Iterator[tuple[Leaf, Map, Map]]:
        """Every leaf in the order in which it runs, with what flows in and out."""
        return walk(self.primitives, self.map)


def out_side(side: int, stride: int) -> int:
    """Side of the map after a convolution: `ceil(side / stride)`."""
    return -(-side // stride)


def after(leaf: Leaf, come: Map) -> Map:
    """What leaves `leaf` when `come` enters; asserts that it fits."""
    assert _wanted(leaf) in (None, come.channels), (leaf, come)
    match leaf:
        case Conv(cout=cout, stride=stride, groups=groups):
            assert leaf.cin % groups == cout % groups == 0, leaf
            return Map(cout, out_side(come.side, stride))
        case RepConv(stride=stride):
            return Map(come.channels, out_side(come.side, stride))
        case Pool(kernel=kernel, stride=stride):
            whole = come.side - 1 + kernel % 2  # an even kernel is padded by one pixel less
            assert whole > 0, (leaf, come)
            return Map(come.channels, out_side(whole, stride))
        case Linear(cout=cout):
            assert come.flat, (leaf, come)
            return Map(cout, 1, flat=True)
        case Squeeze() | GlobalPool():
            return Map(come.channels, 1, flat=isinstance(leaf, GlobalPool))
        case Upsample(side=side):
            return Map(come.channels, side)
        case Take(channels=channels):
            return Map(channels, come.side)
        case Attend(heads=heads, value=value, side=side):
            assert (come.side, side % leaf.reach) == (side, 0), (leaf, come)
            return Map(heads * value, side)
        case _:
            return come


def _wanted(leaf: Leaf) -> int | None:
    """How many channels must enter, or None where any number may."""
    match leaf:
        case Conv(cin=channels) | Linear(cin=channels):
            return channels
        case RepConv(channels=channels) | Norm(channels=channels) | Scale(channels=channels):
            return channels
        case Attend(heads=heads, key=key, value=value):
            return heads * (2 * key + value)
        case _:
            return None


def walk(primitives: Chain, come: Map) -> Iterator[tuple[Leaf, Map, Map]]:
    """Every leaf of a chain in running order, with what flows in and out."""
    for primitive in primitives:
        for chain, into in inner(primitive, come):
            yield from walk(chain, into)
        out = flow((primitive,), come)
        if not isinstance(primitive, Residual | Branches | Split):
            yield primitive, come, out
        come = out


def inner(primitive: Primitive, come: Map) -> list[tuple[Chain, Map]]:
    """The chains inside a word, each with what enters it; none for a leaf."""
    match primitive:
        case Residual(body=body):
            return [(body, come)]
        case Branches(chains=chains):
            return [(chain, come) for chain in chains]
        case Split(sizes=sizes, chains=chains):
            return [(c, Map(s, come.side)) for s, c in zip(sizes, chains, strict=True)]
        case _:
            return []


def flow(primitives: Sequence[Primitive], come: Map) -> Map:
    """What leaves a chain when `come` enters; asserts that its words fit each other."""
    for primitive in primitives:
        outs = [flow(chain, into) for chain, into in inner(primitive, come)]
        match primitive:
            case Residual():
                assert outs[0] == come, (primitive, outs, come)
            case Branches(join="concat"):
                assert len({out.side for out in outs}) == 1, (primitive, outs)
                come = Map(sum(out.channels for out in outs), outs[0].side)
            case Branches():
                come = max(outs, key=lambda out: out.numbers)
                assert {out.channels for out in outs} <= {1, come.channels}, (primitive, outs)
            case Split(sizes=sizes):
                assert sum(sizes) == come.channels, (primitive, come)
                come = Map(sum(out.channels for out in outs), outs[0].side)
            case _:
                come = after(primitive, come)
    return come


def shapes(leaf: Leaf) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array that `leaf` keeps at inference, in a fixed order.

    `mean` and `var` are a batch norm's running statistics; all others are trained.
    """
    match leaf:
        case Conv(cin=cin, cout=cout, groups=groups, norm=norm, bias=bias):
            kept: tuple[str, ...] = ("bias",) if bias or not norm else ()
            kept += ("gamma", "beta", "mean", "var") if norm else ()
            return {"weight": (cout, cin // groups, *leaf.taps)} | dict.fromkeys(kept, (cout,))
        case RepConv(channels=channels, kernel=kernel):
            return {"weight": (channels, 1, kernel, kernel), "bias": (channels,)}
        case Linear(cin=cin, cout=cout):
            return {"weight": (cout, cin), "bias": (cout,)}
        case Norm(channels=channels, kind="batch"):
            return dict.fromkeys(("gamma", "beta", "mean", "var"), (channels,))
        case Norm(channels=channels):
            return dict.fromkeys(("gamma", "beta"), (channels,))
        case Scale(channels=channels):
            return {"gamma": (channels,)}
        case ChannelConv(kernel=kernel):
            return {"weight": (kernel,)}
        case Attend(heads=heads, offsets=True):
            return {"bias": (heads, leaf.reach**2)}
        case _:
            return {}
