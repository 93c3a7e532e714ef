"""Shelves as playlists, tables and JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pytest
from shelves_samples import table, vectors

from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.playlists.m3u import write
from musicu.playlists.places import Placing
from musicu.shelves import Shelf, build_shelf
from musicu.shelves.shelf import SHELF


def shelf_of(rows: list[dict[str, Any]]) -> Shelf:
    rows = [{"track_id": f"t{i}", **row} for i, row in enumerate(rows)]
    ids = [row["track_id"] for row in rows]
    candidates = pa.table({"track_id": ids, "score": [1 - i / 100 for i in range(len(ids))]})
    space = vectors(ids, np.eye(len(ids), dtype=np.float32))
    return build_shelf(candidates, table(rows), space, Constraints(diversity=0), title="A\nshelf")


def named(path: str, root: Path, **more: Any) -> dict[str, Any]:
    exact = os.fsencode(path)
    try:
        path.encode()
    except UnicodeEncodeError:
        path = exact.decode("utf-8", "backslashreplace")
    else:
        exact = None
    return {"root": str(root), "path": path, "path_bytes": exact, **more}


def test_playlist_has_two_lines_a_track() -> None:
    rows = [
        named("Ann/One.flac", Path("/music"), title="One", artists=["Ann"], duration_seconds=61.6),
        named("x.mp3", Path("/elsewhere"), title="Two\nLines", artists=["B\ro", "Cy"]),
    ]
    text = write(shelf_of(rows).playlist(), Placing(Path("/music/lists")))
    assert text.split("\n") == [
        "#EXTM3U",
        "#PLAYLIST:A shelf",
        "#EXTINF:62,Ann - One",
        "../Ann/One.flac",
        "#EXTINF:-1,B o, Cy - Two Lines",
        "../../elsewhere/x.mp3",
        "",
    ]


def test_absolute_paths_by_option() -> None:
    shelf = shelf_of([named("a.mp3", Path("/music"))])
    text = write(shelf.playlist(), Placing(Path("/music"), "absolute"))
    assert text.split("\n")[3] == "/music/a.mp3"


@pytest.mark.skipif(sys.platform == "win32", reason="such names do not exist there")
@pytest.mark.parametrize(
    "name",
    [
        "#1.mp3",
        "a\nb.mp3",
        " a.mp3",
        "a.mp3 ",
        "caf\udce9.mp3",
        "50%41.mp3",
        "ü 漢.mp3",
        "\u202ea.mp3",
    ],
)
def test_every_name_leads_back_to_its_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"found")
    lists = tmp_path / "lists"
    shelf_of([named(name, tmp_path)]).to_playlist(lists / "a.m3u8")
    lines = (lists / "a.m3u8").read_bytes().decode("utf-8").split("\n")
    assert len(lines) == 5
    assert not lines[3].startswith("#")
    assert lines[3] == lines[3].strip()
    if lines[3].startswith("file://"):
        file = Path(os.fsdecode(unquote_to_bytes(lines[3].removeprefix("file://"))))
    else:
        file = lists / lines[3]
    assert file.read_bytes() == b"found"


def test_track_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="'t0' has no file"):
        shelf_of([{}]).to_playlist(tmp_path / "a.m3u8")


def test_unknown_kind_of_paths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="paths is 'short'"):
        shelf_of([{}]).to_playlist(tmp_path / "a.m3u8", paths="short")  # type: ignore[arg-type]


def test_table_and_json_say_the_same(tmp_path: Path) -> None:
    rows = [
        {"title": "One", "artists": ["Ann"], "genres": ["Jazz"], "duration_seconds": 9.5},
        {"title": "Two", "artists": ["Bo"], "genres": ["jazz"], "date": "2001"},
    ]
    shelf = shelf_of(rows)
    found = shelf.to_table()
    text = shelf.to_json(tmp_path / "shelf.json")
    document = json.loads(text)
    assert found.schema == SHELF
    assert json.loads((tmp_path / "shelf.json").read_text(encoding="utf-8")) == document
    assert document["format"] == 1
    assert document["seed"] is None
    assert document["rules"]["max_per_artist"] == 4
    for row, item in zip(found.to_pylist(), document["items"], strict=True):
        row["reasons"] = [r | {"value": json.loads(r["value"])} for r in row["reasons"]]
        assert row == item


def test_json_names_the_seed_and_every_reason() -> None:
    rows = [{"track_id": "s", "genres": ["Jazz"]}, {"track_id": "a", "genres": ["Jazz"]}]
    candidates = pa.table({"track_id": ["a"], "score": pa.array([0.25], pa.float32())})
    space = vectors(["s", "a"], np.eye(2, dtype=np.float32))
    rules = Constraints(blocked_artists=["B", "A"])
    document = json.loads(build_shelf(candidates, table(rows), space, rules, seed="s").to_json())
    assert document["seed"]["track_id"] == "s"
    assert document["rules"]["blocked_artists"] == ["A", "B"]
    assert document["items"][0]["score"] == 0.25
    assert document["items"][0]["reasons"] == [
        {"kind": "genres", "value": {"names": ["Jazz"]}, "points": 0.08}
    ]
