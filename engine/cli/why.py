"""`onepath why`: what a search's choices do, what if one were different, and a smaller space."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from engine.cli import output, runs
from engine.cli.runs import Done
from engine.devices import open_device
from engine.errors import RunError
from engine.explain.regression import Estimate
from engine.explain.shrink import Shrunk, shrink
from engine.explain.why import CAVEAT, Change, Effect, Why, ms_words, points_words
from engine.latency import LatencyModel, load_model
from engine.space import Arch, SearchSpace


@click.command()
@click.argument("run", type=click.IntRange(min=1))
@runs.existing_option
@click.option("--arch", metavar="ARCH|best", help="Also tell what if this one were different.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def why(run: int, folder: Path, arch: str | None, as_json: bool) -> None:
    """Print what each choice does to accuracy and latency, and which choices may go."""
    found = runs.searched(runs.existing(folder), run)
    output.show(document(found, arch), text, as_json)


def document(found: Done, arch: str | None) -> output.Document:
    """The document of `onepath why`; `changes` and `shrink` are null without an architecture."""
    space = found.search.space
    known = Why(space, found.view.fresh())
    picked = None if arch is None else Arch.parse(runs.chosen_arch(found, arch))
    latency = None if picked is None else measured(found)
    changes = smaller = None
    if picked and latency:
        changes = [_change(change) for change in known.changes(picked, latency)]
        smaller = _shrunk(shrink(known, latency, keep=[picked]))
    return {
        "run": found.run.id,
        "networks": known.n,
        "caveat": CAVEAT,
        "noise": known.accuracy.noise,
        "explained": known.accuracy.explained,
        "effects": [_effect(effect, space) for effect in known.effects()],
        "arch": str(picked) if picked else None,
        "changes": changes,
        "shrink": smaller,
    }


def measured(found: Done) -> LatencyModel:
    """The latency of the search's space on its device; RunError where it was never measured."""
    spec = found.search
    data = found.view.data
    space = spec.space.with_data(len(data.classes)) if data else spec.space
    model = load_model(found.workspace.store, open_device(spec.device).key, space)
    if model is None:
        raise RunError(
            f"why: the workspace has no latency table of run {found.run.id} on this computer.",
            "onepath profile measures it.",
        )
    return model


def _effect(effect: Effect, space: SearchSpace) -> output.Document:
    return {
        "words": effect.words,
        "slots": [space.slots()[i].name for i in space.genes()[effect.knob.gene].slots],
        "knob": effect.knob.name,
        "family": effect.knob.family or None,
        "value": effect.value,
        "usual": effect.usual,
        "accuracy": asdict(effect.accuracy),
        "latency_ms": asdict(effect.latency_ms),
        "seen": effect.seen,
        "seen_usual": effect.seen_usual,
    }


def _change(change: Change) -> output.Document:
    return {**asdict(change), "sentence": change.sentence}


def _shrunk(found: Shrunk) -> output.Document:
    return {**asdict(found), "space": found.space.to_json(), "gone": list(found.gone)}


def text(known: output.Document) -> str:
    """The effects as a table, then what if, then what may go."""
    head = ("choice", "latency", "proxy accuracy", "networks")
    effects = [head, *map(_row, known["effects"])]
    lines = [f"{known['networks']} networks. {known['caveat']}", "", output.columns(effects)]
    if known["changes"] is not None:
        lines += ["", f"{known['arch']}, were it different"]
        lines += [change["sentence"] for change in known["changes"]]
    if known["shrink"] is not None:
        lines += ["", *_shrink_lines(known["shrink"])]
    return "\n".join(lines)


def _row(effect: output.Document) -> tuple[str, ...]:
    ms, accuracy = Estimate(**effect["latency_ms"]), Estimate(**effect["accuracy"])
    seen = f"{effect['seen']} against {effect['seen_usual']}"
    return effect["words"], ms_words(ms), points_words(accuracy), seen


def _shrink_lines(known: output.Document) -> list[str]:
    if not known["gone"]:
        return ["nothing can go: every value is used, or not surely useless"]
    sizes = f"{known['size_before']:,} to {known['size_after']:,} architectures"
    return [f"could go, from {sizes}", *known["gone"]]
