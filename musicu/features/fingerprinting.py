"""From a file to its fingerprint and faults, in one pass through its sound."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.audio import check_length
from musicu.features.descriptor_sets import DescriptorSet
from musicu.features.faults import FaultMeter
from musicu.features.fingerprint_codes import NAME, FingerprintMeter
from musicu.features.mono import MonoMixer
from musicu.features.recording_stream import open_recording_file


class MusicuFingerprint(DescriptorSet):
    """The set that `musicu audit` compares recordings by."""

    name = NAME
    folder = "fingerprints"
    stage = "fingerprint"

    def schema(self) -> pa.Schema:
        """See `fingerprints_schema`."""
        return fingerprints_schema()

    def extract(self, path: Path) -> dict[str, Any]:
        """See `fingerprint`."""
        return fingerprint(path)


FINGERPRINTS = MusicuFingerprint()


def fingerprints_schema() -> pa.Schema:
    """The columns of `fingerprints/<name>/`: see `Fingerprint` and `Faults`."""
    return pa.schema(
        [
            pa.field("content_hash", pa.string(), nullable=False),
            ("codes", pa.list_(pa.uint32())),
            ("marks", pa.list_(pa.uint32())),
            ("levels", pa.list_(pa.uint32())),  # four a frame, see `BandLevels`
            ("peaks", pa.list_(pa.uint8())),
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
    with open_recording_file(path) as heard:
        meter, mixer = FingerprintMeter(), MonoMixer(heard.sample_rate)
        faults = FaultMeter(heard.sample_rate, heard.channels)
        frames = 0
        for planes in heard.planes():
            frames += planes.shape[1]
            faults.update(planes)
            meter.update(mixer.mix(planes))
    meter.update(mixer.finish())
    seconds = frames / heard.sample_rate
    check_length(seconds)
    found = meter.finish()
    assert found.spectra is not None
    return {
        "codes": found.codes.tolist(),
        "marks": found.marks.tolist(),
        "levels": found.spectra.levels.reshape(-1).tolist(),
        "peaks": found.spectra.peaks.tolist(),
        "heard_seconds": seconds,
        "complete": heard.complete,
        "channels": heard.channels,
        **asdict(faults.finish()),
    }
