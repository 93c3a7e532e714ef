"""Candidates for listeners, by one call."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import starmap

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.candidates.candidate_schema import CANDIDATES, with_floor_counts
from musicu.candidates.generator import CandidateGenerator, Sources
from musicu.catalog.catalog import Catalog
from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.ingest.playlist_tables import listeners_of
from musicu.items.constraints import Constraints
from musicu.items.exposure_floors import FloorWarning
from musicu.items.item_table import ItemTable
from musicu.listening.listens import check_listens
from musicu.listening.profile_arrays import UserProfile
from musicu.listening.profiles import TasteProfile, tastes
from musicu.ranking.ranker import Ranker


def find_candidates(
    catalog: Catalog | ItemTable,
    listeners: Mapping[str, TasteProfile] | TableLike,
    sources: Sources,
    *,
    k: int = 100,
    constraints: Constraints | None = None,
    now: datetime | None = None,
    seed: int = 0,
    model: str | None = None,
    ranker: Ranker | str | None = None,
) -> pa.Table:
    """Candidates for each listener: the columns of CANDIDATES, at most k rows a listener.

    catalog: a catalog, or its item table (which knows the listens of each track). listeners: their
    listens or playlists as a table, which is checked, and a warning counts what is left out; or
    profiles by user id. sources: each alone or with a share, up to 1, as
    [NewReleases(), (DeepCatalog(), 0.5)]. What one source cannot give, the others do. ranker: one
    for all sources, or its name; None: the one that each source names.

        find_candidates(catalog, plays, [ForYou()], k=20)

    The same question gives the same table, and each listener's rows depend on no other listener,
    but for exposure floors (`Constraints.floors`), which some hundred listeners meet together. What
    those did is told by `floor_counts(table)`, and a warning says where a share was not reached.
    Raises QueryError for settings that make no sense.
    """
    items = catalog if isinstance(catalog, ItemTable) else ItemTable.of(catalog, model)
    opened = None if isinstance(catalog, ItemTable) else catalog
    generator = CandidateGenerator.of(items, sources, k, constraints, now, seed, ranker, opened)
    profiles: Iterable[UserProfile]
    if isinstance(listeners, Mapping):
        profiles = _profiles(listeners)
    else:
        profiles = _listening(listeners, generator, count=items is not catalog)
    found = list(generator.find(profiles))
    if not found:
        return CANDIDATES.empty_table()
    for count in generator.floor_counts:
        if not count.reached:
            warnings.warn(count.words(), FloorWarning, stacklevel=2)
    return with_floor_counts(pa.concat_tables(found), generator.floor_counts)


def _profiles(tastes: Mapping[str, TasteProfile]) -> list[UserProfile]:
    for user_id, taste in tastes.items():
        if not isinstance(taste, TasteProfile):
            raise QueryError(f"the profile of {user_id!r} is {taste!r}: give a TasteProfile")
    return [UserProfile(str(user_id), taste) for user_id, taste in tastes.items()]


def _listening(
    table: TableLike, generator: CandidateGenerator, *, count: bool
) -> Iterator[UserProfile]:
    """The listeners of a table; the listens of each track are counted where nobody did before."""
    items = generator.items
    listens = listeners_of(as_table(table, "the listeners"))
    checked = check_listens(listens, items.id_texts, now=generator.now)
    for sentence in checked.warnings():
        warnings.warn(sentence, stacklevel=3)
    if count:
        liked = checked.listens.filter(pc.greater(checked.listens["weight"], 0))
        rows = items.rows_of(liked["track_id"].to_pylist())
        items.plays += np.bincount(rows, minlength=len(items))
    return starmap(UserProfile, tastes(checked.listens, items.vectors, now=generator.now))
