"""Which tracks of a catalog listens mean, each distinct one looked up once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.retrieval.matcher import WAYS as WAYS
from musicu.retrieval.matcher import TrackMatch, TrackMatcher
from musicu.retrieval.mention import Mention

_ASKED = ("path", "track_id", "isrc", "recording_mbid", "artist", "title", "album")

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What became of some listens.

    row: int64 [listens], the catalog's row, -1 for none. way: int64 [listens], a place in WAYS.
    ambiguous: bool [listens], whether other recordings fit as well by name.
    """

    row: Ints
    way: Ints
    ambiguous: NDArray[np.bool_]


class Matcher:
    """Finds listens among the tracks of a catalog.

    taken: which names were taken for which, that are spelled otherwise, and how often.
    """

    def __init__(self, tracks: pa.Table) -> None:
        """Index a table of `schema.TRACKS`."""
        self._tracks = TrackMatcher(tracks)
        self.ids = self._tracks.ids
        self.taken: Counter[tuple[str, str]] = Counter()
        self._seen: dict[tuple[Any, ...], TrackMatch] = {}

    def match(self, raw: pa.Table) -> Matches:
        """Which track each row of a table of RAW means."""
        by_id = pc.index_in(raw["track_id"].combine_chunks(), self.ids, skip_nulls=True)
        row = pc.fill_null(by_id, -1).to_numpy().astype(np.int64)
        row[pc.is_valid(raw["path"]).to_numpy()] = -1  # where a file is told, it stands first
        way = np.where(row >= 0, WAYS.index("id"), len(WAYS) - 1)
        ambiguous = np.zeros(raw.num_rows, bool)
        open_rows = np.flatnonzero(row < 0)
        part = raw.select(_ASKED).take(pa.array(open_rows))
        asked = zip(*(column.to_pylist() for column in part.columns), strict=True)
        for place, said in zip(open_rows.tolist(), asked, strict=True):
            found = self._find(said)
            row[place], way[place] = found.row, WAYS.index(found.by)
            ambiguous[place] = found.ambiguous
        return Matches(row, way, ambiguous)

    def _find(self, said: tuple[Any, ...]) -> TrackMatch:
        path, track_id, isrc, recording, artist, title, album = said
        if said not in self._seen:
            self._seen[said] = self._tracks.find(
                Mention(
                    file=path,
                    track_id=track_id,
                    isrc=isrc,
                    musicbrainz_recording_id=recording,
                    artists=(artist,) if artist else (),
                    title=title,
                    album=album,
                )
            )
        found = self._seen[said]
        if found.by == "loose name":
            track = self._tracks.name(found.row)
            self.taken[
                f"{artist} – {title}", f"{', '.join(track.artists[:1])} – {track.title}"
            ] += 1
        return found
