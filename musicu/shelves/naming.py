"""Names for groups of tracks: by their tags, else by how they differ from the catalog."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.identity import Row, artist_keys, fold
from musicu.catalog.words import one_line
from musicu.shelves.character import Character
from musicu.shelves.shelf import ShelfTrack

#: A tag names a group where at least this share of it has the tag, ...
TAG_SHARE = 0.3
#: ... and it is at least so many times as common there as elsewhere.
TAG_LIFT = 1.5
#: A descriptor names a group whose median lies so many spreads from the catalog's.
CONTRAST = 0.3
#: An artist names a group of which this share is theirs.
ARTIST_SHARE = 0.4
#: A decade names a group of which this share is of it.
ERA_SHARE = 0.4
MAX_WORDS = 2


class Namer:
    """Names groups of one catalog's tracks by what sets them apart."""

    def __init__(self, tracks: pa.Table, character: Character) -> None:
        """Count the catalog's genres, and keep its descriptors' spreads."""
        self._character = character
        self._total = max(1, tracks.num_rows)
        self._spread = genre_counts(tracks["genres"])

    def name(self, rows: Sequence[Row]) -> str:
        """A name such as "Chiptune, fast and bright" or "Slow, dark"; "Mixed" where none fits."""
        tags, words = self.tags(rows)[:MAX_WORDS], self.words(rows)[:MAX_WORDS]
        said = " and ".join(words)
        if tags:
            return ", ".join([" / ".join(tags), *([said] if said else [])])
        return f"{said[0].upper()}{said[1:]}" if said else "Mixed"

    def names(self, groups: Sequence[Sequence[Row]]) -> list[str]:
        """A name for each group, no two alike.

        Groups of one name are told apart by what is known of one and not of the other: an artist,
        a further word or genre, an era; else by the track in the middle of each.
        """
        names = _same_order([self.name(rows) for rows in groups])
        for more in (self._artist, self._further_word, self._further_tag, _era):
            common = Counter(names)
            added = [
                more(rows, name) if common[name] > 1 else ""
                for name, rows in zip(names, groups, strict=True)
            ]
            said = {
                name: {a for n, a in zip(names, added, strict=True) if n == name} for name in common
            }
            names = [
                f"{name}, {addition}" if addition and len(said[name]) > 1 else name
                for name, addition in zip(names, added, strict=True)
            ]
        common, seen = Counter(names), Counter[str]()
        for place, (name, rows) in enumerate(zip(list(names), groups, strict=True)):
            if common[name] > 1:
                near = ShelfTrack(rows[min(seen[name], len(rows) - 1)]).title
                names[place], seen[name] = f"{name}, near {one_line(near, 40)}", seen[name] + 1
        return names

    def tags(self, rows: Sequence[Row]) -> list[str]:
        """The genres that set a group apart, by c-TF-IDF (Grootendorst 2022), best first."""
        counts: Counter[str] = Counter()
        spelled: dict[str, Counter[str]] = {}
        for row in rows:
            for name in {fold(n): n for n in row.get("genres") or () if fold(n)}.items():
                counts[name[0]] += 1
                spelled.setdefault(name[0], Counter())[name[1]] += 1
        worth = {
            tag: count / len(rows) * np.log(1 + self._total / self._spread[tag])
            for tag, count in counts.items()
            if count / len(rows) >= TAG_SHARE
            and count / len(rows) >= TAG_LIFT * self._spread[tag] / self._total
        }
        best = sorted(worth, key=lambda tag: (-worth[tag], tag))
        return [one_line(spelled[tag].most_common(1)[0][0], 40) for tag in best]

    def words(self, rows: Sequence[Row]) -> list[str]:
        """The words for how a group's descriptors differ from the catalog's, best first."""
        return [
            scale.little if apart < 0 else scale.much
            for apart, scale in self._character.contrasts(rows)
            if abs(apart) >= CONTRAST
        ]

    def _artist(self, rows: Sequence[Row], name: str) -> str:
        """Whose tracks most of a group are; "" where it is nobody's."""
        counts = Counter(key for row in rows for key in artist_keys(row))
        key, count = counts.most_common(1)[0] if counts else ("", 0)
        if count < ARTIST_SHARE * len(rows):
            return ""
        theirs: Mapping[str, object] = next(row for row in rows if key in artist_keys(row))
        return f"mostly {one_line(ShelfTrack(theirs).artist, 40)}"

    def _further_word(self, rows: Sequence[Row], name: str) -> str:
        """The next word for how a group differs."""
        further = [word for word in self.words(rows)[MAX_WORDS:] if word not in name]
        return further[0] if further else ""

    def _further_tag(self, rows: Sequence[Row], name: str) -> str:
        """The next genre that sets a group apart."""
        further = self.tags(rows)[MAX_WORDS:]
        return f"with {further[0]}" if further else ""


def _same_order(names: Sequence[str]) -> list[str]:
    """The names, those of the same words as the first of them spells them."""
    first: dict[tuple[str, ...], str] = {}
    return [
        first.setdefault(tuple(sorted(re.findall(r"[\w-]+", name.casefold()))), name)
        for name in names
    ]


def _era(rows: Sequence[Row], name: str) -> str:
    """The decade of which most of a group is: "1990s"."""
    years = [row["released"].year for row in rows if row.get("released") is not None]
    decades = Counter(year // 10 * 10 for year in years)
    decade, count = decades.most_common(1)[0] if decades else (0, 0)
    return f"{decade}s" if count >= ERA_SHARE * len(rows) else ""


def genre_counts(genres: pa.ChunkedArray) -> dict[str, int]:
    """How many tracks have each genre, whatever its spelling, from a column of lists."""
    lists = genres.cast(pa.list_(pa.string())).combine_chunks()
    spelled = pc.list_flatten(lists).dictionary_encode()
    names = [fold(name) for name in spelled.dictionary.to_pylist()]
    folded, keys = np.unique(np.array(names, dtype=object), return_inverse=True)
    known = spelled.indices.is_valid().to_numpy(zero_copy_only=False)
    tracks = pc.list_parent_indices(lists).to_numpy()[known]
    spellings = spelled.indices.drop_null().to_numpy()
    pairs = np.sort(tracks * max(1, len(folded)) + keys[spellings])
    pairs = pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]  # each once a track
    counts = np.bincount(pairs % max(1, len(folded)), minlength=len(folded))
    return {n: c for n, c in zip(folded.tolist(), counts.tolist(), strict=True) if n}
