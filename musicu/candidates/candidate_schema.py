"""The one table that all candidates come in."""

from __future__ import annotations

from dataclasses import dataclass

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

_MODEL, _FINGERPRINT = b"musicu.model", b"musicu.fingerprint"


@dataclass(frozen=True, slots=True)
class CandidateModel:
    """Whose vectors candidates were found with; "" where their table does not say."""

    model: str = ""
    fingerprint: str = ""


def candidates_of(model: str, fingerprint: str) -> pa.Schema:
    """CANDIDATES, with the name and fingerprint of the model that they were found with."""
    return CANDIDATES.with_metadata({_MODEL: model, _FINGERPRINT: fingerprint})


def model_of(candidates: pa.Table) -> CandidateModel:
    """Whose vectors a table of candidates was found with."""
    about = candidates.schema.metadata or {}
    return CandidateModel(*(about.get(key, b"").decode() for key in (_MODEL, _FINGERPRINT)))
