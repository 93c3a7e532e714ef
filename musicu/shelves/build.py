"""From candidates to a shelf: deduplicate, apply the rules, diversify, order, explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.identity import Row
from musicu.errors import QueryError
from musicu.records import Vectors
from musicu.shelves.diversity import POOL_FACTOR, diversify
from musicu.shelves.duplicates import recording_numbers
from musicu.shelves.likeness import Space
from musicu.shelves.reasons import distance_in_words, explain, sentence
from musicu.shelves.rules import Rules, album_numbers, blocked, one_run_per_album, within_limits
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack


def build_shelf(
    candidates: pa.Table,
    tracks: pa.Table,
    vectors: Vectors,
    rules: Rules | None = None,
    *,
    size: int = 20,
    seed: str | None = None,
    title: str | None = None,
) -> Shelf:
    """A shelf of at most `size` of the candidates; touches no files.

    candidates: columns track_id and score (any finite scale, the higher the better), in any
        order; a repeated track counts with its best score.
    tracks: the catalog's tracks; must hold every candidate.
    vectors: of the whole catalog, since reasons compare with all of it; a candidate without
        a vector is allowed.
    seed: the track that the shelf is for; it and its duplicates are left out, and reasons
        say what the others have in common with it.

    The first item is the best candidate that the rules allow, the others follow by score; a
    second track of an album stands right behind its first. The same input, in whatever order,
    gives the same shelf. Raises QueryError for scores that are not finite, for tracks
    that are not in the table, and for a size below 1.
    """
    rules = rules or Rules()
    if size < 1:
        raise QueryError(f"the size of a shelf is {size}: it must be 1 or more")
    ids, scores = _ranked(candidates, rules.min_score)
    special = [t for t in sorted(rules.blocked_tracks) if t not in ids and t != seed]
    rows = _rows(tracks, ids, [seed] if seed is not None else [], special)
    space = Space(vectors)
    allowed = _allowed(ids, rows, space, rules, seed)
    chosen = _choose([rows[i] for i in allowed], space, rules, size)
    items = [
        _item(rank + 1, rows[track_id], scores[track_id], rows.get(seed or ""), space)
        for rank, track_id in enumerate(chosen)
    ]
    seed_track = ShelfTrack(rows[seed]) if seed is not None else None
    if title is None:
        title = f"More like {seed_track.title}" if seed_track else "Shelf"
    return Shelf(title, tuple(items), rules, seed_track)


def _ranked(candidates: pa.Table, min_score: float | None) -> tuple[list[str], dict[str, float]]:
    """Ids of the candidates, the best score first and then by id, and the scores."""
    scores: dict[str, float] = {}
    given = zip(
        candidates["track_id"].to_pylist(),
        np.asarray(candidates["score"].cast(pa.float64()).to_numpy(zero_copy_only=False)),
        strict=True,
    )
    for track_id, score in given:
        if not np.isfinite(score):
            raise QueryError(f"the score of {track_id!r} is {score}: scores must be finite")
        scores[track_id] = max(float(score), scores.get(track_id, -np.inf))
    ids = [t for t in scores if min_score is None or scores[t] >= min_score]
    return sorted(ids, key=lambda t: (-scores[t], t)), scores


def _rows(
    tracks: pa.Table, ids: Sequence[str], seeds: Sequence[str], others: Sequence[str]
) -> dict[str, Row]:
    """Rows by id. Candidates and seeds must be there; `others` may be gone."""
    wanted = pa.array([*ids, *seeds, *others], pa.string())
    found = tracks.filter(pc.is_in(tracks["track_id"], value_set=wanted)).to_pylist()
    rows: dict[str, Row] = {row["track_id"]: row for row in found}
    missing = [t for t in [*ids, *seeds] if t not in rows]
    if missing:
        raise QueryError(
            f"{len(missing)} tracks are not in the table of tracks, the first is {missing[0]!r}: "
            "take candidates and tracks from one catalog"
        )
    return rows


def _allowed(
    ids: Sequence[str], rows: dict[str, Row], space: Space, rules: Rules, seed: str | None
) -> list[str]:
    """Candidates within every rule, the best first, one a recording."""
    barred = [t for t in rows if t == seed or t in rules.blocked_tracks]
    order = [*barred, *(t for t in ids if t not in set(barred))]
    recordings = recording_numbers(
        [rows[t] for t in order],
        lambda i, j: space.cosine(order[i], order[j]),
        rules.duplicate_cosine,
    )
    copies: dict[int, list[str]] = {}
    for track_id, recording in zip(order, recordings, strict=True):
        copies.setdefault(recording, []).append(track_id)
    single = [
        next((t for t in group if not blocked(rows[t], rules)), None)
        for group in copies.values()
        if not set(barred) & set(group)
    ]
    left = [t for t in single if t is not None]
    return [left[i] for i in within_limits([rows[t] for t in left], rules)]


def _choose(allowed: list[Row], space: Space, rules: Rules, size: int) -> list[str]:
    """Ids of at most `size` tracks: diversified, the best first, those of one album in a run."""
    pool = allowed[: POOL_FACTOR * size]
    vectors: NDArray[np.float32] = space.rows([row["track_id"] for row in pool])
    chosen = diversify(vectors, size, rules.diversity)
    order = one_run_per_album(sorted(chosen), album_numbers(pool))
    return [pool[i]["track_id"] for i in order]


def _item(position: int, row: Row, score: float, seed: Row | None, space: Space) -> ShelfItem:
    """A track with its reasons."""
    fallback = f"Number {position} by its score, {score:.3g}."
    if seed is None:
        return ShelfItem(row, position, score, fallback, ())
    likeness = space.likeness(seed["track_id"], row["track_id"])
    if likeness is not None:
        fallback = distance_in_words(likeness)
    reasons = explain(seed, row, likeness)
    return ShelfItem(row, position, score, sentence(reasons, fallback), reasons)
