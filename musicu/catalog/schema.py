"""The columns of a catalog's tables."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

#: The descriptors that `musicu describe` adds; their columns are in `musicu.features.descriptors`.
DESCRIPTOR_SET = "musicu-descriptors-v2"

#: Rows of the earlier table stand in where a recording has none in the later.
EARLIER_TABLES = {"descriptors/musicu-descriptors-v2": "descriptors/musicu-descriptors-v1"}

#: Recordings and works as `musicu audit` found them; columns: `musicu.audit.recording_groups`.
RECORDING_SET = "musicu-recordings-v1"

#: The metadata of a descriptor that is too long to stand beside the tracks.
LONG = {"long": "true"}
_LONG_BEFORE_IT_WAS_SAID = ("beats_seconds",)  # of the first set, whose bytes stay as they are

#: What is read from tags or a source table. Missing values are null, never "" or 0.
METADATA = pa.schema(
    [
        ("title", pa.string()),
        ("artists", pa.list_(pa.string())),
        ("album_artist", pa.string()),
        ("album", pa.string()),
        ("track_number", pa.int32()),
        ("disc_number", pa.int32()),
        ("date", pa.string()),  # as precise as known: 1997, 1997-05 or 1997-05-21
        ("released", pa.date32()),  # the first day that `date` covers
        ("original_date", pa.string()),
        ("genres", pa.list_(pa.string())),
        ("label", pa.string()),
        ("composers", pa.list_(pa.string())),
        ("language", pa.string()),
        ("bpm_tag", pa.float32()),
        ("key_tag", pa.string()),
        ("isrc", pa.string()),
        ("musicbrainz_recording_id", pa.string()),
        ("musicbrainz_album_id", pa.string()),
        ("musicbrainz_artist_ids", pa.list_(pa.string())),
        ("replaygain_track_gain_db", pa.float32()),
        ("replaygain_track_peak", pa.float32()),
        ("replaygain_album_gain_db", pa.float32()),
        ("compilation", pa.bool_()),
        ("popularity", pa.float64()),
        ("markets", pa.list_(pa.string())),
        ("explicit", pa.bool_()),
        ("codec", pa.string()),
        ("bitrate_kbps", pa.float32()),
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("bit_depth", pa.int32()),
        ("duration_seconds", pa.float64()),
    ]
)

#: Who a track is and where it lies. Extra columns of a source table follow, with their types.
IDENTITY = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        ("root", pa.string()),  # the folder that `path` is relative to
        ("path", pa.string()),  # relative, with forward slashes; odd bytes shown as \xNN
        ("path_bytes", pa.binary()),  # the exact name, only where it is not valid UTF-8
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("changed_ns", pa.int64()),  # of the inode; null in rows of earlier versions
        ("content_hash", pa.string()),  # of the audio without its tags; null where unreadable
        ("complete", pa.bool_()),  # False: only part of it could be heard; null: not heard yet
        ("gone", pa.bool_()),  # the file was there once and is not now
    ]
)

TRACKS = pa.schema(list(IDENTITY) + list(METADATA))

FAILURES = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        ("path", pa.string()),
        ("model", pa.string()),  # null where it failed before any model
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("content_hash", pa.string()),
        ("size_bytes", pa.int64()),
        ("modified_ns", pa.int64()),
    ]
)


#: Columns that rows of earlier versions lack.
_LATER = ("changed_ns",)


def long_columns(schema: pa.Schema) -> tuple[str, ...]:
    """The columns of a descriptor set that do not stand beside the tracks."""
    said = [field.name for field in schema if (field.metadata or {}).get(b"long") == b"true"]
    return (*said, *_LONG_BEFORE_IT_WAS_SAID)


def vectors_schema(dim: int, key: str = "content_hash") -> pa.Schema:
    """The columns of `vectors/<model>/`: a row for each recording, or for each `track_id`."""
    return pa.schema(
        [
            pa.field(key, pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dim), nullable=False),
            ("complete", pa.bool_()),  # False: the decoder stopped before the file's end
            ("heard_seconds", pa.float64()),  # that could be decoded, where that is not all
        ]
    )


def check_columns(file: str, names: Collection[str]) -> None:
    """Raise ValueError where a table's file lacks columns that every such file has."""
    table = file.split("/")[0]
    tracks = [name for name in TRACKS.names if name not in _LATER]
    wanted = {"tracks": tracks, "failures": FAILURES.names, "vectors": ["vector"]}
    missing = [name for name in wanted.get(table, []) if name not in names]
    if table == "vectors" and not {"content_hash", "track_id"} & set(names):
        missing.append("content_hash")
    if missing:
        raise ValueError(f"it has no column {missing[0]!r}")
