"""What the figures of a trust report mean: one colour and plain sentences, by fixed rules.

In this order, the first that holds decides:

- red, if the shared weights know hardly more than guessing does. That holds whatever the ceiling
  is, since what has learned nothing ranks nothing.
- grey, "cannot tell", if the noise ceiling is below 0.6 or the space's best and worst networks
  differ by less than four times what a seed changes: no tau means anything then.
- red, if tau is below 0.3 and that is hardly bad luck: even the upper end of its interval is below
  0.7 and below the ceiling, or parameters rank better in all but a few resamples.
- green, if tau reaches 0.85 of the ceiling and what parameters reach, and the pick is better than
  random networks of its latency by more than two standard errors.
- amber else.

With eight networks, simulated, the third rule calls 1 in 100 rankings red whose true tau is 0.6,
and more than half of those that are pure chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FEWEST = 8  # networks a rank correlation is taken over
CEILING, WEAK, SHARE = 0.6, 0.3, 0.85
DECENT = 0.7  # a tau that one of below 0.3 may be bad luck with
TIMES = 4.0  # that a space's spread must be of what a seed changes
LEARNED, MUCH = 0.1, 0.5  # of what training alone learns above guessing, known to shared weights
USEFUL = 0.5  # a tau below it is warned about, whatever its ceiling

TITLES = {
    "red": "The ranking cannot be trusted.",
    "grey": "Cannot tell.",
    "amber": "Trust it with care.",
    "green": "The ranking can be trusted.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`colour`: red, grey, amber or green; `sentences`: what led there first, then the rest."""

    colour: str
    sentences: tuple[str, ...]

    @property
    def title(self) -> str:
        """The colour in words."""
        return TITLES[self.colour]


def verdict(report: dict[str, Any]) -> Verdict:
    """The verdict on the figures of `trust.measured`."""
    says: list[str] = []
    if ignorant(report["skill"]):
        return Verdict("red", (_ignorance(report["skill"]), *_pick(report), *_others(report)))
    if grey := [*_unsearchable(report["spread"]), *_low_ceiling(report)]:
        return Verdict("grey", (*grey, *_pick(report), *_others(report)))
    tau, ceiling = report["tau"], report["ceiling"]
    rival = report["baselines"]["params"]
    beaten = rival["lead"]["high"] < 0
    unlucky = tau["high"] >= min(DECENT, ceiling["value"]) and not beaten
    if tau["value"] < WEAK and not unlucky:
        says.append(
            f"The ranking is weak: tau is {_range(tau)}, where {ceiling['value']:.2f} could be"
            " reached. Train longer or shrink the space."
        )
        return Verdict("red", (*says, *_rivals(report), *_pick(report), *_others(report)))
    says += [_ranking(report), *_rivals(report), *_pick(report)]
    good = report["share_of_ceiling"] >= SHARE and tau["value"] >= rival["tau"]["value"]
    found = report["improvement"]
    enough = found is not None and found["n_random"] >= FEWEST
    better = enough and found["real"] and found["ri"] > 0
    return Verdict("green" if good and better else "amber", (*says, *_others(report)))


def ignorant(skill: dict[str, Any]) -> bool:
    """Whether shared weights know hardly more than the best constant answer.

    Where training alone learns nothing either, that is no more than four standard errors of it.
    """
    if skill["share"] is None:
        return bool(skill["proxy"] <= skill["guess"] + 4 * skill["guess_se"])
    return bool(skill["share"] < LEARNED)


def _ignorance(skill: dict[str, Any]) -> str:
    proxy, alone, guess = (100 * skill[key] for key in ("proxy", "alone", "guess"))
    return (
        f"The shared weights know hardly more than guessing: {proxy:.1f} % right, guessing has "
        f"{guess:.1f} %, the same networks trained alone {alone:.1f} %. "
        "Check the labels, then train longer."
    )


def _unsearchable(spread: dict[str, Any]) -> list[str]:
    times = spread["times"]
    if times is None and spread["range"] > 0:
        return []
    if times is not None and times >= TIMES:
        return []
    return [
        "This space cannot be searched meaningfully as it was judged: its best and worst differ by "
        f"less than four times what a seed changes ({100 * spread['range']:.1f} points against "
        f"{100 * spread['seed_sd']:.2f}). Judge it with longer trainings alone, widen the space, "
        "or use more images."
    ]


def _low_ceiling(report: dict[str, Any]) -> list[str]:
    if report["n"] < FEWEST:
        return [f"{report['n']} networks are too few for a rank correlation: {FEWEST} are needed."]
    ceiling = report["ceiling"]
    if ceiling["value"] >= CEILING:
        return []
    return [
        f"A tau of {report['tau']['value']:.2f} says little: the ceiling is only "
        f"{ceiling['value']:.2f}, since other seeds rank the same networks otherwise. "
        "Train with more seeds, longer, or on more images."
    ]


def _ranking(report: dict[str, Any]) -> str:
    tau, share = report["tau"], report["share_of_ceiling"]
    words = f"tau is {_range(tau)}, {share:.0%} of the noise ceiling of "
    words += f"{report['ceiling']['value']:.2f}."
    if share >= SHARE:
        return f"The shared weights rank as well as noise allows: {words}"
    way_out = " Train longer or shrink the space." if tau["value"] < USEFUL else ""
    return f"The ranking is {'weak' if tau['value'] < USEFUL else 'fair'}: {words}{way_out}"


def _rivals(report: dict[str, Any]) -> list[str]:
    reached = {name: row["tau"]["value"] for name, row in report["baselines"].items()}
    named = f"parameters alone reach {reached['params']:.2f}, MACs {reached['macs']:.2f}"
    if report["tau"]["value"] >= max(reached.values()):
        return [f"It ranks better than size does: {named}."]
    sure = report["baselines"]["params"]["lead"]["high"] < 0
    return [f"Size {'ranks' if sure else 'may rank'} better than it does: {named}."]


def _pick(report: dict[str, Any]) -> list[str]:
    found = report["improvement"]
    if found is None:
        return ["There is no pick to compare with random networks: let the search end first."]
    ri = f"{100 * found['ri']:+.1f} % ± {100 * found['se']:.1f} relative to {found['n_random']}"
    ri += f" random network{'s' if found['n_random'] > 1 else ''} of its latency"
    if found["n_random"] < FEWEST:
        return [f"The pick gains {ri}; {FEWEST} are needed for a judgement."]
    if not found["real"]:
        return [f"The pick is not shown to be better than chance: {ri}."]
    if found["ri"] < 0:
        return [f"The pick is worse than chance: {ri}."]
    return [f"The search pays: the pick gains {ri}."]


def _others(report: dict[str, Any]) -> list[str]:
    says = []
    share = report["skill"]["share"]
    if share is not None and LEARNED <= share < MUCH:
        says.append(
            f"The shared weights know {share:.0%} of what the same networks learn alone, above "
            "guessing: train longer."
        )
    gain = 100 * report["batch_norm"]["accuracy_gain"]
    norm = report["batch_norm"]
    says.append(
        f"Recalibrating batch norm changes proxy accuracy by {gain:+.1f} points and tau from "
        f"{norm['tau_without']:.2f} to {norm['tau_with']:.2f}."
    )
    prediction = report["latency"]
    if prediction.get("n_heldout"):
        says.append(
            f"Latency is predicted with a mean error of {100 * prediction['mape']:.1f} % over "
            f"{prediction['n_heldout']} networks that no fit has seen."
        )
    return says


def _range(tau: dict[str, float]) -> str:
    return f"{tau['value']:.2f} ({tau['low']:.2f} to {tau['high']:.2f})"
