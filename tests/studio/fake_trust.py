"""Trust runs like real ones beside `fake_run`: figures by the engine, nothing trained."""

from __future__ import annotations

import random
from dataclasses import asdict
from typing import Any

from engine.cost import network_cost
from engine.events import Event, Finished, Progress, Resumed, StandAlone, Trusted
from engine.space import Arch
from engine.spec import TrustSpec
from engine.store import Status
from engine.trust.figures import Evidence, Judged, measured
from engine.trust.verdict import verdict
from tests.studio.fake_run import LIMIT_MS, Fake

RECIPE = "c0ffee12"
SEED_SD = 0.008
RANKS = (0, 3, 1, 5, 2, 7, 4, 6)  # of accuracy alone, the fastest network first
PROXY_RANKS = {
    "good": (0, 3, 1, 5, 2, 6, 4, 7),
    "fair": (2, 4, 0, 5, 1, 3, 6, 7),
    "weak": (6, 5, 7, 1, 4, 2, 3, 0),
}


def judge(fake: Fake, run: int, state: str = "finished", **options: Any) -> int:
    """A trust run on search `run`; options: `kind` (see `report`), `share` (0..1 that is done)."""
    spec = TrustSpec(run)
    found = report(fake, run, options.get("kind", "good"))
    alone = [(n["arch"], seed, acc) for n in found["networks"] for seed, acc in n["alone"]]
    done = len(alone) if state == "finished" else int(options.get("share", 0.4) * len(alone))
    told: list[Event] = [Resumed(0)]
    for step, (arch, seed, accuracy) in enumerate(alone[:done], 1):
        told.append(StandAlone(arch, seed, accuracy, spec.epochs, RECIPE))
        told.append(Progress(step, len(alone), "train alone"))
    if state == "finished":
        told += [Trusted(found), Finished("judged", 214.0)]
    return _written(fake, spec, told, state)


def _written(fake: Fake, spec: TrustSpec, told: list[Event], state: str) -> int:
    store = fake.store
    run_id = store.create_run(spec)
    store.append(run_id, *told)
    step, steps = store.view(run_id).step, store.view(run_id).steps or 1
    status = Status("train alone", step / steps, 130.0, f"training {step + 1} of {steps}")
    store.report(run_id, status)
    if state == "running":
        fake.hold(run_id)
    store.set_state(run_id, "running" if state == "crashed" else state)
    return run_id


def report(fake: Fake, run: int, kind: str) -> dict[str, Any]:
    """A report by the engine's arithmetic: `good`, `fair`, `weak`, `flat` or `alone` (no pick)."""
    rng = random.Random(5)
    best = fake.store.view(run).best(LIMIT_MS)
    assert best is not None
    drawn = sorted(_drawn(fake, rng, 1.0), key=fake.ms)
    proxies = PROXY_RANKS.get(kind, PROXY_RANKS["good"])
    step = 0.0 if kind == "flat" else 0.02
    evidence = Evidence(
        subnets=tuple(
            _judged(fake, arch, 0.8 + step * rank, rng, proxy=0.56 + 0.03 * proxies[i])
            for i, (arch, rank) in enumerate(zip(drawn, RANKS, strict=True))
        ),
        pick=None if kind == "alone" else _judged(fake, Arch.parse(best.arch), 0.95, rng),
        others=tuple(_judged(fake, a, rng.uniform(0.84, 0.94), rng) for a in _drawn(fake, rng)),
        window_ms=(0.9 * LIMIT_MS, LIMIT_MS),
        guess=0.105,
        images=297,
        prediction=asdict(fake.model.prediction),
    )
    figures = measured(evidence)
    found = verdict(figures)
    about = {"search": run, "epochs": TrustSpec(run).epochs, "recipe": RECIPE}
    said = {"colour": found.colour, "title": found.title, "sentences": list(found.sentences)}
    return {**about, **figures, **said}


def _drawn(fake: Fake, rng: random.Random, limit_ms: float = LIMIT_MS) -> list[Arch]:
    found = dict.fromkeys(fake.space.sample(rng) for _ in range(400))
    return [arch for arch in found if fake.ms(arch) <= limit_ms][: len(RANKS)]


def _judged(
    fake: Fake, arch: Arch, accuracy: float, rng: random.Random, *, proxy: float = 0.7
) -> Judged:
    cost = network_cost(fake.space, arch)
    return Judged(
        arch=str(arch),
        predicted_ms=fake.ms(arch),
        params=cost.params,
        macs=cost.macs,
        proxy=round(proxy, 4),
        raw=round(proxy - 0.04 + rng.gauss(0, 0.02), 4),
        alone=tuple((seed, round(accuracy + rng.gauss(0, SEED_SD), 4)) for seed in range(4)),
    )
