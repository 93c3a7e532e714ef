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
import pyarrow.compute as pc
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from musicu.catalog.crediting import credited, is_joined
from musicu.joining.name_forms import NameForms

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BARE_MOST = 0.9  # of titles that are alike but for a subtitle
_HIDDEN = 0.9  # of all words of titles of which only one seems to name a version
_CUT_FROM, _CUT_ALIKE = 18, 0.9  # letters of a name that may have been cut, and what that counts
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
    title = _titles(ours, theirs)
    artist = _artists(ours.artist, theirs.artist)
    title, same = _versions(ours, theirs, title)
    return Agreement(title, artist, same)


def _titles(ours: NameForms, theirs: NameForms) -> Floats:
    """The alikeness of titles, also without a subtitle in brackets where one of them has none."""
    whole = alike(ours.title, theirs.title)
    plain, plain_too = (np.asarray(pc.equal(forms.title, forms.bare)) for forms in (ours, theirs))
    bare = np.minimum(alike(ours.bare, theirs.bare), np.float32(_BARE_MOST))
    return np.where(plain != plain_too, np.fmax(whole, bare), whole)


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
        cut = [_CUT_ALIKE if _is_cut(x, y) else 0.0 for x, y in zip(left, right, strict=True)]
        found[low] = np.maximum(
            found[low], np.maximum(sorted_words / 100, np.array(cut, np.float32))
        )
    return found


def _is_cut(a: str, b: str) -> bool:
    """Whether one of two names is the beginning of the other, as programs cut it."""
    short, long = sorted((a, b), key=len)
    return _CUT_FROM <= len(short) < len(long) and OSA.distance(short, long[: len(short)]) <= 1


def _versions(ours: NameForms, theirs: NameForms, title: Floats) -> tuple[Floats, Mask]:
    """How alike titles are, and whether they name no version or one that is spelled alike, and the
    same numbers. Where one of them seems to name none, a slip may hide it: all words must agree.
    """
    title = title.copy()
    left, right = ours.version.to_pylist(), theirs.version.to_pylist()
    said, said_too = _known(left), _known(right)
    same = ~(said ^ said_too)
    for at in np.flatnonzero(said & said_too).tolist():
        same[at] = _same_version(left[at], right[at])
    hidden = np.flatnonzero(said ^ said_too)
    if len(hidden):
        words = [_all_words(forms, pa.array(hidden)) for forms in (ours, theirs)]
        whole = alike(*words)
        title[hidden] = np.where(whole >= _HIDDEN, whole, title[hidden])
        same[hidden] = whole >= _HIDDEN
    close = np.flatnonzero((title > 0.5) & (title < 1) & same)
    rows = pa.array(close)
    said_numbers = zip(
        *(forms.title.take(rows).to_pylist() for forms in (ours, theirs)), strict=True
    )
    for at, (one, other) in zip(close.tolist(), said_numbers, strict=True):
        same[at] = _numbers(one) == _numbers(other)
    return title, same


def _all_words(forms: NameForms, rows: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(forms.title.take(rows), forms.version.take(rows), " ")


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
