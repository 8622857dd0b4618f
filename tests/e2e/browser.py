"""Finding Chromium; `python -m tests.e2e.browser` says what that means for the tests."""

from __future__ import annotations

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = (
    "no Chromium on this computer (Debian: apt-get install chromium): browser journeys skipped"
)


def find() -> str | None:
    """Path of an installed Chromium, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


if __name__ == "__main__":
    print(f"browser journeys run in {path}" if (path := find()) else MISSING)
