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
    count = Counter(label for found in labels.values() for label in found)
    places = [place for place, track_id in enumerate(vectors.ids) if track_id in labels]
    values, ids = vectors.values[places], [str(vectors.ids[place]) for place in places]
    for row, track_id in enumerate(ids):
        own = labels[track_id]
        if max(count[label] for label in own) < FEWEST:
            continue
        scores = values @ values[row]
        pool = np.argpartition(-scores, min(_POOL, len(ids) - 1))[: _POOL + 1]
        near = [ids[i] for i in pool[np.argsort(-scores[pool], kind="stable")].tolist()]
        finding = _judged(track_id, near, by_id, labels)
        if finding is not None:
            yield finding


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
