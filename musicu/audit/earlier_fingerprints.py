"""Fingerprints that earlier versions of the package kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from musicu.catalog.compaction import Fix, compact
from musicu.catalog.lock import write_lock
from musicu.catalog.store import Store
from musicu.features.fingerprint_codes import EARLIER
from musicu.features.fingerprinting import FINGERPRINTS
from musicu.pipeline.known import Recordings, hash_bytes

#: Stands in for recordings that could not be read again.
EARLIER_TABLE = f"{FINGERPRINTS.folder}/{EARLIER}"


def drop_replaced(catalog: Path) -> None:
    """Remove earlier fingerprints of recordings that have new ones; the others stay."""
    if not Store.open(catalog).manifest.tables.get(EARLIER_TABLE):
        return
    with write_lock(catalog):
        store = Store.open(catalog)
        replaced = Recordings.read(store, FINGERPRINTS.table)

        def left(table: pa.Table) -> pa.Table:
            return table.filter(pa.array(~replaced.holds(hash_bytes(table["content_hash"]))))

        compact(store, EARLIER_TABLE, "content_hash", Fix(["content_hash"], left))
        store.clean()
