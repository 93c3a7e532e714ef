"""Titles and credits in forms that survive how people write them.

A title loses whom it says to be featured, and brackets or endings that tell nothing of the
recording ("(Album Version)", "- 2011 Remaster", "[Explicit]"). What names a version ("Live",
"Ann's Remix") is kept apart, as it must agree. The rest is letters and digits of ASCII: accents go,
other scripts are transliterated (anyascii), articles and joints ("The", "&", "and") of credits go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from anyascii import anyascii

from musicu.catalog.folding import loose_texts

#: What says nothing of which recording it is.
_NOISE = re.compile(
    r"\b(?:remaster(?:ed)?|explicit|clean|album version|lp version|"
    r"original (?:mix|version|recording)|bonus(?: track)?|mono|stereo|deluxe|"
    r"anniversary|digital|official|video|audio|lyrics?|hd|hq"
    r")\b",
    re.IGNORECASE,
)
_VERSION = re.compile(
    r"\b(?:live|concert|unplugged|sessions?|remix(?:ed)?|rmx|mix(?:ed)?|rework(?:ed)?|bootleg|"
    r"mash-?up|dub|edit|"
    r"radio|single version|extended|short|full|long|version|cut|re-?record(?:ed|ing)|demo|"
    r"rehearsal|outtake|"
    r"take \d+|alternat(?:e|ive)|early|rough|acoustic|stripped|orchestral|instrumental|karaoke|"
    r"a ?cappella|"
    r"backing|cover|tribute|slowed|sped|nightcore|8-?bit|reprise|interlude|intro|outro|part|pt|"
    r"vol(?:ume)?|"
    r"movement|vip|dj|club|vocal)\b",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"[(\[{]([^)\]}]*)(?:[)\]}]|$)")
_DASH = re.compile(r"\s[-–—~]\s(.*)$")
_GUESTS = re.compile(
    r"[\s(\[{]+(?:featuring|feat|ft|f/)(?:\.|\s).*?(?=\s+[(\[{]|\s[-–—]\s|$)", re.IGNORECASE
)
_SPECIAL = r"(?i)[(\[{]|\s[-–—~]\s|\s(?:featuring|feat|ft|f/)[.\s]"
_CREDIT_GUESTS = r"(?i)[\s(\[]+(?:featuring|feat|ft)\b.*$"
_JOINTS = r"\b(?:the|and|und|et)\b"
_NOBODY = "^(?:various artists?|various|va|unknown(?: artist)?|artist|n a|none)$"


@dataclass(frozen=True, slots=True, eq=False)
class NameForms:
    """Names of some rows. title: words of the whole; bare: without subtitles in brackets; version:
    what is said to be the version, "" where nothing; artist: words of the credit without guests, ""
    where it names nobody. String arrays [rows].
    """

    title: pa.Array
    bare: pa.Array
    version: pa.Array
    artist: pa.Array

    def take(self, rows: pa.Array) -> NameForms:
        """Some of the rows."""
        return NameForms(*(getattr(self, name).take(rows) for name in self.__slots__))


def name_forms(titles: pa.Array, artists: pa.Array) -> NameForms:
    """The forms of titles and credits; null becomes ""."""
    return NameForms(*_title_forms(titles), artist_forms(artists))


def artist_forms(artists: pa.Array) -> pa.Array:
    """Words of credits, without guests and articles."""
    coded = pc.fill_null(artists, "").dictionary_encode()
    names = pc.replace_substring_regex(coded.dictionary, _CREDIT_GUESTS, "")
    words = _ascii(loose_texts(names))
    short = _words(pc.replace_substring_regex(words, _JOINTS, " "))
    words = pc.if_else(pc.equal(short, ""), words, short)  # The The
    words = pc.if_else(pc.match_substring_regex(words, _NOBODY), "", words)
    return words.take(coded.indices)


def packed(words: pa.Array) -> pa.Array:
    """Texts without their spaces."""
    return pc.replace_substring(words, " ", "")


def without_article(words: pa.Array) -> pa.Array:
    """Titles without an article at their beginning."""
    return pc.replace_substring_regex(words, r"^(?:the|a|an) (.)", r"\1")


def _title_forms(titles: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    titles = pc.fill_null(titles, "")
    special = pc.match_substring_regex(titles, _SPECIAL)
    if not pc.any(special).as_py():
        whole = _title_words(titles)
        return whole, whole, pa.array([""] * len(titles), pa.string())
    rows = np.flatnonzero(special)
    parts = [split_title(title) for title in titles.take(pa.array(rows)).to_pylist()]
    wholes, bares, versions = (pa.array(texts, pa.string()) for texts in zip(*parts, strict=True))
    forms = _title_words(pc.replace_with_mask(titles, special, wholes))
    bare = pc.replace_with_mask(forms, special, _title_words(bares))
    empty = pa.array([""] * len(titles), pa.string())
    return forms, bare, pc.replace_with_mask(empty, special, _ascii(loose_texts(versions)))


def _title_words(titles: pa.Array) -> pa.Array:
    """Words of titles, without "and", for which others write "&"."""
    words = _ascii(loose_texts(titles))
    joined = pc.match_substring_regex(words, r" (?:and|und|et) ")
    if not pc.any(joined).as_py():
        return words
    return pc.if_else(joined, pc.replace_substring_regex(words, r" (?:and|und|et) ", " "), words)


@lru_cache(1 << 15)
def split_title(title: str) -> tuple[str, str, str]:
    """A title without guests and noise; the same without subtitles; and the version it names."""
    text = _GUESTS.sub(" ", title)
    whole, bare, versions = [], [], []
    dash = _DASH.search(text)
    ending = dash[1] if dash else ""
    if dash and _tells_version(ending):
        text = text[: dash.start()]
        versions += [] if _is_noise(ending) else [_BRACKETS.sub(r" \1 ", ending)]
    at = 0
    for found in _BRACKETS.finditer(text):
        before = text[at : found.start()]
        whole.append(before)
        bare.append(before)
        at = found.end()
        if _is_noise(found[1]):
            continue
        if _VERSION.search(found[1]):
            versions.append(found[1])
        else:
            whole.append(f" {found[1]} ")
    whole.append(text[at:])
    bare.append(text[at:])
    made, short = "".join(whole).strip(), "".join(bare).strip()
    if not any(c.isalnum() for c in made):
        return title, title, ""
    return made, short if any(c.isalnum() for c in short) else made, " ".join(versions)


def _tells_version(words: str) -> bool:
    return bool(_VERSION.search(words) or _NOISE.search(words))


def _is_noise(words: str) -> bool:
    """Whether words in brackets say nothing that another recording would not share."""
    if not words.strip() or re.fullmatch(r"\s*(?:\d{4})?\s*", words):
        return True
    rest = _NOISE.sub("", words)
    return rest != words and not _VERSION.search(re.sub(r"(?i)\bversion\b", "", rest))


def _ascii(words: pa.Array) -> pa.Array:
    """Words in ASCII; other scripts transliterated."""
    foreign = pc.invert(pc.string_is_ascii(words))
    if not pc.any(foreign).as_py():
        return words
    made = [_transliterated(text) for text in words.filter(foreign).to_pylist()]
    return pc.replace_with_mask(words, foreign, pa.array(made, pa.string()))


@lru_cache(1 << 15)
def _transliterated(text: str) -> str:
    plain = anyascii(text).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in plain).split()) or text


def _words(texts: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, r"\s+", " "))
