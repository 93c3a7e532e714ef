"""The kinds of findings of an audit, and the record of one finding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Each kind of finding with its meaning, the gravest first.
KINDS = {
    "corrupt": "the file cannot be read or decoded",
    "unread": "not decoded here: it needs an optional dependency, or the file has moved",
    "undescribed": "it can be decoded, but its descriptors could not be computed: see the reason",
    "truncated": "the file ends before its own header or structure says",
    "silent": "the mean level is below -60 dBFS",
    "duplicates": "one recording in several files, for certain",
    "names": "files of one recording name different artists or titles: one of them is wrong",
    "alike": "may be one recording, or two mixes of it: listen; nothing is done about them",
    "versions": "several versions of one work: no fault, they are linked",
    "clipped": "flat tops at the highest level",
    "one-sided": "one of two channels is silent",
    "mono-in-stereo": "two channels hold the same sound",
    "padded": "more than 5 s of silence at the beginning or the end",
    "length": "the header gives another length than can be decoded",
    "artists": "no performer is named, or a placeholder",
    "titles": "no title, or a placeholder",
    "letters": "a name in the letters of another encoding",
    "dates": "an impossible date, or one that differs from its album's",
    "codes": "one ISRC or MusicBrainz id on different recordings",
    "genres": "sounds like another genre than its tag: a guess, to be checked by ear",
    "long": "longer than 20 minutes: perhaps a mix, a whole album or spoken word",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its kind (of `KINDS`), the tracks, a sentence, and its numbers."""

    kind: str
    track_ids: tuple[str, ...]
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
