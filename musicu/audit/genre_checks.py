"""Tracks whose nearest neighbours have another genre."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.audit.findings import Finding
from musicu.catalog.identity import artist_keys, fold
from musicu.progress import tell
from musicu.records import Vectors

Row = Mapping[str, Any]

NEIGHBOURS = 10
#: This many neighbours must agree on another genre, and none may have the track's own.
AGREEING = 7
#: Genres with fewer tracks than this by other artists are not judged.
FEWEST = 20
#: Neighbours among which the ten by other artists are looked for.
_POOL = 60
#: Tracks that each is compared with. Of more, this many are taken evenly from the catalog, so that
#: the time grows linearly with the number of tracks.
_MOST_COMPARED = 32_768
_BLOCK_SCORES = 1 << 22  # similarities held at once: 16 MB


def genre_findings(tracks: Sequence[Row], vectors: Vectors) -> Iterator[Finding]:
    """Guesses at mislabelled tracks, from the genres of the ten nearest by other artists.

    They are guesses: `benchmarks/README.md` has their precision on labels swapped on purpose.
    """
    by_id = {track["track_id"]: track for track in tracks}
    genres = {i: _genres(by_id[i]) for i in vectors.ids if i in by_id and _genres(by_id[i])}
    rows = [row for row, track_id in enumerate(vectors.ids) if track_id in genres]
    ids = [str(vectors.ids[row]) for row in rows]
    labelled = [_Labelled(i, genres[i], artist_keys(by_id[i])) for i in ids]
    count = min(len(labelled), _MOST_COMPARED)
    compared = np.arange(count) * len(labelled) // max(1, count)
    others = [labelled[row] for row in compared.tolist()]
    counts = _GenreCounts(others)
    asked = [row for row, track in enumerate(labelled) if counts.by_others(track) >= FEWEST]
    values = vectors.values[rows]
    for row, near in zip(asked, _nearest(values, asked, compared), strict=True):
        finding = _judged(labelled[row], [others[place] for place in near])
        if finding is not None:
            yield finding


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A track with genres."""

    track_id: str
    genres: Set[str]
    artists: Set[str]


class _GenreCounts:
    """The number of tracks per genre, and per genre and artist."""

    def __init__(self, tracks: Sequence[_Labelled]) -> None:
        self._tracks = Counter(genre for track in tracks for genre in track.genres)
        self._by_artist = Counter(
            (genre, artist)
            for track in tracks
            for genre in track.genres
            for artist in track.artists
        )

    def by_others(self, track: _Labelled) -> int:
        """Tracks by other artists with one of a track's genres, for its most common genre."""
        return max(
            self._tracks[genre] - sum(self._by_artist[genre, artist] for artist in track.artists)
            for genre in track.genres
        )


def _nearest(
    values: NDArray[np.float32], asked: Sequence[int], compared: NDArray[np.int64]
) -> Iterator[list[int]]:
    """For each asked row the indices of the nearest compared rows, by cosine, nearest first."""
    others = np.ascontiguousarray(values[compared])
    step = max(1, _BLOCK_SCORES // max(1, len(others)))
    for start in range(0, len(asked), step):
        tell("comparing genres", start, len(asked), "tracks")
        scores = values[asked[start : start + step]] @ others.T
        if len(others) - 1 > _POOL:
            pool = np.argpartition(-scores, _POOL, axis=1)[:, : _POOL + 1]
            pool.sort(axis=1)  # so that ties go by row
        else:
            pool = np.broadcast_to(np.arange(len(others)), scores.shape)
        order = np.argsort(-np.take_along_axis(scores, pool, axis=1), axis=1, kind="stable")
        yield from np.take_along_axis(pool, order, axis=1).tolist()


def _judged(track: _Labelled, near: Sequence[_Labelled]) -> Finding | None:
    """The finding on one track, where its neighbours agree on another genre."""
    others = [
        other
        for other in near
        if other.track_id != track.track_id and track.artists.isdisjoint(other.artists)
    ]
    votes = Counter(genre for other in others[:NEIGHBOURS] for genre in other.genres)
    if not votes or any(votes[genre] for genre in track.genres):
        return None
    genre, agreeing = votes.most_common(1)[0]
    if agreeing < AGREEING:
        return None
    own = ", ".join(sorted(track.genres))
    why = f"tagged {own}, but {agreeing} of its {NEIGHBOURS} nearest are {genre}"
    return Finding("genres", (track.track_id,), why, {"guess": genre, "agreeing": agreeing})


def _genres(track: Row) -> set[str]:
    return {fold(genre) for genre in track["genres"] or () if genre}
