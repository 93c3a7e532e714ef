"""Tables of listens that are wrong get an error that says so, or a counted warning."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest

from musicu.candidates import LISTENS, check_listens
from musicu.embeddings.tracks.track_groups import from_playlists
from musicu.errors import QueryError
from musicu.listening.listens import listens_table

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


def table(**columns: list[object]) -> pa.Table:
    return pa.table({"user_id": ["a", "a", "b"], "track_id": ["x", "y", "x"], **columns})


def test_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(QueryError, match="no column 'track_id', only user_id, song"):
        check_listens(pa.table({"user_id": ["a"], "song": ["x"]}))


def test_a_column_that_is_there_twice_is_named() -> None:
    columns = [pa.array([name]) for name in ("u", "a", "b")]
    table = pa.Table.from_arrays(columns, names=["user_id", "track_id", "track_id"])
    with pytest.raises(QueryError, match="several columns 'track_id'"):
        check_listens(table)
    lists = table.rename_columns(["playlist_id", "track_id", "track_id"])
    with pytest.raises(QueryError, match="several columns 'track_id'"):
        from_playlists(lists, pa.array(["a", "b"]))


def test_empty_id_names_its_row() -> None:
    with pytest.raises(QueryError, match="row 2 of the listens has no user_id"):
        check_listens(pa.table({"user_id": ["a", None], "track_id": ["x", "y"]}))


def test_unreadable_timestamp_is_an_error() -> None:
    with pytest.raises(QueryError, match=r"cannot be read: .*'yesterday'; .*like 2026-05-21T"):
        check_listens(table(timestamp=["yesterday", "today", "now"]))


def test_weight_and_context_may_be_missing() -> None:
    listens = listens_table(table())
    assert listens.schema == LISTENS
    assert listens["weight"].to_pylist() == [1, 1, 1]
    assert listens["timestamp"].null_count == 3


def test_timestamps_are_seconds_iso_text_or_times() -> None:
    moment = datetime(2026, 5, 1, 8, tzinfo=timezone.utc)
    for value in (int(moment.timestamp()), moment.timestamp(), "2026-05-01T08:00:00", moment):
        assert listens_table(table(timestamp=[value] * 3))["timestamp"][0].as_py() == moment


def test_text_with_a_zone_keeps_its_moment() -> None:
    listens = listens_table(table(timestamp=["2026-05-01T10:00:00+02:00"] * 3))
    assert listens["timestamp"][0].as_py() == datetime(2026, 5, 1, 8, tzinfo=timezone.utc)


def test_unknown_tracks_are_counted_and_left_out() -> None:
    checked = check_listens(table(), ["x"], now=NOW)
    assert checked.listens["track_id"].to_pylist() == ["x", "x"]
    assert list(checked.warnings()) == ["1 listen of tracks that are not in the catalog: left out"]


def test_future_listens_are_counted_but_for_a_day_of_wrong_clocks() -> None:
    moments = [NOW + timedelta(hours=20), NOW + timedelta(days=2), NOW]
    checked = check_listens(table(timestamp=moments), now=NOW)
    assert checked.future == 1
    assert checked.listens.num_rows == 2


def test_nan_weights_are_counted() -> None:
    checked = check_listens(table(weight=[1.0, float("nan"), float("inf")]), now=NOW)
    assert (checked.unweighted, checked.listens.num_rows) == (2, 1)


def test_dated_duplicates_count_once_and_undated_ones_stay() -> None:
    same = pa.table({"user_id": ["a", "a"], "track_id": ["x", "x"]})
    assert check_listens(same, now=NOW).listens.num_rows == 2
    dated = same.append_column("timestamp", pa.array([NOW, NOW]))
    checked = check_listens(dated, now=NOW)
    assert (checked.duplicates, checked.listens.num_rows) == (1, 1)


def test_empty_history_is_no_error() -> None:
    assert check_listens(LISTENS.empty_table(), ["x"], now=NOW).listens.num_rows == 0


def test_now_needs_a_time_zone() -> None:
    with pytest.raises(QueryError, match="give it a time zone"):
        check_listens(table(), now=datetime(2026, 6, 1))
