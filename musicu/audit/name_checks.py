"""Files of one recording whose tags name different artists or titles: one of them is wrong.

Missing tags, placeholders, spellings, guests, alphabets and words for a version contradict nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from rapidfuzz.distance import OSA

from musicu.audit.findings import Finding
from musicu.audit.letters import repaired
from musicu.audit.tag_checks import is_placeholder
from musicu.catalog.crediting import artist_key
from musicu.catalog.folding import loose
from musicu.catalog.identity import artist_keys, version_kinds, work_key
from musicu.records import counted

Row = Mapping[str, Any]

#: From which alikeness two names are two spellings of one: an edit in five letters.
_SPELLING = 0.8
_NUMBER = re.compile(r"\d+")
_TRACK_NUMBER = re.compile(r"\d{1,3} (?=\D)")


def name_findings(rows: Sequence[Row]) -> Iterator[Finding]:
    """A finding for each recording of which files name different artists or titles."""
    recordings: dict[str, list[Row]] = {}
    for row in rows:
        recording = row.get("recording_id") or row["content_hash"]
        if recording is not None:
            recordings.setdefault(recording, []).append(row)
    groups = [by_name(files) for files in recordings.values() if len(files) > 1]
    groups = [names for names in groups if len(names) > 1]
    if groups:
        others = _Others(rows, groups)
        yield from (_contradiction([others.claim(files) for files in names]) for names in groups)


def by_name(files: Sequence[Row]) -> list[list[Row]]:
    """Files in groups of which no two contradict each other; without those that say nothing."""
    groups: list[list[Row]] = []
    for file in files:
        if not _title(file) and not artist_keys(file):
            continue
        for group in groups:
            if not any(contradict(file, other) for other in group):
                group.append(file)
                break
        else:
            groups.append([file])
    return groups


def contradict(a: Row, b: Row) -> bool:
    """Whether the tags of two files cannot both be right about one recording."""
    return _other_artist(a, b) or _other_title(_title(a), _title(b))


def _other_artist(a: Row, b: Row) -> bool:
    known = artist_keys(a) | artist_keys(b)
    ours, theirs = (_credited(row, known) for row in (a, b))
    if not artist_keys(a) or not artist_keys(b):
        return False
    return not any(_one_name(name, other) for name in ours for other in theirs)


def _credited(row: Row, known: frozenset[str]) -> set[str]:
    """All whom a track credits: its performers, its album's, and who wrote it."""
    more = (row.get("album_artist"), *(row.get("composers") or ()))
    names = {*artist_keys(row, known), *map(artist_key, more)}
    return {loose(name) for name in names if name and repaired(name) is None}


def _title(row: Row) -> str:
    """The title without what names a version, "" where it says nothing."""
    title = row["title"] or ""
    return "" if is_placeholder(title) or repaired(title) is not None else work_key(title)


def _other_title(a: str, b: str) -> bool:
    if not a or not b:
        return False
    bare, bare_too = (_TRACK_NUMBER.sub("", title, count=1) for title in (a, b))
    return not (_one_name(a, b) or _one_name(bare, b) or _one_name(a, bare_too))


def _one_name(a: str, b: str) -> bool:
    """Whether two loosely spelled names may be one: a misspelling, or one is a part of the other.

    Names in two alphabets may always be one.
    """
    if a.replace(" ", "") == b.replace(" ", "") or _is_latin(a) != _is_latin(b):
        return True
    if sorted(_NUMBER.findall(a)) != sorted(_NUMBER.findall(b)):
        return False
    words, others = set(a.split()), set(b.split())
    return words <= others or others <= words or OSA.normalized_similarity(a, b) >= _SPELLING


def _is_latin(text: str) -> bool:
    return any("a" <= letter <= "z" for letter in text) or not any(map(str.isalpha, text))


@dataclass(frozen=True, slots=True)
class _Claim:
    """A name of a recording, the files that bear it, and what else in the catalog says of it.

    taken: whether another recording has this name. beside: other files of their folders that are
    of its artist or album.
    """

    files: Sequence[Row]
    taken: bool
    beside: int

    @property
    def name(self) -> str:
        """The name in words."""
        title = next((file["title"] for file in self.files if _title(file)), None)
        credits = ((*(file["artists"] or ()), file["album_artist"]) for file in self.files)
        artist = next((name for names in credits for name in names if artist_key(name)), None)
        if title:
            return f"{title!r} by {artist}" if artist else repr(title)
        return artist or ", ".join(sorted(artist_keys(self.files[0])))

    @property
    def strength(self) -> tuple[int, ...]:
        """What speaks for the name; the more, the better."""
        return not self.taken, self.beside > 0, len(self.files)

    def beats(self, other: _Claim) -> bool:
        """Whether more speaks for this name, and nothing speaks more for the other."""
        pairs = list(zip(self.strength, other.strength, strict=True))
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


class _Others:
    """The rest of the catalog, as it bears on names that contradict each other."""

    def __init__(self, rows: Sequence[Row], groups: Sequence[Sequence[Sequence[Row]]]) -> None:
        files = [file for names in groups for group in names for file in group]
        folders, titles = {_folder(file) for file in files}, {_title(file) for file in files} - {""}
        self._beside: dict[tuple[Any, str], list[Row]] = {folder: [] for folder in folders}
        self._called: dict[str, list[Row]] = {title: [] for title in titles}
        for row in rows:
            if (folder := _folder(row)) in folders:
                self._beside[folder].append(row)
            if (title := _title(row)) in titles:
                self._called[title].append(row)

    def claim(self, files: Sequence[Row]) -> _Claim:
        """The name of these files."""
        taken = any(
            artist_keys(file) & artist_keys(row)
            and version_kinds(file["title"]) == version_kinds(row["title"])
            for file in files
            for row in self._called.get(_title(file), ())
            if _work(row) != _work(file)
        )
        beside = {
            row["track_id"]
            for file in files
            for row in self._beside[_folder(file)]
            if _recording(row) != _recording(file) and _one_artist_or_album(row, file)
        }
        return _Claim(files, taken, len(beside))


def _folder(row: Row) -> tuple[Any, str]:
    return row["root"], str(PurePosixPath(row["path"] or "").parent)


def _recording(row: Row) -> Any:
    return row.get("recording_id") or row["content_hash"] or row["track_id"]


def _work(row: Row) -> Any:
    return row.get("work_id") or _recording(row)


def _one_artist_or_album(a: Row, b: Row) -> bool:
    album = loose(a["album"])
    return bool(artist_keys(a) & artist_keys(b) or (album and album == loose(b["album"])))


def _contradiction(claims: Sequence[_Claim]) -> Finding:
    """The finding on one recording; the files of the name that is likely right come first."""
    likely = [
        one for one in claims if all(one.beats(other) for other in claims if other is not one)
    ]
    ordered = [*likely, *(one for one in claims if one not in likely)]
    said = " and ".join(one.name for one in ordered)
    verdict = (
        f"likely {likely[0].name}: {_why(likely[0], ordered[1:])}"
        if likely
        else "nothing else in the catalog tells which is right"
    )
    names = [
        {"name": one.name, "track_ids": [file["track_id"] for file in one.files]} for one in ordered
    ]
    ids = tuple(file["track_id"] for one in ordered for file in one.files)
    values = {"names": names, "likely": likely[0].name if likely else None}
    return Finding("names", ids, f"one recording is tagged {said}; {verdict}", values)


def _why(likely: _Claim, others: Sequence[_Claim]) -> str:
    """What speaks for one name and against the others."""
    reasons = []
    if taken := [one.name for one in others if one.taken and not likely.taken]:
        reasons.append(f"another recording is called {taken[0]}")
    if likely.beside and not all(one.beside for one in others):
        files = counted(likely.beside, "other file")
        reasons.append(f"{files} in its folder {_verb(likely.beside)} of that artist or album")
    if len(likely.files) > max(len(one.files) for one in others):
        every = len(likely.files) + sum(len(one.files) for one in others)
        reasons.append(f"{len(likely.files)} of {every} files say so")
    return ", and ".join(reasons)


def _verb(count: int) -> str:
    return "is" if count == 1 else "are"
