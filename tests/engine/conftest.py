"""Fixtures for the command line: run it in this process, with a worker of the test's choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli.main import outcome
from tests.fake_worker import FOUND, SEARCH, Execute, worker


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Callable[[Execute], None]:
    """Puts a worker in the place of the real one."""
    return lambda execute: monkeypatch.setattr("engine.worker.execute", execute)


@pytest.fixture
def onepath(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line; exit code, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = outcome([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def searched(does, onepath, tmp_path: Path) -> Path:
    """A workspace with one finished search, run 1."""
    does(worker(*FOUND))
    assert onepath(*SEARCH, "--workspace", tmp_path / "w")[0] == 0
    return tmp_path / "w"
