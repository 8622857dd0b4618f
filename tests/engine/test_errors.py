"""What a user reads when something is wrong."""

from __future__ import annotations

import pytest

from engine import errors
from engine.errors import StudioError, UnknownLayer

ALL = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, StudioError)
]


def test_the_text_is_the_message_then_the_hint():
    assert str(StudioError("stage 1: no.", "Do this.")) == "stage 1: no. Do this."


def test_without_a_hint_the_text_is_the_message():
    assert str(StudioError("stage 1: no.")) == "stage 1: no."


@pytest.mark.parametrize("kind", ALL)
def test_every_kind_reads_the_same_and_is_caught_as_a_users_mistake(kind: type[StudioError]):
    with pytest.raises(StudioError) as caught:
        raise kind("where: what.", "Way out.")
    assert str(caught.value) == "where: what. Way out."


def test_a_missing_layer_is_also_a_missing_key():
    with pytest.raises(KeyError):
        raise UnknownLayer("latency table: no row for x.")
