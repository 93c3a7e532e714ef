"""Names of tracks as people and programs damage them, to measure how well names are matched.

Each kind of damage is one that libraries show: slips of the pen, featured artists moved or added,
articles moved or dropped, remarks of a release, other spellings of joints, accents lost, German
umlauts written out, Cyrillic in Latin letters, punctuation lost, names cut as ID3v1 cuts them,
numbers of tracks before titles, all in capitals.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from anyascii import anyascii

_NEIGHBOURS = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o",
    "q": "wa", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip
_REMARKS = (
    " (Remastered)", " - 2011 Remaster", " (2009 Remastered Version)", " [Explicit]",
    " (Album Version)",
    " (Original Mix)", " - Remastered 2015", " (Bonus Track)", " [Digital Remaster]",
    " (Official Video)",
)  # fmt: skip
_GUESTS = ("DJ Ada", "Bo Larsen", "MC Nine", "Lena K", "The Choir")
_ID3V1 = 30


@dataclass(frozen=True, slots=True)
class TrackNames:
    """What is said of a track: title, credit and length in seconds."""

    title: str
    artist: str
    seconds: float | None = None


def damaged_names(
    names: TrackNames, rng: random.Random, count: int = 1
) -> tuple[TrackNames, tuple[str, ...]]:
    """The names with `count` kinds of damage, and which kinds; fewer where few change anything."""
    kinds = list(KINDS)
    rng.shuffle(kinds)
    done: list[str] = []
    for kind in kinds:
        if len(done) == count:
            break
        changed = KINDS[kind](names, rng)
        if changed != names and changed.title.strip() and changed.artist.strip():
            names = changed
            done.append(kind)
    return names, tuple(done)


def _slip(text: str, rng: random.Random) -> str:
    """One letter left out, doubled, swapped with the next, or its neighbour on the keyboard."""
    places = [at for at, letter in enumerate(text) if letter.isalpha()]
    if len(places) < 4:
        return text
    at = rng.choice(places[1:])
    letter = text[at]
    how = rng.randrange(4)
    if how == 0:
        return text[:at] + text[at + 1 :]
    if how == 1:
        return text[:at] + letter + text[at:]
    if how == 2 and at + 1 < len(text):
        return text[:at] + text[at + 1] + letter + text[at + 2 :]
    return text[:at] + rng.choice(_NEIGHBOURS.get(letter.lower(), letter)) + text[at + 1 :]


def _slip_in_title(names: TrackNames, rng: random.Random) -> TrackNames:
    return replace(names, title=_slip(names.title, rng))


def _slip_in_artist(names: TrackNames, rng: random.Random) -> TrackNames:
    return replace(names, artist=_slip(names.artist, rng))


def _guest(names: TrackNames, rng: random.Random) -> TrackNames:
    """A featured artist added to the title or the credit, or taken off."""
    if found := re.search(r"\s[(\[]?(?:feat|ft|featuring)\b.*$", names.artist, re.IGNORECASE):
        moved = found[0].strip(" ([])")
        title = f"{names.title} ({moved})" if rng.random() < 0.5 else names.title
        return replace(names, artist=names.artist[: found.start()], title=title)
    guest, mark = rng.choice(_GUESTS), rng.choice(("feat.", "ft.", "featuring", "Feat."))
    if rng.random() < 0.5:
        return replace(names, artist=f"{names.artist} {mark} {guest}")
    return replace(names, title=f"{names.title} ({mark} {guest})")


def _article(names: TrackNames, rng: random.Random) -> TrackNames:
    if names.artist.startswith("The "):
        rest = names.artist[4:]
        return replace(names, artist=rng.choice((rest, f"{rest}, The")))
    return replace(names, artist=f"The {names.artist}")


def _remark(names: TrackNames, rng: random.Random) -> TrackNames:
    return replace(names, title=names.title + rng.choice(_REMARKS))


def _joint(names: TrackNames, rng: random.Random) -> TrackNames:
    for mark, others in (
        (" & ", (" and ", ", ", " + ")),
        (" and ", (" & ",)),
        (", ", (" & ", "; ")),
    ):
        if mark in names.artist:
            return replace(names, artist=names.artist.replace(mark, rng.choice(others)))
    if " & " in names.title:
        return replace(names, title=names.title.replace(" & ", " and "))
    return replace(names, title=names.title.replace(" And ", " & "))


def _latin(names: TrackNames, rng: random.Random) -> TrackNames:
    """Accents lost, umlauts written out, other scripts in Latin letters."""
    written = (
        {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
        if rng.random() < 0.4
        else {}
    )
    texts = [
        anyascii("".join(written.get(c, c) for c in text)) for text in (names.title, names.artist)
    ]
    return replace(names, title=texts[0], artist=texts[1])


def _signs(names: TrackNames, rng: random.Random) -> TrackNames:
    plain = [
        re.sub(r"[^\w\s()\[\]&,-]", rng.choice(("", " ")), text)
        for text in (names.title, names.artist)
    ]
    return replace(names, title=plain[0], artist=plain[1])


def _case(names: TrackNames, rng: random.Random) -> TrackNames:
    change: Callable[[str], str] = rng.choice((str.upper, str.lower))
    return replace(names, title=change(names.title), artist=change(names.artist))


def _cut(names: TrackNames, rng: random.Random) -> TrackNames:
    return replace(names, title=names.title[:_ID3V1], artist=names.artist[:_ID3V1])


def _numbered(names: TrackNames, rng: random.Random) -> TrackNames:
    return replace(
        names, title=f"{rng.randrange(1, 20):02d}{rng.choice((' - ', '. ', ' '))}{names.title}"
    )


def _length(names: TrackNames, rng: random.Random) -> TrackNames:
    return replace(names, seconds=names.seconds and max(1.0, names.seconds + rng.uniform(-3, 3)))


#: Kinds of damage by name.
KINDS: dict[str, Callable[[TrackNames, random.Random], TrackNames]] = {
    "slip in the title": _slip_in_title,
    "slip in the artist": _slip_in_artist,
    "featured artist": _guest,
    "article": _article,
    "remark": _remark,
    "joint": _joint,
    "Latin letters": _latin,
    "signs": _signs,
    "case": _case,
    "cut at 30": _cut,
    "number": _numbered,
    "length": _length,
}
