"""Light predictors of accuracy from features: ridge regression or an RBF support vector machine.

As in LINAS (DyNAS-T): both are fitted over a small grid, the one of the lesser error on held-out
folds is kept. What is kept is plain numbers that JSON can hold; predicting needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ALPHAS = (0.1, 0.3, 1.0, 3.0, 10.0)
PENALTIES = (1.0, 10.0, 100.0)
TUBE = 0.05  # half width of the tube of no loss, in standard deviations of the accuracies
FOLDS, FEWEST = 10, 8


@dataclass(frozen=True, slots=True)
class Predictor:
    """`kind` ridge: intercept + features · coef. svr: intercept + Σ dual · exp(-gamma |x - s|²).

    `error`: mean absolute error on held-out folds, in the unit of what is predicted.
    """

    kind: str
    intercept: float
    coef: tuple[float, ...] = ()
    support: tuple[tuple[float, ...], ...] = ()
    gamma: float = 0.0
    error: float = 0.0

    def __call__(self, features: Floats) -> Floats:
        """Predictions (n,) for features (n, width)."""
        weights = np.asarray(self.coef)
        if self.kind == "ridge":
            return np.asarray(self.intercept + features @ weights)
        if not self.support:  # all values were alike: the tube holds them, nothing supports it
            return np.full(len(features), self.intercept)
        support = np.asarray(self.support)
        squares = (
            (features**2).sum(1)[:, None] - 2 * features @ support.T + (support**2).sum(1)[None]
        )
        return np.asarray(self.intercept + np.exp(-self.gamma * np.maximum(squares, 0)) @ weights)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` is its inverse."""
        support = [list(row) for row in self.support]
        return asdict(self) | {"coef": list(self.coef), "support": support}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Predictor:
        """The predictor that `to_json` described."""
        support = tuple(tuple(float(x) for x in row) for row in document["support"])
        coef = tuple(float(x) for x in document["coef"])
        return Predictor(**{**document, "coef": coef, "support": support})


def ridge(features: Floats, values: Floats, alpha: float) -> Predictor:
    """Ridge regression in closed form, the intercept not penalised: (n, width), (n,)."""
    middle, mean = features.mean(0), float(values.mean())
    x, y = features - middle, values - mean
    gram = x.T @ x + alpha * np.eye(x.shape[1])
    coef = np.linalg.solve(gram, x.T @ y)
    return Predictor("ridge", mean - float(middle @ coef), tuple(map(float, coef)))


def fit(features: Floats, values: Floats) -> Predictor:
    """The predictor of the least held-out error: (n, width) and (n,), n of 8 or more.

    Its `error` is that of the folds; its numbers come from everything.
    """
    assert len(values) >= FEWEST, f"{len(values)} networks are too few to learn from"
    scale = float(values.std()) or 1.0
    ways = [lambda x, y, a=a: ridge(x, y, a) for a in ALPHAS]
    ways += [lambda x, y, c=c: _svr(x, y, c, scale) for c in PENALTIES]
    errors = [_held_out(features, values, way) for way in ways]
    best = int(np.argmin(errors))
    found = ways[best](features, values)
    document = found.to_json() | {"error": float(errors[best])}
    return Predictor.from_json(document)


def fit_ridge(features: Floats, values: Floats) -> Predictor:
    """The same with ridge regression alone, which needs nothing but numpy."""
    errors = [_held_out(features, values, lambda x, y, a=a: ridge(x, y, a)) for a in ALPHAS]
    best = int(np.argmin(errors))
    found = ridge(features, values, ALPHAS[best])
    return Predictor.from_json(found.to_json() | {"error": float(errors[best])})


def _held_out(features: Floats, values: Floats, way: Any) -> float:
    """Mean absolute error over folds, each predicted by what was fitted on the others."""
    fold = np.arange(len(values)) % min(FOLDS, len(values))
    np.random.default_rng(0).shuffle(fold)
    wrong = np.zeros(len(values))
    for number in range(int(fold.max()) + 1):
        out = fold == number
        wrong[out] = np.abs(way(features[~out], values[~out])(features[out]) - values[out])
    return float(wrong.mean())


def _svr(features: Floats, values: Floats, penalty: float, scale: float) -> Predictor:
    from sklearn.svm import SVR  # takes a while to import

    mean = float(values.mean())
    gamma = 1.0 / max(features.shape[1] * float(features.var()), 1e-9)
    model = SVR(C=penalty, gamma=gamma, epsilon=TUBE)
    model.fit(features, (values - mean) / scale)
    dual = tuple(float(x) * scale for x in model.dual_coef_[0])
    support = tuple(tuple(map(float, row)) for row in model.support_vectors_)
    intercept = mean + scale * float(model.intercept_[0])
    return Predictor("svr", intercept, dual, support, gamma)
