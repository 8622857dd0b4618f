"""Another limit on an old search, in a real browser: by keyboard, at once, and back again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Studio, drawn, settle
from tests.studio import fake_run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PICKED = ".st-key-front-card-picked [data-testid=stCode]"
GHOSTS = ".points_marks path[stroke-dasharray='2,2']"


def test_a_limit_is_slid_a_foreseen_network_opened_and_all_of_it_taken_back(
    page: Page, studio: Studio
) -> None:
    fake = fake_run.make(studio.root)
    run = fake_run.search(fake)
    page.goto(f"{studio.url}/front?ws={fake.workspace.name}&run={run}")
    drawn(page)
    best = page.locator(PICKED).inner_text().strip()
    slider = page.get_by_role("slider", name="Latency limit in ms")
    slider.focus()
    slider.press("ArrowRight")
    said = page.get_by_text("New front under 0.0810")
    expect(said).to_be_visible()
    expect(page.get_by_text(re.compile("nothing was trained"))).to_be_visible()
    settle(page)
    expect(page.locator(GHOSTS)).not_to_have_count(0)
    for _ in range(12):
        slider.press("ArrowRight")
    expect(page.locator(PICKED)).not_to_have_text(best)
    page.get_by_role("button", name="As searched").click()
    expect(page.locator(PICKED)).to_have_text(best)
    expect(said).to_have_count(0)
    settle(page)
    expect(page.locator(GHOSTS)).to_have_count(0)


def test_a_foreseen_network_is_picked_and_leads_to_its_model(page: Page, studio: Studio) -> None:
    fake = fake_run.make(studio.root)
    run = fake_run.search(fake)
    page.goto(f"{studio.url}/front?ws={fake.workspace.name}&run={run}")
    drawn(page)
    slider = page.get_by_role("slider", name="Latency limit in ms")
    slider.focus()
    slider.press("ArrowRight")
    page.locator(GHOSTS).first.wait_for()
    settle(page)
    page.locator(GHOSTS).first.click(force=True)
    expect(page.get_by_text("Foreseen, not evaluated", exact=True)).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Open this model").click()
    expect(page.get_by_text("The search did not evaluate this network")).to_be_visible()
