"""What somebody says of a track, and how well it fits one of a catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import PurePath
from typing import NamedTuple

from musicu.catalog.crediting import artist_key, credited, without_guests
from musicu.catalog.folding import exact, fold, loose
from musicu.catalog.identity import title_key, version_of

#: Lengths that differ by less speak for one recording, by more against it.
_NEAR_SECONDS, _APART_SECONDS = 3.0, 10.0
#: How alike two names are spelled, from the surest: the same, folded, but for a version's brackets
#: ("Song (Remastered 2011)"), loosely.
EXACT, FOLDED, BARE, LOOSE = range(4)

_SAME_RECORDING = frozenset({"remaster"})
_BRACKETS = re.compile(r"\s*(?:[\(\[\{][^\)\]\}]*[\)\]\}]|\s[-–—]\s.*$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A track as somebody names it; what is not said is None.

    file: where it lies on some disk, as a path of any system. artists: as they are written, one
    text or several. track_id: of the catalog.
    """

    file: PurePath | str | None = None
    title: str | None = None
    artists: tuple[str, ...] = ()
    album: str | None = None
    duration_seconds: float | None = None
    isrc: str | None = None
    musicbrainz_recording_id: str | None = None
    track_id: str | None = None


class NamedTrack:
    """A track's title, artists, album and length, to be compared with what is said of one."""

    def __init__(
        self,
        title: str | None,
        artists: tuple[str, ...],
        album: str | None = None,
        seconds: float | None = None,
    ) -> None:
        self.title = title or ""
        self.artists = tuple(name for name in artists if name)
        self.album = fold(album)
        self.seconds = seconds

    @cached_property
    def _written(self) -> frozenset[str]:
        return frozenset(map(exact, self.artists))

    @cached_property
    def _credits(self) -> list[_CreditKeys]:
        joined = [", ".join(self.artists)] if len(self.artists) > 1 else []
        return [_keys_of(name) for name in (*self.artists, *joined)]

    @property
    def loose_artists(self) -> frozenset[str]:
        """The artists and the parts of joined credits, loosely spelled."""
        return frozenset().union(*(credit.loose_parts for credit in self._credits))

    def spelled_like(self, other: NamedTrack) -> int | None:
        """How alike titles and artists are spelled, at worst; None where they are others."""
        title, artist = _title_spelling(self.title, other.title), self.performed_like(other)
        return None if title is None or artist is None else max(title, artist)

    def performed_like(self, other: NamedTrack) -> int | None:
        """How alike the artists are spelled; None where they are others."""
        if not self._written.isdisjoint(other._written):
            return EXACT
        pairs = [(a, b) for a in self._credits for b in other._credits]
        if any(a.key in b.parts or b.key in a.parts for a, b in pairs):
            return FOLDED
        is_loose = any(a.loose in b.loose_parts or b.loose in a.loose_parts for a, b in pairs)
        return LOOSE if is_loose else None

    def agrees(self, other: NamedTrack) -> bool | None:
        """Whether tags or length say that two are one recording; None where they say nothing."""
        said: list[bool] = []
        if self.title and other.title:
            said.append(_title_spelling(self.title, other.title) is not None)
        if self.artists and other.artists:
            said.append(self.performed_like(other) is not None)
        apart = self.apart(other)
        if apart is not None and not _NEAR_SECONDS < apart <= _APART_SECONDS:
            said.append(apart <= _NEAR_SECONDS)
        return all(said) if said else None

    def apart(self, other: NamedTrack) -> float | None:
        """By how many seconds the lengths differ; None where one is not known."""
        if self.seconds is None or other.seconds is None:
            return None
        return abs(self.seconds - other.seconds)

    def may_last(self, other: NamedTrack) -> bool:
        """Whether the lengths can be those of one recording."""
        return (self.apart(other) or 0.0) <= _APART_SECONDS


class _CreditKeys(NamedTuple):
    """The keys of a credit as a whole, and with its parts; none is ""."""

    key: str
    parts: frozenset[str]
    loose: str
    loose_parts: frozenset[str]


@lru_cache(1 << 16)
def _keys_of(name: str) -> _CreditKeys:
    key = artist_key(name)
    parts = frozenset([key, *credited(name, lambda part, whole: True)]) - {""}
    return _CreditKeys(key or "\0", parts, loose(key) or "\0", frozenset(map(loose, parts)))


def bare_key(title: str | None) -> str:
    """A title's key without what stands in brackets or after a dash, but with the version named."""
    return f"{title_key(_BRACKETS.sub('', title or ''))}|{_version(title)}"


def has_brackets(title: str) -> bool:
    """Whether `bare_key` takes something off a title."""
    return bool(_BRACKETS.search(title))


@lru_cache(1 << 16)
def _title_spelling(title: str, other: str) -> int | None:
    if exact(title) == exact(other):
        return EXACT
    if without_guests(fold(title)) == without_guests(fold(other)):
        return FOLDED
    bare, bare_too = (without_guests(fold(_BRACKETS.sub("", t))) for t in (title, other))
    if bare and bare == bare_too and _version(title) == _version(other):
        return BARE
    same = title_key(title) == title_key(other) or bare_key(title) == bare_key(other)
    return LOOSE if same and title_key(title) else None


def _version(title: str | None) -> str:
    """The versions that a title names, but remasters and the years beside them."""
    versions = version_of(title)
    return "" if versions & _SAME_RECORDING else ",".join(sorted(versions))


def stem(path: str) -> str:
    """A file's name without its ending."""
    file = path.rsplit("/", 1)[-1]
    return file.rsplit(".", 1)[0] or file
