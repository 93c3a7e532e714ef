"""Semantic ids: short codes of tracks by residual k-means over their vectors.

After Rajput et al., Recommender systems with generative retrieval (TIGER, NeurIPS 2023): the first
digit is the nearest of WIDTH centroids, the next the nearest centroid of what remains, and so on.
At the last level a track takes the nearest centroid that no other track of the same beginning has,
as LC-Rec spreads them (Zheng et al., ICDE 2024), and where none is free the nearest at the level
before under which one is: tracks with equal vectors get codes of their own too. A further digit
tells apart what is left. Like tracks begin alike; the codes of old tracks stay
when new ones come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix

from musicu.catalog.files import write_atomically
from musicu.errors import QueryError
from musicu.items.item_table import Floats, Ints

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

LEVELS, WIDTH = 4, 256
_SAMPLE = 20_000  # tracks that centroids are learned from
_ROUNDS = 15
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class SemanticIds:
    """codes: int64 [tracks, levels + 1], of the ids. codebooks: float32 [levels, width, dim]."""

    ids: list[str]
    codes: Ints
    codebooks: Floats

    @classmethod
    def of(
        cls, ids: Sequence[str], vectors: Floats, levels: int = LEVELS, seed: int = 0
    ) -> SemanticIds:
        """Learn codebooks from vectors, float32 [tracks, dim], and give each track its code."""
        if not len(ids):
            raise QueryError("there is no vector: semantic ids need at least one track")
        rng = np.random.default_rng(seed)
        remains = vectors
        if len(vectors) > _SAMPLE:
            remains = vectors[np.sort(rng.choice(len(vectors), _SAMPLE, replace=False))]
        width = min(WIDTH, max(1, len(remains) // 2))
        books = np.zeros((levels, width, vectors.shape[1]), np.float32)
        for level in range(levels):
            books[level] = _centroids(remains, width, rng)
            remains = remains - books[level][_nearest(remains, books[level])]
        return cls([], np.empty((0, levels + 1), np.int64), books).added(ids, vectors)

    def added(self, ids: Sequence[str], vectors: Floats) -> SemanticIds:
        """With tracks that have no code yet; all others keep theirs."""
        known = set(self.ids)
        new = [place for place, name in enumerate(ids) if name not in known]
        codes = self._spread(*self._coded(vectors[new]))
        used: dict[bytes, int] = {}
        for code in self.codes:
            used[code[:-1].tobytes()] = max(used.get(code[:-1].tobytes(), 0), int(code[-1]) + 1)
        for code in codes:
            code[-1] = used.get(code[:-1].tobytes(), 0)
            used[code[:-1].tobytes()] = int(code[-1]) + 1
        names = [*self.ids, *(ids[place] for place in new)]
        return replace(self, ids=names, codes=np.concatenate([self.codes, codes]))

    @property
    def collisions(self) -> float:
        """The share of tracks whose code, without its last digit, is another's as well."""
        _, which, counts = np.unique(
            self.codes[:, :-1], axis=0, return_inverse=True, return_counts=True
        )
        return float((counts[which.ravel()] > 1).mean()) if len(self.ids) else 0.0

    def table(self) -> pa.Table:
        """track_id, semantic_id (text such as 17-203-4-90-0), codes (a list)."""
        texts = ["-".join(map(str, code)) for code in self.codes.tolist()]
        return pa.table(
            {"track_id": self.ids, "semantic_id": texts, "codes": self.codes.tolist()},
            schema=_SCHEMA,
        )

    def _coded(self, vectors: Floats) -> tuple[Ints, Floats]:
        """The nearest centroid at each level, and what remains before the last."""
        codes = np.zeros((len(vectors), len(self.codebooks) + 1), np.int64)
        remains = vectors.astype(np.float32)
        for level, book in enumerate(self.codebooks[:-1]):
            codes[:, level] = _nearest(remains, book)
            remains = remains - book[codes[:, level]]
        codes[:, -2] = _nearest(remains, self.codebooks[-1])
        return codes, remains

    def _spread(self, codes: Ints, remains: Floats) -> Ints:
        """The codes with the nearest free centroid at the last level, first come, first served.

        Where none is free at the level before either, the nearest stays.
        """
        book = self.codebooks[-1]
        half = (book * book).sum(axis=1) / 2
        taken: dict[bytes, set[int]] = {}
        for code in self.codes:
            taken.setdefault(code[:-2].tobytes(), set()).add(int(code[-2]))
        for code, rest in zip(codes, remains, strict=True):
            used = taken.setdefault(code[:-2].tobytes(), set())
            if len(used) == len(book) and len(self.codebooks) > 1:
                code[:], rest = self._moved(code, rest, taken)
                used = taken.setdefault(code[:-2].tobytes(), set())
            if int(code[-2]) in used and len(used) < len(book):
                nearness = book @ rest - half
                nearness[list(used)] = -np.inf
                code[-2] = nearness.argmax()
            used.add(int(code[-2]))
        return codes

    def _moved(
        self, code: Ints, rest: Floats, taken: Mapping[bytes, set[int]]
    ) -> tuple[Ints, Floats]:
        """A code whose beginning is full, with the nearest digit before the last that has room."""
        before, last = self.codebooks[-2:]
        whole, moved = rest + before[code[-3]], code.copy()
        for digit in np.argsort(((before - whole) ** 2).sum(axis=1), kind="stable").tolist():
            moved[-3] = digit
            if len(taken.get(moved[:-2].tobytes(), ())) < len(last):
                rest = whole - before[digit]
                moved[-2] = _nearest(rest[None], last)[0]
                return moved, rest
        return code, rest


_SCHEMA = pa.schema(
    [
        ("track_id", pa.string()),
        ("semantic_id", pa.string()),
        ("codes", pa.list_(pa.int64())),
    ]
)


def catalog_semantic_ids(catalog: Catalog, model: str | None = None) -> SemanticIds:
    """The semantic ids of a catalog under a model; kept in it, so that old codes stay.

    They are learned anew where the vectors under that name are others than before.
    """
    name, entry = catalog.model_entry(model)
    vectors = catalog.vectors(name)
    path = catalog.path / "models" / "semantic-ids" / f"{name}.safetensors"
    old = _load(path, entry.fingerprint)
    ids = vectors.ids.tolist()
    found = SemanticIds.of(ids, vectors.values) if old is None else old.added(ids, vectors.values)
    if old is None or len(found.ids) > len(old.ids):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = np.frombuffer("\n".join(found.ids).encode(), np.uint8)
        arrays = {"ids": text, "codes": found.codes, "codebooks": found.codebooks}
        about = {"format": "1", "fingerprint": entry.fingerprint}
        write_atomically(path, lambda new: save_file(arrays, new, about))
    return found


def _load(path: Path, fingerprint: str) -> SemanticIds | None:
    if not path.is_file():
        return None
    with safe_open(path, "numpy") as file:
        about: dict[str, Any] = file.metadata() or {}
    if about.get("fingerprint") != fingerprint:
        return None
    arrays = load_file(path)
    ids = arrays["ids"].tobytes().decode().split("\n")
    return SemanticIds(ids, arrays["codes"], arrays["codebooks"])


def _centroids(vectors: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Lloyd's k-means; a centroid that is nearest to nothing stays: float32 [count, dim]."""
    book: Floats = vectors[rng.choice(len(vectors), count, replace=False)].astype(np.float32)
    ones = np.ones(len(vectors), np.float32)
    for _ in range(_ROUNDS):
        near = _nearest(vectors, book)
        sizes = np.bincount(near, minlength=count)
        places = near, np.arange(len(vectors))
        sums = csr_matrix((ones, places), shape=(count, len(vectors))) @ vectors
        book[sizes > 0] = sums[sizes > 0] / sizes[sizes > 0, None]
    return book


def _nearest(vectors: Floats, book: Floats) -> NDArray[np.int64]:
    """The nearest centroid of each vector: int64 [vectors]."""
    half = (book * book).sum(axis=1) / 2
    parts = [
        (vectors[a : a + _BLOCK] @ book.T - half).argmax(axis=1)
        for a in range(0, len(vectors), _BLOCK)
    ]
    return np.concatenate([np.empty(0, np.int64), *parts])
