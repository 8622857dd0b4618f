"""The composer on a page of its own, with an invented catalogue, so that it can be tested alone.

`uvicorn tests.e2e.canvas_script:app`; the address says what is shown: `?doc=empty` (or twenty,
strange), `?readonly=1`, `?plain=1` (nothing computed), `?wrong=1` (an error on a card),
`?tall=600` (scrolls inside), `?unmeasured=1` (no shares of the latency).
"""

from __future__ import annotations

import json
from typing import Any

import streamlit as st
from starlette.middleware import Middleware

from studio import composer
from studio.composer import Edit
from studio.routes import SecurityHeaders

Json = dict[str, Any]
ECHO = "echo"
SUMMARY = ["250\u202f000 networks", "452\u202fk MACs", "62\u202f% within 0.0800\u202fms"]
MARKUP = "<img src=x onerror=alert(1)>"


def field(name: str, label: str, values: list[Any], default: list[Any], **more: Any) -> Json:
    """One field of an invented family."""
    entry = {"name": name, "label": label, "values": values, "default": default}
    return entry | {"labels": [str(value) for value in values], "shared": True, "free": None} | more


KERNEL = field("kernel", "Kernel", [3, 5, 7], [3, 5], labels=["3×3", "5×5", "7×7"])
EXPAND = field(
    "expand",
    "Expansion",
    [1, 3, 4, 6],
    [3, 6],
    labels=["×1", "×3", "×4", "×6"],
    free={"least": 0.5, "most": 10, "step": 0.01},
)
ATTENTION = field("attention", "Channel attention", ["none", "se", "eca"], ["none"], shared=False)
ACT = field("act", "Activation", ["relu", "hswish"], ["relu"], labels=["ReLU", "h-swish"])
BOX = [[-1, -0.5], [1, -0.5], [1, 0.5], [-1, 0.5]]
BOW = [
    [-1, -0.4],
    [-0.4, -0.9],
    [0.4, -0.9],
    [1, -0.4],
    [1, 0.4],
    [0.4, 0.9],
    [-0.4, 0.9],
    [-1, 0.4],
]
DIAMOND = [[0, -1], [1, 0], [0, 1], [-1, 0]]


def family(name: str, title: str, color: str, outline: list[list[float]], **more: Any) -> Json:
    """One invented family."""
    about = more.pop("about", f"{title} in one sentence that says what it does to the map.")
    group, fields = more.pop("group", "Convolutions"), more.pop("fields", [KERNEL, ACT])
    entry = {"family": name, "name": title, "about": about, "source": "arXiv:0000.00000"}
    return entry | {"color": color, "outline": outline, "group": group, "fields": fields}


MB_FIELDS = [KERNEL, EXPAND, ATTENTION, ACT]
CATALOGUE = [
    family("mbconv", "MBConv", "#009E73", BOW, fields=MB_FIELDS),
    family("fused", "Fused-MBConv", "#E69F00", BOW, fields=[KERNEL, EXPAND, ACT]),
    family("separable", "Depthwise-separable", "#0072B2", BOX),
    family("ghost", "Ghost", "#56B4E9", DIAMOND, fields=MB_FIELDS),
    family("shuffle", "ShuffleNetV2 unit", "#D55E00", DIAMOND),
    family("conv", "Conv", "#0072B2", BOX),
    family("osa", "One-shot aggregation", "#CC79A7", BOX, group="Convolutions"),
    family("cascade", "Cascaded group attention", "#F0E442", BOX, group="Attention", fields=[]),
    family("markup", MARKUP, "#999999", BOX, group=MARKUP, about=MARKUP, fields=[KERNEL]),
]


def stage(width: int, stride: int, depth: list[int], *blocks: Json) -> Json:
    """A stage of the document to begin with; it has keys that the browser knows nothing of."""
    entry: Json = {"width": width, "depth": depth, "stride": stride, "layers": "own"}
    return entry | {"blocks": list(blocks), "remark": {"kept": [1, None, "ü"]}}


def block(name: str, **values: list[Any]) -> Json:
    """A block option of such a stage."""
    return {"block": name, **values, "future": 1}


def document(stages: list[Json]) -> Json:
    """A document around stages."""
    start: Json = {"name": "canvas", "citation": "", "input": {"size": 32, "channels": 3}}
    stem = {"width": 16, "kernel": 3, "stride": 2, "act": "relu", "later": True}
    head = {"kind": "classify", "width": 64, "hidden": 0, "act": "relu", "dropout": 0.2}
    return start | {"classes": 10, "stem": stem, "stages": stages, "head": head, "unknown": [1]}


MB = block("mbconv", kernel=[3, 5], expand=[3, 6], attention=["none"], act=["relu"])
STAGES = [
    stage(16, 1, [1, 1], block("separable", kernel=[3], act=["relu"])),
    stage(24, 2, [1, 3], MB),
    stage(
        40, 2, [1, 3], MB, block("ghost", kernel=[3], expand=[3], attention=["se"], act=["relu"])
    ),
    stage(80, 2, [2, 4], MB | {"kernel": [3, 5, 7], "attention": ["none", "se"]}),
]
STRANGE: list[Json] = [{"width": 20, "stride": 1, "blocks": [block("tomorrow", x=[1])]}, {}]
DOCUMENTS = {
    "": document(STAGES),
    "empty": document([]),
    "twenty": document(STAGES * 5),
    "strange": document(STRANGE),
}


def insight(doc: Json, rev: int, wrong: bool) -> Json:
    """Invented figures: shares by width, a dead choice in stage 2, an error where it is wanted."""
    try:
        return _insight(doc, rev, wrong)
    except (AttributeError, KeyError, TypeError, ZeroDivisionError):
        errors = [{"card": "space", "text": "Space: this cannot be built."}]
        return {"rev": rev, "errors": errors, "cards": {}, "summary": ["cannot be built"]}


def _insight(doc: Json, rev: int, wrong: bool) -> Json:
    widths = [1 + part.get("width", 0) for part in (doc["stem"], *doc["stages"], doc["head"])]
    names = ["stem", *(f"stage {n}" for n in range(1, len(doc["stages"]) + 1)), "head"]
    cards: Json = {}
    side, channels = doc["input"]["size"], doc["input"]["channels"]
    for name, part, width in zip(
        names, (doc["stem"], *doc["stages"], doc["head"]), widths, strict=True
    ):
        after = -(-side // part.get("stride", 1))
        share = width / sum(widths)
        paths = len(part.get("blocks", [0]))
        cards[name] = {
            "side": [side, after],
            "channels": [channels, part.get("width", 0)],
            "paths": paths,
        }
        cards[name] |= {"share": {"latency": share, "macs": share**2, "params": share / 2}}
        cards[name] |= {"paths_note": f"{paths} paths: {paths} times the weights", "dead": []}
        side, channels = after, part.get("width", 0)
    if "stage 2" in cards:
        cards["stage 2"]["dead"] = ["kernel 5"]
    text = "stage 2: stride 2 leaves a map of 1×1, at least 2×2 is required. Set stride 1."
    errors = [{"card": "stage 2", "text": text}] if wrong else []
    return {"rev": rev, "errors": errors, "cards": cards, "summary": SUMMARY}


@st.fragment
def draw() -> None:
    """The composer, a button that loads another document, and what Python has of the document."""
    query, state = st.query_params, st.session_state
    if "rev" not in state:
        state.rev, state.doc, state.why = 0, DOCUMENTS[query.get("doc", "")], ""
    edit = composer.received("canvas")
    if isinstance(edit, Edit) and edit.rev > state.rev:
        state.rev, state.doc, state.why = edit.rev, edit.doc, edit.why
    data: Json = {"doc": state.doc, "rev": state.rev, "catalogue": CATALOGUE}
    plain, wrong = query.get("plain"), bool(query.get("wrong"))
    known = None if plain else insight(state.doc, state.rev, wrong)
    if known and query.get("unmeasured"):
        for card in known["cards"].values():
            card["share"]["latency"] = None
    data |= {"insight": known}
    data |= {"readonly": bool(query.get("readonly"))}
    composer.mount(data, key="canvas", height=int(query.get("tall", 0)) or "content")
    if st.button("Load another document"):
        state.rev, state.doc = state.rev + 1, document(STAGES[:1])
        st.rerun(scope="fragment")
    if st.button("Start over"):
        state.rev, state.doc = state.rev + 1, DOCUMENTS[query.get("doc", "")]
        st.rerun(scope="fragment")
    with st.container(key=ECHO):
        st.code(json.dumps({"rev": state.rev, "why": state.why, "doc": state.doc}), language=None)


if __name__ == "__main__":
    st.set_page_config(layout="wide")
    draw()
else:
    app = st.App(__file__, middleware=[Middleware(SecurityHeaders)])
