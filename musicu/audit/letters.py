"""Text that was read in another encoding than it was written in ("Ìóçûêà" for "Музыка").

Old taggers wrote the letters of the system's code page into tags that mean Latin-1; others read
UTF-8 as Windows-1252. Both leave letters that no language strings together so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from musicu.audit.findings import Finding

_FIELDS = ("title", "artists", "album_artist", "album")
_LEAST = 4  # letters; fewer prove nothing


def letter_findings(tracks: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """A finding for each track with a name in the wrong letters."""
    for track in tracks:
        told = ((name, text) for name in _FIELDS for text in _texts(track[name]))
        for name, text in told:
            found = repaired(text)
            if found is not None:
                why = f"the {name.replace('_', ' ').removesuffix('s')} {text!r} is in the letters"
                why += f" of another encoding: {found!r}?" if found else " of another encoding"
                yield Finding("letters", (track["track_id"],), why, {"text": text, "read": found})
                break


def repaired(text: str) -> str | None:
    """What a text in the wrong letters was meant to be, "" where nobody knows; None: it is right.

    Every byte must have its place: UTF-8 read as Windows-1252 decodes back, and text of which most
    letters are the accented ones of Latin-1 was of another alphabet.
    """
    if text.isascii():
        return None
    raw = _bytes(text)
    if raw is None:
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    high = sum(byte >= 0xC0 or byte in b"\xa8\xb8" for byte in raw)
    letters = high + sum(65 <= byte & 0xDF <= 90 for byte in raw if byte < 128)
    if high < _LEAST or high < 0.7 * letters or not _runs(raw):
        return None
    return _cyrillic(raw)


def _bytes(text: str) -> bytes | None:
    """The bytes that were read as Latin-1 or Windows-1252; None where a letter is of neither."""
    raw = bytearray()
    for character in text:
        if ord(character) < 256:
            raw.append(ord(character))
            continue
        try:
            raw += character.encode("cp1252")
        except UnicodeEncodeError:
            return None
    return bytes(raw)


def _runs(raw: bytes) -> bool:
    """Whether four letters beyond ASCII stand in a row, as they do in no Latin spelling."""
    run = longest = 0
    for byte in raw:
        run = run + 1 if byte >= 0xA0 else 0
        longest = max(longest, run)
    return longest >= _LEAST


def _cyrillic(raw: bytes) -> str:
    """The text in the Cyrillic code page whose capitals stand where capitals do, else ""."""
    for encoding in ("cp1251", "koi8-r"):
        text = raw.decode(encoding, "replace")
        beyond = [c for c in text if not c.isascii() and c.isalpha()]
        cyrillic = sum(unicodedata.name(c, "").startswith("CYRILLIC") for c in beyond)
        words = [word for word in text.split() if word.isalpha() and not word.isascii()]
        cased = all(word.istitle() or word.islower() or word.isupper() for word in words)
        if beyond and cyrillic == len(beyond) and words and cased:
            return text
    return ""


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if text]
