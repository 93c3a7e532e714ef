"""What may stand on a shelf: limits, blocks, and their defaults."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from musicu.catalog.identity import Row, album_keys, artist_keys, is_credited
from musicu.errors import QueryError
from musicu.items.constraints import check_limits


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a shelf.

    max_per_artist: tracks that name one performer, however many others they name.
    max_per_album: tracks of one album; they stand together, as one run.
    diversity: 0 takes the best scores, 1 only looks for what differs from what is there.
    min_score: the lowest score that may stand on a shelf; None lets everything in.
    duplicate_cosine: from which likeness two files with one title, one performer and one
        duration are taken for one recording. Under musicu-stats-v1 copies of 39 recordings
        (MP3 at 64 kbit/s, Vorbis, 1.5 s cut off and 6 dB less) reached 0.939 to 1.000.
    blocked_artists: names; their tracks never appear, in whatever spelling.
    blocked_tracks: ids; they never appear, nor does the same recording in another file.

    Raises QueryError for a value that makes no sense.
    """

    max_per_artist: int = 2
    max_per_album: int = 2
    diversity: float = 0.4
    min_score: float | None = None
    duplicate_cosine: float = 0.93
    blocked_artists: frozenset[str] = frozenset()
    blocked_tracks: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Accept any collection of names and ids, and refuse what makes no sense."""
        check_limits(self)
        if not 0 <= self.diversity <= 1:
            raise QueryError(f"diversity is {self.diversity}: it goes from 0 to 1")
        if not 0 <= self.duplicate_cosine <= 1:
            raise QueryError(f"duplicate_cosine is {self.duplicate_cosine}: it goes from 0 to 1")
        if self.min_score is not None and math.isnan(self.min_score):
            raise QueryError("min_score is not a number")


def blocked(track: Row, rules: Rules) -> bool:
    """Whether a track's own artists or id are blocked."""
    return track["track_id"] in rules.blocked_tracks or is_credited(track, rules.blocked_artists)


def album_numbers(tracks: Sequence[Row]) -> list[int]:
    """A number for each track, equal where the album is; a track without one has its own."""
    first: dict[tuple[str, ...], int] = {}
    number = list(range(len(tracks)))
    for i, track in enumerate(tracks):
        for key in album_keys(track):
            a, b = number[first.setdefault(key, i)], number[i]
            if a != b:  # this track ties two albums together: they become one
                number = [min(a, b) if n in (a, b) else n for n in number]
    return number


def within_limits(tracks: Sequence[Row], rules: Rules) -> list[int]:
    """Positions of the tracks to keep, taken from the front, so that every limit holds.

    Whatever is then left out, the rest is still within the limits.
    """
    albums = album_numbers(tracks)
    seen_artists: Counter[str] = Counter()
    seen_albums: Counter[int] = Counter()
    kept: list[int] = []
    for i, track in enumerate(tracks):
        artists = artist_keys(track)
        if any(seen_artists[name] >= rules.max_per_artist for name in artists):
            continue
        if seen_albums[albums[i]] >= rules.max_per_album:
            continue
        seen_artists.update(artists)
        seen_albums[albums[i]] += 1
        kept.append(i)
    return kept


def one_run_per_album(order: Iterable[int], albums: Sequence[int]) -> list[int]:
    """The same positions, those of one album moved up behind its first."""
    runs: dict[int, list[int]] = {}
    for position in order:
        runs.setdefault(albums[position], []).append(position)
    return [position for run in runs.values() for position in run]
