"""Lists of candidates that somebody made, as a model to be measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.errors import QueryError
from musicu.evaluation.recommendation.listening_log import Ints
from musicu.evaluation.recommendation.training_part import Model, Scorer, Scores, Training
from musicu.ingest.ids import id_texts
from musicu.records import counted

_NEEDED = ("user_id", "track_id", "score")


def offered(name: str, lists: pa.Table) -> Model:
    """A table with user_id, track_id and score, as a model that offers what it lists.

    Tracks that are no candidates of the split, or that the listener has heard, take no place. Of a
    track that is listed twice for a listener, say by two sources, the higher score counts. They
    must have been made from the training part alone: `musicu evaluate candidates --training-part`
    writes it. Raises QueryError where a column is missing or a score is not a number, and when
    measured where none of it is of a listener who is asked about.
    """
    checked = _checked(name, lists)
    return lambda training: _scorer(name, checked, training)


def notes_on(
    name: str, lists: pa.Table, track_ids: pa.ChunkedArray, user_ids: pa.ChunkedArray
) -> Iterator[str]:
    """A sentence for each thing in a table that `offered` takes that counts for nothing.

    track_ids: of the catalog. user_ids: of the log.
    """
    lists = _checked(name, lists)
    for column, ids, what in (
        ("track_id", track_ids, "tracks that are not in the catalog"),
        ("user_id", user_ids, "listeners who are not in the log"),
    ):
        held = pa.array(ids.to_pylist(), pa.string())
        known = pc.sum(pc.is_in(lists[column], value_set=held)).as_py() or 0
        if unknown := lists.num_rows - known:
            yield f"{counted(unknown, 'candidate')} in {name} of {what}"
    distinct = lists.group_by(["user_id", "track_id"]).aggregate([]).num_rows
    if repeated := lists.num_rows - distinct:
        rows = counted(repeated, "candidate")
        yield f"{rows} in {name} repeating a track: its highest score counts"


def _checked(name: str, lists: pa.Table) -> pa.Table:
    """The columns that count, ids as text and scores as float32."""
    missing = [column for column in _NEEDED if column not in lists.column_names]
    if missing:
        found = ", ".join(lists.column_names)
        raise QueryError(f"the candidates of {name} have no column {missing[0]!r}, only {found}")
    columns = {
        column: _cast(name, column, lists[column], kind)
        for column, kind in zip(_NEEDED, (pa.string(), pa.string(), pa.float32()), strict=True)
    }
    finite = pc.fill_null(pc.is_finite(columns["score"]), False)
    if bad := lists.num_rows - (pc.sum(finite).as_py() or 0):
        rows = counted(bad, "candidate")
        raise QueryError(f"{name} has {rows} with a score that is not a finite number")
    return pa.table(columns)


def _cast(name: str, column: str, values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        return id_texts(values) if pa.types.is_string(kind) else values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        what = "numbers" if pa.types.is_floating(kind) else "ids, as text or numbers"
        reason = str(error).partition(" as a scalar")[0]
        raise QueryError(
            f"the column {column!r} of the candidates of {name} cannot be read: {reason}; it "
            f"should hold {what}"
        ) from error


def _scorer(name: str, lists: pa.Table, training: Training) -> Scorer:
    """What the table offers to each listener; minus infinity for what it does not."""
    user = _rows(lists["user_id"], training.users)
    ids = training.tracks["track_id"].take(pa.array(training.candidates))
    place = _rows(lists["track_id"], np.asarray(ids.to_pylist(), object))
    known = np.flatnonzero((user >= 0) & (place >= 0))
    if not len(known):
        raise QueryError(
            f"no row of the candidates of {name} is of a listener in the log and of a track that "
            "is a candidate of this split: make them from the part that "
            "`musicu evaluate candidates --training-part` writes"
        )
    score = lists["score"].take(pa.array(known))
    entries = pa.table({"user": user[known], "place": place[known], "score": score})
    best = entries.group_by(["user", "place"]).aggregate([("score", "max")])
    cells = best["user"].to_numpy(), best["place"].to_numpy()
    shape = len(training.users), len(training.candidates)
    offered = csr_matrix((best["score_max"].to_numpy(), cells), shape=shape)

    def scores(users: Ints) -> Scores:
        some = offered[users].tocoo()
        found = np.full(some.shape, -np.inf, np.float32)
        found[some.row, some.col] = some.data
        return found

    return scores


def _rows(column: pa.ChunkedArray, known: NDArray[np.object_]) -> Ints:
    found = pc.index_in(column, value_set=pa.array(known, pa.string()))
    rows: Ints = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return rows
