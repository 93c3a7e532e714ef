"""Every reader of histories takes JSON of any type in any field: it counts what it leaves out."""

from __future__ import annotations

import copy
import json
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.errors import SourceError
from musicu.listening.importers.notes import ReadingNotes
from musicu.listening.importers.reading import ReadingOptions, read_listens

WHEN = "2016-05-31T20:46:00Z"
RECORDING = "https://musicbrainz.org/recording/8f3471b5-7e6a-48da-86a9-c1c07a0f47ae"
JSPF = "https://musicbrainz.org/doc/jspf#track"
#: Each reader of JSON by name: a good record, and the document or lines that hold such records.
LISTENBRAINZ = {
    "listened_at": 1464727560,
    "user_name": "rob",
    "track_metadata": {
        "artist_name": "Band",
        "track_name": "Song",
        "release_name": "Album",
        "additional_info": {"isrc": ["X1"], "recording_mbid": "m1"},
        "mbid_mapping": {"recording_mbid": "m1"},
    },
}
RECORDS: dict[str, tuple[dict[str, Any], Any]] = {
    "listenbrainz.jsonl": (LISTENBRAINZ, None),
    "answer.json": (LISTENBRAINZ, lambda records: {"payload": {"listens": records}}),
    "feedback.jsonl": ({"recording_mbid": "m2", "score": -1, "created": 1464727560}, None),
    "extended.json": (
        {
            "ts": WHEN,
            "username": "rob",
            "ms_played": 200_000,
            "master_metadata_track_name": "Song",
            "master_metadata_album_artist_name": "Band",
            "master_metadata_album_album_name": "Album",
            "spotify_track_uri": "spotify:track:1",
            "reason_end": "trackdone",
            "skipped": False,
            "incognito_mode": False,
        },
        list,
    ),
    "account.json": (
        {
            "endTime": "2016-05-31 20:46",
            "artistName": "Band",
            "trackName": "Song",
            "msPlayed": 200_000,
        },
        list,
    ),
    "lastfm.json": (
        {
            "artist": {"#text": "Band"},
            "name": "Song",
            "mbid": "m1",
            "album": {"#text": "Album"},
            "date": {"uts": "1464727560"},
        },
        lambda records: {"recenttracks": {"track": records, "@attr": {"user": "rj"}}},
    ),
    "stats.json": (
        {"track": "Song", "artist": "Band", "album": "Album", "date": 1464727560000},
        lambda records: {"username": "rj", "scrobbles": records},
    ),
    "list.jspf": (
        {
            "title": "Song",
            "creator": "Band",
            "album": "Album",
            "identifier": [RECORDING],
            "location": ["file:///a/b.flac"],
            "extension": {JSPF: {"added_at": WHEN}},
        },
        lambda records: {"playlist": {"title": "Mine", "creator": "rob", "track": records}},
    ),
    "watch-history.json": (
        {
            "header": "YouTube Music",
            "title": "Watched Song",
            "titleUrl": "https://music.youtube.com/watch?v=1",
            "subtitles": [{"name": "Band - Topic"}],
            "time": WHEN,
        },
        list,
    ),
}
TEXTS = st.text() | st.sampled_from(["", "\ud800", "\0", "&amp;", "1" * 400, "1e999", "[", "//["])
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -1, 0, 2**63, 1e300])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def places(record: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values stand in a record, the record itself among them."""
    found = [path]
    members = record.items() if isinstance(record, dict) else ()
    members = enumerate(record) if isinstance(record, list) else members
    for key, value in members:
        found += places(value, (*path, key))
    return found


def spoiled(record: Any, path: tuple[Any, ...], value: Any, gone: bool) -> Any:
    """The record with another value, or none, in one place."""
    if not path:
        return value
    made = copy.deepcopy(record)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if gone and isinstance(inner, dict):
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return made


def written(records: list[Any], form: Any) -> str:
    if form is None:
        return "\n".join(map(json.dumps, records)) + "\n"
    return json.dumps(form(records))


def read(name: str, content: str | bytes) -> tuple[list[dict[str, Any]], ReadingNotes]:
    notes = ReadingNotes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        tables = list(read_listens(path, ReadingOptions(notes=notes)))
    return [row for table in tables for row in table.to_pylist()], notes


def left_out(notes: ReadingNotes) -> int:
    return sum(notes.left_out.values())


@pytest.mark.parametrize("name", RECORDS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_good_records_around_a_bad_one_are_read_and_counts_add_up(
    name: str, data: st.DataObject
) -> None:
    good, form = RECORDS[name]
    path = data.draw(st.sampled_from(places(good)))
    bad = spoiled(good, path, data.draw(JSON), data.draw(st.booleans()))
    records = data.draw(st.permutations([good, bad, good]))
    (whole,), _ = read(name, written([good], form))
    rows, notes = read(name, written(records, form))
    assert len(rows) + left_out(notes) == 3
    assert sum(row == whole for row in rows) >= 2
    list(notes.warnings())


@pytest.mark.parametrize("name", [*RECORDS, "x.json", "x.jsonl"])
@given(document=JSON)
@settings(max_examples=25, deadline=None)
def test_any_json_is_read_or_refused(name: str, document: Any) -> None:
    _, form = RECORDS.get(name, ({}, list))
    for content in (json.dumps(document), written([document], form)):
        with suppress(SourceError):
            read(name, content)


def rows_and_reasons(name: str, records: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    rows, notes = read(name, written(records, RECORDS[name][1]))
    return rows, [why for _, why in notes.left_out]


def test_an_extension_may_be_an_array_a_creator_an_object_and_a_track_null() -> None:
    good = RECORDS["list.jspf"][0]
    odd = {**good, "extension": {JSPF: [{"added_at": WHEN}]}, "creator": {"name": "Band"}}
    (row,), (why,) = rows_and_reasons("list.jspf", [None, odd])
    assert row["timestamp"].isoformat() == "2016-05-31T20:46:00+00:00"
    assert (row["artist"], why) == ("Band", "no object with members")


def test_titles_may_be_numbers_and_artists_lists() -> None:
    rows, _ = rows_and_reasons("stats.json", [{"track": 15, "artist": 1.0, "date": 1464727560000}])
    assert (rows[0]["title"], rows[0]["artist"]) == ("15", "1")
    listen = copy.deepcopy(LISTENBRAINZ)
    listen["track_metadata"]["artist_name"] = ["Band", "Other"]  # type: ignore[index]
    rows, _ = rows_and_reasons("listenbrainz.jsonl", [listen])
    assert rows[0]["artist"] == "Band, Other"


def test_milliseconds_may_be_text_and_a_stream_may_have_no_moment() -> None:
    good = RECORDS["extended.json"][0]
    spoiled = {**good, "ms_played": None}
    rows, reasons = rows_and_reasons("extended.json", [{**good, "ms_played": "15000"}, spoiled])
    assert [row["weight"] for row in rows] == [0.5]
    assert reasons == ["no number of milliseconds that it was played"]
    rows, _ = rows_and_reasons("account.json", [{"trackName": "Song", "msPlayed": 30_000}])
    assert (rows[0]["weight"], rows[0]["timestamp"]) == (1, None)


def test_podcasts_and_private_sessions_are_named() -> None:
    good = RECORDS["extended.json"][0]
    podcast = {**good, "master_metadata_track_name": None, "episode_name": "Talk"}
    _, reasons = rows_and_reasons(
        "extended.json", [good, podcast, {**good, "incognito_mode": True}]
    )
    assert reasons == ["a podcast or an audiobook", "of a private session"]


FOREIGN = {
    "__MACOSX/._history.json": b"\0\5\x16\7",
    "._history.json": b"\0\5\x16\7\0\2",
    "CarThing.json": b'{"devices": []}',
    "FamilyPlan.json": b"[]]",
    "Whatever.csv": b"a,b\n1,2\n",
    "page.html": b"<p>hello",
    "trace.log": b"12:00 started",
}


def test_foreign_files_are_named_and_stop_no_other(tmp_path: Path) -> None:
    good, form = RECORDS["extended.json"]
    files = {**FOREIGN, "inner/Streaming_History_Audio.json": written([good], form).encode()}
    folder = tmp_path / "export"
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(tmp_path / "export.zip", "export.zip")
    for path in (folder, tmp_path / "export.zip", tmp_path / "outer.zip"):
        notes = ReadingNotes()
        tables = list(read_listens(path, ReadingOptions(notes=notes)))
        assert [table.num_rows for table in tables] == [1]
        assert len(notes.skipped) == len(FOREIGN)
        for name in FOREIGN:
            assert any(name in sentence for sentence in notes.skipped), (name, notes.skipped)


def test_nothing_but_foreign_files_is_an_error_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "CarThing.json").write_bytes(FOREIGN["CarThing.json"])
    with pytest.raises(SourceError, match=r"holds no listens .*: .*CarThing\.json is JSON"):
        list(read_listens(tmp_path))
