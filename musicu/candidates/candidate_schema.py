"""The one table that all candidates come in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa

from musicu.items.exposure_floors import FloorCount

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
_FLOORS = b"musicu.exposure_floors"


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


def with_floor_counts(candidates: pa.Table, counts: Sequence[FloorCount]) -> pa.Table:
    """The same table, which says in its metadata what exposure floors did; none change nothing."""
    if not counts:
        return candidates
    told = json.dumps([asdict(count) for count in counts]).encode()
    return candidates.replace_schema_metadata({**(candidates.schema.metadata or {}), _FLOORS: told})


def floor_counts(candidates: pa.Table) -> list[FloorCount]:
    """What exposure floors did to a table of candidates, by group; none where there were none."""
    told = (candidates.schema.metadata or {}).get(_FLOORS, b"[]")
    return [FloorCount(**count) for count in json.loads(told)]
