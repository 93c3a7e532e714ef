"""A listener's interests as tracks that others are likened to."""

from __future__ import annotations

from musicu.catalog.identity import Row
from musicu.listening.profiles import Interest
from musicu.shelves.context import Anchor, ShelfContext, quoted
from musicu.shelves.shelf import ShelfTrack
from musicu.shelves.shelf_reasons import Reason

#: What an interest that is all of the listening is worth, beside a cosine that goes to 1.
POINTS = 0.1


def anchors_of(context: ShelfContext) -> list[Anchor]:
    """The middle of each of the listener's interests, as far as the catalog has it."""
    return [anchor for i in context.profile.interests for anchor in anchors_in(context, i, 1)]


def anchors_in(context: ShelfContext, interest: Interest, count: int) -> list[Anchor]:
    """At most `count` tracks of one interest, its middle first."""
    ids = list(dict.fromkeys([interest.medoid, *interest.track_ids]))
    places = context.places(ids)
    known = [t for t, place in zip(ids, places.tolist(), strict=True) if place >= 0]
    rows = context.rows(known[:count])
    return [Anchor(row, _reason(row, interest)) for row in rows.values()]


def _reason(row: Row, interest: Interest) -> Reason:
    """Being like a track that the listener listens to."""
    track = ShelfTrack(row)
    text = f"like {quoted(row)} from your listening"
    importance = round(float(interest.importance), 4)
    value = {"track_id": track.track_id, "importance": importance}
    return Reason("interest", value, text, POINTS * importance)
