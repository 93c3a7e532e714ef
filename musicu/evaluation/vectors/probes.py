"""Probes: the accuracy of simple classifiers on the vectors of unseen artists.

Conventions:

- Five folds, stratified by class; the tracks of one artist are always in one fold, so that no
  test artist is in the training part. Only classes of at least five artists are used.
- Linear: logistic regression on columns standardised by the training folds, C of 0.01, 0.1 or 1
  by an artist-disjoint third of the training folds.
- Neighbours: the class of most of the ten nearest training tracks by cosine, ties to the more
  similar.
- Accuracy is the share of tracks that are right; balanced accuracy is the mean over classes of
  the share that is right in each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from musicu.evaluation.extras import sklearn
from musicu.evaluation.labels import classes
from musicu.evaluation.similarity_ranking import Matrix, Rows, nearest
from musicu.evaluation.vectors.measurement import (
    EvaluationData,
    Measurement,
    averaged,
    unmeasured,
)

FOLDS = 5
NEIGHBOURS = 10
STRENGTHS = (0.01, 0.1, 1.0)
METRICS = ("accuracy", "balanced accuracy")

#: Train vectors, train classes, train artists, test vectors, seed; gives the test classes.
Predict = Callable[[Matrix, Rows, Rows, Matrix, int], Rows]


def measure_probe(data: EvaluationData, kind: str, column: str) -> list[Measurement]:
    """Both accuracies of every model's probe of that kind ("linear" or "neighbour") on a column.

    Raises QueryError where the tracks have no such column.
    """
    name = f"{kind}-probe:{column}"
    truth = classes(data.tracks, column)
    rows = np.flatnonzero(np.isin(truth, _shared_classes(truth, data.labels.clusters)))
    if len(np.unique(truth[rows])) < 2:
        note = f"needs two classes of {column} with at least {FOLDS} artists each"
        return unmeasured(data, name, METRICS, note)
    truth, artists = truth[rows], data.labels.clusters[rows]
    _, index, sizes = np.unique(truth, return_inverse=True, return_counts=True)
    right = {
        model: _right(PREDICTORS[kind], vectors[rows], truth, artists, data.seed)
        for model, vectors in data.models.items()
    }
    return averaged(
        data,
        name,
        METRICS,
        rows,
        {model: np.stack([values] * 2, axis=1) for model, values in right.items()},
        weights=np.stack([np.ones(len(rows)), 1 / sizes[index]], axis=1),
        left_out=len(data.labels) - len(rows),
    )


def _shared_classes(truth: Rows, artists: Rows) -> Rows:
    """The classes with at least as many artists as there are folds."""
    pairs = np.unique(np.stack([truth, artists], axis=1), axis=0)
    found, counts = np.unique(pairs[:, 0], return_counts=True)
    shared: Rows = found[(counts >= FOLDS) & (found >= 0)]
    return shared


def _right(
    predict: Predict, vectors: Matrix, truth: Rows, artists: Rows, seed: int
) -> NDArray[np.float64]:
    """1 where the prediction is right, else 0: float64 [tracks]."""
    right = np.zeros(len(truth))
    for train, test in _folds(truth, artists, FOLDS, seed):
        found = predict(vectors[train], truth[train], artists[train], vectors[test], seed)
        right[test] = found == truth[test]
    return right


def _folds(truth: Rows, artists: Rows, count: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Training and test rows, no artist in both."""
    selection = sklearn("model_selection")
    splitter = selection.StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(truth)), truth, artists))


def _linear(train: Matrix, truth: Rows, artists: Rows, test: Matrix, seed: int) -> Rows:
    fit, held = _folds(truth, artists, 3, seed)[0]
    scores = [
        np.mean(_regress(train[fit], truth[fit], train[held], strength) == truth[held])
        for strength in STRENGTHS
    ]
    return _regress(train, truth, test, STRENGTHS[int(np.argmax(scores))])


def _regress(train: Matrix, truth: Rows, test: Matrix, strength: float) -> Rows:
    if len(np.unique(truth)) == 1:
        return np.full(len(test), truth[0])
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1)
    model = sklearn("linear_model").LogisticRegression(C=strength, max_iter=2000)
    model.fit((train - mean) / scale, truth)
    predicted: Rows = model.predict((test - mean) / scale)
    return predicted


def _neighbour(train: Matrix, truth: Rows, artists: Rows, test: Matrix, seed: int) -> Rows:
    similarities = test @ train.T
    found = nearest(similarities, NEIGHBOURS)
    names, index = np.unique(truth, return_inverse=True)
    votes = np.zeros((len(test), len(names)))
    rows = np.arange(len(test))[:, None]
    # A vote is 1 plus a fraction for similarity; the fractions add up to less than 1.
    ties = np.take_along_axis(similarities, found, axis=1).astype(np.float64)
    np.add.at(votes, (rows, index[found]), 1 + ties / (2 * NEIGHBOURS))
    predicted: Rows = names[votes.argmax(axis=1)]
    return predicted


PREDICTORS: dict[str, Predict] = {"linear": _linear, "neighbour": _neighbour}
