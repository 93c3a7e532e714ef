"""A learned ranker on simulated exposures of public listening, against the order that was shown.

    python benchmarks/ranker_logs.py hetrec DATA [--days 20] [--seeds 3]
    python benchmarks/ranker_logs.py clean DATA

hetrec (DATA/hetrec2011_lastfm_2k): artists are the items, with ALS vectors of the training
listens. Each listener is shown a page a day: 30 artists drawn from their candidates (80 from the
generator, 80 at random, and what they listen to in the test part), ordered by a poor production
ranker: popularity with noise. A place r from 0 is looked at with 1 / (1 + r) ** eta; a liked artist
(of the test part) that is looked at is played with .8, another with .05. The rankers learn from
that log and order fresh pages of listeners that the log does not have, by what those like: NDCG@10,
paired by listener, 95 % intervals.

clean: graded lists without bias: LightGBM's example (DATA/lightgbm_rank) and MQ2008 (DATA/mq2008,
five folds of its queries).
"""

from __future__ import annotations

import argparse
import gzip
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.bootstrap import Resamples, interval
from musicu.embeddings.tracks.als import fit_als
from musicu.items.item_table import ItemTable
from musicu.listening.profile_arrays import ProfileArrays, UserProfile
from musicu.listening.profiles import tastes
from musicu.ranking.graded_lists import GradedLists, list_ndcg
from musicu.ranking.list_models import BoostingOptions, fit_linear, fit_trees
from musicu.ranking.ranker import Pool
from musicu.ranking.ranker_training import train_ranker
from musicu.ranking.taste import TasteRanker
from musicu.records import Vectors

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
SHOWN = 30


@dataclass(frozen=True)
class World:
    """Listeners, artists, what is known of them and what they will like."""

    items: ItemTable
    listens: pa.Table
    liked: list[NDArray[np.int64]]
    heard: list[NDArray[np.int64]]
    popularity: NDArray[np.float64]


def lines(path: Path) -> list[list[int]]:
    with gzip.open(path, "rt") as file:
        return [[int(float(word)) for word in line.split()] for line in file]


def world(folder: Path) -> World:
    train = lines(folder / "lightgcn_data1.txt.gz")
    test = lines(folder / "lightgcn_test1.txt.gz")
    users = 1 + max(row[0] for row in train)
    known = {item for part in (train, test) for _, *rows in part for item in rows}
    place = {item: n for n, item in enumerate(sorted(known))}
    train, test = (
        [[user, *(place[item] for item in rows)] for user, *rows in part] for part in (train, test)
    )
    count = len(place)
    pairs = np.array([(user, item) for user, *rows in train for item in rows])
    matrix = csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(users, count))
    vectors = fit_als(matrix, factors=64, iterations=10).items
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(length > 0, length, 1)
    ids = np.array([f"a{n:05d}" for n in range(count)], object)
    tracks = pa.table(
        {
            "track_id": ids.tolist(),
            "title": ids.tolist(),
            "artists": [[name] for name in ids.tolist()],
            "album": pa.nulls(count, pa.string()),
            "album_artist": pa.nulls(count, pa.string()),
            "content_hash": ids.tolist(),
            "path": ids.tolist(),
            "released": pa.nulls(count, pa.date32()),
            "popularity": np.zeros(count),
            "isrc": pa.nulls(count, pa.string()),
            "duration_seconds": pa.nulls(count, pa.float64()),
            "recording_id": pa.nulls(count, pa.string()),
            "work_id": pa.nulls(count, pa.string()),
        }
    )
    plays = np.asarray(matrix.sum(axis=0), np.int64).ravel()
    items = ItemTable(tracks, Vectors(ids, vectors.astype(np.float32)), plays)
    listens = pa.table(
        {
            "user_id": [f"u{user:04d}" for user in pairs[:, 0]],
            "track_id": ids[pairs[:, 1]].tolist(),
            "timestamp": pa.array(
                [NOW - timedelta(days=30)] * len(pairs), pa.timestamp("us", "UTC")
            ),
            "weight": pa.array(np.ones(len(pairs)), pa.float32()),
            "context": pa.nulls(len(pairs), pa.string()),
        }
    )
    liked: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * users
    heard = list(liked)
    for user, *rows in test:
        liked[user] = np.array(rows, np.int64)
    for user, *rows in train:
        heard[user] = np.array(rows, np.int64)
    return World(items, listens, liked, heard, plays.astype(np.float64))


def profiles(found: World, users: list[int]) -> ProfileArrays:
    names = {f"u{user:04d}" for user in users}
    kept = pa.array([name in names for name in found.listens["user_id"].to_pylist()])
    made = dict(tastes(found.listens.filter(kept), found.items.vectors, now=NOW))
    return ProfileArrays.of(
        found.items, [UserProfile(f"u{user:04d}", made[f"u{user:04d}"]) for user in users]
    )


def page(found: World, known: ProfileArrays, place: int, user: int, rng: Any) -> Any:
    """Artists to show somebody: near to their taste, at random, and some that they will like."""
    near = np.argpartition(-(found.items.values @ known.interests.mean[place]), 160)[:160]
    pool = np.concatenate([rng.choice(near, 15), rng.integers(len(found.items), size=15)])
    if len(found.liked[user]):
        pool = np.concatenate([pool, rng.choice(found.liked[user], 3)])
    pool = np.setdiff1d(np.unique(pool), found.heard[user])
    return rng.permutation(pool)[:SHOWN]


def production(found: World, rows: Any, rng: Any) -> Any:
    return rows[np.argsort(-(np.log1p(found.popularity[rows]) + rng.normal(0, 2, len(rows))))]


def log(
    found: World, users: list[int], days: int, eta: float, chance: float, rng: Any
) -> tuple[pa.Table, pa.Table]:
    """Exposures and outcomes of a page a day; chance: the share of pages in random order."""
    known = profiles(found, users)
    shown: list[dict[str, Any]] = []
    done: list[dict[str, Any]] = []
    for day in range(days):
        at = NOW + timedelta(days=day)
        for place, user in enumerate(users):
            rows = page(found, known, place, user, rng)
            random = rng.random() < chance
            rows = rng.permutation(rows) if random else production(found, rows, rng)
            looked = rng.random(len(rows)) < (1.0 / (1 + np.arange(len(rows)))) ** eta
            likes = np.where(np.isin(rows, found.liked[user]), 0.8, 0.05)
            played = looked & (rng.random(len(rows)) < likes)
            for slot, row in enumerate(rows.tolist()):
                name = f"{day}-{user}-{slot}"
                shown.append(
                    {
                        "exposure_id": name,
                        "page_id": f"{day}-{user}",
                        "surface": "page",
                        "shelf": "for you",
                        "shelf_position": 0,
                        "item_position": slot,
                        "track_id": found.items.ids[row],
                        "user_id": f"u{user:04d}",
                        "policy": "random" if random else "production",
                        "propensity": 1 / (len(rows) - slot) if random else None,
                        "context": None,
                        "shown_at": at,
                    }
                )
                if played[slot]:
                    done.append(
                        {
                            "event_id": name,
                            "exposure_id": name,
                            "user_id": f"u{user:04d}",
                            "track_id": found.items.ids[row],
                            "kind": "played",
                            "milliseconds": 180_000,
                            "at": at,
                        }
                    )
    schema = [("propensity", pa.float64()), ("context", pa.string())]
    table = pa.Table.from_pylist(shown)
    for name, kind in schema:
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    return table, pa.Table.from_pylist(done)


def hetrec(data: Path, days: int, seeds: int) -> None:
    found = world(data / "hetrec2011_lastfm_2k")
    everyone = [u for u, rows in enumerate(found.liked) if len(rows) and len(found.heard[u])]
    differences: dict[str, list[NDArray[np.float64]]] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        users = rng.permutation(everyone).tolist()
        seen, asked = sorted(users[: len(users) // 2]), sorted(users[len(users) // 2 :])
        exposures, outcomes = log(found, seen, days, 1.0, 0.1, rng)
        rankers = {
            kind: train_ranker(
                found.items, exposures, outcomes, found.listens, kind=kind, seed=seed
            )
            for kind in ("trees", "linear")
        }
        for kind, ranker in rankers.items():
            told = {name: ranker.report.get(name) for name in (
                "rewarded", "variant", "ndcg", "taste", "shown", "over_taste", "calibration_error"
            )}  # fmt: skip
            print(json.dumps({"seed": seed, "kind": kind, "note": ranker.note, **told}))
        known = profiles(found, asked)
        lists = [page(found, known, place, user, rng) for place, user in enumerate(asked)]
        sizes = np.array([len(rows) for rows in lists])
        rows = np.concatenate(lists)
        listener = np.repeat(np.arange(len(asked)), sizes)
        pool = Pool(
            known, listener, rows, np.full(len(rows), -1, np.int32),
            np.full(len(rows), np.nan, np.float32), "", NOW,
        )  # fmt: skip
        gain = np.concatenate(
            [np.isin(part, found.liked[user]) for part, user in zip(lists, asked, strict=True)]
        ).astype(float)
        noisy = np.log1p(found.popularity[rows]) + rng.normal(0, 2, len(rows))
        scores = {
            "production": noisy,
            "popularity": found.popularity[rows],
            "taste": TasteRanker().rank(pool).score,
            **{kind: ranker.rank(pool).score for kind, ranker in rankers.items()},
        }
        ndcg = {name: list_ndcg(values, gain, sizes, 10) for name, values in scores.items()}
        for name, values in ndcg.items():
            differences.setdefault(name, []).append(values)
    for name, parts in differences.items():
        print(f"{name:12} NDCG@10 {np.nanmean(np.concatenate(parts)):.4f}")
    for kind in ("trees", "linear"):
        for other in ("production", "taste"):
            apart = np.concatenate(differences[kind]) - np.concatenate(differences[other])
            apart = apart[np.isfinite(apart)]
            drawn = Resamples(np.arange(len(apart)), 1000, 0).means(apart)
            print(f"{kind} - {other}: {apart.mean():+.4f} {interval(drawn)}")


def clean(data: Path) -> None:
    features, grade = _svm(data / "lightgbm_rank/rank.train.gz", 301)
    other, asked = _svm(data / "lightgbm_rank/rank.test.gz", 301)
    sizes = np.loadtxt(data / "lightgbm_rank/rank.train.query", dtype=int)
    lengths = np.loadtxt(data / "lightgbm_rank/rank.test.query", dtype=int)
    train, test = GradedLists.of(features, grade, sizes), GradedLists.of(other, asked, lengths)
    for name, model in (("trees", fit_trees(train)), ("linear", fit_linear(train))):
        scores = model.scores(test.features)
        values = [np.nanmean(list_ndcg(scores, test.gain, test.sizes, k)) for k in (1, 3, 5, 10)]
        print(f"LightGBM's example, {name}: NDCG@1/3/5/10", *(f"{v:.3f}" for v in values))
    features, grade = _svm(data / "mq2008/fold1_test.txt.gz", 47)
    with gzip.open(data / "mq2008/fold1_test.txt.gz", "rt") as file:
        query = np.array([line.split()[1] for line in file])
    whole = GradedLists.of(features, grade, _runs(query))
    options = BoostingOptions(trees=60, leaves=7, least_rows=20, least_hessian=1e-3, bagging=1.0)
    for name in ("trees", "linear"):
        means = []
        for draw in range(5):
            values = np.full(len(whole), np.nan)
            folds = np.random.default_rng(draw).permutation(len(whole)) % 5
            for fold in range(5):
                part, held = (
                    whole.take(np.flatnonzero(folds != fold)),
                    np.flatnonzero(folds == fold),
                )
                model = fit_trees(part, options=options) if name == "trees" else fit_linear(part)
                other_part = whole.take(held)
                scores = model.scores(other_part.features)
                values[held] = list_ndcg(scores, other_part.gain, other_part.sizes, 10)
            means.append(np.nanmean(values))
        print(f"MQ2008, {name}: NDCG@10 {np.mean(means):.3f} +- {np.std(means):.3f}, five draws")


def _svm(path: Path, width: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    rows, grades = [], []
    with gzip.open(path, "rt") as file:
        for line in file:
            words = line.split("#")[0].split()
            row = np.zeros(width, np.float32)
            for word in words[1:]:
                place, value = word.split(":")
                if place != "qid":
                    row[int(place)] = float(value)
            rows.append(row)
            grades.append(float(words[0]))
    return np.array(rows), np.array(grades)


def _runs(query: NDArray[Any]) -> NDArray[np.int64]:
    starts = np.flatnonzero(np.r_[True, query[1:] != query[:-1]])
    return np.diff(np.append(starts, len(query)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["hetrec", "clean"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    hetrec(given.data, given.days, given.seeds) if given.what == "hetrec" else clean(given.data)
