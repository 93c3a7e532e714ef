"""Deep cuts: what is seldom played, of an artist, of a genre, or of what a listener likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from musicu.catalog.identity import Row
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.retrieval.where import Compare
from musicu.shelves.build import Ask, Choice, by_score
from musicu.shelves.reasons import Reason
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.recipes.interests import anchors_of
from musicu.shelves.shelf import Shelf
from musicu.shelves.world import Anchor, World

#: What being the least popular of all is worth, beside a cosine that goes to 1.
POINTS = 0.1
#: The share of the tracks in question that counts as seldom played.
SELDOM_SHARE = 0.5
#: How many of the best known others are likened to.
KNOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepCuts(Recipe):
    """The less popular half, near to the best known or to the listener's interests.

    artist: of this artist, else genre: of this genre, else of the listener's interests. Needs
    the column `popularity`. An artist's deep cuts may all be by that artist.
    """

    name: ClassVar[str] = "deep-cuts"
    artist: str | None = None
    genre: str | None = None

    def shelves(self, world: World) -> list[Shelf]:
        """One shelf; QueryError where no popularity is known, or artist and genre are given."""
        if self.artist is not None and self.genre is not None:
            raise QueryError("deep cuts are of an artist or of a genre: give one of them")
        rows = self._considered(world)
        seldom = seldom_played(rows)
        if self.artist is None and self.genre is None:
            anchors, barred = anchors_of(world), world.rows(sorted(world.heard), missing_ok=True)
        else:
            known = sorted(rows, key=lambda row: (-row["popularity"], row["track_id"]))[:KNOWN]
            anchors, barred = [Anchor(row) for row in known], {}
        fits = set(world.matching(self.where)) - world.heard
        ids = [t for t in seldom if t in fits]
        choices = [_deeper(c, *seldom[c.track_id]) for c in world.choices(ids, anchors)]
        title = f"Deep cuts: {one_line(self.artist or self.genre or 'for you')}"
        if self.artist is None and self.genre is None:
            title = "Deep cuts for you"
        ask = Ask(
            title=self.title or title,
            about="from the less played half",
            choices=choices,
            barred=list(barred.values()),
            arrange=by_score,
        )
        return [self._of_one_artist().shelf(world, ask)]

    def _considered(self, world: World) -> list[Row]:
        """Tracks with a vector and a popularity."""
        if self.artist is not None:
            ids = world.by_artist(self.artist)
        else:
            where = None if self.genre is None else Compare("genres", "=", self.genre)
            ids = world.matching(where)
        rows = world.rows([t for t in ids if t in world.with_vector]).values()
        known = [row for row in rows if row.get("popularity") is not None]
        if not known:
            raise QueryError("deep cuts need the popularity of tracks, and none is known here")
        return known

    def _of_one_artist(self) -> DeepCuts:
        """With room for as many tracks of the artist as the shelf holds."""
        if self.artist is None:
            return self
        return replace(self, rules=replace(self.rules, max_per_artist=self.size))


def seldom_played(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """The less popular part: by id the popularity, and the share of the others above it."""
    popularity = np.array([row["popularity"] for row in rows], np.float64)
    above = (popularity[None, :] > popularity[:, None]).mean(axis=1)
    return {
        row["track_id"]: (float(value), float(share))
        for row, value, share in zip(rows, popularity, above, strict=True)
        if share >= SELDOM_SHARE
    }


def _deeper(choice: Choice, popularity: float, above: float) -> Choice:
    """The choice with what being seldom played is worth."""
    text = f"less played than {int(100 * above)} % of the rest"
    value = {"popularity": popularity, "less_than": round(above, 4)}
    return choice.plus(Reason("seldom", value, text, POINTS * above), first=False)
