"""Candidates and continuations for one listener, from a generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from musicu.candidates import (
    CandidateGenerator,
    CandidateSource,
    Constraints,
    ForYou,
    ItemTable,
    NextItem,
    TasteProfile,
    UserProfile,
)
from musicu.errors import QueryError
from musicu.records import Vectors
from musicu.retrieval import similar_to_vector
from musicu.serving.generation import Generation, public
from musicu.serving.listener_pages import shared_page
from musicu.serving.listener_states import present, taste_of

if TYPE_CHECKING:
    from musicu.serving.service import Service

_HISTORY = 100  # a listener's last plays
_NEAR = 5  # of a session, whose middle is searched from

Items = list[dict[str, Any]]


def candidates_for(service: Service, generation: Generation, user: str, k: int) -> Items:
    """A listener's candidates, the best first; those of anybody where nothing is known.

    user: a pseudonym.
    """
    items = generation.base.items
    _, events = service.states.events(user)
    if items is None or not events:
        return _for_anybody(generation, k)
    taste, _ = taste_of(events, items, present())
    if not taste.interests:
        return _for_anybody(generation, k)
    found = _generated(items, ForYou(), taste, k)
    fresh = _fresh_items(generation, items, taste)
    if fresh is not None:
        among = np.flatnonzero(np.isin(fresh.ids, [t.track_id for t in generation.fresh]))
        found += _generated(fresh, ForYou(), taste, k, among)
    return sorted(found, key=lambda each: -each["score"])[:k]


def next_for(
    service: Service, generation: Generation, user: str | None, session: Sequence[str], k: int
) -> tuple[str, Items]:
    """How it was found, and what may follow a session, or else what a listener played last.

    Raises QueryError where neither holds a track of the catalog.
    """
    items = generation.base.items
    if user is not None and not session:
        _, events = service.states.events(user)
        session = [event.track_id for event in events if event.kind == "played"][-_HISTORY:]
    known = [name for name in session if generation.vector(name) is not None]
    if not known or items is None:
        raise QueryError(
            "nothing to go on from: give ids of the catalog in `after`, or a user who played"
        )
    model = generation.base.next_model
    own = [name for name in known if items.rows_of([name])[0] >= 0]
    if model is not None and own:
        taste = TasteProfile.from_seeds(list(dict.fromkeys(own)), items.vectors)
        source = NextItem(model, tuple(own))
        return "next-model", _generated(items, source, taste, k, heard=model.settings.repeats)
    vectors = [generation.vector(name) for name in known[-_NEAR:]]
    middle = np.mean(np.array([v for v in vectors if v is not None]), axis=0)
    near = similar_to_vector(
        generation.base.catalog, middle, k, model=generation.base.model, exclude=known
    )
    rows = generation.base.rows(near["track_id"].to_pylist())
    scores = near["score"].to_pylist()
    return "nearest", [
        {**public(row), "score": score, "reason": "like what was just played"}
        for row, score in zip(rows, scores, strict=True)
    ]


def _generated(
    items: ItemTable,
    source: CandidateSource,
    taste: TasteProfile,
    k: int,
    among: np.ndarray[Any, np.dtype[np.int64]] | None = None,
    *,
    heard: bool = False,
) -> Items:
    """What the generator finds, with what is shown of the tracks."""
    rules = replace(Constraints(), heard=heard)
    generator = CandidateGenerator.of(items, [source], k, rules, present())
    found = pa.concat_tables(generator.find([UserProfile("", taste)], among)).to_pylist()
    rows = items.tracks_at(items.rows_of([row["track_id"] for row in found])).to_pylist()
    return [
        {**public(row), "score": each["score"], "source": source.name, "reason": each["reason"]}
        for row, each in zip(rows, found, strict=True)
    ]


def _fresh_items(generation: Generation, items: ItemTable, taste: TasteProfile) -> ItemTable | None:
    """What has come in, beside what the listener likes, which it is compared with."""
    fresh = {t.track_id: t for t in generation.fresh if t.vector is not None}
    if not fresh:
        return None
    rows = items.rows_of(taste.history.ids.tolist())
    own = items.take(np.unique(rows[rows >= 0]))
    table = pa.Table.from_pylist([t.row for t in fresh.values()], schema=items.tracks.schema)
    ids = np.asarray([*own.ids.tolist(), *fresh], object)
    values = np.concatenate([own.values, np.array([t.vector for t in fresh.values()])])
    vectors = Vectors(ids, values, items.model, items.fingerprint, items.of_sound)
    return ItemTable(pa.concat_tables([own.tracks, table]), vectors)


def _for_anybody(generation: Generation, k: int) -> Items:
    """New releases and the regions in turn."""
    shared = shared_page(generation.base)
    fresh = [{**public(t.row), "score": 0.0, "source": "new", "reason": "just added"}
             for t in generation.fresh]  # fmt: skip
    in_turn = chain.from_iterable(zip_longest(*(each.shelf for each in shared.shelves)))
    found = [
        {
            **public(dict(item.row)),
            "score": float(item.score),
            "source": "catalog",
            "reason": item.reason,
        }
        for item in in_turn
        if item is not None
    ]
    unique = {each["track_id"]: each for each in (*fresh, *found)}
    return list(unique.values())[:k]
