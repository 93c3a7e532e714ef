"""What a listener likes: several interests, what was skipped, what was heard.

After PinnerSage (Pal et al., KDD 2020): a listener is not one average but several interests, each
a Ward cluster of what was played, with a medoid to search from and an importance, the sum of its
listens faded with age. Its decay of 0.01 a day is a half-life of 69 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike
from musicu.ingest.playlist_tables import PLAYLIST
from musicu.listening.history import History, histories
from musicu.listening.interest_clusters import APART, clusters_of
from musicu.listening.listens import LISTENS, listens_table
from musicu.records import Vectors, check_count, check_kind, check_same_model, id_list

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

HALF_LIFE_DAYS = 69.0
MAX_INTERESTS = 5

_TINY = np.finfo(float).tiny
_LEAST = 0.1  # what skips leave of an interest's importance


@dataclass(frozen=True, slots=True, eq=False)
class Interest:
    """One thing that a listener likes.

    medoid: the track that stands for it. importance: its share of what is played, in (0, 1];
    those of a listener sum to 1. centroid: the mean of its tracks' vectors, float32 [dim], each
    weighing log(1 + weight / mean weight); the more alike they are, the nearer to 1 is its length.
    track_ids: the tracks that make it, those that weigh most first.
    """

    medoid: str
    importance: float
    centroid: NDArray[np.float32] = field(repr=False)
    track_ids: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TasteOptions:
    """How a taste is made of a history.

    max_interests: how many at most. max_tracks: how many of the tracks that weigh most are
    clustered. apart: up to which Ward distance tracks are one interest (`clusters.APART`).
    """

    max_interests: int = MAX_INTERESTS
    max_tracks: int = 200
    apart: float = APART

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name in ("max_interests", "max_tracks"):
            check_count(name, getattr(self, name))


@dataclass(frozen=True, eq=False)
class TasteProfile:
    """One listener's taste at a moment.

    interests: the most important first; none where nothing played has a vector.
    mean: the direction of the mean of all their tracks, float32 [dim], unit length, each track
        weighing log(1 + weight / mean weight); of length 0 where there are no interests.
    negatives: ids of the tracks whose skips outweigh their listens. An interest loses importance
        by them, in the measure in which they resemble it, down to a tenth.
    history: what the taste was made of, and all that `updated` needs.
    model, fingerprint: whose vectors it was made with; another model's raise ModelError.
    """

    interests: tuple[Interest, ...]
    mean: NDArray[np.float32] = field(repr=False)
    negatives: tuple[str, ...]
    history: History = field(repr=False)
    options: TasteOptions = field(default_factory=TasteOptions)
    model: str = ""
    fingerprint: str = ""

    @classmethod
    def from_listens(
        cls,
        listens: TableLike,
        vectors: Vectors,
        *,
        now: datetime | None = None,
        half_life_days: float = HALF_LIFE_DAYS,
        max_interests: int = MAX_INTERESTS,
    ) -> TasteProfile:
        """The taste in one listener's listens (the columns of `listens.LISTENS`) at `now`.

        Raises QueryError where the listens are several listeners' or lack a column.
        """
        history = History.of(listens_table(listens), _now(now), half_life_days)
        return _profile(history, vectors, TasteOptions(max_interests))

    @classmethod
    def from_history(
        cls, history: History, vectors: Vectors, rows: NDArray[np.int64]
    ) -> TasteProfile:
        """The taste in a history whose tracks are looked up already.

        rows: int64 [tracks], the row of each among the vectors, -1 where it has none.
        """
        return _taste(history, rows, vectors, TasteOptions())

    @classmethod
    def from_seeds(
        cls,
        track_ids: Any,
        vectors: Vectors,
        *,
        now: datetime | None = None,
        half_life_days: float = HALF_LIFE_DAYS,
        max_interests: int = MAX_INTERESTS,
    ) -> TasteProfile:
        """The taste of somebody new who names a few tracks; listens can be added later.

        Raises QueryError where a track has no vector.
        """
        seeds, known = id_list(track_ids), set(vectors.ids.tolist())
        unknown = [name for name in seeds if name not in known]
        if unknown or not seeds:
            what = f"the seed {unknown[0]!r} has no vector" if unknown else "there is no seed"
            raise QueryError(f"{what}: name tracks of the catalog that are embedded")
        seed = {"user_id": "", "weight": 1.0, "context": PLAYLIST}
        rows = [{**seed, "track_id": name} for name in seeds]
        listens = pa.Table.from_pylist(rows, schema=LISTENS)
        history = History.of(listens, _now(now), half_life_days)
        return _profile(history, vectors, TasteOptions(max_interests))

    @classmethod
    def empty(
        cls,
        now: datetime | None = None,
        half_life_days: float = HALF_LIFE_DAYS,
        options: TasteOptions | None = None,
    ) -> TasteProfile:
        """The taste of somebody of whom nothing is known yet."""
        history = History.of(LISTENS.empty_table(), _now(now), half_life_days)
        return cls((), np.empty(0, np.float32), (), history, options or TasteOptions())

    @cached_property
    def heard(self) -> frozenset[str]:
        """The ids of all tracks listened to, skipped or given as seeds."""
        return frozenset(self.history.ids)

    def updated(
        self, listens: TableLike, vectors: Vectors, *, now: datetime | None = None
    ) -> TasteProfile:
        """The taste with more of the same listener's listens: as if made of all at once.

        A moment before that of the taste itself counts as that one.
        """
        check_same_model(vectors, self, "the taste")
        new = History.of(listens_table(listens), _now(now), self.history.half_life_days)
        return _profile(self.history.plus(new), vectors, self.options)

    def describe(self, catalog: Catalog) -> str:
        """What the taste holds, in words: a line an interest, then skips and what was heard."""
        from musicu.listening.profile_text import describe

        return describe(self, catalog.tracks(gone=True))


def tastes(
    listens: TableLike,
    vectors: Vectors,
    *,
    now: datetime | None = None,
    half_life_days: float = HALF_LIFE_DAYS,
    options: TasteOptions | None = None,
) -> Iterator[tuple[str, TasteProfile]]:
    """Each listener's id and taste, by id: the same as `from_listens` for each alone."""
    check_kind("vectors", vectors, Vectors, "catalog.vectors()")
    table = listens_table(listens)
    rows: NDArray[np.int64] | None = None
    for user_id, history in histories(table, _now(now), half_life_days):
        if rows is None:  # all histories are of one table of names
            rows = _rows_of(history.names, vectors)
        yield user_id, _taste(history, rows[history.place], vectors, options or TasteOptions())


def _profile(history: History, vectors: Vectors, options: TasteOptions) -> TasteProfile:
    check_kind("vectors", vectors, Vectors, "catalog.vectors()")
    return _taste(history, _rows_of(history.ids, vectors), vectors, options)


def _rows_of(names: NDArray[np.object_], vectors: Vectors) -> NDArray[np.int64]:
    """The row of each id among the vectors: int64 [names], -1 where it has none."""
    ids = pa.array(names, pa.string())
    found = pc.fill_null(pc.index_in(pa.array(vectors.ids, pa.string()), value_set=ids), -1)
    places = found.to_numpy()
    rows = np.full(len(names), -1, np.int64)
    rows[places[places >= 0]] = np.flatnonzero(places >= 0)
    return rows


def _taste(
    history: History, places: NDArray[np.int64], vectors: Vectors, options: TasteOptions
) -> TasteProfile:
    """The taste; `places` are the rows of the history's tracks among the vectors, -1 for none."""
    weights = history.weights
    liked = np.flatnonzero((weights > 0) & (places >= 0))
    liked = liked[np.argsort(-weights[liked], kind="stable")][: options.max_tracks]
    liked.sort()
    if not np.isfinite(vectors.values[places[liked]]).all():
        raise QueryError("a vector has numbers that are not finite: leave its track out")
    skipped = np.flatnonzero(weights < 0)
    values, loads = vectors.values[places[liked]], weights[liked]
    clusters = clusters_of(values, loads, options.max_interests, options.apart)
    middles = values[[cluster.medoid for cluster in clusters]]
    known = skipped[places[skipped] >= 0]
    shares = _shares(
        np.array([cluster.weight for cluster in clusters]),
        middles,
        vectors.values[places[known]],
        -weights[known],
    )
    names = history.ids[liked]
    # A favourite counts more, and not for everything; by however much all of it has faded.
    damped = np.log1p(loads / max(loads.mean(), _TINY)).astype(np.float32) if len(loads) else loads
    interests = tuple(
        Interest(
            str(names[cluster.medoid]),
            float(shares[n]),
            np.average(values[cluster.rows], axis=0, weights=damped[cluster.rows]),
            tuple(names[cluster.rows]),
        )
        for n in np.argsort(-shares, kind="stable")
        for cluster in [clusters[n]]
    )
    negatives = tuple(history.ids[skipped])
    return TasteProfile(
        interests,
        _direction(damped.astype(np.float32) @ values),
        negatives,
        history,
        options,
        vectors.model,
        vectors.fingerprint,
    )


def _direction(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at unit length; of length 0 where it has no direction."""
    length = float(np.linalg.norm(vector))
    found: NDArray[np.float32] = vector / np.float32(length) if length > 1e-6 else vector[:0]
    return found


def _shares(
    loads: NDArray[np.float64],
    centres: NDArray[np.float32],
    skipped: NDArray[np.float32],
    skips: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Importances that sum to 1, less what skips of tracks like the medoid take from them."""
    if len(loads) and len(skips):
        likeness = np.maximum(skipped @ centres.T, 0)  # [skipped, interests]
        nearest = likeness.argmax(axis=1)
        lost = np.bincount(nearest, skips * likeness.max(axis=1), len(loads))
        loads = np.maximum(loads - lost, _LEAST * loads)
    shares: NDArray[np.float64] = loads / max(loads.sum(), _TINY)
    return shares


def _now(now: datetime | None) -> datetime:
    return now if now is not None else datetime.now(timezone.utc)
