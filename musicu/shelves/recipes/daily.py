"""Daily mixes: one for each of a listener's interests, named by what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np

from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.listening.profiles import Interest
from musicu.shelves.assembly import ScoredItem, ShelfSpec
from musicu.shelves.context import FIRST_POOL, Anchor, ShelfContext, quoted
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.sequencing import flowing
from musicu.shelves.shelf import Shelf, ShelfTrack
from musicu.shelves.shelf_reasons import Reason

#: The most tracks of an interest that others are likened to.
MAX_ANCHORS = 20
#: What having been heard is worth in a mix, beside a cosine that goes to 1.
POINTS = 0.05
#: What an interest that is all of the listening is worth.
INTEREST_POINTS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyMixes(Recipe):
    """Heard and unheard tracks around each interest, to listen through. count: mixes at most."""

    name: ClassVar[str] = "daily-mixes"
    count: int = 4

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """A mix an interest, the most important first; a track is in the one that it suits best."""
        interests = context.profile.interests[: self.count]
        groups = [anchors for i in interests if (anchors := anchors_in(context, i, MAX_ANCHORS))]
        names = context.catalog.namer.names([[a.row for a in group] for group in groups])
        seeds = [[anchor.row["track_id"] for anchor in group] for group in groups]
        near = context.near_each(seeds, FIRST_POOL, self.constraints.where)
        scored = [_scored(context, *pair) for pair in zip(near, groups, strict=True)]
        best: dict[str, float] = {}
        for item in chain.from_iterable(scored):
            best[item.track_id] = max(item.score, best.get(item.track_id, -np.inf))
        mixes: list[Shelf] = []
        for name, anchors, items in zip(names, groups, scored, strict=True):
            used = context.rows(sorted({t for mix in mixes for t in mix.track_ids})).values()
            own = [item for item in items if item.score == best[item.track_id]]
            mix = self.shelf(context, self._ask(len(mixes) + 1, name, anchors, own, list(used)))
            mixes += [mix] if len(mix) else []
        return mixes

    def _ask(
        self,
        number: int,
        name: str,
        anchors: Sequence[Anchor],
        choices: Sequence[ScoredItem],
        used: list[Row],
    ) -> ShelfSpec:
        """One mix, named by its interest; titles of one's own get a number."""
        artists = dict.fromkeys(ShelfTrack(anchor.row).artist for anchor in anchors)
        played = one_line(", ".join(list(artists)[:2]), 60)
        return ShelfSpec(
            title=f"{self.title} {number}" if self.title else name,
            about=f"Daily mix {number}: around what you play by {played}",
            items=choices,
            excluded=used,
            order=flowing(),
        )


def anchors_in(context: ShelfContext, interest: Interest, count: int) -> list[Anchor]:
    """At most `count` tracks of one interest, its middle first."""
    ids = list(dict.fromkeys([interest.medoid, *interest.track_ids]))
    places = context.places(ids).tolist()
    known = [track_id for track_id, place in zip(ids, places, strict=True) if place >= 0]
    importance = round(float(interest.importance), 4)
    points = INTEREST_POINTS * importance
    return [
        Anchor(
            row,
            Reason(
                "interest",
                {"track_id": track_id, "importance": importance},
                f"like {quoted(row)} from your listening",
                points,
            ),
        )
        for track_id, row in context.rows(known[:count]).items()
    ]


def _scored(
    context: ShelfContext, near: Sequence[str], anchors: Sequence[Anchor]
) -> list[ScoredItem]:
    """What is near to an interest, scored by how it suits it."""
    likened = context.likened(near, anchors, apart=True)
    return [_familiar(item, context.heard) for item in likened]


def _familiar(choice: ScoredItem, heard: frozenset[str]) -> ScoredItem:
    """The choice with what it is worth that the listener knows it."""
    if choice.track_id not in heard:
        return choice
    return choice.plus(Reason("heard", {}, "one that you know", POINTS), first=False)
