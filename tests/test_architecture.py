"""House rules of CONTRIBUTING that a computer can check: who imports whom, and a few nevers."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.blocks import BLOCKS
from engine.data import DATASETS
from engine.devices import DEVICES
from engine.strategies import STRATEGIES

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("engine/**/*.py"), *ROOT.glob("studio/**/*.py"), ROOT / "app.py"])
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}
HEAVY = ("torch", "sklearn", "onnxruntime")
TORCH_FREE = (
    *(
        "xray",
        "sanity",
        "space",
        "layers",
        "blocks",
        "presets",
        "cost",
        "graph",
        "pareto",
        "devices",
        "latency",
        *("methods", "recipe", "front.limits", "front.filter", "front.encoding"),
        *("front.predictor", "front.linas", "front.evolution", "front.new_front", "front.rounds"),
        *("trust.figures", "trust.plan", "trust.verdict", "trust.checks"),
        *("explain.why", "explain.knobs", "explain.regression", "explain.shrink"),
        *("contest.compare", "contest.job", "contest.time", "contest.budget", "contest.report"),
    ),
    *("workspace", "store", "spec", "events", "errors", "reader", "cli.main", "worker", "data"),
)


def module_of(path: Path) -> str:
    """Dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def imports(path: Path, *, late: bool = True) -> set[str]:
    """Modules that a file imports; `late`: inside functions too."""
    nodes = ast.walk(TREES[path]) if late else _at_import(TREES[path])
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in names if name in MODULES}
            found |= modules if len(modules) == len(names) else modules | {node.module}
    return found


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _at_import(node)


def tops(names: set[str]) -> set[str]:
    """The packages that modules belong to."""
    return {name.partition(".")[0] for name in names}


def named(paths: list[Path]) -> list[str]:
    """Readable test ids."""
    return [str(path.relative_to(ROOT)) for path in paths]


ENGINE = [path for path in SOURCES if path.is_relative_to(ROOT / "engine")]
STUDIO = [path for path in SOURCES if path not in ENGINE]


@pytest.mark.parametrize("path", ENGINE, ids=named(ENGINE))
def test_the_engine_never_imports_the_pages(path: Path):
    assert not {"streamlit", "studio", "app"} & tops(imports(path))


@pytest.mark.parametrize("path", STUDIO, ids=named(STUDIO))
def test_no_page_reaches_torch_even_through_the_engine(path: Path):
    reached, left = set[str](), [path]
    while left:
        new = imports(left.pop()) - reached
        reached |= new
        left += [MODULES[name] for name in new if name in MODULES]
    assert "torch" not in tops(reached)


def test_the_studio_starts_without_torch():
    modules = [name for name in MODULES if tops({name}) <= {"studio", "app"}]
    check = f"loaded = set(sys.modules) & {set(HEAVY)}; assert not loaded, loaded"
    code = f"import sys, {', '.join(modules)}; {check}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_torch_free_half_of_the_engine_is():
    modules = ", ".join(f"engine.{name}" for name in TORCH_FREE)
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_members_of_a_package_do_not_import_each_other():
    tables = {
        "blocks": BLOCKS,
        "devices": DEVICES,
        "data": DATASETS,
        "strategies": STRATEGIES,
    }
    members = [
        {(value if isinstance(value, type) else type(value)).__module__ for value in table.values()}
        for table in tables.values()
    ]
    members.append({m for m in MODULES if m.startswith("engine.export.")})
    for group in members:
        assert group <= MODULES.keys()
        for module in group:
            assert not imports(MODULES[module]) & (group - {module}), module


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {name: imports(path, late=False) & MODULES.keys() for name, path in MODULES.items()}
    while leaves := [name for name, needed in graph.items() if not needed & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, "in a circle, or above one"


@pytest.mark.parametrize("path", SOURCES, ids=named(SOURCES))
def test_no_file_imports_everything_of_another(path: Path):
    stars = [
        node
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]
    assert not stars


@pytest.mark.parametrize("path", SOURCES, ids=named(SOURCES))
def test_nothing_from_outside_is_unpickled(path: Path):
    assert not {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"} & tops(imports(path))
    for call, name in calls(path):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name == "torch.load":
            assert given.get("weights_only") == "True", f"line {call.lineno}"
        if name in ("np.load", "numpy.load"):
            assert given.get("allow_pickle", "False") == "False", f"line {call.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=named(SOURCES))
def test_randomness_is_passed_in(path: Path):
    fine = {"random.Random", "np.random.default_rng", "np.random.Generator", "np.random.PCG64"}
    drawn = {name for _, name in calls(path) if name.startswith(("random.", "np.random."))}
    assert drawn <= fine


@pytest.mark.parametrize("path", SOURCES, ids=named(SOURCES))
def test_only_the_two_boundaries_catch_everything(path: Path):
    caught = {
        ast.unparse(node.type) if node.type else "everything"
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.ExceptHandler)
    }
    if module_of(path) not in ("engine.worker", "studio.text"):
        assert not caught & {"Exception", "everything"}


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call in a file of something with a dotted name, and that name."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.replace(".", "").replace("_", "").isalnum():
                yield node, name
