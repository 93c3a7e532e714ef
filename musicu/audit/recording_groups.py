"""Which tracks are one recording, and which recordings are versions of one work.

One recording: the same audio to the byte, or for certain the same sound, each with each
(`grouping`). Tags only support: titles of which one names a version (instrumental, live, edit,
demo, remaster, …) keep recordings apart although they sound the same. One work: what shares its
sound (remasters, edits, excerpts, an instrumental), and what one artist calls by one title of which
a version is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.audit.earlier_fingerprints import EARLIER_TABLE
from musicu.audit.fingerprint_comparison import Fingerprints, KeptSpectra
from musicu.audit.grouping import group_recordings, joined
from musicu.audit.recording_matches import Match, find_matches
from musicu.catalog.catalog import Catalog
from musicu.catalog.folding import fold, loose
from musicu.catalog.identity import artist_keys, version_kinds, work_title
from musicu.catalog.lock import write_lock
from musicu.catalog.schema import RECORDING_SET
from musicu.catalog.store import Change, Store
from musicu.errors import QueryError
from musicu.features.fingerprinting import FINGERPRINTS, fingerprints_schema

TABLE = f"recordings/{RECORDING_SET}"
RECORDINGS = pa.schema(
    [
        pa.field("content_hash", pa.string(), nullable=False),
        ("recording_id", pa.string()),  # equal for copies of one recording: their first hash
        ("work_id", pa.string()),  # equal for versions of one work: their first hash
    ]
)
#: Words of a title that say which recording of a song it is, wherever they stand in it.
_SAID = {
    "instrumental": r"instrumental\w*|karaoke|backing tracks?|playback|minus one|off vocals?",
    "acapella": r"a ?capp?ell?a\w*|acapp?ell?as?|vocals? only|isolated vocals?",
    "live": r"live|concert|unplugged|en vivo|ao vivo|en directo|dal vivo|en public",
    "edit": r"edit|edited|radio|extended|short|cut|clean|explicit|uncensored|censored",
    "demo": r"demos?|rehearsal|outtakes?|take \d+|alternate|alternative|rough|early",
    "version": r"versions?|versión|versão|versione|mix|remix|remixed|rmx|rework|dub|mono|stereo",
    "remaster": r"remaster\w*|re-?record\w*",
    "acoustic": r"acoustic|stripped|orchestral",
    "speed": r"slowed|sped up|nightcore|reverb",
    "tribute": r"cover|tribute|originally performed|made famous",
}
_KINDS = {kind: re.compile(rf"\b(?:{words})\b") for kind, words in _SAID.items()}

Row = Mapping[str, Any]


def find_recordings(catalog: Catalog, model: str | None = None) -> tuple[pa.Table, list[Match]]:
    """The table `RECORDINGS` of the fingerprinted recordings, and the matches behind it.

    model: whose vectors help to find pairs. Default: the catalog's default model, if any.
    """
    prints = read_fingerprints(catalog)
    tracks = catalog.tracks()
    matches = find_matches(prints, _vectors(catalog, prints.hashes, model))
    titles = _by_hash(tracks)
    recording = group_recordings(
        prints, matches, lambda first, second: one_version(titles, first, second)
    )
    related = [(m.first, m.second) for m in matches]
    work = joined(prints.hashes, [*related, *_named_alike(titles)])
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
    """The fingerprints of the recordings that the catalog's tracks have.

    Those of earlier versions stand in for what this one has not read; they have no spectra.
    """
    store = Store.open(catalog.path)
    hashes = catalog.tracks()["content_hash"].combine_chunks()
    now = _stored(store, FINGERPRINTS.table, hashes)
    earlier = _stored(store, EARLIER_TABLE, hashes)
    heard = pc.is_in(earlier["content_hash"], value_set=now["content_hash"].combine_chunks())
    prints = Fingerprints.of_table(pa.concat_tables([now, earlier.filter(pc.invert(heard))]))
    wanted = ["content_hash", "levels", "peaks"]
    prints.spectra = KeptSpectra(lambda: store.batches(FINGERPRINTS.table, wanted))
    return prints


def _stored(store: Store, name: str, hashes: pa.Array) -> pa.Table:
    """Hashes, codes and marks of a table of fingerprints, of these hashes only."""
    columns = ["content_hash", "codes", "marks"]
    empty = pa.schema([fingerprints_schema().field(column) for column in columns]).empty_table()
    table = store.read(name, columns)
    if table is None:
        return empty
    kept = table.filter(pc.is_in(table["content_hash"], value_set=hashes))
    return pa.concat_tables([empty, kept.cast(empty.schema)])


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


def one_version(titles: Mapping[str, Sequence[Row]], first: str, second: str) -> bool:
    """Whether no title says that two recordings that sound the same are two versions."""
    one, other = (
        {said_kinds(row["title"]) for row in titles.get(h, ()) if row["title"]}
        for h in (first, second)
    )
    return not one or not other or bool(one & other)


def said_kinds(title: str) -> frozenset[str]:
    """The kinds of `_SAID` that a title names anywhere: equal for titles of one recording."""
    folded = fold(title)
    return frozenset(kind for kind, words in _KINDS.items() if words.search(folded))


def _named_alike(titles: Mapping[str, Sequence[Row]]) -> Iterator[tuple[str, str]]:
    """Pairs of recordings of one work by their titles, one of which names a version.

    A version is of the work that is spelled like it, else of one that is so but for its signs:
    "Help! (Live)" is of "Help!", and of "Help" only where there is no "Help!". A cover is paired
    with the first recording of its title by any artist.
    """
    plain: dict[tuple[str, str, bool], str] = {}
    versions: dict[str, dict[tuple[str, str], str]] = {}
    for content_hash, rows in titles.items():
        for row in rows:
            kinds, title = version_kinds(row["title"]), work_title(row["title"])
            for artist in {""} if "cover" in kinds else artist_keys(row) if title else ():
                if kinds:
                    versions.setdefault(content_hash, {})[title, artist] = loose(title)
                    continue
                for owner in (artist, ""):
                    plain.setdefault((title, owner, True), content_hash)
                    plain.setdefault((loose(title), owner, False), content_hash)
    firsts: dict[tuple[str, str], str] = {}
    for content_hash, names in versions.items():
        for (title, artist), spelled in names.items():
            first = plain.get((title, artist, True)) or plain.get((spelled, artist, False))
            first = first or firsts.setdefault((spelled, artist), content_hash)
            if first != content_hash:
                yield first, content_hash
