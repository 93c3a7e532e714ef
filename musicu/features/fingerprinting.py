"""From a file to its fingerprint and faults, in one pass through its sound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.audio import MIN_SECONDS, open_source
from musicu.audio.source import Source
from musicu.errors import AudioError
from musicu.features.faults import FaultMeter
from musicu.features.fingerprint import FingerprintMeter
from musicu.features.mono import MonoMixer

_BLOCK = 65_536  # frames heard at a time
_SLACK_SECONDS = 0.1  # headers may be off by so much without anything missing


def fingerprints_schema() -> pa.Schema:
    """The columns of `fingerprints/<name>/`: see `Fingerprint` and `Faults`."""
    return pa.schema(
        [
            pa.field("content_hash", pa.string(), nullable=False),
            ("codes", pa.list_(pa.uint32())),
            ("marks", pa.list_(pa.uint32())),
            ("heard_seconds", pa.float64()),
            ("complete", pa.bool_()),  # False: the file ends before its header says
            ("channels", pa.int32()),
            ("peak_dbfs", pa.float32()),
            ("level_dbfs", pa.float32()),
            ("clipped_share", pa.float32()),
            ("side_db", pa.float32()),
            ("channel_db", pa.float32()),
            ("silence_start_seconds", pa.float32()),
            ("silence_end_seconds", pa.float32()),
        ]
    )


def fingerprint(path: str | Path) -> dict[str, Any]:
    """The columns of `fingerprints_schema` for a file, but for its hash.

    Raises AudioError where the file cannot be read or holds less than 0.2 s of sound.
    """
    with open_source(path) as source:
        return _hear(source)


def _hear(source: Source) -> dict[str, Any]:
    meter, mixer = FingerprintMeter(), MonoMixer(source.sample_rate)
    faults = FaultMeter(source.sample_rate, source.channels)
    frames = 0
    for planes in _planes(source):
        frames += planes.shape[1]
        faults.hear(planes)
        meter.hear(mixer.mix(planes))
    meter.hear(mixer.finish())
    seconds = frames / source.sample_rate
    if seconds < MIN_SECONDS:
        raise AudioError(
            f"too short: {seconds:.2f} s of sound can be read, at least {MIN_SECONDS} s are needed"
        )
    found = meter.finish()
    promised = source.frames / source.sample_rate - _SLACK_SECONDS
    return {
        "codes": found.codes.tolist(),
        "marks": found.marks.tolist(),
        "heard_seconds": seconds,
        "complete": not source.cut and not (source.promised and seconds < promised),
        "channels": source.channels,
        **asdict(faults.finish()),
    }


def _planes(source: Source) -> Iterator[NDArray[np.float32]]:
    """The sound in blocks float32 [channels, n], with 0 for what is not finite."""
    while len(block := source.read(_BLOCK)):
        planes = np.ascontiguousarray(block.T)
        if not np.isfinite(planes).all():
            planes = np.nan_to_num(planes, nan=0.0, posinf=0.0, neginf=0.0)
        yield planes
