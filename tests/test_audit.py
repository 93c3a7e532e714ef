"""An audit finds what was made wrong on purpose, and nothing in what is right."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from music import RATE, piece
from numpy.typing import NDArray
from prints import prints_of
from shelves_samples import table, vectors

from musicu.audit import Audit, audit, same_recording
from musicu.audit.auditing import group_findings
from musicu.audit.changes import SpectralChange
from musicu.audit.clean import clean_table
from musicu.audit.comparison_pairs import near_vectors, sharing_codes
from musicu.audit.fingerprint_comparison import Fingerprints
from musicu.audit.genre_checks import FEWEST, genre_findings
from musicu.audit.recording_groups import _named_alike, read_fingerprints
from musicu.audit.recording_matches import Match, find_matches
from musicu.audit.tag_checks import tag_findings
from musicu.catalog.catalog import Catalog
from musicu.cli.audit import audit as command
from musicu.errors import QueryError
from musicu.pipeline.describe import FillOptions, describe_catalog
from musicu.pipeline.run import embed
from musicu.records import Vectors

TODAY = date(2026, 11, 21)


def save(path: Path, samples: NDArray[np.float32], **tags: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with sf.SoundFile(path, "w", RATE, channels) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(samples)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten sound files, each with a fault or without, in a catalog of their own."""
    folder = tmp_path_factory.mktemp("audit")
    music = folder / "music"
    one, two, three = (piece(seed, 14.0) for seed in (1, 2, 3))
    said = {"artist": "Ann", "album": "Songs", "date": "2001"}
    save(music / "one.flac", one, title="One", genre="Jazz", **said)
    save(music / "copy.ogg", one[RATE * 2 :] * np.float32(0.5), title="Uno", artist="B")
    save(music / "two.flac", two, title="Two", **said)
    save(music / "live.flac", three, title="Two (Live)", artist="Ann", date="2035")
    silent = np.zeros((RATE * 3, 2), np.float32)
    save(music / "silent.flac", silent, title="Silence", artist="Ann")
    mono = piece(4, 8.0)
    save(music / "mono.flac", np.stack([mono, mono], axis=1), title="Mono", artist="Ann")
    loud = np.clip(piece(5, 8.0) * np.float32(6), -0.99, 0.99)
    save(music / "loud.flac", loud, title="Loud")
    padded = np.concatenate([piece(6, 8.0), np.zeros(RATE * 7, np.float32)])
    save(music / "padded.flac", padded, title="Track 01", artist="Various Artists")
    data = (music / "two.flac").read_bytes()
    (music / "cut.flac").write_bytes(data[: len(data) // 2])
    (music / "broken.flac").write_bytes(b"not sound at all")
    embed(music, folder / "catalog", jobs=1)
    return folder / "catalog"


@pytest.fixture(scope="module")
def found(made: Path) -> Audit:
    return audit(made, options=FillOptions(jobs=1), today=TODAY)


def where(found: Audit, kind: str) -> list[list[str]]:
    return [sorted(found.rows[i]["path"] for i in f.track_ids) for f in found.of(kind)]


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("corrupt", [["broken.flac"]]),
        ("truncated", [["cut.flac"]]),
        ("silent", [["silent.flac"]]),
        ("duplicates", [["copy.ogg", "one.flac"]]),
        ("names", [["copy.ogg", "one.flac"]]),
        ("clipped", [["loud.flac"]]),
        ("mono-in-stereo", [["mono.flac"]]),
        ("padded", [["padded.flac"]]),
        ("titles", [["cut.flac"], ["padded.flac"]]),
        ("dates", [["live.flac"]]),
    ],
)
def test_each_fault_is_found_where_it_is_and_nowhere_else(
    found: Audit, kind: str, paths: list[list[str]]
) -> None:
    told = sorted(where(found, kind))
    if kind == "titles":  # the tags of a file that was cut may or may not be readable
        assert ["padded.flac"] in told
        assert ["one.flac"] not in told
    else:
        assert told == paths


def test_a_file_that_cannot_be_read_is_told_once(found: Audit) -> None:
    paths = [[kind, *names] for kind in found.counts() for names in where(found, kind)]
    assert [told[0] for told in paths if "broken.flac" in told] == ["corrupt"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (0.0, "they sound the same in every block of 3 s"),
        (0.0123, "they sound the same in all but 1.2 % of the blocks of 3 s"),
        (0.0004, "they sound the same in all but less than 0.1 % of the blocks of 3 s"),
    ],
)
def test_how_sure_a_match_is_reads_plainly(change: float, words: str) -> None:
    for worst, kind in ((0.0, "duplicates"), (0.8, "alike")):
        match = Match("a", "b", True, 0.0, 60.0, 0.01, SpectralChange(change, worst))
        recording = "a" if match.certain else None
        rows = [row(track_id=h, content_hash=h, recording_id=recording) for h in "ab"]
        (finding,) = group_findings(rows, [match])
        assert (finding.kind, finding.text.endswith(words)) == (kind, True)


def test_a_low_sample_rate_is_named_and_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    sf.write(tmp_path / "music" / "low.wav", piece(7, 10.0)[:40_000], 4000)
    (tmp_path / "music" / "broken.wav").write_bytes(b"not sound at all")
    embed(tmp_path / "music", tmp_path / "catalog", jobs=1)
    describe_catalog(tmp_path / "catalog", options=FillOptions(jobs=1))
    told = audit(tmp_path / "catalog", options=FillOptions(jobs=1), today=TODAY)
    assert where(told, "undescribed") == [["low.wav"]]
    assert "a sample rate of 4000 Hz; at least 8000 are needed" in told.of("undescribed")[0].text
    assert where(told, "corrupt") == [["broken.wav"]]
    kept = clean_table(told)["path"].to_pylist()
    assert [Path(path).name for path in kept] == ["low.wav"]


def test_versions_are_linked_and_kept_apart(found: Audit, made: Path) -> None:
    assert [set(paths) >= {"live.flac", "two.flac"} for paths in where(found, "versions")] == [True]
    rows = {row["path"]: row for row in Catalog.open(made).tracks().to_pylist()}
    assert rows["live.flac"]["work_id"] == rows["two.flac"]["work_id"]
    assert rows["live.flac"]["recording_id"] != rows["two.flac"]["recording_id"]
    assert rows["one.flac"]["recording_id"] == rows["copy.ogg"]["recording_id"]


def test_same_recording_gives_the_groups(found: Audit, made: Path, tmp_path: Path) -> None:
    paths = {i: row["path"] for i, row in found.rows.items()}
    groups = [sorted(paths[i] for i in group) for group in same_recording(Catalog.open(made))]
    assert groups == [["copy.ogg", "one.flac"]]
    music = made.parent / "music"
    embed([music / "one.flac"], tmp_path / "new", jobs=1)
    with pytest.raises(QueryError, match="was not audited"):
        same_recording(Catalog.open(tmp_path / "new"))


def test_a_second_audit_hears_nothing_and_changes_nothing(made: Path, found: Audit) -> None:
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()}
    again = audit(made, options=FillOptions(jobs=1), today=TODAY)
    assert again.fingerprinted.done == 0
    assert again.counts() == found.counts()
    assert {p: p.stat().st_mtime_ns for p in made.rglob("*") if p.is_file()} == before


def test_the_clean_table_is_a_source_without_the_faults(found: Audit, tmp_path: Path) -> None:
    files = {p: p.read_bytes() for p in (found.path.parent / "music").iterdir()}
    clean = clean_table(found)
    names = {Path(path).name for path in clean["path"].to_pylist()}
    assert {"broken.flac", "silent.flac", "copy.ogg"} & names == set()
    assert {"one.flac", "two.flac", "live.flac", "loud.flac"} <= names
    pq.write_table(clean, tmp_path / "clean.parquet")
    catalog = embed(tmp_path / "clean.parquet", tmp_path / "new", jobs=1).catalog
    assert set(catalog.tracks()["track_id"].to_pylist()) == set(clean["track_id"].to_pylist())
    assert {p: p.read_bytes() for p in files} == files


def test_json_and_page_say_the_same(found: Audit, tmp_path: Path) -> None:
    document = json.loads(found.to_json(tmp_path / "audit.json"))
    assert document["counts"] == found.counts()
    assert len(document["findings"]) == len(found.findings)
    found.to_html(tmp_path / "audit.html")
    text = (tmp_path / "audit.html").read_text(encoding="utf-8")
    for kind in found.counts():
        assert f'id="{kind}"' in text
    assert "copy.ogg" in text
    assert "script-src" in text


def test_the_command_fails_on_what_it_is_told_to(made: Path, found: Audit, tmp_path: Path) -> None:
    run = CliRunner().invoke
    out = tmp_path / "clean.parquet"
    words = [str(made), "--json", "-j", "1", "--fix", str(out)]
    done = run(command, [*words, "--fail-on", "duplicates,corrupt"], standalone_mode=False)
    assert done.return_value == 1
    assert json.loads(done.stdout)["counts"]["duplicates"] == 1
    assert pq.read_table(out).num_rows == clean_table(found).num_rows
    done = run(command, [*words, "--fail-on", "codes"], standalone_mode=False)
    assert done.return_value == 0
    assert run(command, [*words, "--fail-on", "nonsense"]).exit_code == 2


def test_an_excerpt_is_a_part_and_no_copy() -> None:
    long, other = piece(1, 60.0), piece(2, 60.0)
    prints = prints_of(long, long[RATE * 10 : RATE * 40], other)
    (match,) = find_matches(prints)
    assert (match.first, match.second, match.whole) == ("h0", "h1", False)
    assert match.offset_seconds == pytest.approx(10.0, abs=0.2)


def test_half_the_same_is_not_the_same() -> None:
    one, two = piece(1, 30.0), piece(2, 30.0)
    prints = prints_of(np.concatenate([one, two]), np.concatenate([one, piece(3, 30.0)]))
    assert find_matches(prints) == []


def test_pairs_worth_comparing_are_those_of_a_plain_search() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**32, 400, dtype=np.uint32)
    codes[250:270] = codes[20:40] ^ np.uint32(1 << 9)  # one bit is off in each
    marks = np.full(400, 0xFFFFFFFF, np.uint32)
    prints = Fingerprints(["a", "b"], codes, marks, np.array([0, 200, 400]))
    assert sharing_codes(prints).tolist() == [[0, 1, 20 - 50]]
    codes[250:270] ^= np.uint32(1 << 30 | 1 << 20)  # in three bytes of four
    assert sharing_codes(prints).tolist() == []


def test_pairs_that_share_codes_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(3)
    edges = np.arange(0, 601, 50)
    kinds = rng.integers(0, 1 << 32, 400, np.uint32)
    codes = kinds[rng.integers(0, len(kinds), edges[-1])]
    marks = np.where(rng.random(len(codes)) < 0.9, np.uint32(0xFFFF), np.uint32(1))
    prints = Fingerprints([f"h{n:02}" for n in range(12)], codes, marks, edges)
    found = sharing_codes(prints).tolist()
    assert len(found) > 5
    assert found == plainly_shared(codes.tolist(), (marks > 1).tolist())


def plainly_shared(codes: list[int], marked: list[bool]) -> list[list[int]]:
    """What `sharing_codes` finds in recordings of 50 frames each, by dictionaries."""
    shared = set()
    for shift in range(0, 32, 8):
        rows_of: dict[int, list[int]] = {}
        for row in np.flatnonzero(marked).tolist():
            rows_of.setdefault(codes[row] & ~(0xFF << shift), []).append(row)
        for rows in rows_of.values():
            for a, b in combinations(rows if len(rows) <= 24 else [], 2):
                if a // 50 != b // 50:
                    shared.add((a // 50, b // 50, a % 50 - b % 50, a % 50))
    votes = Counter(meeting[:3] for meeting in shared)
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for i, j, offset in votes:
        count = votes[i, j, offset] + votes.get((i, j, offset - 1), 0)
        rank = -count, abs(offset), offset
        if count >= 2:
            best[i, j] = min(best.get((i, j), rank), rank)
    return [[*pair, best[pair][2]] for pair in sorted(best)]


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 0.95), st.integers(0, 30).map(lambda n: n + 0.5))
def test_near_vectors_is_the_plain_double_loop(seed: int, cosine: float, apart: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((14, 3)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    seconds = np.round(rng.uniform(0, 60, 14))
    plain = {
        (i, j)
        for i in range(14)
        for j in range(i + 1, 14)
        if values[i] @ values[j] >= cosine and abs(seconds[i] - seconds[j]) <= apart
    }
    close = {(i, j) for i, j in plain if abs(values[i] @ values[j] - cosine) < 1e-6}
    told = set(near_vectors(values, seconds, cosine, apart))
    assert plain - close <= told
    assert told - plain <= close


def row(**more: Any) -> dict[str, Any]:
    names = ("title", "artists", "album", "album_artist", "date", "original_date", "compilation")
    path = {"path": "a/b.flac", "root": "/m", "musicbrainz_album_id": None}
    return {**dict.fromkeys(names), "track_id": "t", **path, "title": "A", "artists": ["B"], **more}


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({}, []),
        ({"title": None}, ["titles"]),
        ({"title": "Track 07"}, ["titles"]),
        ({"title": "1999"}, []),
        ({"artists": None}, ["artists"]),
        ({"artists": ["Unknown Artist"]}, ["artists"]),
        ({"artists": [], "album_artist": "Ann"}, []),
        ({"date": "1870"}, ["dates"]),
        ({"date": "2027"}, []),
        ({"date": "2035-01-01"}, ["dates"]),
        ({"date": "1999", "original_date": "2004"}, ["dates"]),
        ({"date": "2004", "original_date": "1999"}, []),
    ],
)
def test_tags_that_cannot_be_right_are_found(change: dict[str, Any], kinds: list[str]) -> None:
    assert [finding.kind for finding in tag_findings([row(**change)], TODAY)] == kinds


def test_a_year_that_stands_out_on_its_album_is_found() -> None:
    rows = [row(track_id=f"t{i}", album="X", date="2001") for i in range(6)]
    assert list(tag_findings(rows, TODAY)) == []
    rows[3]["date"] = "2011"
    assert [f.track_ids for f in tag_findings(rows, TODAY)] == [("t3",)]
    for each in rows:
        each["compilation"] = True
    assert list(tag_findings(rows, TODAY)) == []


def test_a_swapped_genre_is_found_among_clear_ones() -> None:
    rng = np.random.default_rng(0)
    rows, values = [], []
    for i in range(60):
        jazz = i % 2 == 0
        rows.append(
            {"track_id": f"t{i}", "artists": [f"A{i}"], "genres": ["Jazz" if jazz else "House"]}
        )
        values.append(np.array([1.0, 0, 0] if jazz else [0, 1.0, 0]) + 0.2 * rng.standard_normal(3))
    rows[6]["genres"] = ["house"]
    tracks = table(rows).to_pylist()
    space = vectors([r["track_id"] for r in rows], np.array(values, np.float32))
    (finding,) = genre_findings(tracks, space)
    assert (finding.track_ids, finding.values["guess"]) == (("t6",), "jazz")


def genre_catalog(count: int) -> tuple[list[dict[str, Any]], Vectors]:
    """Tracks of four genres that lie apart, some mislabelled, some by one artist."""
    rng = np.random.default_rng(1)
    centres, genre = rng.standard_normal((4, 8)), rng.integers(4, size=count)
    values = (centres[genre] + 0.8 * rng.standard_normal((count, 8))).astype(np.float32)
    said = np.where(rng.random(count) < 0.1, rng.integers(4, size=count), genre)
    rows = [
        {"track_id": f"t{i}", "artists": [f"A{i // 5}"], "genres": [f"G{said[i]}"]}
        for i in range(count)
    ]
    return table(rows).to_pylist(), vectors([r["track_id"] for r in rows], values)


def plain_genre_findings(
    tracks: list[dict[str, Any]], space: Vectors
) -> dict[str, tuple[str, int]]:
    """Each track compared with each other one, one after the other."""
    found = {}
    for i, track in enumerate(tracks):
        others = [t for t in tracks if t["artists"] != track["artists"]]
        if sum(t["genres"] == track["genres"] for t in others) < FEWEST:
            continue
        order = np.argsort(-(space.values @ space.values[i]), kind="stable")[:61].tolist()
        near = [tracks[j]["genres"][0] for j in order if tracks[j] in others][:10]
        genre, agreeing = Counter(near).most_common(1)[0]
        if track["genres"][0] not in near and agreeing >= 7:
            found[track["track_id"]] = (genre.lower(), agreeing)
    return found


@pytest.mark.parametrize("block", [1, 1000, 1 << 22])
def test_genre_findings_are_those_of_a_plain_loop(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("musicu.audit.genre_checks._BLOCK_SCORES", block)
    tracks, space = genre_catalog(300)
    found = {
        f.track_ids[0]: (f.values["guess"], f.values["agreeing"])
        for f in genre_findings(tracks, space)
    }
    assert found == plain_genre_findings(tracks, space)
    assert len(found) > 5


def test_of_many_labelled_tracks_only_some_are_compared_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracks, space = genre_catalog(600)
    exact = {f.track_ids[0] for f in genre_findings(tracks, space)}
    monkeypatch.setattr("musicu.audit.genre_checks._MOST_COMPARED", 300)
    some = {f.track_ids[0] for f in genre_findings(tracks, space)}
    assert some != exact
    assert len(some & exact) > len(exact) / 2


def test_two_copies_share_one_fingerprint(made: Path, tmp_path: Path) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for name in ("a.flac", "b.flac"):
        shutil.copy(made.parent / "music" / "two.flac", music / name)
    embed(music, tmp_path / "catalog", jobs=1)
    found = audit(tmp_path / "catalog", options=FillOptions(jobs=1), today=TODAY)
    assert len(found.of("duplicates")) == 1
    assert len(read_fingerprints(Catalog.open(tmp_path / "catalog"))) == 1


def test_a_version_is_of_the_work_that_is_spelled_like_it() -> None:
    titles = {
        "a": [{"title": "Help", "artists": ["Ann"]}],
        "b": [{"title": "Help!", "artists": ["Ann"]}],
        "c": [{"title": "Help! (Live)", "artists": ["Ann"]}],
        "d": [{"title": "Help (Demo)", "artists": ["Ann"]}],
        "e": [{"title": "Dont Go (Live)", "artists": ["Ann"]}],
        "f": [{"title": "Don't Go", "artists": ["Ann"]}],
    }
    assert set(_named_alike(titles)) == {("b", "c"), ("a", "d"), ("f", "e")}
