"""The composer on the page: what it may offer, and what is known about each card as data."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.blocks import BLOCKS, SEARCHED, Field
from engine.blocks.contract import WORDS
from engine.layers import ACTS
from engine.space import MAX_WIDTH
from engine.stage import CLASSIFY, HEAD_NORMS
from engine.workspace import Workspace
from engine.xray import Card, Choice, Within, XRay
from engine.xray.figures import ALWAYS, NEVER
from studio import composer, composing, draft, text
from studio.charts import blocks
from studio.composing import Composition


@st.cache_data(show_spinner=False)
def catalogue() -> list[dict[str, Any]]:
    """Every block family as the composer offers it."""
    return [_family(name) for name in SEARCHED]


def _family(name: str) -> dict[str, Any]:
    block = BLOCKS[name]
    return {
        "family": name,
        "name": block.title,
        "about": draft.grouped(block.about),
        "source": block.source,
        "group": block.group,
        "color": blocks.color(name),
        "outline": [list(point) for point in blocks.outline(name)],
        "fields": [_field(field) for field in block.fields],
    }


def _field(field: Field) -> dict[str, Any]:
    free = None
    if field.most:
        free = {"least": field.values[0], "most": field.most, "step": 0.01}
    return {
        "name": field.name,
        "label": field.label,
        "values": list(field.values),
        "labels": [field.word(value) for value in field.values],
        "default": _default(field),
        "shared": field.shared,
        "free": free,
    }


def _default(field: Field) -> list[Any]:
    """What a new card offers: the usual value, or two values that share a superkernel."""
    if field.usual is not None:
        return [field.usual]
    if field.unit == "ratio":
        wider = [value for value in field.values if not isinstance(value, str) and value > 1]
        return [3, 6] if {3, 6} <= set(wider) else list((wider or field.values)[:2])
    return list(field.values[:2] if field.shared else field.values[:1])


@st.cache_data(show_spinner=False)
def fixed() -> dict[str, list[dict[str, Any]]]:
    """Controls of the stem and the head; those of the input are the composer's own."""
    acts = [act for act in ACTS if act not in ("sigmoid", "hsigmoid", "leaky")]
    names = [WORDS.get(act, act) or "linear" for act in acts]
    stem = [
        _number("width", "Width", 1, MAX_WIDTH, step=8),
        _pick("kernel", "Kernel", [1, 3, 5, 7], ["1×1", "3×3", "5×5", "7×7"]),
        _pick("stride", "Stride", [1, 2], ["1", "2"]),
        _number("convs", "Convolutions", 1, 4),
        _pick("act", "Activation", acts, names),
    ]
    head = [
        _pick("kind", "Task", [CLASSIFY], ["Classes"]),
        _number("width", "Width (0: none)", 0, MAX_WIDTH, step=8),
        _number("hidden", "Hidden (0: none)", 0, MAX_WIDTH, step=8),
        _pick("norm", "Norm", [*HEAD_NORMS], [*HEAD_NORMS]),
        _number("dropout", "Dropout", 0, 0.95, step=0.05),
        _pick("act", "Activation", acts, names),
    ]
    return {"stem": stem, "head": head}


def _number(name: str, label: str, least: float, most: float, *, step: float = 1) -> dict[str, Any]:
    return {"name": name, "label": label, "least": least, "most": most, "step": step}


def _pick(name: str, label: str, values: list[Any], labels: list[str]) -> dict[str, Any]:
    return {"name": name, "label": label, "values": values, "labels": labels}


def mount(workspace: Workspace, made: Composition, xray: XRay | None) -> None:
    """Draws the composer with what is known about the document on it."""
    data = {
        "doc": made.document,
        "rev": made.rev,
        "base": made.revision,
        "catalogue": catalogue(),
        "fixed": fixed(),
        "insight": insight(made, xray),
        "readonly": False,
    }
    composer.mount(data, key=composing.key(workspace))


def insight(made: Composition, xray: XRay | None) -> dict[str, Any]:
    """Errors by card and, of a document that builds, what the X-ray says of each card.

    `summary` says in a few short texts what the X-ray says at length.
    """
    errors = []
    if made.error:
        told = draft.told(made.error)
        # The canvas itself says that it is empty, where the first card would be.
        elsewhere = "stages" if told == draft.NOTHING else "space"
        errors = [{"card": draft.place(made.error) or elsewhere, "text": told}]
    cards = {} if xray is None else {card.name: _card(card, xray) for card in xray.cards}
    summary = _summary(xray) if xray is not None else _unbuilt(made.error)
    return {"rev": made.rev, "errors": errors, "cards": cards, "summary": summary}


def _summary(xray: XRay) -> list[str]:
    """`735 000 networks`, `310 k MACs`, and with a limit `62 % within 0.0800 ms`."""
    figures = [text.networks(xray.size), text.macs(round(xray.macs.median))]
    return figures if xray.within is None else [*figures, _reach(xray.within)]


def _reach(within: Within) -> str:
    """How much of the space is within the limit; a sampled share is never all or none."""
    limit = text.ms(within.limit_ms)
    if within.verdict == NEVER:
        return f"no network within {limit}"
    if within.verdict == ALWAYS:
        return f"all within {limit}"
    share = min(max(within.share, 0.01), 0.99)
    about = "" if share == within.share else "under " if share == 0.01 else "over "
    return f"{about}{text.percent(share, 0)} within {limit}"


def _unbuilt(error: str) -> list[str]:
    place = draft.place(error)
    return ["cannot be built", *([f"see {place}"] if place else [])]


def _card(card: Card, xray: XRay) -> dict[str, Any]:
    return {
        "side": [card.side_in, card.side_out],
        "channels": [card.cin, card.cout],
        "share": {
            "latency": card.latency_share,
            "macs": card.macs_share,
            "params": card.params_share,
        },
        "paths": card.paths,
        "paths_note": draft.grouped(card.cost_of_paths),
        "dead": _dead(card, xray),
    }


def _dead(card: Card, xray: XRay) -> list[str]:
    if xray.within is None or not card.stage:
        return []
    found = (*xray.within.dead, *xray.within.unused)
    return [_called(choice) for choice in found if choice.stage == card.stage]


def _called(choice: Choice) -> str:
    """A choice as the composer's chips know it."""
    return f"{choice.field} {choice.value}".strip()
