"""Findings in the tags: missing, impossible or contradictory values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from musicu.audit.findings import Finding
from musicu.audit.letters import letter_findings
from musicu.catalog.identity import album_keys, artist_keys, codes, fold
from musicu.tags.dates import parse_date

Row = Mapping[str, Any]

#: Edison's phonograph: no recording is older.
FIRST_YEAR = 1877
#: Releases are announced at most this far ahead.
_DAYS_AHEAD = 730
_PLACEHOLDER = re.compile(r"(?:(?:audio)?track|untitled|unknown|titel|piste|pista)?[\s_#-]*\d*")


def tag_findings(tracks: Sequence[Row], today: date) -> Iterator[Finding]:
    """Performers, titles, dates and letters that are missing or impossible.

    today: release dates up to two years after it are accepted.
    """
    for track in tracks:
        if not artist_keys(track):
            yield Finding("artists", (track["track_id"],), _no_artist(track))
        if is_placeholder(track["title"]):
            why = f"is called {track['title']!r}" if fold(track["title"]) else "has no title"
            yield Finding("titles", (track["track_id"],), why)
        yield from _impossible_dates(track, today)
    yield from _odd_years(tracks)
    yield from letter_findings(tracks)


def is_placeholder(title: str | None) -> bool:
    """Whether a title names nothing: "Track 01", or none at all."""
    folded = fold(title)
    return bool(_PLACEHOLDER.fullmatch(folded)) and not folded.isdigit()


def _no_artist(track: Row) -> str:
    named = [name for name in (*(track["artists"] or ()), track["album_artist"]) if name]
    return f"its performer is {named[0]!r}, a placeholder" if named else "no performer is named"


def _impossible_dates(track: Row, today: date) -> Iterator[Finding]:
    """Dates before recording began, too far ahead, or before the first release."""
    first, own = parse_date(track["original_date"] or ""), parse_date(track["date"] or "")
    for known in filter(None, (own, first)):
        if known.year < FIRST_YEAR:
            why = f"{known.text} is before sound was recorded"
        elif (known.first_day - today).days > _DAYS_AHEAD:
            why = f"{known.text} is far ahead"
        else:
            continue
        yield Finding("dates", (track["track_id"],), why, {"date": known.text})
        return
    if own and first and own.year < first.year:
        why = f"dated {own.text}, before its first release in {first.text}"
        yield Finding("dates", (track["track_id"],), why, {"date": own.text})


def _odd_years(tracks: Sequence[Row]) -> Iterator[Finding]:
    """Tracks whose year differs from that of at least 80 % of the others on their album."""
    albums: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for track in tracks:
        known = parse_date(track["date"] or "")
        for key in sorted(album_keys(track))[:1] if known and not track["compilation"] else ():
            albums.setdefault(key, []).append((track["track_id"], known.year if known else 0))
    for found in albums.values():
        (year, count), *_ = Counter(year for _, year in found).most_common(1)
        for track_id, own in found:
            if own != year and count >= 4 and count >= 0.8 * (len(found) - 1):
                why = f"dated {own} on an album of {year}"
                yield Finding("dates", (track_id,), why, {"year": own, "album_year": year})


def code_findings(tracks: Sequence[Row]) -> Iterator[Finding]:
    """One ISRC or MusicBrainz recording id on tracks of different works."""
    shared: dict[str, dict[str, str]] = {}
    for track in tracks:
        if track.get("work_id"):
            for code in codes(track):
                shared.setdefault(code, {}).setdefault(track["work_id"], track["track_id"])
    for code, works in sorted(shared.items()):
        if len(works) > 1:
            ids = tuple(works.values())
            yield Finding("codes", ids, f"{code} is on {len(ids)} recordings", {"code": code})
