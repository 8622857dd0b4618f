"""What tests of the studio start from: a folder for workspaces, a workspace, pages to open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.spec import Spec
from engine.workspace import Workspace, create_workspace
from studio import launch
from tests.studio import fake_run
from tests.studio.fake_run import Fake

Opening = Callable[..., AppTest]

SCRIPT = """
from studio import main

main.draw({name!r})
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds all workspaces, empty."""
    folder = tmp_path / "workspaces"
    folder.mkdir()
    monkeypatch.setenv("ONEPATH_WORKSPACES", str(folder))
    return folder


@pytest.fixture
def workspace(root: Path) -> Workspace:
    """A workspace with the digits preset that nothing has run in."""
    return create_workspace(root, "Toy")


@pytest.fixture
def open_page(root: Path) -> Opening:
    """`open_page("compose", workspace, run=3)`: the page, run once, as an AppTest."""
    del root  # the environment it sets is what is needed

    def opening(name: str, shown: Workspace | None = None, **query: object) -> AppTest:
        at = AppTest.from_string(SCRIPT.format(name=name), default_timeout=20)
        if shown is not None:
            at.query_params["ws"] = shown.name
        for key, value in query.items():
            at.query_params[key] = str(value)
        return at.run()

    return opening


@pytest.fixture
def searched(root: Path) -> Fake:
    """A workspace with one finished search, which is run 1."""
    fake = fake_run.make(root)
    fake_run.search(fake)
    return fake


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Spec]:
    """Specs of runs that a page created; no worker process starts."""
    specs: list[Spec] = []

    def spawn(workspace: Workspace, run_id: int) -> None:
        specs.append(workspace.store.run(run_id).spec)

    monkeypatch.setattr(launch, "_spawn", spawn)
    return specs


def words(at: AppTest) -> str:
    """Everything a page says in Markdown, captions, warnings and errors, one per line."""
    kinds = (at.title, at.header, at.subheader, at.markdown, at.caption, at.warning, at.error)
    return "\n".join(str(element.value) for kind in (*kinds, at.info) for element in kind)


def labels(at: AppTest) -> list[str]:
    """What the buttons of a page say, those of the frame around it left out."""
    return [b.label for b in at.button if not (b.key or "").startswith("keys.")]
