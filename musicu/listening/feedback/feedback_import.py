"""Feedback from elsewhere: tables of EXPOSURES and OUTCOMES, impression logs, and LISTENS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.errors import SourceError
from musicu.ingest.table import read_table
from musicu.listening.feedback.feedback_log import FeedbackLog, read
from musicu.listening.feedback.feedback_schemas import EXPOSURES, OUTCOMES, checked
from musicu.listening.pseudonyms import pseudonyms

_BATCH = 10_000
#: What columns of other logs are called here.
_NAMES = {
    "impression_id": "exposure_id",
    "position": "item_position",
    "propensity_score": "propensity",
    "timestamp": "shown_at",
    "time": "shown_at",
    "user": "user_id",
    "item_id": "track_id",
}
#: Columns of truth values that say what came of an impression.
_DONE = {"played": "played", "clicked": "played", "click": "played", "saved": "saved"}


@dataclass(slots=True)
class FeedbackImport:
    """What became of the rows of some files.

    exposures, outcomes: added. known: left out, as they are there already. faults: field and
    reason → how many rows were left out for it. strangers: track ids that the catalog lacks → how
    many rows. unjoined: outcomes that name an exposure which is not there; they are kept.
    """

    exposures: int = 0
    outcomes: int = 0
    known: int = 0
    unjoined: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    strangers: Counter[str] = field(default_factory=Counter)

    def notes(self) -> Iterator[str]:
        """What was left out, for people."""
        for reason, count in self.faults.most_common(10):
            yield f"{count:,} rows left out: {reason}"
        if self.strangers:
            name = self.strangers.most_common(1)[0][0]
            total = sum(self.strangers.values())
            yield f"{total:,} rows left out: their tracks are not in the catalog, such as {name!r}"
        if self.unjoined:
            yield f"{self.unjoined:,} outcomes name an exposure that is not there"
        if self.known:
            yield f"{self.known:,} rows were there already"


def import_feedback(
    files: Collection[Path], catalog: Path, track_ids: Collection[str], key: bytes
) -> FeedbackImport:
    """Add the rows of tables to a catalog's feedback; what is there already is not added again.

    files: Parquet or CSV, each with the columns of EXPOSURES, of OUTCOMES, of LISTENS (a positive
    weight is a play, any other a skip), or an impression log: user_id, track_id, a moment, and if
    known position, propensity and what came of it (`clicked`, `played`, `saved`). A log without
    propensities has none here. key: of the pseudonyms; tables that musicu wrote have them already.
    Raises SourceError for a file that is none of these; nothing of it is added.
    """
    done = FeedbackImport()
    known = frozenset(track_ids)
    with FeedbackLog(catalog) as log:
        for file in files:
            for schema, rows in _read(file, key):
                _add(log, schema, rows, known, done)
        exposures = read(catalog, "exposures")["exposure_id"]
    named = read(catalog, "outcomes")["exposure_id"].drop_null()
    there = set(exposures.to_pylist())
    done.unjoined = sum(exposure not in there for exposure in named.to_pylist())
    return done


def _read(file: Path, key: bytes) -> Iterator[tuple[pa.Schema, list[dict[str, Any]]]]:
    table = read_table(file)
    names = set(table.column_names)
    ours = b"musicu.feedback" in (table.schema.metadata or {})
    convert = _converter(names, file)
    if not ours and "user_id" in names | {_NAMES.get(name) for name in names}:
        column = "user_id" if "user_id" in names else "user"
        users = table[column].cast(pa.string()).combine_chunks()
        table = table.set_column(table.column_names.index(column), column, pseudonyms(users, key))
    for batch in table.to_batches(max_chunksize=_BATCH):
        yield from convert(batch.to_pylist())


def _converter(names: set[str], file: Path) -> Any:
    """The function that turns rows of the file's kind into records of the two tables."""
    if {"event_id", "kind"} <= names:
        return lambda rows: [(OUTCOMES, [_only(row, OUTCOMES) for row in rows])]
    if {"exposure_id", "page_id", "shown_at"} <= names:
        return lambda rows: [(EXPOSURES, [_only(row, EXPOSURES) for row in rows])]
    if {"user_id", "track_id", "timestamp", "weight"} <= names:
        return lambda rows: [(OUTCOMES, list(map(_of_listen, rows)))]
    ours = {_NAMES.get(name, name) for name in names}
    if {"user_id", "track_id", "shown_at"} <= ours:
        return _of_impressions
    raise SourceError(
        f"{file} holds no feedback: it has {', '.join(sorted(names))}, and needs the columns of "
        "exposures, outcomes, listens, or user_id, track_id and timestamp"
    )


def _only(row: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    return {name: row.get(name) for name in schema.names}


def _of_listen(row: Mapping[str, Any]) -> dict[str, Any]:
    weight = row["weight"]
    return {
        "event_id": _digest("listen", row),
        "user_id": row["user_id"],
        "track_id": row["track_id"],
        "kind": "played" if weight is not None and weight > 0 else "skipped",
        "at": row["timestamp"],
    }


def _of_impressions(
    rows: list[dict[str, Any]],
) -> list[tuple[pa.Schema, list[dict[str, Any]]]]:
    exposures, outcomes = [], []
    for row in rows:
        named = {_NAMES.get(name, name): value for name, value in row.items()}
        exposure = str(named.get("exposure_id") or _digest("impression", row))
        exposures.append(
            {
                "exposure_id": exposure,
                "page_id": str(named.get("page_id") or exposure),
                "surface": named.get("surface") or "imported",
                "shelf": named.get("shelf") or "imported",
                "shelf_position": named.get("shelf_position") or 0,
                "item_position": named.get("item_position") or 0,
                "policy": named.get("policy") or "unknown",
                **{
                    name: named.get(name)
                    for name in ("track_id", "user_id", "propensity", "arm", "context", "shown_at")
                },
            }
        )
        for column, kind in _DONE.items():
            if row.get(column) in (True, 1, 1.0, "1", "true"):
                outcomes.append(
                    {
                        "event_id": _digest(kind, row),
                        "exposure_id": exposure,
                        "user_id": named.get("user_id"),
                        "track_id": named.get("track_id"),
                        "kind": kind,
                        "milliseconds": named.get("milliseconds"),
                        "at": named.get("shown_at"),
                    }
                )
    return [(EXPOSURES, exposures), (OUTCOMES, outcomes)]


def _digest(kind: str, row: Mapping[str, Any]) -> str:
    """An id that the same row always has, so that importing twice adds nothing."""
    text = repr((kind, sorted((name, str(value)) for name, value in row.items())))
    return blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


def _add(
    log: FeedbackLog,
    schema: pa.Schema,
    rows: list[dict[str, Any]],
    known: frozenset[str],
    done: FeedbackImport,
) -> None:
    kept, faults = checked(rows, schema)
    for fault in faults:
        done.faults[f"{fault.field}: {fault.reason}"] += 1
    joined = [record for record in kept if record["track_id"] in known]
    done.strangers.update(r["track_id"] for r in kept if r["track_id"] not in known)
    is_exposure = schema is EXPOSURES
    added = (log.exposures if is_exposure else log.outcomes).append(joined)
    done.known += len(joined) - added
    if is_exposure:
        done.exposures += added
    else:
        done.outcomes += added
