"""What a search is asked for on the command line, and what it takes over from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from engine.cli import runs
from engine.spec import RunSpec, Start
from engine.start import origin, refining, require_space


def begun(folder: Path, run: int | None, arch: str, *, limit_ms: float) -> RunSpec | None:
    """A search from the network `arch` of search `run`; None where it shall start from none.

    RunError if the network was never trained.
    """
    if run is None:
        if arch:
            raise click.UsageError("--arch needs --start, the search that the network is from.")
        return None
    if not arch:
        raise click.UsageError("--start needs --arch, the network to start from.")
    workspace = runs.existing(folder)
    found = runs.searched(workspace, run)
    start = Start(run, runs.chosen_arch(found, arch))
    return refining(origin(workspace.store, start), start, limit_ms)


def asked(folder: Path, base: RunSpec | None, told: dict[str, Any]) -> RunSpec:
    """The search of what was told (None and "" are not); the rest as in `base`, or as is usual.

    UsageError where space or data are missing; RunError for another space than that of `base`.
    """
    told = {name: value for name, value in told.items() if value not in (None, "")}
    if base is None:
        for name in ("space", "data"):
            if name not in told:
                raise click.UsageError(f"Missing option '--{name}'.")
        return RunSpec(**told)
    if "space" in told:
        assert base.start is not None
        require_space(runs.existing(folder).store, base.start, told.pop("space"))
    return replace(base, **{"mode": "", **told})  # a mode is that of a strategy
