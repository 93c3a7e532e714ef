"""The role: a join format reads a file that somebody gives, as a stream of records.

A format is a function that takes a `GivenFile` and yields Arrow tables. Their columns are those of
`join_records.RECORDS`, as many as it knows; further columns are joined under their own names. What
it cannot use it counts with `file.notes.damage(reason, where, text)`. Another package adds one:

    [project.entry-points."musicu.join_formats"]
    my-charts = "my_package:read_charts"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from musicu.joining.given_file import GivenFile
from musicu.registry import Registry

JoinFormat = Callable[[GivenFile], Iterator[pa.Table]]

_HERE = "musicu.joining.dumps"
JOIN_FORMATS: Registry[JoinFormat] = Registry(
    "join format",
    "musicu.join_formats",
    {
        "musicbrainz": f"{_HERE}.musicbrainz_dumps:read_musicbrainz",
        "listenbrainz": f"{_HERE}.listenbrainz_dumps:read_listenbrainz",
        "discogs": f"{_HERE}.discogs_dumps:read_discogs",
        "jamendo": f"{_HERE}.jamendo_tables:read_jamendo",
        "fma": f"{_HERE}.fma_tables:read_fma",
        "table": f"{_HERE}.named_columns:read_table",
    },
)
