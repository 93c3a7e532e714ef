"""Measures of vectors and labels alone: retrieval and hubness.

Hubness: tracks that are neighbours of too many others, and so appear on every shelf. The
k-occurrence of a track is the number of other tracks that have it among their k = 10 nearest
neighbours (Radovanović, Nanopoulos and Ivanović, JMLR 2010); its mean is k. A space without hubs
has a skewness near 0; a hub is in many lists, an anti-hub in none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musicu.bootstrap import Floats
from musicu.evaluation.similarity_ranking import Matrix, neighbours
from musicu.evaluation.vectors.measurement import (
    EvaluationData,
    Measurement,
    averaged,
    unmeasured,
)
from musicu.evaluation.vectors.protocols import QueryScores, Retrieval, score_queries


def measure_retrieval(data: EvaluationData, protocols: Sequence[Retrieval]) -> list[Measurement]:
    """Every model under every protocol, with one ranking per query and model for all of them."""
    scored = score_queries(list(data.models.values()), data.labels, protocols)
    return [
        measurement
        for protocol, scores in zip(protocols, scored, strict=True)
        for measurement in _of_protocol(data, protocol, scores)
    ]


def _of_protocol(
    data: EvaluationData, protocol: Retrieval, scores: QueryScores
) -> list[Measurement]:
    if len(scores.rows) == 0:
        note = "no query has both relevant and irrelevant tracks"
        return unmeasured(data, protocol.name, protocol.metrics, note)
    values = {model: scores.values[:, index] for index, model in enumerate(data.models)}
    left_out = len(data.labels) - len(scores.rows)
    return averaged(data, protocol.name, protocol.metrics, scores.rows, values, left_out=left_out)


#: Neighbours that count.
K = 10
HUBNESS = ("skewness", "share of anti-hubs", "largest hub")


def measure_hubness(data: EvaluationData) -> list[Measurement]:
    """Hubness of every model, of the ten nearest neighbours; lower is better for every metric.

    The largest hub is the share of all tracks that have it among their ten nearest. It is a
    maximum, for which the bootstrap gives no interval.
    """
    if len(data.labels) <= K:
        return unmeasured(data, "hubness", HUBNESS, f"needs more than {K} tracks")
    rows = np.arange(len(data.labels))
    resamples = data.resamples(rows)
    found = []
    for model, vectors in data.models.items():
        occurrence = k_occurrence(vectors)
        moments, anti = powers(occurrence), (occurrence == 0).astype(np.float64)
        values = {
            "skewness": (skewness(moments.sum(axis=0)), skewness(resamples.sums(moments))),
            "share of anti-hubs": (anti.mean(), resamples.means(anti)),
            "largest hub": (occurrence.max() / (len(rows) - 1), np.empty(0)),
        }
        found += [
            Measurement(
                protocol="hubness",
                metric=metric,
                model=model,
                value=float(value),
                draws=draws,
                queries=len(rows),
                artists=resamples.clusters,
                higher_is_better=False,
            )
            for metric, (value, draws) in values.items()
        ]
    return sorted(found, key=lambda m: HUBNESS.index(m.metric))


def k_occurrence(vectors: Matrix, k: int = K) -> NDArray[np.int64]:
    """The k-occurrence of each track, int64 [tracks]."""
    return np.bincount(neighbours(vectors, k).ravel(), minlength=len(vectors))


def skewness(sums: Floats) -> Floats:
    """The skewness of a number from its sums of powers 0 to 3: float64 [..., 4] to [...].

    The biased moment estimator m3 / m2^1.5; 0 where the number does not vary.
    """
    count, *powers = np.moveaxis(sums, -1, 0)
    first, second, third = (power / count for power in powers)
    variance = second - first**2
    central = third - 3 * first * second + 2 * first**3
    varies = variance > 1e-9
    return np.where(varies, central / np.where(varies, variance, 1) ** 1.5, 0.0)


def powers(occurrence: NDArray[np.int64]) -> Floats:
    """The powers 0 to 3 of each k-occurrence, float64 [tracks, 4], whose sums `skewness` takes."""
    return occurrence[:, None].astype(np.float64) ** np.arange(4)
