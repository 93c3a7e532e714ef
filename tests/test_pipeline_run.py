"""A run reads what is new, leaves the rest alone, and loses nothing."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
from music import RATE, tune, write

from musicu.catalog.catalog import Catalog
from musicu.catalog.lock import write_lock
from musicu.embeddings.cards import find_model
from musicu.errors import CatalogError, SourceError
from musicu.pipeline.run import EmbedOptions, run, scan
from musicu.progress import Progress, reporting

MODEL = "musicu-stats-v1"
TRACKS = 6


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for i in range(TRACKS):
        artist = f"Artist {i // 2}"
        write(tmp_path / f"music/{artist}/tune {i}.flac", i, title=f"Tune {i}", artist=artist)
    return tmp_path / "music"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "catalog"


def go(source: Any, out: Path, model: str | Path | None = MODEL, **options: Any) -> Any:
    return run(source, out, model=model, options=EmbedOptions(**{"jobs": 1, **options}))


def contents(out: Path) -> dict[str, bytes]:
    """Every file of the tables, by its place among them, and the models of the manifest."""
    manifest = json.loads((out / "manifest.json").read_text())
    files = {
        f"{table} {i}": (out / name).read_bytes()
        for table, names in manifest["tables"].items()
        for i, name in enumerate(names)
    }
    return {**files, "models": json.dumps(manifest["models"]).encode()}


def test_every_track_gets_a_unit_vector(music: Path, out: Path) -> None:
    seen: list[Progress] = []
    with reporting(seen.append):
        report = run(music, out, model=MODEL, options=EmbedOptions(jobs=1))
    assert (report.tracks, report.embedded, report.failed) == (TRACKS, TRACKS, 0)
    read = [now for now in seen if now.stage == "reading files"]
    assert read[-1] == Progress("reading files", TRACKS, TRACKS, "tracks")
    catalog = Catalog.open(out)
    ids, values = catalog.vectors()
    assert sorted(ids) == catalog.tracks()["track_id"].to_pylist()
    assert values.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1.0, atol=1e-5)
    assert sorted(catalog.tracks()["title"].to_pylist()) == [f"Tune {i}" for i in range(TRACKS)]
    assert catalog.tracks()["complete"].to_pylist() == [True] * TRACKS


def test_a_vector_belongs_to_its_track(music: Path, out: Path) -> None:
    from musicu import Embedder, read_audio

    go(music, out)
    catalog, embedder = Catalog.open(out), Embedder.load(MODEL)
    for track_id, vector in zip(*catalog.vectors(), strict=True):
        audio = read_audio(catalog.file(track_id), embedder.sample_rate, embedder.windows)
        np.testing.assert_array_equal(embedder.embed(audio), vector)


def test_a_second_run_finds_nothing_to_do_and_writes_nothing(music: Path, out: Path) -> None:
    go(music, out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    report = go(music, out)
    assert (report.known, report.embedded, report.updated) == (TRACKS, 0, 0)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before


def test_the_number_of_jobs_changes_no_byte(music: Path, tmp_path: Path) -> None:
    go(music, tmp_path / "one", jobs=1)
    go(music, tmp_path / "three", jobs=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "three")


def test_a_renamed_file_is_known_by_its_sound(music: Path, out: Path) -> None:
    go(music, out)
    (music / "Artist 0/tune 0.flac").rename(music / "Artist 0/other name.flac")
    report = go(music, out)
    assert (report.embedded, report.reused, report.gone) == (0, 1, 1)
    assert len(Catalog.open(out).vectors().ids) == TRACKS


def test_a_retagged_file_gets_its_new_tags_and_keeps_its_vector(music: Path, out: Path) -> None:
    go(music, out)
    before = Catalog.open(out).vectors()
    write(music / "Artist 0/tune 0.flac", 0, title="New name", artist="Artist 0", album="An album")
    report = go(music, out)
    assert (report.embedded, report.updated) == (0, 1)
    catalog = Catalog.open(out)
    assert "New name" in catalog.tracks()["title"].to_pylist()
    np.testing.assert_array_equal(catalog.vectors().values, before.values)


def test_a_file_with_other_sound_is_embedded_again(music: Path, out: Path) -> None:
    go(music, out)
    before = Catalog.open(out).vectors()
    write(music / "Artist 0/tune 0.flac", 77, title="Tune 0", artist="Artist 0")
    report = go(music, out)
    assert (report.embedded, report.tracks) == (1, TRACKS)
    after = Catalog.open(out)
    changed = dict(zip(*after.vectors(), strict=True))
    was = dict(zip(*before, strict=True))
    assert changed.keys() == was.keys()
    assert sum(not np.array_equal(changed[i], was[i]) for i in was) == 1


def test_a_deleted_file_is_gone_until_it_comes_back(music: Path, out: Path, tmp_path: Path) -> None:
    go(music, out)
    whole, rows = contents(out), Catalog.open(out).tracks().drop_columns(["changed_ns"])
    path = music / "Artist 1/tune 2.flac"
    shutil.move(path, tmp_path / "away.flac")
    assert go(music, out).gone == 1
    assert len(Catalog.open(out)) == TRACKS - 1
    assert len(Catalog.open(out).vectors().ids) == TRACKS - 1
    assert Catalog.open(out).tracks(gone=True).num_rows == TRACKS
    shutil.move(tmp_path / "away.flac", path)
    report = go(music, out)
    assert (report.gone, report.embedded) == (0, 0)
    assert contents(out).keys() == whole.keys()
    vectors = f"vectors/{MODEL} 0"
    assert contents(out)[vectors] == whole[vectors]
    assert Catalog.open(out).tracks().drop_columns(["changed_ns"]).equals(rows)


def test_prune_removes_gone_tracks_and_their_vectors(music: Path, out: Path) -> None:
    go(music, out)
    (music / "Artist 1/tune 2.flac").unlink()
    assert go(music, out, prune=True).pruned == 1
    catalog = Catalog.open(out)
    assert catalog.tracks(gone=True).num_rows == TRACKS - 1
    assert len(json.loads((out / "manifest.json").read_text())["tables"]["tracks"]) == 1
    table = catalog._store.read(f"vectors/{MODEL}")
    assert table is not None
    assert table.num_rows == TRACKS - 1


def test_two_copies_of_a_recording_share_one_vector(music: Path, out: Path) -> None:
    shutil.copy(music / "Artist 0/tune 0.flac", music / "copy.flac")
    report = go(music, out)
    assert (report.embedded, report.reused, report.failed) == (TRACKS, 1, 0)
    assert len(Catalog.open(out).vectors().ids) == TRACKS + 1


def test_what_cannot_be_read_fails_with_a_reason_and_stops_nothing(music: Path, out: Path) -> None:
    (music / "empty.mp3").touch()
    (music / "text.mp3").write_text("this is no music\n" * 100)
    (music / "folder.flac").mkdir()
    report = go(music, out)
    assert (report.embedded, report.failed) == (TRACKS, 2)
    rows = {row["path"]: row for row in Catalog.open(out).failures().to_pylist()}
    assert rows.keys() == {"empty.mp3", "text.mp3"}
    assert all(len(row["reason"]) > 10 for row in rows.values())


def test_a_failure_is_remembered_until_the_file_changes(music: Path, out: Path) -> None:
    bad = music / "bad.flac"
    bad.write_bytes(b"no music")
    go(music, out)
    again = go(music, out)
    assert (again.failed, again.remembered, again.embedded) == (1, 1, 0)
    retried = go(music, out, retry_failed=True)
    assert (retried.failed, retried.remembered) == (1, 0)
    assert Catalog.open(out).failures().num_rows == 1
    write(bad, 50)
    mended = go(music, out)
    assert (mended.failed, mended.embedded) == (0, 1)
    assert Catalog.open(out).failures().num_rows == 0


def another_model(folder: Path, name: str, **changes: Any) -> Path:
    """A copy of the shipped model under another name."""
    shutil.copytree(find_model(MODEL).folder, folder)
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "name": name, **changes}))
    return folder


def test_models_stand_beside_each_other(music: Path, out: Path, tmp_path: Path) -> None:
    go(music, out)
    ours = another_model(tmp_path / "ours", "ours", windows={"seconds": 0.5, "count": 1})
    report = go(music, out, model=ours)
    assert report.embedded == TRACKS
    catalog = Catalog.open(out)
    assert set(catalog.models()) == {"ours", MODEL}
    assert not np.array_equal(catalog.vectors("ours").values, catalog.vectors(MODEL).values)


def test_vectors_of_two_models_are_never_mixed(music: Path, out: Path, tmp_path: Path) -> None:
    go(music, out, model=another_model(tmp_path / "one", "ours"))
    other = another_model(tmp_path / "two", "ours", windows={"seconds": 0.5, "count": 1})
    with pytest.raises(CatalogError, match="never mixed"):
        go(music, out, model=other)
    assert go(music, out, model=other, force=True).embedded == TRACKS


def test_whole_files_make_a_model_of_their_own(music: Path, out: Path) -> None:
    from musicu import Embedder, read_audio

    long = music / "long.flac"
    sf.write(long, np.concatenate([tune(i) for i in range(50, 120)]), RATE)
    go(music, out)
    assert go(music, out, thorough=True).embedded == TRACKS + 1
    assert go(music, out, model=f"{MODEL}+thorough").known == TRACKS + 1
    catalog, embedder = Catalog.open(out), Embedder.load(MODEL)
    assert catalog.models() == [MODEL, f"{MODEL}+thorough"]
    windows, whole = (dict(zip(*catalog.vectors(m), strict=True)) for m in catalog.models())
    (track_id,) = (i for i in windows if catalog.file(i) == long)
    heard = embedder.embed_checked([read_audio(long, embedder.sample_rate)])[0]
    np.testing.assert_allclose(whole[track_id], heard, atol=1e-6)
    assert not np.allclose(windows[track_id], heard, atol=1e-3)
    assert catalog.vectors(f"{MODEL}+thorough").fingerprint != catalog.vectors(MODEL).fingerprint


def test_a_recording_longer_than_two_stretches_is_the_mean_of_them(tmp_path: Path) -> None:
    from musicu import Embedder, read_audio
    from musicu.pipeline import thorough
    from musicu.records import Audio

    embedder = Embedder.load(MODEL)
    path = write(tmp_path / "long.flac", 3, seconds=11.0)
    sound = read_audio(path, embedder.sample_rate).samples
    cut = [0, *(round(t * embedder.sample_rate) for t in (4.0, 11.0))]
    parts = [sound[a:b] for a, b in itertools.pairwise(cut)]
    mean = sum(
        len(p) * embedder.embed_checked([Audio.of(p, embedder.sample_rate)])[0] for p in parts
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(thorough, "STRETCH_SECONDS", 4.0)
        vector, heard = thorough.embed_whole(path, embedder)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert heard is None  # all of it


def test_describing_in_the_same_run_gives_both_and_goes_on(music: Path, out: Path) -> None:
    bad = music / "bad.flac"
    bad.write_bytes(b"no music")
    report = go(music, out, describe=True, nice=True)
    assert (report.embedded, report.described, report.failed) == (TRACKS, TRACKS, 1)
    assert Catalog.open(out).descriptors().num_rows == TRACKS
    write(music / "new.flac", 40)
    assert go(music, out).embedded == 1
    again = go(music, out, describe=True)
    assert (again.embedded, again.described, again.known) == (0, 1, TRACKS)
    assert again.remembered == 1


def test_force_embeds_again_to_the_same_bytes(music: Path, out: Path) -> None:
    go(music, out)
    before = contents(out)
    assert go(music, out, force=True).embedded == TRACKS
    assert contents(out) == before


def test_scan_reads_tags_and_hashes_and_decodes_nothing(music: Path, out: Path) -> None:
    (music / "text.flac").write_text("no music, but a file that can be hashed")
    catalog = scan(music, out, jobs=1).catalog
    assert len(catalog) == TRACKS + 1
    assert catalog.tracks()["content_hash"].null_count == 0
    assert catalog.models() == []
    assert go(music, out).embedded == TRACKS


def test_the_same_music_under_another_root_keeps_ids_and_vectors(
    music: Path, out: Path, tmp_path: Path
) -> None:
    go(music, out)
    before = Catalog.open(out).vectors()
    moved = tmp_path / "elsewhere"
    music.rename(moved)
    report = go(moved, out)
    assert (report.embedded, report.gone) == (0, 0)
    catalog = Catalog.open(out)
    assert list(catalog.vectors().ids) == list(before.ids)
    assert all(catalog.file(i).is_file() for i in before.ids)


def test_two_folders_with_the_same_names_do_not_overwrite_each_other(
    music: Path, out: Path, tmp_path: Path
) -> None:
    go(music, out)
    write(tmp_path / "more/Artist 0/tune 0.flac", 90, seconds=3.0, title="Another")
    write(tmp_path / "more/Artist 0/tune 9.flac", 91, title="Fresh")
    report = go(tmp_path / "more", out)
    assert (report.embedded, report.failed, report.gone) == (1, 1, 0)
    assert "a table with an id column" in report.failures[0]["reason"]
    assert len(Catalog.open(out)) == TRACKS + 1


def test_a_table_gives_ids_and_columns_of_its_own(music: Path, out: Path) -> None:
    paths = sorted(p.relative_to(music).as_posix() for p in music.rglob("*.flac"))
    columns = {
        "path": paths,
        "track_id": [f"T{i:03d}" for i in range(TRACKS)],
        "title": [f"Given {i}" for i in range(TRACKS)],
        "mood": pa.array(range(TRACKS), pa.int16()),
    }
    assert go(pa.table(columns), out, root=music).embedded == TRACKS
    tracks = Catalog.open(out).tracks()
    assert tracks["track_id"].to_pylist() == columns["track_id"]
    assert tracks["title"].to_pylist() == columns["title"]
    assert tracks.schema.field("mood").type == pa.int16()
    assert go(pa.table(columns), out, root=music).known == TRACKS
    columns["mood"] = pa.array([9, *range(1, TRACKS)], pa.int16())
    report = go(pa.table(columns), out, root=music)
    assert (report.updated, report.embedded, report.known) == (1, 0, TRACKS - 1)
    assert Catalog.open(out).tracks()["mood"].to_pylist()[0] == 9


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 need Linux")
def test_names_of_any_bytes_are_embedded_and_found_again(music: Path, out: Path) -> None:
    odd = [b"caf\xe9.flac", b"two\nlines.flac", "träck 🎵.flac".encode()]
    for i, name in enumerate(odd):
        shutil.move(str(write(music / "x.flac", 20 + i)), music / os.fsdecode(name))
    report = go(music, out)
    assert (report.embedded, report.failed) == (TRACKS + 3, 0)
    catalog = Catalog.open(out)
    names = {os.fsencode(catalog.file(i).name) for i in catalog.vectors().ids}
    assert names >= set(odd)
    assert go(music, out).known == TRACKS + 3


def test_nothing_to_scan_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    with pytest.raises(SourceError, match="no audio files"):
        go(tmp_path / "music", tmp_path / "catalog")


def test_a_second_run_at_the_same_time_is_refused(music: Path, out: Path) -> None:
    go(music, out)
    command = [sys.executable, "-m", "musicu", "embed", str(music), "-o", str(out)]
    with write_lock(out):
        second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another process is writing" in second.stderr


def start(music: Path, out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "musicu", "embed", str(music), "-o", str(out), "-j", "2"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def interrupted(
    music: Path, out: Path, stop: Callable[[subprocess.Popen[bytes], int], None]
) -> None:
    for attempt in range(10):
        process = start(music, out)
        stop(process, attempt)
        process.communicate()


@pytest.mark.slow
def test_runs_killed_at_any_moment_add_up_to_an_undisturbed_one(
    music: Path, tmp_path: Path
) -> None:
    for i in range(TRACKS, 40):
        write(music / f"more/tune {i}.ogg", i, seconds=5.0)
    (music / "bad.flac").write_bytes(b"no music")
    rng = np.random.default_rng(0)
    began = time.monotonic()
    start(music, tmp_path / "whole").communicate()
    whole = time.monotonic() - began

    def kill(process: subprocess.Popen[bytes], attempt: int) -> None:
        time.sleep(rng.uniform(0.1, 1.1) * whole)
        process.kill()

    interrupted(music, tmp_path / "killed", kill)
    # 1 for the bad file, or 0 where a run that was killed had told of it already
    assert start(music, tmp_path / "killed").wait() in (0, 1)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process on Windows")
def test_ctrl_c_keeps_what_is_finished(music: Path, out: Path) -> None:
    process = start(music, out)
    while not (out / "manifest.json").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode in (0, 130)
    assert b"Traceback" not in told
    assert process.returncode == 0 or b"run the same command again" in told
    assert go(music, out).failed == 0
    assert len(Catalog.open(out).vectors().ids) == TRACKS


def test_what_wanted_an_extra_is_tried_again_once_it_may_be_there(
    music: Path, out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ftyp = b"\x00\x00\x00\x20ftypM4A \x00\x00\x02\x00M4A mp42isom\x00\x00\x00\x00"
    (music / "song.m4a").write_bytes(ftyp + b"\x00\x00\x10\x00mdat" + bytes(4088))
    (tmp_path / "hidden/av").mkdir(parents=True)
    (tmp_path / "hidden/av/__init__.py").write_text("raise ModuleNotFoundError(name='av')")
    monkeypatch.syspath_prepend(tmp_path / "hidden")
    report = go(music, out)
    assert [f["stage"] for f in report.failures] == ["extra"]
    assert 'pip install "musicu[av]"' in report.failures[0]["reason"]
    again = go(music, out)
    assert (again.failed, again.remembered) == (1, 0)
