"""Two bits a value: short codes of vectors, whose products with a query say what a score may be.

After a random rotation the values of a vector are alike, so that their signs say most of its
direction (RaBitQ: Gao and Long, SIGMOD 2024). With r = v − centre rotated, and x a code of r, the
product q·x · |r|² / (r·x) is an unbiased estimate of q·r; its error has the deviation

    |r|² / (r·x) · sqrt((|x|² − (r·x / |r|)²) / (D − 1)).

There are three codes, each finer than the one before: the signs of the first half of the values,
all signs, and a second bit for each (four even steps, which lose least where the width of a step
is .9957 deviations: Max, 1960). A query has three bits a value; products are counted bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Words = NDArray[np.uint64]
Counts = NDArray[np.int16]

_PAIR = 128  # bits of two words: what the first code is rounded to
_STEP = 0.9957  # of four even steps for a normal value, in deviations
_QUERY_STEP = 0.586  # of eight
_QUERY_BITS = 3
_TILE_WORDS = 16_384  # counted at once: they stay in the cache


@dataclass(frozen=True, slots=True, eq=False)
class CodedRows:
    """Codes of some rows.

    first, rest: uint64 [rows, words], the signs of the first values and of the others. second:
    uint64 [rows, words], the second bit of all values. factors: float16 [rows, 3], |r|² / (r·x) of
    each code.
    """

    first: Words
    rest: Words
    second: Words
    factors: NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class CodedQuery:
    """A query's three planes of bits, and what turns counted bits into a score.

    planes: uint64 [3, words], the last one counts −4. step: what a count of 1 is worth. base: the
    product with the centre. sums: of the query's values, of the first half and of all. lost: the
    squared length of what rounding left, of the first half and of all.
    """

    planes: Words
    step: float
    base: float
    sums: tuple[float, float]
    lost: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Sketcher:
    """Makes codes of vectors and of queries.

    centre: float32 [dim], the mean vector. rotation: float32 [dim, bits], orthonormal rows. spread:
    the deviation of q·x of each code that does not come from q·r, for a query of length 1.
    """

    centre: Floats
    rotation: Floats
    spread: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def fitted(cls, sample: Floats, rng: np.random.Generator) -> Sketcher:
        """A sketcher for vectors such as `sample`, float32 [rows, dim]."""
        dim = sample.shape[1]
        bits = -(-dim // _PAIR) * _PAIR
        bits = max(bits, 2 * _PAIR)  # both halves take pairs of words
        square, _ = np.linalg.qr(rng.standard_normal((bits, bits)))
        centre = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
        plain = cls(centre, np.ascontiguousarray(square[:dim], np.float32))
        return cls(plain.centre, plain.rotation, plain._measured_spread(sample))

    @property
    def bits(self) -> int:
        """Values of a rotated vector: a multiple of 128, at least 256."""
        return int(self.rotation.shape[1])

    @cached_property
    def first_bits(self) -> int:
        """Values in the first code."""
        return max(_PAIR, self.bits // 2 // _PAIR * _PAIR)

    @property
    def words(self) -> tuple[int, int, int]:
        """Words a row of `first`, `rest` and `second`."""
        return self.first_bits // 64, (self.bits - self.first_bits) // 64, self.bits // 64

    def codes(self, values: Floats) -> CodedRows:
        """The codes of vectors, float32 [rows, dim]."""
        rotated = self._rotated(values)
        signs = rotated > 0
        products = self._products(rotated)
        squared = np.einsum("ij,ij->i", rotated, rotated)[:, None]
        factors = np.divide(squared, products, out=np.zeros_like(products), where=products > 0)
        return CodedRows(
            _words(signs[:, : self.first_bits]),
            _words(signs[:, self.first_bits :]),
            _words(self._second_bits(rotated)),
            factors.astype(np.float16),
        )

    def query(self, unit: NDArray[np.float64]) -> CodedQuery:
        """The codes of a query of length 1, float64 [dim]."""
        rotated = unit @ self.rotation.astype(np.float64)
        step = _QUERY_STEP * float(np.sqrt((rotated**2).mean()))
        whole = np.clip(np.rint(rotated / step), -4, 3).astype(np.int64)
        taken = whole * step
        left, half = (rotated - taken) ** 2, slice(self.first_bits)
        planes = [_words(((whole & 7) >> bit & 1)[None] > 0)[0] for bit in range(_QUERY_BITS)]
        return CodedQuery(
            np.stack(planes),
            step,
            float(unit @ self.centre),
            (float(taken[half].sum()), float(taken.sum())),
            (float(left[half].sum()), float(left.sum())),
        )

    def _rotated(self, values: Floats) -> Floats:
        rotated: Floats = np.matmul(values - self.centre, self.rotation)
        return rotated

    def _second_bits(self, rotated: Floats) -> NDArray[np.bool_]:
        width = np.float32(_STEP) * np.sqrt((rotated**2).mean(axis=1, keepdims=True))
        second: NDArray[np.bool_] = np.where(rotated > 0, rotated > width, rotated > -width)
        return second

    def _steps(self, rotated: Floats) -> Floats:
        """The third code as numbers: −1.5, −.5, .5 or 1.5."""
        steps: Floats = 2 * (rotated > 0) + self._second_bits(rotated) - np.float32(1.5)
        return steps

    def _products(self, rotated: Floats) -> Floats:
        """r·x of each code: float32 [rows, 3]."""
        sizes = np.abs(rotated)
        half = sizes[:, : self.first_bits].sum(axis=1)
        steps = np.einsum("ij,ij->i", rotated, self._steps(rotated))
        products: Floats = np.stack([half, sizes.sum(axis=1), steps], axis=1)
        return products

    def _measured_spread(self, sample: Floats) -> tuple[float, float, float]:
        rotated = self._rotated(sample)
        squared = np.einsum("ij,ij->i", rotated, rotated)
        some = squared > 0
        if not some.any():
            return (0.0, 0.0, 0.0)
        along: Floats = self._products(rotated)[some] ** 2 / squared[some, None]
        lengths = np.stack(
            [
                np.full(len(rotated), self.first_bits, np.float32),
                np.full(len(rotated), self.bits, np.float32),
                (self._steps(rotated) ** 2).sum(axis=1),
            ],
            axis=1,
        )[some]
        across = np.maximum(lengths - along, 0).mean(axis=0) / (self.bits - 1)
        first, signs, steps = np.sqrt(across).tolist()
        return first, signs, steps

    def deviation(self, query: CodedQuery, code: int) -> float:
        """The deviation of `step`-scaled counts of a code, by its own rounding and the query's."""
        lost = query.lost[0 if code == 0 else 1] * (1.25 if code == 2 else 1.0)  # mean x²
        return float(np.sqrt(self.spread[code] ** 2 + lost))


def counted_bits(words: Words, planes: Words) -> Counts:
    """Sum of a query's values, −4 to 3, where a row's bits are set: int16 [rows].

    words: uint64 [rows, words], an even number of words. planes: uint64 [3, words].
    """
    rows, width = words.shape
    out = np.empty(rows, np.int16)
    step = max(1, _TILE_WORDS // width)
    tiles = np.tile(planes, (1, min(step, rows)))
    room = np.empty(tiles.shape[1], np.uint64)
    counts = np.empty((_QUERY_BITS, tiles.shape[1]), np.uint8)
    for start in range(0, rows, step):
        part = words[start : start + step].reshape(-1)
        size = len(part)
        for plane in range(_QUERY_BITS):
            np.bitwise_and(part, tiles[plane, :size], out=room[:size])
            _count(room[:size], counts[plane, :size])
        out[start : start + step] = _weighted(counts[:, :size], width)
    return out


def _weighted(counts: NDArray[np.uint8], width: int) -> Counts:
    """c0 + 2·c1 − 4·c2, summed over the words of a row; overwrites the counts."""
    one, two, four = counts  # at most 64 each
    two += two
    two += one
    sums = _summed(four, width)
    sums *= -4
    sums += _summed(two, width)
    return sums


def _summed(counts: NDArray[np.uint8], width: int) -> Counts:
    """The bytes of each row, summed: pairs at once, as numbers of 16 bits."""
    if width == 2:
        found: Counts = _pair_sums()[counts.view(np.uint16)]
        return found
    pairs = counts.view(np.int16)  # bytes of at most 192
    high = pairs.view(np.uint16) >> np.uint16(8)
    pairs &= np.int16(255)
    pairs += high.view(np.int16)
    columns: Counts = pairs.reshape(-1, width // 2)
    sums: Counts = columns[:, 0].copy()
    for column in range(1, width // 2):
        sums += columns[:, column]
    return sums


@cache
def _pair_sums() -> NDArray[Any]:
    """The sum of the two bytes of each number of 16 bits: in one step what takes three."""
    numbers = np.arange(1 << 16)
    sums: NDArray[Any] = ((numbers & 255) + (numbers >> 8)).astype(np.int16)
    return sums


def _count_by_table(words: Words, out: NDArray[np.uint8]) -> None:
    """The set bits of each word, for NumPy before 2."""
    np.sum(_bits_of()[words.view(np.uint16)].reshape(-1, 4), axis=1, out=out)


@cache
def _bits_of() -> NDArray[np.uint8]:
    return np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


if hasattr(np, "bitwise_count"):

    def _count(words: Words, out: NDArray[np.uint8]) -> None:
        np.bitwise_count(words, out=out)

else:
    _count = _count_by_table


def _words(bits: NDArray[np.bool_]) -> Words:
    """Bits [rows, n] as words, the first bit lowest."""
    return np.packbits(bits, axis=1, bitorder="little").view(np.dtype("<u8"))
