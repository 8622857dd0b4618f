"""How soon an edit is seen: `python -m tests.bench.bench_composer [--edits N]`.

A space of 20 blocks on Compose, in a real studio and a real browser. Blocks are dropped from the
palette and chips are pressed in turn; after each, (i) from letting go to the frame in which the
canvas shows it, (ii) from there to the frame in which the X-ray beside it shows new numbers, both
by the browser's clock, and (iii) `engine.xray.examine` of that space alone. The studio has not
measured a device, so the X-ray is one without latencies. Prints a table; the last line is one
JSON document.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from engine.space import SearchSpace
from engine.workspace import create_workspace
from engine.xray import examine
from tests.bench.bench_xray import made
from tests.e2e import browser as chromium
from tests.e2e.compose_desk import Desk
from tests.e2e.conftest import PATIENCE_S, Studio, settle

BLOCKS = 20
SCREEN = {"width": 1280, "height": 900}
PLACE, NUMBERS, XRAY = "edit in its place", "new X-ray on screen", "X-ray alone"
AIMS_MS = {PLACE: 50.0, NUMBERS: 300.0, XRAY: None}
WATCH = """() => {
  const all = (selector) => [...document.querySelectorAll("*")]
    .flatMap((one) => [...(one.shadowRoot?.querySelectorAll(selector) ?? [])]);
  const canvas = () => all(".card").map((card) => [card.ariaLabel,
    ...[...card.querySelectorAll("[aria-pressed]")].map((chip) => chip.ariaPressed)].join()).join();
  const xray = () => document.querySelector(".st-key-xray").textContent;
  let start, before;
  const begin = (event) => {
    if (before === undefined) return;
    start = event.timeStamp;
    requestAnimationFrame(() => setTimeout(() => {
      if (window.took && canvas() !== before.canvas) window.took.place = performance.now() - start;
    }));
  };
  window.addEventListener("pointerup", begin, true);
  const numbers = () => {
    if (start === undefined || before === undefined || window.took.numbers) return;
    if (xray() === before.xray) return;
    requestAnimationFrame(() => setTimeout(() => {
      window.took.numbers ??= performance.now() - start;
    }));
  };
  const box = document.querySelector(".st-key-xray").parentElement;
  const what = { subtree: true, childList: true, characterData: true };
  new MutationObserver(numbers).observe(box, what);
  window.arm = () => {
    [before, start, window.took] = [{ canvas: canvas(), xray: xray() }, undefined, {}];
  };
}"""
BOTH = "() => window.took.place && window.took.numbers && window.took"


def main() -> None:
    """Prints the table and the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=30, help="drops and chips together")
    edits = parser.parse_args().edits
    if chromium.find() is None:
        print(chromium.MISSING)
        print(json.dumps({"bench": "composer", "skipped": chromium.MISSING}))
        return
    load = os.getloadavg()[0]
    with studio_and_browser() as (studio, browser):
        found = measure(studio, browser, edits)
    print(f"{BLOCKS} blocks, {edits} edits, load {load:.1f} before")
    print(f"{'':22}{'of':8}{'median ms':>10}{'p95 ms':>9}{'aim ms':>8}")
    rows = {}
    for what, aim in AIMS_MS.items():
        for kind, times in found.items():
            row = told(times[what])
            rows.setdefault(what, {})[kind] = row
            shown = f"{aim:8.0f}" if aim else f"{'':>8}"
            print(f"{what:22}{kind:8}{row['median_ms']:10.1f}{row['p95_ms']:9.1f}{shown}")
    aims = {what: aim for what, aim in AIMS_MS.items() if aim}
    met = {w: all(r["p95_ms"] <= aim for r in rows[w].values()) for w, aim in aims.items()}
    head = {"bench": "composer", "blocks": BLOCKS, "edits": edits, "load": round(load, 2)}
    print(json.dumps(head | {"aims_ms": aims, "p95_met": met, "found": rows}))


@contextmanager
def studio_and_browser() -> Iterator[tuple[Studio, Browser]]:
    """A studio in a folder of its own, and Chromium."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root = Path(folder)
        studio = Studio(f"http://127.0.0.1:{port}", root / "workspaces", root / "server.log")
        studio.start()
        launched = playwright.chromium.launch(
            executable_path=chromium.find(), args=["--no-sandbox"]
        )
        try:
            yield studio, launched
        finally:
            launched.close()
            studio.stop()


def measure(studio: Studio, browser: Browser, edits: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds by kind of edit and by what was waited for."""
    page = browser.new_context(viewport=SCREEN).new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    desk = Desk(page, studio, create_workspace(studio.root, "Bench"))
    space = made(stages=BLOCKS, depth=1, ops=16)
    desk.workspace.store.save("space", space.to_json())
    desk.show()
    page.evaluate(WATCH)
    found: dict[str, dict[str, list[float]]] = {
        kind: {what: [] for what in AIMS_MS} for kind in ("drops", "chips")
    }
    for number in range(edits):
        at = number // 2 % BLOCKS + 1
        kind, do = (("drops", drop), ("chips", press))[number % 2]
        revision = desk.revision
        took = timed(desk, lambda do=do, at=at: do(desk, at))
        studio.wait_for(lambda before=revision: desk.revision > before, "revision")
        times = found[kind]
        times[PLACE].append(took["place"])
        times[NUMBERS].append(took["numbers"])
        times[XRAY].append(examined(desk.space()))
        if kind == "drops":  # 20 blocks again
            taken_back(desk)
    return found


def timed(desk: Desk, do: Any) -> dict[str, float]:
    """What the browser's clock told of one edit."""
    settle(desk.page)
    do()
    took: dict[str, float] = desk.page.wait_for_function(BOTH).json_value()
    return took


def drop(desk: Desk, at: int) -> None:
    """A block from the palette before a stage."""
    seen(desk, at)
    desk.drag(desk.block("mbconv"), desk.gap(at), drop=False)
    desk.page.evaluate("window.arm()")
    desk.page.mouse.up()


def press(desk: Desk, at: int) -> None:
    """One more kernel for a stage."""
    seen(desk, at)
    chip = desk.chip(f"Stage {at}", "Kernel 7×7")
    chip.hover()
    desk.page.evaluate("window.arm()")
    chip.click()


def seen(desk: Desk, at: int) -> None:
    """Brings a card into the middle of the screen."""
    desk.card(f"Stage {at}").evaluate("card => card.scrollIntoView({block: 'center'})")


def taken_back(desk: Desk) -> None:
    """Undoes the last edit and waits until it is saved."""
    revision = desk.revision
    desk.page.get_by_role("button", name="Undo").click()
    desk.studio.wait_for(lambda: desk.revision > revision, "revision")


def examined(document: dict[str, Any]) -> float:
    """Milliseconds of the X-ray of a space, in this process, from its JSON."""
    started = time.perf_counter()
    examine(SearchSpace.from_json(document))
    return 1000 * (time.perf_counter() - started)


def told(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    ordered = sorted(times)
    tail = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return {"median_ms": round(statistics.median(ordered), 2), "p95_ms": round(tail, 2)}


if __name__ == "__main__":
    main()
