"""Fixtures that every test may use: a real database in a temporary folder, calm hypothesis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from engine.store import Store

# The networks of the tests are so small that threads only wait for each other: with two of them the
# tests took three times as long. Read when torch is first imported, and by the workers of e2e.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile(
    "studio",
    deadline=None,  # no timed assertions: the computer may be busy
    derandomize=True,  # the same examples on every computer and in every run
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("studio")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty workspace database."""
    opened = Store(tmp_path / "studio.db")
    yield opened
    opened.close()
