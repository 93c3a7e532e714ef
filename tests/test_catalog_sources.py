from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path, PureWindowsPath

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.errors import SourceError
from musicu.ingest.source_file import derived_id, distinct, relative_bytes
from musicu.ingest.track_source import SourceFile, open_source, split_paths
from musicu.records import Failure

posix = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of any bytes")


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape"))


def split(items: Iterable[SourceFile | Failure]) -> tuple[list[SourceFile], dict[str, str]]:
    rows = list(items)
    failures = {item.path: item.reason for item in rows if isinstance(item, Failure)}
    return [item for item in rows if isinstance(item, SourceFile)], failures


def test_a_folder_gives_audio_files_of_any_depth_in_a_fixed_order(tmp_path: Path) -> None:
    put(tmp_path, "b.MP3", "a/z.flac", "a/b/c.opus", "c.txt", "a.wav", "Z.ogg")
    files, failures = split(open_source(tmp_path))
    assert [file.path for file in files] == ["Z.ogg", "a.wav", "b.MP3", "a/z.flac", "a/b/c.opus"]
    assert failures == {}
    assert all(file.file.read_bytes() == file.path.encode() for file in files)
    assert files[0].size_bytes == 5
    assert files[0].modified_ns == (tmp_path / "Z.ogg").stat().st_mtime_ns
    assert files[0].root == str(tmp_path)


def test_a_name_that_begins_with_a_dot_is_music(tmp_path: Path) -> None:
    names = [".Moon Special/01.flac", "...And Then They Left/1.mp3", "...And Again.flac", ".b.mp3"]
    put(tmp_path, *names)
    files, failures = split(open_source(tmp_path))
    assert sorted(file.path for file in files) == sorted(names)
    assert failures == {}


SYSTEM = [
    *(".git", ".Trash", ".Trash-1000", ".Trashes", ".Spotlight-V100", ".fseventsd", "@eaDir"),
    *(".Recycle.Bin", "#SynoRecycle", "@Deleted Items", ".papierkorb", ".thumbnails", ".Cache"),
    *("#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", ".@__thumb", "$RECYCLE.BIN"),
    *("$Recycle.Bin", "System Volume Information", "lost+found", ".AppleDouble", "__MACOSX"),
]


@pytest.mark.parametrize("name", SYSTEM)
def test_what_the_system_keeps_for_itself_is_left_out_and_counted(
    tmp_path: Path, name: str
) -> None:
    put(tmp_path, "a.mp3", f"album/{name}/01 Song.flac/thumb.jpg", f"album/{name}/old.mp3")
    source = open_source(tmp_path)
    files, failures = split(source)
    assert [file.path for file in files] == ["a.mp3"]
    assert failures == {}
    assert source.notes.left_out == {name: 1}
    assert split(open_source(tmp_path / "album" / name))[0]  # one who names it means it


@pytest.mark.parametrize("name", ["Recycled", "Lost + Found", ".Trashmen", "Snapshot", "@"])
def test_a_name_that_only_looks_like_the_systems_is_music(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"{name}/a.mp3")
    assert [file.path for file in split(open_source(tmp_path))[0]] == [f"{name}/a.mp3"]


def test_an_appledouble_file_is_told_by_its_twin_or_its_first_bytes(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3", "._a.mp3", "._alone.mp3", "._song.mp3", ".__x.mp3")
    (tmp_path / "._alone.mp3").write_bytes(b"\0\x05\x16\x07\0\2\0\0Mac OS X")
    source = open_source(tmp_path)
    assert sorted(f.path for f in split(source)[0]) == [".__x.mp3", "._song.mp3", "a.mp3"]
    assert source.notes.left_out == {"._*": 2}


def test_an_empty_folder_is_an_error_that_names_the_suffixes(tmp_path: Path) -> None:
    put(tmp_path, "notes.txt")
    with pytest.raises(SourceError, match=r"no audio files in .*\.flac .*\.mp3"):
        list(open_source(tmp_path))


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder or file"):
        open_source(tmp_path / "nothing")
    put(tmp_path, "notes.txt")
    with pytest.raises(SourceError, match="neither a folder"):
        open_source(tmp_path / "notes.txt")


def test_ids_stay_the_same_under_another_root(tmp_path: Path) -> None:
    put(tmp_path / "one", "artist/é.mp3")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    ids = [split(open_source(tmp_path / name))[0][0].track_id for name in ("one", "two")]
    assert ids[0] == ids[1] == derived_id("artist/é.mp3".encode())
    assert len(ids[0]) == 16


def test_ids_are_the_same_from_a_folder_a_list_and_a_table(tmp_path: Path) -> None:
    put(tmp_path, "a/b.mp3", "c.mp3")
    from_folder = {file.track_id for file in split(open_source(tmp_path))[0]}
    from_list = split(open_source([tmp_path / "c.mp3", tmp_path / "a/b.mp3"], root=tmp_path))[0]
    (tmp_path / "t.csv").write_text("path\na/b.mp3\nc.mp3\n")
    from_table = split(open_source(tmp_path / "t.csv"))[0]
    inner = split(open_source(tmp_path / "a", root=tmp_path))[0]
    assert from_folder == {f.track_id for f in from_list} == {f.track_id for f in from_table}
    assert inner[0].path == "a/b.mp3"
    assert inner[0].track_id in from_folder


def test_decomposed_names_have_the_id_of_composed_ones() -> None:
    composed, decomposed = "\u00e9.mp3".encode(), "e\u0301.mp3".encode()
    assert distinct([decomposed]) == [composed]


def test_twins_in_two_spellings_do_not_share_an_id() -> None:
    composed, decomposed = "\u00e9.mp3".encode(), "e\u0301.mp3".encode()
    assert distinct([decomposed, composed]) == [decomposed, composed]
    assert distinct([composed, decomposed]) == [composed, decomposed]
    twins = "e\u0323\u0301.mp3".encode(), "e\u0301\u0323.mp3".encode()
    assert len(set(distinct(twins))) == 2


@posix
def test_twin_folders_in_two_spellings_do_not_share_ids(tmp_path: Path) -> None:
    put(tmp_path, "\u00e9/a.mp3", "e\u0301/a.mp3")
    files, _ = split(open_source(tmp_path))
    assert len({file.track_id for file in files}) == 2


def test_windows_paths_have_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(PureWindowsPath("artist", "song.mp3"))
    monkeypatch.setattr(os, "sep", "\\")
    assert relative_bytes(path) == b"artist/song.mp3"


@posix
def test_names_of_any_bytes_are_found_and_openable(tmp_path: Path) -> None:
    names = ["line\nbreak.mp3", "😀.mp3", "bad\udcff\udcfe.mp3", "tab\t'\".mp3", "back\\slash.mp3"]
    put(tmp_path, *names)
    files, failures = split(open_source(tmp_path))
    assert failures == {}
    assert {file.file.read_bytes() for file in files} == {os.fsencode(name) for name in names}
    odd = [file for file in files if file.path_bytes is not None]
    assert [(file.path, file.path_bytes) for file in odd] == [
        ("bad\\xff\\xfe.mp3", b"bad\xff\xfe.mp3")
    ]
    for file in files:
        file.path.encode("utf-8")
    assert len({file.track_id for file in files}) == len(names)


@posix
def test_broken_things_are_failures_with_reasons(tmp_path: Path) -> None:
    put(tmp_path, "good.mp3", "x.flac/inside.mp3")
    (tmp_path / "nowhere.mp3").symlink_to("missing")
    (tmp_path / "self.mp3").symlink_to("self.mp3")
    (tmp_path / "Vol. 2").symlink_to("away")
    (tmp_path / "cover.jpg").symlink_to("no-picture.jpg")
    os.mkfifo(tmp_path / "pipe.wav")
    source = open_source(tmp_path)
    files, failures = split(source)
    assert [file.path for file in files] == ["good.mp3", "x.flac/inside.mp3"]
    assert failures.keys() == {"pipe.wav", "nowhere.mp3", "self.mp3", "Vol. 2"}
    told = {Path(path).name for path in source.notes.unreachable}
    assert told == {"nowhere.mp3", "self.mp3", "Vol. 2"}
    assert "x.flac" not in failures  # a folder of that name is a folder
    assert failures["pipe.wav"] == "is a pipe, socket or device, not a file"
    assert failures["nowhere.mp3"].startswith("a link that leads nowhere")
    assert failures["self.mp3"].startswith("a link that leads nowhere")


@posix
def test_links_are_followed_each_folder_once_and_loops_end(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    put(outside, "o.mp3")
    put(root, "m/song.mp3", "m/deep/song.mp3")
    (root / "a-link").symlink_to(root / "m")  # sorts before the folder that it leads to
    (root / "linked").symlink_to(outside)
    (root / "m/deep/loop").symlink_to(root)
    (root / "file.mp3").symlink_to(outside / "o.mp3")
    files, failures = split(open_source(root))
    assert [file.path for file in files] == [
        "file.mp3",
        "m/song.mp3",
        "m/deep/song.mp3",
        "linked/o.mp3",
    ]
    assert list(failures) == ["m/deep/loop"]
    assert "a link to a folder that holds it" in failures["m/deep/loop"]


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root reads everything")
def test_a_folder_without_permission_is_a_failure(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3", "locked/b.mp3")
    (tmp_path / "locked").chmod(0)
    try:
        files, failures = split(open_source(tmp_path))
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert [file.path for file in files] == ["a.mp3"]
    assert failures == {"locked": "the folder cannot be read: Permission denied"}


def test_a_folder_that_cannot_be_listed_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.mp3", "locked/b.mp3")
    listing = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    files, failures = split(open_source(tmp_path))
    assert [file.path for file in files] == ["a.mp3"]
    assert failures == {"locked": "the folder cannot be read: Permission denied"}


def test_lines_and_nul_separated_paths_are_told_apart() -> None:
    assert split_paths(b"a.mp3\nb c.mp3\r\n\n") == [Path("a.mp3"), Path("b c.mp3")]
    assert split_paths(b"a\nb.mp3\0c.mp3\0") == [Path("a\nb.mp3"), Path("c.mp3")]
    assert split_paths(b"") == []


PATHS = ["music/a.mp3", "Ünïcode/ 音楽 😀.flac", "c.wav"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\0"])
@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-16-be with a mark"],
)
@pytest.mark.parametrize("closed", [True, False])
def test_a_list_is_read_in_any_encoding_and_with_any_line_end(
    end: str, encoding: str, closed: bool
) -> None:
    text = end.join(PATHS) + end * closed
    name, _, mark = encoding.partition(" ")
    data = (("\ufeff" if mark else "") + text).encode(name)
    assert split_paths(data) == [Path(path) for path in PATHS]


def test_marks_within_lists_that_were_joined_are_taken_off() -> None:
    one, two = (f"{path}\r\n".encode("utf-8-sig") for path in PATHS[:2])
    assert split_paths(one + two) == [Path(path) for path in PATHS[:2]]


def test_short_names_parted_by_nul_are_no_utf_16() -> None:
    assert split_paths(b"abc\0d.w\0efg\0") == [Path("abc"), Path("d.w"), Path("efg")]
    assert split_paths(b"a\0b\0c\0") == [Path("a"), Path("b"), Path("c")]


def test_bytes_that_are_no_utf_8_stay_as_they_are() -> None:
    assert os.fsencode(split_paths(b"caf\xe9.mp3\n")[0]) == b"caf\xe9.mp3"


def test_text_that_only_says_it_is_utf_16_is_an_error() -> None:
    with pytest.raises(SourceError, match="looks like UTF-16 and is not"):
        split_paths(b"\xff\xfea\0b\0c")


def test_a_list_keeps_its_order_and_drops_repeats(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3", "b.mp3", "notes.txt")
    names = [tmp_path / "b.mp3", str(tmp_path / "a.mp3"), tmp_path / "b.mp3", tmp_path / "no.mp3"]
    files, failures = split(open_source(names, root=tmp_path))
    assert [file.path for file in files] == ["b.mp3", "a.mp3"]
    assert failures == {"no.mp3": "no such file"}


def test_the_root_of_a_list_is_the_current_folder_or_the_common_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "x/a/one.mp3", "x/b/two.mp3")
    names = [tmp_path / "x/a/one.mp3", tmp_path / "x/b/two.mp3"]
    monkeypatch.chdir(tmp_path)
    assert [f.path for f in split(open_source(names))[0]] == ["x/a/one.mp3", "x/b/two.mp3"]
    assert [f.path for f in split(open_source(["x/a/one.mp3"]))[0]] == ["x/a/one.mp3"]
    monkeypatch.chdir(tmp_path / "x/a")
    found = split(open_source(names))[0]
    assert [f.path for f in found] == ["a/one.mp3", "b/two.mp3"]
    assert {f.root for f in found} == {str(tmp_path / "x")}


def test_a_file_outside_of_the_given_root_is_a_failure(tmp_path: Path) -> None:
    put(tmp_path, "in/a.mp3", "out/b.mp3")
    both = [tmp_path / "in/a.mp3", tmp_path / "out/b.mp3"]
    files, failures = split(open_source(both, root=tmp_path / "in"))
    assert [file.path for file in files] == ["a.mp3"]
    assert "lies outside of the root" in next(iter(failures.values()))


def test_an_empty_list_is_an_error() -> None:
    with pytest.raises(SourceError, match="names no files"):
        list(open_source([]))


CSV = """\
Track ID,File,Title,Artist,Genre,Release Date,Popularity,ISRC,Track Number,Explicit,Plays,Mood,Root
007,a.mp3,Song,"Crosby, Stills & Nash; AC/DC",rock|folk,1997-05,0.5,USABC0100001,3/12,yes,12,calm,x
008,sub/b.mp3,,NA,,,,,,,,,
009,gone.mp3,Lost,,,,,,,,,,
"""


def test_a_csv_keeps_every_column_and_its_type(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3", "sub/b.mp3")
    (tmp_path / "t.csv").write_text(CSV)
    source = open_source(tmp_path / "t.csv")
    assert source.extra_schema == pa.schema(
        [("Plays", pa.int64()), ("Mood", pa.string()), ("source_Root", pa.string())]
    )
    files, failures = split(source)
    assert failures == {"gone.mp3": "no such file"}
    assert [file.track_id for file in files] == ["007", "008"]
    assert [file.path for file in files] == ["a.mp3", "sub/b.mp3"]
    assert files[0].given == {
        "title": "Song",
        "artists": ["Crosby, Stills & Nash", "AC/DC"],
        "genres": ["rock", "folk"],
        "date": "1997-05",
        "popularity": 0.5,
        "isrc": "USABC0100001",
        "track_number": 3,
        "explicit": True,
        "Plays": 12,
        "Mood": "calm",
        "source_Root": "x",
    }
    assert files[1].given == {"artists": ["NA"]}  # a name, not a missing value


def test_a_parquet_table_gives_lists_dates_and_its_own_types(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3")
    when = datetime(2024, 5, 1, 12, 30)
    table = pa.table(
        {
            "id": pa.array([42], pa.int64()),
            "path": ["a.mp3"],
            "artists": [["A; B", "C"]],
            "released": pa.array([date(1997, 5, 21)], pa.date32()),
            "year": pa.array([1997], pa.int32()),
            "genre": pa.array(["rock"]).dictionary_encode(),
            "added": pa.array([when], pa.timestamp("us")),
            "weights": pa.array([[1.0, 2.0]], pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    source = open_source(tmp_path / "t.parquet")
    assert source.extra_schema.field("added").type == pa.timestamp("us")
    assert source.extra_schema.field("weights").type == pa.list_(pa.float32())
    (file,), _ = split(source)
    assert file.track_id == "42"
    assert file.given == {
        "artists": ["A; B", "C"],
        "released": date(1997, 5, 21),
        "date": "1997",
        "genres": ["rock"],
        "added": when,
        "weights": [1.0, 2.0],
    }
    again = pa.Table.from_pylist([file.given], schema=source.extra_schema)
    assert again["added"].to_pylist() == [when]


def test_semicolons_and_tabs_part_columns_too(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3")
    (tmp_path / "t.csv").write_text("\ufeffpath;title\na.mp3;Song, with comma\n", encoding="utf-8")
    (tmp_path / "t.tsv").write_text("path\ttitle\na.mp3\tSong, with comma\n")
    for name in ("t.csv", "t.tsv"):
        assert split(open_source(tmp_path / name))[0][0].given == {"title": "Song, with comma"}


def test_windows_paths_in_a_table_are_understood(tmp_path: Path) -> None:
    put(tmp_path, "a/b.mp3")
    (file,), _ = split(open_source(pa.table({"path": ["a\\b.mp3"]}), root=tmp_path))
    assert file.track_id == derived_id(b"a/b.mp3")


def test_file_addresses_are_understood(tmp_path: Path) -> None:
    put(tmp_path, "a b.mp3")
    (file,), _ = split(open_source([(tmp_path / "a b.mp3").as_uri()], root=tmp_path))
    assert file.path == "a b.mp3"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"titel": ["x"]}, r"no column of paths: it has 'titel'"),
        ({"path": ["a", "b"], "id": ["1", "1"]}, r"rows 1 and 2 .* same id in 'id': '1'"),
        ({"path": ["a", "a"]}, r"rows 1 and 2 .* name the same file"),
        ({"path": ["a", None]}, r"row 2 of the table has no path"),
        ({"path": ["a", "b"], "id": ["1", None]}, r"row 2 of the table has no id"),
        ({"path": ["a"], "gone": [1], "source_gone": [2]}, r"'gone' has a name that the catalog"),
        ({"path": ["a"], "popularity": ["high"]}, r"row 1 .*'popularity' is 'high'"),
    ],
)
def test_a_table_that_makes_no_sense_is_an_error(
    columns: dict[str, list[object]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=message):
        list(open_source(pa.table(columns), root=tmp_path))


def test_unreadable_tables_are_errors(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"no parquet")
    (tmp_path / "t.csv.gz").write_bytes(b"no gzip")
    (tmp_path / "r.csv").write_bytes(b"path,title\na,b,c\n")
    for name in ("t.parquet", "t.csv.gz", "r.csv"):
        with pytest.raises(SourceError, match="cannot be read"):
            open_source(tmp_path / name)
