"""What a listener is asked: a seed, and two tracks that two models put beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.catalog.identity import artist_keys
from musicu.errors import QueryError
from musicu.ingest.ids import id_texts
from musicu.ingest.table import TABLE_SUFFIXES, read_table

#: A track of one model counts as its own where the other does not have it among its first ones.
LISTED = 5
_POOL = 60
_SAME = ("track_id", "content_hash", "recording_id", "work_id")
_NEEDED = (*_SAME, "artists", "album_artist")


@dataclass(frozen=True, slots=True)
class Trial:
    """A seed, and the best track that only the first or only the second of two models lists.

    first_left: whether the first model's track is shown to the left.
    """

    seed: str
    first: str
    second: str
    first_left: bool


def make_trials(
    catalog: Catalog,
    first: str,
    second: str,
    *,
    count: int = 30,
    seed: int = 0,
    other_artists: bool = True,
) -> list[Trial]:
    """At most `count` trials on two models, of seeds by as many artists as there are.

    first, second: each a model of the catalog, or a CSV or Parquet file of results with the
    columns query_id, track_id and score, as `musicu similar` gives them. other_artists: leave
    out tracks by the seed's own artist, which any model finds. Seeds on which both agree are
    passed over. The same arguments give the same trials, in the same order and on the same
    sides. Raises QueryError where no question is left.
    """
    rng = np.random.default_rng(seed)
    results = [_results(catalog, name) for name in (first, second)]
    tracks = catalog.tracks()
    needed = [name for name in _NEEDED if name in tracks.column_names]
    rows = {row["track_id"]: row for row in tracks.select(needed).to_pylist()}
    trials: list[Trial] = []
    for track_id in _seeds(list(rows.values()), rng):
        lists = [_listed(found(track_id), rows, track_id, other_artists) for found in results]
        own = [[i for i in lists[k] if not _beside(i, lists[1 - k][:LISTED], rows)] for k in (0, 1)]
        if own[0] and own[1] and lists[0][:1] != lists[1][:1]:
            left = bool(rng.integers(2))
            trials.append(Trial(track_id, own[0][0], own[1][0], left))
        if len(trials) == count:
            break
    if not trials:
        raise QueryError(f"{first} and {second} list the same tracks: there is nothing to judge")
    return trials


def _seeds(rows: Sequence[dict[str, Any]], rng: np.random.Generator) -> Iterator[str]:
    """Every track once, in an order in which artists take turns."""
    turns: dict[tuple[str, ...], list[str]] = {}
    for place in rng.permutation(len(rows)).tolist():
        row = rows[place]
        artists = tuple(sorted(artist_keys(row))) or (row["track_id"],)
        turns.setdefault(artists, []).append(row["track_id"])
    for turn in range(max(map(len, turns.values()), default=0)):
        yield from (tracks[turn] for tracks in turns.values() if turn < len(tracks))


def _results(catalog: Catalog, name: str) -> Any:
    """What lists the tracks for a seed, the best first."""
    if Path(name).suffix.lower() in TABLE_SUFFIXES:
        table = _from_file(Path(name))
        return lambda track_id: table.get(track_id, [])
    ids = set(catalog.vectors(name).ids)

    def nearest(track_id: str) -> list[str]:
        if track_id not in ids:
            return []
        found: list[str] = catalog.similar(track_id, k=_POOL, model=name)["track_id"].to_pylist()
        return found

    return nearest


def _from_file(path: Path) -> dict[str, list[str]]:
    """Results by seed, the best first."""
    table = read_table(path)
    missing = {"query_id", "track_id", "score"} - set(table.column_names)
    if missing:
        raise QueryError(
            f"{path} has no column {sorted(missing)[0]!r}: see `musicu similar --json`"
        )
    text = {name: id_texts(table[name]).to_pylist() for name in ("query_id", "track_id")}
    scores = table["score"].cast(pa.float64()).to_pylist()
    found: dict[str, list[tuple[float, str]]] = {}
    for query, track, score in zip(text["query_id"], text["track_id"], scores, strict=True):
        found.setdefault(query, []).append((-score, track))
    return {query: [track for _, track in sorted(hits)] for query, hits in found.items()}


def _listed(
    found: Sequence[str], rows: dict[str, dict[str, Any]], seed: str, other_artists: bool
) -> list[str]:
    """The tracks that may be shown beside a seed, one a recording."""
    artists = artist_keys(rows[seed]) if other_artists else frozenset()
    kept: list[str] = []
    for track_id in found:
        row = rows.get(track_id)
        if row is None or _same(row, rows[seed]) or artists & artist_keys(row):
            continue
        if not _beside(track_id, kept, rows):
            kept.append(track_id)
    return kept


def _beside(track_id: str, others: Sequence[str], rows: dict[str, dict[str, Any]]) -> bool:
    return any(_same(rows[track_id], rows[other]) for other in others)


def _same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two tracks are one recording or versions of one work, as far as was audited."""
    return any(a.get(name) is not None and a.get(name) == b.get(name) for name in _SAME)
