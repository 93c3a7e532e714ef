"""Which tracks are one recording, and who and what names stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from shelves_samples import items_of

from musicu.catalog.identity import artist_key, artist_keys, version_of

SONG = {"title": "Song", "artists": ["Ann"], "duration_seconds": 200.0, "content_hash": "h1"}
CODE = {"isrc": "GBAYE0601498"}
MBID = {"musicbrainz_recording_id": "8f3471b5-7e6a-48da-86a9-c1c07a0f47ae"}


def one(a: dict[str, Any], b: dict[str, Any], cosine: float | None = 0.99) -> bool:
    """Whether two tracks are one recording; a cosine of None: one has no vector."""
    other = [0.0, 0.0] if cosine is None else [cosine, np.sqrt(1 - cosine**2)]
    numbers = items_of([a, b], np.array([[1, 0], other], np.float32)).recordings
    return bool(numbers[0] == numbers[1])


@pytest.mark.parametrize(
    ("change", "cosine"),
    [
        ({"content_hash": "h1", "title": "Other (Live)", "artists": None}, 0.0),
        ({"title": "SONG", "artists": ["ANN feat. Bo"]}, 0.99),
        ({"title": "Ｓｏｎｇ!", "duration_seconds": 201.9}, 0.94),
        ({"title": "Song (feat. Bo)"}, 0.99),
    ],
)
def test_same_recording_is_found(change: dict[str, Any], cosine: float) -> None:
    assert one(SONG, SONG | {"content_hash": "h2"} | change, cosine)


@pytest.mark.parametrize("code", [CODE, MBID])
def test_shared_code_is_one_recording(code: dict[str, Any]) -> None:
    other = {"title": "Song [Mono]", "content_hash": "h2", **code}
    assert one(SONG | code, other, None)


def test_isrc_is_read_with_and_without_dashes() -> None:
    assert one(SONG | CODE, {"title": "Song", "isrc": "gb-aye-06-01498"}, None)


@pytest.mark.parametrize(
    "change",
    [
        {"duration_seconds": 203.0},
        {"duration_seconds": None},
        {"artists": ["Bo"]},
        {"artists": None},
        {"title": "Song 2"},
        {"title": None},
    ],
)
def test_different_recordings_stay_apart(change: dict[str, Any]) -> None:
    assert not one(SONG, SONG | {"content_hash": "h2"} | change)


@pytest.mark.parametrize("cosine", [0.92, None, -1.0])
def test_unlike_or_unheard_tracks_stay_apart(cosine: float | None) -> None:
    assert not one(SONG, SONG | {"content_hash": "h2"}, cosine)


@pytest.mark.parametrize(
    "title",
    ["Song (Live)", "Song - Live at Leeds", "Song [Radio Edit]", "Song (Bo Remix)", "Song - Demo"],
)
def test_other_version_stays_apart_even_with_the_same_code(title: str) -> None:
    assert not one(SONG | CODE, SONG | CODE | {"content_hash": "h2", "title": title})


@pytest.mark.parametrize("isrc", ["", "0", "UNKNOWN", "GBAYE0000000"])
def test_placeholder_code_means_nothing(isrc: str) -> None:
    assert not one({"title": "A", "isrc": isrc}, {"title": "B", "isrc": isrc})


def test_copies_of_copies_are_one_recording() -> None:
    a, b = SONG | CODE, SONG | {"content_hash": "h2", "duration_seconds": 400.0} | CODE
    c = {"title": "Elsewhere", "content_hash": "h2"}
    numbers = items_of([c, a, b, {"title": "Song"}]).recordings.tolist()
    assert numbers[0] == numbers[1] == numbers[2] != numbers[3]


def test_live_in_a_name_is_not_a_live_version() -> None:
    assert version_of("Live and Let Die") == frozenset()
    assert "live" in version_of("Ann – Live in Paris")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("  Ann   Lee ", "ann lee"),
        ("ＡＮＮ", "ann"),
        ("Ann feat. Bo", "ann"),
        ("Ann (ft. Bo)", "ann"),
        ("Ann featuring Bo & Cy", "ann"),
        ("Little Feat", "little feat"),
        ("Featherstone", "featherstone"),
        ("Various Artists", ""),
        (None, ""),
    ],
)
def test_artist_names_are_folded(name: str | None, key: str) -> None:
    assert artist_key(name) == key


def test_album_artist_stands_in_for_a_missing_artist() -> None:
    assert artist_keys({"artists": [], "album_artist": "Ann"}) == {"ann"}
    assert artist_keys({"artists": ["Bo"], "album_artist": "Ann"}) == {"bo"}


def test_the_audits_answer_stands_before_titles_and_makes_works_of_recordings() -> None:
    row = {"title": "Song", "artists": ["Ann"], "duration_seconds": 200.0}
    a = row | {"recording_id": "r1", "work_id": "w1"}
    b = row | {"recording_id": "r2", "work_id": "w2"}
    c = {"title": "Other", "recording_id": "r1", "work_id": "w1"}
    d = {"title": "Song (Live)", "artists": ["Ann"], "recording_id": "r4", "work_id": "w2"}
    items = items_of([a, b, c, d], np.tile(np.float32([1, 0]), (4, 1)))
    assert items.recordings[0] == items.recordings[2] != items.recordings[1]
    assert items.recordings[3] != items.recordings[1]
    assert items.works[3] == items.works[1] == items.works[0]  # one title, as near as can be
    unheard = items_of([a, row], np.tile(np.float32([1, 0]), (2, 1)))
    assert unheard.recordings[0] == unheard.recordings[1]


@pytest.mark.parametrize(
    ("change", "cosine", "same"),
    [
        ({"title": "Song (Single Version)"}, 0.9, True),
        ({"title": "Song - 2011 Remaster"}, 0.9, True),
        ({"title": "Song", "duration_seconds": 150.0}, 0.9, True),
        ({"title": "Song (Single Version)"}, 0.5, False),
        ({"title": "Song (Part 2)"}, 0.9, False),
        ({"title": "Another Song"}, 0.9, False),
        ({"title": "Song (Single Version)", "artists": ["Bo"]}, 0.9, False),
    ],
)
def test_versions_by_one_artist_with_near_vectors_are_one_work(
    change: dict[str, Any], cosine: float, same: bool
) -> None:
    values = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]], np.float32)
    items = items_of([SONG, SONG | {"content_hash": "h2"} | change], values)
    assert (items.works[0] == items.works[1]) == same
    assert items.recordings[0] != items.recordings[1]


def test_a_large_table_is_numbered_as_its_small_parts_are() -> None:
    rng = np.random.default_rng(0)
    rows = [
        SONG
        | {
            "title": f"Song {rng.integers(40)}",
            "content_hash": f"h{rng.integers(300)}",
            "isrc": rng.choice([None, None, "GBAYE0601498", "USRC17607839"]),
        }
        for _ in range(200)
    ]
    items = items_of(rows, np.tile(np.float32([1, 0]), (200, 1)))
    for first in range(0, 200, 20):
        part = np.arange(first, first + 20)
        own, whole = items.take(part).recordings, items.recordings[part]
        same = own[:, None] == own[None]
        assert not (same & (whole[:, None] != whole[None])).any()
