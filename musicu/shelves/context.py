"""What recipes are made from: the item table of a catalog, a listener's profile, and the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timezone
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.candidates.generator import CandidateGenerator, Sources
from musicu.catalog.catalog import Catalog
from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.items.credits import Credits
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.listening.profile_arrays import UserProfile
from musicu.listening.profiles import TasteProfile
from musicu.records import counted
from musicu.retrieval import Filter, find_track, matching_rows
from musicu.retrieval.similar import Searchable
from musicu.sequences.catalog_models import has_next_model, open_next_model
from musicu.sequences.next_item_model import NextItemModel
from musicu.shelves.assembly import ScoredItem, ShelfSpec, assemble
from musicu.shelves.character import Character
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.shelf_reasons import (
    Likeness,
    Reason,
    affinity,
    distance_in_words,
    explain,
    parts_of,
)

#: With how many tracks a track's likeness to a seed is compared at most.
COMPARED = 32_768
#: Candidates looked at first; ten times a shelf's size where that is more.
FIRST_POOL = 200


@dataclass(frozen=True, slots=True)
class Anchor:
    """A track that others are likened to.

    reason: what being like it is worth by itself, such as the interest that it stands for.
    """

    row: Row
    reason: Reason | None = None


class ShelfContext:
    """A catalog under one model, opened once for many shelves.

    profile: of the listener that the shelves are for. today: decides what is new.
    """

    def __init__(
        self,
        catalog: Searchable,
        *,
        model: str | None = None,
        profile: TasteProfile | None = None,
        today: date | None = None,
    ) -> None:
        self._catalog = catalog
        self.tracks: pa.Table = catalog.tracks()
        self.items = ItemTable(self.tracks, catalog.vectors(model))
        self.today = today or date.today()
        self._profile = profile
        self._cosines: dict[int, tuple[Floats, Floats]] = {}

    @property
    def profile(self) -> TasteProfile:
        """Who the shelves are for; QueryError where nobody was named or nothing was heard."""
        if self._profile is None or not self.has_profile:
            raise QueryError(
                "this recipe needs a listener: give --listens, or --recipe more-like-track"
            )
        return self._profile

    @property
    def has_profile(self) -> bool:
        """Whether somebody with interests was named."""
        return self._profile is not None and bool(self._profile.interests)

    @property
    def heard(self) -> frozenset[str]:
        """What the listener has heard of this catalog; nothing where there is no listener."""
        return frozenset() if self._profile is None else self._profile.heard

    @cached_property
    def next_model(self) -> NextItemModel | None:
        """The catalog's next-item model, where one was trained."""
        if isinstance(self._catalog, Catalog) and has_next_model(self._catalog):
            return open_next_model(self._catalog)
        return None

    @cached_property
    def character(self) -> Character:
        """The words of this catalog."""
        return Character(self.tracks)

    def rows(self, ids: Iterable[str], *, missing_ok: bool = False) -> dict[str, Row]:
        """Rows by id; QueryError where one is not there, unless that is fine."""
        return rows_of(self.tracks, ids, missing_ok=missing_ok)

    def items_of(self, places: Ints) -> dict[str, Row]:
        """Rows by id, of some rows of the item table."""
        return {
            row["track_id"]: row for row in self.items.tracks.take(pa.array(places)).to_pylist()
        }

    def places(self, ids: Iterable[str]) -> Ints:
        """The rows of the item table that tracks with a vector have: int64, -1 for the others."""
        return self.items.rows_of(ids)

    def has_vector(self, track_id: str) -> bool:
        """Whether a track has a vector."""
        return bool(self.places([track_id])[0] >= 0)

    def find(self, words: str) -> str:
        """The id of the track that words name; QueryError where none or several do."""
        return find_track(self.tracks, words)

    def matching(self, where: Filter) -> Ints:
        """The rows of the item table that meet a filter, rising."""
        return matching_rows(self.items.tracks, where)

    def near(self, seeds: Sequence[str], pool: int, where: Filter = None) -> list[str]:
        """Ids of the tracks nearest to each of some others, the best first, each once."""
        own = self.places(seeds)
        if (own < 0).any():
            missing = seeds[int(np.flatnonzero(own < 0)[0])]
            raise QueryError(f"track {missing!r} has no vector under this model yet")
        each = max(50, pool // len(seeds)) if len(seeds) > 1 else pool
        rows = self.matching(where)
        if not len(rows):
            return []
        hits = self.items.search(self.items.values[own], np.full(len(own), each + 1), rows)
        hits = hits.take(np.flatnonzero(hits.row != own[hits.query]))
        found = hits.row[np.argsort(-hits.score, kind="stable")]
        return list(dict.fromkeys(self.items.ids[found].tolist()))[:pool]

    def near_vector(self, vector: NDArray[np.float64], k: int, rows: Ints) -> list[str]:
        """Ids of the k of some rows nearest to a vector [dim], the best first."""
        if not len(rows):
            return []
        hits = self.items.search(vector[None].astype(np.float32), np.array([k]), rows)
        return [str(name) for name in self.items.ids[hits.row]]

    def by_artist(self, name: str) -> dict[str, Row]:
        """Rows by id of the tracks by a performer, however spelled; QueryError where none is."""
        made = Credits.of(self.tracks)
        found = made.rows_by([name])
        if not len(found):
            raise QueryError(f"no track of the catalog is by {name!r}")
        rows = self.tracks.take(pa.array(found)).to_pylist()
        return {row["track_id"]: row for row in rows}

    @property
    def now(self) -> datetime:
        """The end of the day."""
        return datetime.combine(self.today, time(23, 59, 59), timezone.utc)

    def candidates(
        self,
        sources: Sources,
        size: int,
        constraints: Constraints,
        profile: TasteProfile | None = None,
    ) -> list[ScoredItem]:
        """What the candidate generator finds for the listener, in its order, with its reasons.

        profile: in place of the listener's, such as that of a playlist.
        """
        generator = CandidateGenerator.of(self.items, sources, size, constraints, self.now)
        found = generator.explain(UserProfile("", profile or self.profile))
        rows = self.items_of(self.places([each.track_id for each in found]))
        return [
            ScoredItem(rows[c.track_id], c.score, parts_of(c.parts), sentence=c.reason)
            for c in found
        ]

    def likened(
        self, ids: Sequence[str], anchors: Sequence[Anchor], *, apart: bool = False
    ) -> list[ScoredItem]:
        """Tracks scored by the anchor that says most for each, with what says it.

        apart: where anchors may be among the tracks, none is likened to itself or to the same
        recording, and one that has no other anchor is left out.
        """
        own = self.places(ids)
        theirs = self.places(anchor.row["track_id"] for anchor in anchors)
        extra = np.array([anchor.reason.points if anchor.reason else 0.0 for anchor in anchors])
        pulls: NDArray[np.float64] = self.items.values[own] @ self.items.values[theirs].T + extra
        if apart and len(own):
            every = np.concatenate([own, theirs])
            numbers = self.items.take(every).recordings
            same = numbers[: len(own), None] == numbers[None, len(own) :]
            pulls = np.where(same | (own[:, None] == theirs), -np.inf, pulls)
        rows = self.items_of(own)
        best = np.argmax(pulls, axis=1) if len(own) else []
        return [
            self._likened(rows[t], anchors[i], named=len(anchors) > 1)
            for place, (t, i) in enumerate(zip(ids, best, strict=True))
            if np.isfinite(pulls[place, i])
        ]

    def _likened(self, row: Row, anchor: Anchor, *, named: bool = False) -> ScoredItem:
        """A track, scored by what it shares with one anchor; `named` says which it is."""
        likeness = self.likeness(anchor.row["track_id"], row["track_id"])
        reasons = explain(anchor.row, row, likeness, self.character)
        score = affinity(likeness, reasons)
        if anchor.reason is not None:
            score, reasons = score + anchor.reason.points, (anchor.reason, *reasons)
        elif named:
            close = likeness.close if likeness else ""
            reasons = tuple(_of(anchor.row, r, close) if r.kind == "sound" else r for r in reasons)
        return ScoredItem(row, score, reasons, distance_in_words(likeness) if likeness else "")

    def likeness(self, seed: str, track: str) -> Likeness | None:
        """How near a track is to the seed, among all tracks; None where one has no vector.

        Of a catalog of more than COMPARED tracks, a sample of so many is compared.
        """
        own, place = self.places([seed, track]).tolist()
        if own < 0 or place < 0:
            return None
        values, others = self.items.values, len(self.items) - 1
        if own not in self._cosines:
            cosines = self._compared @ values[own]
            self._cosines[own] = cosines, np.sort(cosines)
        cosines, rising = self._cosines[own]
        if len(rising) <= others:  # a sample
            cosine = float(values[place] @ values[own])
            share = int(np.searchsorted(rising, cosine)) / len(rising)
            spread = 4 * (share * (1 - share) / len(rising)) ** 0.5
            share = max(0.0, share - spread - 8 / len(rising))
            return Likeness(cosine, None, others, share, self.items.of_sound)
        cosine, self_cosine = cosines[place], cosines[own]
        below = int(np.searchsorted(rising, cosine)) - int(self_cosine < cosine)
        above = len(rising) - int(np.searchsorted(rising, cosine, side="right"))
        rank = above - int(self_cosine > cosine) + 1
        share = below / max(1, others)
        return Likeness(float(cosine), rank, others, share, self.items.of_sound)

    @cached_property
    def _compared(self) -> Floats:
        """The vectors of the rows that a seed's others are compared with."""
        count = len(self.items)
        if count <= COMPARED:
            return self.items.values
        rows = np.random.default_rng(0).choice(count, COMPARED, replace=False)
        return self.items.values[np.sort(rows)]

    def shelf(self, spec: ShelfSpec, constraints: Constraints, size: int) -> Shelf:
        """The shelf that is asked for."""
        return assemble(spec, self.tracks, self.items, constraints, size)


def rows_of(tracks: pa.Table, ids: Iterable[str], *, missing_ok: bool = False) -> dict[str, Row]:
    """Rows by id; QueryError where one is not in the table, unless that is fine."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    texts = pa.array(wanted, pa.string())
    kept = np.flatnonzero(pc.is_in(tracks["track_id"], value_set=texts).to_numpy())
    found = {row["track_id"]: row for row in tracks.take(pa.array(kept)).to_pylist()}
    missing = [t for t in wanted if t not in found]
    if missing and not missing_ok:
        raise QueryError(
            f"not in the table of tracks: {counted(len(missing), 'track')}, the first "
            f"{missing[0]!r}; take candidates and tracks from one catalog"
        )
    return {t: found[t] for t in wanted if t in found}


def _of(anchor: Row, reason: Reason, close: str) -> Reason:
    """A reason that says which of several tracks it is about."""
    value = {"to": anchor["track_id"], **reason.value}
    return replace(reason, value=value, text=f"close{close} to {quoted(anchor)}")


def quoted(row: Row) -> str:
    """A track's title as it stands in a sentence."""
    return f"“{one_line(ShelfTrack(row).title, 40)}”"
