"""Picking for many listeners at once is the plain loop through the lists of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.candidates.request import Ranked
from musicu.candidates.selection import Entries, Selected, select
from musicu.items.joins import items_over_cap

ROWS = 14
ALBUMS = np.arange(ROWS) // 3
ARTISTS = np.stack([np.arange(ROWS) // 5, np.where(np.arange(ROWS) % 4 == 0, 5, -1)], axis=1)


def plain(
    lists: Ranked, entries: Entries, listeners: int, k: int, per_artist: int, per_album: int
) -> Selected:
    """The rule as `select` states it, an entry at a time."""
    kinds = [entries.works[:, None], entries.albums[:, None], entries.artists]
    mosts = [1, per_album, per_artist]
    taken: list[int] = []
    short = np.zeros(listeners, bool)
    for listener in range(listeners):
        own: list[int] = []
        for quotas in (lists.quota, np.full(len(lists.quota), k)):
            for number in np.flatnonzero(lists.listener == listener):
                left = quotas[number]
                for entry in range(lists.start[number], lists.start[number + 1]):
                    if left == 0 or len(own) == k:
                        break
                    full = any(
                        kind >= 0 and sum(kind in numbers[other] for other in own) >= most
                        for numbers, most in zip(kinds, mosts, strict=True)
                        for kind in numbers[entry]
                    )
                    if entry not in own and not full:
                        own.append(entry)
                        left -= 1
                ended = left > 0 and len(own) < k
                short[listener] |= bool(ended and not lists.exhausted[number])
        taken += sorted(own)
    return Selected(np.array(taken, np.int64), short)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.lists(st.integers(0, ROWS - 1), unique=True), st.booleans()), max_size=3
        ),
        max_size=4,
    ),
    st.integers(0, 99),
    st.integers(1, 9),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_what_is_picked_is_what_the_plain_loop_picks(
    asked: list[list[tuple[list[int], bool]]], seed: int, k: int, per_artist: int, per_album: int
) -> None:
    rng = np.random.default_rng(seed)
    made = [(n, *rows) for n, own in enumerate(asked) for rows in own]
    quotas = rng.integers(0, k + 1, len(made))
    rows = np.array([row for _, found, _ in made for row in found], np.int64)
    lists = Ranked(
        np.array([listener for listener, _, _ in made], np.int64),
        np.zeros(len(made), np.int32),
        quotas,
        np.array([exhausted for _, _, exhausted in made], bool),
        np.cumsum([0, *(len(found) for _, found, _ in made)]),
        rows,
        np.zeros(len(rows), np.float32),
    )
    entries = Entries(rows, ALBUMS[rows], ARTISTS[rows])
    ours = select(lists, entries, len(asked), k, per_artist, per_album)
    theirs = plain(lists, entries, len(asked), k, per_artist, per_album)
    assert ours.entries.tolist() == theirs.entries.tolist()
    assert ours.short.tolist() == theirs.short.tolist()


@given(st.lists(st.integers(-1, 12), max_size=60), st.integers(1, 4))
def test_a_crowd_is_what_stands_there_too_often(values: list[int], most: int) -> None:
    keys = np.array(values, np.int64).reshape(-1, 1) << 33
    numbers = items_over_cap(keys, most).ravel()
    crowded = sorted({v for v in values if v >= 0 and values.count(v) > most})
    assert numbers.tolist() == [crowded.index(v) + 1 if v in crowded else 0 for v in values]
