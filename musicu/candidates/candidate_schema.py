"""The one table that all candidates come in."""

from __future__ import annotations

import pyarrow as pa

#: A row a candidate: by listener, then falling score, then track. interest: which of the
#: listener's interests it was found for, 0 the most important; null where none was asked.
CANDIDATES = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        ("interest", pa.int32()),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
