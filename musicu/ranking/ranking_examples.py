"""From exposures, outcomes and listens to lists that a ranker can learn from.

Features of a list are those of the day it was shown on: a listener's taste is made of what they
listened to before. Popularity is counted up to the first exposure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.listening.listens import LISTENS, check_listens
from musicu.listening.profile_arrays import ProfileArrays, UserProfile
from musicu.listening.profiles import TasteProfile, tastes
from musicu.ranking.examination import Places
from musicu.ranking.ranker import Pool
from musicu.ranking.ranking_features import FEATURES, FeatureMaker, Shown
from musicu.rewards import RewardTerm, reward_table

Doubles = NDArray[np.float64]

_MOMENTS = 60  # days, or longer spans of days, for which tastes are made
_PRIOR = 20.0  # exposures that the rate of a shelf or source is shrunk by
_NEEDED = ("exposure_id", "page_id", "shelf", "shelf_position", "item_position", "track_id",
           "user_id", "propensity", "context", "shown_at")  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ShownLists:
    """Lists that were shown, their rows together.

    features: float32 [rows, FEATURES]. reward: float64 [rows]. places: of the rows. sizes: int64
    [lists]. at: float64 [lists], seconds since 1970. user: int64 [lists].
    """

    features: Floats
    reward: Doubles
    places: Places
    sizes: Ints
    at: Doubles
    user: Ints
    rates: dict[str, float]
    left_out: int

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def rewarded(self) -> int:
        """How many lists earned anything."""
        owner = np.repeat(np.arange(len(self)), self.sizes)
        return int(np.count_nonzero(np.bincount(owner, self.reward > 0, len(self))))


def shown_lists(
    items: ItemTable,
    exposures: TableLike,
    outcomes: TableLike,
    listens: TableLike | None,
    maker: FeatureMaker,
    terms: Sequence[RewardTerm] | None = None,
) -> ShownLists:
    """The lists of a log; tracks that have no vector are left out, and counted.

    Raises QueryError where a table lacks a column, or nothing of it can be used.
    """
    table = as_table(exposures, "the exposures")
    missing = [name for name in _NEEDED if name not in table.column_names]
    if missing:
        raise QueryError(
            f"the exposures have no column {missing[0]!r}: give EXPOSURES, as `musicu feedback "
            "export` writes them"
        )
    if not table.num_rows:
        raise QueryError(
            "there are no exposures yet: import a log with `musicu feedback import`, or serve "
            "pages with `musicu serve`"
        )
    rows = items.rows_of(table["track_id"].to_pylist())
    known = np.flatnonzero(rows >= 0)
    left_out = table.num_rows - len(known)
    table, rows = table.take(pa.array(known)), rows[known]
    if not len(rows):
        raise QueryError("no exposure is of a track with a vector: there is nothing to learn from")
    table = table.append_column("row", pa.array(rows))
    order = [(n, "ascending") for n in ("shown_at", "page_id", "shelf_position", "shelf")]
    table = table.sort_by([*order, ("item_position", "ascending")])
    reward = _rewards(table, outcomes, terms, items)
    places = _places(table, np.maximum(reward, 0) > 0)
    begins = _begins(places)
    sizes = np.diff(np.append(np.flatnonzero(begins), len(begins)))
    heard = _listens(listens, outcomes, items)
    source = _context(table)
    rates = _rates(table["shelf"].to_pylist(), "shelf", reward)
    rates |= _rates([name for name, _ in source], "source", reward)
    maker = replace(maker, rates=rates)
    at = table["shown_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy() / 1e6
    features = _features(items, table, heard, maker, at, source)
    first = np.flatnonzero(begins)
    return ShownLists(
        features, reward, places, sizes, at[first], places.user[first], rates, left_out
    )


def _rewards(
    table: pa.Table, outcomes: TableLike, terms: Sequence[RewardTerm] | None, items: ItemTable
) -> Doubles:
    durations = None
    if "duration_seconds" in items.tracks.column_names:
        seconds = items.tracks["duration_seconds"].to_pylist()
        durations = dict(zip(items.ids.tolist(), seconds, strict=True))
    rewards = reward_table(outcomes, terms, durations)
    rewards = rewards.filter(pc.is_valid(rewards["exposure_id"]))
    place = pc.index_in(table["exposure_id"], value_set=rewards["exposure_id"].combine_chunks())
    found = pc.fill_null(rewards["reward"].take(place), 0.0)
    return np.asarray(found.to_numpy(), np.float64)


def _places(table: pa.Table, earned: NDArray[np.bool_]) -> Places:
    codes = {
        name: pc.rank(table[name], tiebreaker="dense").to_numpy().astype(np.int64) - 1
        for name in ("user_id", "track_id", "shelf", "page_id")
    }
    propensity = pc.fill_null(table["propensity"].cast(pa.float64()), np.nan).to_numpy()
    return Places(
        table["shelf_position"].to_numpy().astype(np.int64),
        table["item_position"].to_numpy().astype(np.int64),
        earned.astype(np.float64),
        codes["user_id"],
        codes["track_id"],
        codes["shelf"],
        codes["page_id"],
        np.asarray(propensity, np.float64),
    )


def _begins(places: Places) -> NDArray[np.bool_]:
    """Where a list begins."""
    changed = np.zeros(len(places.row), bool)
    changed[:1] = True
    for codes in (places.page, places.shelf, places.row):
        changed[1:] |= np.diff(codes) != 0
    return changed


def _listens(listens: TableLike | None, outcomes: TableLike, items: ItemTable) -> pa.Table:
    """What was heard: the listens, or where none are given the plays and skips of outcomes."""
    if listens is not None:
        now = datetime.now(timezone.utc)
        return check_listens(as_table(listens, "the listens"), items.id_texts, now=now).listens
    table = as_table(outcomes, "the outcomes")
    kinds = pc.is_in(table["kind"], pa.array(["played", "skipped"]))
    table = table.filter(kinds)
    weight = pc.if_else(pc.equal(table["kind"], "played"), 1.0, -1.0)
    columns = {
        "user_id": table["user_id"],
        "track_id": table["track_id"],
        "timestamp": table["at"],
        "weight": weight,
        "context": pa.nulls(table.num_rows, pa.string()),
    }
    return pa.table([columns[field.name].cast(field.type) for field in LISTENS], schema=LISTENS)


def _context(table: pa.Table) -> list[tuple[str, float]]:
    """The source of each exposure and its score there, where the context says them."""
    known: dict[str | None, tuple[str, float]] = {None: ("", np.nan)}
    found = []
    for text in table["context"].to_pylist():
        if text not in known:
            known[text] = _source_of(text)
        found.append(known[text])
    return found


def _source_of(text: str) -> tuple[str, float]:
    try:
        told = json.loads(text)
    except ValueError:
        return "", np.nan
    if not isinstance(told, dict):
        return "", np.nan
    score = told.get("source_score")
    number = float(score) if isinstance(score, int | float) else np.nan
    return str(told.get("source") or ""), number


def _rates(names: Sequence[str], kind: str, reward: Doubles) -> dict[str, float]:
    """What a track earned by shelf or source, shrunk to what all did."""
    each, code = np.unique(np.array(names, str), return_inverse=True)
    count, total = np.bincount(code), np.bincount(code, reward)
    rate = (total + _PRIOR * reward.mean()) / (count + _PRIOR)
    return {
        f"{kind}:{name}": float(value)
        for name, value in zip(each.tolist(), rate, strict=True)
        if name
    }


def _features(
    items: ItemTable,
    table: pa.Table,
    listens: pa.Table,
    maker: FeatureMaker,
    at: Doubles,
    source: Sequence[tuple[str, float]],
) -> Floats:
    users = np.array(table["user_id"].to_pylist(), object)
    rows = table["row"].to_numpy()
    score = np.array([value for _, value in source], np.float32)
    before = pc.less(listens["timestamp"], pa.scalar(_moment(float(at.min()))))
    early = items.rows_of(listens.filter(before)["track_id"].to_pylist())
    if len(early):
        items = items.with_plays(np.bincount(early[early >= 0], minlength=len(items)))
        maker = replace(maker, items=items)
    made = np.empty((len(rows), len(FEATURES)), np.float32)
    for moment, part in _by_moment(at):
        names = sorted(set(users[part].tolist()))
        known = pc.and_(
            pc.less(listens["timestamp"], pa.scalar(_moment(moment))),
            pc.is_in(listens["user_id"], pa.array(names)),
        )
        profiles = ProfileArrays.of(items, _profiles(names, listens.filter(known), items, moment))
        number = {name: n for n, name in enumerate(names)}
        listener = np.array([number[name] for name in users[part]])
        order = np.argsort(listener, kind="stable")
        part = part[order]
        nothing = np.full(len(part), -1, np.int32)
        pool = Pool(profiles, listener[order], rows[part], nothing, score[part])
        made[part] = maker.features(pool, Shown(at=_moment(moment)))
    column = {name: n for n, name in enumerate(FEATURES)}
    made[:, column["hour"]] = at // 3600 % 24
    made[:, column["weekend"]] = (at // 86_400 + 3) % 7 >= 5  # 1970 began on a Thursday
    shelf = [f"shelf:{name}" for name in table["shelf"].to_pylist()]
    made[:, column["shelf_rate"]] = [maker.rates.get(name, np.nan) for name in shelf]
    made[:, column["source_rate"]] = [
        maker.rates.get(f"source:{name}", np.nan) for name, _ in source
    ]
    return made


def _by_moment(at: Doubles) -> Iterator[tuple[float, Ints]]:
    """The exposures of each day, or span of days, and its beginning."""
    day = (at // 86_400).astype(np.int64)
    span = 1 + (int(day.max()) - int(day.min())) // _MOMENTS
    block = (day - day.min()) // span
    for number in np.unique(block).tolist():
        yield float((day.min() + number * span) * 86_400), np.flatnonzero(block == number)


def _profiles(
    names: list[str], listens: pa.Table, items: ItemTable, moment: float
) -> list[UserProfile]:
    now = _moment(moment)
    known: dict[str, TasteProfile] = dict(tastes(listens, items.vectors, now=now))
    empty = TasteProfile.empty(now)
    return [UserProfile(name, known.get(name, empty)) for name in names]


def _moment(seconds: float) -> Any:
    return datetime.fromtimestamp(seconds, timezone.utc)
