"""Tracks whose neighbours in sound bear another genre than they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from musicu.audit.findings import Finding
from musicu.catalog.identity import artist_keys, fold
from musicu.records import Vectors

Row = Mapping[str, Any]

NEIGHBOURS = 10
#: So many of the neighbours must agree on another genre, and none may bear the track's own.
AGREEING = 7
#: A genre with fewer tracks than this, by other artists, could not be met often enough.
FEWEST = 20
_POOL = 60


def genre_findings(tracks: Sequence[Row], vectors: Vectors) -> Iterator[Finding]:
    """Guesses at mislabelled tracks, from the genres of the ten nearest by other artists.

    What a genre is cannot be heard for certain: `benchmarks/README.md` says how often the guess
    is right where labels were swapped on purpose.
    """
    by_id = {track["track_id"]: track for track in tracks}
    labels = {i: _labels(by_id[i]) for i in vectors.ids if i in by_id and _labels(by_id[i])}
    known = _Known(labels, by_id)
    places = [place for place, track_id in enumerate(vectors.ids) if track_id in labels]
    values, ids = vectors.values[places], [str(vectors.ids[place]) for place in places]
    for row, track_id in enumerate(ids):
        if known.others(track_id) < FEWEST:
            continue
        scores = values @ values[row]
        pool = np.argpartition(-scores, min(_POOL, len(ids) - 1))[: _POOL + 1]
        near = [ids[i] for i in pool[np.argsort(-scores[pool], kind="stable")].tolist()]
        finding = _judged(track_id, near, by_id, labels)
        if finding is not None:
            yield finding


class _Known:
    """How many tracks bear a genre, by whom."""

    def __init__(self, labels: Mapping[str, set[str]], by_id: Mapping[str, Row]) -> None:
        self._labels = labels
        self._artists = {i: artist_keys(by_id[i]) for i in labels}
        self._tracks: Counter[str] = Counter()
        self._by_artist: Counter[tuple[str, str]] = Counter()
        for track_id, found in labels.items():
            for label in found:
                self._tracks[label] += 1
                self._by_artist.update((label, artist) for artist in self._artists[track_id])

    def others(self, track_id: str) -> int:
        """Tracks by other artists that bear a genre of a track, the most of any of its genres."""
        artists = self._artists[track_id]
        return max(
            self._tracks[label] - sum(self._by_artist[label, artist] for artist in artists)
            for label in self._labels[track_id]
        )


def _judged(
    track_id: str, near: Sequence[str], by_id: Mapping[str, Row], labels: Mapping[str, set[str]]
) -> Finding | None:
    """The finding on one track, where its neighbours agree on something else."""
    artists = artist_keys(by_id[track_id])
    others = [i for i in near if i != track_id and not artists & artist_keys(by_id[i])]
    votes = Counter(label for i in others[:NEIGHBOURS] for label in labels[i])
    if not votes or any(votes[label] for label in labels[track_id]):
        return None
    genre, agreeing = votes.most_common(1)[0]
    if agreeing < AGREEING:
        return None
    own = ", ".join(sorted(labels[track_id]))
    why = f"tagged {own}, but {agreeing} of its {NEIGHBOURS} nearest are {genre}"
    return Finding("genres", (track_id,), why, {"guess": genre, "agreeing": agreeing})


def _labels(track: Row) -> set[str]:
    return {fold(genre) for genre in track["genres"] or () if genre}
