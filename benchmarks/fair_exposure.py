"""Exposure of the long tail on public listening: what recommenders give it, and a floor under it.

    python benchmarks/fair_exposure.py DATA [--share 0.05] [--k 20]

DATA/hetrec2011_lastfm_2k, LightGCN's split: ALS and EASE are fitted on the training part and list
artists that a listener has not heard. Tail artists are those outside the head, the most heard that
together have 80 % of all pairs (`creator_groups.head`). Listeners are in thirds by how mainstream
what they hear is. Printed: the tail's share of listening and of exposure, NDCG@k and its loss with
95 % intervals over listeners, before and after `with_exposure_floor`, by thirds.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.bootstrap import Resamples, interval
from musicu.embeddings.tracks.als import fit_als
from musicu.evaluation.metrics import ndcg
from musicu.evaluation.recommendation.groups import listener_groups, listeners_of
from musicu.items.creator_groups import head
from musicu.ranking.exposure_floor import with_exposure_floor

DEEP = 400  # places of a list that the floor may reach down to


def matrix(path: Path, shape: tuple[int, int] | None = None) -> csr_matrix:
    with gzip.open(path, "rt") as file:
        rows = [[int(float(word)) for word in line.split()] for line in file]
    pairs = np.array([(user, item) for user, *items in rows for item in items])
    return csr_matrix((np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), shape=shape)


def ease(train: csr_matrix, penalty: float = 200.0) -> NDArray[np.float32]:
    gram = (train.T @ train).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += penalty
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.asarray(train @ weights.astype(np.float32))


def report(
    name: str, scores: Any, train: csr_matrix, test: csr_matrix, k: int, share: float
) -> None:
    scores = np.where(train.toarray() > 0, -np.inf, scores)
    order = np.argsort(-scores, axis=1)[:, :DEEP]
    sorted_scores = np.take_along_axis(scores, order, axis=1)
    tail = ~head(listeners_of(train))
    liked = test.toarray() > 0
    asked = np.flatnonzero(liked.any(axis=1))
    order, sorted_scores = order[asked], sorted_scores[asked]
    relevant = liked[asked].sum(axis=1)
    thirds = {"all": np.ones(len(asked), bool), **listener_groups(train, asked)}
    listening = float(train[:, tail].sum() / train.sum())
    print(f"{name}: the tail is {tail.mean():.0%} of artists and {listening:.1%} of listening")
    hits = np.take_along_axis(liked[asked], order, axis=1)
    before = ndcg(hits[:, :k], relevant, k)
    shown = tail[order[:, :k]].mean()
    print(f"  as ranked: exposure {shown:.2%}, NDCG@{k} {before.mean():.4f}")
    for wanted in (share, 2 * share):
        places = with_exposure_floor(sorted_scores, tail[order], k, wanted)
        chosen = np.take_along_axis(order, places, axis=1)
        after = ndcg(np.take_along_axis(liked[asked], chosen, axis=1), relevant, k)
        print(f"  floor {wanted:.0%}: exposure {tail[chosen].mean():.2%}")
        for group, own in thirds.items():
            apart = (after - before)[own]
            bounds = interval(Resamples(np.arange(own.sum()), 1000, 0).means(apart))
            assert bounds is not None
            level = before[own].mean()
            print(
                f"    {group:10} NDCG@{k} {level:.4f} -> {after[own].mean():.4f}, "
                f"{apart.mean() / level:+.2%} "
                f"[{bounds.low / level:+.2%}, {bounds.high / level:+.2%}], "
                f"exposure {tail[chosen[own]].mean():.2%}"
            )


def main(data: Path, k: int, share: float) -> None:
    folder = data / "hetrec2011_lastfm_2k"
    train, test = (matrix(folder / f"lightgcn_{n}.txt.gz") for n in ("data1", "test1"))
    shape = tuple(max(a, b) for a, b in zip(train.shape, test.shape, strict=True))
    train, test = (csr_matrix((m.data, m.nonzero()), shape=shape) for m in (train, test))
    known = np.unique(np.concatenate([train.indices, test.indices]))
    people = np.unique(train.nonzero()[0])
    train, test = train[people][:, known], test[people][:, known]
    factors = fit_als(train, factors=64, iterations=10)
    report("ALS", factors.users @ factors.items.T, train, test, k, share)
    report("EASE", ease(train), train, test, k, share)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--share", type=float, default=0.05)
    given = parser.parse_args()
    main(given.data, given.k, given.share)
