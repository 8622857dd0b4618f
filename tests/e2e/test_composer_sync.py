"""Which of two documents counts, and what is sent when: `sync.js` alone, run by a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.canvas_board import Board, Server, open_board, serve

pytestmark = pytest.mark.e2e

BASES = """async () => {
  const files = performance.getEntriesByType("resource").map((entry) => entry.name);
  const { Sync } = await import(files.find((name) => name.endsWith("/sync.js")));
  const sent = [];
  Sync.paceMs = 0;
  const sync = new Sync(({ rev, base }) => sent.push([rev, base]));
  sync.receive(4, {}, 2);
  sync.emit({ a: 1 }, "");
  sync.receive(1, {}, 3);
  sync.emit({ a: 2 }, "");
  sync.receive(6, { a: 2 }, 3);
  sync.emit({ a: 3 }, "");
  sync.stop();
  return sent;
}"""
PACE = """async () => {
  const files = performance.getEntriesByType("resource").map((entry) => entry.name);
  const { Sync } = await import(files.find((name) => name.endsWith("/sync.js")));
  const sent = [];
  const sync = new Sync(({ rev, before }) => sent.push([rev, before.map((doc) => doc.n)]));
  sync.receive(4, {}, 2);
  for (const n of [5, 6, 7, 8]) sync.emit({ n }, "");
  await new Promise((done) => setTimeout(done, 2 * Sync.paceMs));
  sync.receive(8, { n: 8 }, 3);
  sync.stop();
  return sent;
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all."""
    yield from serve(tmp_path_factory.mktemp("sync"))


@pytest.fixture
def board(browser: Browser, server: Server) -> Iterator[Board]:
    """A page that has loaded the composer."""
    context = browser.new_context()
    yield open_board(context, server)
    context.close()


def test_edits_in_quick_succession_are_sent_together_and_the_last_always_is(board: Board):
    assert board.page.evaluate(PACE) == [[5, []], [8, [5, 6, 7]]]


def test_an_edit_tells_which_saved_state_it_was_made_from(board: Board):
    assert board.page.evaluate(BASES) == [[5, 2], [6, 2], [7, 3]]
