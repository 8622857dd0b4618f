"""Comparing strategies in a real browser: from the table to a front, and the phone's width."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Studio, drawn, settle
from tests.studio import fake_compare, fake_run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_a_comparison_is_read_and_leads_to_the_front_of_a_search(
    page: Page, studio: Studio
) -> None:
    fake = fake_run.make(studio.root)
    number, report = fake_compare.compare(fake)
    page.goto(f"{studio.url}/compare?ws={fake.workspace.name}")
    drawn(page)
    expect(page.get_by_role("heading", name=f"Comparison {number}")).to_be_visible()
    expect(page.locator(".st-key-compare-table strong")).to_have_count(5)
    expect(page.locator(".marks")).to_have_count(2)
    page.get_by_role("link", name=re.compile("seed 1")).first.click()
    run = report["runs"][1]["run"]
    expect(page.get_by_role("heading", name=f"Front of search {run}")).to_be_visible()
    page.get_by_role("link", name=f"Part of comparison {number}").click()
    expect(page.get_by_role("heading", name=f"Comparison {number}")).to_be_visible()


def test_on_a_phone_only_the_table_is_wider_than_the_page(page: Page, studio: Studio) -> None:
    fake = fake_run.make(studio.root)
    fake_compare.compare(fake)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{studio.url}/compare?ws={fake.workspace.name}")
    drawn(page)
    settle(page)
    assert page.evaluate(WIDER) <= 0
