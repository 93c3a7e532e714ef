"""Measures that need nothing but vectors and labels: retrieval and hubness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musicu.evaluation.vectors.hubness import K, k_occurrence, powers, skewness
from musicu.evaluation.vectors.measurement import Measurement, Trial, unmeasured
from musicu.evaluation.vectors.protocols import QueryScores, Retrieval, score_queries


def measure_retrieval(trial: Trial, protocols: Sequence[Retrieval]) -> list[Measurement]:
    """Every model under every protocol, with one ranking per query and model for all of them."""
    scored = score_queries(list(trial.models.values()), trial.labels, protocols)
    return [
        measurement
        for protocol, scores in zip(protocols, scored, strict=True)
        for measurement in _of_protocol(trial, protocol, scores)
    ]


def _of_protocol(trial: Trial, protocol: Retrieval, scores: QueryScores) -> list[Measurement]:
    if len(scores.rows) == 0:
        note = "no query has both relevant and irrelevant tracks"
        return unmeasured(trial, protocol.name, protocol.metrics, note)
    resamples = trial.resamples(scores.rows)
    return [
        Measurement(
            protocol=protocol.name,
            metric=metric,
            model=model,
            value=float(values.mean()),
            draws=resamples.means(values),
            queries=len(scores.rows),
            artists=resamples.clusters,
            left_out=len(trial.labels) - len(scores.rows),
        )
        for column, metric in enumerate(protocol.metrics)
        for index, model in enumerate(trial.models)
        for values in [scores.values[:, index, column]]
    ]


HUBNESS = ("skewness", "share of anti-hubs", "largest hub")


def measure_hubness(trial: Trial) -> list[Measurement]:
    """How unevenly tracks appear among the ten nearest of others; lower is better throughout.

    The largest hub is the share of all tracks that have it among their ten nearest. It is a
    maximum, for which the bootstrap gives no interval.
    """
    if len(trial.labels) <= K:
        return unmeasured(trial, "hubness", HUBNESS, f"needs more than {K} tracks")
    rows = np.arange(len(trial.labels))
    resamples = trial.resamples(rows)
    found = []
    for model, vectors in trial.models.items():
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
