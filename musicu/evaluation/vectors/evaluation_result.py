"""The result of an evaluation, as a table, JSON or a page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from musicu.evaluation.vectors.measurement import EvaluationData, Measurement, to_table

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Measurements of models on one set of tracks.

    baselines: the models that the others are compared with. notes: what was skipped, and why.
    """

    data: EvaluationData
    measurements: tuple[Measurement, ...]
    baselines: tuple[str, ...]
    notes: tuple[str, ...]

    def to_table(self) -> pa.Table:
        """A row per measurement and baseline: the columns of `measurement.TABLE`.

        Intervals are 95 % intervals; null where there is none.
        """
        return to_table(self.measurements, self.baselines)

    def about(self) -> dict[str, Any]:
        """The data and settings: counts of tracks, artists, albums, genres and sources."""
        labels = self.data.labels
        return {
            "tracks": len(labels),
            "artists": len(labels.artists.names),
            "albums": len(labels.albums.names),
            "genres": len(labels.genres.names),
            "sources": len(labels.sources.names),
            "models": {name: values.shape[1] for name, values in self.data.models.items()},
            "baselines": list(self.baselines),
            "seed": self.data.seed,
            "bootstrap": self.data.draws,
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """The table, the data and settings, and a format version, as JSON."""
        rows = self.to_table().to_pylist()
        document = {"format": FORMAT_VERSION, "about": self.about(), "rows": rows}
        return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)

    def to_html(self, path: str | Path) -> Path:
        """Write a page that stands alone: bars with intervals, a map, and every number."""
        from musicu.evaluation.vectors.vector_report import render_report
        from musicu.pages.document import write_page

        write_page(Path(path), "vector-report", render_report(self))
        return Path(path)

    def value(self, protocol: str, metric: str, model: str) -> float | None:
        """One value; None where it was not measured."""
        found = [
            m.value
            for m in self.measurements
            if (m.protocol, m.metric, m.model) == (protocol, metric, model)
        ]
        return found[0] if found and found[0] is not None and np.isfinite(found[0]) else None
