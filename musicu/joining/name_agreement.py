"""How well the names of records and tracks agree, for many pairs at once (RapidFuzz).

Alikeness is one minus the edits over the longer length (optimal string alignment: a swap of two
neighbours is one edit).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from musicu.catalog.crediting import credited, is_joined
from musicu.joining.name_forms import NameForms

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_PART_FLOOR = 0.75  # below, the parts of joined credits are compared as well
_NUMBER = re.compile(r"\d+")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_COUNTED = re.compile(r"\b(?:i{1,3}|iv|vi{0,3}|ix)\b")


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Of pairs: how alike titles and artists are, 0 to 1, NaN where one is not known; whether the
    versions and numbers that they name agree. Arrays [pairs].
    """

    title: Floats
    artist: Floats
    same_version: Mask


def agreement(ours: NameForms, theirs: NameForms) -> Agreement:
    """Compare names pair by pair."""
    title = np.maximum(alike(ours.title, theirs.title), alike(ours.bare, theirs.bare))
    artist = _artists(ours.artist, theirs.artist)
    version = _versions(ours, theirs, title)
    return Agreement(title, artist, version)


def alike(a: pa.Array, b: pa.Array) -> Floats:
    """The alikeness of texts pair by pair, float32 [pairs]; NaN where one is ""."""
    left, right = a.to_pylist(), b.to_pylist()
    found: Floats = process.cpdist(left, right, scorer=OSA.normalized_similarity, dtype=np.float32)
    return np.where(_known(left) & _known(right), found, np.float32(np.nan))


def _known(texts: Sequence[str | None]) -> Mask:
    return np.fromiter(map(bool, texts), bool, len(texts))


def _artists(a: pa.Array, b: pa.Array) -> Floats:
    """The alikeness of credits, whole, by their words in any order, or part by part."""
    found = alike(a, b)
    low = np.flatnonzero(found < _PART_FLOOR)
    if len(low):
        left, right = (texts.take(pa.array(low)).to_pylist() for texts in (a, b))
        sorted_words = process.cpdist(left, right, scorer=fuzz.token_sort_ratio, dtype=np.float32)
        found[low] = np.maximum(found[low], sorted_words / 100)
    return found


def _versions(ours: NameForms, theirs: NameForms, title: Floats) -> Mask:
    """Whether both name no version or one that is spelled alike, and the same numbers."""
    left, right = ours.version.to_pylist(), theirs.version.to_pylist()
    said, said_too = _known(left), _known(right)
    same = ~(said ^ said_too)
    both = np.flatnonzero(said & said_too)
    for at in both.tolist():
        same[at] = _same_version(left[at], right[at])
    close = np.flatnonzero((title > 0.5) & (title < 1) & same)
    picked = pa.array(close)
    pairs = zip(ours.title.take(picked).to_pylist(), theirs.title.take(picked).to_pylist(), strict=True)
    bare = zip(ours.bare.take(picked).to_pylist(), theirs.bare.take(picked).to_pylist(), strict=True)
    for at, whole, short in zip(close.tolist(), pairs, bare, strict=True):
        same[at] = _numbers(whole[0]) == _numbers(whole[1]) or (short[0] == short[1] and short != whole)
    return same


@lru_cache(1 << 15)
def _same_version(a: str, b: str) -> bool:
    return fuzz.token_sort_ratio(a, b) >= 80 and _numbers(a) == _numbers(b)


@lru_cache(1 << 15)
def _numbers(title: str) -> tuple[str, ...]:
    """The numbers in a title, Roman ones too: "Part II" is "Part 2"."""
    roman = _COUNTED.sub(lambda found: _ROMAN.get(found[0], found[0]), title)
    return tuple(number.lstrip("0") for number in _NUMBER.findall(roman))


@lru_cache(1 << 15)
def credit_parts(credit: str | None) -> tuple[str, ...]:
    """All whom a credit names, each once, where they are several."""
    if not credit or not is_joined(credit):
        return ()
    parts = credited(credit, lambda part, whole: True)
    return tuple(parts) if len(parts) > 1 else ()
