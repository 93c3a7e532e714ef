"""Listeners that are made up, with a taste that is known: for tests of mechanics, not for claims.

A simulated listener likes a few groups of tracks (a genre, an artist, a cluster: whatever the
caller gives) in known shares, plays tracks of them at random over some months, and skips others.
Nothing here says how people listen; what it shows is whether a profile finds the groups again and
whether candidates come from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from musicu.errors import QueryError
from musicu.listening.listens import LISTENS


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedListeners:
    """Made listeners and what they like.

    listens: the columns of LISTENS. tastes: user id → group → share, the truth behind them.
    """

    listens: pa.Table
    tastes: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Habits:
    """How simulated listeners behave.

    groups_each: how many groups one likes. listens_each: how often one plays. days: over how many
    days before now. skip_share: of further listens that are skips of tracks of other groups.
    """

    groups_each: int = 3
    listens_each: int = 60
    days: int = 180
    skip_share: float = 0.1


def simulate_listeners(
    groups: Mapping[str, Sequence[str]],
    count: int,
    now: datetime,
    rng: np.random.Generator,
    habits: Habits | None = None,
) -> SimulatedListeners:
    """Make listeners of the tracks in `groups`, by group.

    Raises QueryError where there are fewer groups than one listener likes.
    """
    habits = habits or Habits()
    names = sorted(name for name, tracks in groups.items() if len(tracks))
    if len(names) < habits.groups_each:
        raise QueryError(
            f"there are {len(names)} groups and a listener likes {habits.groups_each}: "
            "give more groups"
        )
    tastes: dict[str, dict[str, float]] = {}
    rows: list[tuple[object, ...]] = []
    for number in range(count):
        user = f"simulated-{number:05d}"
        liked = rng.choice(names, habits.groups_each, replace=False).tolist()
        shares = rng.dirichlet(np.full(len(liked), 5.0))
        tastes[user] = dict(zip(liked, shares.tolist(), strict=True))
        others = sorted(set(groups) - set(liked))
        skips = round(habits.skip_share * habits.listens_each) if others else 0
        chosen = rng.choice(liked, habits.listens_each, p=shares).tolist()
        chosen += rng.choice(others, skips).tolist() if skips else []
        for place, group in enumerate(chosen):
            when = now - timedelta(days=float(rng.uniform(0, habits.days)))
            track = groups[group][int(rng.integers(len(groups[group])))]
            weight = 1.0 if place < habits.listens_each else -1.0
            rows.append((user, track, when, weight, "simulated"))
    records = [dict(zip(LISTENS.names, row, strict=True)) for row in rows]
    return SimulatedListeners(pa.Table.from_pylist(records, schema=LISTENS), tastes)
