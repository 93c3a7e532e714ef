"""Spellings of one name made equal: by steps, from the sure to the loose.

- `exact`: NFC. Only what Unicode holds to be the same text anyway (UAX #15).
- `fold`: NFKC and case folded, without default-ignorable characters (as Unicode's NFKC_Casefold),
  typographic quotes and dashes as typewriters have them, blanks as one. Signs and marks stay:
  "Help!" is not "Help", and vowels of Hindi, Thai or Tamil are letters.
- `loose_texts`: letters, marks and digits alone, without the accents of Latin, Greek and Cyrillic.
  What is equal by no more than this may be something else, and is told so.
"""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa
import pyarrow.compute as pc

_IGNORED = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_IGNORABLE = re.compile(f"[{_IGNORED}]")
_PLAIN = str.maketrans(
    {**dict.fromkeys("‘’‛ʼ´", "'"), **dict.fromkeys("“”„‟", '"'), **dict.fromkeys("‐‑‒–—―−", "-")}
)
#: Blocks of combining marks for Latin, Greek and Cyrillic; other scripts have theirs elsewhere.
_ACCENTS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_DROPPED = re.compile(f"[{_IGNORED}{_ACCENTS}]+")
_APOSTROPHES = re.compile("['’‘ʼ`]+")


def exact(text: str | None) -> str:
    """Text as it is, but for how its accents are stored, and blanks at its ends."""
    return unicodedata.normalize("NFC", text or "").strip()


def fold(text: str | None) -> str:
    """Text without case, width and surplus blanks: equal for one name however it is typed."""
    if not text or text.isascii():
        return " ".join((text or "").casefold().split())
    plain = unicodedata.normalize("NFKC", text.translate(_PLAIN)).casefold()
    return " ".join(unicodedata.normalize("NFKC", _IGNORABLE.sub("", plain)).split())


def loose(text: str | None) -> str:
    """One text as `loose_texts` makes it."""
    raw = (text or "").lower()
    if not raw.isascii():
        raw = _DROPPED.sub("", unicodedata.normalize("NFKD", raw).lower())
    plain = _APOSTROPHES.sub("", raw).replace("ß", "ss").replace("ς", "σ")
    kept = [c if c.isalnum() or unicodedata.category(c)[0] in "LMN" else " " for c in plain]
    return " ".join("".join(kept).split()) or raw.strip()


def loose_texts(values: pa.Array) -> pa.Array:
    """Texts by their letters, marks and digits, words apart by one space; null becomes "".

    A name without any ("???", "♥") keeps its signs.
    """
    encoded = pc.fill_null(values, "").dictionary_encode()  # names repeat: read each once
    raw = pc.utf8_lower(pc.utf8_normalize(encoded.dictionary, form="NFKD"))
    raw = pc.replace_substring_regex(raw, _DROPPED.pattern, "")
    text = pc.replace_substring_regex(raw, _APOSTROPHES.pattern, "")
    for letter, plain in (("ß", "ss"), ("ς", "σ")):
        text = pc.replace_substring(text, letter, plain)
    text = pc.utf8_trim_whitespace(pc.replace_substring_regex(text, r"[^\p{L}\p{M}\p{N}]+", " "))
    text = pc.if_else(pc.equal(text, ""), pc.utf8_trim_whitespace(raw), text)
    return text.take(encoded.indices)
