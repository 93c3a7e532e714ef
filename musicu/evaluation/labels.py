"""Labels of tracks, as groups of rows that share a value.

Conventions:

- Names are compared without case and surrounding spaces; empty ones count as missing.
- The artists of a track are in `artists` (or `artist`), or else `album_artist`. Two tracks are by
  the same artist where they share at least one.
- The cluster of a track, for bootstrap draws and folds, is its `album_artist`, or else the first of
  `artists`. A track without either is its own cluster.
- An album is its title together with the cluster's artist: two artists may each have a "Live".
- Two tracks are of the same genre where they share at least one of `genres` (or `genre`).
- `source` is optional: where the recording came from (a shop, a label, a repository), to separate
  the effect of codecs and mastering.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.errors import QueryError

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class LabelGroups:
    """Rows grouped by values; a row may have none, one or several."""

    def __init__(self, values: Iterable[Sequence[Hashable]]) -> None:
        codes: dict[Hashable, int] = {}
        self.codes: list[list[int]] = [
            sorted({codes.setdefault(value, len(codes)) for value in row}) for row in values
        ]
        self.names: list[Hashable] = list(codes)
        members: list[list[int]] = [[] for _ in codes]
        for row, row_codes in enumerate(self.codes):
            for code in row_codes:
                members[code].append(row)
        self.members: list[Rows] = [np.array(rows, dtype=np.int64) for rows in members]
        self.known: Mask = np.array([bool(c) for c in self.codes], dtype=bool)

    def shared(self, row: int) -> Mask:
        """The rows that share a value with `row`, itself included: bool [rows]."""
        mask = np.zeros(len(self.codes), dtype=bool)
        for code in self.codes[row]:
            mask[self.members[code]] = True
        return mask

    def first(self) -> Rows:
        """The code of each row's first value in order of appearance, -1 where it has none."""
        return np.array([codes[0] if codes else -1 for codes in self.codes], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class TrackLabels:
    """The labels of each row of a table of tracks.

    clusters: int64 [tracks], equal for tracks that are drawn, or kept in one fold, together.
    """

    artists: LabelGroups
    albums: LabelGroups
    genres: LabelGroups
    sources: LabelGroups
    clusters: Rows

    @classmethod
    def of(cls, tracks: pa.Table) -> TrackLabels:
        """The labels of a catalog's tracks, or of any table with columns of those names."""
        artists = _column(tracks, "artists", "artist")
        owners = [
            owner or names[:1]
            for owner, names in zip(_column(tracks, "album_artist"), artists, strict=True)
        ]
        albums = _column(tracks, "album")
        return cls(
            artists=LabelGroups(
                names or owner for names, owner in zip(artists, owners, strict=True)
            ),
            albums=LabelGroups(
                [(album[0], *owner)] if album else []
                for album, owner in zip(albums, owners, strict=True)
            ),
            genres=LabelGroups(_column(tracks, "genres", "genre")),
            sources=LabelGroups(_column(tracks, "source")),
            clusters=_own_cluster_where_unknown(LabelGroups(owners).first()),
        )

    def __len__(self) -> int:
        return len(self.clusters)


def classes(tracks: pa.Table, column: str) -> Rows:
    """The class of each row by a label column (of a list, its first value), -1 where unknown.

    `genre` and `artist` also find `genres` and `artists`. Raises QueryError where the table has
    no such column.
    """
    names = [n for n in (column, f"{column}s") if n in tracks.column_names]
    if not names:
        found = ", ".join(tracks.column_names)
        raise QueryError(f"there is no label column {column!r}; the tracks have: {found}")
    return LabelGroups(values[:1] for values in _column(tracks, names[0])).first()


def _column(tracks: pa.Table, *names: str) -> list[list[str]]:
    """The values of the first of these columns that exists, as lists of folded names."""
    for name in names:
        if name in tracks.column_names:
            return [_folded(value) for value in tracks[name].to_pylist()]
    return [[] for _ in range(tracks.num_rows)]


def _folded(value: Any) -> list[str]:
    """One cell as a list of names: null gives none, a list several, other values one."""
    cells = value if isinstance(value, list) else [value]
    names = (str(cell).strip().casefold() for cell in cells if cell is not None)
    return [name for name in names if name]


def _own_cluster_where_unknown(codes: Rows) -> Rows:
    alone = np.arange(len(codes)) + codes.max(initial=-1) + 1
    return np.where(codes < 0, alone, codes)
