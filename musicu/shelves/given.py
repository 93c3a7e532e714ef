"""Shelves of candidates that were found before: by `musicu candidates`, or by anybody."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from musicu.candidates.candidate_schema import model_of
from musicu.catalog.catalog import Catalog
from musicu.catalog.identity import Row
from musicu.catalog.schema import FAILURES
from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.ingest.ids import id_texts
from musicu.items.constraints import Constraints
from musicu.records import Vectors, check_count, check_same_model
from musicu.shelves.assembly import ScoredItem, ShelfSpec, by_score
from musicu.shelves.context import ShelfContext
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack
from musicu.shelves.shelf_catalog import rows_of
from musicu.shelves.shelf_reasons import Reason, distance_in_words, explain

#: How the shelf of a source's candidates is called.
TITLES = {
    "new-releases": "New for you",
    "deep-catalog": "Deep cuts for you",
    "for-you": "For you",
    "artist-adjacent": "By artists close to those you play",
    "popular": "Popular",
    "random": "Picked at random",
    "more-like": "More like this",
}


def shelves_of_candidates(
    candidates: TableLike,
    tracks: TableLike | Catalog,
    *,
    user_id: str | None = None,
    size: int | None = None,
) -> list[Shelf]:
    """A shelf of each source of one listener's candidates: the same tracks in the same order.

    candidates: the columns of `musicu.candidates.CANDIDATES`. size: of each shelf only so many;
    None: all. Nothing is sorted or left out again: that is done where candidates are found.
    Raises QueryError where the table lacks a column, is of several listeners and none is named,
    or names tracks that are not in `tracks`.
    """
    found = _with_columns(candidates, "user_id", "track_id", "score", "source", "reason")
    users = found["user_id"].unique().to_pylist()
    if user_id is None and len(users) > 1:
        raise QueryError(
            f"the candidates are of {len(users):,} listeners: name one with --user, here user_id="
        )
    if user_id is not None:
        found = found.filter(pc.equal(found["user_id"], user_id))
    if not found.num_rows:
        raise QueryError(f"there are no candidates for {user_id or 'anybody'} in the table")
    by_source: dict[str, list[Row]] = {}
    for row in found.to_pylist():
        by_source.setdefault(row["source"], []).append(row)
    rows = rows_of(_tracks(tracks), found["track_id"].to_pylist())
    return [_shelf(source, given[:size], rows) for source, given in by_source.items()]


def _tracks(tracks: TableLike | Catalog) -> pa.Table:
    return tracks.tracks() if isinstance(tracks, Catalog) else as_table(tracks, "the tracks")


def _with_columns(candidates: TableLike, *names: str) -> pa.Table:
    """Candidates that have these columns, their ids as text; QueryError where one is missing."""
    table = as_table(candidates, "the candidates")
    for name in names:
        if name not in table.column_names:
            found = ", ".join(table.column_names)
            raise QueryError(f"the candidates have no column {name!r}, only {found}")
    for name in {"user_id", "track_id"} & set(names):
        at = table.column_names.index(name)
        table = table.set_column(at, name, id_texts(table[name]))
    return table


def _shelf(source: str, given: list[Row], rows: dict[str, Row]) -> Shelf:
    """The candidates of one source as they stand."""
    items = tuple(
        ShelfItem(rows[row["track_id"]], place, row["score"], row["reason"], _source(row))
        for place, row in enumerate(given, 1)
    )
    title = TITLES.get(source, source.replace("-", " ").capitalize())
    return Shelf(title, items, Constraints())


def build_shelf(
    candidates: TableLike,
    tracks: TableLike | Catalog,
    vectors: Vectors | None = None,
    constraints: Constraints | None = None,
    *,
    size: int = 20,
    seed: str | None = None,
    title: str | None = None,
) -> Shelf:
    """A shelf of at most `size` of the candidates with scores from elsewhere; touches no files.

    candidates: columns track_id and score (any finite scale, the higher the better), in any
        order; a repeated track counts with its best score, several listeners' rows
        together. A column `reason`, where there is one, is what they say; a column `source` stands
        among the reasons.
    tracks: a catalog, or its tracks; must hold every candidate.
    vectors: of the whole catalog, since reasons compare with all of it; a candidate without
        a vector is allowed. None: those of the catalog's default model.
    seed: the track that the shelf is for; it and its duplicates are left out, and reasons
        say what the others have in common with it. As the scores are from elsewhere, what the
        reasons are worth says nothing of them.

    The first item is the best candidate that the constraints allow, the others follow by score; a
    second track of an album stands right behind its first. The same input, in whatever order,
    gives the same shelf. Raises QueryError for scores that are not finite, for tracks
    that are not in the table, and for a size below 1.
    """
    if vectors is None and not isinstance(tracks, Catalog):
        raise QueryError("a table of tracks has no vectors: give them too, or the catalog")
    table = _tracks(tracks)
    vectors = vectors or cast("Catalog", tracks).vectors()
    given = _with_columns(candidates, "track_id", "score")
    check_same_model(vectors, model_of(given), "the table of candidates")
    context = ShelfContext(TableCatalog(table, vectors))
    best = _best(given)
    rows = rows_of(table, [*best, *([seed] if seed is not None else [])])
    seed_row = None if seed is None else rows[seed]
    spec = ShelfSpec(
        title=title or (f"More like {ShelfTrack(seed_row).title}" if seed_row else "Shelf"),
        items=[_scored(rows[t], candidate, seed_row, context) for t, candidate in best.items()],
        excluded=[] if seed_row is None else [seed_row],
        seed=seed_row,
        order=by_score,
    )
    return context.shelf(spec, constraints or Constraints(), check_count("size", size))


@dataclass(frozen=True, slots=True, eq=False)
class TableCatalog:
    """What a context asks of a catalog, from a table of tracks and vectors."""

    table: pa.Table
    pairs: Vectors

    def tracks(self) -> pa.Table:
        """A row for each track."""
        return self.table

    def vectors(self, model: str | None = None) -> Vectors:
        """The ids and vectors of the tracks that have one."""
        return self.pairs

    def failures(self) -> pa.Table:
        """None."""
        return FAILURES.empty_table()


def _best(candidates: pa.Table) -> dict[str, Row]:
    """Each candidate's row with its best score; QueryError where one is no finite number."""
    try:
        scores = candidates["score"].cast(pa.float64())
    except pa.ArrowException as error:
        raise QueryError(f"the candidates' column 'score' holds no numbers: {error}") from None
    place = candidates.column_names.index("score")
    found: dict[str, Row] = {}
    for row in candidates.set_column(place, "score", scores).to_pylist():
        track_id, score = row["track_id"], row["score"]
        if score is None or not math.isfinite(score):
            raise QueryError(f"the score of {track_id!r} is {score}: scores must be finite")
        best = found.get(track_id)
        if best is None or (score, _said(row)) > (best["score"], _said(best)):
            found[track_id] = row
    return found


def _said(candidate: Row) -> str:
    return candidate.get("reason") or ""


def _source(candidate: Row) -> tuple[Reason, ...]:
    """Which source found a candidate, as a reason."""
    if not candidate.get("source"):
        return ()
    value = {name: candidate[name] for name in ("source", "interest") if name in candidate}
    return (Reason("source", value, "", candidate["score"]),)


def _scored(row: Row, candidate: Row, seed: Row | None, context: ShelfContext) -> ScoredItem:
    """A candidate with a score from elsewhere, and what it has in common with the seed."""
    score, said, source = candidate["score"], _said(candidate), _source(candidate)
    if seed is None:
        return ScoredItem(row, score, source, sentence=said)
    likeness = context.likeness(seed["track_id"], row["track_id"])
    fallback = "" if likeness is None else distance_in_words(likeness)
    return ScoredItem(row, score, (*explain(seed, row, likeness), *source), fallback, said)
