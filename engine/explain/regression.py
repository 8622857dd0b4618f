"""Linear regression by least squares, and what it can and cannot tell of a difference; numpy, t.

Ordinary least squares with an intercept. A difference has an interval only where the data tell it
apart; elsewhere ridge regression gives a guess without one, and words say why.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.front.predictor import fit_ridge

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
FEWEST_FREE = 4  # degrees of freedom: with fewer, t-intervals are too wide to say anything
SMALL = 1e-9  # relative: below it, singular values and figures are rounding


@dataclass(frozen=True, slots=True)
class Estimate:
    """A difference and its 95 % interval; `why` says why there is no interval, or not even a value.

    Without an interval the value, if any, is a guess by ridge regression.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""

    @property
    def sign(self) -> int:
        """1 or -1 where the interval lies above or below 0, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


class Regression:
    """Least squares of `y` (n,) on `x` (n, p) and a constant.

    `free` is n - 1 - rank, `noise` the standard deviation of the residuals in the unit of `y`,
    `explained` the share (0..1) of the variance that the model takes up.
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        self.x, self.y, self.n = x, y, len(y)
        inner = x - x.mean(0) if self.n else x
        centred = y - y.mean() if self.n else y
        u, s, vt = np.linalg.svd(inner, full_matrices=False)
        kept = s > SMALL * max(1.0, float(s.max(initial=0.0)))
        self.basis = vt[kept]  # orthonormal rows that span what varies in the data
        self.coef = self.basis.T @ ((u[:, kept].T @ centred) / s[kept])
        self.inverse = (self.basis.T / s[kept] ** 2) @ self.basis  # of x'x, within the span
        rest = float(((centred - inner @ self.coef) ** 2).sum())
        whole = float((centred**2).sum())
        self.free = self.n - 1 - len(self.basis)
        self.noise = float(np.sqrt(rest / self.free)) if self.free > 0 else 0.0
        self.explained = 1.0 - rest / whole if whole > 0 else 0.0
        self._known: dict[bytes, Estimate] = {}

    def difference(self, between: Floats) -> Estimate:
        """How much `y` differs between two rows of `x` that differ by `between` (p,).

        `between · coef`, ± t · noise · sqrt(betweenᵀ (XᵀX)⁻¹ between), t the quantile of Student's
        distribution with `free` degrees of freedom.
        """
        key = between.tobytes()
        if key not in self._known:
            self._known[key] = self._difference(between)
        return self._known[key]

    def _difference(self, between: Floats) -> Estimate:
        if not between.any():
            return Estimate(0.0, 0.0, 0.0)
        if self.free < FEWEST_FREE:
            few = f"{self.n} networks are too few for {self.x.shape[1]} effects"
            return Estimate(self._guess(between), why=few)
        outside = between - self.basis.T @ (self.basis @ between)
        if float(np.abs(outside).max()) > 1e-6:
            why = "it only ever changed together with other choices"
            return Estimate(self._guess(between), why=why)
        value = float(between @ self.coef)
        half = self._t * self.noise * float(np.sqrt(between @ self.inverse @ between))
        half = max(half, SMALL * float(np.abs(self.y).max()))  # a perfect fit still has rounding
        return Estimate(value, value - half, value + half)

    @cached_property
    def _t(self) -> float:
        from scipy.special import stdtrit  # type: ignore[import-untyped]  # scipy has no types

        return float(stdtrit(self.free, 0.5 + CONFIDENCE / 2))

    def _guess(self, between: Floats) -> float | None:
        return None if self._ridge is None else float(between @ self._ridge)

    @cached_property
    def _ridge(self) -> Floats | None:
        if self.n < FEWEST_FREE:
            return None
        return np.asarray(fit_ridge(self.x, self.y).coef)
