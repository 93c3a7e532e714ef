"""Long-term value from the first days: a Bayesian filter over progressive traces.

What an item is worth shows after weeks (on how many of the next 60 days did a listener come back to
it?), but a listener's trace fills day by day, and early days tell of later ones. A listener's trace
z with an item is taken as normal around the item's mean trace, z ~ N(theta, V), and the items' mean
traces as normal around all items', theta ~ N(mu, S); mu, S and V are fitted on items whose traces
are complete. The posterior of theta given every partial trace is then in closed form, and the value
is w' theta (McDonald, Maystre, Lalmas, Russo and Ciosek, Impatient Bandits, KDD 2023, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike
from musicu.listening.feedback import OUTCOME_KINDS
from musicu.listening.feedback.feedback_schemas import typed_outcomes
from musicu.records import check_count, short

Floats = NDArray[np.float64]

_DAY_US = 86_400_000_000
_JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class ItemValue:
    """An item's expected long-term value a listener, and its standard deviation."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class DelayedReward:
    """A fitted filter. mean: float64 [days]; between, within: float64 [days, days], the covariance
    of items' mean traces and of listeners around them. weights: of the days in the value."""

    mean: Floats
    between: Floats
    within: Floats
    weights: Floats

    @classmethod
    def fit(
        cls, traces: Floats, items: Sequence[object], weights: Floats | None = None
    ) -> DelayedReward:
        """Fit on complete traces: float64 [listeners, days], with the item of each.

        weights: what each day counts, 1 by default. Raises QueryError where fewer than three items
        have two listeners.
        """
        traces = np.asarray(traces, dtype=np.float64)
        if traces.ndim != 2 or len(traces) != len(items) or not np.isfinite(traces).all():
            raise QueryError(
                f"traces are {traces.shape}, with {len(items)} items: give complete traces "
                "[listeners, days] and an item for each"
            )
        _, item = np.unique(np.asarray(items), return_inverse=True)
        counts = np.bincount(item).astype(np.float64)
        sums: Floats = np.zeros((len(counts), traces.shape[1]))
        np.add.at(sums, item, traces)
        means: Floats = sums / counts[:, None]
        if (counts > 1).sum() < 3:
            raise QueryError("at least three items need complete traces of two listeners or more")
        left = traces - means[item]
        within = left.T @ left / (len(traces) - len(counts))
        middle = means.mean(axis=0)
        spread = (means - middle).T @ (means - middle) / (len(counts) - 1)
        between = _positive(spread - within * float((1 / counts).mean()))
        days = traces.shape[1]
        weights = np.ones(days) if weights is None else np.asarray(weights, dtype=np.float64)
        if weights.shape != (days,) or not np.isfinite(weights).all():
            raise QueryError(f"weights are {weights.shape}: give a number for each of {days} days")
        return cls(
            middle,
            between + _JITTER * np.eye(days),
            within + _JITTER * np.eye(days),
            weights,
        )

    def prior(self) -> ItemValue:
        """The value of an item of which nothing is known."""
        return self._value(self.mean, self.between)

    def value(self, traces: Floats) -> ItemValue:
        """The value of one item from its listeners' traces so far.

        traces: float64 [listeners, days]; each row is known up to a day and NaN from there on.
        """
        traces = np.atleast_2d(np.asarray(traces, dtype=np.float64))
        if not traces.size:
            return self.prior()
        if traces.shape[1] != len(self.mean) or np.isinf(traces).any():
            raise QueryError(
                f"traces are {traces.shape}: give [listeners, {len(self.mean)}], the days that the "
                "filter was fitted on, with NaN for those to come"
            )
        seen = np.isfinite(traces).sum(axis=1)
        if (np.isfinite(traces) != (np.arange(len(self.mean)) < seen[:, None])).any():
            raise QueryError("a trace has to be known up to a day and NaN from there on")
        precision = np.linalg.inv(self.between)
        shift = precision @ self.mean
        for known in np.unique(seen[seen > 0]):
            rows = traces[seen == known, :known]
            inner = np.linalg.inv(self.within[:known, :known])
            precision[:known, :known] += len(rows) * inner
            shift[:known] += inner @ rows.sum(axis=0)
        covariance = np.linalg.inv(precision)
        return self._value(covariance @ shift, covariance)

    def _value(self, mean: Floats, covariance: Floats) -> ItemValue:
        variance = float(self.weights @ covariance @ self.weights)
        return ItemValue(float(self.weights @ mean), float(np.sqrt(max(variance, 0.0))))


def progressive_traces(
    outcomes: TableLike,
    now: datetime,
    days: int = 60,
    kinds: Sequence[str] = ("played", "returned"),
) -> tuple[list[str], Floats]:
    """Every listener's trace with every item, and the item of each.

    A day of a trace is 1 where there was such an outcome, 0 where not, NaN where it has not come
    yet; day 0 is that of the first outcome with the item and is left out, as it is 1 for all. now:
    a datetime, in UTC where it has no time zone. Gives track ids, and float64 [traces, days].
    Raises QueryError for a missing column or an unknown kind.
    """
    if not isinstance(now, datetime):
        raise QueryError(f"now is {short(now)}: give a datetime")
    wrong = [kinds] if isinstance(kinds, str) else [k for k in kinds if k not in OUTCOME_KINDS]
    if wrong:
        raise QueryError(f"kinds: give a list of {', '.join(OUTCOME_KINDS)}, not {wrong[0]!r}")
    check_count("days", days)
    table = typed_outcomes(outcomes)
    table = table.filter(pc.is_in(table["kind"], pa.array(list(kinds))))
    today = pa.scalar(now, pa.timestamp("us", "UTC")).cast(pa.int64()).as_py() // _DAY_US
    pairs = table.group_by(["user_id", "track_id"], use_threads=False).aggregate([("at", "min")])
    keys = pairs.select(["user_id", "track_id"]).append_column(
        "pair", pa.array(np.arange(pairs.num_rows))
    )
    rows = table.select(["user_id", "track_id", "at"]).join(keys, ["user_id", "track_id"])
    pair = rows["pair"].to_numpy()
    first = pairs["at_min"].cast(pa.int64()).to_numpy() // _DAY_US
    day = rows["at"].cast(pa.int64()).to_numpy() // _DAY_US - first[pair]
    traces = np.zeros((pairs.num_rows, days))
    inside = (day >= 1) & (day <= days)
    traces[pair[inside], day[inside] - 1] = 1.0
    traces[np.arange(1, days + 1) > (today - first)[:, None]] = np.nan
    return pairs["track_id"].to_pylist(), traces


def _positive(matrix: Floats) -> Floats:
    """The nearest covariance: negative directions are set to nothing."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.clip(values, 0, None)) @ vectors.T)
