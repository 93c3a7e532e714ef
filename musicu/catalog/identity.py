"""Who made a track, and what it is called, in a form that two spellings share."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from musicu.catalog.crediting import artist_key as artist_key
from musicu.catalog.crediting import credited, guests_in, without_guests
from musicu.catalog.folding import fold as fold
from musicu.catalog.folding import loose

Row = Mapping[str, Any]

_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}\d{7}")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
#: Words in a title which say that the recording is another one, by what they mean.
_VERSIONS = {
    "live": r"live|concert|unplugged|on stage",
    "remix": r"remix|remixed|rmx|mix|rework|bootleg|mashup|dub",
    "edit": r"edit|radio|short version|single version|album version|extended|full version|cut",
    "remaster": r"remaster|remastered|re-?recorded|re-?recording|rerecorded",
    "demo": r"demo|rehearsal|outtake|take \d+|alternate|alternative|early version|rough",
    "acoustic": r"acoustic|stripped|piano version|orchestral|string version",
    "instrumental": r"instrumental|karaoke|a ?cappella|backing track",
    "cover": r"cover|tribute|originally performed|made famous",
    "speed": r"slowed|sped up|nightcore|8-?bit|reverb",
    "part": r"part|pt|no|vol|reprise|interlude|intro|outro|movement|loop|version|v\d+|\d+",
}
#: From which cosine two tracks of one title and performer are versions of one work.
WORK_COSINE = 0.8
_BRACKETED = re.compile(r"[\(\[\{]([^\)\]\}]*)[\)\]\}]|\s[-–—~:]\s(.*)$")


def artist_keys(track: Row, known: Collection[str] = ()) -> frozenset[str]:
    """The performers of a track; of its album where the track names none; maybe none at all.

    Those whom the artists or the title say to be featured are among them. known: `artist_key`s;
    a name that looks joined ("Ann & Bo") is parted where a part of it is one of them.
    """
    artists, title = tuple(track.get("artists") or ()), track.get("title")
    if known:
        return _performers(artists, title, track.get("album_artist"), known)
    return _performers_of(artists, title, track.get("album_artist"))


def _performers(
    artists: tuple[str | None, ...],
    title: str | None,
    album_artist: str | None,
    known: Collection[str] = (),
) -> frozenset[str]:
    names = [*artists, guests_in(title)]
    keys = {key for name in names for key in credited(name, lambda part, _: part in known)}
    if not any(map(artist_key, artists)):
        keys.update(credited(album_artist, lambda part, _: part in known))
    return frozenset(keys)


#: Shelves ask the same of a track for each thing that it may share with another.
_performers_of = lru_cache(8192)(_performers)


def album_keys(track: Row) -> frozenset[tuple[str, ...]]:
    """Every way in which a track's album is known; two tracks that share one share the album.

    A title alone is not an album: there are many "Greatest Hits". It counts together with the
    album's artist, else the track's, and together with the folder that the file lies in.
    """
    keys: set[tuple[str, ...]] = set()
    if identifier := fold(track.get("musicbrainz_album_id")):
        keys.add(("musicbrainz", identifier))
    if title := fold(track.get("album")):
        owner = artist_key(track.get("album_artist"))
        owners = {owner} if owner else artist_keys(track)
        keys.update(("artist", title, name) for name in owners)
        folder = str(PurePosixPath(track.get("path") or "").parent)
        if folder != ".":
            keys.add(("folder", title, track.get("root") or "", folder))
    return frozenset(keys)


def title_key(title: str | None) -> str:
    """A title loosely spelled, without a featured performer: one thing only beside other evidence.

    "Help" and "Help!" share it, "15" and "1.5" do not.
    """
    return loose(without_guests(fold(title)))


def version_of(title: str | None) -> frozenset[str]:
    """Which versions a title names: kinds such as "live", and what stands beside them.

    Only words in brackets or after a dash count: "Live and Let Die" is not a live recording.
    """
    found: set[str] = set()
    for bracketed, after_dash in _BRACKETED.findall(fold(title)):
        words = bracketed or after_dash
        kinds = [k for k, form in _VERSIONS.items() if re.search(rf"\b(?:{form})\b", words)]
        if kinds:
            found.update(kinds, {"".join(c for c in words if c.isalnum())})
    return frozenset(found)


def work_title(title: str | None) -> str:
    """The title of the work, folded: without what names a version of it.

    Words in brackets or after a dash go where they name one ("(Live)", "- 2011 Remaster"); parts
    of a work ("Part 2", "Interlude") are works of their own and keep their names.
    """
    bare = fold(title)
    for found in list(_BRACKETED.finditer(bare)):
        words = found[1] or found[2] or ""
        kinds = {k for k, form in _VERSIONS.items() if re.search(rf"\b(?:{form})\b", words)}
        if kinds - {"part"}:
            bare = bare.replace(found[0], " ")
    bare = without_guests(" ".join(bare.split()))
    return bare if loose(bare) else without_guests(fold(title))


def work_key(title: str | None) -> str:
    """`work_title` loosely spelled, as `title_key` is."""
    return loose(work_title(title))


def same_work(a: Row, b: Row, cosine: float) -> bool:
    """Whether two tracks are versions of one work: a single version, a remaster, another length.

    Title and performer agree but for what names a version, and the vectors are near; or
    `musicu audit` says so.
    """
    heard = ("content_hash", "recording_id", "work_id")
    if any(a.get(name) and a.get(name) == b.get(name) for name in heard):
        return True
    if cosine < WORK_COSINE or not artist_keys(a) & artist_keys(b):
        return False
    title = work_key(a.get("title"))
    return bool(title) and title == work_key(b.get("title"))


def version_kinds(title: str | None) -> frozenset[str]:
    """The kinds of version that a title names, such as "live" or "remaster"; parts are none."""
    return version_of(title) & (_VERSIONS.keys() - {"part"})


def codes(track: Row) -> frozenset[str]:
    """The track's ISRC and MusicBrainz recording id, where they look like one."""
    isrc = re.sub(r"[\s-]", "", (track.get("isrc") or "").upper())
    recording = fold(track.get("musicbrainz_recording_id"))
    found = {isrc} if _ISRC.fullmatch(isrc) and set(isrc[5:]) != {"0"} else set()
    return frozenset(found | ({recording} if _UUID.fullmatch(recording) else set()))
