"""Files reach the catalog once they are whole, all of them, and leave it when they are gone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from music import write

from musicu.catalog.catalog import Catalog
from musicu.errors import SourceError
from musicu.pipeline.run import EmbedOptions, EmbedReport
from musicu.pipeline.watching import (
    FolderNotifications,
    StableFiles,
    WatchOptions,
    is_whole,
    watch,
)

A, B = Path("/a"), Path("/b")


def test_a_file_is_taken_when_two_looks_find_it_the_same() -> None:
    settling = StableFiles({}, lambda path: True)
    assert settling.look({A: (10, 1)}) == set()
    assert settling.look({A: (20, 2)}) == set()  # it has grown
    assert settling.look({A: (20, 2), B: (5, 1)}) == {A}
    assert settling.look({A: (20, 2), B: (5, 1)}) == {A, B}
    assert settling.look({A: (20, 3), B: (5, 1)}) == {B}  # it is written again


def test_what_the_catalog_knows_needs_no_waiting() -> None:
    settling = StableFiles({A: (10, 1)}, lambda path: False)
    assert settling.look({A: (10, 1)}) == {A}
    assert settling.look({A: (11, 2)}) == set()


def test_a_file_without_its_end_is_waited_for_but_not_for_ever() -> None:
    whole: set[Path] = set()
    settling = StableFiles({}, whole.__contains__, patience=4)
    looks = [settling.look({A: (10, 1), B: (10, 1)}) for _ in range(3)]
    assert looks == [set(), set(), set()]
    whole.add(A)
    assert settling.look({A: (10, 1), B: (10, 1)}) == {A}
    assert settling.look({A: (10, 1), B: (10, 1)}) == {A, B}


@pytest.mark.parametrize("suffix", ["flac", "wav", "ogg", "aiff"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_half_a_file_is_not_whole(tmp_path: Path, suffix: str, share: float) -> None:
    file = write(tmp_path / f"a.{suffix}", 1, seconds=4.0)
    assert is_whole(file)
    data = file.read_bytes()
    file.write_bytes(data[: round(share * len(data))])
    assert not is_whole(file)


class Clock:
    """Time that passes only where the test says what happens then."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)

    def wait(self, seconds: float) -> bool:
        assert seconds > 0
        if not self._steps:
            return True
        self._steps.pop(0)()
        return False


def nothing() -> None:
    """A look at which nothing has happened."""


def follow(music: Path, out: Path, *steps: Callable[[], object]) -> list[EmbedReport]:
    reports: list[EmbedReport] = []
    options = WatchOptions(embed=EmbedOptions(jobs=1))
    watch(music, out, options=options, wait=Clock(*steps).wait, changed=reports.append)
    return reports


def paths(out: Path) -> set[str]:
    return set(Catalog.open(out).tracks()["path"].to_pylist())


def test_a_file_that_is_still_copied_is_not_embedded_half(tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    write(music / "first.flac", 1, seconds=3.0)
    whole = write(tmp_path / "slow.flac", 2, seconds=6.0).read_bytes()
    slow = music / "slow.flac"
    seen: list[set[str]] = []
    reports = follow(
        music,
        out,
        lambda: slow.write_bytes(whole[:2000]),
        lambda: seen.append(paths(out)),  # the half has been found once
        lambda: seen.append(paths(out)),  # and twice, unchanged: the copy has stalled
        lambda: slow.write_bytes(whole),
        nothing,
        nothing,
    )
    assert seen == [{"first.flac"}, {"first.flac"}]
    assert paths(out) == {"first.flac", "slow.flac"}
    assert [(report.embedded, report.failed) for report in reports] == [(1, 0), (1, 0)]
    assert Catalog.open(out).tracks()["complete"].to_pylist() == [True, True]


def test_changed_and_removed_files_are_followed(tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    for i in range(3):
        write(music / f"{i}.flac", i, seconds=3.0)
    changes = [
        lambda: write(music / "0.flac", 7, seconds=3.0),
        nothing,
        nothing,
        lambda: (music / "1.flac").unlink(),
        lambda: shutil.rmtree(music),  # as if the disk had been taken away
    ]
    reports = follow(music, out, nothing, *changes)
    assert [report.embedded for report in reports] == [3, 1, 0]
    assert reports[-1].gone == 1
    assert paths(out) == {"0.flac", "2.flac"}


def pruning(music: Path, out: Path, *steps: Callable[[], object]) -> list[EmbedReport]:
    """As `follow`, with --prune after three quiet looks."""
    reports: list[EmbedReport] = []
    embed = EmbedOptions(jobs=1, prune=True, confirm_prune=True)
    options = WatchOptions(prune_seconds=3.0, embed=embed)
    watch(music, out, options=options, wait=Clock(*steps).wait, changed=reports.append)
    return reports


def test_a_folder_that_moves_costs_no_embedding_though_what_is_gone_is_pruned(
    tmp_path: Path,
) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    for i in range(4):
        write(music / f"old/{i}.flac", i, seconds=3.0)
    write(music / "kept.flac", 9, seconds=3.0)
    away = tmp_path / "away"
    reports = pruning(
        music,
        out,
        nothing,
        lambda: shutil.move(music / "old", music / "new"),  # renamed at once
        *[nothing] * 8,
        lambda: shutil.move(music / "new", away),  # cut here and pasted there, a look later
        nothing,
        lambda: shutil.move(away, music / "newest"),
        *[nothing] * 8,
    )
    assert sum(report.embedded for report in reports) == 5
    assert sum(report.pruned for report in reports) == 8
    rows = Catalog.open(out).tracks(gone=True)["path"].to_pylist()
    assert set(rows) == {"kept.flac", *(f"newest/{i}.flac" for i in range(4))}
    assert len(Catalog.open(out).vectors().ids) == 5


def test_what_stays_away_is_pruned_and_not_while_a_file_waits(tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    for i in range(3):
        write(music / f"{i}.flac", i, seconds=3.0)
    half = write(tmp_path / "half.flac", 7, seconds=3.0).read_bytes()[:2000]
    rows: list[int] = []
    pruning(
        music,
        out,
        nothing,
        lambda: ((music / "0.flac").unlink(), (music / "half.flac").write_bytes(half)),
        *[nothing] * 8,
        lambda: rows.append(Catalog.open(out).tracks(gone=True).num_rows),
        lambda: (music / "half.flac").unlink(),
        *[nothing] * 4,
        lambda: rows.append(Catalog.open(out).tracks(gone=True).num_rows),
    )
    assert rows == [3, 2]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_nothing_is_pruned_while_a_part_cannot_be_reached_and_it_is_said_once(
    tmp_path: Path,
) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    for i in range(3):
        write(music / f"{i}.flac", i, seconds=3.0)
    (music / "disk").symlink_to("/nowhere/disk")
    troubles: list[str] = []
    options = WatchOptions(prune_seconds=3.0, embed=EmbedOptions(jobs=1, prune=True))
    steps = [nothing, lambda: (music / "0.flac").unlink(), *[nothing] * 8]
    watch(music, out, options=options, wait=Clock(*steps).wait, trouble=troubles.append)
    assert Catalog.open(out).tracks(gone=True).num_rows == 3
    assert len(troubles) == 1
    assert "nothing is pruned" in troubles[0]
    assert str(music / "disk") in troubles[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time of the inode")
def test_tags_written_with_size_and_time_kept_are_followed(tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    file = write(music / "a.flac", 1, seconds=3.0, title="Wrong")

    def retag() -> None:
        status = file.stat()
        file.write_bytes(file.read_bytes().replace(b"Wrong", b"Right"))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    reports = follow(music, out, nothing, retag, nothing, nothing)
    assert Catalog.open(out).tracks()["title"].to_pylist() == ["Right"]
    assert sum(report.embedded for report in reports) == 1


def test_a_catalog_that_another_process_writes_is_tried_again(tmp_path: Path) -> None:
    from contextlib import ExitStack

    from musicu.catalog.lock import write_lock
    from musicu.catalog.store import Store

    music, out = tmp_path / "music", tmp_path / "catalog"
    write(music / "a.flac", 1, seconds=3.0)
    Store.create(out)
    troubles: list[str] = []
    with ExitStack() as held:
        held.enter_context(write_lock(out))
        steps = Clock(nothing, nothing, held.close, nothing)
        options = WatchOptions(embed=EmbedOptions(jobs=1))
        watch(music, out, options=options, wait=steps.wait, trouble=troubles.append)
    assert troubles
    assert all("another process" in text for text in troubles)
    assert paths(out) == {"a.flac"}


def test_where_notifications_come_an_idle_folder_is_not_looked_at(tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    write(music / "a.flac", 1, seconds=1.0)
    waited: list[float] = []
    steps = [nothing, lambda: write(music / "b.flac", 2, seconds=1.0), nothing]

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        if steps:
            steps.pop(0)()
        return len(waited) == 4

    options = WatchOptions(embed=EmbedOptions(jobs=1), model="musicu-stats-v1")
    watch(music, out, options=options, wait=wait, notified=True)
    assert waited == [1.0, 600.0, 1.0, 600.0]
    assert paths(out) == {"a.flac", "b.flac"}


def test_a_change_in_a_folder_ends_the_waiting(tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    notifications = FolderNotifications(tmp_path)
    try:
        began = time.monotonic()
        (tmp_path / "album/new.flac").write_bytes(b"sound")
        notifications.wait(600.0)
        (tmp_path / "album").rename(tmp_path / "renamed")
        notifications.wait(600.0)
        assert time.monotonic() - began < 300.0
    finally:
        notifications.close()


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        watch(tmp_path / "missing", tmp_path / "catalog", wait=lambda seconds: True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_command_embeds_and_stops_cleanly(tmp_path: Path, number: int, code: int) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    write(music / "a.flac", 1, seconds=3.0)
    command = [sys.executable, "-m", "musicu", "watch", str(music), str(out), "--json", "-j", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        timer = threading.Timer(600, p.kill)
        timer.start()
        assert p.stdout is not None
        assert '"embedded": 1' in p.stdout.readline()
        os.kill(p.pid, number)
        _, errors = p.communicate()
        timer.cancel()
    assert p.returncode == code
    assert ("stopped: what is finished is kept" in errors) == (number == signal.SIGINT)
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_thousand_files_at_once_are_all_there(tmp_path: Path) -> None:
    music, out = tmp_path / "music", tmp_path / "catalog"
    write(music / "first.flac", 10_000, seconds=1.0)

    def drop() -> None:
        for i in range(1000):
            write(music / f"{i // 100}/{i:04d}.flac", i, seconds=1.0)

    reports = follow(music, out, nothing, drop, nothing, nothing)
    assert len(Catalog.open(out).vectors().ids) == 1001
    assert sum(report.embedded for report in reports) == 1001
