"""Ids that lead to other ids: recordings that were merged, or that have a canonical one.

Only what concerns the catalog is kept: a file of redirects is read as often as its chains are long
(a leads to b, b to c), so memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from musicu.joining.given_file import GivenFile
from musicu.joining.row_readers import csv_rows, header_of

_OLD = ("recording_mbid", "old_mbid", "old_id", "old_gid", "gid", "mbid", "from")
_NEW = ("canonical_recording_mbid", "new_mbid", "new_id", "new_gid", "redirect_to", "to")
_ROUNDS = 10


def is_redirects(names: Collection[str]) -> bool:
    """Whether a table of these columns says which ids lead to which."""
    return _pair(names) is not None


def redirect_files(files: Sequence[GivenFile]) -> list[GivenFile]:
    """Those of some files that hold redirects."""
    return [
        file
        for file in files
        if "redirect" in file.path.name.lower() or is_redirects(header_of(file))
    ]


def followed(files: Sequence[GivenFile], ids: pa.Array) -> dict[str, str]:
    """Where ids of a catalog lead to, at the end of their chains: only those that lead elsewhere.

    ids: in small letters. Also ids that lead to one of the catalog's: who says the old one means
    the new one.
    """
    known: dict[str, str] = {}
    wanted = pc.drop_null(ids).unique()
    for _ in range(_ROUNDS):
        before = len(known)
        for file in files:
            _take(file, wanted, known)
        if len(known) == before:
            break
        wanted = pa.concat_arrays(
            [wanted, pa.array(list({*known, *known.values()}), pa.string())]
        ).unique()
    return {old: end for old in known if (end := _end(old, known)) != old}


def _take(file: GivenFile, wanted: pa.Array, known: dict[str, str]) -> None:
    for part in file.parts():
        for table in csv_rows(file, part):
            pair = _pair(table.column_names)
            if pair is None:
                break
            old, new = (pc.utf8_lower(table[name]) for name in pair)
            concern = pc.or_(pc.is_in(old, value_set=wanted), pc.is_in(new, value_set=wanted))
            rows = pa.table({"old": old, "new": new}).filter(concern)
            pairs = zip(rows["old"].to_pylist(), rows["new"].to_pylist(), strict=True)
            known.update((a, b) for a, b in pairs if a and b and a != b)


def _pair(names: Collection[str]) -> tuple[str, str] | None:
    old = next((name for name in _OLD if name in names), None)
    new = next((name for name in _NEW if name in names), None)
    return (old, new) if old and new else None


def _end(old: str, known: dict[str, str]) -> str:
    """The end of a chain; in a circle the id itself."""
    seen, at = {old}, known[old]
    while at in known:
        if at in seen:
            return old
        seen.add(at)
        at = known[at]
    return at
