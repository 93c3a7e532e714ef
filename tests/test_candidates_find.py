"""What candidates never are, and that every cap and quota holds, for any listeners and limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from candidates_samples import NOW, made_listeners, made_stock
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.candidates import (
    CANDIDATES,
    ArtistAdjacent,
    DeepCatalog,
    Limits,
    Listener,
    MoreLike,
    NewReleases,
    Popular,
    Random,
    Stock,
    TasteProfile,
    find_candidates,
)
from musicu.candidates.request import allotted
from musicu.catalog.identity import album_keys, artist_keys
from musicu.errors import QueryError
from musicu.items.constraints import allowed_rows, emerging_rows
from musicu.records import Vectors

STOCK = made_stock()
TRACKS = {row["track_id"]: row for row in STOCK.tracks.to_pylist()}
LISTENERS = made_listeners(STOCK, users=6)
MIX = [(NewReleases(), 0.5), (DeepCatalog(), 0.3), (ArtistAdjacent(), 0.2)]


def found(listeners: list[Listener], sources: Any, **options: Any) -> pa.Table:
    stock = options.pop("stock", STOCK)
    return find_candidates(stock, dict(listeners), sources, now=NOW, **options)


def by_user(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        rows.setdefault(row["user_id"], []).append(row)
    return rows


limits = st.builds(
    Limits,
    where=st.sampled_from([None, "popularity <= 0.5", "title contains 1"]),
    market=st.sampled_from([None, "DE"]),
    explicit=st.booleans(),
    blocked_artists=st.sets(st.sampled_from(["artist 1", "ARTIST 2", "Artist 3"])).map(frozenset),
    blocked_tracks=st.sets(st.sampled_from(["t000", "t001", "t003"])).map(frozenset),
    max_per_artist=st.integers(1, 3),
    max_per_album=st.integers(1, 3),
    explore=st.sampled_from([0.0, 0.3, 1.0]),
)


@settings(max_examples=60, deadline=None)
@given(limits, st.integers(0, 1000), st.integers(1, 30), st.sampled_from([MIX, [Random()]]))
def test_limits_hold_whatever_is_asked(limits: Limits, seed: int, k: int, sources: Any) -> None:
    listeners = made_listeners(STOCK, users=3, seed=seed)
    table = found(listeners, sources, k=k, limits=limits, seed=seed)
    assert table.schema == CANDIDATES
    allowed = set(STOCK.ids[allowed_rows(STOCK, limits)])
    blocked = {name.casefold() for name in limits.blocked_artists}
    for user, rows in by_user(table).items():
        taste = dict(listeners)[user]
        ids = [row["track_id"] for row in rows]
        assert len(ids) == len(set(ids)) <= k
        assert not set(ids) & (taste.heard | limits.blocked_tracks)
        assert set(ids) <= allowed
        artists = Counter(name for i in ids for name in artist_keys(TRACKS[i]))
        albums = Counter(key for i in ids for key in album_keys(TRACKS[i]))
        assert max(artists.values(), default=0) <= limits.max_per_artist
        assert max(albums.values(), default=0) <= limits.max_per_album
        assert not artists.keys() & blocked
        for i in ids:
            assert limits.market is None or limits.market in TRACKS[i]["markets"]
            assert limits.explicit or not TRACKS[i]["explicit"]


def reference(taste: TasteProfile, k: int, per_artist: int, per_album: int) -> list[str]:
    """New releases as a loop over full rankings finds them."""
    fresh = [n for n in range(len(STOCK)) if n % 3 == 0]
    wide = STOCK.values.astype(np.float64)
    shares = np.array([i.importance for i in taste.interests])
    quotas = allotted(shares, np.zeros(len(shares), np.int64), k).tolist()
    taken: list[int] = []
    for limit in (quotas, [k] * len(quotas)):
        for interest, quota in zip(taste.interests, limit, strict=True):
            scores = (wide * interest.vector.astype(np.float64)).sum(axis=1).astype(np.float32)
            got = 0
            for row in sorted(fresh, key=lambda r: (-scores[r], r)):
                if got == quota or len(taken) == k:
                    break
                names = [artist_keys(TRACKS[STOCK.ids[t]]) for t in taken]
                albums = [album_keys(TRACKS[STOCK.ids[t]]) for t in taken]
                track = TRACKS[STOCK.ids[row]]
                free = all(
                    sum(name in others for others in names) < per_artist
                    for name in artist_keys(track)
                )
                free &= sum(bool(a & album_keys(track)) for a in albums) < per_album
                if free and row not in taken and STOCK.ids[row] not in taste.heard:
                    taken.append(row)
                    got += 1
    return sorted(STOCK.ids[taken])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 45), st.integers(1, 3), st.integers(1, 2))
def test_new_releases_are_those_of_the_brute_force(
    seed: int, k: int, per_artist: int, per_album: int
) -> None:
    listeners = made_listeners(STOCK, users=4, seed=seed)
    limits = Limits(max_per_artist=per_artist, max_per_album=per_album)
    rows = by_user(found(listeners, [NewReleases()], k=k, limits=limits))
    for listener in listeners:
        ours = sorted(row["track_id"] for row in rows.get(listener.user_id, []))
        assert ours == reference(listener.taste, k, per_artist, per_album)


def test_a_batch_gives_what_each_listener_gets_alone() -> None:
    together = by_user(found(LISTENERS, MIX, k=20, limits=Limits(explore=0.2)))
    for listener in LISTENERS:
        alone = found([listener], MIX, k=20, limits=Limits(explore=0.2))
        assert alone.to_pylist() == together[listener.user_id]


def test_the_same_question_has_the_same_answer_and_another_seed_explores_otherwise() -> None:
    def asked(seed: int) -> pa.Table:
        return found(LISTENERS, [Random()], k=10, seed=seed)

    assert asked(1).equals(asked(1))
    assert not asked(1).equals(asked(2))


def test_rows_come_by_listener_source_and_falling_score() -> None:
    table = found(LISTENERS, MIX, k=20)
    names = [source.name for source, _ in MIX]
    keys = [
        (row["user_id"], names.index(row["source"]), -row["score"], row["track_id"])
        for row in table.to_pylist()
    ]
    assert keys == sorted(keys)


def test_a_score_is_the_true_cosine_whatever_lists_it_was_picked_from() -> None:
    row_of = {name: row for row, name in enumerate(STOCK.ids)}
    sources = [NewReleases(), (DeepCatalog(), 0.5)]
    rows = by_user(found(LISTENERS, sources, k=20, limits=Limits(explore=0.3)))
    for listener in LISTENERS:
        for row in rows[listener.user_id]:
            query = listener.taste.interests[row["interest"]].vector.astype(np.float64)
            query = query / np.sqrt((query * query).sum())
            value = STOCK.values[row_of[row["track_id"]]].astype(np.float64)
            assert row["score"] == np.float32(np.einsum("ij,ij->i", value[None], query[None])[0])


def test_each_interest_gets_its_quota_where_there_is_enough() -> None:
    limits = Limits(max_per_artist=99, max_per_album=99)
    for rows, listener in zip(
        by_user(found(LISTENERS, [NewReleases()], k=9, limits=limits)).values(),
        LISTENERS,
        strict=True,
    ):
        shares = np.array([i.importance for i in listener.taste.interests])
        quotas = allotted(shares, np.zeros(len(shares), np.int64), 9)
        counts = Counter(row["interest"] for row in rows)
        assert [counts[n] for n in range(len(shares))] == quotas.tolist()


def test_sources_get_their_shares() -> None:
    counts = Counter(row["source"] for row in found(LISTENERS[:1], MIX, k=20).to_pylist())
    assert counts == {"new-releases": 10, "deep-catalog": 6, "artist-adjacent": 4}


def test_what_one_source_cannot_give_another_does() -> None:
    rows = found(LISTENERS[:1], [NewReleases(1), Random()], k=20).to_pylist()
    counts = Counter(row["source"] for row in rows)
    assert counts["new-releases"] < 10
    assert sum(counts.values()) == 20


def test_exploring_takes_its_share_from_artists_without_exposure() -> None:
    plays = np.where(np.arange(len(STOCK)) % 25 < 12, 50, 0)
    stock = made_stock()
    stock.plays = plays
    limits = Limits(explore=0.5, exposure_below=10, max_per_artist=9, max_per_album=9)
    rows = found(LISTENERS[:1], [NewReleases()], k=10, limits=limits, stock=stock).to_pylist()
    emerging = set(stock.ids[emerging_rows(stock, 10)])
    told = [row for row in rows if "fewer than 10 listens here" in row["reason"]]
    assert len(told) == 5
    assert {row["track_id"] for row in told} <= emerging


def test_a_copy_of_a_heard_recording_is_heard() -> None:
    rows = STOCK.tracks.to_pylist()
    heard = sorted(LISTENERS[0].taste.heard)[0]
    twin = next(r for r in rows if r["track_id"] not in LISTENERS[0].taste.heard)
    hashes = [TRACKS[heard]["content_hash"] if r is twin else r["content_hash"] for r in rows]
    at = STOCK.tracks.schema.get_field_index("content_hash")
    tracks = STOCK.tracks.set_column(at, "content_hash", pa.array(hashes))
    stock = Stock(tracks, Vectors(STOCK.ids, STOCK.values))
    free = Limits(max_per_artist=99, max_per_album=99)
    ids = found(LISTENERS[:1], [Random()], k=200, stock=stock, limits=free)["track_id"].to_pylist()
    assert len(ids) == len(STOCK) - len(LISTENERS[0].taste.heard) - 1
    assert twin["track_id"] not in ids


def test_heard_may_be_let_through_but_never_what_was_skipped() -> None:
    free = Limits(heard=True, max_per_artist=99, max_per_album=99)
    for listener in LISTENERS:
        ids = set(found([listener], [Random()], k=200, limits=free)["track_id"].to_pylist())
        assert ids == set(STOCK.ids) - set(listener.taste.negatives)


def test_somebody_without_taste_gets_what_needs_none() -> None:
    nobody = Listener("nobody", TasteProfile.empty(NOW))
    assert found([nobody], [NewReleases()]).num_rows == 0
    rows = found([nobody], [NewReleases(), Popular()], k=10).to_pylist()
    assert {row["source"] for row in rows} == {"popular"}
    assert len(rows) == 10


def test_no_listeners_give_an_empty_table() -> None:
    assert found([], MIX).equals(CANDIDATES.empty_table())


def test_a_filter_that_nothing_passes_gives_nothing() -> None:
    assert found(LISTENERS, MIX, limits=Limits(where="title = nothing")).num_rows == 0


def test_reasons_are_true() -> None:
    listeners = LISTENERS[:3]
    sources = [NewReleases(), ArtistAdjacent(), Popular(), MoreLike("t005")]
    for row in found(listeners, sources, k=40).to_pylist():
        taste, track = dict(listeners)[row["user_id"]], TRACKS[row["track_id"]]
        plays = dict(zip(taste.history.ids, taste.history.plays, strict=True))
        played = {n for i, count in plays.items() if count for n in artist_keys(TRACKS[i])}
        assert ("whom you played" in row["reason"]) == bool(played & artist_keys(track))
        if row["source"] == "new-releases":
            medoid = taste.interests[row["interest"]].medoid
            near = f"{'near' if row['score'] >= STOCK.near else 'towards'} "
            assert near + f"{', '.join(TRACKS[medoid]['artists'])} – " in row["reason"]
            assert (NOW.date() - track["released"]).days < 28
        if row["source"] == "artist-adjacent":
            assert not artist_keys(track) & {n for i in plays for n in artist_keys(TRACKS[i])}
        if row["source"] == "more-like":
            assert row["reason"].startswith("Like Artist 5 – Title 5")


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        ([], {}, "there is no source"),
        ([(Popular(), 0.0)], {}, "share of popular is 0"),
        ([(Popular(), float("nan"))], {}, "share of popular is nan"),
        ([Popular()], {"k": 0}, "k is 0"),
        ([MoreLike("nope")], {}, "the seed 'nope' has no vector"),
    ],
)
def test_what_makes_no_sense_is_refused(sources: Any, options: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        found(LISTENERS, sources, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_per_artist": 0}, "max_per_artist is 0"),
        ({"explore": 1.5}, "explore is 1.5"),
        ({"blocked_artists": "Artist"}, "give a list"),
    ],
)
def test_limits_that_make_no_sense_are_refused(options: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        replace(Limits(), **options)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.integers(0, 50))
def test_quotas_sum_to_what_is_wanted_and_miss_their_share_by_less_than_one(
    shares: list[float], want: int
) -> None:
    quotas = allotted(np.array(shares), np.zeros(len(shares), np.int64), want)
    assert quotas.sum() == want
    assert np.all(np.abs(quotas - want * np.array(shares) / sum(shares)) < 1 + 1e-6)
