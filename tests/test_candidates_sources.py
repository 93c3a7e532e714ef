"""What every source keeps, and what each is for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from candidates_samples import NOW, made_items, made_listeners

from musicu.candidates import (
    ArtistAdjacent,
    DeepCatalog,
    ForYou,
    MoreLike,
    NewReleases,
    NextItem,
    Popular,
    Random,
    Request,
)
from musicu.catalog.identity import artist_keys
from musicu.errors import QueryError
from musicu.listening.profile_arrays import ProfileArrays
from musicu.sequences import fit

ITEMS = made_items()
TRACKS = ITEMS.tracks.to_pylist()
LISTENERS = tuple(made_listeners(ITEMS, users=4))
EVERY = np.arange(len(ITEMS))
WALKS = [[f"t{(n + step) % 100:03d}" for step in range(5)] for n in range(100)]


def request(listeners: Any = LISTENERS, rows: Any = EVERY, fetch_factor: int = 1) -> Request:
    return Request(ProfileArrays.of(ITEMS, listeners), rows, 10, NOW, fetch_factor)


class SourceContract:
    """The rules of a source; each source's class inherits them."""

    source: Any

    def test_lists_are_sound(self) -> None:
        lists = self.source.candidates(request())
        assert np.all(np.diff(lists.listener) >= 0)
        assert len(lists.start) == len(lists.listener) + 1
        assert lists.start[-1] == len(lists.row) == len(lists.score)
        assert np.isfinite(lists.score).all()
        assert lists.score.dtype == np.float32
        for n in range(len(lists.listener)):
            part = lists.row[lists.start[n] : lists.start[n + 1]]
            assert len(part) == len(set(part.tolist()))
            assert np.all(np.diff(lists.score[lists.start[n] : lists.start[n + 1]]) <= 0)

    def test_only_allowed_rows_are_found(self) -> None:
        rows = EVERY[::2]
        assert np.isin(self.source.candidates(request(rows=rows)).row, rows).all()

    def test_no_rows_give_empty_whole_lists(self) -> None:
        lists = self.source.candidates(request(rows=EVERY[:0]))
        assert len(lists.row) == 0
        assert lists.exhausted.all()

    def test_a_listener_alone_gets_the_same_lists(self) -> None:
        lists = self.source.candidates(request())
        for place, listener in enumerate(LISTENERS):
            own = self.source.candidates(request([listener]))
            entries = np.flatnonzero(np.repeat(lists.listener, lists.lengths) == place)
            np.testing.assert_array_equal(own.row, lists.row[entries])
            np.testing.assert_allclose(own.score, lists.score[entries], atol=1e-5)

    def test_deeper_lists_begin_alike_and_end_whole(self) -> None:
        short, long = (self.source.candidates(request(fetch_factor=n)) for n in (1, 64))
        assert long.exhausted.all()
        for n in range(len(short.listener)):
            part = short.row[short.start[n] : short.start[n + 1]]
            longer = long.row[long.start[n] : long.start[n] + len(part)]
            np.testing.assert_array_equal(part, longer)

    def test_quotas_of_a_listener_sum_to_what_is_wanted(self) -> None:
        lists = self.source.candidates(request())
        np.testing.assert_array_equal(np.bincount(lists.listener, lists.quota), [10] * 4)


class TestNewReleases(SourceContract):
    source = NewReleases(14)

    def test_the_window_holds_today_and_leaves_the_future_out(self) -> None:
        lists = self.source.candidates(request(fetch_factor=64))
        days = {TRACKS[row]["released"] for row in lists.row}
        today = NOW.date()
        assert min(days) == today - timedelta(days=13)
        assert max(days) == today
        before = replace(request(), now=NOW - timedelta(days=2000))
        assert not len(self.source.candidates(before).row)


class TestDeepCatalog(SourceContract):
    source = DeepCatalog(30, 730)

    def test_another_count_of_listens_makes_other_tracks_unpopular(self) -> None:
        items = made_items()
        first = items.least_popular(50.0)
        assert items.least_popular(50.0) is first
        assert items.least_popular(20.0).sum() < first.sum()
        plays = np.arange(len(items))
        counted = items.with_plays(plays).least_popular(50.0)
        np.testing.assert_array_equal(counted, plays < len(items) / 2)
        np.testing.assert_array_equal(items.least_popular(50.0), first)

    def test_tracks_are_unpopular_old_and_dated(self) -> None:
        rows = self.source.candidates(request(fetch_factor=64)).row
        found = {(TRACKS[row]["popularity"], TRACKS[row]["released"]) for row in rows}
        assert {popularity for popularity, _ in found} == {0.0, 0.1, 0.2}
        assert all(released < NOW.date() - timedelta(days=730) for _, released in found)

    def test_listens_go_before_the_catalogs_popularity(self) -> None:
        items = made_items()
        items.plays = np.where(EVERY % 10 == 0, 5, 0)
        asked = Request(ProfileArrays.of(items, LISTENERS), EVERY, 10, NOW, 64)
        rows = DeepCatalog(50, None).candidates(asked).row
        assert set(rows.tolist()) == set(EVERY[EVERY % 10 != 0].tolist())


class TestForYou(SourceContract):
    source = ForYou()

    def test_rows_by_liked_artists_are_always_among_them(self) -> None:
        lists = self.source.candidates(request())
        owner = np.repeat(lists.listener, lists.lengths)
        for place, listener in enumerate(LISTENERS):
            liked = {
                name
                for track, weight in zip(
                    listener.taste.history.ids, listener.taste.history.weights, strict=True
                )
                if weight > 0
                for name in artist_keys(TRACKS[int(track[1:])])
            }
            by_liked = [n for n, row in enumerate(TRACKS) if artist_keys(row) & liked]
            assert set(by_liked) <= set(lists.row[owner == place].tolist())


class TestNextItem(SourceContract):
    source = NextItem(fit(WALKS, content=(ITEMS.ids, ITEMS.values)))

    def test_what_always_follows_comes_first_and_what_nobody_played_may_come(self) -> None:
        lists = replace(self.source, after=("t010", "t011")).candidates(request(fetch_factor=64))
        first = lists.row[lists.start[:-1]]
        assert [TRACKS[row]["track_id"] for row in first] == ["t012"] * 4
        assert {f"t{n}" for n in range(100, 120)} & {TRACKS[row]["track_id"] for row in lists.row}

    def test_without_a_model_it_says_how_to_get_one(self) -> None:
        with pytest.raises(QueryError, match="musicu train next"):
            NextItem().candidates(request())


class TestMoreLike(SourceContract):
    source = MoreLike("t007")

    def test_the_seed_is_not_among_them_and_the_nearest_is_first(self) -> None:
        lists = self.source.candidates(request())
        cosines = ITEMS.values @ ITEMS.values[7]
        cosines[7] = -2
        assert lists.row[0] == cosines.argmax()
        assert 7 not in lists.row


class TestArtistAdjacent(SourceContract):
    source = ArtistAdjacent(2)

    def test_artists_are_new_to_the_listener(self) -> None:
        lists = self.source.candidates(request())
        owner = np.repeat(lists.listener, lists.lengths)
        for place, row in zip(owner, lists.row, strict=True):
            heard = LISTENERS[place].taste.heard
            known = {n for t in TRACKS if t["track_id"] in heard for n in artist_keys(t)}
            assert not artist_keys(TRACKS[row]) & known

    def test_the_nearest_artist_comes_first(self) -> None:
        lists = self.source.candidates(request())
        means = ITEMS.artist_means
        heard = {
            n for t in TRACKS if t["track_id"] in LISTENERS[0].taste.heard for n in artist_keys(t)
        }
        medoid = next(t for t in TRACKS if t["track_id"] == LISTENERS[0].taste.interests[0].medoid)
        keys = ITEMS.credits.keys.tolist()
        own = means[keys.index(sorted(artist_keys(medoid), key=keys.index)[0])]
        free = [n for n, key in enumerate(keys) if key not in heard]
        # A track may credit a known artist too, so the best one with a free track is expected.
        best = max(free, key=lambda n: float(means[n] @ own))
        assert lists.score[0] == pytest.approx(float(means[best] @ own), abs=1e-6)


class TestPopular(SourceContract):
    source = Popular()

    def test_the_most_popular_come_first_and_the_unpopular_never(self) -> None:
        lists = self.source.candidates(request(fetch_factor=64))
        first = lists.row[: lists.start[1]]
        popularity = [TRACKS[row]["popularity"] for row in first]
        assert popularity == sorted(popularity, reverse=True)
        assert popularity[-1] > 0
        assert lists.score[0] == 1


class TestRandom(SourceContract):
    source = Random(3)

    def test_everybody_gets_another_draw_of_all(self) -> None:
        lists = self.source.candidates(request(fetch_factor=64))
        draws = lists.row.reshape(len(LISTENERS), -1)
        assert all(sorted(draw) == EVERY.tolist() for draw in draws.tolist())
        assert len({tuple(draw) for draw in draws.tolist()}) == len(LISTENERS)

    def test_every_track_is_as_likely(self) -> None:
        from musicu.candidates.sources.random import _permuted

        first = _permuted(1, 7, np.arange(7000, dtype=np.uint64))[:, 0]
        counts = np.bincount(first, minlength=7)
        assert ((counts - 1000) ** 2 / 1000).sum() < 22.5  # chi-squared, 6 degrees, 0.1 %


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NewReleases(0), "window_days is 0"),
        (lambda: DeepCatalog(0), "percentile is 0"),
        (lambda: DeepCatalog(50, -1), "age is -1 days"),
        (lambda: ArtistAdjacent(0), "tracks_each is 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        make()
