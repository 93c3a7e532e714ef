"""Clustering: how well k-means on the vectors finds the classes of a label.

Conventions: k-means on the unit vectors, k the number of classes; classes of at least five
tracks, the hundred largest at most. Adjusted mutual information is 0 for chance and 1 for equal
groupings (Vinh, Epps and Bailey, JMLR 2010; arithmetic mean); the V-measure is the harmonic mean
of homogeneity and completeness (Rosenberg and Hirschberg, 2007) and is not adjusted for chance.
The interval draws half of the artists without replacement, since repeated tracks raise both
measures; it is centred on the value and keeps the clusters fixed.
"""

from __future__ import annotations

import numpy as np

from musicu.bootstrap import Floats, half_samples
from musicu.evaluation.extras import sklearn
from musicu.evaluation.labels import classes
from musicu.evaluation.similarity_ranking import Mask, Matrix, Rows
from musicu.evaluation.vectors.measurement import EvaluationData, Measurement, unmeasured

LEAST_TRACKS = 5
MOST_CLASSES = 100
STARTS = 4
DRAWS = 200  # the adjustment for chance is slow, and more draws hardly change the bounds
METRICS = {
    "adjusted mutual information": "adjusted_mutual_info_score",
    "V-measure": "v_measure_score",
}


def measure_clustering(data: EvaluationData, column: str) -> list[Measurement]:
    """How well k-means on every model's vectors finds the classes of a label column.

    Raises QueryError where the tracks have no such column.
    """
    name = f"clustering:{column}"
    truth = classes(data.tracks, column)
    rows = np.flatnonzero(np.isin(truth, _large_classes(truth)))
    count = len(np.unique(truth[rows]))
    if count < 2:
        note = f"needs two classes of {column} with at least {LEAST_TRACKS} tracks each"
        return unmeasured(data, name, METRICS, note)
    artists = data.labels.clusters[rows]
    halves = half_samples(artists, min(data.draws, DRAWS), data.seed)
    clusters = {
        model: _clusters(vectors[rows], count, data.seed) for model, vectors in data.models.items()
    }
    return [
        Measurement(
            protocol=name,
            metric=metric,
            model=model,
            value=_score(metric, truth[rows], found),
            draws=_draws(metric, truth[rows], found, halves),
            queries=len(rows),
            artists=len(np.unique(artists)),
            left_out=len(data.labels) - len(rows),
        )
        for metric in METRICS
        for model, found in clusters.items()
    ]


def _large_classes(truth: Rows) -> Rows:
    found, counts = np.unique(truth[truth >= 0], return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    large: Rows = found[largest][counts[largest] >= LEAST_TRACKS]
    return large


def _clusters(vectors: Matrix, count: int, seed: int) -> Rows:
    means = sklearn("cluster").KMeans(count, n_init=STARTS, random_state=seed)
    found: Rows = means.fit_predict(vectors)
    return found


def _score(metric: str, truth: Rows, found: Rows) -> float:
    return float(getattr(sklearn("metrics"), METRICS[metric])(truth, found))


def _draws(metric: str, truth: Rows, found: Rows, halves: Mask) -> Floats:
    draws = np.array([_score(metric, truth[half], found[half]) for half in halves])
    return draws - draws.mean() + _score(metric, truth, found) if len(draws) else draws
