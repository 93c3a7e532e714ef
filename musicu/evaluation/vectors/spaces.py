"""Measures of vectors and labels alone: retrieval and hubness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musicu.evaluation.vectors.hubness import K, k_occurrence, powers, skewness
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
