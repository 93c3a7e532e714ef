"""The input features of a track encoder: one block per modality.

    artists       names of artists, album artists and composers, by vocabulary
    tags          genres, label, language, and every column of words or lists of words
    text          words of title, album and columns of prose (description, lyrics)
    spelling      character n-grams (3 to 5) of the words of title and album
    numbers       descriptors, dates, popularity and every column of numbers
    audio         the vector of an audio model
    past          collaborative vectors of the artist's other tracks (`discography.py`)
    collaborative the collaborative vector of the track itself

The first six are content, which a track without plays has too. Values that were not seen in
fitting count as missing; a block without any value is marked as unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from musicu.catalog.identity import fold
from musicu.normalisation import unit_rows
from musicu.progress import tracked
from musicu.records import Vectors

Floats = NDArray[np.float32]
Known = NDArray[np.bool_]
Block: TypeAlias = "csr_matrix | Floats"

WORDS = ("artists", "tags", "text", "spelling")

_BINS = 16
_ROWS_AT_ONCE = 8192
_NAMES = {"artists": "artist", "album_artist": "artist", "composers": "composer"}
#: Columns that are read word by word, if they hold text.
_TEXTS = ("title", "album", "subtitle", "description", "summary", "notes", "lyrics")
#: Those short enough for n-grams, so that unseen or misspelt words still count.
_SPELLED = ("title", "album", "subtitle")
_NGRAMS = (3, 4, 5)
#: Columns that identify a track or describe its file, and not its music.
_NOT_MUSIC = frozenset(
    (
        *(
            "track_id",
            "root",
            "path",
            "path_bytes",
            "size_bytes",
            "modified_ns",
            "changed_ns",
            "content_hash",
        ),
        *("complete", "gone", "track_number", "disc_number", "date", "original_date"),
        *("isrc", "musicbrainz_recording_id", "musicbrainz_album_id"),
        *("musicbrainz_artist_ids", "replaygain_track_gain_db", "replaygain_track_peak"),
        *("replaygain_album_gain_db", "markets", "codec", "bitrate_kbps", "sample_rate"),
        *("channels", "bit_depth", "recording_id", "work_id", "descriptors_complete"),
        "heard_seconds",
    )
)


#: What `musicu join` says of how it found a track.
_OF_JOINS = ("_record_id", "_matched_by", "_recording_mbid", "_isrcs", "_source")


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Blocks [tracks, width] by modality, and for which tracks each is known: bool [tracks]."""

    blocks: dict[str, Block]
    known: dict[str, Known]

    def __len__(self) -> int:
        return len(next(iter(self.known.values()), ()))

    def take(self, rows: NDArray[np.int64]) -> Features:
        """The features of the tracks in `rows`, in that order."""
        blocks = {name: block[rows] for name, block in self.blocks.items()}
        return Features(blocks, {name: known[rows] for name, known in self.known.items()})

    @classmethod
    def joined(cls, parts: Iterable[Features], count: int) -> Features:
        """The features of all parts, `count` tracks; each part is let go once it is taken in."""
        dense: dict[str, Floats] = {}
        sparse: dict[str, list[csr_matrix]] = {}
        known: dict[str, list[Known]] = {}
        start = 0
        for part in parts:
            for name, block in part.blocks.items():
                known.setdefault(name, []).append(part.known[name])
                if isinstance(block, csr_matrix):
                    sparse.setdefault(name, []).append(block)
                    continue
                if name not in dense:
                    dense[name] = np.empty((count, block.shape[1]), np.float32)
                dense[name][start : start + len(block)] = block
            start += len(part)
        blocks = {
            name: dense[name] if name in dense else csr_matrix(vstack(sparse[name]))
            for name in known
        }
        return cls(blocks, {name: np.concatenate(parts) for name, parts in known.items()})

    def without(self, name: str) -> Features:
        """The features with one dense block, if present, set to unknown."""
        if name not in self.blocks:
            return self
        nothing = np.zeros(self.blocks[name].shape, np.float32)
        unknown = np.zeros(len(self), bool)
        return Features(self.blocks | {name: nothing}, self.known | {name: unknown})


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The column of each token, and its inverse document frequency: float32 [tokens]."""

    places: dict[str, int]
    idf: Floats

    def block(self, tokens: Sequence[Counter[str]]) -> csr_matrix:
        """The TF-IDF block, rows of unit length: csr [tracks, tokens]; unknown tokens are ignored.

        A token that occurs n times counts 1 + ln n (Salton and Buckley, 1988).
        """
        indptr, indices, counts = [0], [], []
        for bag in tokens:
            found = sorted((self.places[t], n) for t, n in bag.items() if t in self.places)
            indices += [place for place, _ in found]
            counts += [n for _, n in found]
            indptr.append(len(indices))
        places = np.array(indices, np.int32)
        data = ((1 + np.log(np.array(counts, np.float32))) * self.idf[places]).astype(np.float32)
        block = csr_matrix((data, places, np.array(indptr)), shape=(len(tokens), len(self.idf)))
        lengths = np.sqrt(np.asarray(block.multiply(block).sum(axis=1)).ravel())
        block.data /= np.repeat(lengths, np.diff(block.indptr))
        return block


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSpace:
    """The fitted vocabularies, and the bins of every column of numbers.

    edges: by column, rising float32 [edges], quantiles of the column. audio_mean: float32 [dim],
    None where there was no audio.
    """

    vocabularies: dict[str, Vocabulary]
    edges: dict[str, Floats]
    audio_mean: Floats | None

    @classmethod
    def fit(
        cls, tracks: pa.Table, audio: Vectors | None, min_count: int, max_vocabulary: int
    ) -> FeatureSpace:
        """Fit on a catalog's tracks, some thousand at a time. audio: vectors of any tracks."""
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in WORDS}
        total, heard = np.zeros(0 if audio is None else audio.values.shape[1]), 0
        for part in _parts(tracks, "reading words"):
            for kind, bags in words_of(part).items():
                for bag in bags:
                    counts[kind].update(bag.keys())
            if audio is not None:
                rows = audio_rows(part, audio)
                rows = rows[np.isfinite(rows).all(axis=1)]
                total, heard = total + rows.sum(axis=0, dtype=np.float64), heard + len(rows)
        vocabularies = {
            kind: _vocabulary(found, tracks.num_rows, min_count, max_vocabulary)
            for kind, found in counts.items()
        }
        edges = {name: _edges(values) for name, values in numbers_of(tracks).items()}
        return cls(
            {kind: found for kind, found in vocabularies.items() if found.places},
            {name: found for name, found in sorted(edges.items()) if len(found) > 1},
            None if audio is None else (total / max(1, heard)).astype(np.float32),
        )

    def content_of(self, tracks: pa.Table, audio: Vectors | None) -> Features:
        """The content blocks of a whole catalog, made some thousand tracks at a time."""
        parts = (
            self.content(part, None if audio is None else audio_rows(part, audio))
            for part in _parts(tracks, "reading features")
        )
        return Features.joined(parts, tracks.num_rows)

    def content(self, tracks: pa.Table, audio: Floats | None) -> Features:
        """The content blocks of any tracks with these columns, or with some of them."""
        blocks: dict[str, Block] = {}
        bags = words_of(tracks) if self.vocabularies else {}
        known: dict[str, Known] = {}
        for kind, vocabulary in self.vocabularies.items():
            block = vocabulary.block(bags[kind])
            blocks[kind], known[kind] = block, np.diff(block.indptr) > 0
        if self.edges:
            blocks["numbers"], known["numbers"] = self._numbers(tracks)
        if self.audio_mean is not None:
            blocks["audio"], known["audio"] = self._audio(audio, tracks.num_rows)
        return Features(blocks, known)

    def _numbers(self, tracks: pa.Table) -> tuple[Floats, Known]:
        """Piecewise-linear codes of each column, and an indicator of missing values.

        Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep
        Learning" (2022), section 3.2. A missing value is coded 0 and its indicator is 1.
        """
        columns = numbers_of(tracks)
        parts, any_known = [], np.zeros(tracks.num_rows, bool)
        for name, edges in self.edges.items():
            values = columns.get(name, np.full(tracks.num_rows, np.nan))[:, None]
            codes = np.clip((values - edges[:-1]) / np.diff(edges), 0, 1) - 0.5
            missing = np.isnan(values)
            any_known |= ~missing[:, 0]
            parts += [np.where(missing, 0, codes), missing]
        block = np.concatenate(parts, axis=1).astype(np.float32) / np.sqrt(len(self.edges))
        return block, any_known

    def _audio(self, audio: Floats | None, count: int) -> tuple[Floats, Known]:
        assert self.audio_mean is not None
        if audio is None:
            return np.zeros((count, len(self.audio_mean)), np.float32), np.zeros(count, bool)
        known: Known = np.asarray(np.isfinite(audio).all(axis=1))
        centred = np.where(known[:, None], audio - self.audio_mean, 0).astype(np.float32)
        return unit_rows(centred), known


def audio_rows(tracks: pa.Table, audio: Vectors) -> Floats:
    """The vectors of tracks, float32 [tracks, dim], NaN where there is none."""
    held = pa.array(audio.ids, pa.string())
    rows = pc.fill_null(pc.index_in(tracks["track_id"], value_set=held), -1).to_numpy()
    found = np.full((tracks.num_rows, audio.values.shape[1]), np.nan, np.float32)
    found[rows >= 0] = audio.values[rows[rows >= 0]]
    return found


def _parts(tracks: pa.Table, stage: str) -> Iterator[pa.Table]:
    """Some thousand tracks at a time, at least one part; tells how far the stage is."""
    starts = range(0, max(1, tracks.num_rows), _ROWS_AT_ONCE)
    parts = (tracks.slice(start, _ROWS_AT_ONCE) for start in starts)
    return tracked(parts, stage, tracks.num_rows, "tracks", len)


def words_of(tracks: pa.Table) -> dict[str, list[Counter[str]]]:
    """The tokens of each track by kind, with their column: "genres=jazz"."""
    bags = {kind: [Counter[str]() for _ in range(tracks.num_rows)] for kind in WORDS}
    for field in tracks.schema:
        kind = _kind(field)
        if kind not in WORDS:
            continue
        prefix = _NAMES.get(field.name, field.name)
        cells = tracks[field.name].to_pylist()
        for bag, spelt, cell in zip(bags[kind], bags["spelling"], cells, strict=True):
            if cell is None:
                continue
            if kind == "text":
                bag.update(_words(cell))
                if field.name in _SPELLED:
                    words = (word for word in _words(cell) if not word.isdigit())
                    spelt.update(ngram for word in words for ngram in ngrams_of(word))
            else:
                bag.update(f"{prefix}={fold(str(v))}" for v in _listed(cell) if v not in (None, ""))
    return bags


def numbers_of(tracks: pa.Table) -> dict[str, NDArray[np.float64]]:
    """The columns of numbers, float64 [tracks]; NaN where missing or infinite; dates in years."""
    found = {}
    for field in tracks.schema:
        if _kind(field) != "numbers":
            continue
        column = tracks[field.name]
        if pa.types.is_date(field.type) or pa.types.is_timestamp(field.type):
            days = pc.cast(pc.cast(column, pa.date32()), pa.int32())
            values = pc.divide(pc.cast(days, pa.float64()), 365.2425)
        else:
            values = pc.cast(column, pa.float64())
        array = values.to_numpy().astype(np.float64)
        found[field.name] = np.where(np.isfinite(array), array, np.nan)
    return found


def _kind(field: pa.Field) -> str | None:
    """The modality of a column; None where it does not describe the music."""
    kind = field.type
    if field.name in _NOT_MUSIC or field.name.endswith(_OF_JOINS):
        return None
    if field.name in _NAMES:
        return "artists"
    if field.name in _TEXTS and _is_word(kind):
        return "text"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "tags" if _is_word(kind.value_type) else None
    if _is_word(kind):
        return "tags"
    if pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "numbers"
    if pa.types.is_integer(kind) and re.search(r"(^|_)id$", field.name, re.IGNORECASE):
        return "tags"
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return "numbers" if number or pa.types.is_decimal(kind) else None


def _is_word(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _listed(cell: Any) -> list[Any]:
    return cell if isinstance(cell, list) else [cell]


def _words(text: str) -> Iterable[str]:
    return re.findall(r"\w+", fold(text))


def ngrams_of(word: str) -> Iterator[str]:
    """The character n-grams of a word with boundary marks: "jazz" has "<ja", "jaz" … "jazz>".

    Bojanowski et al., "Enriching Word Vectors with Subword Information" (TACL 2017), section 3.2.
    """
    marked = f"<{word}>"
    for size in _NGRAMS:
        yield from (marked[at : at + size] for at in range(len(marked) - size + 1))


def _vocabulary(counts: Counter[str], tracks: int, min_count: int, limit: int) -> Vocabulary:
    """The tokens on enough of the tracks, the most frequent first, with their idf."""
    kept = sorted((-n, token) for token, n in counts.items() if n >= min_count)[:limit]
    idf = np.log((1 + tracks) / np.array([-n for n, _ in kept], np.float32))
    return Vocabulary({t: i for i, (_, t) in enumerate(kept)}, np.maximum(idf, 0.1))


def _edges(values: NDArray[np.float64]) -> Floats:
    """Distinct quantiles; all values where there are few."""
    values = values[np.isfinite(values)]
    distinct = np.unique(values)
    if len(distinct) > _BINS + 1:
        distinct = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)))
    edges = distinct.astype(np.float32)
    return edges[np.append(True, np.diff(edges) > 0)] if len(edges) else edges
