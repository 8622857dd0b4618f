"""The studio as a newcomer meets it: one command, one example, any page first, any width."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Studio, settle
from tests.studio import fake_run

pytestmark = pytest.mark.e2e

PAGES = ("home", "compose", "data", "search", "front", "compare", "model")
PHONE = 390
# The browser files the entry some time after the text is on the page, later on a busy machine.
FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def test_a_first_start_shows_one_example_workspace(home: Page, studio: Studio):
    expect(home.get_by_text("Digits example").first).to_be_visible()
    assert [workspace.title for workspace in studio.workspaces()] == ["Digits example"]


def test_the_first_request_of_a_server_may_be_for_any_page(page: Page, studio: Studio):
    page.goto(f"{studio.url}/front?ws=digits-example")
    settle(page)
    expect(page.get_by_text("No front yet")).to_be_visible()
    expect(page.get_by_role("link", name="Compose", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)


def test_a_key_leads_to_a_page_but_not_while_somebody_types(home: Page, studio: Studio):
    expect(home.get_by_role("button", name="Open the example")).to_be_visible()
    home.keyboard.press("h")
    expect(home.get_by_role("dialog").get_by_text("new workspace")).to_be_visible()
    home.keyboard.press("Escape")
    home.keyboard.press("n")
    home.get_by_label("Name").fill("")
    home.keyboard.type("2 hands")
    expect(home.get_by_label("Name")).to_have_value("2 hands")
    assert home.url.rstrip("/") == studio.url


def test_on_a_phone_no_page_is_wider_than_the_screen(page: Page, studio: Studio):
    fake = fake_run.make(studio.root)
    run = fake_run.search(fake)
    best = fake.store.view(run).best(fake_run.LIMIT_MS)
    assert best is not None
    fake_run.train(fake, run, best.arch)
    fake_run.export(fake, run, best.arch)
    page.set_viewport_size({"width": PHONE, "height": 844})
    for name in PAGES:
        page.goto(f"{studio.url}/{name if name != 'home' else ''}?ws={fake.workspace.name}")
        settle(page)
        main = page.get_by_test_id("stMain")
        expect(main.locator("h1, h2, h3, .st-key-sentence").first).to_be_visible()
        widths = main.evaluate("e => [e.scrollWidth, document.documentElement.scrollWidth]")
        assert max(widths) <= PHONE, name


def test_the_first_paint_is_told(page: Page, studio: Studio, capsys: pytest.CaptureFixture[str]):
    started = time.perf_counter()
    page.goto(studio.url)
    page.get_by_text("Digits example").first.wait_for()
    took = time.perf_counter() - started
    paint = page.wait_for_function(FIRST_PAINT).json_value()
    with capsys.disabled():
        print(f"\nfirst visit: first paint {paint:.0f} ms, Home complete {1000 * took:.0f} ms")
    assert paint > 0
