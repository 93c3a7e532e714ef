"""Joins: other people's files beside a catalog, by ids, ISRCs, names, with damage counted."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import shutil
import tarfile
import tracemalloc
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from click.testing import CliRunner
from packages import install

from musicu import Catalog
from musicu.candidates import NewReleases, Popular, find_candidates
from musicu.cli.app import app
from musicu.datasets.name_damage import KINDS, TrackNames, damaged_names
from musicu.errors import QueryError, RegistryError, SourceError
from musicu.joining.dumps.musicbrainz_dumps import read_musicbrainz
from musicu.joining.given_file import GivenFile
from musicu.joining.join_notes import JoinNotes
from musicu.joining.join_run import JoinInput, SourceReport, join
from musicu.listening.profiles import TasteProfile
from musicu.pipeline.run import scan

A, B, C, D, E = (f"{letter * 8}-1111-4111-8111-{letter * 12}" for letter in "abcde")
TRACKS = [
    # id, title, artist, album, album_artist, seconds, isrc, mbid
    ("t1", "Night Train", "The Owls", "Woods", None, 200.0, None, A),
    ("t2", "Morning", "Ann Lee", "Woods", None, 180.0, "GBAAA0000001", None),
    ("t3", "Evening Song", "Ann Lee", "Hits", "Various Artists", 240.0, "GBAAA0000002", None),
    ("t4", "Кино ночью", "Лес", "Лес", None, 150.0, None, None),
    ("t5", "Rain & Snow", "Bo Larsen & Ann Lee", "Sky", None, 210.0, None, None),
    ("t6", "Part 1", "The Owls", "Woods", None, 120.0, None, None),
]
NAMES = (
    "id",
    "title",
    "artist",
    "album",
    "album_artist",
    "duration_seconds",
    "isrc",
    "musicbrainz_recording_id",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of tracks and its catalog; to be copied."""
    tmp_path = tmp_path_factory.mktemp("made")
    table = pa.table({name: [row[at] for row in TRACKS] for at, name in enumerate(NAMES)})
    pq.write_table(table, tmp_path / "tracks.parquet")
    scan(tmp_path / "tracks.parquet", tmp_path / "catalog")
    return tmp_path


@pytest.fixture
def catalog(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "catalog"


def joined(catalog: Path, source: str, *files: Path, **options: Any) -> SourceReport:
    return join(catalog, [JoinInput(source, source, files)], **options)[0]


def rows_of(catalog: Path, source: str) -> dict[str, dict[str, Any]]:
    return {row["track_id"]: row for row in Catalog.open(catalog).joined(source).to_pylist()}


def canonical(
    folder: Path, *rows: tuple[str, str, str], name: str = "canonical_musicbrainz_data.csv"
) -> Path:
    path = folder / name
    lines = ["id,artist_credit_id,artist_mbids,artist_credit_name,release_mbid,release_name,"
             "recording_mbid,recording_name,combined_lookup,score"]  # fmt: skip
    lines += [
        f'{n},1,{E},"{artist}",{E},Album,{mbid},"{title}",x,{n}'
        for n, (mbid, artist, title) in enumerate(rows)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def recording(mbid: str, title: str, artist: str, **more: Any) -> dict[str, Any]:
    return {
        "id": mbid,
        "title": title,
        "artist-credit": [{"name": artist, "joinphrase": ""}],
        **more,
    }


def json_dump(folder: Path, documents: list[dict[str, Any]], name: str = "recording") -> Path:
    """A JSON dump as MusicBrainz packs it."""
    path = folder / f"{name}.tar.xz"
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in documents).encode()
    with tarfile.open(path, "w:xz") as archive:
        for inside, data in (
            ("TIMESTAMP", b"2024-05-01 00:30:07.1+00\n"),
            ("COPYING", b"CC0"),
            (f"mbdump/{name}", lines),
        ):
            member = tarfile.TarInfo(inside)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_a_recording_is_found_by_its_id_whatever_it_is_called(
    catalog: Path, tmp_path: Path
) -> None:
    report = joined(catalog, "musicbrainz", canonical(tmp_path, (A, "Somebody", "Something")))
    assert report.matched == {"id": 1, "redirected id": 0, "isrc": 0, "name": 0}
    row = rows_of(catalog, "musicbrainz")["t1"]
    assert (row["record_id"], row["title"], row["matched_by"]) == (A, "Something", "id")


def test_redirects_are_followed_along_their_chains_and_circles_end(
    catalog: Path, tmp_path: Path
) -> None:
    redirects = tmp_path / "canonical_recording_redirect.csv"
    pairs = [(C, D), (A, B), (B, C), (E, E.replace("e", "f")), (E.replace("e", "f"), E)]
    redirects.write_text(
        "recording_mbid,canonical_recording_mbid,canonical_release_mbid\n"
        + "".join(f"{old},{new},{E}\n" for old, new in pairs)
    )
    dump = canonical(tmp_path, (D, "Somebody", "The canonical one"))
    report = joined(catalog, "musicbrainz", dump, redirects)
    assert report.matched["redirected id"] == 1
    assert rows_of(catalog, "musicbrainz")["t1"]["record_id"] == D


def test_the_id_itself_stands_before_where_it_leads(catalog: Path, tmp_path: Path) -> None:
    redirects = tmp_path / "canonical_recording_redirect.csv"
    redirects.write_text(
        f"recording_mbid,canonical_recording_mbid,canonical_release_mbid\n{A},{B},{E}\n"
    )
    dump = canonical(tmp_path, (B, "Y", "The canonical one"), (A, "X", "Itself"))
    joined(catalog, "musicbrainz", dump, redirects)
    assert rows_of(catalog, "musicbrainz")["t1"]["title"] == "Itself"


def test_dumps_in_json_have_isrcs_dates_and_a_day(catalog: Path, tmp_path: Path) -> None:
    found = recording(B, "Morning", "Ann Lee", isrcs=["GBAAA0000001"], length=181_000)
    found["first-release-date"] = "1999-03"
    report = joined(catalog, "musicbrainz", json_dump(tmp_path, [found]))
    row = rows_of(catalog, "musicbrainz")["t2"]
    assert report.matched["isrc"] == 1
    assert (row["date"], row["date_source"], row["date_as_of"]) == (
        "1999-03",
        "recording.tar.xz",
        date(2024, 5, 1),
    )
    tracks = Catalog.open(catalog).tracks()
    assert tracks.schema.field("musicbrainz_date").metadata == {
        b"source": b"musicbrainz",
        b"as_of": b"2024-05-01",
    }


def test_an_isrc_of_a_compilation_counts_only_where_the_names_agree(
    catalog: Path, tmp_path: Path
) -> None:
    wrong = recording(B, "Quite Another Tune", "Ann Lee", isrcs=["GBAAA0000002"])
    report = joined(catalog, "musicbrainz", json_dump(tmp_path, [wrong]))
    assert (report.matched["isrc"], report.distrusted) == (0, 1)
    right = recording(B, "Evening Song", "Ann Lee", isrcs=["GB-AAA-00-00002"])
    report = joined(catalog, "musicbrainz", json_dump(tmp_path, [wrong, right]))
    assert rows_of(catalog, "musicbrainz")["t3"]["title"] == "Evening Song"


def test_a_release_is_read_track_by_track(catalog: Path, tmp_path: Path) -> None:
    release = {
        "id": E, "title": "Woods", "date": "2001-02-03", "country": "GB",
        "release-group": {"first-release-date": "2000"},
        "label-info": [{"label": {"name": "Moss"}}],
        "media": [{"tracks": [{"recording": recording(A, "Night Train", "The Owls")}]}],
    }  # fmt: skip
    joined(catalog, "musicbrainz", json_dump(tmp_path, [release], "release"))
    row = rows_of(catalog, "musicbrainz")["t1"]
    assert (row["label"], row["country"], row["original_date"], row["album"]) == (
        "Moss",
        "GB",
        "2000",
        "Woods",
    )


@pytest.mark.parametrize(
    ("track", "title", "artist"),
    [
        ("t1", "Nigth Train (Remastered 2011)", "Owls, The"),
        ("t1", "Night Train (feat. MC Nine)", "the owls"),
        ("t2", "MORNING - 2009 Remaster", "Ann Leee"),
        ("t4", "Kino nochyu", "Les"),
        ("t5", "Rain and Snow", "Bo Larsen feat. Ann Lee"),
    ],
)
def test_names_are_found_as_people_damage_them(
    catalog: Path, tmp_path: Path, track: str, title: str, artist: str
) -> None:
    joined(catalog, "musicbrainz", canonical(tmp_path, (B, artist, title)))
    assert [
        (row, found["matched_by"]) for row, found in rows_of(catalog, "musicbrainz").items()
    ] == [(track, "name")]


@pytest.mark.parametrize(
    ("title", "artist"),
    [
        ("Part 2", "The Owls"),
        ("Night Train (Live)", "The Owls"),
        ("Night Train", "The Hawks"),
        ("Night Trail Song", "The Owls"),
        ("Morning", "Various Artists"),
    ],
)
def test_what_is_another_recording_is_not_found(
    catalog: Path, tmp_path: Path, title: str, artist: str
) -> None:
    report = joined(catalog, "musicbrainz", canonical(tmp_path, (B, artist, title)))
    assert sum(report.matched.values()) == 0


def test_lengths_far_apart_are_other_recordings(catalog: Path, tmp_path: Path) -> None:
    for length, count in ((300_000, 0), (203_000, 1)):
        dump = json_dump(tmp_path, [recording(B, "Night Train", "The Owls", length=length)])
        assert joined(catalog, "musicbrainz", dump).matched["name"] == count


def test_names_may_be_left_aside(catalog: Path, tmp_path: Path) -> None:
    dump = canonical(tmp_path, (B, "The Owls", "Night Train"))
    assert sum(joined(catalog, "musicbrainz", dump, by_names=False).matched.values()) == 0


def broken(line: str, number: int) -> bytes:
    forms = (
        line[: len(line) // 2],
        line.replace(",", ',"', 3),
        line + ",and,more",
        "\x00\x01 nothing",
    )
    return b"\xff\xfe\xf0" + line.encode() if number % 5 == 4 else forms[number % 5].encode()


def test_damaged_rows_of_csv_are_counted_and_named_and_the_rest_is_read(
    catalog: Path, tmp_path: Path
) -> None:
    good = canonical(tmp_path, *[(A, "The Owls", "Night Train")] * 3000).read_text().splitlines()
    lines = [good[0].encode()]
    for number, line in enumerate(good[1:]):
        lines += [line.encode(), broken(line, number)]
    path = tmp_path / "canonical_musicbrainz_data.csv.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines)))
    report = joined(catalog, "musicbrainz", path, damaged=tmp_path / "damaged.csv")
    assert (report.rows, sum(report.notes.damaged.values())) == (3000, 3000)
    listed = (tmp_path / "damaged.csv").read_text("utf-8").splitlines()
    assert len(listed) == 3001
    assert sum("not UTF-8" in line for line in listed) == 600
    assert sum("not closed" in line for line in listed) == 600


def test_a_value_may_run_over_lines(catalog: Path, tmp_path: Path) -> None:
    path = canonical(tmp_path, (A, "The Owls", "Night\nTrain"), (B, "Ann Lee", 'Say ""Morning""'))
    report = joined(catalog, "musicbrainz", path)
    assert (report.rows, report.notes.damaged.total()) == (2, 0)


def test_damaged_json_and_an_archive_that_ends_early_keep_the_rest(
    catalog: Path, tmp_path: Path
) -> None:
    lines = [
        json.dumps(recording(A, "Night Train", "The Owls")),
        "{",
        "[]",
        '{"id": 3}',
        '{"title": null, "id": "x"}',
    ]
    path = tmp_path / "recording"
    path.write_text("\n".join(lines * 200))
    report = joined(catalog, "musicbrainz", path)
    assert (report.rows, report.notes.damaged.total()) == (200, 800)
    whole = gzip.compress("\n".join(f"{lines[0]}{' ' * (n % 50)}" for n in range(9000)).encode(), 1)
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    report = joined(catalog, "musicbrainz", tmp_path / "cut.gz")
    assert 0 < report.rows < 9000
    assert any("ends early" in reason for reason in report.notes.damaged)


RELEASE = """<release id="{n}" status="Accepted"><artists><artist><id>1</id>
<name>Owls, The (2)</name><anv/><join/></artist></artists>
<title>Woods</title><labels><label name="Moss" catno="M1" id="5"/></labels>
<genres><genre>Rock</genre></genres>
<country>UK</country><released>1999-03-00</released><tracklist>
<track><position>A1</position><title>Night Train</title>
<duration>3:20</duration></track></tracklist></release>
"""


def test_documents_are_let_go_as_soon_as_they_were_read(tmp_path: Path) -> None:
    padded = {"tags": [{"name": f"tag {n}", "count": n} for n in range(100)]}
    path = json_dump(tmp_path, [recording(A, "Night Train", "The Owls", **padded)] * 2_000)
    file = GivenFile(path, JoinNotes())
    tracemalloc.start()
    rows = sum(table.num_rows for table in read_musicbrainz(file))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 2_000
    assert most < 40e6  # all of them together take half as much again


def test_discogs_releases_are_read_one_by_one_past_damaged_ones(
    catalog: Path, tmp_path: Path
) -> None:
    good = [RELEASE.format(n=n) for n in range(1, 201)]
    bad = [one.replace("</title>", "<") for one in good] + [one[:200] + "\n" for one in good]
    bad.append(good[0].replace("Woods", "&unknown;"))
    text = (
        "<releases>\n"
        + "".join(x for pair in zip(good, bad, strict=False) for x in pair)
        + "".join(bad[200:])
    )
    path = tmp_path / "discogs_20200806_releases.xml.gz"
    path.write_bytes(gzip.compress(text.encode()))
    report = joined(catalog, "discogs", path)
    assert (report.rows, report.notes.damaged.total()) == (200, 401)
    row = rows_of(catalog, "discogs")["t1"]
    assert (row["record_id"], row["date"], row["genres"]) == ("1-A1", "1999-03", ["Rock"])
    assert row["date_as_of"] == date(2020, 8, 6)


def test_listens_are_counted_and_become_popularity(catalog: Path, tmp_path: Path) -> None:
    said = [
        ("Night Train", "The Owls"),
        ("Night Train", "The Owls"),
        ("Morning", "Ann Lee"),
        ("None", "Nobody"),
    ]
    lines = [
        {
            "timestamp": 1,
            "track_metadata": {"track_name": t, "artist_name": a, "additional_info": {}},
        }
        for t, a in said
    ]
    path = tmp_path / "1.listens"
    path.write_text("\n".join(json.dumps(line) for line in [*lines, {"user": 1}]))
    report = joined(catalog, "listenbrainz", path)
    assert report.notes.damaged.total() == 1
    tracks = Catalog.open(catalog).tracks()
    told = zip(
        tracks["popularity"].to_pylist(), tracks["popularity_source"].to_pylist(), strict=True
    )
    assert list(told)[:3] == [(2.0, "listenbrainz"), (1.0, "listenbrainz"), (None, None)]


def test_statistics_tell_counts(catalog: Path, tmp_path: Path) -> None:
    path = tmp_path / "statistics.json"
    rows = [
        {"recording_mbid": A, "track_name": "x", "artist_name": "y", "listen_count": 12},
        {"artist_mbid": A},
    ]
    path.write_text(json.dumps({"entity": "recordings", "data": rows}) + "\n")
    joined(catalog, "listenbrainz", path)
    assert rows_of(catalog, "listenbrainz")["t1"]["popularity"] == 12.0


def test_a_table_of_somebodys_own_is_joined_by_named_columns(catalog: Path, tmp_path: Path) -> None:
    table = tmp_path / "charts_2025-04-30.tsv"
    table.write_text(
        "Song\tWho\tPlays\tMood\nMorning\tAnn Lee\t7\tcalm\nNight Train\tThe Owls\tmany\tdark\n"
    )
    command = ["join", str(catalog), "--table", str(table), "--name", "charts"]
    done = CliRunner().invoke(
        app, [*command, "--columns", "title=Song,artist=Who,popularity=Plays,mood=Mood", "--json"]
    )
    assert done.exit_code == 0, done.output
    row = rows_of(catalog, "charts")["t1"]
    assert (row["mood"], row["popularity"], row["mood_as_of"]) == ("dark", None, date(2025, 4, 30))
    assert rows_of(catalog, "charts")["t2"]["popularity"] == 7.0
    assert "popularity is not a number" in done.stderr


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_table_is_read_by_common_names_of_its_columns(
    catalog: Path, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"any.{ending}"
    row = {"isrc": "GBAAA0000001", "track": "Morning", "artist": "Ann Lee", "label": "Moss"}
    if ending == "parquet":
        pq.write_table(pa.table({name: [value] for name, value in row.items()}), path)
    else:
        path.write_text(
            json.dumps(row) if ending == "jsonl" else ",".join(row) + "\n" + ",".join(row.values())
        )
    report = joined(catalog, "table", path)
    assert report.matched["isrc"] == 1
    assert rows_of(catalog, "table")["t2"]["label"] == "Moss"


def test_what_cannot_be_joined_is_an_error_that_says_why(catalog: Path, tmp_path: Path) -> None:
    table = tmp_path / "any.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="says which recording a row means"):
        joined(catalog, "table", table)
    with pytest.raises(SourceError, match="has no column 'Song'"):
        join(catalog, [JoinInput("x", "table", [table], {"title": "Song"})])
    with pytest.raises(QueryError, match="nothing joined from 'x'"):
        Catalog.open(catalog).joined("x")
    with pytest.raises(QueryError, match="nothing to join"):
        join(catalog, [])


def test_a_join_takes_the_place_of_the_last_one_and_survives_a_scan(
    catalog: Path, tmp_path: Path
) -> None:
    joined(
        catalog,
        "musicbrainz",
        canonical(tmp_path, (A, "The Owls", "Night Train"), (B, "Ann Lee", "Morning")),
    )
    joined(catalog, "musicbrainz", canonical(tmp_path, (A, "The Owls", "Night Train")))
    scan(tmp_path / "tracks.parquet", catalog)
    assert list(rows_of(catalog, "musicbrainz")) == ["t1"]
    assert Catalog.open(catalog).sources() == ["musicbrainz"]


def test_dates_of_a_join_serve_filters_and_say_whence(catalog: Path, tmp_path: Path) -> None:
    found = recording(A, "Night Train", "The Owls")
    found["first-release-date"] = "2020-05-06"
    joined(catalog, "musicbrainz", json_dump(tmp_path, [found]))
    opened = Catalog.open(catalog)
    only = opened.columns(["track_id", "released", "released_source"]).to_pylist()
    assert only[0] == {
        "track_id": "t1",
        "released": date(2020, 5, 6),
        "released_source": "musicbrainz",
    }
    assert only[1]["released"] is None
    assert opened.unjoined_tracks()["released"].null_count == len(TRACKS)


def test_popularity_and_dates_of_joins_feed_candidates(catalog: Path, tmp_path: Path) -> None:
    vectors = np.eye(len(TRACKS), 8, dtype=np.float32)
    ids = [track[0] for track in TRACKS]
    Catalog.open(catalog).add_vectors("drawn", ids, vectors)
    taste = {"ann": TasteProfile.from_seeds(["t5"], Catalog.open(catalog).vectors())}
    now = datetime(2024, 5, 10, tzinfo=timezone.utc)

    def found(source: Any) -> list[str]:
        rows = find_candidates(Catalog.open(catalog), taste, [source], k=2, now=now)
        return [row["track_id"] for row in rows.to_pylist() if row["source"] == source.name]

    assert not found(Popular())
    assert not found(NewReleases())
    counts = tmp_path / "popularity.json"
    said = {"recording_mbid": A, "total_listen_count": 7}
    other = {"recording_name": "Morning", "artist_name": "Ann Lee", "total_listen_count": 90}
    counts.write_text("\n".join(map(json.dumps, (said, other))))
    joined(catalog, "listenbrainz", counts)
    new = recording(A, "Night Train", "The Owls") | {"first-release-date": "2024-05-06"}
    joined(catalog, "musicbrainz", json_dump(tmp_path, [new]))
    assert found(Popular()) == ["t2", "t1"]
    assert found(NewReleases()) == ["t1"]


def test_some_columns_are_those_of_all_and_read_no_others(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = recording(A, "Night Train", "The Owls") | {"first-release-date": "2020-05-06"}
    joined(catalog, "musicbrainz", json_dump(tmp_path, [found]))
    table = Catalog.open(catalog).tracks()
    monkeypatch.setattr(Catalog, "tracks", None)
    for names in (table.column_names, ["date"], ["musicbrainz_date", "title"], ["popularity"]):
        assert Catalog.open(catalog).columns(names).equals(table.select(names))


def test_order_of_rows_and_files_does_not_matter(catalog: Path, tmp_path: Path) -> None:
    rows = [(f"{n:08x}-1111-4111-8111-111111111111", "The Owls", "Night Train") for n in range(9)]
    seen = set()
    for _ in range(3):
        random.Random(len(seen)).shuffle(rows)
        path = canonical(tmp_path, *rows)
        path.write_text(path.read_text().replace(",x,", ",x,5"))
        text = path.read_text().splitlines()
        path.write_text(
            "\n".join([text[0], *(line.rsplit(",", 1)[0] + ",5" for line in text[1:])]) + "\n"
        )
        joined(catalog, "musicbrainz", path)
        seen.add(rows_of(catalog, "musicbrainz")["t1"]["record_id"])
    assert seen == {"00000000-1111-4111-8111-111111111111"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_of_damage_changes_names_the_same_way_from_one_seed(kind: str) -> None:
    names = TrackNames("Rain & Snow, Überall! (Live) And Then Some More", "The Owls & Bo", 200.0)
    once, again = (KINDS[kind](names, random.Random(7)) for _ in range(2))
    assert once == again != names


def test_damage_is_of_as_many_kinds_as_is_asked_for() -> None:
    for seed in range(20):
        _, kinds = damaged_names(
            TrackNames("Some Longer Title", "The Owls", 100.0), random.Random(seed), 3
        )
        assert len(set(kinds)) == 3


def test_ids_of_a_table_are_those_of_the_catalog_or_of_musicbrainz(
    catalog: Path, tmp_path: Path
) -> None:
    table = tmp_path / "any.csv"
    table.write_text(f"key,plays\n{A.upper()},5\nt2,6\nt9,7\n")
    columns = {"id": "key", "popularity": "plays"}
    report = join(catalog, [JoinInput("mine", "table", [table], columns)])[0]
    assert report.matched["id"] == 2
    found = rows_of(catalog, "mine")
    assert {name: row["popularity"] for name, row in found.items()} == {"t1": 5.0, "t2": 6.0}


def test_numbers_that_two_sources_share_are_no_identity(tmp_path: Path) -> None:
    (tmp_path / "tracks.csv").write_text("id,title,artist\n2,Food,Ann\n3,Rain,Bo\n")
    scan(tmp_path / "tracks.csv", tmp_path / "catalog")
    dump = tmp_path / "raw_tracks.csv"
    dump.write_text("track_id,track_title,artist_name,track_duration,track_listens\n"
                    "2,Food,Ann,02:48,1293\n3,Something Else,Cy,03:57,514\n")  # fmt: skip
    report = joined(tmp_path / "catalog", "fma", dump)
    assert report.matched["id"] == 1
    row = rows_of(tmp_path / "catalog", "fma")["2"]
    assert (row["popularity"], row["duration_seconds"]) == (1293.0, 168.0)


def sound(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.zeros(int(8_000 * seconds), np.float32), 8_000)


def test_the_tables_of_fma_with_three_lines_of_header_are_read(tmp_path: Path) -> None:
    sound(tmp_path / "music/000/000002.wav", 0.2)
    (tmp_path / "tracks.csv").write_text("id,title,artist,path\nx,Food,Ann,music/000/000002.wav\n")
    scan(tmp_path / "tracks.csv", tmp_path / "catalog")
    dump = tmp_path / "fma.csv"
    dump.write_text(",album,artist,track,track\n,title,name,title,listens\ntrack_id,,,,\n"
                    "2,Album,Somebody,Food,9\n")  # fmt: skip
    report = joined(tmp_path / "catalog", "fma", dump)
    assert (report.rows, report.matched["id"], report.notes.damaged.total()) == (1, 1, 0)


def test_jamendo_is_found_by_its_places_where_lengths_agree(tmp_path: Path) -> None:
    sound(tmp_path / "music/14/214.low.wav", 1.0)
    sound(tmp_path / "music/15/215.wav", 0.5)
    scan(tmp_path / "music", tmp_path / "catalog")
    dump = tmp_path / "tags.tsv"
    dump.write_text("track_id\tartist_id\talbum_id\tpath\tduration_s\ttags\n"
                    "track_0000214\ta\tb\t14/214.mp3\t1.2\tgenre---rock,mood/theme---calm\n"
                    "track_0000215\ta\tb\t15/215.mp3\t151.4\tgenre---metal\n")  # fmt: skip
    joined(tmp_path / "catalog", "jamendo", dump)
    found = list(rows_of(tmp_path / "catalog", "jamendo").values())
    assert [(row["record_id"], row["genres"]) for row in found] == [("214", ["rock"])]


def charts_code() -> str:
    """The format that the page on joins shows."""
    page = (Path(__file__).parent.parent / "docs/joins.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)[-1]


def test_a_format_of_another_package_is_used_by_its_name(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = charts_code() + "\n\ndef broken(file):\n    raise KeyError('x')\n"
    points = {
        "musicu.join_formats": {"my-charts": "charts_x:read_charts", "bad": "charts_x:broken"}
    }
    install(tmp_path / "site", "charts_x", code, points)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "charts.txt").write_text("120|Night Train|The Owls\nno row\n7|Morning|Ann Lee\n")
    words = ["join", str(catalog), "--other", "my-charts", str(tmp_path / "charts.txt")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "1 damaged rows left out: not three fields" in done.stderr
    assert rows_of(catalog, "my_charts")["t1"]["popularity"] == 120.0
    words[3:4] = ["bad"]
    failed = CliRunner().invoke(app, words)
    assert isinstance(failed.exception, RegistryError) or "KeyError" in failed.output
