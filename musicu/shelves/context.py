"""What recipes are made from: the item table of a catalog, a listener's profile, and the day."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timezone
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.candidates.generator import CandidateGenerator, Explained, Sources
from musicu.catalog.catalog import Catalog
from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.items.credits import Credits
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.listening.profile_arrays import UserProfile
from musicu.listening.profiles import TasteProfile
from musicu.ranking.ranker import Ranker
from musicu.ranking.ranker_storage import ranker_of
from musicu.records import check_catalog, check_kind, check_same_model
from musicu.retrieval import Filter, find_track, matching_rows
from musicu.retrieval.similar import Searchable
from musicu.sequences.catalog_models import has_next_model, open_next_model
from musicu.sequences.next_item_model import NextItemModel
from musicu.shelves.assembly import ScoredItem, ShelfSpec, assemble
from musicu.shelves.seed_comparison import SeedComparison
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.shelf_catalog import ShelfCatalog
from musicu.shelves.shelf_reasons import (
    Likeness,
    Reason,
    affinity,
    distance_in_words,
    explain,
    parts_of,
)

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

    profile: of the listener that the shelves are for. today: decides what is new. ranker: of
    candidates, or its name; None: the one that each source names.
    """

    def __init__(
        self,
        catalog: Searchable,
        *,
        model: str | None = None,
        profile: TasteProfile | None = None,
        today: date | None = None,
        ranker: Ranker | str | None = None,
    ) -> None:
        check_catalog(catalog)
        self._opened = catalog
        stored = catalog if isinstance(catalog, Catalog) else None
        self.ranker = ranker_of(ranker, stored) if isinstance(ranker, str) else ranker
        tracks: pa.Table = catalog.tracks()
        self.catalog = ShelfCatalog(tracks, ItemTable(tracks, catalog.vectors(model)))
        pa.default_memory_pool().release_unused()
        self._use(profile, today)

    def _use(self, profile: TasteProfile | None, today: date | None) -> None:
        if profile is not None:
            check_kind("the profile", profile, TasteProfile, "a TasteProfile")
            check_same_model(self.catalog.items, profile, "the listener's profile")
        self.today = today or date.today()
        self._profile = profile
        self._comparison = SeedComparison(self.catalog.items, self._sample)

    def _sample(self) -> Floats:
        return self.catalog.compared

    def for_listener(self, profile: TasteProfile | None, today: date | None = None) -> ShelfContext:
        """The same catalog for another listener, or for nobody: nothing of it is made again."""
        other = copy.copy(self)
        other._use(profile, today)
        return other

    @property
    def tracks(self) -> pa.Table:
        """The tracks of the catalog."""
        return self.catalog.tracks

    @property
    def items(self) -> ItemTable:
        """Those of them with a vector."""
        return self.catalog.items

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
        if isinstance(self._opened, Catalog) and has_next_model(self._opened):
            return open_next_model(self._opened)
        return None

    def rows(self, ids: Iterable[str], *, missing_ok: bool = False) -> dict[str, Row]:
        """Rows by id; QueryError where one is not there, unless that is fine."""
        return self.catalog.rows(ids, missing_ok=missing_ok)

    def items_of(self, places: Ints) -> dict[str, Row]:
        """Rows by id, of some rows of the item table."""
        return {row["track_id"]: row for row in self.items.tracks_at(places).to_pylist()}

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
        return self.near_each([seeds], pool, where)[0]

    def near_each(
        self, groups: Sequence[Sequence[str]], pool: int, where: Filter = None
    ) -> list[list[str]]:
        """What `near` gives for each of some groups of seeds, by one search for all of them."""
        seeds = [seed for group in groups for seed in group]
        own = self.places(seeds)
        if (own < 0).any():
            missing = seeds[int(np.flatnonzero(own < 0)[0])]
            raise QueryError(f"track {missing!r} has no vector under this model yet")
        rows = self.matching(where)
        if not len(rows) or not seeds:
            return [[] for _ in groups]
        sizes = [len(group) for group in groups]
        each = [max(50, pool // size) if size > 1 else pool for size in sizes]
        wanted = np.repeat(np.array(each) + 1, sizes)
        hits = self.items.search(self.items.values[own], wanted, rows)
        hits = hits.take(np.flatnonzero(hits.row != own[hits.query]))
        edges = np.searchsorted(hits.query, np.cumsum([0, *sizes]))
        found = []
        for part in map(slice, edges[:-1], edges[1:]):
            order = np.argsort(-hits.score[part], kind="stable")
            ids = self.items.ids[hits.row[part][order]]
            found.append(list(dict.fromkeys(ids.tolist()))[:pool])
        return found

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

        After it comes what a shelf may take in for exposure floors: the best of each group.
        profile: in place of the listener's, such as that of a playlist.
        """
        rules = replace(constraints, floors=None)
        generator = CandidateGenerator.of(
            self.items, sources, size, rules, self.now, ranker=self.ranker
        )
        listener = UserProfile("", profile or self.profile)
        found = generator.explain(listener)
        extra = dict[str, Explained]()
        if constraints.floors is not None:
            generator = replace(generator, constraints=replace(rules, explore=0.0))
            for mask in constraints.floors.masks(self.items, rules.exposure_below):
                own = generator.explain(listener, np.flatnonzero(mask))
                extra.update({each.track_id: each for each in own})
        for each in found:
            extra.pop(each.track_id, None)
        return [*self._scored(found), *self._scored(list(extra.values()), extra=True)]

    def _scored(self, found: Sequence[Explained], *, extra: bool = False) -> list[ScoredItem]:
        rows = self.items_of(self.places([each.track_id for each in found]))
        return [
            ScoredItem(rows[c.track_id], c.score, parts_of(c.parts), sentence=c.reason, extra=extra)
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
        best = np.argmax(pulls, axis=1) if len(own) else np.zeros(0, np.int64)
        self._comparison.prepare(theirs[best])
        return [
            self._likened(rows[t], own[place], anchors[i], theirs[i], named=len(anchors) > 1)
            for place, (t, i) in enumerate(zip(ids, best, strict=True))
            if np.isfinite(pulls[place, i])
        ]

    def _likened(
        self, row: Row, place: int, anchor: Anchor, seed: int, *, named: bool
    ) -> ScoredItem:
        """A track, scored by what it shares with one anchor; `named` says which it is."""
        likeness = self._comparison.likeness(int(seed), int(place))
        reasons = explain(anchor.row, row, likeness, self.catalog.character)
        score = affinity(likeness, reasons)
        if anchor.reason is not None:
            score, reasons = score + anchor.reason.points, (anchor.reason, *reasons)
        elif named:
            close = likeness.close
            reasons = tuple(_of(anchor.row, r, close) if r.kind == "sound" else r for r in reasons)
        return ScoredItem(row, score, reasons, distance_in_words(likeness))

    def likeness(self, seed: str, track: str) -> Likeness | None:
        """How near a track is to the seed, among all tracks; None where one has no vector."""
        own, place = self.places([seed, track]).tolist()
        return None if own < 0 or place < 0 else self._comparison.likeness(own, place)

    def shelf(self, spec: ShelfSpec, constraints: Constraints, size: int) -> Shelf:
        """The shelf that is asked for."""
        return assemble(spec, self.tracks, self.items, constraints, size)


def _of(anchor: Row, reason: Reason, close: str) -> Reason:
    """A reason that says which of several tracks it is about."""
    value = {"to": anchor["track_id"], **reason.value}
    return replace(reason, value=value, text=f"close{close} to {quoted(anchor)}")


def quoted(row: Row) -> str:
    """A track's title as it stands in a sentence."""
    return f"“{one_line(ShelfTrack(row).title, 40)}”"
