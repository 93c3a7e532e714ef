"""The training part on disk, for systems that are not ours."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from musicu.evaluation.recommendation.splits import Split


def write_training_part(split: Split, folder: Path) -> list[Path]:
    """Write what a system may know of a split, so that its lists can be measured on it.

    listens.parquet: all it may learn from. asked.parquet: user_id, whom to find candidates for.
    candidates.parquet: track_id, what may be found. Returns the three paths.
    """
    listening = split.listening
    tables = {
        "listens": split.training_listens(),
        "asked": pa.table({"user_id": pa.array(listening.users[split.asked], pa.string())}),
        "candidates": pa.table(
            {"track_id": pa.array(listening.tracks[split.candidates], pa.string())}
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.parquet" for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        pq.write_table(table, path)
    return paths
