"""A small made catalog and listeners of it, for the tests of candidates."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa

from musicu.candidates import LISTENS, ItemTable, UserProfile, tastes
from musicu.catalog.schema import TRACKS
from musicu.records import Vectors

NOW = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)


def made_items(
    count: int = 120, dim: int = 8, seed: int = 0, artists: int = 25, albums: int = 50
) -> ItemTable:
    """Tracks t000 …: artist by number modulo, a third of them new, a third old and unpopular."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((count, dim)).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    ids = [f"t{n:03d}" for n in range(count)]
    rows = [
        {
            "track_id": ids[n],
            "title": f"Title {n}",
            "artists": _artists(n, artists),
            "album": f"Album {n % albums}",
            "path": f"{n}.flac",
            "content_hash": f"hash{n}",
            "released": _released(n),
            "popularity": float(n % 10) / 10,
            "explicit": n % 7 == 0,
            "markets": ["DE", "FR"] if n % 2 else ["US"],
            "gone": False,
        }
        for n in range(count)
    ]
    tracks = pa.Table.from_pylist(rows, schema=TRACKS)
    return ItemTable(tracks, Vectors(np.array(ids, object), values))


def made_listens(
    items: ItemTable, users: int = 6, each: int = 12, seed: int = 0, skips: float = 0.15
) -> pa.Table:
    """Listens at random over the last year, some of them skips."""
    rng = np.random.default_rng(seed)
    count = users * each
    when = [NOW - timedelta(days=float(d)) for d in rng.uniform(0, 365, count)]
    columns = [
        [f"user{n // each:02d}" for n in range(count)],
        rng.choice(items.ids, count).tolist(),
        when,
        np.where(rng.random(count) < skips, -1, 1).astype(np.float32),
        [None] * count,
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, LISTENS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=LISTENS)


def made_listeners(items: ItemTable, **options: int) -> list[UserProfile]:
    """Listeners of `made_listens` with their tastes."""
    vectors = Vectors(items.ids, items.values)
    return [
        UserProfile(*found) for found in tastes(made_listens(items, **options), vectors, now=NOW)
    ]


def _artists(n: int, artists: int) -> list[str]:
    if n % 11 == 0:
        return [f"Artist {n % artists}", f"Artist {(n + 1) % artists}"]
    return [f"Artist {n % artists}"]


def _released(n: int) -> date | None:
    if n % 3 == 0:
        return NOW.date() - timedelta(days=n % 28)
    return NOW.date() - timedelta(days=800 + n) if n % 3 == 1 else None
