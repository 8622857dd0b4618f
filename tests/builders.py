"""Small spaces, specs and hypothesis strategies that several tests build on."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from engine.blocks import BLOCKS, SEARCHED, Value
from engine.errors import SpaceError
from engine.space import SearchSpace
from engine.spec import DataChoice, DeviceChoice, RunSpec


def stage(**changes: Any) -> dict[str, Any]:
    """JSON of a stage of two slots, the second skippable."""
    usual = {"width": 8, "depth": [1, 2], "stride": 1, "kernel": [3, 5], "expand": [3, 6]}
    return {"block": "mbconv", **usual, **changes}


def document(*stages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """JSON of a small space: 8x8 grey images, stem of width 4."""
    usual = {
        "name": "small",
        "input": {"size": 8, "channels": 1},
        "classes": 3,
        "stem": {"width": 4, "kernel": 3, "stride": 1},
        "stages": list(stages) or [stage()],
        "head": {"width": 8, "dropout": 0.0},
    }
    return {**usual, **changes}


def small_space(*stages: dict[str, Any], **changes: Any) -> SearchSpace:
    """The space of `document`."""
    return SearchSpace.from_json(document(*stages, **changes))


def search_spec(**changes: Any) -> RunSpec:
    """A search of the small space."""
    usual: dict[str, Any] = {
        "space": small_space(),
        "data": DataChoice("digits"),
        "device": DeviceChoice(),
        "latency_limit_ms": 1.0,
    }
    return RunSpec(**{**usual, **changes})


def _subset(values: tuple[Value, ...], most: int) -> st.SearchStrategy[list[Value]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """JSON of one block family with some of the values of each field."""
    family = draw(st.sampled_from(SEARCHED))
    few = {f.name: draw(_subset(f.values, 2)) for f in BLOCKS[family].fields}
    return {"block": family, **few}


@st.composite
def stages(draw: st.DrawFn) -> dict[str, Any]:
    """JSON of a stage that may or may not fit where it is put."""
    most = draw(st.integers(1, 3))
    inside = draw(st.one_of(options(), st.lists(options(), min_size=1, max_size=2)))
    return {
        **({"blocks": inside} if isinstance(inside, list) else inside),
        "width": draw(st.sampled_from([4, 8, 12, 16])),
        "depth": [draw(st.integers(0, most)), most],
        "stride": draw(st.sampled_from([1, 2])),
        "layers": draw(st.sampled_from(["own", "same"])),
    }


@st.composite
def _documents(draw: st.DrawFn) -> dict[str, Any]:
    return document(
        *draw(st.lists(stages(), min_size=1, max_size=3)),
        input={"size": draw(st.integers(4, 17)), "channels": draw(st.sampled_from([1, 3]))},
        classes=draw(st.integers(2, 5)),
        head={"width": draw(st.sampled_from([0, 8])), "dropout": draw(st.sampled_from([0.0, 0.2]))},
    )


def _builds(candidate: dict[str, Any]) -> bool:
    try:
        SearchSpace.from_json(candidate)
    except SpaceError:
        return False
    return True


def spaces() -> st.SearchStrategy[SearchSpace]:
    """Spaces of up to nine slots, of every block family."""
    return _documents().filter(_builds).map(SearchSpace.from_json)
