"""The main job in a real browser with a real worker: from Home to an archive that runs alone."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.store import ENDED, Store
from tests.e2e.conftest import Studio, drawn, settle

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
RUN_S = 240.0
ANSWER_MS = 3_000.0  # a click that picks is answered well before
PICKED = ".st-key-front-card-picked [data-testid=stCode]"
CENTRES = """symbols => symbols.map(s => {
    const box = s.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2, s];
}).filter(([x, y, s]) => document.elementFromPoint(x, y) === s).map(([x, y]) => [x, y])"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the journey leaves its archive."""
    return tmp_path_factory.mktemp("shelf")


def test_from_home_to_a_downloaded_archive(home: Page, studio: Studio, shelf: Path):
    home.get_by_role("button", name="Open the example").click()
    expect(home.get_by_text("What will be here")).to_be_visible()
    (workspace,) = studio.workspaces()
    data_at_a_glance(home)
    run = search(home, studio, workspace.store)
    look_at_the_front(home, workspace.store, run)
    train(home, studio, workspace.store)
    export(home, studio, workspace.store, shelf / "archive.zip")
    logs = workspace.folder.glob("runs/*/worker.log")
    assert [log for log in logs if "Traceback" in log.read_text()] == []


def go(page: Page, name: str) -> None:
    """To another page by the navigation."""
    page.get_by_role("link", name=name, exact=True).click()
    settle(page)


def ended(studio: Studio, store: Store, kind: str, count: int = 1) -> int:
    """Id of the newest run of a kind, once there are `count` and it has ended well."""
    studio.wait_for(lambda: len(store.runs(kind)) == count, f"{kind} run")
    run_id = store.runs(kind)[0].id
    studio.wait_for(lambda: store.run(run_id).state in ENDED, f"end of {kind}", RUN_S)
    assert store.run(run_id).state == "finished", store.view(run_id).failed
    return run_id


def data_at_a_glance(page: Page) -> None:
    go(page, "Data")
    expect(page.get_by_text("1\u202f797 grey images")).to_be_visible()
    expect(page.get_by_role("button", name="Read the images")).to_be_visible()
    go(page, "Search")


def search(page: Page, studio: Studio, store: Store) -> int:
    """Measures, asks, launches; a reload and a new server in the middle change nothing."""
    page.get_by_role("button", name="Measure this computer").click()
    ended(studio, store, "profile")
    slider = page.get_by_role("slider", name="Latency limit in ms")
    slider.focus()
    slider.press("ArrowRight")
    settle(page)
    page.get_by_role("spinbutton", name="Epochs").fill("4")
    page.get_by_role("spinbutton", name="Epochs").press("Enter")
    settle(page)
    page.get_by_role("button", name=re.compile("^Search")).click()
    studio.wait_for(lambda: bool(store.runs("search")), "search")
    run_id = store.runs("search")[0].id
    studio.wait_for(lambda: bool(store.view(run_id).epochs), "epoch", RUN_S)
    page.reload()
    drawn(page)
    studio.stop()
    studio.start()
    page.reload()
    settle(page)
    expect(page.get_by_role("heading", name=f"Search {run_id}")).to_be_visible()
    assert len(store.runs("search")) == 1
    ended(studio, store, "search")
    assert store.view(run_id).front()
    return run_id


def look_at_the_front(page: Page, store: Store, run: int) -> None:
    """A click on the chart and one on the table pick; neither loses the zoom."""
    go(page, "Front")
    expect(page.get_by_role("heading", name="Front of search")).to_be_visible()
    chart = page.locator("[class*=st-key-front-chart]").first
    axis = chart.locator(".role-axis-label text")
    axis.first.wait_for()
    before = axis.all_text_contents()
    box = chart.locator("svg.marks").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    expect(axis.first).not_to_have_text(before[0])
    settle(page)
    zoomed = axis.all_text_contents()
    first = page.locator(PICKED).inner_text().strip()
    pick_by_chart(page, first)
    second = page.locator(PICKED).inner_text().strip()
    assert {first, second} <= store.view(run).candidates.keys()
    front = [c.arch for c in store.view(run).front()]
    row = next(i for i, arch in enumerate(front) if arch != second)
    table = page.get_by_test_id("stDataFrame").first
    table.click(position={"x": 16, "y": 35 * (row + 1.5)})
    expect(page.locator(PICKED)).to_have_text(front[row])
    settle(page)
    expect(axis).to_have_text(zoomed)


def pick_by_chart(page: Page, picked: str) -> None:
    """Clicks on points that lie open until another network is picked."""
    points = page.locator(".points_marks path")
    points.first.wait_for(state="attached")
    for x, y in points.evaluate_all(CENTRES)[::-1]:
        page.mouse.click(x, y)
        with suppress(AssertionError):  # a point below another, or the one that is picked
            expect(page.locator(PICKED)).not_to_have_text(picked, timeout=ANSWER_MS)
            settle(page)
            return
    raise AssertionError("no point could be picked")


def train(page: Page, studio: Studio, store: Store) -> None:
    page.get_by_role("button", name="Open this model").click()
    expect(page.get_by_role("heading", name="Export")).to_be_visible()
    page.get_by_role("spinbutton", name="Epochs").fill("2")
    page.get_by_role("spinbutton", name="Epochs").press("Enter")
    settle(page)
    page.get_by_role("button", name="Finetune").click()
    ended(studio, store, "train")
    expect(page.get_by_text("Test accuracy").first).to_be_visible()


def export(page: Page, studio: Studio, store: Store, target: Path) -> None:
    page.get_by_role("button", name="Export ONNX").click()
    run = ended(studio, store, "export")
    (made,) = store.view(run).exported
    expect(page.get_by_text("Same answers as the trained network")).to_be_visible()
    verdict = "within the limit" if made.report["within_limit"] else "over the limit"
    expect(page.get_by_text(verdict).last).to_be_visible()
    link = page.get_by_role("link", name="Download")
    link.evaluate("a => a.removeAttribute('target')")  # else the download belongs to a new tab
    with page.expect_download() as download:
        link.click()
    download.value.save_as(target)


def test_the_archive_runs_with_onnxruntime_and_numpy_alone(shelf: Path, tmp_path: Path):
    archive = shelf / "archive.zip"
    if not archive.is_file():
        pytest.skip("the journey before this left no archive")
    with zipfile.ZipFile(archive) as pack:
        assert set(pack.namelist()) == {"model.onnx", "report.json", "README.md", "benchmark.py"}
        pack.extractall(tmp_path / "archive")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    pip = [str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt")]
    got = subprocess.run([*pip, "onnxruntime", "numpy"], capture_output=True, text=True)
    if got.returncode:
        pytest.skip(f"pip cannot install onnxruntime here: {got.stderr.strip().splitlines()[-1]}")
    done = subprocess.run(
        [str(python), "benchmark.py"], cwd=tmp_path / "archive", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    p50 = re.search(r"p50\D*([\d.]+)", done.stdout)
    assert p50, done.stdout
    assert float(p50[1]) > 0
