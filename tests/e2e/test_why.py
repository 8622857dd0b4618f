"""Shrinking a space after a search, in a real browser: one click, seen on Compose, taken back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Studio, drawn, settle
from tests.studio import fake_why

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NUMBER = ".st-key-xray-number"


def test_a_space_is_shrunk_seen_on_compose_and_brought_back(page: Page, studio: Studio) -> None:
    fake, run = fake_why.make(studio.root)
    page.goto(f"{studio.url}/front?ws={fake.workspace.name}&run={run}")
    drawn(page)
    effects = page.get_by_label(re.compile("Effects of 10 choices"))
    expect(effects.first).to_be_attached()
    page.get_by_role("button", name="Shrink the space").click()
    expect(page.get_by_text("The space was shrunk")).to_be_visible()
    page.get_by_role("link", name="Look at it on Compose").click()
    expect(page.locator(NUMBER)).to_contain_text(re.compile(r"45\s000"))
    page.get_by_role("button", name="Revisions").click()
    expect(page.get_by_text(f"shrunk after search {run}")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Front", exact=True).click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Shrink the space")).to_be_visible()
    page.get_by_role("link", name="Compose", exact=True).click()
    expect(page.locator(NUMBER)).to_contain_text(re.compile(r"250\s000"))
    settle(page)


def test_a_change_is_picked_from_the_list_and_leads_to_its_network(
    page: Page, studio: Studio
) -> None:
    fake, run = fake_why.make(studio.root)
    page.goto(f"{studio.url}/model?ws={fake.workspace.name}&run={run}")
    settle(page)
    canvas = page.get_by_test_id("stDataFrame").last.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 14, box["y"] + 55)
    opening = page.get_by_role("button", name="Open this network")
    expect(opening).to_be_visible()
    leads = page.get_by_test_id("stCode").last.inner_text().strip()
    opening.click()
    expect(page).to_have_url(re.compile(f"arch={leads}"))
    settle(page)
    expect(page.get_by_role("combobox", name="Architecture")).to_have_value(re.compile(leads))
