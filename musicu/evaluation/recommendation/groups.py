"""Groups of tracks and of listeners, by what the training part holds of them.

Conventions:

- Tracks are cold, tail or head as `musicu.items.creator_groups` says.
- Artists. Emerging: those outside the head, made in the same way from pairs of listener and
  artist; whoever nobody has heard is emerging too.
- Listeners. The mean of log2(1 + listeners) over a listener's history says how mainstream it is;
  the lowest third of those asked is niche, the highest mainstream. Their own listening counts
  among a track's, the same for everyone. Light, medium and heavy are thirds by the number of
  tracks in the history. Equals go by row, so that the thirds are thirds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.errors import QueryError
from musicu.evaluation.labels import LabelGroups
from musicu.items.creator_groups import MOST_GROUPS, OTHER, head
from musicu.listening.small_groups import SMALLEST_GROUP
from musicu.records import short

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

LISTENER_GROUPS = ("niche", "middle", "mainstream")
ACTIVITY_GROUPS = ("light", "medium", "heavy")


def listeners_of(history: csr_matrix) -> Ints:
    """How many listeners each track has: int64 [tracks]."""
    return np.asarray((history > 0).sum(axis=0), dtype=np.int64).ravel()


def emerging(history: csr_matrix, artists: LabelGroups) -> Mask:
    """Which tracks have only emerging artists: bool [tracks].

    A track without a known artist counts as an artist of its own.
    """
    owners = artist_matrix(artists)
    listeners = listeners_of((history > 0).astype(np.float32) @ owners)
    known = (owners @ head(listeners).astype(np.float32)) > 0
    mask: Mask = ~np.asarray(known).ravel()
    return mask


def artist_matrix(artists: LabelGroups) -> csr_matrix:
    """Which artists a track has: csr float32 [tracks, artists]; alone where none is known."""
    alone = np.flatnonzero(~artists.known)
    rows = np.repeat(np.arange(len(artists.codes)), [len(codes) for codes in artists.codes])
    columns = np.array([code for codes in artists.codes for code in codes], dtype=np.int64)
    rows = np.concatenate([rows, alone])
    columns = np.concatenate([columns, len(artists.names) + np.arange(len(alone))])
    shape = (len(artists.codes), len(artists.names) + len(alone))
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)


def main_artist(artists: LabelGroups) -> Ints:
    """The first artist of each track, a code of its own where none is known: int64 [tracks]."""
    codes = artists.first()
    own = len(artists.names) + np.arange(len(codes))
    return np.where(codes < 0, own, codes)


def listener_groups(history: csr_matrix, asked: Ints) -> dict[str, Mask]:
    """Thirds of those asked, by how mainstream they are: bool [asked] each."""
    heard = (history > 0).astype(np.float64)
    weight = np.log2(1.0 + listeners_of(history))
    mean = (heard @ weight)[asked] / np.diff(history.indptr)[asked]
    return _thirds(mean, LISTENER_GROUPS)


def activity_groups(history: csr_matrix, asked: Ints) -> dict[str, Mask]:
    """Thirds of those asked, by how many tracks they heard: bool [asked] each."""
    return _thirds(np.diff(history.indptr)[asked].astype(np.float64), ACTIVITY_GROUPS)


def given_groups(
    table: pa.Table, users: Sequence[str], smallest: int = SMALLEST_GROUP
) -> tuple[dict[str, Mask], int]:
    """Groups of listeners by the columns of a table: bool [users] each, "column: value".

    table: user_id, a row a listener, and one or more columns of texts or numbers. Who is not in it
    has no group. Values of too few listeners are one, "other groups", which takes in the smallest
    others until it is large enough; where that leaves one group of a column, it has none. Gives
    the groups, and how many values were put together. Raises QueryError for tables of other forms.
    """
    columns = [name for name in table.column_names if name != "user_id"]
    if "user_id" not in table.column_names or not columns:
        raise QueryError(
            "a table of groups of listeners has the column user_id and one or more others, not "
            f"{short(', '.join(table.column_names))}"
        )
    ids = table["user_id"].cast(pa.string())
    if pc.count_distinct(ids).as_py() < table.num_rows:
        raise QueryError("a listener is in two rows of the table of groups: keep one row of each")
    places = pc.index_in(pa.array(users, pa.string()), value_set=ids).to_pylist()
    if not any(place is not None for place in places):
        raise QueryError(
            "no user_id of the table of groups is among the listeners: give their ids as the "
            "listens have them, which `musicu listens` makes pseudonyms"
        )
    found: dict[str, Mask] = {}
    hidden = 0
    for column in columns:
        cells = table[column].to_pylist()
        values = [None if place is None else cells[place] for place in places]
        groups, few = _by_value(np.array([_text(v) for v in values], object), smallest)
        found |= {f"{column}: {name}": mask for name, mask in groups.items()}
        hidden += few
    return found, hidden


def _by_value(values: NDArray[np.object_], smallest: int) -> tuple[dict[str, Mask], int]:
    known = [value for value in values.tolist() if value is not None]
    names, sizes = np.unique(np.array(known, object), return_counts=True)
    order = np.argsort(sizes, kind="stable")
    small = int((sizes < smallest).sum())
    small = max(small, max(0, len(names) - MOST_GROUPS))
    if small:
        while small < len(names) and sizes[order[:small]].sum() < smallest:
            small += 1
    if small >= len(names):
        return {}, small
    large = [names[place] for place in sorted(order[small:].tolist())]
    groups = {str(name): values == name for name in large}
    if small:
        groups[OTHER] = np.isin(values, names[order[:small]])
    return groups, small


def _text(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def _thirds(values: Floats, names: tuple[str, str, str]) -> dict[str, Mask]:
    place = np.empty(len(values), dtype=np.int64)
    place[np.argsort(values, kind="stable")] = np.arange(len(values))
    third = place * 3 // max(len(values), 1)
    return {name: third == number for number, name in enumerate(names)}
