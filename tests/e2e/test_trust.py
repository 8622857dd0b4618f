"""The trust meter in a real browser: its pictures stand, its verdict is read, nothing overflows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Studio, drawn
from tests.studio import fake_run, fake_trust

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

VERDICT = ".st-key-front-trust-verdict"
CHECKS = ".st-key-front-trust-checks"
CHARTS = "[data-testid=stVegaLiteChart]"
POINTS = "path[aria-roledescription='point']"
TOO_WIDE = "() => document.documentElement.scrollWidth > window.innerWidth"


def test_a_report_is_read_its_networks_opened_and_its_pictures_stand(
    page: Page, studio: Studio
) -> None:
    fake = fake_run.make(studio.root)
    run = fake_run.search(fake)
    fake_trust.judge(fake, run)
    page.goto(f"{studio.url}/front?ws={fake.workspace.name}&run={run}")
    drawn(page)
    expect(page.locator(VERDICT)).to_contain_text("The ranking can be trusted")
    ranking, correlations = page.locator(CHARTS).nth(-2), page.locator(CHARTS).nth(-1)
    for chart, points in ((ranking, 8), (correlations, 4)):
        chart.scroll_into_view_if_needed()
        expect(chart.locator(POINTS)).to_have_count(points)
    expect(page.locator(CHECKS)).to_contain_text("7 Rank correlation, met")
    page.get_by_text("The networks it rests on", exact=True).click()
    expect(page.locator("[data-testid=stExpander] [data-testid=stDataFrame]")).to_be_visible()


def test_a_meter_is_stopped_and_on_a_phone_nothing_is_cut_off(page: Page, studio: Studio) -> None:
    fake = fake_run.make(studio.root)
    run = fake_run.search(fake)
    fake_trust.judge(fake, run, kind="weak")
    going = fake_trust.judge(fake, run, "running")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{studio.url}/front?ws={fake.workspace.name}&run={run}")
    drawn(page)
    expect(page.get_by_text("12 of 32 trainings done")).to_be_visible()
    expect(page.locator(VERDICT)).to_contain_text("The ranking cannot be trusted")
    assert not page.evaluate(TOO_WIDE)
    stop = page.get_by_role("button", name="Stop")
    stop.click()
    expect(stop).to_be_disabled()
    assert fake.store.wanted(going) == "stopped"
    fake.store.set_state(going, "stopped")  # as its worker would
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_text("Resume goes on with the next")).to_be_visible()
