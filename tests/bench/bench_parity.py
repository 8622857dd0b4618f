"""1,000 networks sampled over every block family: exported, loaded, compared with torch.

    python -m tests.bench.bench_parity

Prints the largest difference per family; the last line is one JSON document.
"""

from __future__ import annotations

import json
import random
import sys
from collections import defaultdict

from engine.blocks import SEARCHED
from tests.parity import TOLERANCE, any_space, difference

NETWORKS = 1000


def main() -> int:
    """Exit status 1 if any network differs by more than the tolerance."""
    worst: dict[str, list[float]] = defaultdict(list)
    for number in range(NETWORKS):
        rng = random.Random(10_000 + number)
        family = SEARCHED[number % len(SEARCHED)]
        space = any_space(rng, family)
        worst[family].append(difference(space, space.sample(rng), number))
    for family, found in worst.items():
        print(f"{family:16} {len(found):4} networks   largest difference {max(found):.1e}")
    largest = max(map(max, worst.values()))
    print(json.dumps({"networks": NETWORKS, "largest": largest, "tolerance": TOLERANCE}))
    return int(largest > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
