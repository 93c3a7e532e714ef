"""Damaged input is answered or refused in words: see `fuzzing.py`, which runs it at any length."""

from __future__ import annotations

import random

import pytest
from fuzzing import READERS, damaged, run_cases
from hypothesis import given, settings
from hypothesis import strategies as st

#: Cases of each reader in the quick set, and before a release.
QUICK = {"audio": 25, "tags": 60, "tables": 60, "catalogs": 25, "models": 10}
QUICK |= {"histories": 60, "listens": 60}
MANY = {"audio": 3000, "tags": 4000, "tables": 4000, "catalogs": 2000, "models": 500}
MANY |= {"histories": 6000, "listens": 4000}


@given(whole=st.binary(max_size=600), other=st.binary(max_size=60), seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_damage_is_the_same_again_and_never_fails(whole: bytes, other: bytes, seed: int) -> None:
    once = damaged(whole, other, random.Random(seed))
    assert once == damaged(whole, other, random.Random(seed))


@pytest.mark.parametrize("reader", READERS)
def test_damaged_input_is_answered_or_refused_in_words(reader: str) -> None:
    assert run_cases(reader, 0, QUICK[reader]) == []


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_much_damaged_input_is_answered_or_refused_in_words(reader: str) -> None:
    assert run_cases(reader, QUICK[reader], MANY[reader]) == []
