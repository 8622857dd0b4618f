"""Whatever a composer may emit, and any mutation of it, builds or is refused in one sentence."""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

import pytest

from engine import presets
from engine.blocks import BLOCKS, SEARCHED
from engine.errors import SpaceError
from engine.space import SearchSpace
from studio import draft

DOCUMENTS = 10_000
CARD = re.compile(r"(space|input|classes|stem|stages?( \d+)?|head)\b")
ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        "",
        "x",
        "k3e3",
        "同",
        "\ud800",
        "<b>",
        -1,
        0,
        1,
        2,
        3,
        7,
        2.5,
        1e308,
        10**30,
    ),
    *(
        float("nan"),
        float("inf"),
        [],
        [3],
        [3, "a"],
        [[1]],
        {},
        {"block": "mbconv"},
        "mbconv",
        "same",
    ),
)


def whole_documents(rng: random.Random) -> dict[str, Any]:
    """What the composer holds for a preset, with a few legal edits."""
    name = rng.choice(presets.names())
    document = draft.whole(presets.document(name)["space"])
    for _ in range(rng.randrange(4)):
        stage = rng.choice(document["stages"])
        family = rng.choice(SEARCHED)
        fields = {
            f.name: rng.sample(f.values, rng.randint(0, len(f.values)))
            for f in BLOCKS[family].fields
        }
        stage["blocks"].append({"block": family, **fields})
        stage["width"] = rng.choice([8, 20, 24, 64])
        stage["layers"] = rng.choice(["own", "same"])
    return document


def mutated(value: Any, rng: random.Random) -> Any:
    """`value` with one thing somewhere in it replaced, left out, doubled or shuffled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        if rng.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: mutated(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        i = rng.randrange(len(value))
        if rng.random() < 0.2:
            return rng.sample(value, len(value)) + value[: rng.randrange(2)]
        return [*value[:i], mutated(value[i], rng), *value[i + 1 :]]
    return copy.deepcopy(rng.choice(ODD))


def judged(document: Any) -> str:
    """The sentence that refuses a document, or "" if it builds; anything else is a fault."""
    try:
        space = SearchSpace.from_json(document)
    except SpaceError as error:
        return str(error)
    assert SearchSpace.from_json(json.loads(json.dumps(space.to_json()))) == space
    return ""


@pytest.mark.parametrize("part", range(10))
def test_every_document_builds_or_is_refused_in_one_sentence_that_names_the_card(part: int):
    rng = random.Random(part)
    built = refused = 0
    for _ in range(DOCUMENTS // 10):
        document = whole_documents(rng)
        for _ in range(rng.randrange(3)):
            document = mutated(document, rng)
        sentence = judged(document)
        if sentence:
            assert CARD.match(sentence), sentence
            assert "\n" not in sentence
            assert len(sentence) < 400, sentence
        built, refused = built + (not sentence), refused + bool(sentence)
    assert min(built, refused) > DOCUMENTS // 100  # both really happen
