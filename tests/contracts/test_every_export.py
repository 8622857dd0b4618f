"""Networks sampled over every block family: their files load and agree with torch."""

from __future__ import annotations

import random

import pytest

from engine.blocks import SEARCHED
from tests.parity import TOLERANCE, any_space, difference

NETWORKS = 50  # `make bench` goes through 1,000


@pytest.mark.parametrize("number", range(NETWORKS))
def test_a_sampled_network_exports_and_agrees_with_torch(number: int):
    rng = random.Random(number)
    space = any_space(rng, SEARCHED[number % len(SEARCHED)])
    arch = space.sample(rng)
    assert difference(space, arch, number) <= TOLERANCE, (str(arch), space.to_json())
