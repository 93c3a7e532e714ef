"""The exports of services, each by a file as it is written, and the columns of tables."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.listening.importers.notes import ReadingNotes
from musicu.listening.importers.reading import ReadingOptions, read_listens


def read(path: Path, **options: Any) -> tuple[list[dict[str, Any]], ReadingNotes]:
    notes = ReadingNotes()
    given = ReadingOptions(notes=notes, **options)
    return [row for table in read_listens(path, given) for row in table.to_pylist()], notes


def text(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def moments(rows: list[dict[str, Any]]) -> list[str | None]:
    return [row["timestamp"] and f"{row['timestamp']:%Y-%m-%d %H:%M}" for row in rows]


EXPORTIFY = [
    '"Track URI","Track Name","Artist URI(s)","Artist Name(s)","Album URI","Album Name","Track '
    'Duration (ms)","ISRC","Added By","Added At"\n"spotify:track:1","Song","x","Band, Other","y",'
    '"Album","1000","GBABC1234567","spotify:user:","2022-08-08T02:00:00Z"\n',
    "Spotify ID,Artist IDs,Track Name,Album Name,Artist Name(s),Release Date,Duration (ms),"
    "Popularity,Added By,Added At,Genres\n1,x,Song,Album,Band,2017-02-24,417533,44,u,"
    '2022-08-08T02:00:00Z,"a,b"\n',
]


@pytest.mark.parametrize("content", EXPORTIFY)
def test_exportify_is_a_playlist_named_as_its_file(tmp_path: Path, content: str) -> None:
    (row,), _ = read(text(tmp_path / "my_mix.csv", content))
    assert row["context"] == "playlist:my_mix"
    assert (row["title"], row["album"], row["artist"][:4]) == ("Song", "Album", "Band")
    assert moments([row]) == ["2022-08-08 02:00"]


def test_a_zip_of_playlists_as_tables_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("one.csv", EXPORTIFY[0])
        archive.writestr("two.csv", "sep=;\n" + EXPORTIFY[1].replace(",", ";"))
    rows, _ = read(tmp_path / "all.zip")
    assert [row["context"] for row in rows] == ["playlist:one", "playlist:two"]


APPLE = """Event Type,Song Name,Artist Name,Album Name,Event Start Timestamp,Event End Timestamp,\
Play Duration Milliseconds,End Reason Type
PLAY_END,Song,Band,Album,2024-05-31T20:46:00.123Z,2024-05-31T20:50:00Z,200000,NATURAL_END_OF_TRACK
PLAY_END,Song,Band,Album,2024-05-31T20:51:00Z,,0,TRACK_SKIPPED_FORWARDS
PLAY_END,Song,Band,Album,,2024-05-31T20:52:00Z,15000,PLAYBACK_MANUALLY_PAUSED
PLAY_START,Song,Band,Album,2024-05-31T20:46:00Z,,,NOT_APPLICABLE
PLAY_END,,Band,Album,2024-05-31T20:46:00Z,,10,NOT_APPLICABLE
"""
DAYS = """Country,Track Identifier,Media type,Date Played,Hours,Play Duration Milliseconds,\
End Reason Type,Track Description
US,1,AUDIO,20240531,20,200000,NATURAL_END_OF_TRACK,Band - Song - Live
US,1,AUDIO,20240601,20,0,TRACK_SKIPPED_FORWARDS,Untitled
"""


def test_apple_music_weighs_a_skip_less_than_a_play_and_keeps_its_moment(tmp_path: Path) -> None:
    rows, notes = read(text(tmp_path / "Apple Music Play Activity.csv", APPLE))
    assert [row["weight"] for row in rows] == [1, -1, 0.5]
    assert moments(rows) == ["2024-05-31 20:46", "2024-05-31 20:51", "2024-05-31 20:52"]
    assert {why: n for (_, why), n in notes.left_out.items()} == {
        "an event that ends no play": 1,
        "no title": 1,
    }


def test_apple_music_days_name_artist_and_title_in_one(tmp_path: Path) -> None:
    rows, _ = read(text(tmp_path / "days.csv", DAYS))
    assert [(row["artist"], row["title"]) for row in rows] == [
        ("Band", "Song - Live"),
        (None, "Untitled"),
    ]
    assert moments(rows) == ["2024-05-31 00:00", "2024-06-01 00:00"]
    assert [row["weight"] for row in rows] == [1, -1]


def test_apple_music_tells_each_play_once(tmp_path: Path) -> None:
    text(tmp_path / "Apple Music Play Activity.csv", APPLE)
    text(tmp_path / "Apple Music - Play History Daily Tracks.csv", DAYS)
    rows, notes = read(tmp_path)
    assert len(rows) == 3
    assert "the same plays" in notes.skipped[0]
    nameless = APPLE.replace("Artist Name", "Container Artist")
    text(tmp_path / "Apple Music Play Activity.csv", nameless)
    assert len(read(tmp_path)[0]) == 2


def test_rockbox_logs_listens_and_skips(tmp_path: Path) -> None:
    log = "#AUDIOSCROBBLER/1.1\n#TZ/UTC\n#CLIENT/Rockbox\n"
    log += "Band\tAlbum\tSong\t1\t200\tL\t1464727560\tm1\nBand\t\tSong\t\t200\tS\t1464727561\n"
    log += "broken\nBand\tAlbum\tSong\t1\t200\tL\t0\t\n"
    for name in (".scrobbler.log", "scrobbler.txt", "s.log"):
        rows, notes = read(text(tmp_path / name, log))
        assert [row["weight"] for row in rows] == [1, -1, 1]
        assert moments(rows) == ["2016-05-31 20:46", "2016-05-31 20:46", None]
        assert rows[0]["recording_mbid"] == "m1"
        assert sum(notes.left_out.values()) == 1
    rows, _ = read(tmp_path)
    assert len(rows) == 6  # the file without a known ending is none that a folder is searched for


def watched(title: str, header: str = "YouTube Music") -> dict[str, Any]:
    return {
        "header": header,
        "title": title,
        "titleUrl": "https://www.youtube.com/watch?v=1",
        "subtitles": [{"name": "Band - Topic"}],
        "time": "2016-05-31T20:46:00.1Z",
    }


def test_youtube_music_leaves_out_videos_and_knows_other_languages(tmp_path: Path) -> None:
    records = [watched("Watched Watched Over"), watched("Watched Talk", "YouTube")]
    rows, notes = read(text(tmp_path / "w.json", json.dumps(records)))
    assert [(row["artist"], row["title"]) for row in rows] == [("Band", "Watched Over")]
    assert [why for _, why in notes.left_out] == ["of YouTube, not YouTube Music"]
    firsts = ["Das", "Ein", "Kein", "Mein", "Dein", "Sein", "So", "Am"]
    names = [f"{first} Lied {n}" for n, first in enumerate(firsts)]
    german = [watched(f"{name} angesehen") for name in names]
    rows, _ = read(text(tmp_path / "w.json", json.dumps(german)))
    assert [row["title"] for row in rows] == names


HTML = """<html><body><div class="outer-cell"><div class="mdl-grid">
<div class="header-cell mdl-cell"><p class="mdl-typography--title">{header}<br></p></div>
<div class="content-cell mdl-cell mdl-typography--body-1">Watched&nbsp;<a
href="https://music.youtube.com/watch?v=1">Song &amp; Dance</a><br><a
href="https://www.youtube.com/channel/U">Band - Topic</a><br>May 31, 2016, 8:46:00\u202fPM UTC</div>
<div class="content-cell mdl-cell mdl-typography--caption"><b>Products:</b> YouTube</div>
</div></div></body></html>"""


def test_youtube_music_as_a_page(tmp_path: Path) -> None:
    (row,), _ = read(text(tmp_path / "watch-history.html", HTML.format(header="YouTube Music")))
    assert (row["artist"], row["title"]) == ("Band", "Song & Dance")
    assert moments([row]) == ["2016-05-31 20:46"]


def test_deezer_and_tidal(tmp_path: Path) -> None:
    deezer = "Song Title,Artist,ISRC,Album Title,IP Address,Listening Time,Platform Name,Date\n"
    deezer += "Song,Band,X1,Album,1.1.1.1,15,web,2024-05-31 20:46:00\n"
    (row,), _ = read(text(tmp_path / "d.csv", deezer))
    assert (row["title"], row["isrc"], row["weight"]) == ("Song", "X1", 0.5)
    tidal = "Streaming\n\nartist_name,track_title,entry_date,time_zone\n"
    tidal += "Band,Song,05/06/2024 20:46,Europe/Oslo\nBand,Song,05/06/2024 20:46,\n"
    rows, notes = read(text(tmp_path / "streaming.csv", tidal))
    assert moments(rows) == ["2024-06-05 18:46", "2024-06-05 20:46"]
    assert not notes.doubts


def table(path: Path, head: str, *cells: str) -> list[str | None]:
    """What a table with a column or two of dates is read as."""
    lines = "".join(f"Song;{cell}\n" for cell in cells)
    return moments(read(text(path / "t.csv", f"title;{head}\n{lines}"))[0])


@pytest.mark.parametrize(
    ("head", "cell", "expected"),
    [
        ("date", "20240531", "2024-05-31 00:00"),
        ("date", "45443.75", "2024-05-31 18:00"),
        ("date", "45443,75", "2024-05-31 18:00"),
        ("date", "20240531204600", "2024-05-31 20:46"),
        ("ts", "1464727560", "2016-05-31 20:46"),
        ("ts", "1464727560000", "2016-05-31 20:46"),
        ("ts", "1464727560000000", "2016-05-31 20:46"),
        ("ts", "1464727560000000000", "2016-05-31 20:46"),
        ("date", "May 31, 2016 at 08:46PM", "2016-05-31 20:46"),
        ("Date;Time", "2016-05-31;20:46", "2016-05-31 20:46"),
        ("Date;Time", "20160531;8:46 PM", "2016-05-31 20:46"),
        ("Date;Time", "42521;0.865277778", "2016-05-31 20:46"),
        ("timestamp;time", "2016-05-31 20:46;3:45", "2016-05-31 20:46"),
    ],
)
def test_dates_are_read_by_the_form_of_their_column(
    tmp_path: Path, head: str, cell: str, expected: str
) -> None:
    assert table(tmp_path, head, cell) == [expected]


def test_days_and_months_are_told_apart_by_the_whole_column(tmp_path: Path) -> None:
    american = table(tmp_path, "date", "05/06/2024 20:46", "05/31/2024 20:46")
    assert american == ["2024-05-06 20:46", "2024-05-31 20:46"]
    european = table(tmp_path, "date", "05/06/2024", "31/05/2024")
    assert european == ["2024-06-05 00:00", "2024-05-31 00:00"]


def test_what_nothing_tells_is_said_and_can_be_told(tmp_path: Path) -> None:
    path = text(tmp_path / "t.csv", "title,date\nSong,05/06/2024\nSong,07/06/2024\n")
    rows, notes = read(path)
    assert moments(rows) == [None, None]
    assert "the column 'date': 2 dates such as '05/06/2024' can be two days" in notes.doubts[0]
    assert moments(read(path, day_first=False)[0]) == ["2024-05-06 00:00", "2024-07-06 00:00"]


def test_rows_with_other_cells_than_the_header_stop_no_other(tmp_path: Path) -> None:
    rows, notes = read(text(tmp_path / "t.csv", "title,artist\nSong,Band\nx\nSong,Band\na,b,c\n"))
    assert len(rows) == 2
    assert sum(notes.left_out.values()) == 2


def test_cells_that_are_no_numbers_weigh_nothing_and_ids_lose_their_point(tmp_path: Path) -> None:
    lines = "track_id,user,weight\n1.0,7.0,2\n2.0,7.0,lots\n,7.0,1\n"
    rows, _ = read(text(tmp_path / "t.csv", lines))
    assert [row["track_id"] for row in rows] == ["1", "2", None]
    assert [row["weight"] for row in rows] == [2, None, 1]
    assert {row["user"] for row in rows} == {"7"}
    floats = pa.table({"track_id": [1.0, float("nan")], "title": ["a", "b"]})
    pq.write_table(floats, tmp_path / "t.parquet")
    assert [row["track_id"] for row in read(tmp_path / "t.parquet")[0]] == ["1", None]
