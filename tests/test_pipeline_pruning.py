"""Pruning removes what was deleted, and never what is only out of sight."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from music import write

from musicu.catalog.catalog import Catalog
from musicu.cli.embed import embed as command
from musicu.ingest.presence import Presence
from musicu.pipeline.run import EmbedOptions, EmbedReport, run

MODEL = "musicu-stats-v1"
posix = pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Ten tracks, two of them on a disk that is linked or mounted as "more"."""
    for i in range(8):
        write(tmp_path / f"music/here/{i}.flac", i, 1.0)
    for i in range(2):
        write(tmp_path / f"music/more/album/{i}.flac", 20 + i, 1.0)
    return tmp_path / "music"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "catalog"


def go(source: Any, out: Path, **options: Any) -> EmbedReport:
    return run(source, out, model=MODEL, options=EmbedOptions(**{"jobs": 1, **options}))


def held(out: Path) -> int:
    return len(Catalog.open(out).vectors().ids)


def unlinked(disk: Path, away: Path) -> None:
    shutil.move(disk, away)
    disk.symlink_to("/nowhere/disk")


def unmounted(disk: Path, away: Path) -> None:
    shutil.move(disk, away)
    disk.mkdir()
    (disk / ".Trash-1000").mkdir()
    (disk / ".DS_Store").touch()


def emptied_below(disk: Path, away: Path) -> None:
    shutil.move(disk / "album", away)


def skeleton_below(disk: Path, away: Path) -> None:
    shutil.move(disk / "album", away)
    (disk / "album/scans").mkdir(parents=True)


@posix
@pytest.mark.parametrize("leave", [unlinked, unmounted, emptied_below, skeleton_below])
def test_a_part_that_is_out_of_sight_keeps_its_tracks_and_all_others(
    music: Path, out: Path, tmp_path: Path, leave: Callable[[Path, Path], None]
) -> None:
    go(music, out)
    leave(music / "more", tmp_path / "away")
    (music / "here/0.flac").unlink()
    for _ in range(2):  # nor the second time
        report = go(music, out, prune=True, confirm_prune=True)
        assert (report.gone, report.pruned, report.unreachable) == (1, 0, 2)
        assert len(report.warnings) == 1
        assert str(music / "more") in report.warnings[0]
        assert "nothing was pruned" in report.warnings[0]
    assert held(out) == 9
    assert Catalog.open(out).tracks(gone=True).num_rows == 10


def test_an_emptied_folder_keeps_its_tracks_and_it_is_said_how_to_prune_them(
    music: Path, out: Path, tmp_path: Path
) -> None:
    go(music, out)
    skeleton_below(music / "more", tmp_path / "away")
    report = go(music, out, prune=True)
    assert (report.gone, report.pruned, report.unreachable) == (0, 0, 2)
    assert f"remove the folder {music / 'more/album'} too" in report.warnings[0]
    shutil.rmtree(music / "more")
    report = go(music, out, prune=True)
    assert (report.pruned, report.unreachable, report.warnings) == (2, 0, ())


def test_deleted_music_that_an_earlier_version_took_in_leaves_and_it_is_said(
    music: Path, out: Path
) -> None:
    deleted = music / "#recycle/0.flac"
    write(deleted, 60, 1.0)
    go([*music.rglob("*.flac")], out, root=music)  # a list may name what a folder leaves out
    report = go(music, out)
    assert (report.gone, report.pruned) == (1, 0)
    assert "1 track of the catalog in folders of the system's own" in report.warnings[0]
    report = go(music, out, prune=True)
    assert (report.pruned, held(out)) == (1, 10)
    assert deleted.is_file()
    assert go(music, out, prune=True).warnings == ()


@posix
def test_a_broken_link_beside_stops_pruning_though_nothing_was_known_behind_it(
    music: Path, out: Path
) -> None:
    go(music, out)
    (music / "other").symlink_to("/nowhere/other")
    (music / "here/0.flac").unlink()
    report = go(music, out, prune=True)
    assert (report.pruned, report.failed) == (0, 1)
    (music / "other").unlink()
    assert go(music, out, prune=True).pruned == 1


def test_a_folder_that_cannot_be_read_keeps_its_tracks(
    music: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(music, out)
    listing, status = os.scandir, Path.lstat
    locked = str(music / "more")

    def scandir(path: Any) -> Any:
        if str(path).startswith(locked):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    def lstat(path: Path) -> os.stat_result:
        if str(path).startswith(locked + os.sep):
            raise PermissionError(13, "Permission denied")
        return status(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "lstat", lstat)
    report = go(music, out, prune=True)
    monkeypatch.undo()
    assert (report.pruned, report.unreachable, report.gone) == (0, 2, 0)
    assert held(out) == 10
    assert go(music, out, prune=True).embedded == 0


def test_another_folders_tracks_are_kept_while_that_folder_is_away(
    music: Path, out: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    write(second / "x.flac", 50, 1.0)
    go(music, out)
    go(second, out)
    shutil.move(music, tmp_path / "away")
    report = go(second, out, prune=True)
    assert (report.pruned, report.unreachable) == (0, 10)
    shutil.move(tmp_path / "away", music)
    assert go(music, out, prune=True).embedded == 0


def test_a_moved_library_is_pruned_as_the_message_says(
    music: Path, out: Path, tmp_path: Path
) -> None:
    go(music, out)
    shutil.move(music, tmp_path / "new")
    (tmp_path / "new/here/0.flac").unlink()
    shutil.move(tmp_path / "new/here/1.flac", tmp_path / "new/1.flac")
    report = go(tmp_path / "new", out, prune=True)
    assert (report.pruned, report.unreachable) == (0, 1)
    assert f"Bring {music} back" in report.warnings[0]
    assert "make the folder with any file in it" in report.warnings[0]
    write(music / "note.flac", 51, 1.0)
    report = go(tmp_path / "new", out, prune=True)
    assert (report.pruned, report.warnings) == (2, ())


def test_much_is_pruned_only_when_confirmed(music: Path, out: Path) -> None:
    go(music, out)
    for i in range(3):
        (music / f"here/{i}.flac").unlink()
    report = go(music, out, prune=True)
    assert report.pruned == 0
    assert "3 of 10 tracks would be removed" in report.warnings[0]
    assert "--confirm-prune" in report.warnings[0]
    assert go(music, out, prune=True, confirm_prune=True).pruned == 3
    assert held(out) == 7


def test_what_has_only_moved_may_be_pruned(music: Path, out: Path) -> None:
    go(music, out)
    shutil.move(music / "here", music / "there")
    for file in list((music / "more/album").iterdir()):
        shutil.move(file, music / file.name)  # leaves an empty folder behind
    report = go(music, out, prune=True)
    assert (report.embedded, report.pruned, report.warnings) == (0, 10, ())
    assert held(out) == 10


def test_the_command_says_what_it_left_out_and_what_it_would_prune(music: Path, out: Path) -> None:
    words = [str(music), "-o", str(out), "-m", MODEL, "-j", "1", "-q"]
    (music / "@eaDir/01 Song.flac").mkdir(parents=True)
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert done.return_value == 0
    assert "left out, as the system's own: @eaDir (1)" in done.stderr
    for i in range(4):
        (music / f"here/{i}.flac").unlink()
    done = CliRunner().invoke(command, [*words, "--prune"], standalone_mode=False)
    assert "4 of 10 tracks would be removed" in done.stderr
    CliRunner().invoke(command, [*words, "--prune", "--confirm-prune"], standalone_mode=False)
    assert held(out) == 6


@posix
def test_a_file_behind_a_broken_link_is_there_and_one_in_a_full_folder_is_deleted(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/link.flac").symlink_to("nowhere.flac")
    presence = Presence()
    assert presence.is_there(tmp_path / "a/link.flac")
    assert presence.hidden_by(tmp_path / "a/x.flac", tmp_path) is None
    assert presence.hidden_by(tmp_path / "b/c/x.flac", tmp_path) is None
    assert presence.hidden_by(tmp_path / "no/x.flac", tmp_path / "no") == str(tmp_path / "no")
