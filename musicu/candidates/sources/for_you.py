"""Whatever fits: all tracks that may be found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from musicu.candidates.request import Ranked, Request
from musicu.candidates.sources.taste_lists import nearest_to_taste


@dataclass(frozen=True, slots=True)
class ForYou:
    """Tracks of any age and popularity, nearest to what a listener likes."""

    name: ClassVar[str] = "for-you"
    reason_prefix: ClassVar[str] = "For you"
    anchor_kind: ClassVar[str] = "track"
    ranker: ClassVar[str] = "taste"

    def candidates(self, request: Request) -> Ranked:
        """Lists as `nearest_to_taste` makes them."""
        return nearest_to_taste(request, request.rows)
