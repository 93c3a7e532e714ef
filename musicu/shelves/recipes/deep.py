"""Deep cuts: what is seldom played, of an artist, of a genre, or of what a listener likes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from musicu.candidates.sources.deep_catalog import DeepCatalog
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.items.constraints import NO_CAP
from musicu.items.item_table import Ints
from musicu.retrieval.where import Compare
from musicu.shelves.assembly import ScoredItem, ShelfSpec, as_ranked, by_score
from musicu.shelves.context import FIRST_POOL, Anchor, ShelfContext
from musicu.shelves.recipes.base import Recipe
from musicu.shelves.shelf import Shelf
from musicu.shelves.shelf_reasons import Reason

Doubles = NDArray[np.float64]

#: What being the least popular of all is worth, beside a cosine that goes to 1.
POINTS = 0.1
#: The share of the tracks in question that counts as seldom played.
SELDOM_SHARE = 0.5
#: How many of the best known others are likened to.
KNOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepCuts(Recipe):
    """The less popular half: as candidates for the listener, or near to the best known.

    artist: of this artist, else genre: of this genre, else for the listener. Needs the column
    `popularity`. An artist's deep cuts may all be by that artist.
    """

    name: ClassVar[str] = "deep-cuts"
    artist: str | None = None
    genre: str | None = None

    def shelves(self, context: ShelfContext) -> list[Shelf]:
        """One shelf; QueryError where no popularity is known, or artist and genre are given."""
        if self.artist is not None and self.genre is not None:
            raise QueryError("deep cuts are of an artist or of a genre: give one of them")
        if self.artist is None and self.genre is None:
            return [self._for_listener(context)]
        rows = self._considered(context)
        above = _share_above(context.items.popularity[rows])
        known = _most_popular(context, rows[above < SELDOM_SHARE])
        anchors = [Anchor(row) for row in context.items_of(known).values()]
        spec = ShelfSpec(
            title=self.title or f"Deep cuts: {one_line(self.artist or self.genre or '')}",
            about="from the less played half",
            items=self._seldom(context, rows, above, known, anchors),
            order=by_score,
        )
        return [self._of_one_artist().shelf(context, spec)]

    def _for_listener(self, context: ShelfContext) -> Shelf:
        """Candidates of the source deep-catalog, whatever their age."""
        _popularity(context, np.arange(len(context.items)))
        if not context.has_profile:
            raise QueryError(
                'deep cuts are of an artist (--set artist="NAME"), of a genre (--set genre=NAME), '
                "or for a listener (--listens): give one of them"
            )
        sources = [DeepCatalog(100 * SELDOM_SHARE, None)]
        spec = ShelfSpec(
            title=self.title or "Deep cuts for you",
            about="from the less played half",
            items=context.candidates(sources, self.wanted, self.constraints),
            order=as_ranked,
            diversity=0.0,
        )
        return self.shelf(context, spec)

    def _considered(self, context: ShelfContext) -> Ints:
        """Rows of the artist or genre with a popularity."""
        if self.artist is not None:
            places = context.places(context.by_artist(self.artist))
            rows = np.sort(places[places >= 0])
        else:
            rows = context.matching(Compare("genres", "=", self.genre or ""))
        return rows[~np.isnan(_popularity(context, rows))]

    def _seldom(
        self, context: ShelfContext, rows: Ints, above: Doubles, known: Ints, anchors: list[Anchor]
    ) -> list[ScoredItem]:
        """The less popular rows nearest to the best known, with what being so is worth."""
        popularity = context.items.popularity[rows]
        fits = np.isin(rows, context.matching(self.constraints.where))
        heard = context.places(sorted(context.heard))
        seldom = np.flatnonzero((above >= SELDOM_SHARE) & fits & ~np.isin(rows, heard))
        values = context.items.values
        near = (values[rows[seldom]] @ values[known].T).max(axis=1, initial=-1)
        best = seldom[np.argsort(-near, kind="stable")[: max(FIRST_POOL, 10 * self.size)]]
        facts = {
            str(context.items.ids[rows[n]]): (float(popularity[n]), float(above[n])) for n in best
        }
        return [_deeper(c, *facts[c.track_id]) for c in context.likened(list(facts), anchors)]

    def _of_one_artist(self) -> DeepCuts:
        """Without a cap on the artist, where the shelf is one artist's."""
        if self.artist is None:
            return self
        return replace(self, rules=replace(self.rules, max_per_artist=NO_CAP))


def _share_above(popularity: Doubles) -> Doubles:
    """The share of the tracks that is more popular than each."""
    rising = np.sort(popularity)
    shares: Doubles = 1 - np.searchsorted(rising, popularity, side="right") / len(rising)
    return shares


def _popularity(context: ShelfContext, rows: Ints) -> Doubles:
    """The popularity of some rows; QueryError where none is known."""
    found = context.items.popularity[rows]
    if np.isnan(found).all():
        raise QueryError(
            "deep cuts need the popularity of tracks, and none is known here: give a column "
            "popularity to `musicu scan`, or join one with `musicu join`"
        )
    return found


def _most_popular(context: ShelfContext, rows: Ints) -> Ints:
    """The best known of some rows, ties by id."""
    items = context.items
    order: Ints = np.lexsort((items.order_by_id[rows], -items.popularity[rows]))
    return rows[order[:KNOWN]]


def _deeper(item: ScoredItem, popularity: float, above: float) -> ScoredItem:
    """The item with what being seldom played is worth."""
    text = f"less played than {int(100 * above)} % of the rest"
    value = {"popularity": popularity, "less_than": round(above, 4)}
    return item.plus(Reason("seldom", value, text, POINTS * above), first=False)
