"""Candidates for many listeners against the bare matrix product over the tracks that pass.

    OMP_NUM_THREADS=1 python benchmarks/candidates_speed.py --tracks 1000000 --listeners 2048
    OMP_NUM_THREADS=1 python benchmarks/candidates_speed.py --windows 28 280 2800 --listeners 256

With musicu installed, as CONTRIBUTING.md says. Makes unit vectors in clusters, tracks released at
random over 2,800 days, so that a window of 28 holds one in a hundred, and listeners with some
interests, a cluster each, and 200 tracks heard. Times `CandidateGenerator.find` for new releases,
all of it: search, ranking, constraints, reasons, the Arrow table; and `queries @ passing.T` for as
many queries as there are interests, batch by batch. Both in processor time, in turn, and what is
printed are medians. Listeners are independent of each other, so that the time for more of them
follows; memory is that of the whole process at its highest. Of ten listeners, the share of what a
slow reference chooses is printed that is found; it ranks every track of the first window by
`set_fit.score_set`.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa

from musicu.candidates import (
    CandidateGenerator,
    Constraints,
    ItemTable,
    NewReleases,
    TasteProfile,
    UserProfile,
)
from musicu.listening.history import History, micros
from musicu.listening.profiles import Interest
from musicu.ranking.set_fit import score_set
from musicu.records import Vectors

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)


DAYS = 2800


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--listeners", type=int, default=4096)
    parser.add_argument("--interests", type=int, default=4)
    parser.add_argument("--windows", type=int, nargs="+", default=[28], help=f"days, of {DAYS:,}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-k", type=int, default=100)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    items, cluster = made_items(given.tracks, given.dim, rng)
    listeners = made_listeners(items, cluster, given.listeners, given.interests, rng)
    print(
        f"{given.tracks:,} tracks x {given.dim}, {given.listeners:,} listeners with "
        f"{given.interests} interests"
    )
    for window in given.windows:
        print(measured(items, listeners, window, given.k, given.repeats), flush=True)
    generator = CandidateGenerator.of(
        items, [NewReleases(given.windows[0])], given.k, Constraints(), NOW
    )
    fresh = passing(items, given.windows[0])
    found = pa.concat_tables(generator.find(listeners[:10]))
    ids, users = (found[name].to_numpy(zero_copy_only=False) for name in ("track_id", "user_id"))
    shares = [
        np.isin(reference(items, x, fresh, given.k), ids[users == x.user_id]).mean()
        for x in listeners[:10]
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory {peak:.3g} bytes; of the reference's choice {np.mean(shares):.3f} found")


def measured(
    items: ItemTable, listeners: list[UserProfile], window: int, k: int, repeats: int
) -> str:
    """What a window of days costs, in words."""
    generator = CandidateGenerator.of(items, [NewReleases(window)], k, Constraints(), NOW)
    began = time.process_time()
    list(generator.find(listeners[:1]))
    once = time.process_time() - began
    runs = []
    for _ in range(repeats):
        began = time.process_time()
        count = sum(table.num_rows for table in generator.find(listeners))
        ours = time.process_time() - began
        bare, plain = (bare_product(items, listeners, window, kept) for kept in (True, False))
        runs.append((ours, bare, ours / bare, ours / plain))
    ours, bare, ratio, fresh = np.median(runs, axis=0)
    scale = 100_000 / len(listeners)
    return (
        f"{window:,} days, {np.count_nonzero(passing(items, window)):,} tracks pass, {count:,} "
        f"candidates: {ours:.2f} s, bare product {bare:.2f} s, ratio {ratio:.2f} "
        f"({min(run[2] for run in runs):.2f} to {max(run[2] for run in runs):.2f}), with a new "
        f"array a batch {fresh:.2f}; for 100,000 listeners {ours * scale:.0f} s and "
        f"{bare * scale:.0f} s; what is made once {once:.2f} s"
    )


def passing(items: ItemTable, window: int) -> np.ndarray:
    """Which tracks a window of days holds: bool [tracks]."""
    return items.released_within(NOW.date() - timedelta(days=window - 1), NOW.date())


def made_items(count: int, dim: int, rng: np.random.Generator) -> tuple[ItemTable, np.ndarray]:
    """Items, and the cluster of each."""
    values = rng.standard_normal((count, dim), dtype=np.float32)
    centres = rng.standard_normal((2000, dim), dtype=np.float32)
    cluster = rng.integers(0, len(centres), count)
    for start in range(0, count, 1 << 16):
        part = values[start : start + (1 << 16)]
        part += 1.5 * centres[cluster[start : start + len(part)]]
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    ids = np.array([f"{n:016x}" for n in range(count)], object)
    released = [NOW.date() - timedelta(days=day) for day in range(DAYS)]
    days = rng.integers(0, DAYS, count)
    albums = rng.integers(0, max(1, count // 10), count)
    names = pa.array([f"Artist {n}" for n in range(max(1, count // 20))])
    artist = names.take(pa.array(albums // 2 % len(names)))
    tracks = pa.table(
        {
            "track_id": pa.array(ids, pa.string()),
            "title": pa.array(ids, pa.string()),
            "artists": pa.ListArray.from_arrays(pa.array(np.arange(count + 1, dtype="i4")), artist),
            "album_artist": artist,
            "album": pa.array([f"Album {n}" for n in range(albums.max() + 1)]).take(
                pa.array(albums)
            ),
            "musicbrainz_album_id": pa.nulls(count, pa.string()),
            "root": pa.nulls(count, pa.string()),
            "path": pa.array(ids, pa.string()),
            "content_hash": pa.array(ids, pa.string()),
            "explicit": pa.nulls(count, pa.bool_()),
            "popularity": pa.nulls(count, pa.float64()),
            "released": pa.array(released, pa.date32()).take(pa.array(days)),
        }
    )
    return ItemTable(tracks, Vectors(ids, values)), cluster


def made_listeners(
    items: ItemTable,
    cluster: np.ndarray,
    count: int,
    interests: int,
    rng: np.random.Generator,
) -> list[UserProfile]:
    """Profiles as `tastes` makes them: each of 200 tracks, of as many clusters as interests."""
    order = np.argsort(cluster, kind="stable")
    edges = np.searchsorted(cluster[order], np.arange(cluster.max() + 2))
    found = []
    for number in range(count):
        shares = np.sort(rng.dirichlet(np.full(interests, 3.0)))[::-1]
        groups = []
        for own in rng.choice(cluster.max() + 1, interests, replace=False):
            rows = order[edges[own] : edges[own + 1]]
            groups.append(rng.choice(rows, min(len(rows), 200 // interests), replace=False))
        made = tuple(
            Interest(
                items.ids[rows[0]],
                float(share),
                items.values[rows].mean(axis=0),
                tuple(items.ids[rows]),
            )
            for rows, share in zip(groups, shares, strict=True)
        )
        heard = np.sort(np.concatenate(groups))
        mean = items.values[heard].mean(axis=0)
        ones = np.ones(len(heard))
        history = History(items.ids, heard, ones, 0 * ones, ones, micros(NOW), 69.0)
        taste = TasteProfile(made, mean / np.linalg.norm(mean), (), history)
        found.append(UserProfile(f"user-{number:06d}", taste))
    return found


def bare_product(items: ItemTable, listeners: list[UserProfile], window: int, kept: bool) -> float:
    """Seconds for the scores of every interest with every passing track, nothing else.

    kept: into memory that is there already; else `queries @ passing.T` as one writes it.
    """
    values = np.ascontiguousarray(items.values[passing(items, window)])
    queries = np.array([i.centroid for x in listeners for i in x.taste.interests])
    step = min(len(queries), 1024, max(64, (1 << 24) // len(values)))
    out = np.zeros((step, len(values)), np.float32)
    began = time.process_time()
    for start in range(0, len(queries), step):
        part = queries[start : start + step]
        if kept:
            np.matmul(part, values.T, out=out[: len(part)])
        else:
            part @ values.T
    return time.process_time() - began


def reference(items: ItemTable, listener: UserProfile, passing: np.ndarray, k: int) -> list[str]:
    """The tracks of one listener as a loop over one full ranking finds them."""
    fresh = np.flatnonzero(passing)
    history = listener.taste.history
    heard = items.rows_of(history.ids)
    artists = items.credits.padded(np.arange(len(items)))[:, 0]
    share = np.array([np.count_nonzero(artists[heard] == artists[row]) for row in fresh])
    scores = score_set(
        items.values[heard],
        items.values[fresh],
        artist_share=np.minimum(share / len(heard), 1).astype(np.float32),
    )
    taken: list[int] = []
    for row in fresh[np.argsort(-scores, kind="stable")].tolist():
        same_artist = sum(artists[t] == artists[row] for t in taken)
        same_album = sum(items.albums[t] == items.albums[row] for t in taken)
        allowed = row not in heard and same_artist < Constraints().max_per_artist
        if len(taken) < k and allowed and same_album < Constraints().max_per_album:
            taken.append(row)
    return list(items.ids[taken])


if __name__ == "__main__":
    main()
