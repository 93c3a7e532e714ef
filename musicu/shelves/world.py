"""What recipes are made from: a catalog's tracks and vectors, a listener, and the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.identity import Row, artist_key, artist_keys
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.retrieval import Filter, find_track, matching_rows, similar
from musicu.retrieval.similar import Searchable
from musicu.shelves.build import Ask, Choice, assemble, rows_of
from musicu.shelves.character import Character
from musicu.shelves.duplicates import recording_numbers
from musicu.shelves.likeness import Space
from musicu.shelves.reasons import Reason, affinity, distance_in_words, explain
from musicu.shelves.rules import Rules
from musicu.shelves.shelf import Shelf, ShelfTrack

#: Candidates looked at first; ten times a shelf's size where that is more.
FIRST_POOL = 200


class Interest(Protocol):
    """One of the things that a listener listens to."""

    @property
    def medoid(self) -> str:
        """The track in its middle."""

    @property
    def importance(self) -> float:
        """Its share of the listening, above 0 to 1."""

    @property
    def track_ids(self) -> Sequence[str]:
        """The tracks that were heard, of this interest."""


class Listener(Protocol):
    """What somebody listens to, as `musicu.candidates.TasteProfile` says it."""

    @property
    def interests(self) -> Sequence[Interest]:
        """The most important first."""

    @property
    def heard(self) -> Iterable[str]:
        """Every track that was heard."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A track that others are likened to.

    reason: what being like it is worth by itself, such as the interest that it stands for.
    """

    row: Row
    reason: Reason | None = None


class World:
    """A catalog under one model, opened once for many shelves."""

    def __init__(
        self,
        catalog: Searchable,
        *,
        model: str | None = None,
        listener: Listener | None = None,
        today: date | None = None,
    ) -> None:
        """Read the catalog's tracks and vectors; `today` decides what is new."""
        self.catalog = catalog
        self.model = model
        self.tracks: pa.Table = catalog.tracks()
        self.space = Space(catalog.vectors(model))
        self.today = today or date.today()
        self._listener = listener

    @property
    def listener(self) -> Listener:
        """Who the shelves are for; QueryError where nobody was named or nothing was heard."""
        if self._listener is None or not self.has_listener:
            raise QueryError(
                "this recipe needs a listener: give --listens, or --recipe more-like-track"
            )
        return self._listener

    @property
    def has_listener(self) -> bool:
        """Whether somebody with interests was named."""
        return self._listener is not None and bool(self._listener.interests)

    @property
    def heard(self) -> frozenset[str]:
        """What the listener has heard of this catalog; nothing where there is no listener."""
        return frozenset() if self._listener is None else frozenset(self._listener.heard)

    @cached_property
    def character(self) -> Character:
        """The words of this catalog."""
        return Character(self.tracks)

    @cached_property
    def with_vector(self) -> frozenset[str]:
        """Ids of the tracks that have a vector."""
        return frozenset(self.space.ids)

    def rows(self, ids: Iterable[str], *, missing_ok: bool = False) -> dict[str, Row]:
        """Rows by id; QueryError where one is not there, unless that is fine."""
        return rows_of(self.tracks, ids, missing_ok=missing_ok)

    def find(self, words: str) -> str:
        """The id of the track that words name; QueryError where none or several do."""
        return find_track(self.tracks, words)

    def by_artist(self, name: str) -> list[str]:
        """Ids of the tracks by a performer, in whatever spelling; QueryError where none is."""
        key = artist_key(name)
        credited = self.tracks.select(["track_id", "artists", "album_artist"]).to_pylist()
        ids = [row["track_id"] for row in credited if key and key in artist_keys(row)]
        if not ids:
            raise QueryError(f"no track of the catalog is by {name!r}")
        return ids

    def matching(self, where: Filter) -> list[str]:
        """Ids of the tracks that meet a filter and have a vector."""
        ids = self.tracks["track_id"].take(pa.array(matching_rows(self.tracks, where))).to_pylist()
        return [track_id for track_id in ids if track_id in self.with_vector]

    def near(self, seeds: Sequence[str], pool: int, where: Filter = None) -> list[str]:
        """Ids of the tracks nearest to each of some others, the best first, each once."""
        each = max(50, pool // len(seeds)) if len(seeds) > 1 else pool
        hits = similar(self.catalog, list(seeds), each, where, self.model)
        order = np.argsort(-hits["score"].to_numpy(), kind="stable")
        ids = hits["track_id"].take(pa.array(order)).to_pylist()
        return list(dict.fromkeys(ids))[:pool]

    def choices(self, ids: Sequence[str], anchors: Sequence[Anchor]) -> list[Choice]:
        """Candidates scored by the anchor that says most for each, with what says it."""
        rows = self.rows(ids)
        best = np.argmax(self._pulls(ids, anchors), axis=1)
        named = len(anchors) > 1
        pairs = zip(ids, best, strict=True)
        return [self.choice(rows[t], anchors[i], named=named) for t, i in pairs]

    def choices_apart(self, ids: Sequence[str], anchors: Sequence[Anchor]) -> list[Choice]:
        """The same where anchors may be candidates: none is likened to itself or to a copy.

        A candidate that has no other anchor is left out.
        """
        rows = self.rows(ids)
        every = [*(anchor.row for anchor in anchors), *(rows[t] for t in ids)]
        names = [row["track_id"] for row in every]
        recordings = np.array(
            recording_numbers(
                every,
                lambda i, j: self.space.cosine(names[i], names[j]),
                Rules().duplicate_cosine,
            )
        )
        own, theirs = recordings[len(anchors) :], recordings[: len(anchors)]
        same = (own[:, None] == theirs) | (np.array(ids, object)[:, None] == names[: len(anchors)])
        pulls = np.where(same, -np.inf, self._pulls(ids, anchors))
        best = np.argmax(pulls, axis=1)
        kept = [(t, i) for n, (t, i) in enumerate(zip(ids, best, strict=True)) if not same[n].all()]
        return [self.choice(rows[t], anchors[i], named=len(anchors) > 1) for t, i in kept]

    def _pulls(self, ids: Sequence[str], anchors: Sequence[Anchor]) -> NDArray[np.float64]:
        """How much each anchor says for each candidate, float64 [ids, anchors]."""
        seeds = [anchor.row["track_id"] for anchor in anchors]
        extra = np.array([anchor.reason.points if anchor.reason else 0.0 for anchor in anchors])
        pulls: NDArray[np.float64] = self.space.rows(ids) @ self.space.rows(seeds).T + extra
        return pulls

    def choice(self, row: Row, anchor: Anchor, *, named: bool = False) -> Choice:
        """A candidate, scored by what it shares with one anchor; `named` says which it is."""
        likeness = self.space.likeness(anchor.row["track_id"], row["track_id"])
        reasons = explain(anchor.row, row, likeness, self.character)
        score = affinity(likeness, reasons)
        if anchor.reason is not None:
            score, reasons = score + anchor.reason.points, (anchor.reason, *reasons)
        elif named:
            reasons = tuple(_of(anchor.row, r) if r.kind == "sound" else r for r in reasons)
        fallback = "" if likeness is None else distance_in_words(likeness)
        return Choice(row, score, reasons, fallback)

    def shelf(self, ask: Ask, rules: Rules, size: int) -> Shelf:
        """The shelf that is asked for."""
        return assemble(ask, self.space, self.tracks, rules, size)


def _of(anchor: Row, reason: Reason) -> Reason:
    """A reason that says which of several tracks it is about."""
    value = {"to": anchor["track_id"], **reason.value}
    return replace(reason, value=value, text=f"close in sound to {quoted(anchor)}")


def quoted(row: Row) -> str:
    """A track's title as it stands in a sentence."""
    return f"“{one_line(ShelfTrack(row).title, 40)}”"


def released_since(tracks: pa.Table, first: date, last: date) -> list[str]:
    """Ids of the tracks released from one day to another, both included."""
    days = tracks["released"]
    within = pc.and_(
        pc.greater_equal(days, pa.scalar(first, pa.date32())),
        pc.less_equal(days, pa.scalar(last, pa.date32())),
    )
    ids: list[Any] = tracks["track_id"].filter(pc.fill_null(within, False)).to_pylist()
    return ids
