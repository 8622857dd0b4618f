"""`onepath front` with wishes, and what `onepath search` passes on of limits, modes and recipes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from engine.devices import open_device
from engine.events import Evaluated, Finished
from engine.front.limits import Limits
from engine.recipe import Recipe
from engine.spec import RunSpec
from engine.store import Store
from engine.workspace import Workspace
from tests.fake_worker import CALIBRATED, SEARCH, worker
from tests.problems import macs_latency


@pytest.fixture
def known(does, onepath, tmp_path: Path) -> Path:
    """A finished search of 60 networks on the digits space, with its latency table."""
    from engine.presets import load_space

    space = load_space("digits")[0]
    latency = macs_latency(space)
    rng = random.Random(0)
    archs = [space.sample(rng) for _ in range(60)]
    events = [
        Evaluated(
            str(a), 0.5 + latency.predict(a) / latency.slowest_ms / 3, latency.predict(a), 1, 1
        )
        for a in archs
    ]
    does(worker(CALIBRATED, *events, Finished("budget used", 1.0)))
    assert onepath(*SEARCH, "--workspace", tmp_path / "w")[0] == 0
    store = Workspace(tmp_path / "w").store
    spec = store.run(1).spec
    assert isinstance(spec, RunSpec)
    store.put_calibration(open_device(spec.device).key, space.digest(), latency.to_json())
    return tmp_path / "w"


@pytest.fixture
def limited(known, onepath) -> Path:
    """Another search of the same networks, run 2, under a limit of parameters."""
    code, _, err = onepath(*SEARCH, "--max-params", 9000, "--workspace", known)
    assert code == 0, err
    return known


def params_of(arch: str) -> int:
    from engine.cost import network_cost
    from engine.presets import load_space
    from engine.space import Arch

    return network_cost(load_space("digits")[0], Arch.parse(arch)).params


def middle() -> float:
    from engine.presets import load_space

    latency = macs_latency(load_space("digits")[0])
    return (latency.fastest_ms + latency.slowest_ms) / 2


def test_a_new_limit_gives_a_new_front_with_the_seconds_it_took(known, onepath):
    code, out, _ = onepath("front", 1, "--workspace", known, "--latency-ms", middle(), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["limit_ms"] == middle()
    assert 0 < found["seconds"] < 60
    assert found["front"]
    assert found["foreseen"]
    assert all(p["predicted_ms"] <= middle() for p in [*found["front"], *found["foreseen"]])
    assert found["best"]["arch"] in {p["arch"] for p in found["front"]}


def test_the_search_s_own_limits_hold_unless_another_is_given(onepath, limited):
    asked = ("front", 2, "--workspace", limited, "--latency-ms", middle(), "--json")
    kept = json.loads(onepath(*asked)[1])
    assert kept["limits"] == {"params": 9000}
    assert kept["front"]
    assert all(params_of(p["arch"]) <= 9000 for p in [*kept["front"], *kept["foreseen"]])
    wider = json.loads(onepath(*asked, "--max-params", 20_000, "--max-macs", 10**9)[1])
    assert wider["limits"] == {"params": 20_000, "macs": 10**9}
    assert max(params_of(p["arch"]) for p in wider["front"]) > 9000
    assert "at most 9 k" in onepath(*asked[:-1])[1]


def test_pins_and_bans_hold(known, onepath):
    arguments = ("--latency-ms", middle(), "--pin", "stage2.1=k3e2", "--ban", "stage3.1=k5e6")
    code, out, err = onepath("front", 1, "--workspace", known, *arguments, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["pins"]["stage2.1"] == ["k3e2"]
    names = [p["arch"].split("-") for p in [*found["front"], *found["foreseen"]]]
    assert names
    assert all(ops[2] == "k3e2" and ops[5] != "k5e6" for ops in names)


def test_in_words_it_tells_what_is_only_foreseen(known, onepath):
    code, out, _ = onepath("front", 1, "--workspace", known, "--latency-ms", middle())
    assert code == 0
    assert "nothing was trained" in out
    assert "foreseen, not evaluated (mean error 0." in out
    assert "best within the limit\n" in out
    assert "measured ms" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--latency-ms", 1e-9), "latency limit 1e-09 ms: the fastest architecture needs"),
        (("--latency-ms", -1), "latency limit: must be above 0 ms"),
        (("--pin", "stage2.1"), "pin: must be LAYER=CHOICE,CHOICE, got 'stage2.1'"),
        (("--pin", "stage7.1=k3e3"), "pin: must name a layer among"),
        (("--ban", "nowhere=k3e3"), "ban: must name a layer among"),
        (("--like", "k3e3"), "needs 8 ops, got 1"),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_sentence(known, onepath, arguments, message):
    code, out, err = onepath("front", 1, "--workspace", known, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_without_the_table_it_says_what_to_do(onepath, known):
    store = Store(known / "studio.db")
    with store._write() as db:
        db.execute("delete from calibrations")
    code, _, err = onepath("front", 1, "--workspace", known, "--latency-ms", middle())
    assert code == 2
    assert "onepath profile" in err


def test_search_passes_on_limits_mode_recipe_and_front(does, onepath, tmp_path: Path):
    does(worker(CALIBRATED, Finished("budget used", 1.0)))
    more = ("--strategy", "one_shot", "--mode", "fair", "--front-by", "linas")
    limits = ("--max-params", 5000, "--max-onnx-bytes", 90000)
    recipe = ("--recipe", '{"lr": 0.05, "mixup": 0.2}')
    code, _, err = onepath(*SEARCH, *more, *limits, *recipe, "--workspace", tmp_path / "w")
    assert code == 0, err
    spec = Workspace(tmp_path / "w").store.run(1).spec
    assert isinstance(spec, RunSpec)
    assert (spec.strategy, spec.mode, spec.front) == ("one_shot", "fair", "linas")
    assert spec.limits == Limits(params=5000, onnx_bytes=90000)
    assert spec.recipe == Recipe(lr=0.05, mixup=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mode", "fast"), "mode: must be one of stable, reference for single_path, got 'fast'"),
        (("--front-by", "luck"), "search of the front: must be linas or evolution, got 'luck'"),
        (("--recipe", "fast"), "recipe: must be a JSON object of its fields"),
        (("--recipe", '{"lr": -1}'), "recipe: lr must be from"),
        (("--recipe", '{"speed": 1}'), "recipe: must be a JSON object of its fields"),
        (("--strategy", "luck"), "strategy: must be one of single_path"),
    ],
)
def test_what_search_does_not_know_is_one_sentence(onepath, tmp_path, arguments, message):
    code, _, err = onepath(*SEARCH, *arguments, "--workspace", tmp_path / "w")
    assert code == 2
    assert message in err
