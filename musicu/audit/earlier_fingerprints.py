"""Fingerprints that earlier versions of the package kept."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.compaction import Fix, compact
from musicu.catalog.lock import write_lock
from musicu.catalog.store import Change, Store
from musicu.features.fingerprint_codes import EARLIER
from musicu.features.fingerprinting import FINGERPRINTS
from musicu.pipeline.known import Recordings, hash_bytes

#: Stands in for recordings that could not be read again.
EARLIER_TABLE = f"{FINGERPRINTS.folder}/{EARLIER}"


def drop_replaced(catalog: Path) -> None:
    """Remove earlier fingerprints of recordings that have new ones, and all earlier failures.

    Other earlier fingerprints stay. Whatever failed then was tried again for the new set.
    """
    store = Store.open(catalog)
    failures = store.read("failures")
    failed = failures is not None and EARLIER in failures["model"].to_pylist()
    if not failed and not store.manifest.tables.get(EARLIER_TABLE):
        return
    with write_lock(catalog):
        store = Store.open(catalog)
        failures = store.read("failures")
        if failures is not None:
            others = failures.filter(pc.fill_null(pc.not_equal(failures["model"], EARLIER), True))
            if len(others) < len(failures):
                store.commit([Change("failures", others, replace=True)])
        replaced = Recordings.read(store, FINGERPRINTS.table)

        def left(table: pa.Table) -> pa.Table:
            return table.filter(pa.array(~replaced.holds(hash_bytes(table["content_hash"]))))

        compact(store, EARLIER_TABLE, "content_hash", Fix(["content_hash"], left))
        store.clean()
