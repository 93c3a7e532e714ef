"""What candidates never are, and that every cap and share holds, whoever asks for what."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from candidates_samples import NOW, made_items, made_listeners
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.candidates import (
    CANDIDATES,
    ArtistAdjacent,
    CandidateGenerator,
    Constraints,
    DeepCatalog,
    ForYou,
    ItemTable,
    MoreLike,
    NewReleases,
    Popular,
    Random,
    TasteProfile,
    UserProfile,
    find_candidates,
)
from musicu.candidates.request import allotted
from musicu.candidates.sources.taste_lists import same_for_all
from musicu.catalog.identity import album_keys, artist_keys
from musicu.errors import QueryError
from musicu.items.constraints import allowed_rows
from musicu.items.creator_groups import emerging_rows
from musicu.ranking.set_fit import score_set
from musicu.records import Vectors

ITEMS = made_items()
TRACKS = {row["track_id"]: row for row in ITEMS.tracks.to_pylist()}
LISTENERS = made_listeners(ITEMS, users=6)
MIX = [(NewReleases(), 0.5), (DeepCatalog(), 0.3), (ArtistAdjacent(), 0.2)]


def found(listeners: list[UserProfile], sources: Any, **options: Any) -> pa.Table:
    items = options.pop("items", ITEMS)
    return find_candidates(items, dict(listeners), sources, now=NOW, **options)


def by_user(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        rows.setdefault(row["user_id"], []).append(row)
    return rows


constraints = st.builds(
    Constraints,
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
@given(constraints, st.integers(0, 1000), st.integers(1, 30), st.sampled_from([MIX, [Random()]]))
def test_constraints_hold_whatever_is_asked(
    constraints: Constraints, seed: int, k: int, sources: Any
) -> None:
    listeners = made_listeners(ITEMS, users=3, seed=seed)
    table = found(listeners, sources, k=k, constraints=constraints, seed=seed)
    assert table.schema == CANDIDATES
    allowed = set(ITEMS.ids[allowed_rows(ITEMS, constraints)])
    blocked = {name.casefold() for name in constraints.blocked_artists}
    for user, rows in by_user(table).items():
        taste = dict(listeners)[user]
        ids = [row["track_id"] for row in rows]
        assert len(ids) == len(set(ids)) <= k
        assert not set(ids) & (taste.heard | constraints.blocked_tracks)
        assert set(ids) <= allowed
        artists = Counter(name for i in ids for name in artist_keys(TRACKS[i]))
        albums = Counter(key for i in ids for key in album_keys(TRACKS[i]))
        assert max(artists.values(), default=0) <= constraints.max_per_artist
        assert max(albums.values(), default=0) <= constraints.max_per_album
        assert not artists.keys() & blocked
        for i in ids:
            assert constraints.market is None or constraints.market in TRACKS[i]["markets"]
            assert constraints.explicit or not TRACKS[i]["explicit"]


def reference(taste: TasteProfile, k: int, per_artist: int, per_album: int) -> list[str]:
    """New releases as a loop over one full ranking by `score_set` finds them."""
    fresh = [n for n in range(len(ITEMS)) if n % 3 == 0]
    history = taste.history
    liked = [int(i[1:]) for i, w in zip(history.ids, history.weights, strict=True) if w > 0]
    kept = history.weights[history.weights > 0]
    weights = np.log1p(kept / kept.mean()).astype(np.float32)
    named = [artist_keys(TRACKS[ITEMS.ids[row]]) for row in liked]
    share = [
        sum(bool({name} & names) for names in named for name in artist_keys(TRACKS[ITEMS.ids[row]]))
        for row in fresh
    ]
    scores = score_set(
        ITEMS.values[liked],
        ITEMS.values[fresh],
        weights=weights,
        artist_share=np.minimum(np.array(share, np.float32) / len(liked), 1),
    )
    taken: list[int] = []
    for place in np.argsort(-scores, kind="stable"):
        row = fresh[place]
        names = [artist_keys(TRACKS[ITEMS.ids[t]]) for t in taken]
        albums = [album_keys(TRACKS[ITEMS.ids[t]]) for t in taken]
        track = TRACKS[ITEMS.ids[row]]
        free = all(
            sum(name in others for others in names) < per_artist for name in artist_keys(track)
        )
        free &= sum(bool(a & album_keys(track)) for a in albums) < per_album
        if free and ITEMS.ids[row] not in taste.heard and len(taken) < k:
            taken.append(row)
    return sorted(ITEMS.ids[taken])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 45), st.integers(1, 3), st.integers(1, 2))
def test_new_releases_are_those_of_a_full_ranking_by_the_fit_with_a_taste(
    seed: int, k: int, per_artist: int, per_album: int
) -> None:
    listeners = made_listeners(ITEMS, users=4, seed=seed)
    constraints = Constraints(max_per_artist=per_artist, max_per_album=per_album)
    rows = by_user(found(listeners, [NewReleases()], k=k, constraints=constraints))
    for listener in listeners:
        ours = sorted(row["track_id"] for row in rows.get(listener.user_id, []))
        assert ours == reference(listener.taste, k, per_artist, per_album)


def test_ids_have_the_same_rows_whether_they_are_indexed_or_not() -> None:
    items = made_items()
    asked = ["t119", "nothing", "t000", "t050", "", "t000"]
    before = items.rows_of(asked).tolist()
    items.index_ids()
    assert before == items.rows_of(asked).tolist() == [119, -1, 0, 50, -1, 0]


def test_each_source_finds_what_it_finds_alone() -> None:
    sources = [ForYou(), NewReleases(), DeepCatalog(50.0, None), Popular()]
    counts = [30, 5, 12, 9]
    generator = CandidateGenerator.of(ITEMS, sources, 1, now=NOW)
    for listener in LISTENERS:
        tables = generator.find_each(listener, counts)
        for source, k, table in zip(sources, counts, tables, strict=True):
            assert table.equals(found([listener], [source], k=k))
    with pytest.raises(QueryError, match="2 counts for 4 sources"):
        generator.find_each(LISTENERS[0], [1, 2])


def test_a_batch_gives_what_each_listener_gets_alone() -> None:
    together = by_user(found(LISTENERS, MIX, k=20, constraints=Constraints(explore=0.2)))
    for listener in LISTENERS:
        alone = found([listener], MIX, k=20, constraints=Constraints(explore=0.2))
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


def test_sources_get_their_shares() -> None:
    counts = Counter(row["source"] for row in found(LISTENERS[:1], MIX, k=20).to_pylist())
    assert counts == {"new-releases": 10, "deep-catalog": 6, "artist-adjacent": 4}


def test_what_one_source_cannot_give_another_does() -> None:
    rows = found(LISTENERS[:1], [NewReleases(1), Random()], k=20).to_pylist()
    counts = Counter(row["source"] for row in rows)
    assert counts["new-releases"] < 10
    assert sum(counts.values()) == 20


def test_exploring_takes_its_share_from_artists_without_exposure() -> None:
    plays = np.where(np.arange(len(ITEMS)) % 25 < 12, 50, 0)
    items = made_items()
    items.plays = plays
    constraints = Constraints(explore=0.5, exposure_below=10, max_per_artist=9, max_per_album=9)
    rows = found(
        LISTENERS[:1], [NewReleases()], k=10, constraints=constraints, items=items
    ).to_pylist()
    emerging = set(items.ids[emerging_rows(items, 10)])
    told = [row for row in rows if "fewer than 10 listens here" in row["reason"]]
    assert len(told) == 5
    assert {row["track_id"] for row in told} <= emerging


def test_a_copy_of_a_heard_recording_is_heard() -> None:
    rows = ITEMS.tracks.to_pylist()
    heard = sorted(LISTENERS[0].taste.heard)[0]
    twin = next(r for r in rows if r["track_id"] not in LISTENERS[0].taste.heard)
    hashes = [TRACKS[heard]["content_hash"] if r is twin else r["content_hash"] for r in rows]
    at = ITEMS.tracks.schema.get_field_index("content_hash")
    tracks = ITEMS.tracks.set_column(at, "content_hash", pa.array(hashes))
    items = ItemTable(tracks, Vectors(ITEMS.ids, ITEMS.values))
    free = Constraints(max_per_artist=99, max_per_album=99)
    ids = found(LISTENERS[:1], [Random()], k=200, items=items, constraints=free)[
        "track_id"
    ].to_pylist()
    assert len(ids) == len(ITEMS) - len(LISTENERS[0].taste.heard) - 1
    assert twin["track_id"] not in ids


def test_heard_may_be_let_through_but_never_what_was_skipped() -> None:
    free = Constraints(heard=True, max_per_artist=99, max_per_album=99)
    for listener in LISTENERS:
        ids = set(found([listener], [Random()], k=200, constraints=free)["track_id"].to_pylist())
        assert ids == set(ITEMS.ids) - set(listener.taste.negatives)


def test_somebody_without_taste_gets_what_needs_none() -> None:
    nobody = UserProfile("nobody", TasteProfile.empty(NOW))
    assert found([nobody], [NewReleases()]).num_rows == 0
    rows = found([nobody], [NewReleases(), Popular()], k=10).to_pylist()
    assert {row["source"] for row in rows} == {"popular"}
    assert len(rows) == 10


def test_no_listeners_give_an_empty_table() -> None:
    assert found([], MIX).equals(CANDIDATES.empty_table())


def test_a_filter_that_nothing_passes_gives_nothing() -> None:
    assert found(LISTENERS, MIX, constraints=Constraints(where="title = nothing")).num_rows == 0


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
            cosine = ITEMS.values[int(medoid[1:])] @ ITEMS.values[int(row["track_id"][1:])]
            near = f"{'near' if cosine >= ITEMS.near else 'towards'} "
            assert near + f"{', '.join(TRACKS[medoid]['artists'])} – " in row["reason"]
            assert (NOW.date() - track["released"]).days < 28
        if row["source"] == "artist-adjacent":
            assert not artist_keys(track) & {n for i in plays for n in artist_keys(TRACKS[i])}
        if row["source"] == "more-like":
            assert row["reason"].startswith("Like Artist 5 – Title 5")


@pytest.mark.parametrize("column", ["isrc", "recording_id"])
def test_one_isrc_or_one_audited_recording_is_one_candidate(column: str) -> None:
    rows = [dict(TRACKS[f"t{n:03d}"]) for n in range(0, 30, 3)]
    for row in rows:
        row[column] = "GBAYE0601498" if row["track_id"] in ("t003", "t006") else None
    table = pa.Table.from_pylist([{"recording_id": None, **row} for row in rows])
    places = [int(row["track_id"][1:]) for row in rows]
    items = ItemTable(table, Vectors(ITEMS.ids[places], ITEMS.values[places]))
    free = Constraints(max_per_artist=99, max_per_album=99, heard=True)
    ids = found(LISTENERS[:1], [Random()], k=20, items=items, constraints=free)["track_id"]
    assert len({"t003", "t006"} & set(ids.to_pylist())) == 1


class _Stray:
    """A source that does not keep to what it was asked."""

    name, reason_prefix, anchor_kind, ranker = "stray", "Stray", "track", "source"

    def __init__(self, score: float) -> None:
        self._score = score

    def candidates(self, request: Any) -> Any:
        every = np.arange(len(request.items))
        return same_for_all(request, every, np.full(len(every), self._score, np.float32), True)


@pytest.mark.parametrize(
    ("score", "where", "message"),
    [(1.0, "popularity <= 0.5", "rows that may not be found"), (float("nan"), None, "NaN")],
)
def test_a_source_that_strays_is_refused(score: float, where: str | None, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        found(LISTENERS, [_Stray(score)], constraints=Constraints(where=where))


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
def test_constraints_that_make_no_sense_are_refused(options: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        replace(Constraints(), **options)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.integers(0, 50))
def test_quotas_sum_to_what_is_wanted_and_miss_their_share_by_less_than_one(
    shares: list[float], want: int
) -> None:
    quotas = allotted(np.array(shares), np.zeros(len(shares), np.int64), want)
    assert quotas.sum() == want
    assert np.all(np.abs(quotas - want * np.array(shares) / sum(shares)) < 1 + 1e-6)
