"""JSON of any tool with a title, an artist and a moment is a history; other lists are none."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from musicu.errors import SourceError
from musicu.listening.importers.reading import ReadingOptions, read_listens

AT = datetime(2024, 5, 31, 20, 46, tzinfo=timezone.utc)
SECONDS = int(AT.timestamp())

DOCUMENTS: dict[str, Any] = {
    "maloja": {"maloja": {}, "scrobbles": [
        {"time": SECONDS, "track": {"artists": ["Ann"], "title": "Song", "length": 200}}]},
    "web scrobbler": [{"timestamp": SECONDS, "track": {"artist": "Ann", "track": "Song"}}],
    "koito": {"version": "1", "listens": [
        {"listened_at": AT.isoformat(), "track": {"title": "Song"}, "artists": [{"name": "Ann"}]}]},
    "pano scrobbler": [{"artist": "Ann", "track": "Song", "timeMs": SECONDS * 1000}],
    "a script": [{"played_at": "2024-05-31 20:46", "Artist": "Ann", "Track Name": "Song"}],
}  # fmt: skip


def listens(file: Path, document: Any) -> tuple[list[dict[str, Any]], list[str]]:
    file.write_text(json.dumps(document), encoding="utf-8")
    options = ReadingOptions()
    rows = [row for table in read_listens(file, options) for row in table.to_pylist()]
    return rows, list(options.notes.warnings())


@pytest.mark.parametrize("tool", DOCUMENTS)
def test_records_of_other_tools_are_read_by_the_names_of_their_members(
    tmp_path: Path, tool: str
) -> None:
    (row,), told = listens(tmp_path / "x.json", DOCUMENTS[tool])
    assert (row["artist"], row["title"], row["timestamp"]) == ("Ann", "Song", AT)
    assert told == []


@pytest.mark.parametrize(
    "document",
    [
        {"tracks": [{"artist": "Ann", "track": "Song", "uri": "spotify:track:1"}]},
        {"playlists": [{"name": "Mine", "items": [{"track": {"trackName": "Song"}}]}]},
        [{"title": "Song", "timestamp": SECONDS}],
        {"a": {"b": {"c": {"d": {"e": [{"title": "S", "artist": "A", "time": SECONDS}]}}}}},
    ],
)
def test_lists_without_moments_or_artists_are_no_history(tmp_path: Path, document: Any) -> None:
    with pytest.raises(SourceError, match="list of objects with title, artist and timestamp"):
        listens(tmp_path / "x.json", document)


def test_a_record_that_is_none_is_counted_among_others(tmp_path: Path) -> None:
    good = DOCUMENTS["pano scrobbler"]
    rows, told = listens(tmp_path / "x.json", [*good, None, {"artist": "Ann"}, {"title": "S"}])
    assert len(rows) == 1
    assert len(told) == 3


@pytest.mark.parametrize("ending", [".json", ".csv"])
def test_a_moment_that_cannot_be_read_is_said(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"x{ending}"
    rows = [{"artist": "A", "title": t, "date": d} for t, d in (("B", "soon"), ("C", "2024-05-31"))]
    text = "artist,title,date\n" + "\n".join(f"A,{r['title']},{r['date']}" for r in rows)
    file.write_text(json.dumps(rows) if ending == ".json" else text, encoding="utf-8")
    options = ReadingOptions()
    found = [row for table in read_listens(file, options) for row in table.to_pylist()]
    assert [row["timestamp"] is None for row in found] == [True, False]
    (told,) = options.notes.warnings()
    assert "1 date cannot be read, the first is 'soon'" in told
