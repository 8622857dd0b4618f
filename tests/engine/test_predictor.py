"""Predictors: they learn what can be learned, say how wrong they are, and survive JSON."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from engine.front import predictor
from engine.front.encoding import Encoder
from engine.front.predictor import Predictor, fit, fit_ridge, ridge
from tests.problems import macs_latency, toy_space


def rows(count: int, width: int = 6, seed: int = 0):
    return np.random.default_rng(seed).random((count, width))


def test_ridge_finds_a_plane_again():
    x = rows(200)
    y = 0.3 + x @ np.arange(6.0)
    found = ridge(x, y, 1e-9)
    assert found.intercept == pytest.approx(0.3, abs=1e-6)
    assert found.coef == pytest.approx(range(6), abs=1e-6)


def test_a_curve_is_left_to_the_support_vectors_a_plane_to_ridge():
    x = rows(120)
    assert fit(x, np.sin(6 * x[:, 0]) * np.cos(6 * x[:, 1])).kind == "svr"
    assert fit(x, x @ np.arange(6.0)).kind == "ridge"


@pytest.mark.parametrize("way", [fit, fit_ridge])
def test_the_error_is_that_on_networks_it_has_not_seen(way):
    x = rows(100)
    noise = np.random.default_rng(1).normal(0, 0.1, 100)
    found = way(x, x.sum(1) + noise)
    fresh = rows(400, seed=5)
    wrong = np.abs(found(fresh) - fresh.sum(1)).mean()
    # the held-out error holds the noise too: 0.08 for a normal of 0.1
    assert 0.06 < found.error < 0.12
    assert wrong < found.error


@pytest.mark.parametrize("worth", ["plane", "curve"])
def test_a_predictor_survives_json(worth):
    x = rows(60)
    y = x.sum(1) if worth == "plane" else np.sin(9 * x[:, 0])
    found = fit(x, y)
    again = Predictor.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False)))
    assert again == found
    assert np.array_equal(again(x), found(x))


def test_support_vectors_predict_what_scikit_learn_would():
    from sklearn.svm import SVR

    x = rows(80)
    y = np.sin(7 * x[:, 0])
    found = fit(x, y)
    assert found.kind == "svr"
    best = min(
        (
            SVR(C=c, gamma=found.gamma, epsilon=0.05).fit(x, (y - y.mean()) / y.std())
            for c in (1.0, 10.0, 100.0)
        ),
        key=lambda m: np.abs(m.predict(x) * y.std() + y.mean() - found(x)).max(),
    )
    assert best.predict(x) * y.std() + y.mean() == pytest.approx(found(x), abs=1e-9)


def test_features_and_back_is_the_identity():
    """OFA's verify list: architecture to features to architecture."""
    space = toy_space()
    encoder = Encoder(space, macs_latency(space))
    rng = random.Random(0)
    archs = [space.sample(rng) for _ in range(50)]
    at = encoder.at(archs)
    assert [encoder.arch(row) for row in at] == archs
    hot = encoder.features(at)[:, : len(encoder.columns)]
    for arch, row in zip(archs, hot, strict=True):
        named = [encoder.columns[k] for k in np.flatnonzero(row)]
        assert named == list(enumerate(arch.ops))


def test_sums_are_those_of_the_networks():
    from engine.cost import network_cost

    space = toy_space()
    latency = macs_latency(space)
    encoder = Encoder(space, latency)
    rng = random.Random(1)
    archs = [space.sample(rng) for _ in range(30)]
    at = encoder.at(archs)
    costs = [network_cost(space, arch) for arch in archs]
    assert encoder.total("params", at).tolist() == [c.params for c in costs]
    assert encoder.total("macs", at).tolist() == [c.macs for c in costs]
    assert encoder.total("latency_ms", at) == pytest.approx([latency.predict(a) for a in archs])
    features = encoder.features(at)
    assert features.min() >= 0
    assert features.max() <= 1


def test_networks_that_are_all_as_good_are_predicted_to_be_so():
    rng = np.random.default_rng(5)
    features, values = rng.random((12, 6)), np.full(12, 1.0)
    alike = predictor._svr(features, values, 1.0, 1.0)
    assert alike.support == ()
    for found in (alike, Predictor.from_json(alike.to_json()), fit(features, values)):
        assert np.allclose(found(rng.random((5, 6))), 1.0)
