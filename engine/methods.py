"""What search strategies there are, in words: names, modes, sources. What they do is elsewhere
(`strategies`); this is for those who choose without torch.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import RunError


@dataclass(frozen=True, slots=True)
class Method:
    """A strategy's `title`, what it does in a sentence, where it is from, its modes (first usual).

    `modes` has a sentence for each. `shared`: networks share the weights that it trains; `every`:
    these are trained for every network of the space, not only for those that it evaluates.
    `shrinks`: it may start from one trained network.
    """

    title: str
    says: str
    source: str
    modes: dict[str, str]
    shared: bool = True
    every: bool = True
    shrinks: bool = False

    @property
    def weights(self) -> str:
        """Which weights its proxy accuracies are of, in words."""
        return "shared weights" if self.shared else "a short training alone"


METHODS: dict[str, Method] = {
    "single_path": Method(
        "Single-Path NAS",
        "Thresholds on shared weights decide under a latency term; evolution fills the front.",
        "Stamoulis et al. 2019, arXiv:1904.02877",
        {
            "stable": "thresholds that keep moving, and a limit that is met",
            "reference": "the published form, for comparison",
        },
    ),
    "one_shot": Method(
        "One-shot",
        "One set of weights serves every network: sampled ones are trained, then the best found.",
        "BigNAS, Yu et al. 2020; SPOS, Guo et al. 2019",
        {
            "sandwich": "largest, smallest and two random networks each step; the largest teaches",
            "uniform": "one random network each step",
            "complexity": "random networks around the latency limit, in small moves",
            "fair": "every choice of a layer is trained equally often",
        },
    ),
    "proxyless": Method(
        "ProxylessNAS",
        "Every choice has weights of its own; binary gates learn which to keep, with latency.",
        "Cai et al. 2018, arXiv:1812.00332",
        {
            "two": "two paths in memory at a time",
            "full": "every path answers in each step of the gates",
        },
    ),
    "fbnet": Method(
        "FBNet",
        "All choices run side by side, weighted by Gumbel-softmax that sharpens with time.",
        "Wu et al. 2018, arXiv:1812.03443",
        {"gumbel": "weights and probabilities learn in turn, epoch by epoch"},
    ),
    "mnasnet": Method(
        "MnasNet",
        "A controller draws networks and learns from accuracy · (latency / limit)^w.",
        "Tan et al. 2018, arXiv:1807.11626",
        {
            "soft": "networks above the limit still count, a little less",
            "hard": "only networks within the limit are rewarded in full",
        },
    ),
    "netadapt": Method(
        "NetAdapt",
        "Starts from a trained network and shrinks it step by step to the limit.",
        "Yang et al. 2018, as used by MobileNetV3, arXiv:1905.02244",
        {
            "per_ms": "keeps the change that loses the least accuracy for what it saves",
            "accuracy": "keeps the change that leaves the most accurate network",
        },
        every=False,
        shrinks=True,
    ),
    "random_search": Method(
        "Random search",
        "Random networks within the limits on shared weights: what every other must beat.",
        "the baseline of Yang et al. 2020",
        {"uniform": "one random network each step"},
    ),
    "zero_cost": Method(
        "Zero-cost screen",
        "Judges many untrained networks by training-free metrics and trains the most promising.",
        "RoBoT",
        {"robot": "metrics weighted by Bayesian optimisation"},
        shared=False,
        every=False,
    ),
}
DEFAULT = "single_path"

FRONTS = {
    "linas": "few are judged, a predictor learns from them and proposes the next (LINAS)",
    "evolution": "each generation descends from the best before it (NSGA-II)",
}


DEFAULT_FRONT = "linas"


def require_method(strategy: str, mode: str) -> str:
    """The mode, for "" the strategy's usual one; RunError for names that are unknown."""
    if strategy not in METHODS:
        known = ", ".join(METHODS)
        raise RunError(f"strategy: must be one of {known}, got {strategy!r}.")
    modes = METHODS[strategy].modes
    mode = mode or next(iter(modes))
    if mode not in modes:
        known = ", ".join(modes)
        raise RunError(f"mode: must be one of {known} for {strategy}, got {mode!r}.")
    return mode


def require_starting(strategy: str) -> None:
    """RunError for a strategy that cannot start from a trained network."""
    if not METHODS[strategy].shrinks:
        known = " or ".join(name for name, method in METHODS.items() if method.shrinks)
        raise RunError(
            f"start: must be given to strategy {known}, which shrinks networks, got {strategy}."
        )


def not_judged(strategy: str, *, every: bool = False) -> tuple[str, str]:
    """Why the weights of a search cannot be judged, and what to do instead; ("", "") if they can.

    `every`: whether the judgement looks at networks that the search did not evaluate.
    """
    method = METHODS[strategy]
    if not method.shared:
        return (
            f"{method.title} trains every network alone, so there are no shared weights to judge.",
            "Its accuracies are those of short trainings: retrain a network to check one.",
        )
    if every and not method.every:
        return (
            f"{method.title} trains only the networks on its way, so its weights say nothing of"
            " others.",
            "Search with another strategy to compare all choices.",
        )
    return "", ""


def require_judged(run: int, strategy: str, *, every: bool = False) -> None:
    """RunError for the search `run` if `not_judged`."""
    why, instead = not_judged(strategy, every=every)
    if why:
        raise RunError(f"run {run}: {why}", instead)
