"""From candidates to a shelf: deduplicate, apply the rules, diversify, order, explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.identity import Row
from musicu.errors import QueryError
from musicu.ranking.diversity import POOL_FACTOR, diversify
from musicu.records import Vectors, counted
from musicu.shelves.duplicates import recording_numbers
from musicu.shelves.likeness import Space
from musicu.shelves.reasons import Reason, distance_in_words, explain, sentence
from musicu.shelves.rules import Rules, album_numbers, blocked, one_run_per_album, within_limits
from musicu.shelves.shelf import Shelf, ShelfItem, ShelfTrack
from musicu.shelves.transitions import Transition


@dataclass(frozen=True, slots=True)
class Choice:
    """A track that may come onto a shelf: its score, what the score is made of, and a sentence
    for where that is nothing that can be told.

    after: how it follows the track before it, where the order is one to listen through.
    """

    row: Row
    score: float
    reasons: tuple[Reason, ...] = ()
    fallback: str = ""
    after: Transition | None = None

    @property
    def track_id(self) -> str:
        """The track's id."""
        return str(self.row["track_id"])

    def plus(self, reason: Reason, *, first: bool = True) -> Choice:
        """The same with one more reason, told first or last, and its points."""
        reasons = (reason, *self.reasons) if first else (*self.reasons, reason)
        return replace(self, score=self.score + reason.points, reasons=reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranging:
    """What an arrangement may use to pick and order: vectors, rules, and how many to take."""

    space: Space
    rules: Rules
    size: int


#: Picks at most `size` of the allowed choices, which come the best first, and orders them.
Arrange = Callable[[Sequence[Choice], Arranging], list[Choice]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A shelf that is wanted.

    choices: the candidates, in any order. barred: rows of tracks that must not appear, nor the
    same recordings in other files (seeds, what was heard). seed: the track that the shelf is
    for, to be shown with it. about: a line under the title. notes: what people should know.
    """

    title: str
    choices: Sequence[Choice]
    barred: Sequence[Row] = ()
    seed: Row | None = None
    about: str = ""
    notes: tuple[str, ...] = ()
    arrange: Arrange


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
    """A shelf of at most `size` of the candidates with scores from elsewhere; touches no files.

    candidates: columns track_id and score (any finite scale, the higher the better), in any
        order; a repeated track counts with its best score.
    tracks: the catalog's tracks; must hold every candidate.
    vectors: of the whole catalog, since reasons compare with all of it; a candidate without
        a vector is allowed.
    seed: the track that the shelf is for; it and its duplicates are left out, and reasons
        say what the others have in common with it. As the scores are from elsewhere, what the
        reasons are worth says nothing of them.

    The first item is the best candidate that the rules allow, the others follow by score; a
    second track of an album stands right behind its first. The same input, in whatever order,
    gives the same shelf. Raises QueryError for scores that are not finite, for tracks
    that are not in the table, and for a size below 1.
    """
    scores = _scores(candidates)
    rows = rows_of(tracks, [*scores, *([seed] if seed is not None else [])])
    space = Space(vectors)
    seed_row = rows[seed] if seed is not None else None
    choices = [_given(rows[t], score, seed_row, space) for t, score in scores.items()]
    ask = Ask(
        title=title or (f"More like {ShelfTrack(seed_row).title}" if seed_row else "Shelf"),
        choices=choices,
        barred=[seed_row] if seed_row else [],
        seed=seed_row,
        arrange=by_score,
    )
    return assemble(ask, space, tracks, rules or Rules(), size)


def assemble(ask: Ask, space: Space, tracks: pa.Table, rules: Rules, size: int) -> Shelf:
    """The one way to a shelf; raises QueryError for a size below 1."""
    if size < 1:
        raise QueryError(f"the size of a shelf is {size}: it must be 1 or more")
    special = rows_of(tracks, sorted(rules.blocked_tracks), missing_ok=True)
    barred = [*ask.barred, *special.values()]
    allowed = _allowed(ask.choices, barred, space, rules)
    chosen = ask.arrange(allowed, Arranging(space=space, rules=rules, size=size))[:size]
    items = tuple(_item(place + 1, choice) for place, choice in enumerate(chosen))
    seed = ShelfTrack(ask.seed) if ask.seed is not None else None
    return Shelf(ask.title, items, rules, seed, ask.about, (*ask.notes, *_unjudged(chosen)))


def by_score(allowed: Sequence[Choice], given: Arranging) -> list[Choice]:
    """Diversified, the best first, those of one album in a run."""
    pool = list(allowed[: POOL_FACTOR * given.size])
    chosen = sorted(diverse(pool, given))
    order = one_run_per_album(chosen, album_numbers([choice.row for choice in pool]))
    return [pool[i] for i in order]


def diverse(pool: Sequence[Choice], given: Arranging) -> list[int]:
    """Positions of at most `size` of the pool that are not all alike, the best one first."""
    vectors = given.space.rows([choice.track_id for choice in pool])
    return diversify(vectors, given.size, given.rules.diversity)


def _scores(candidates: pa.Table) -> dict[str, float]:
    """The best score of each candidate; QueryError where one is no number."""
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
    return scores


def rows_of(tracks: pa.Table, ids: Iterable[str], *, missing_ok: bool = False) -> dict[str, Row]:
    """Rows by id; QueryError where one is not in the table, unless that is fine."""
    wanted = list(dict.fromkeys(ids))
    places = pc.index_in(
        pa.array(wanted, pa.string()), value_set=tracks["track_id"].combine_chunks()
    )
    missing = [t for t, place in zip(wanted, places.to_pylist(), strict=True) if place is None]
    if missing and not missing_ok:
        raise QueryError(
            f"not in the table of tracks: {counted(len(missing), 'track')}, the first "
            f"{missing[0]!r}; take candidates and tracks from one catalog"
        )
    found = tracks.take(places.drop_null()).to_pylist()
    return {row["track_id"]: row for row in found}


def _given(row: Row, score: float, seed: Row | None, space: Space) -> Choice:
    """A candidate with a score from elsewhere, and what it has in common with the seed."""
    if seed is None:
        return Choice(row, score)
    likeness = space.likeness(seed["track_id"], row["track_id"])
    fallback = "" if likeness is None else distance_in_words(likeness)
    return Choice(row, score, explain(seed, row, likeness), fallback)


def _allowed(
    choices: Sequence[Choice], barred: Sequence[Row], space: Space, rules: Rules
) -> list[Choice]:
    """Choices within every rule, the best first, one a recording."""
    banned = {row["track_id"]: row for row in barred}
    ranked = [
        choice
        for choice in sorted(choices, key=lambda c: (-c.score, c.track_id))
        if choice.track_id not in banned
        and (rules.min_score is None or choice.score >= rules.min_score)
    ]
    rows = [*banned.values(), *(choice.row for choice in ranked)]
    ids = [row["track_id"] for row in rows]
    recordings = recording_numbers(
        rows, lambda i, j: space.cosine(ids[i], ids[j]), rules.duplicate_cosine
    )
    taken = set(recordings[: len(banned)])
    left = []
    for choice, recording in zip(ranked, recordings[len(banned) :], strict=True):
        if recording not in taken and not blocked(choice.row, rules):
            taken.add(recording)
            left.append(choice)
    return [left[i] for i in within_limits([choice.row for choice in left], rules)]


def _unjudged(chosen: Sequence[Choice]) -> list[str]:
    """A sentence for each thing that transitions had to do without."""
    judged = [choice.after for choice in chosen if choice.after is not None]
    missing = Counter(name for after in judged for name in after.missing)
    return [
        f"{count} of {len(judged)} transitions are judged without {name}, which is not known"
        for name, count in sorted(missing.items())
    ]


def _item(position: int, choice: Choice) -> ShelfItem:
    """A choice in its place."""
    fallback = choice.fallback or f"Number {position} by its score, {choice.score:.3g}."
    said = sentence(choice.reasons, fallback)
    return ShelfItem(choice.row, position, choice.score, said, choice.reasons, choice.after)
