"""The set `musicu-statistics-v1`: the numbers that the shipped models are made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from musicu.audio import read_audio
from musicu.features.descriptor_sets import LONG, DescriptorSet
from musicu.features.powers import SAMPLE_RATE
from musicu.features.statistics import BLOCKS, track_statistics
from musicu.records import Windows

WINDOWS = Windows(10.0, 8)  # of musicu-stats-v1


class MusicuStatistics(DescriptorSet):
    """A list of numbers for each of eleven blocks, of windows spread over the recording."""

    name = "musicu-statistics-v1"

    def schema(self) -> pa.Schema:
        """One column of numbers for each block of `statistics.BLOCKS`."""
        about = {**LONG, "unit": "", "definition": "see musicu.features.statistics"}
        blocks = [pa.field(block, pa.list_(pa.float32()), metadata=about) for block in BLOCKS]
        return pa.schema([pa.field("content_hash", pa.string(), nullable=False), *blocks])

    def extract(self, path: Path) -> Mapping[str, Any]:
        """The statistics of a file, each block's groups one after the other, float32 [n]."""
        found = track_statistics(read_audio(path, SAMPLE_RATE, WINDOWS))
        return {
            block: np.concatenate(list(groups.values())).astype(np.float32)
            for block, groups in found.items()
        }
