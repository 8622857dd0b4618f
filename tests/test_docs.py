"""The documents against the tree: file map, links, commands, and the code of the README."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import engine
from engine.blocks import Place
from engine.cli.main import cli, outcome
from engine.layers import Map, flow

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LOG.md")


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def mapped() -> dict[str, str]:
    """The file map: path to comment; folders end with a slash."""
    (text,) = blocks(README, "map")
    found, folders = {}, [""]
    for line in text.splitlines():
        indent = (len(line) - len(line.lstrip())) // 2
        name, _, comment = line.strip().partition(" ")
        path = "".join(folders[: indent + 1]) + name
        folders[indent + 1 :] = [name] if name.endswith("/") else []
        found[path] = comment.strip()
    return found


def commands() -> list[str]:
    """Every line that starts with onepath in the bash blocks of the README."""
    lines = "".join(blocks(README, "bash")).splitlines()
    return [line for line in lines if line.startswith("onepath ")]


def test_the_map_names_every_source_file():
    sources = {
        str(path.relative_to(ROOT))
        for folder in ("engine", "studio")
        for path in (ROOT / folder).glob("**/*.py")
    }
    assert sources - mapped().keys() == set()


def test_everything_on_the_map_is_there():
    assert [path for path in mapped() if not (ROOT / path).exists()] == []


def test_everything_on_the_map_has_half_a_line_of_comment():
    bad = {path: text for path, text in mapped().items() if not text or len(text) > 60}
    assert bad == {}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_pictures_of_a_document_are_there(name: str):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text())
    local = [link for link in links if not link.startswith(("http:", "https:"))]
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_journey_needs_at_most_five_pictures():
    assert len(re.findall(r"!\[", README)) <= 5


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_is_one_the_command_line_takes(line: str):
    _, name, *arguments = shlex.split(line, comments=True)
    command = cli.commands[name]
    assert command.make_context(name, arguments).params


def test_every_command_is_shown_in_the_readme():
    assert {line.split()[1] for line in commands()} == set(cli.commands)


@pytest.mark.parametrize("line", [line for line in commands() if line.split()[1] == "space"])
def test_a_cheap_command_of_the_readme_runs(line: str, capsys: pytest.CaptureFixture[str]):
    assert outcome(shlex.split(line)[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("code", blocks(README, "python"))
def test_code_of_the_readme_runs(code: str, monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("spindle")
    monkeypatch.setitem(sys.modules, "spindle", module)  # dataclasses look their module up
    exec(compile(code, "README.md", "exec", dont_inherit=True), module.__dict__)
    spindle: Any = module.__dict__["Spindle"]
    assert spindle.parse(str(spindle(5))) == spindle(5)
    assert flow(spindle(3).layers(Place(4, 8, 2, 9)), Map(4, 9)) == Map(8, 5)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_targets_of_make_that_a_document_names_exist(name: str):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"(?:^|`)make (\w+)", (ROOT / name).read_text(), re.MULTILINE))
    assert used
    assert used <= targets


def test_every_dependency_is_pinned_and_has_a_reason():
    text = (ROOT / "pyproject.toml").read_text()
    project = tomllib.loads(text)["project"]
    pins = {
        line.partition("==")[0].lower()
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    extras = [name for group in project["optional-dependencies"].values() for name in group]
    wanted = {re.split(r"[\[>=<]", name)[0].lower() for name in [*project["dependencies"], *extras]}
    assert wanted - pins == set()
    for name in project["dependencies"]:
        assert re.search(rf'"{re.escape(name)}",\s+# \w+', text), name


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == engine.__version__
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "tests/bench").glob("bench_*.py")), ids=str)
def test_every_benchmark_still_starts(path: Path):
    module = importlib.import_module(f"tests.bench.{path.stem}")
    assert f"python -m tests.bench.{path.stem}" in (module.__doc__ or "")
    assert callable(module.main)
