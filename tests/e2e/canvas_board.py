"""The page of canvas_script in a browser: starting its server, and hands to work with."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, expect

ECHO = "echo"
ROOT = Path(__file__).parents[2]
SERVER = (sys.executable, "-m", "uvicorn", "tests.e2e.canvas_script:app", "--log-level", "warning")
PATIENCE_S = 30.0
HEARD = """(rev) => {
  const text = document.querySelector(".st-key-echo code")?.textContent ?? "";
  return text.startsWith(`{"rev": ${rev},`) && text;
}"""


@dataclass
class Server:
    """The page's server; it can be stopped and started again at the same address."""

    port: int
    log: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Returns once it answers."""
        command = [*SERVER, "--port", str(self.port)]
        with self.log.open("a") as output:
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        self.processes.append(process)
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url("_stcore/health"), timeout=1):
                return True
        except (urllib.error.URLError, TimeoutError):
            return False

    def stop(self) -> None:
        """As a restart of a real server would."""
        self.processes[-1].terminate()
        self.processes[-1].wait(PATIENCE_S)

    def url(self, path: str = "") -> str:
        """An address on it."""
        return f"http://127.0.0.1:{self.port}/{path}"


@dataclass
class Board:
    """The page with the composer, and what Python says it has received."""

    page: Page
    base: int = field(default=0, init=False)  # the revision that the test began with

    def start_over(self) -> None:
        """The first document again, without the cost of a new page; steps stay undoable."""
        for name in ("Drop the text", "Close JSON"):
            button = self.page.get_by_role("button", name=name)
            if button.is_visible():
                button.click()
        before = self._rev()
        self.page.get_by_role("button", name="Start over").click()
        self.base = before + 1
        self.heard(0)
        self.page.locator(".layout:not(.stale)").wait_for()

    def _rev(self) -> int:
        told = self.page.locator(f".st-key-{ECHO} code").text_content()
        return int(json.loads(told or "")["rev"])

    def heard(self, rev: int) -> dict[str, Any]:
        """The document that Python has once it has seen `rev` edits since the test began."""
        told = self.page.wait_for_function(HEARD, arg=self.base + rev).json_value()
        document: dict[str, Any] = json.loads(told)["doc"]
        return document

    def card(self, name: str) -> Locator:
        """A card by the beginning of its name: `Stage 2`, `Stem`."""
        ending = " of" if re.fullmatch(r"Stage \d+", name) else ""
        return self.page.locator(f".card[aria-label^='{name}{ending}']")

    def chip(self, card: str, name: str) -> Locator:
        """A choice in a card."""
        return self.card(card).get_by_role("button", name=name, exact=True)

    def grip(self, stage: int) -> Locator:
        """What a stage is dragged by."""
        return self.card(f"Stage {stage}").locator(".grip")

    def block(self, family: str) -> Locator:
        """An entry of the palette."""
        return self.page.locator(f".shelf .block[data-family='{family}']")

    def gap(self, stage: int) -> tuple[float, float]:
        """The point in the upper quarter of a stage's card: before it."""
        box = self.card(f"Stage {stage}").bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 4

    def drag(self, what: Locator, to: tuple[float, float], *, drop: bool = True) -> None:
        """With the mouse."""
        x, y = middle(what)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 9, y + 9)
        self.page.mouse.move(*to, steps=3)
        if drop:
            self.page.mouse.up()

    def said(self) -> Locator:
        """The live region."""
        return self.page.locator(".top > [role=status]")


def serve(folder: Path) -> Iterator[Server]:
    """One server for a module; its log may never hold a traceback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(port, folder / "server.log")
    server.start()
    yield server
    server.stop()
    assert "Traceback" not in server.log.read_text()


def middle(what: Locator) -> tuple[float, float]:
    """Where to press."""
    box = what.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def widths(document: dict[str, Any]) -> list[int]:
    """What tells the stages apart."""
    return [stage["width"] for stage in document["stages"]]


def families(document: dict[str, Any]) -> list[str]:
    """The first family of every stage."""
    return [stage["blocks"][0]["block"] for stage in document["stages"]]


def open_board(context: BrowserContext, server: Server, query: str = "") -> Board:
    """The page; whatever the browser complains about later fails `quiet`."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
    page.goto(server.url(query))
    board = Board(page)
    board.card("Head").wait_for()
    expect(page.locator(".st-key-echo code")).to_contain_text('"rev"')
    assert faults == []
    return board


def touch(board: Board, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A finger from one point to another."""
    session = board.page.context.new_cdp_session(board.page)
    between = ((start[0] + 4, start[1] + 14), (end[0], (start[1] + end[1]) / 2), end)
    for kind, points in (
        ("touchStart", [start]),
        *(("touchMove", [point]) for point in between),
        ("touchEnd", []),
    ):
        touched = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})
