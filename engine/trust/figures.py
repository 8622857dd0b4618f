"""How far a search's ranking can be trusted, in figures: rank correlations, noise, improvement.

Arithmetic on accuracies that are there already; what is trained for them is in `trust_job`, what
they mean in words in `trust_verdict`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
INTERVAL = (2.5, 97.5)  # percentiles of the resamples
HALVINGS = 35  # of the seeds at most, all of them up to eight seeds


@dataclass(frozen=True, slots=True)
class Tau:
    """A rank correlation, -1..1, with the 95 % interval of a bootstrap over the networks."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A network with its proxy accuracy and `alone`: (seed, accuracy) of trainings from scratch.

    `raw` is the proxy accuracy with the batch norm statistics of the shared weights as they are.
    """

    arch: str
    predicted_ms: float
    params: int
    macs: int
    proxy: float
    raw: float
    alone: tuple[tuple[int, float], ...]

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Accuracy of every training, in order of the seeds."""
        return tuple(accuracy for _, accuracy in sorted(self.alone))

    @property
    def mean(self) -> float:
        """Mean accuracy over the seeds."""
        return float(np.mean(self.accuracies))


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a report is made from.

    `subnets` are spread over the latency range; `others` are random networks of the same latency
    window as `pick`, which lies in `window_ms`. `guess` is the accuracy of the best constant answer
    and `images` the size of the split that all accuracies come from.
    """

    subnets: tuple[Judged, ...]
    pick: Judged | None
    others: tuple[Judged, ...]
    window_ms: tuple[float, float]
    guess: float
    images: int
    prediction: dict[str, Any]


def kendall(x: Floats, y: Floats) -> Floats:
    """Kendall's tau-b along the last axis, of shape (...), for two arrays of shape (..., N).

    (concordant - discordant) / sqrt((pairs - ties in x) (pairs - ties in y)); 0 where all of x or
    all of y are equal, since there is no order to agree with.
    """
    a = np.sign(x[..., :, None] - x[..., None, :])
    b = np.sign(y[..., :, None] - y[..., None, :])
    agreed = (a * b).sum((-1, -2))
    pairs = np.sqrt((a * a).sum((-1, -2)) * (b * b).sum((-1, -2)))
    found: Floats = np.divide(agreed, pairs, out=np.zeros_like(agreed), where=pairs > 0)
    return found


def resampled(count: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Indices of shape (1 + RESAMPLES, count): first all networks in order, then bootstraps."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, count, (RESAMPLES, count))
    return np.concatenate([np.arange(count)[None], drawn])


def tau_of(values: Floats) -> Tau:
    """The first value with the interval of the others."""
    low, high = np.percentile(values[1:], INTERVAL)
    return Tau(float(values[0]), float(low), float(high))


def correlation(x: Sequence[float], y: Sequence[float]) -> Tau:
    """Kendall's tau-b between two figures of the same networks."""
    chosen = resampled(len(x))
    return tau_of(kendall(np.array(x, float)[chosen], np.array(y, float)[chosen]))


def lead(x: Sequence[float], rival: Sequence[float], y: Sequence[float]) -> Tau:
    """tau(x, y) - tau(rival, y), paired: both sides are resampled together."""
    chosen = resampled(len(x))
    a, b, c = (np.array(each, float)[chosen] for each in (x, rival, y))
    return tau_of(kendall(a, c) - kendall(b, c))


def noise_ceiling(accuracies: Sequence[Sequence[float]]) -> Tau:
    """Kendall's tau-b between two halves of the seeds: how well accuracy ranks itself.

    `accuracies`: per network one per seed, as many for each (an even number). Mean over all ways to
    halve the seeds, which varies less than any one. Each half is noisier than the mean of all
    seeds, so that a proxy may come out above it.
    """
    table = np.array(accuracies, float)
    seeds = table.shape[1]
    assert seeds >= 2, "two sets of seeds are needed"
    chosen = resampled(len(table))
    taus = []
    for half in halvings(seeds):
        rest = [k for k in range(seeds) if k not in half]
        means = table[:, list(half)].mean(1), table[:, rest].mean(1)
        taus.append(kendall(means[0][chosen], means[1][chosen]))
    return tau_of(np.mean(taus, axis=0))


def halvings(seeds: int) -> list[tuple[int, ...]]:
    """One half of every way to halve so many seeds; the first seed is in all of them."""
    size = seeds // 2
    rest = itertools.combinations(range(1, seeds), size - 1)
    return [(0, *others) for others in itertools.islice(rest, HALVINGS)]


def seed_deviation(groups: Sequence[Sequence[float]]) -> float:
    """Standard deviation that the seed alone causes, pooled over networks with two or more."""
    squares = [(float(np.var(g, ddof=1)), len(g) - 1) for g in groups if len(g) > 1]
    freedom = sum(n for _, n in squares)
    return math.sqrt(sum(v * n for v, n in squares) / freedom) if freedom else 0.0


@dataclass(frozen=True, slots=True)
class Improvement:
    """`ri` = (pick - random) / random as a fraction, and `se`, its standard error.

    Yang, Esperança, Carlucci (2020), where it is in percent. `difference` is in accuracy, with
    `difference_se`; it is `real` beyond two standard errors.
    """

    ri: float
    se: float
    difference: float
    difference_se: float
    pick_mean: float
    pick_sd: float
    random_mean: float
    random_sd: float
    n_pick: int
    n_random: int

    @property
    def real(self) -> bool:
        """Whether pick and random networks differ by more than two standard errors."""
        return abs(self.difference) > 2 * self.difference_se


def improvement(
    pick: Sequence[float], random: Sequence[float], *, seed_sd: float | None = None
) -> Improvement:
    """What a pick (accuracy per seed) gains over random networks (one mean accuracy each).

    `seed_sd` is that of more networks than the pick, where it is known: three seeds tell little
    of their own spread. The error of the ratio is that of its first-order expansion.
    """
    p, r = float(np.mean(pick)), float(np.mean(random))
    own = float(np.std(pick, ddof=1)) if len(pick) > 1 else 0.0
    among = float(np.std(random, ddof=1)) if len(random) > 1 else 0.0
    p_se = (own if seed_sd is None else seed_sd) / math.sqrt(len(pick))
    r_se = among / math.sqrt(len(random))
    base = r or 1e-9
    return Improvement(
        ri=(p - r) / base,
        se=math.hypot(p_se, p / base * r_se) / base,
        difference=p - r,
        difference_se=math.hypot(p_se, r_se),
        pick_mean=p,
        pick_sd=own,
        random_mean=r,
        random_sd=among,
        n_pick=len(pick),
        n_random=len(random),
    )


def measured(evidence: Evidence) -> dict[str, Any]:
    """The report's figures as plain JSON, without verdict; fractions 0..1, milliseconds.

    `tau`: proxy accuracy against mean stand-alone accuracy; `ceiling`: stand-alone accuracy
    against itself with other seeds; `baselines`: parameters and MACs against the same, and the
    lead of the proxy over them; `skill`: what shared weights know above guessing, as a share of
    what training alone brings.
    """
    nets = evidence.subnets
    mean, proxy = [n.mean for n in nets], [n.proxy for n in nets]
    tau, ceiling = correlation(proxy, mean), noise_ceiling([n.accuracies for n in nets])
    counts = {"params": [float(n.params) for n in nets], "macs": [float(n.macs) for n in nets]}
    return {
        "n": len(nets),
        "seeds": len(nets[0].alone),
        "networks": [_shown(n) for n in nets],
        "tau": asdict(tau),
        "ceiling": asdict(ceiling),
        "share_of_ceiling": tau.value / ceiling.value if ceiling.value > 0 else None,
        "baselines": {
            name: {"tau": asdict(correlation(x, mean)), "lead": asdict(lead(proxy, x, mean))}
            for name, x in counts.items()
        },
        "batch_norm": {
            "tau_without": correlation([n.raw for n in nets], mean).value,
            "tau_with": tau.value,
            "accuracy_gain": float(np.mean(proxy) - np.mean([n.raw for n in nets])),
        },
        "skill": _skill(evidence),
        "spread": _spread(evidence),
        "improvement": _improvement(evidence),
        "latency": evidence.prediction,
    }


def _shown(network: Judged) -> dict[str, Any]:
    seeds = [list(pair) for pair in sorted(network.alone)]
    return {**asdict(network), "alone": seeds, "mean": network.mean}


def _skill(evidence: Evidence) -> dict[str, Any]:
    proxy = float(np.mean([n.proxy for n in evidence.subnets]))
    alone = float(np.mean([n.mean for n in evidence.subnets]))
    guess = evidence.guess
    error = math.sqrt(guess * (1 - guess) / evidence.images)
    learned = alone - guess
    return {
        "proxy": proxy,
        "alone": alone,
        "guess": guess,
        "guess_se": error,
        "share": (proxy - guess) / learned if learned > 4 * error else None,
    }


def _spread(evidence: Evidence) -> dict[str, Any]:
    means = [n.mean for n in evidence.subnets]
    gap, deviation = max(means) - min(means), _deviation(evidence)
    return {
        "lowest": min(means),
        "highest": max(means),
        "range": gap,
        "seed_sd": deviation,
        "times": gap / deviation if deviation > 0 else None,
    }


def _deviation(evidence: Evidence) -> float:
    every = [*evidence.subnets, *evidence.others, *([evidence.pick] if evidence.pick else [])]
    return seed_deviation([n.accuracies for n in {n.arch: n for n in every}.values()])


def _improvement(evidence: Evidence) -> dict[str, Any] | None:
    if evidence.pick is None or not evidence.others:
        return None
    means = [n.mean for n in evidence.others]
    found = improvement(evidence.pick.accuracies, means, seed_sd=_deviation(evidence))
    return {
        **asdict(found),
        "real": found.real,
        "window_ms": list(evidence.window_ms),
        "pick": _shown(evidence.pick),
        "random": [_shown(n) for n in evidence.others],
    }
