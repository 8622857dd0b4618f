"""The spaces and networks that ship with the studio, one JSON file each; no code beyond loading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.cost import network_cost
from engine.errors import SpaceError
from engine.space import SearchSpace

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def document(name: str) -> dict[str, Any]:
    """The JSON of preset `name`: `about`, `space`; where there are any, `golden` and `from_memory`.

    `golden` holds published figures, `from_memory` what could not be read in a source, in words.
    """
    if name not in names():
        raise SpaceError(f"preset: must be one of {', '.join(names())}, got {name!r}.")
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def load(name: str) -> SearchSpace:
    """The space of preset `name`."""
    return SearchSpace.from_json(document(name)["space"])


def summary(name: str) -> dict[str, Any]:
    """What a list shows of preset `name`; `kind` is `network` for a space of one point."""
    written, space = document(name), load(name)
    return {
        "name": name,
        "about": written["about"],
        "kind": "network" if space.size() == 1 else "space",
        "size": space.size(),
        "citation": space.citation,
        "golden": written.get("golden"),
        "from_memory": written.get("from_memory", []),
    }


def figures(space: SearchSpace) -> dict[str, int]:
    """What golden figures are compared with: `size`, and `params` and `macs` of the largest."""
    cost = network_cost(space, space.largest())
    return {"size": space.size(), "params": cost.params, "macs": cost.macs}


def load_space(text: str) -> tuple[SearchSpace, dict[str, Any]]:
    """The space that a preset's name or a JSON file's path gives, golden figures ({} if none)."""
    if text in names():
        return load(text), dict(document(text).get("golden", {}))
    path = Path(text)
    if path.suffix != ".json":
        raise SpaceError(
            f"space: must be a JSON file or one of {', '.join(names())}, got {text!r}."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpaceError(
            f"space: {text} cannot be read ({error.strerror}).",
            "Give the path of a space saved as JSON.",
        ) from error
    return read_space(content, str(path)), {}


def read_space(content: bytes, where: str) -> SearchSpace:
    """The space in the JSON text `content`; raises SpaceError for anything else."""
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SpaceError(f"{where}: must be JSON, but {str(error)[:120]}.") from error
    if isinstance(loaded, dict) and isinstance(loaded.get("space"), dict):
        loaded = loaded["space"]
    return SearchSpace.from_json(loaded)
