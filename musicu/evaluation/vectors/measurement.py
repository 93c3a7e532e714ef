"""Measurements, and their table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from musicu.bootstrap import Floats, Resamples, bounded
from musicu.evaluation.labels import TrackLabels
from musicu.evaluation.similarity_ranking import Matrix, Rows

TABLE = pa.schema(
    [
        ("protocol", pa.string()),
        ("metric", pa.string()),
        ("model", pa.string()),
        ("value", pa.float64()),  # null where it cannot be measured: see `note`
        ("low", pa.float64()),  # the 95 % interval, artists drawn; null where there is none
        ("high", pa.float64()),
        ("queries", pa.int64()),
        (
            "artists",
            pa.int64(),
        ),  # clusters of the queries; few of them make the interval unreliable
        ("left_out", pa.int64()),  # tracks that are no queries of the protocol
        ("higher_is_better", pa.bool_()),
        ("baseline", pa.string()),  # a row for each baseline other than the model itself
        ("difference", pa.float64()),  # model - baseline, paired: on the same queries and draws
        ("diff_low", pa.float64()),
        ("diff_high", pa.float64()),
        ("note", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationData:
    """The vectors of the models, and the labels of the same tracks, row by row.

    models: by name, float32 [tracks, dim], unit rows. draws: the number of bootstrap draws.
    """

    models: dict[str, Matrix]
    tracks: pa.Table
    labels: TrackLabels
    seed: int
    draws: int

    def resamples(self, rows: Rows) -> Resamples:
        """Bootstrap draws of the artists of these rows; equal rows give equal draws."""
        return Resamples(self.labels.clusters[rows], self.draws, self.seed)


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """One model under one metric of one protocol.

    draws: the metric in every bootstrap draw, float64 [draws]; empty where it has no interval.
    """

    protocol: str
    metric: str
    model: str
    value: float | None
    draws: Floats = field(default_factory=lambda: np.empty(0))
    queries: int = 0
    artists: int = 0
    left_out: int = 0
    higher_is_better: bool = True
    note: str = ""


def unmeasured(
    data: EvaluationData, protocol: str, metrics: Iterable[str], note: str
) -> list[Measurement]:
    """Measurements without values for a protocol that cannot be measured; note: why."""
    left_out = len(data.labels)
    return [
        Measurement(protocol, metric, model, None, left_out=left_out, note=note)
        for metric in metrics
        for model in data.models
    ]


def averaged(
    data: EvaluationData,
    protocol: str,
    metrics: Sequence[str],
    rows: Rows,
    values: Mapping[str, Floats],
    *,
    left_out: int,
    weights: Floats | None = None,
    higher_is_better: bool = True,
) -> list[Measurement]:
    """The mean of each metric over some rows, for every model.

    values: by model, float64 [rows, metrics]. weights: of the same shape; all alike where None.
    """
    resamples = data.resamples(rows)
    found = []
    for column, metric in enumerate(metrics):
        weight = None if weights is None else weights[:, column]
        for model, table in values.items():
            own = table[:, column]
            measurement = Measurement(
                protocol,
                metric,
                model,
                float(np.average(own, weights=weight)),
                resamples.means(own, weight),
                queries=len(rows),
                artists=resamples.clusters,
                left_out=left_out,
                higher_is_better=higher_is_better,
            )
            found.append(measurement)
    return found


def to_table(measurements: Sequence[Measurement], baselines: Sequence[str]) -> pa.Table:
    """A row per measurement and baseline other than its model, in the columns of TABLE."""
    known = {(m.protocol, m.metric, m.model): m for m in measurements}
    rows = []
    for found in measurements:
        beside = [known.get((found.protocol, found.metric, name)) for name in baselines]
        others = [b for b in beside if b is not None and b.model != found.model]
        rows += [_row(found, other) for other in others] or [_row(found, None)]
    return pa.Table.from_pylist(rows, schema=TABLE)


def _row(found: Measurement, baseline: Measurement | None) -> dict[str, object]:
    row: dict[str, object] = {
        "protocol": found.protocol,
        "metric": found.metric,
        "model": found.model,
        **bounded(found.value, found.draws, "value", "low", "high"),
        "queries": found.queries,
        "artists": found.artists,
        "left_out": found.left_out,
        "higher_is_better": found.higher_is_better,
        "note": found.note or None,
    }
    if baseline is not None:
        row |= {"baseline": baseline.model, **_difference(found, baseline)}
    return row


def _difference(found: Measurement, baseline: Measurement) -> dict[str, float | None]:
    if found.value is None or baseline.value is None:
        return {}
    paired = len(found.draws) == len(baseline.draws)
    draws = found.draws - baseline.draws if paired else np.empty(0)
    difference = found.value - baseline.value
    return bounded(difference, draws, "difference", "diff_low", "diff_high")
