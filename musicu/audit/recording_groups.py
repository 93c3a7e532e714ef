"""Which tracks are one recording, and which recordings are versions of one work.

One recording: the same audio to the byte, or the same sound by its fingerprint. Tags only
support: a remaster that its title names as such stays apart although it sounds the same. One
work: what sounds the same (remasters, edits, excerpts), and what one artist calls by one title of
which a version is named (live, remix, radio edit, cover, …).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.audit.fingerprint_comparison import Fingerprints
from musicu.audit.recording_matches import Match, find_matches
from musicu.catalog.catalog import Catalog
from musicu.catalog.identity import artist_keys, version_kinds, work_key
from musicu.catalog.lock import write_lock
from musicu.catalog.schema import RECORDING_SET
from musicu.catalog.store import Change, Store
from musicu.errors import QueryError
from musicu.features.fingerprinting import FINGERPRINTS

TABLE = f"recordings/{RECORDING_SET}"
RECORDINGS = pa.schema(
    [
        pa.field("content_hash", pa.string(), nullable=False),
        ("recording_id", pa.string()),  # equal for copies of one recording: their first hash
        ("work_id", pa.string()),  # equal for versions of one work: their first hash
    ]
)
#: Versions that sound the same and differ in their titles alone.
_SOUND_THE_SAME = frozenset({"remaster"})

Row = Mapping[str, Any]


def find_recordings(catalog: Catalog, model: str | None = None) -> tuple[pa.Table, list[Match]]:
    """The table `RECORDINGS` of the fingerprinted recordings, and the matches behind it.

    model: whose vectors help to find pairs. Default: the catalog's default model, if any.
    """
    prints = read_fingerprints(catalog)
    tracks = catalog.tracks()
    matches = find_matches(prints, _vectors(catalog, prints.hashes, model))
    titles = _by_hash(tracks)
    same = [(m.first, m.second) for m in matches if m.whole and _one_version(m, titles)]
    recording = _joined(prints.hashes, same)
    related = [(m.first, m.second) for m in matches]
    work = _joined(prints.hashes, [*related, *_named_alike(titles)])
    hashes = sorted(prints.hashes)
    columns = [hashes, [recording[h] for h in hashes], [work[h] for h in hashes]]
    return pa.table([pa.array(c, pa.string()) for c in columns], schema=RECORDINGS), matches


def save_recordings(catalog: Catalog, table: pa.Table) -> None:
    """Store the table in the catalog, whose tracks then have `recording_id` and `work_id`.

    Raises CatalogError where another process writes the catalog.
    """
    with write_lock(catalog.path):
        store = Store.open(catalog.path)
        stored = store.read(TABLE)
        if stored is None or not stored.equals(table):
            store.commit([Change(TABLE, table, replace=True)])
            store.clean()


def same_recording(catalog: Catalog) -> list[list[str]]:
    """Track ids of each recording with two or more tracks, as last audited.

    Raises QueryError where the catalog was never audited.
    """
    tracks = catalog.tracks()
    if "recording_id" not in tracks.column_names:
        raise QueryError(f"{catalog.path} was not audited: run `musicu audit {catalog.path}`")
    return _groups(tracks, "recording_id")


def _groups(tracks: pa.Table, column: str) -> list[list[str]]:
    """The ids of each group of two or more tracks with the same value in a column."""
    found: dict[str, list[str]] = {}
    values = zip(tracks["track_id"].to_pylist(), tracks[column].to_pylist(), strict=True)
    for track_id, value in values:
        if value is not None:
            found.setdefault(value, []).append(track_id)
    return [group for group in found.values() if len(group) > 1]


def read_fingerprints(catalog: Catalog) -> Fingerprints:
    """The fingerprints of the recordings of the catalog's tracks."""
    table = Store.open(catalog.path).read(FINGERPRINTS.table, ["content_hash", "codes", "marks"])
    if table is None:
        return Fingerprints([], np.empty(0, np.uint32), np.empty(0, np.uint32), np.zeros(1, int))
    hashes = catalog.tracks()["content_hash"].combine_chunks()
    return Fingerprints.of_table(table.filter(pc.is_in(table["content_hash"], value_set=hashes)))


def _vectors(catalog: Catalog, hashes: Sequence[str], model: str | None) -> Any:
    """A vector for each hash, float32 [hashes, dim], zeros where one is unknown; None: no model."""
    if model is None and not catalog.models():
        return None
    ids, values = catalog.vectors(model)
    tracks = catalog.tracks()
    owner = dict(zip(*(tracks[n].to_pylist() for n in ("track_id", "content_hash")), strict=True))
    place = {owner[track_id]: i for i, track_id in enumerate(ids)}
    found = np.zeros((len(hashes), values.shape[1]), np.float32)
    for row, content_hash in enumerate(hashes):
        if content_hash in place:
            found[row] = values[place[content_hash]]
    return found


def _by_hash(tracks: pa.Table) -> dict[str, list[Row]]:
    """The titles and performers of each recording."""
    columns = ["content_hash", "title", "artists", "album_artist"]
    found: dict[str, list[Row]] = {}
    for row in tracks.select(columns).to_pylist():
        if row["content_hash"] is not None:
            found.setdefault(row["content_hash"], []).append(row)
    return found


def _one_version(match: Match, titles: Mapping[str, Sequence[Row]]) -> bool:
    """Whether the titles allow that two matching recordings are one version."""
    first, second = (
        [version_kinds(row["title"]) & _SOUND_THE_SAME for row in titles.get(h, ()) if row["title"]]
        for h in (match.first, match.second)
    )
    return not first or not second or bool(set(first) & set(second))


def _named_alike(titles: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, str]]:
    """Pairs of recordings of one work by their titles, one of which names a version.

    A cover is paired with the first recording of its title by any artist.
    """
    plain: dict[tuple[str, str], str] = {}
    versions: dict[tuple[str, str], list[str]] = {}
    for content_hash, rows in titles.items():
        for row in rows:
            kinds, title = version_kinds(row["title"]), work_key(row["title"])
            for artist in {""} if "cover" in kinds else artist_keys(row) if title else ():
                if kinds:
                    versions.setdefault((title, artist), []).append(content_hash)
                else:
                    plain.setdefault((title, artist), content_hash)
                    plain.setdefault((title, ""), content_hash)
    for key, found in versions.items():
        first = plain.get(key, found[0])
        yield from ((first, h) for h in found if h != first)


def _joined(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The first name of each name's connected component (union-find)."""
    head = {name: name for name in sorted(names)}

    def find(name: str) -> str:
        while head[name] != name:
            head[name] = head[head[name]]
            name = head[name]
        return name

    for a, b in pairs:
        if a in head and b in head:
            first, second = sorted((find(a), find(b)))
            head[second] = first
    return {name: find(name) for name in head}
