"""`python -m tests.e2e.screenshots`: the pictures of the README, from a real search on digits.

Needs Chromium and a few minutes; writes assets/screenshots/*.png.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from engine import worker
from engine.devices import open_device
from engine.latency import load_model
from engine.spec import DeviceChoice, ExportSpec, ProfileSpec, RunSpec, Spec, TrainSpec
from engine.workspace import Workspace, create_workspace
from studio import state
from studio.main import EXAMPLE
from tests.e2e import browser as chromium
from tests.e2e.conftest import Studio, settle

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "screenshots"
WIDTH, HEIGHT, COLOURS = 1440, 900, 128
LOW = {"home": 540}  # one card does not fill a screen
TIGHTNESS = 0.35  # of the way from the fastest to the slowest network


def main() -> None:
    """Searches, trains and exports as a user would, then takes the pictures."""
    path = chromium.find()
    if path is None:
        sys.exit(chromium.MISSING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "workspaces"
        workspace = create_workspace(root, EXAMPLE)
        limit = measure(workspace)
        run, best = search(workspace, limit)
        done(workspace, TrainSpec(run, best, "finetune", epochs=20))
        done(workspace, ExportSpec(run, best))
        with serving(root, Path(folder)) as studio, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            for name in ("home", "compose", "search", "front", "model"):
                take(page, studio, name, workspace)
            browser.close()


def done(workspace: Workspace, spec: Spec) -> int:
    """Id of a run of `spec` that has ended well in this process."""
    store = workspace.store
    run_id = store.create_run(spec)
    print(f"{spec.kind} …", flush=True)
    assert worker.execute(store, run_id) == 0, store.view(run_id).failed
    return run_id


def measure(workspace: Workspace) -> float:
    """A limit in ms that some networks of the space meet, on round numbers; it is saved."""
    space, device = state.drafted_space(workspace), DeviceChoice()
    done(workspace, ProfileSpec(space, device))
    model = load_model(workspace.store, open_device(device).key, space)
    assert model is not None
    limit = model.fastest_ms + TIGHTNESS * (model.slowest_ms - model.fastest_ms)
    limit = float(f"{limit:.2g}")
    workspace.store.save("goal", {"limit_ms": limit, "epochs": state.Goal.epochs, "seed": 0})
    return limit


def search(workspace: Workspace, limit_ms: float) -> tuple[int, str]:
    """Id of a search with the default number of epochs, and the best network it found."""
    spec = RunSpec(
        space=state.drafted_space(workspace),
        data=state.data_choice(workspace),
        device=DeviceChoice(),
        latency_limit_ms=limit_ms,
        epochs=state.Goal.epochs,
    )
    run = done(workspace, spec)
    best = workspace.store.view(run).best(limit_ms)
    assert best is not None
    return run, best.arch


@contextmanager
def serving(root: Path, folder: Path) -> Iterator[Studio]:
    """The studio on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    studio = Studio(url, root, folder / "server.log")
    studio.start()
    try:
        yield studio
    finally:
        studio.stop()


def take(page: Page, studio: Studio, name: str, workspace: Workspace) -> None:
    """One picture of a page from its top, in few colours: it is text and lines."""
    page.set_viewport_size({"width": WIDTH, "height": LOW.get(name, HEIGHT)})
    where = "" if name == "home" else f"{name}?ws={workspace.name}"
    page.goto(f"{studio.url}/{where}")
    settle(page)
    page.get_by_test_id("stImage").or_(page.locator("svg.marks")).first.wait_for()
    last = {"compose": ".card[aria-label^=Head]", "front": "[data-testid=stDataFrame] canvas"}
    page.locator(last.get(name, "[data-testid=stApp]")).first.wait_for()
    page.wait_for_load_state("networkidle")
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file, animations="disabled")
    with Image.open(file) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(file, optimize=True)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
