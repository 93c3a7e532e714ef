"""Retrieval protocols: the relevant and the removed tracks of each query.

A query is a track; a protocol defines the tracks that are relevant to it and those that are removed
from its ranking. A query is left out, and counted, where no candidate or every candidate is
relevant, or where a label that the protocol needs is missing. Candidates without that label are
removed, since their relevance is unknown.
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
class Relevance:
    """The relevant and the removed rows of one query; bool [tracks] each."""

    relevant: Mask
    removed: Mask


@dataclass(frozen=True, slots=True)
class Retrieval:
    """A protocol: the relevance for each query, and its metrics."""

    name: str
    about: str
    relevance: Callable[[TrackLabels, int], Relevance]
    metrics: tuple[str, ...] = FOUR


@dataclass(frozen=True, slots=True, eq=False)
class QueryScores:
    """The metrics of every model on the queries of a protocol, rows int64 [queries].

    values: float64 [queries, models, metrics], in the order of the protocol's metrics.
    """

    rows: Rows
    values: NDArray[np.float64]


def _same_artist(labels: TrackLabels, row: int) -> Relevance:
    return _relevance(labels.artists.shared(row), ~labels.artists.known, row)


def _other_albums(labels: TrackLabels, row: int) -> Relevance:
    artist = labels.artists.shared(row)
    if not labels.albums.known[row]:
        return _no_relevance(labels)
    removed = labels.albums.shared(row) | (artist & ~labels.albums.known) | ~labels.artists.known
    return _relevance(artist, removed, row)


def _other_sources(labels: TrackLabels, row: int) -> Relevance:
    if not labels.sources.known[row]:
        return _no_relevance(labels)
    removed = labels.sources.shared(row) | ~labels.sources.known | ~labels.artists.known
    return _relevance(labels.artists.shared(row), removed, row)


def _within_source(labels: TrackLabels, row: int) -> Relevance:
    removed = ~labels.sources.shared(row) | ~labels.artists.known
    return _relevance(labels.artists.shared(row), removed, row)


def _same_album(labels: TrackLabels, row: int) -> Relevance:
    return _relevance(labels.albums.shared(row), ~labels.albums.known, row)


def _same_genre(labels: TrackLabels, row: int) -> Relevance:
    if not labels.artists.known[row]:
        return _no_relevance(labels)
    removed = labels.artists.shared(row) | ~labels.genres.known | ~labels.artists.known
    return _relevance(labels.genres.shared(row), removed, row)


def _relevance(alike: Mask, removed: Mask, row: int) -> Relevance:
    removed = removed.copy()
    removed[row] = True
    return Relevance(alike & ~removed, removed)


def _no_relevance(labels: TrackLabels) -> Relevance:
    return Relevance(np.zeros(len(labels), dtype=bool), np.ones(len(labels), dtype=bool))


RETRIEVAL: tuple[Retrieval, ...] = (
    Retrieval("same-artist", "Every other track by the same artist.", _same_artist),
    Retrieval(
        "same-artist-other-albums",
        "Tracks by the same artist on other albums; those on the query's album are removed, "
        "so that the mastering of one session does not help.",
        _other_albums,
    ),
    Retrieval(
        "same-artist-other-sources",
        "Tracks by the same artist from other sources; everything from the query's source is "
        "removed, so that codecs and mastering do not help.",
        _other_sources,
    ),
    Retrieval(
        "same-artist-within-source",
        "Tracks by the same artist among those of the query's own source, where codecs and "
        "mastering are the same for all.",
        _within_source,
    ),
    Retrieval("same-album", "Every other track of the same album.", _same_album),
    Retrieval(
        "same-genre-other-artists",
        "Tracks that share a genre; those by the same artist are removed.",
        _same_genre,
        ("precision@10", "mean average precision"),
    ),
)


def score_queries(
    models: Sequence[Matrix], labels: TrackLabels, protocols: Sequence[Retrieval]
) -> list[QueryScores]:
    """Every query's metrics under every protocol, from one ranking per query and model.

    models: float32 [tracks, dim] each, unit rows, in the order of the labels. The result is in the
    order of the protocols.
    """
    found = [_Scores() for _ in protocols]
    for row, orders in enumerate(zip(*map(rankings, models), strict=True)):
        for protocol, scores in zip(protocols, found, strict=True):
            relevance = protocol.relevance(labels, row)
            candidates = len(labels) - np.count_nonzero(relevance.removed)
            if 0 < np.count_nonzero(relevance.relevant) < candidates:
                ranks = [ranks_of(order, relevance.relevant, relevance.removed) for order in orders]
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
