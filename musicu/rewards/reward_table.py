"""From outcomes to rewards: a row for each exposure, or for each outcome that has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike
from musicu.listening.feedback.feedback_schemas import typed_outcomes
from musicu.records import short
from musicu.rewards.reward_terms import RewardTerm, reward_terms
from musicu.rewards.skip_kinds import skip_kinds

Floats = NDArray[np.float64]

_DAY_US = 86_400_000_000
_PRIOR = 10.0  # outcomes that a listener's own rate is shrunk by


def reward_table(
    outcomes: TableLike,
    terms: Sequence[RewardTerm] | None = None,
    durations: Mapping[str, float] | None = None,
) -> pa.Table:
    """The rewards of outcomes: a column a term, and their sum as `reward`.

    outcomes: OUTCOMES, of any library or a file. terms: musicu's own by default, those of
    `reward_terms()`. durations: seconds by track id (a dictionary or a pandas Series), for what is
    said in shares of a length; a track of unknown or no length does not count there.
    Gives exposure_id, user_id, track_id, at (of the first outcome), float64 columns by the names
    of the terms, and reward. A listener's several outcomes with one exposure are one row, and a
    term counts once in it. Raises QueryError for a missing column, and for what are no terms.
    """
    terms = reward_terms() if terms is None else terms
    if not isinstance(terms, list | tuple) or not all(isinstance(t, RewardTerm) for t in terms):
        raise QueryError(f"terms are {short(terms)}: give a list of RewardTerm, as reward_terms()")
    if len({term.name for term in terms}) < len(terms):
        raise QueryError("two terms have one name: name each once")
    table = typed_outcomes(outcomes)
    table = table.take(pc.sort_indices(table, [("at", "ascending")]))
    lengths = _lengths(durations)
    columns = {term.name: _worth(table, term, lengths) for term in terms}
    whole = table.select(["exposure_id", "user_id", "track_id", "at"])
    single = pc.if_else(pc.is_valid(table["exposure_id"]), None, table["event_id"])
    for name, values in columns.items():
        whole = whole.append_column(name, pa.array(values))
    keys = ["exposure_id", "single", "user_id", "track_id"]
    parts = [(name, "min" if term.value < 0 else "max") for name, term in _named(terms)]
    found = (
        whole.append_column("single", single.cast(pa.string()))
        .group_by(keys, use_threads=False)
        .aggregate([("at", "min"), *parts])
    )
    rows = {
        **{name: found[name] for name in ("exposure_id", "user_id", "track_id")},
        "at": found["at_min"],
        **{name: found[f"{name}_{how}"] for name, how in parts},
    }
    total = sum((rows[term.name].to_numpy() for term in terms), np.zeros(found.num_rows))
    return pa.table({**rows, "reward": total})


def _lengths(durations: Mapping[str, float] | None) -> dict[str, float]:
    """Seconds by track id, without lengths that are missing or not above 0."""
    if durations is None:
        return {}
    if not hasattr(durations, "items") or hasattr(durations, "columns"):
        raise QueryError(f"durations are {short(durations)}: give seconds by track id")
    known = {str(name): seconds for name, seconds in durations.items() if seconds is not None}
    wrong = [seconds for seconds in known.values() if not isinstance(seconds, Real)]
    if wrong:
        raise QueryError(f"a duration is {wrong[0]!r}: give seconds")
    return {name: float(seconds) for name, seconds in known.items() if seconds > 0}


def _named(terms: Sequence[RewardTerm]) -> list[tuple[str, RewardTerm]]:
    return [(term.name, term) for term in terms]


def _worth(outcomes: pa.Table, term: RewardTerm, durations: Mapping[str, float]) -> Floats:
    counts = _counts(outcomes, term, durations)
    worth = np.where(counts, term.value, 0.0)
    if term.baseline == "listener":
        kind = pc.is_in(outcomes["kind"], pa.array(["played", "skipped"]))
        usual = _own_rate(outcomes, counts, kind.to_numpy(zero_copy_only=False))
        worth = np.where(counts, term.value * (1 - usual), 0.0)
    return np.asarray(worth)


def _counts(
    outcomes: pa.Table, term: RewardTerm, durations: Mapping[str, float]
) -> NDArray[np.bool_]:
    """Which outcomes a term is about."""
    found = pc.is_in(outcomes["kind"], pa.array(list(term.kinds)))
    listened = outcomes["milliseconds"]
    if term.at_least_ms is not None:
        instant = pc.is_in(outcomes["kind"], pa.array(["returned"]))
        found = pc.and_(found, pc.or_(instant, pc.greater_equal(listened, term.at_least_ms)))
    if term.at_most_ms is not None:
        found = pc.and_(found, pc.less_equal(listened, term.at_most_ms))
    if term.skips:
        found = pc.and_(found, pc.is_in(skip_kinds(outcomes), pa.array(list(term.skips))))
    mask = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    if term.at_least_share is not None:
        lengths = np.array([durations.get(t, np.nan) for t in outcomes["track_id"].to_pylist()])
        share = pc.fill_null(listened, 0).to_numpy() / (1000 * lengths)
        mask = mask & (share >= term.at_least_share)
    if term.within_days is not None:
        days = _days_since_first(outcomes)
        mask = mask & (days >= 1) & (days <= term.within_days)
    return np.asarray(mask)


def _days_since_first(outcomes: pa.Table) -> NDArray[np.int64]:
    """Whole days, by the calendar in UTC, since the listener's first outcome with the track."""
    first = outcomes.group_by(["user_id", "track_id"]).aggregate([("at", "min")])
    rows = outcomes.select(["user_id", "track_id", "at"]).append_column(
        "row", pa.array(np.arange(outcomes.num_rows))
    )
    joined = rows.join(first, ["user_id", "track_id"]).sort_by("row")
    days = [joined[name].cast(pa.int64()).to_numpy() // _DAY_US for name in ("at", "at_min")]
    return np.asarray(days[0] - days[1])


def _own_rate(outcomes: pa.Table, counts: NDArray[np.bool_], among: NDArray[np.bool_]) -> Floats:
    """How often a listener's plays and skips count, shrunk to everybody's rate."""
    user = pc.rank(outcomes["user_id"], tiebreaker="dense").to_numpy().astype(np.int64)
    total = float(counts[among].mean()) if among.any() else 0.0
    hits = np.bincount(user, weights=counts & among, minlength=1)
    tries = np.bincount(user, weights=among, minlength=1)
    rate: Floats = (hits + _PRIOR * total) / (tries + _PRIOR)
    return np.asarray(rate[user])
