"""Next items by other libraries, on the tasks of next_item.py: implicit and RecTools.

    python benchmarks/next_item_peers.py DATA [--sets lastfm toys hetrec nowplaying] [--every N]

They need an environment of their own, with NumPy 1.26: pip install implicit rectools "numpy<2"
"pyarrow<18". Each is asked with the same histories and ranked by the same lines. implicit's item
neighbours (cosine, BM25) and its factors (alternating least squares, 64 numbers) have the settings
that the library comes with, RecTools' EASE a ridge of 100, 300 or 1,000: the one that does best on
the last items of the training sessions, which are taken out for it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import implicit
import numpy as np
import pandas as pd
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from next_item import Answers, Scores, Task, answers, figures, load, ndcg_of
from numpy.typing import NDArray
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel
from scipy.sparse import csr_matrix

NEIGHBOURS = 100
RIDGES = (100.0, 300.0, 1_000.0)
MOST_ITEMS = 15_000  # for a dense matrix of items by items


def matrix(sessions: Sequence[Sequence[int]], column: dict[int, int]) -> csr_matrix:
    """Which session holds which item: float32 [sessions, items]."""
    pairs = [(n, column[i]) for n, s in enumerate(sessions) for i in set(s) if i in column]
    rows, columns = np.array(pairs).T if pairs else (np.zeros(0, int), np.zeros(0, int))
    shape = (len(sessions), len(column))
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape).tocsr()


def asked(model: object, column: dict[int, int]) -> Scores:
    """Scores of all items by a model of implicit."""

    def scores(histories: Sequence[list[int]]) -> NDArray[np.float32]:
        held = matrix(histories, column)
        found = np.full(held.shape, -1e9, np.float32)
        ids, values = model.recommend(  # type: ignore[attr-defined]
            np.arange(len(histories)),
            held,
            N=len(column),
            filter_already_liked_items=False,
            recalculate_user=True,
        )
        for row, (names, numbers) in enumerate(zip(ids, values, strict=True)):
            known = names >= 0
            found[row, names[known]] = numbers[known]
        return found

    return scores


def ease(sessions: Sequence[Sequence[int]], column: dict[int, int], ridge: float) -> Scores:
    """RecTools' EASE: the sum of the weights of a history's items."""
    rows = [(n, i, 1, "2020-01-01") for n, session in enumerate(sessions) for i in set(session)]
    frame = pd.DataFrame(
        rows, columns=[Columns.User, Columns.Item, Columns.Weight, Columns.Datetime]
    )
    dataset = Dataset.construct(frame)
    model = EASEModel(regularization=ridge).fit(dataset)
    own = {int(i): place for place, i in enumerate(dataset.item_id_map.external_ids)}
    place = np.array([own[item] for item in column])
    weights = np.asarray(model.weight)[np.ix_(place, place)].astype(np.float32)
    return lambda histories: np.asarray(matrix(histories, column) @ weights)


def chosen_ease(task: Task, column: dict[int, int]) -> tuple[float, Scores]:
    """EASE with the ridge that does best on last items taken out of the sessions."""
    long = [session for session in task.train if len(session) > 2]
    shorter = [session[:-1] if len(session) > 2 else session for session in task.train]
    known = {item for session in shorter for item in session}
    left = {item: place for place, item in enumerate(i for i in column if i in known)}
    cases = [(s[:-1], s[-1]) for s in long if s[-1] in known][:2_000]
    trial = Task(shorter, cases, task.seen_may_come)
    best = max(
        RIDGES,
        key=lambda ridge: ndcg_of(
            answers(ease(shorter, left, ridge), trial, list(left), range(len(cases))).rank
        ).mean(),
    )
    return best, ease(task.train, column, best)


def systems(task: Task, column: dict[int, int]) -> Iterator[tuple[str, Scores]]:
    held = matrix(task.train, column)
    for name, model in (
        ("implicit, cosine", CosineRecommender(K=NEIGHBOURS)),
        ("implicit, BM25", BM25Recommender(K=NEIGHBOURS)),
        ("implicit, factors", AlternatingLeastSquares(factors=64, random_state=0)),
    ):
        model.fit(held, show_progress=False)
        yield name, asked(model, column)
    if len(column) <= MOST_ITEMS:
        ridge, scores = chosen_ease(task, column)
        yield f"RecTools, EASE, ridge {ridge:g}", scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["lastfm", "toys", "hetrec", "nowplaying"])
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    print(f"implicit {implicit.__version__}")
    for name in options.sets:
        task = load(name, options.data)
        items = list(dict.fromkeys(item for session in task.train for item in session))
        column = {item: place for place, item in enumerate(items)}
        known = [place for place, (_, target) in enumerate(task.cases) if target in column]
        which = known[:: options.every]
        begin = time.process_time()
        for system, scores in systems(task, column):
            fitted = time.process_time() - begin
            found: Answers = answers(scores, task, items, which)
            told = figures(found, len(items), None)
            print(name, len(which), system, f"fitted in {fitted:.0f} s", told, flush=True)
            begin = time.process_time()


if __name__ == "__main__":
    main()
