"""What came out lately and fits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from musicu.candidates.request import Ranked, Request
from musicu.candidates.sources.taste_lists import nearest_to_taste
from musicu.records import check_count


@dataclass(frozen=True, slots=True)
class NewReleases:
    """Tracks released within the last days, nearest to what a listener likes.

    window_days: how long ago a release may be, today included. A date that is known to the month
    or year counts as the first day of it. Tracks without a date are never new, nor are those whose
    day has not come.
    """

    window_days: int = 28
    name: ClassVar[str] = "new-releases"
    reason_prefix: ClassVar[str] = "New"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "taste"

    def __post_init__(self) -> None:
        """Refuse an empty window."""
        check_count("window_days", self.window_days)

    def candidates(self, request: Request) -> Ranked:
        """Lists as `nearest_to_taste` makes them."""
        today = request.now.date()
        first = today - timedelta(days=self.window_days - 1)
        fresh = request.items.released_within(first, today)
        return nearest_to_taste(request, request.rows[fresh[request.rows]])
