"""Musical keys as people write them in tags, and which of them are neighbours."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11, "h": 11}
_WRITTEN = re.compile(r"([a-h])\s*(#|♯|b|♭|sharp|flat)?\s*(major|maj|minor|min|m|dur|moll)?", re.I)
_CAMELOT = re.compile(r"(\d{1,2})\s*([ab])", re.I)
_OPEN_KEY = re.compile(r"(\d{1,2})\s*([dm])", re.I)


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic, 0 (C) to 11 (B), and a mode."""

    tonic: int
    minor: bool

    @property
    def name(self) -> str:
        """As people say it: "Eb major"."""
        return f"{_NAMES[self.tonic]} {'minor' if self.minor else 'major'}"

    @property
    def hour(self) -> int:
        """The place on the Camelot wheel, 1 to 12: C major and A minor are 8."""
        fifths = 7 * (self.tonic + (3 if self.minor else 0))
        return (fifths + 7) % 12 + 1

    @property
    def camelot(self) -> str:
        """As DJs write it: "8A" for A minor, "8B" for C major."""
        return f"{self.hour}{'A' if self.minor else 'B'}"


def parse_key(text: str | None) -> Key | None:
    """A key from a tag: "Am", "F# minor", "Ebmaj", Camelot "8A" or Open Key "1m"; else None."""
    text = (text or "").strip()
    for form, letter, first in ((_CAMELOT, "a", 8), (_OPEN_KEY, "m", 1)):
        if (wheel := form.fullmatch(text)) and 1 <= int(wheel[1]) <= 12:
            minor = wheel[2].lower() == letter
            fifths = int(wheel[1]) - first  # from A minor and C major, clockwise
            return Key((7 * fifths + (9 if minor else 0)) % 12, minor)
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return None
    step, sign, mode = written[1], (written[2] or "").lower(), written[3] or ""
    shift = 0 if not sign else (1 if sign in {"#", "♯", "sharp"} else -1)
    minor = mode == "m" or mode.lower() in {"minor", "min", "moll"}
    if step in "hH" and not sign:
        return Key(11, minor)
    return Key((_STEPS[step.lower()] + shift) % 12, minor)


def relation(a: Key, b: Key) -> str | None:
    """ "same", "relative" (A minor to C major), "fifth" (a step on the circle), or None."""
    if a == b:
        return "same"
    if a.minor == b.minor:
        return "fifth" if (a.tonic - b.tonic) % 12 in (5, 7) else None
    minor, major = (a, b) if a.minor else (b, a)
    return "relative" if (minor.tonic + 3) % 12 == major.tonic else None
