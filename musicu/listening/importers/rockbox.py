"""Rockbox and other players: `.scrobbler.log`, the portable player logging of Audioscrobbler 1.1.

Lines that begin with # are its header: `#AUDIOSCROBBLER/1.1`, `#TZ/UTC` or `#TZ/UNKNOWN` (the
player's own clock, taken as UTC), `#CLIENT/…`. Each other line has, parted by tabs: artist, album,
title, track number, length in seconds, rating (L: listened to, S: skipped), the moment of the
start in seconds since 1970 and, where known, the MusicBrainz recording. Players without a clock
write 0 for the moment.
"""

from __future__ import annotations

from musicu.listening.importers.raw import RecordError, Records, Row

MARK = "#AUDIOSCROBBLER/"


def log_records(text: str) -> Records | None:
    """The lines of a log; None where the text is none."""
    lines = text.lstrip("\ufeff \r\n").splitlines()
    if not lines or not lines[0].startswith(MARK):
        return None
    return Records((line for line in lines if line.strip() and line[0] != "#"), _row)


def _row(line: str) -> Row:
    cells = [*line.split("\t"), ""]
    if len(cells) < 8:
        raise RecordError("not seven cells parted by tabs")
    artist, album, title, _, _, rating, moment, recording = cells[:8]
    if not title.strip():
        raise RecordError("no title")
    if rating.strip().upper() not in ("L", "S"):
        raise RecordError("rated neither L (listened) nor S (skipped)")
    return {
        "artist": artist,
        "album": album,
        "title": title,
        "timestamp": moment,
        "weight": -1.0 if rating.strip().upper() == "S" else 1.0,
        "recording_mbid": recording,
    }
