"""Size limits of files and functions, and reasons where a checker is told to look away."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(
    path
    for pattern in ("engine/**/*.py", "studio/**/*.py", "tests/**/*.py", "app.py")
    for path in ROOT.glob(pattern)
)
PRODUCT = [path for path in FILES if not path.is_relative_to(ROOT / "tests")]


def readable(path: Path) -> str:
    """The path as a test's id."""
    return str(path.relative_to(ROOT))


EVERY_FILE = pytest.mark.parametrize("path", FILES, ids=readable)
MAX_FILE, MAX_FUNCTION, MEDIAN_FUNCTION = 400, 80, 10


def functions(path: Path) -> list[tuple[str, int]]:
    """Name and number of lines of every function in a file, decorators not counted."""
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


@EVERY_FILE
def test_a_file_fits_into_the_limit(path: Path):
    lines = len(path.read_text().splitlines())
    assert lines <= MAX_FILE


@EVERY_FILE
def test_a_function_fits_into_the_limit(path: Path):
    assert [f for f in functions(path) if f[1] > MAX_FUNCTION] == []


@pytest.mark.parametrize("path", PRODUCT, ids=readable)
def test_looking_away_has_a_reason(path: Path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.search(r"#\s*(noqa|type: ignore)", line):
            assert re.search(r"(noqa: \w+|type: ignore\[[\w-]+\])\s+(-|#) \w+", line), number


def test_the_usual_function_is_short():
    lengths = [n for path in PRODUCT for _, n in functions(path)]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
