"""A real server and a real browser: every journey gets a studio of its own in an empty folder."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from engine.store import ENDED
from engine.workspace import Workspace, list_workspaces
from tests.e2e import browser as chromium

PATIENCE_S = 60.0
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
# What Streamlit's own client says while its server is away.
AWAY = ("/_stcore/", "disconnected from server", "server is not responding")
COMMAND = (sys.executable, "-c", "from engine.cli.main import main; main()", "studio")


@dataclass
class Studio:
    """A server: its address, the folder of its workspaces, its log; it can be started again."""

    url: str
    root: Path
    log: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """As `onepath studio` does it; returns once the server answers."""
        port = self.url.rpartition(":")[2]
        command = [*COMMAND, "--workspaces", str(self.root), "--port", port]
        with self.log.open("a") as output:
            self.processes.append(subprocess.Popen(command, stdout=output, stderr=output))
        self.wait_for(self._answers, "an answer")

    def stop(self) -> None:
        """Ends the server; workers go on."""
        self.processes[-1].terminate()
        self.processes[-1].wait(PATIENCE_S)

    def _answers(self) -> bool:
        assert self.processes[-1].poll() is None, self.log.read_text()
        try:
            with closing(urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1)):
                return True
        except (urllib.error.URLError, TimeoutError):
            return False

    def workspaces(self) -> list[Workspace]:
        """What the server has made or found in its folder."""
        return list_workspaces(self.root)

    def wait_for(self, come: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Asks until it has come."""
        deadline = time.monotonic() + patience_s
        while not come():
            assert time.monotonic() < deadline, f"no {what}: {self.log.read_text()}"
            time.sleep(0.05)


def settle(page: Page) -> None:
    """Waits until the server has nothing more to draw."""
    page.locator(SETTLED).wait_for(timeout=PATIENCE_S * 1000)


def drawn(page: Page) -> None:
    """Waits until a chart stands: from then on nothing of the page's code has to be fetched."""
    settle(page)
    page.locator(".marks").first.wait_for()
    page.wait_for_load_state("networkidle")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The studio on a free port; its log may never hold a traceback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    studio = Studio(f"http://127.0.0.1:{port}", tmp_path / "workspaces", tmp_path / "server.log")
    try:
        studio.start()
        yield studio
    finally:
        studio.stop()
        _stop_workers(studio)
    assert "Traceback" not in studio.log.read_text()


def _stop_workers(studio: Studio) -> None:
    """Workers outlive the server on purpose; a test must not leave one behind."""
    for workspace in studio.workspaces():
        store = workspace.store
        for run in store.runs():
            if run.state not in ENDED and store.held(run.id):
                store.want(run.id, "stopped")
                studio.wait_for(lambda s=store, r=run.id: not s.held(r), "end of a worker")
        store.close()


@pytest.fixture(scope="module")  # not longer: while it is open, no other test may run an event loop
def browser() -> Iterator[Browser]:
    """Chromium without a window; tests that need it are skipped where there is none."""
    path = chromium.find()
    if path is None:
        pytest.skip(chromium.MISSING)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, studio: Studio) -> Iterator[Page]:
    """A browser page at no address yet; it may show no fault and ask no other host for anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_S * 1000)
    asked: list[str] = []
    said: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("console", lambda message: said.extend(_fault(message)))
    yield opened
    faults = opened.locator("[data-testid=stException]").count()
    context.close()
    ours = (studio.url, studio.url.replace("http", "ws"), "data:", "blob:")
    assert faults == 0
    assert [url for url in asked if not url.startswith(ours)] == []
    assert said == []


def _fault(message: ConsoleMessage) -> list[str]:
    """An error in the console, unless Streamlit's own search for its server caused it.

    It asks below the page's path first, and while a server is down it asks in vain.
    """
    own = any(words in message.text for words in AWAY) or AWAY[0] in message.location.get("url", "")
    return [message.text] if message.type == "error" and not own else []


@pytest.fixture
def home(page: Page, studio: Studio) -> Page:
    """The browser page on Home."""
    page.goto(studio.url)
    settle(page)
    return page
