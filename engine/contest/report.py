"""What a comparison came to, as plain JSON: a row per strategy, the winner, what to keep in mind.

Errors: a few seeds tell little of their own spread. So the deviation between seeds is taken from
all strategies together: from the median of their variances, since one strategy that fails with
some seeds would make all others look unsure if they were averaged; that one keeps its own. Every
figure has with its standard error the `t` by which that is multiplied for a 95 % interval:
Student's, with the degrees of freedom that the deviation was taken from; 0 where there are none,
as with one seed.

Hypervolumes compare where proxies are those of shared weights. Strategies whose proxies are of
short trainings of each network alone are marked (`shared` is false) and judged by their picks.

The winner, by a rule that stands before any result: of the strategies of shared weights that kept
to the cost and whose every seed found a network within the limit, the highest mean hypervolume
leads; of those within one standard error of it, the most accurate after finetuning wins. Nobody
wins where there is only one of them, or where one seed leaves chance unknown.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.methods import METHODS
from engine.trust.figures import improvement, seed_deviation

RULE = (
    "of the strategies of shared weights that kept to the cost (at most a fifth more, on average)"
    " and whose every seed found a network within the limit, those"
    " within one standard error of the highest hypervolume; of these the most accurate after"
    " finetuning"
)
OFF = 0.2  # of the budget: a mean cost that is further away is said
MANY = 3  # strategies from which on the median of their variances is taken
SURE = 0.975  # quantile of Student's t at the upper end of a 95 % interval

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One search of the contest and what became of its pick; accuracies are those of tests."""

    strategy: str
    seed: int
    run: int
    epochs: int
    seconds: float
    peak_bytes: int
    hypervolume: float
    pick: str | None
    pick_ms: float | None
    finetuned: float | None
    retrained: float | None


@dataclass(frozen=True, slots=True)
class Noise:
    """What a seed alone changes: a standard deviation, and its degrees of freedom (0: unknown)."""

    deviation: float
    freedom: int


def shown(entry: Entry) -> dict[str, Any]:
    """One search as JSON."""
    return {name: getattr(entry, name) for name in Entry.__slots__}


def rows(entries: Sequence[Entry], baseline: Sequence[float]) -> list[dict[str, Any]]:
    """One row per strategy, in means over its seeds; `baseline`: accuracies of random networks."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.strategy, []).append(entry)
    areas = {
        kind: _noise(
            [[e.hypervolume for e in g] for n, g in groups.items() if METHODS[n].shared == kind]
        )
        for kind in (True, False)
    }
    tuned = _noise([_known(group, "finetuned") for group in groups.values()])
    alone = _noise([_known(group, "retrained") for group in groups.values()])
    return [
        {
            "strategy": name,
            "mode": next(iter(METHODS[name].modes)),
            "shared": METHODS[name].shared,
            "epochs": own[0].epochs,
            "seconds": statistics.fmean(e.seconds for e in own),
            "peak_bytes": max(e.peak_bytes for e in own),
            "hypervolume": _spread([e.hypervolume for e in own], areas[METHODS[name].shared]),
            "seeds": len(own),
            "picks": len(_known(own, "finetuned")),
            "finetuned": _spread(_known(own, "finetuned"), tuned),
            "retrained": _spread(_known(own, "retrained"), alone),
            "ri": gain(_known(own, "retrained"), baseline, noise=alone),
        }
        for name, own in groups.items()
    ]


def _known(entries: Sequence[Entry], field: str) -> list[float]:
    found = (getattr(entry, field) for entry in entries)
    return [value for value in found if value is not None]


# -- errors ----------------------------------------------------------------------------------------


def _noise(groups: Sequence[Sequence[float]]) -> Noise:
    """The deviation between seeds over groups with two or more: of three groups on, the median's.

    A variance of few values lies below the true one more often than not, by a known factor. The
    median of many tells about half as much as their mean would, hence half the freedom.
    """
    known = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in known)
    if len(known) < MANY:
        return Noise(seed_deviation(known), freedom)
    middle = statistics.median(
        statistics.variance(group) * (len(group) - 1) / _chi_square_median(len(group) - 1)
        for group in known
    )
    return Noise(math.sqrt(middle), max(1, freedom // 2))


def _chi_square_median(freedom: int) -> float:
    from scipy.special import chdtri  # type: ignore[import-untyped]  # scipy has no types

    return float(chdtri(freedom, 0.5))


def _spread(values: Sequence[float], noise: Noise) -> dict[str, float] | None:
    """Mean, standard error and `t`; None for none."""
    if not values:
        return None
    error = _own(values, noise).deviation / math.sqrt(len(values))
    return {"mean": statistics.fmean(values), "error": error, "t": quantile(noise.freedom)}


def _own(values: Sequence[float], noise: Noise) -> Noise:
    """The common deviation, unless a strategy's own seeds differ by more."""
    own = statistics.stdev(values) if len(values) > 1 else 0.0
    return replace(noise, deviation=max(own, noise.deviation))


def gain(
    alone: Sequence[float], baseline: Sequence[float], *, noise: Noise
) -> dict[str, float | bool] | None:
    """Relative improvement over random networks; None without a pick or without an error.

    `real`: beyond what chance does, by Student's t with the degrees of freedom of Welch and
    Satterthwaite, since the picks' deviation and that of random networks are two estimates.
    """
    if not alone or not noise.freedom or len(baseline) < 2:
        return None
    noise = _own(alone, noise)
    found = improvement(alone, baseline, seed_sd=noise.deviation)
    picks = noise.deviation**2 / len(alone)
    luck = found.random_sd**2 / len(baseline) * (found.pick_mean / (found.random_mean or 1e-9)) ** 2
    t = quantile(_freedom((picks, noise.freedom), (luck, len(baseline) - 1)))
    real = found.ri > t * found.se
    return {"value": found.ri, "error": found.se, "t": t, "real": real}


def _freedom(*parts: tuple[float, int]) -> float:
    """Welch and Satterthwaite: freedom of a sum of variances, each with its own."""
    below = sum(variance**2 / freedom for variance, freedom in parts)
    most = float(sum(freedom for _, freedom in parts))
    return sum(variance for variance, _ in parts) ** 2 / below if below > 0 else most


def quantile(freedom: float) -> float:
    """Student's t at 97.5 %; 0 without any freedom, where no error is known either."""
    if freedom <= 0:
        return 0.0
    from scipy.special import stdtrit

    return float(stdtrit(freedom, SURE))


# -- words -----------------------------------------------------------------------------------------


def winner(found: Sequence[Row], budget_s: float) -> dict[str, Any]:
    """Who wins by the rule (None: nobody), who was within one standard error, and a sentence."""
    most = (1 + OFF) * budget_s
    paid = [row for row in found if row["shared"] and row["seconds"] <= most]
    able = [row for row in paid if row["picks"] == row["seeds"]]
    if len(able) < 2 or not able[0]["hypervolume"]["t"]:
        says = f"No winner: {_why_none(found, paid, able)}."
        return {"strategy": None, "level": [], "rule": RULE, "says": says}
    first = max(able, key=lambda row: row["hypervolume"]["mean"])
    least = first["hypervolume"]["mean"] - first["hypervolume"]["error"]
    level = [row for row in able if row["hypervolume"]["mean"] >= least]
    best = max(level, key=lambda row: row["finetuned"]["mean"])
    says = f"{_title(best)} wins: its hypervolume is the highest by more than a standard error."
    if len(level) > 1:
        says = (
            f"{_title(best)} wins: of {_listed([_title(row) for row in level])}, whose hypervolumes"
            " are within one standard error of the highest, it is the most accurate after"
            " finetuning."
        )
    names = [row["strategy"] for row in level]
    return {"strategy": best["strategy"], "level": names, "rule": RULE, "says": says}


def _why_none(found: Sequence[Row], paid: Sequence[Row], able: Sequence[Row]) -> str:
    if len(able) > 1:
        return "with one seed each, nobody knows what chance did"
    if able:
        return f"{_title(able[0])} is the only one that can be compared by the rule"
    if not any(row["shared"] for row in found):
        return "no strategy of shared weights took part"
    if not paid:
        return "every strategy of shared weights took more than a fifth longer than asked for"
    return "no strategy of shared weights found a network within the limit each time"


def remarks(found: Sequence[Row], budget_s: float) -> list[str]:
    """A sentence for each thing that was not equal for all."""
    said = []
    off = [row for row in found if abs(row["seconds"] - budget_s) > OFF * budget_s]
    if off:
        took = _listed([f"{_title(row)} took {row['seconds']:.3g} s" for row in off])
        said.append(f"Not the same cost: {took} instead of {budget_s:g} s on average.")
    own = [_title(row) for row in found if not row["shared"]]
    if own:
        verb = "is" if len(own) == 1 else "are"
        said.append(
            f"The hypervolume of {_listed(own)} {verb} of short trainings alone, not of shared"
            " weights: it compares with no other."
        )
    return said


def _title(row: Row) -> str:
    return METHODS[row["strategy"]].title


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
