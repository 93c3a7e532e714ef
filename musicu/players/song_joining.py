"""Which track of a catalog each song of a server is.

By the file under a mapped root, then MusicBrainz id and ISRC, then names and length: see
`retrieval.matcher`. What a server says of paths may be made up (Navidrome tells players a path that
it composes from tags): a path counts only where tags or length do not speak against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from musicu.errors import QueryError
from musicu.progress import tracked
from musicu.retrieval.matcher import TrackMatch, TrackMatcher
from musicu.retrieval.mention import Mention, NamedTrack

_BY_PATH = ("path", "moved")


@dataclass(frozen=True, slots=True)
class RootMap:
    """Where a server's folder lies on this computer. server: "" for all that it tells."""

    server: str
    local: Path

    @classmethod
    def parse(cls, text: str) -> RootMap:
        """SERVER=LOCAL; raises QueryError where it is not."""
        server, mark, local = text.partition("=")
        if not mark or not local:
            raise QueryError(f"{text!r} is not like /music=/home/me/Music: give SERVER=LOCAL")
        return cls(server.replace("\\", "/").rstrip("/"), Path(local).expanduser().absolute())

    def place(self, path: str) -> Path | None:
        """The file here of a path there; None where it is not of this folder, or leads out."""
        text = path.replace("\\", "/")
        if self.server:
            if not text.startswith(f"{self.server}/"):
                return None
            text = text[len(self.server) :]
        parts = [part for part in PurePosixPath(text).parts if part != "/"]
        return None if not parts or ".." in parts else self.local.joinpath(*parts)


@dataclass(slots=True)
class Joined:
    """The tracks that songs are. found: song id → row of the tracks, and by what.

    by: how many by each way. lies: paths that lead to files of other names and lengths.
    """

    found: dict[str, TrackMatch] = field(default_factory=dict)
    by: Counter[str] = field(default_factory=Counter)
    lies: int = 0


def join_songs(
    children: Mapping[str, Mapping[str, Any]], tracks: pa.Table, roots: Sequence[RootMap] = ()
) -> Joined:
    """Find each song, by its id and child record, among a catalog's tracks."""
    joined, matcher = Joined(), TrackMatcher(tracks)
    for song_id, child in tracked(children.items(), "joining songs", len(children), "songs"):
        mention = mention_of(child, roots)
        match = matcher.find(mention)
        if match.by in _BY_PATH and not _is_likely(mention, matcher, match.row):
            joined.lies += 1
            match = matcher.find(replace(mention, file=None))
        if match.row >= 0:
            joined.found[song_id] = match
            joined.by[match.by] += 1
    return joined


def mention_of(child: Mapping[str, Any], roots: Sequence[RootMap] = ()) -> Mention:
    """What a child record says of its track."""
    path, isrc = _text(child.get("path")), child.get("isrc")
    duration = child.get("duration")
    known = isinstance(duration, int | float) and not isinstance(duration, bool) and duration > 0
    return Mention(
        file=None if path is None else local_file(path, roots) or path,
        title=_text(child.get("title")),
        artists=tuple(_artists(child)),
        album=_text(child.get("album")),
        duration_seconds=float(duration or 0) if known else None,
        isrc=_text(isrc[0] if isinstance(isrc, list) and isrc else isrc),
        musicbrainz_recording_id=_text(child.get("musicBrainzId")),
    )


def local_file(path: str, roots: Iterable[RootMap]) -> Path | None:
    """The file here of a path there, by the first root that it is under."""
    return next((place for root in roots if (place := root.place(path)) is not None), None)


def _is_likely(mention: Mention, matcher: TrackMatcher, row: int) -> bool:
    """Whether nothing that is said speaks against a file, but for tags that were edited."""
    said = NamedTrack(mention.title, mention.artists, mention.album, mention.duration_seconds)
    track = matcher.name(row)
    if said.agrees(track) is not False:
        return True
    apart = said.apart(track)
    same_title = said.spelled_like(track) is not None
    return apart is not None and apart <= 1.5 and (same_title or _same_artist(said, track))


def _same_artist(said: NamedTrack, track: NamedTrack) -> bool:
    return said.performed_like(track) is not None


def _artists(child: Mapping[str, Any]) -> Iterable[str]:
    several = child.get("artists")
    names = (
        [one.get("name") for one in several if isinstance(one, dict)]
        if isinstance(several, list)
        else []
    )
    yield from dict.fromkeys(filter(None, map(_text, [*names, child.get("artist")])))


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
