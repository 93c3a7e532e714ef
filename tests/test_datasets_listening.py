"""Listening logs: every export's form, matching, pseudonyms, and what is told of the rest."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from benchmarks.public_sets import hetrec_lastfm
from musicu.candidates import LISTENS
from musicu.catalog.catalog import Catalog
from musicu.catalog.schema import TRACKS
from musicu.cli.app import app
from musicu.errors import SourceError
from musicu.ingest.date_columns import moment
from musicu.listening.importers.raw import raw_table
from musicu.listening.importers.reading import ReadingOptions, read_listens
from musicu.listening.importing import import_listens
from musicu.listening.listen_matching import WAYS, Matcher
from musicu.listening.pseudonyms import listener_key, pseudonyms

KEY = b"0123456789abcdef"


def tracks(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"gone": False, **row} for row in rows], schema=TRACKS)


CATALOG = tracks(
    {
        "track_id": "a",
        "title": "Río",
        "artists": ["Björk", "Other"],
        "album": "First",
        "isrc": "GB-ABC-12-34567",
        "content_hash": "h1",
        "path": "bjork/first/Río.flac",
    },
    {
        "track_id": "b",
        "title": "Song (Live)",
        "artists": ["Band"],
        "album": "On Stage",
        "musicbrainz_recording_id": "8f3471b5-7e6a-48da-86a9-c1c07a0f47ae",
        "content_hash": "h2",
        "path": "band/stage/01.flac",
    },
    {
        "track_id": "c",
        "title": "Song",
        "artists": ["Band"],
        "album": "Studio",
        "content_hash": "h3",
    },
    {"track_id": "d", "title": "Song", "artists": ["Band"], "album": "Best", "content_hash": "h4"},
)


def rows_of(path: Path, **options: Any) -> list[dict[str, Any]]:
    given = ReadingOptions(**options)
    return [row for table in read_listens(path, given) for row in table.to_pylist()]


def write(path: Path, content: Any) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, "utf-8")
    return path


def matched(**listen: Any) -> tuple[str | None, str, bool]:
    """What one listen is matched to, how, and whether others fit."""
    found = Matcher(CATALOG).match(raw_table([listen]))
    row = int(found.row[0])
    return (
        CATALOG["track_id"][row].as_py() if row >= 0 else None,
        WAYS[found.way[0]],
        bool(found.ambiguous[0]),
    )


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ({"track_id": "c", "artist": "Björk", "title": "Río"}, ("c", "id", False)),
        ({"isrc": "gbabc1234567"}, ("a", "isrc", False)),
        ({"recording_mbid": "8F3471B5-7E6A-48DA-86A9-C1C07A0F47AE"}, ("b", "musicbrainz", False)),
        ({"path": "C:/Music/bjork/first/río.FLAC"}, ("a", "path", False)),
        ({"artist": "BJÖRK", "title": "RÍO"}, ("a", "name", False)),
        ({"artist": "Bjo\u0308rk", "title": "Ri\u0301o"}, ("a", "name", False)),
        ({"artist": "Björk feat. Someone", "title": "Río (feat. X)"}, ("a", "name", False)),
        ({"artist": "Björk, Other", "title": "Río"}, ("a", "name", False)),
        ({"artist": "Björk & Nobody", "title": "Río - Remastered 2011"}, ("a", "name", False)),
        ({"artist": "Band", "title": "Song (Live)"}, ("b", "name", False)),
        ({"artist": "Band", "title": "Song", "album": "best"}, ("d", "name", False)),
        ({"artist": "Band", "title": "Song"}, ("c", "name", True)),
        ({"artist": "Band", "title": "Song (Acoustic)"}, (None, "", False)),
        ({"artist": "Nobody", "title": "Río"}, (None, "", False)),
        ({"title": "Río"}, (None, "", False)),
    ],
)
def test_matching(listen: dict[str, Any], expected: tuple[str | None, str, bool]) -> None:
    assert matched(**listen) == expected


@pytest.mark.parametrize(
    "cell",
    [
        1464727560,
        "1464727560",
        "1464727560000",
        "2016-05-31T20:46:00Z",
        "2016-05-31 20:46",
        "31 May 2016, 20:46",
        "31 May 2016 20:46",
        "2016-05-31T22:46:00+02:00",
    ],
)
def test_moments_in_every_spelling(cell: Any) -> None:
    found = moment(cell)
    assert found is not None
    assert found.timestamp() == 1464727560


@pytest.mark.parametrize("cell", [None, "", "never", 0, "0", "99999999999999999999"])
def test_what_is_no_moment_is_none(cell: Any) -> None:
    assert moment(cell) is None


def test_listenbrainz_archive(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    listen = {
        "listened_at": 1464727560,
        "track_metadata": {
            "artist_name": "Band",
            "track_name": "Song",
            "additional_info": {"isrc": ["X1"]},
            "mbid_mapping": {"recording_mbid": "m1"},
        },
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("user.json", "{}")
        archive.writestr("listens/2016/5.jsonl", json.dumps(listen) + "\n\n")
        hate = {"recording_mbid": "m2", "score": -1, "created": 1464727560}
        archive.writestr("feedback.jsonl", json.dumps(hate))
    hated, heard = rows_of(path)
    assert (hated["recording_mbid"], hated["weight"]) == ("m2", -1)
    assert (heard["artist"], heard["title"], heard["isrc"]) == ("Band", "Song", "X1")
    assert heard["recording_mbid"] == "m1"
    assert heard["timestamp"].timestamp() == 1464727560


def test_listenbrainz_answers_of_the_api(tmp_path: Path) -> None:
    listen = {
        "listened_at": 1464727560,
        "user_name": "rob",
        "track_metadata": {"artist_name": "Band", "track_name": "Song"},
    }
    for document in ({"payload": {"listens": [listen]}}, [listen]):
        assert rows_of(write(tmp_path / "lb.json", document))[0]["user"] == "rob"


def test_lastfm_pages_without_what_plays_now(tmp_path: Path) -> None:
    track = {"artist": {"#text": "Band"}, "name": "Song", "mbid": "", "album": {"#text": "Best"}}
    playing = {**track, "@attr": {"nowplaying": "true"}}
    page = {"track": [playing, {**track, "date": {"uts": "1464727560"}}], "@attr": {"user": "rj"}}
    for document in ({"recenttracks": page}, [{"recenttracks": page}], [page]):
        (row,) = rows_of(write(tmp_path / "scrobbles.json", document))
        assert (row["user"], row["artist"], row["title"], row["album"]) == (
            "rj",
            "Band",
            "Song",
            "Best",
        )
        assert row["recording_mbid"] is None


def test_lastfm_csv_forms(tmp_path: Path) -> None:
    ghan = "uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid\n"
    ghan += '"1464727560","31 May 2016, 20:46","Band","","Best","","Song","m1"\n'
    stats = 'Artist;Album;AlbumId;Track;Date#rj\n"Band";"Best";"";"Song";"1464727560000"\n'
    bare = "Band,Best,Song,31 May 2016 20:46\n"
    for text in (ghan, stats, bare):
        (row,) = rows_of(write(tmp_path / "s.csv", text))
        assert (row["artist"], row["album"], row["title"]) == ("Band", "Best", "Song")
        assert row["timestamp"].timestamp() == 1464727560
    scrobbles = [{"track": "Song", "artist": "Band", "album": "Best", "date": 1464727560000}]
    (row,) = rows_of(write(tmp_path / "s.json", {"username": "rj", "scrobbles": scrobbles}))
    assert (row["user"], row["timestamp"].timestamp()) == ("rj", 1464727560)


def test_spotify_extended_history_weighs_streams_and_skips(tmp_path: Path) -> None:
    def stream(ms: int, **more: Any) -> dict[str, Any]:
        names = {"master_metadata_track_name": "Song", "master_metadata_album_artist_name": "Band"}
        return {"ts": "2016-05-31T20:46:00Z", "ms_played": ms, **names, **more}

    document = [
        stream(200_000),
        stream(15_000, reason_end="endplay"),
        stream(3_000, reason_end="fwdbtn"),
        stream(3_000, skipped=True),
        stream(90_000, skipped=True),
        stream(200_000, incognito_mode=True),
        stream(200_000, master_metadata_track_name=None, episode_name="Podcast"),
    ]
    rows = rows_of(write(tmp_path / "Streaming_History_Audio_2016.json", document))
    assert [row["weight"] for row in rows] == [1, 0.5, -1, -1, 1]


def test_spotify_account_data(tmp_path: Path) -> None:
    document = [
        {"endTime": "2016-05-31 20:46", "artistName": "Band", "trackName": "S", "msPlayed": 6000}
    ]
    (row,) = rows_of(write(tmp_path / "StreamingHistory_music_0.json", document))
    assert row["weight"] == pytest.approx(0.2)
    assert row["timestamp"].timestamp() == 1464727560


def test_playlists(tmp_path: Path) -> None:
    text = "#EXTM3U\n#PLAYLIST:Evening\n#EXTINF:100,Band - Song - Live\nx\\01.flac\nplain.mp3\n"
    first, second = rows_of(write(tmp_path / "p.m3u8", text))
    assert (first["artist"], first["title"], first["path"]) == (
        "Band",
        "Song - Live",
        (tmp_path / "x" / "01.flac").as_posix(),
    )
    assert first["context"] == "playlist:Evening"
    assert second["path"] == (tmp_path / "plain.mp3").as_posix()
    identifier = "https://musicbrainz.org/recording/8f3471b5-7e6a-48da-86a9-c1c07a0f47ae"
    added = {"https://musicbrainz.org/doc/jspf#track": {"added_at": "2016-05-31T20:46:00+00:00"}}
    track = {"identifier": [identifier], "title": "Song", "creator": "Band", "extension": added}
    document = {"playlist": {"title": "Mine", "creator": "rob", "track": [track]}}
    (row,) = rows_of(write(tmp_path / "p.jspf", document))
    assert (row["user"], row["context"]) == ("rob", "playlist:Mine")
    assert row["recording_mbid"] == identifier[-36:]
    assert row["timestamp"].timestamp() == 1464727560


def test_xspf_playlists(tmp_path: Path) -> None:
    text = """<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/">
    <title>Evening</title><trackList><track><creator>Band</creator><title>Song</title>
    <album>Best</album><location>file:///music/band/r%C3%ADo.flac</location>
    <identifier>urn:isrc:X1</identifier></track></trackList></playlist>"""
    (row,) = rows_of(write(tmp_path / "p.xspf", text))
    assert (row["artist"], row["title"], row["album"]) == ("Band", "Song", "Best")
    assert (row["context"], row["isrc"]) == ("playlist:Evening", "X1")
    assert row["path"].endswith("/music/band/río.flac")
    with pytest.raises(SourceError, match=r"q\.xspf: no XSPF playlist"):
        rows_of(write(tmp_path / "q.xspf", "<html></html>"))


def test_tables_with_columns_of_any_name(tmp_path: Path) -> None:
    table = pa.table({"Who": ["x"], "Song Name": ["Song"], "Artist": ["Band"], "Plays": [3]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    (row,) = rows_of(path, columns={"user": "Who"})
    assert (row["user"], row["title"], row["artist"], row["weight"]) == ("x", "Song", "Band", 3)
    with pytest.raises(SourceError, match="no column 'Nope'"):
        rows_of(path, columns={"user": "Nope"})
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(SourceError, match=r"no column of .* says which track"):
        rows_of(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{]", "is not JSON"),
        ("a.json", '{"x": 1}', "neither that of a service that we know"),
        ("a.jsonl", '{"x": 1}\n{]', "lines of JSON, but neither those of a service"),
        ("a.jsonl", "{]\n{]", "is not JSON"),
        ("a.txt", "hello", "no file of listens that we know"),
        ("a.zip", "hello", "is not a ZIP file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        rows_of(write(tmp_path / name, content))
    with pytest.raises(SourceError, match="is not there"):
        rows_of(tmp_path / "missing.csv")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("listens.json", "[]")
    content = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"listens\.json cannot be unpacked .*encrypted"):
        rows_of(path)


def test_pseudonyms_join_under_one_key_and_only_there() -> None:
    names = pa.array(["anna", "ben", "anna"])
    one, two = pseudonyms(names, KEY).to_pylist(), pseudonyms(names, KEY[::-1]).to_pylist()
    assert one[0] == one[2] != one[1]
    assert not set(one) & set(two)
    assert all(len(name) == 32 and "anna" not in name for name in one)


def test_the_key_is_made_once_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUSICU_LISTENER_KEY", raising=False)
    path = tmp_path / "listener.key"
    assert listener_key(path) == listener_key(path)
    assert path.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("MUSICU_LISTENER_KEY", "ab" * 16)
    assert listener_key(path) == b"\xab" * 16
    monkeypatch.setenv("MUSICU_LISTENER_KEY", "short")
    with pytest.raises(SourceError, match="MUSICU_LISTENER_KEY is no key"):
        listener_key(path)


def test_import_writes_listens_and_lists_the_rest(tmp_path: Path) -> None:
    text = "user,artist,title,timestamp,weight\nanna,Björk,Río,1464727560,1\n"
    text += "ben,Nobody,Nothing,1464727560,1\nben,Nobody,Nothing,1464727561,1\n"
    text += "ben,Band,Song,1464727562,0\nben,Band,Song,1464727563,\n"
    out = tmp_path / "listens.parquet"
    done = import_listens([write(tmp_path / "l.csv", text)], CATALOG, out, KEY)
    (row,) = pq.read_table(out).to_pylist()
    assert pq.read_schema(out).equals(LISTENS)
    assert row["track_id"] == "a"
    assert row["user_id"] == pseudonyms(pa.array(["anna"]), KEY)[0].as_py()
    assert (done.read, done.listens, done.weightless, done.listeners) == (5, 1, 2, 1)
    assert done.unmatched_table().to_pylist()[0]["listens"] == 2
    assert "2 unmatched (1 track)" in done.summary()


def test_future_and_undated_listens_are_counted(tmp_path: Path) -> None:
    text = "user,artist,title,timestamp\nanna,Björk,Río,2016-05-31\nanna,Björk,Río,someday\n"
    text += "anna,Björk,Río,2199-01-01\n"
    out = tmp_path / "listens.parquet"
    done = import_listens([write(tmp_path / "l.csv", text)], CATALOG, out, KEY)
    assert (done.read, done.listens, done.future, done.undated) == (3, 2, 1, 1)
    assert "1 in the future left out; 1 without a moment that can be read" in done.summary()
    assert pq.read_table(out)["timestamp"].null_count == 1


def test_a_wrong_file_leaves_no_output(tmp_path: Path) -> None:
    out = tmp_path / "listens.parquet"
    with pytest.raises(SourceError):
        import_listens([write(tmp_path / "a.json", "{]")], CATALOG, out, KEY)
    assert {p.name for p in tmp_path.iterdir()} == {"a.json"}


def test_command_line(demo_catalog: Path, tmp_path: Path) -> None:
    track = Catalog.open(demo_catalog).tracks().to_pylist()[0]
    text = f'artist,title\n"{track["artists"][0]}","{track["title"]}"\nNobody,Nothing\n'
    given = ["listens", str(write(tmp_path / "l.csv", text)), "--catalog", str(demo_catalog)]
    given += ["-o", str(tmp_path / "o.parquet"), "--unmatched", str(tmp_path / "u.csv")]
    done = CliRunner().invoke(app, [*given, "--key", str(tmp_path / "key")])
    assert done.exit_code == 0, done.output
    assert "1 of 2 listens by 1 listener; 1 by name; 1 unmatched (1 track)" in done.output
    assert pc_csv.read_csv(tmp_path / "u.csv")["artist"].to_pylist() == ["Nobody"]
    wrong = CliRunner().invoke(app, [*given, "--column", "title"])
    assert wrong.exit_code == 2


def test_public_set_has_its_published_counts(shared_music: Path) -> None:
    folder = shared_music.parent / "data" / "hetrec2011_lastfm_2k"
    if not folder.is_dir():
        pytest.skip(f"no public set at {folder}")
    found = hetrec_lastfm(folder)
    assert (found.items.num_rows, found.listens.num_rows) == (17_632, 92_834)
    assert len(found.listens["user_id"].unique()) == 1_892
    assert found.taggings.num_rows == 186_478
    assert float(np.max(found.listens["weight"].to_numpy())) == 352_698
