"""Candidates for many listeners against the bare matrix product over the tracks that pass.

    OMP_NUM_THREADS=1 python benchmarks/candidates_speed.py --tracks 1000000 --listeners 2048
    OMP_NUM_THREADS=1 python benchmarks/candidates_speed.py --windows 28 280 2800 --listeners 256

With musicu installed, as CONTRIBUTING.md says. Makes unit vectors in clusters, tracks released at
random over 2,800 days, so that a window of 28 holds one in a hundred, and listeners with some
interests each and 200 tracks heard. Times `Finder.find` for new releases, all of it: search,
limits, quotas, reasons, the Arrow table; and `queries @ passing.T` for the same interests, batch
by batch. Both in processor time, in turn, and what is printed are medians. Listeners are
independent of each other, so that the time for more of them follows; memory is that of the whole
process at its highest. Ten listeners are compared with a slow reference that ranks every track
of the first window.
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.candidates import Finder, Limits, Listener, NewReleases, Stock, TasteProfile
from musicu.listening.history import History, micros
from musicu.listening.profiles import Interest
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
    stock = made_stock(given.tracks, given.dim, rng)
    listeners = made_listeners(stock, given.listeners, given.interests, rng)
    print(
        f"{given.tracks:,} tracks x {given.dim}, {given.listeners:,} listeners with "
        f"{given.interests} interests"
    )
    for window in given.windows:
        print(measured(stock, listeners, window, given.k, given.repeats), flush=True)
    finder = Finder.of(stock, [NewReleases(given.windows[0])], given.k, Limits(), NOW)
    found = pa.concat_tables(finder.find(listeners[:10]))
    fresh = passing(stock, given.windows[0])
    agree = all(np.array_equal(*answers(stock, x, fresh, given.k, found)) for x in listeners[:10])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory {peak:.3g} bytes; ten listeners as the reference: {agree}")


def measured(stock: Stock, listeners: list[Listener], window: int, k: int, repeats: int) -> str:
    """What a window of days costs, in words."""
    finder = Finder.of(stock, [NewReleases(window)], k, Limits(), NOW)
    began = time.process_time()
    list(finder.find(listeners[:1]))
    once = time.process_time() - began
    runs = []
    for _ in range(repeats):
        began = time.process_time()
        count = sum(table.num_rows for table in finder.find(listeners))
        ours = time.process_time() - began
        bare, plain = (bare_product(stock, listeners, window, kept) for kept in (True, False))
        runs.append((ours, bare, ours / bare, ours / plain))
    ours, bare, ratio, fresh = np.median(runs, axis=0)
    scale = 100_000 / len(listeners)
    return (
        f"{window:,} days, {np.count_nonzero(passing(stock, window)):,} tracks pass, {count:,} "
        f"candidates: {ours:.2f} s, bare product {bare:.2f} s, ratio {ratio:.2f} "
        f"({min(run[2] for run in runs):.2f} to {max(run[2] for run in runs):.2f}), with a new "
        f"array a batch {fresh:.2f}; for 100,000 listeners {ours * scale:.0f} s and "
        f"{bare * scale:.0f} s; what is made once {once:.2f} s"
    )


def passing(stock: Stock, window: int) -> np.ndarray:
    """Which tracks a window of days holds: bool [tracks]."""
    return stock.released_within(NOW.date() - timedelta(days=window - 1), NOW.date())


def made_stock(count: int, dim: int, rng: np.random.Generator) -> Stock:
    values = rng.standard_normal((count, dim), dtype=np.float32)
    centres = rng.standard_normal((2000, dim), dtype=np.float32)
    for start in range(0, count, 1 << 16):
        part = values[start : start + (1 << 16)]
        part += 1.5 * centres[rng.integers(0, len(centres), len(part))]
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
    return Stock(tracks, Vectors(ids, values))


def made_listeners(
    stock: Stock, count: int, interests: int, rng: np.random.Generator
) -> list[Listener]:
    found = []
    for number in range(count):
        heard = np.unique(rng.integers(0, len(stock), 200))
        medoids = rng.choice(heard, interests, replace=False)
        shares = np.sort(rng.dirichlet(np.full(interests, 3.0)))[::-1]
        made = tuple(
            Interest(stock.ids[row], float(share), stock.values[row], (stock.ids[row],))
            for row, share in zip(medoids, shares, strict=True)
        )
        ones = np.ones(len(heard))
        history = History(stock.ids, heard, ones, 0 * ones, ones, micros(NOW), 69.0)
        taste = TasteProfile(made, (), history)
        found.append(Listener(f"user-{number:06d}", taste))
    return found


def bare_product(stock: Stock, listeners: list[Listener], window: int, kept: bool) -> float:
    """Seconds for the scores of every interest with every passing track, nothing else.

    kept: into memory that is there already; else `queries @ passing.T` as one writes it.
    """
    values = np.ascontiguousarray(stock.values[passing(stock, window)])
    queries = np.array([i.vector for x in listeners for i in x.taste.interests])
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


def answers(
    stock: Stock, listener: Listener, passing: np.ndarray, k: int, found: pa.Table
) -> tuple[np.ndarray, np.ndarray]:
    """The tracks of one listener as found, and as a loop over full rankings finds them."""
    ours = found.filter(pc.equal(found["user_id"], listener.user_id))["track_id"]
    fresh = np.flatnonzero(passing)
    wide = stock.values[fresh].astype(np.float64)
    interests = listener.taste.interests
    exact = np.array([k * i.importance for i in interests])
    quotas = np.floor(exact).astype(int)
    quotas[np.argsort(-(exact - quotas), kind="stable")[: k - quotas.sum()]] += 1
    taken: list[int] = []
    rankings = []
    for interest in interests:
        scores = (wide * interest.vector.astype(np.float64)).sum(axis=1).astype(np.float32)
        rankings.append(fresh[np.lexsort((fresh, -scores))])
    artists = stock.credits.padded(np.arange(len(stock)))[:, 0]
    for limits in (quotas, np.full(len(interests), k)):
        for ranking, quota in zip(rankings, limits, strict=True):
            got = 0
            for row in ranking:
                if len(taken) == k or got == quota:
                    break
                same_artist = sum(artists[t] == artists[row] for t in taken)
                same_album = sum(stock.albums[t] == stock.albums[row] for t in taken)
                if (
                    row not in taken
                    and stock.ids[row] not in listener.taste.heard
                    and same_artist < 3
                    and same_album < 2
                ):
                    taken.append(int(row))
                    got += 1
    return np.sort(ours.to_numpy(zero_copy_only=False)), np.sort(stock.ids[taken])


if __name__ == "__main__":
    main()
