"""What has been there for long, is hardly played, and fits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from musicu.candidates.request import Ranked, Request
from musicu.candidates.sources.taste_lists import nearest_to_taste
from musicu.errors import QueryError
from musicu.records import check_kind


@dataclass(frozen=True, slots=True)
class DeepCatalog:
    """Tracks that few know, released long ago, nearest to what a listener likes.

    popularity_below: a percentile, 0 to 100: a track passes when fewer than that share of the
        tracks of known popularity are less popular, or when its popularity is unknown. Popularity
        is the number of listens where listens are at hand, else the catalog's column.
    older_than_days: how long ago it must have been released; tracks without a date are out. None
        asks nothing of the date.
    """

    popularity_below: float = 50.0
    older_than_days: int | None = 730
    name: ClassVar[str] = "deep-catalog"
    reason_prefix: ClassVar[str] = "From the depth of the catalog"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "taste"

    def __post_init__(self) -> None:
        """Refuse what no track can meet."""
        check_kind("popularity_below", self.popularity_below, (int, float), "a percentile")
        if not 0 < self.popularity_below <= 100:
            raise QueryError(
                f"the percentile is {self.popularity_below}: it goes from above 0 to 100"
            )
        if self.older_than_days is not None and self.older_than_days < 0:
            raise QueryError(f"the age is {self.older_than_days} days: it must be 0 or more")

    def candidates(self, request: Request) -> Ranked:
        """Lists as `nearest_to_taste` makes them."""
        deep = request.items.least_popular(self.popularity_below)
        if self.older_than_days is not None:
            before = request.now.date() - timedelta(days=self.older_than_days)
            deep = deep & request.items.released_before(before)
        return nearest_to_taste(request, request.rows[deep[request.rows]])
