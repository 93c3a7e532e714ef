"""Retrieval protocols: which tracks should be found from which, and which may not help.

A query is a track; a protocol names the tracks that are relevant to it and those that are taken
out of its ranking. A query is left out, and counted, where nothing is relevant to it or where
everything left is (then no ranking can be wrong), or where a label that the protocol needs is
missing. Candidates for which that label is missing are taken out, since nobody can say whether
finding them is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.evaluation.labels import Mask, Rows, TrackLabels
from musicu.evaluation.metrics import (
    Floats,
    average_precision,
    hit_rate,
    ndcg,
    precision,
    recall,
)
from musicu.evaluation.similarity_ranking import Matrix, rankings, ranks_of

K = 10


@dataclass(frozen=True, slots=True, eq=False)
class RankedLists:
    """What metrics read of rankings; see `musicu.evaluation.metrics`.

    hits: bool [lists, K]. relevant, candidates: int64 [lists]. precisions: float64 [lists], the
    average precision of each whole ranking.
    """

    hits: Mask
    relevant: Rows
    candidates: Rows
    precisions: Floats


METRICS: dict[str, Callable[[RankedLists], Floats]] = {
    "mean average precision": lambda lists: lists.precisions,
    "recall@10": lambda lists: recall(lists.hits, lists.relevant, K),
    "hit rate@1": lambda lists: hit_rate(lists.hits, 1),
    "nDCG@10": lambda lists: ndcg(lists.hits, lists.relevant, K),
    "precision@10": lambda lists: precision(lists.hits, lists.candidates, K),
}
FOUR = ("mean average precision", "recall@10", "hit rate@1", "nDCG@10")


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What one query is asked: which rows are relevant, which no candidates; bool [tracks]."""

    relevant: Mask
    removed: Mask


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A protocol: its question for a row, and the metrics that answer it."""

    name: str
    about: str
    ask: Callable[[TrackLabels, int], Question]
    metrics: tuple[str, ...] = FOUR


@dataclass(frozen=True, slots=True, eq=False)
class QueryScores:
    """The queries that could be scored, rows int64 [queries], and what each model scored there.

    values: float64 [queries, models, metrics], in the order of the protocol's metrics.
    """

    rows: Rows
    values: NDArray[np.float64]


def _same_artist(labels: TrackLabels, row: int) -> Question:
    return _question(labels.artists.shared(row), ~labels.artists.known, row)


def _other_albums(labels: TrackLabels, row: int) -> Question:
    artist = labels.artists.shared(row)
    if not labels.albums.known[row]:
        return _unanswerable(labels)
    removed = labels.albums.shared(row) | (artist & ~labels.albums.known) | ~labels.artists.known
    return _question(artist, removed, row)


def _other_sources(labels: TrackLabels, row: int) -> Question:
    if not labels.sources.known[row]:
        return _unanswerable(labels)
    removed = labels.sources.shared(row) | ~labels.sources.known | ~labels.artists.known
    return _question(labels.artists.shared(row), removed, row)


def _within_source(labels: TrackLabels, row: int) -> Question:
    removed = ~labels.sources.shared(row) | ~labels.artists.known
    return _question(labels.artists.shared(row), removed, row)


def _same_album(labels: TrackLabels, row: int) -> Question:
    return _question(labels.albums.shared(row), ~labels.albums.known, row)


def _same_genre(labels: TrackLabels, row: int) -> Question:
    if not labels.artists.known[row]:
        return _unanswerable(labels)
    removed = labels.artists.shared(row) | ~labels.genres.known | ~labels.artists.known
    return _question(labels.genres.shared(row), removed, row)


def _question(alike: Mask, removed: Mask, row: int) -> Question:
    removed = removed.copy()
    removed[row] = True
    return Question(alike & ~removed, removed)


def _unanswerable(labels: TrackLabels) -> Question:
    return Question(np.zeros(len(labels), dtype=bool), np.ones(len(labels), dtype=bool))


RETRIEVAL: tuple[Retrieval, ...] = (
    Retrieval("same-artist", "Every other track by the same artist.", _same_artist),
    Retrieval(
        "same-artist-other-albums",
        "Tracks by the same artist on other albums; those on the query's album are taken out, "
        "so that one session's mastering does not help.",
        _other_albums,
    ),
    Retrieval(
        "same-artist-other-sources",
        "Tracks by the same artist from other sources; everything from the query's source is "
        "taken out, so that codecs and mastering do not help.",
        _other_sources,
    ),
    Retrieval(
        "same-artist-within-source",
        "Tracks by the same artist among those of the query's own source, where codecs and "
        "mastering are alike for all.",
        _within_source,
    ),
    Retrieval("same-album", "Every other track of the same album.", _same_album),
    Retrieval(
        "same-genre-other-artists",
        "Tracks that share a genre; those by the same artist are taken out.",
        _same_genre,
        ("precision@10", "mean average precision"),
    ),
)


def score_queries(
    models: Sequence[Matrix], labels: TrackLabels, protocols: Sequence[Retrieval]
) -> list[QueryScores]:
    """Every query's metrics under every protocol, from one ranking per query and model.

    models: float32 [tracks, dim] each, unit rows, in the order of the labels. The answers come
    in the order of the protocols.
    """
    found = [_Scores() for _ in protocols]
    for row, orders in enumerate(zip(*map(rankings, models), strict=True)):
        for protocol, scores in zip(protocols, found, strict=True):
            question = protocol.ask(labels, row)
            candidates = len(labels) - np.count_nonzero(question.removed)
            if 0 < np.count_nonzero(question.relevant) < candidates:
                ranks = [ranks_of(order, question.relevant, question.removed) for order in orders]
                scores.add(row, ranks, candidates)
    return [s.finish(protocol, len(models)) for s, protocol in zip(found, protocols, strict=True)]


class _Scores:
    """The ranks that one protocol has met so far."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._hits: list[Mask] = []
        self._counts: list[tuple[int, int]] = []  # relevant and candidates
        self._precisions: list[float] = []

    def add(self, row: int, ranks: Sequence[Rows], candidates: int) -> None:
        """Take in a query: the ranks of its relevant candidates, by model."""
        self._rows.append(row)
        for found in ranks:
            self._hits.append(np.isin(np.arange(K), found[:K]))
            self._counts.append((len(found), candidates))
            self._precisions.append(average_precision(found))

    def finish(self, protocol: Retrieval, models: int) -> QueryScores:
        """The metrics of every query that was added."""
        relevant, candidates = np.array(self._counts, np.int64).reshape(-1, 2).T
        hits = np.array(self._hits, bool).reshape(-1, K)
        lists = RankedLists(hits, relevant, candidates, np.array(self._precisions))
        values = np.stack([METRICS[metric](lists) for metric in protocol.metrics], axis=-1)
        return QueryScores(
            rows=np.array(self._rows, dtype=np.int64),
            values=values.reshape(-1, models, len(protocol.metrics)),
        )
