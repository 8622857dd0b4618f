"""Pieces that the attention families share; no family itself."""

from __future__ import annotations

from engine.blocks.contract import Field, Place, round8, scaled
from engine.blocks.parts import squeeze_excite
from engine.layers import Attend, Chain, Conv, Norm, Residual, Scale, out_side

MOST_ATTENDED = 32
"""Pixels a side that attention may see at once: their pairs grow with its fourth power."""

LAYER_SCALE = 1e-5

WINDOW = Field("window", "Window (0: whole map)", (0, 4, 7, 8), "w", usual=0)
RATIO = Field("ratio", "MLP ratio", (1, 2, 3, 4), "r", usual=2, shared=True, unit="ratio")


def window_on(side: int, window: int) -> int:
    """The window that attention has on a map: 0, the whole map, where that is no larger."""
    return window if window < side else 0


def attention_misfit(side: int, window: int = 0) -> str:
    """Why attention cannot be computed on maps of `side` pixels; "" if it can."""
    reach = window_on(side, window)
    if reach and side % reach:
        return f"the side of the map must be a multiple of the window, {window}, got {side}"
    if (reach or side) > MOST_ATTENDED:
        return f"attention needs a map side of at most {MOST_ATTENDED} or windows, got {side}"
    return ""


def left_side(place: Place) -> int:
    """Side of the map that leaves a layer at `place`."""
    return out_side(place.side, place.stride)


def multiple_misfit(width: int, of: int, what: str) -> str:
    """Why `width` does not divide into `what`; "" if it does."""
    return f"width must be a multiple of the {of} {what}, got {width}" if width % of else ""


def local(channels: int, gamma: float = 0.0) -> Residual:
    """Depthwise 3x3 beside the identity: where a position is, without learned positions."""
    return Residual((Conv(channels, channels, 3, groups=channels, act="", gamma=gamma),))


def mlp(channels: int, ratio: float) -> Residual:
    """Widen 1x1, narrow 1x1, beside the identity, which it is at first."""
    mid = scaled(channels, ratio)
    return Residual((Conv(channels, mid), Conv(mid, channels, act="", gamma=0.0)))


def token_mlp(channels: int, ratio: float) -> Residual:
    """The MLP of transformers: layer norm, widen, GELU, narrow, layer scale."""
    mid = scaled(channels, ratio)
    body = (
        Norm(channels, "layer"),
        Conv(channels, mid, act="gelu", norm=False),
        Conv(mid, channels, act="", norm=False),
        Scale(channels, LAYER_SCALE),
    )
    return Residual(body)


def embed(place: Place) -> Chain:
    """Strided 3x3 without activation, where width or side change; nothing elsewhere."""
    if place.keeps:
        return ()
    return (Conv(place.cin, place.cout, 3, place.stride, act="", bias=True),)


def merge(place: Place, ratio: float) -> Chain:
    """Patch merging between a local layer and an MLP on either side (arXiv:2305.07027).

    Widen to four times, depthwise 3x3 with the stride, squeeze-and-excitation, narrow. Nothing
    where width and side are kept.
    """
    if place.keeps:
        return ()
    cin, cout = place.cin, place.cout
    mid = 4 * cin
    return (
        local(cin, 1.0),
        mlp(cin, ratio),
        Conv(cin, mid),
        Conv(mid, mid, 3, place.stride, groups=mid),
        squeeze_excite(mid, round8(cin), "sigmoid"),
        Conv(mid, cout, act=""),
        local(cout, 1.0),
        mlp(cout, ratio),
    )


def attended(channels: int, attend: Attend) -> Chain:
    """Queries, keys and values by one 1x1 convolution, attention, 1x1 back to `channels`."""
    heads = attend.heads
    return (
        Conv(channels, heads * (2 * attend.key + attend.value), act="", norm=False),
        attend,
        Conv(heads * attend.value, channels, act="", norm=False),
    )
