"""Fingerprint what a catalog holds: each recording once, only those that have none yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from musicu.catalog.compaction import Fix, settle
from musicu.catalog.lock import write_lock
from musicu.catalog.store import Store
from musicu.features.fingerprint_codes import EARLIER, NAME
from musicu.features.fingerprinting import fingerprints_schema
from musicu.pipeline.known import Recordings, hash_bytes
from musicu.pipeline.loop import Progress
from musicu.pipeline.recordings import PassOptions, PassReport, hear_recordings
from musicu.pipeline.tasks import Pass

TABLE = f"fingerprints/{NAME}"
#: What earlier versions of the package kept.
EARLIER_TABLE = f"fingerprints/{EARLIER}"


def fingerprint_catalog(
    catalog: str | Path,
    *,
    options: PassOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PassReport:
    """Fill the fingerprint table of a catalog folder: see `hear_recordings`.

    Fingerprints of an earlier version stay for recordings that could not be heard again.
    """
    what = Pass("fingerprint", NAME, TABLE, fingerprints_schema())
    report = hear_recordings(catalog, what, options=options, progress=progress)
    _drop_replaced(Path(catalog))
    return report


def _drop_replaced(catalog: Path) -> None:
    """Remove fingerprints of an earlier version where there are new ones."""
    if not Store.open(catalog).manifest.tables.get(EARLIER_TABLE):
        return
    with write_lock(catalog):
        store = Store.open(catalog)
        heard = Recordings.read(store, TABLE)

        def left(table: pa.Table) -> pa.Table:
            return table.filter(pa.array(~heard.holds(hash_bytes(table["content_hash"]))))

        settle(store, EARLIER_TABLE, "content_hash", Fix(["content_hash"], left))
        store.clean()
