"""What an audit can find, and the small value in which it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Each kind of finding with what it means, the gravest first.
KINDS = {
    "corrupt": "the file cannot be read, or nothing can be made of it",
    "unread": "not heard here: it needs an optional dependency, or is not where it was",
    "undescribed": "it sounds, but tempo, key and the like cannot be told: see why",
    "truncated": "the file ends before its own header or structure says",
    "silent": "nothing sounds: the mean level is under -60 dBFS",
    "duplicates": "one recording in several files",
    "versions": "several versions of one work: nothing is wrong, they are linked",
    "clipped": "flat tops at the highest level",
    "one-sided": "one of two channels is silent",
    "mono-in-stereo": "two channels hold the same sound",
    "padded": "more than 5 s of silence at the beginning or the end",
    "length": "the header gives another length than can be heard",
    "artists": "no performer is named, or a placeholder",
    "titles": "no title, or a placeholder",
    "letters": "a name in the letters of another encoding",
    "dates": "a date that cannot be, or stands out on its album",
    "codes": "one ISRC or MusicBrainz id on recordings that sound different",
    "genres": "sounds like another genre than its tag says: a guess, worth a listen",
    "long": "longer than 20 minutes: a mix, a whole album or spoken word, or just long",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: its kind (of `KINDS`), the tracks, a sentence, and the numbers behind it."""

    kind: str
    track_ids: tuple[str, ...]
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
