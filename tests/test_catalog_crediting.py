"""Who is credited: guests and collaborations are seen, bands that only look joined stay whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicu.catalog.crediting import any_of, artist_key, guests_in
from musicu.catalog.folding import fold, loose, loose_texts
from musicu.catalog.identity import album_keys, artist_keys, title_key, work_key
from musicu.catalog.schema import TRACKS
from musicu.items.constraints import Constraints, allowed_rows
from musicu.items.credits import Credits, album_numbers
from musicu.items.item_table import ItemTable
from musicu.records import Vectors


def is_credited(track: dict[str, Any], names: list[str]) -> bool:
    credits = [*track["artists"], track.get("album_artist"), guests_in(track.get("title"))]
    return any(map(any_of(names), credits))


COLLABORATIONS = [
    *("Main Star & Guest", "Main Star x Other", "Main Star × Other", "Main Star, Guest"),
    *("Guest (ft. Main Star)", "Guest with Main Star", "Guest feat. A & Main Star", "MAIN STAR"),
    *("Guest [with Main Star]", "Main Star/Guest", "Main Star; Guest", "A, B and Main Star"),
    *("Guest feat.Main Star", "Main Star vs. Other", "Main Star + Guest", "Guest w/ Main Star"),
    *("Main Star & Friends", "Main Star and her Band", "Main Star, The Others", "Main Star、Guest"),
    *("Guest & Simon & Garfunkel x Main Star", "Guest (with Main Star & Other)", "Ｍain\u00a0Star"),
]
BANDS = [
    *("Earth, Wind & Fire", "Earth Wind and Fire", "Simon & Garfunkel", "Tyler, The Creator"),
    *("AC/DC", "Crosby, Stills, Nash & Young", "Florence + The Machine", "10,000 Maniacs"),
    *("Nick Cave & The Bad Seeds", "Mumford & Sons", "Emerson, Lake & Palmer", "Little Feat"),
    *(
        "Bruce Springsteen & The E Street Band",
        "The X Factor",
        "Kool & the Gang",
        "Nobody & Sons",
        "Peter, Paul and Mary",
        "+44",
        "Hall & Oates",
    ),
]


@pytest.mark.parametrize("name", COLLABORATIONS)
def test_blocking_a_name_blocks_all_its_collaborations(name: str) -> None:
    assert is_credited({"artists": ["Nobody", name]}, ["Main Star"])
    assert is_credited({"artists": ["Nobody"], "album_artist": name}, ["main  star"])
    tracks = pa.Table.from_pylist([{"track_id": "t", "artists": [name]}], schema=TRACKS)
    items = ItemTable(tracks, Vectors(np.array(["t"], object), np.ones((1, 1), np.float32)))
    assert not len(allowed_rows(items, Constraints(blocked_artists=frozenset(["Main Star"]))))
    assert Credits.of(tracks).rows_by(["Main Star"]).tolist() == [0]


@pytest.mark.parametrize("name", BANDS)
def test_a_band_that_looks_joined_is_one_artist(name: str) -> None:
    for part in name.replace("/", " ").replace(",", " ").replace("&", " ").split():
        assert not is_credited({"artists": [name]}, [part]) or artist_key(part) == artist_key(name)
        guest = is_credited({"artists": [f"{name} feat. Somebody"]}, [part])
        assert not guest or artist_key(part) == artist_key(name)
    assert is_credited({"artists": [f"Guest & {name}"]}, [name])
    assert is_credited({"artists": [f"{name} feat. Guest"]}, [name.replace("&", "and")])
    rows = [{"track_id": str(n), "artists": [name if n else "Other"]} for n in range(3)]
    credits = Credits.of(pa.Table.from_pylist(rows, schema=TRACKS))
    assert credits.keys.tolist() == ["other", artist_key(name)]


@pytest.mark.parametrize(
    ("title", "guest"),
    [("Song (feat. Main Star)", True), ("Song [ft. A & Main Star]", True), ("Main Star", False)],
)
def test_a_guest_whom_only_the_title_names_is_credited(title: str, guest: bool) -> None:
    track = {"track_id": "t", "title": title, "artists": ["Somebody"]}
    assert is_credited(track, ["Main Star"]) == guest
    credits = Credits.of(pa.Table.from_pylist([track], schema=TRACKS))
    assert credits.rows_by(["Main Star"]).tolist() == ([0] if guest else [])
    assert len(credits.keys) == 1 + guest


def test_the_catalog_says_what_a_joined_name_is() -> None:
    artists = ["Ann", "Ann & Bo", "Bo x Cy", "Duo & Nobody", "Bo, Duo & Nobody", "Fox", "Hen & Fox"]
    artists += ["Hen & Fox"]  # stands more often than Fox does alone: a band
    rows = [{"track_id": str(n), "artists": [name]} for n, name in enumerate(artists)]
    credits = Credits.of(pa.Table.from_pylist(rows, schema=TRACKS))
    by_row = [
        {str(credits.names[a]) for a in credits.artist[credits.row == row]}
        for row in range(len(rows))
    ]
    assert by_row == [
        *({"Ann"}, {"Ann", "Bo"}, {"Bo x Cy"}, {"Duo & Nobody"}, {"Bo, Duo & Nobody"}),
        *({"Fox"}, {"Hen & Fox"}, {"Hen & Fox"}),
    ]
    assert credits.rows_by(["Bo"]).tolist() == [1, 2, 4]
    assert credits.rows_by(["Fox", "Nobody at all"]).tolist() == [5, 6, 7]
    assert credits.rows_by([]).tolist() == []


def test_the_album_of_a_parted_credit_keeps_its_owner() -> None:
    names = ["Ann & Bo", "Ann & Bo", "Ann", "Ann"]
    rows = [
        {"track_id": str(n), "artists": [name], "album_artist": name, "album": "Us", "path": f"{n}"}
        for n, name in enumerate(names)
    ]
    tracks = pa.Table.from_pylist(rows, schema=TRACKS)
    numbers = album_numbers(tracks, Credits.of(tracks)).tolist()
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]
    assert album_keys(rows[0]).isdisjoint(album_keys(rows[2]))


@given(st.lists(st.lists(st.sampled_from([*BANDS, *COLLABORATIONS, "Ann", "", "VA"]), max_size=3)))
def test_credits_of_a_table_hold_every_performer_once(artists: list[list[str]]) -> None:
    rows = [{"track_id": str(n), "artists": names} for n, names in enumerate(artists)]
    credits = Credits.of(pa.Table.from_pylist(rows, schema=TRACKS))
    pairs = list(zip(credits.row.tolist(), credits.artist.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    for row, names in enumerate(artists):
        keys = set(credits.keys[credits.artist[credits.row == row]])
        assert bool(keys) == any(map(artist_key, names))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("6 Ft. Under", "6 ft. under"), ("Six Ft. Deep", "six ft. deep"), ("Ann ft. Bo", "ann")),
        *(("Maroon 5 ft. Bo", "maroon 5"), ("Beatles, The", "the beatles"), ("???", "???")),
        *(("Guns N’ Roses", "guns n' roses"), ("!!!", "!!!"), ("♥\ufe0f", "♥")),
    ],
)
def test_what_is_no_guest_stays_in_the_name(name: str, key: str) -> None:
    assert artist_key(name) == key


def test_titles_that_signs_or_vowels_tell_apart_stay_apart() -> None:
    apart = ["15", "1.5", "दिल", "दाल", "กา", "กี", "மன", "மனி", "كتب", "كُتُب", "が", "か"]
    apart += ["???", "!!!", "♥", "6 Ft. Under", "6"]
    for key in (fold, loose, title_key, work_key):
        assert len({key(title) for title in apart}) == len(apart)
        assert all(key(title) for title in apart)
    assert fold("Help") != fold("Help!")


LETTERS = st.characters(exclude_categories=("Cn", "Cs", "Co"), max_codepoint=0xFFFF)


@given(st.text(LETTERS, max_size=12) | st.text("aÉß'- ſςΣΟдйが゛दिกีகி்أً!♥️1½İ", max_size=12))
def test_loose_spelling_of_one_and_of_many_is_the_same(text: str) -> None:
    both = loose_texts(pa.array([text, None, "Ann", text], pa.string())).to_pylist()
    assert both == [loose(text), "", "ann", loose(text)]


def test_featured_performers_are_among_those_of_a_track() -> None:
    assert artist_keys({"artists": ["Ann feat. Bo"], "title": "Song (ft. Cy)"}) == {
        "ann",
        "bo",
        "cy",
    }
    assert artist_keys({"artists": ["Ann & Bo"]}) == {"ann & bo"}
    assert artist_keys({"artists": ["Ann & Bo"]}, {"bo"}) == {"ann", "bo"}


@pytest.mark.parametrize(
    ("credit", "leader"),
    [("Bob Marley & The Wailers", "Bob Marley"), ("Tom Petty and the Heartbreakers", "Tom Petty")],
)
def test_who_leads_a_band_under_two_names_is_credited_when_asked_for(
    credit: str, leader: str
) -> None:
    assert any_of([leader])(credit)
    assert any_of([credit])(credit)


@pytest.mark.parametrize("credit", ["Echo & the Bunnymen", "Florence + the Machine"])
def test_one_word_before_a_band_is_no_leader(credit: str) -> None:
    assert not any_of([credit.split()[0]])(credit)


@pytest.mark.parametrize("joint", ["✕", "avec", "mit", "och", "starring"])
def test_joints_of_other_languages_part_credits(joint: str) -> None:
    assert any_of(["Bo"])(f"Ann {joint} Bo")
