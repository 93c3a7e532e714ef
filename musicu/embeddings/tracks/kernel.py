"""A closed-form kernel on the numeric columns of tracks, which complements the networks.

A network needs many playlists to learn the effect of a few numbers; a kernel needs hardly any.
Numbers become normal scores, and directions with small variance within groups and large variance
between groups count most (linear discriminant analysis: Fisher, 1936). The similarity of two tracks
is then a Gaussian of their distance, as a product of random Fourier features (Rahimi and Recht,
"Random Features for Large-Scale Kernel Machines", NIPS 2007):

    k(x, y) = exp(-|M (x - y)|² / 2) ≈ z(x) · z(y);   z(x) = [cos(Ω M x), sin(Ω M x)] / sqrt(n)

The mean of a playlist's z is then its kernel density. z is centred, so that similarities have both
signs, and scaled to unit length. A missing number takes the middle of its column, where the track
has other numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import ndtri

from musicu.embeddings.tracks.track_features import Floats, numbers_of
from musicu.normalisation import unit_rows

Wide = NDArray[np.float64]

#: The weight of the kernel's similarity against that of the networks. More helps where numbers
#: matter most, and harms the mean of a set where they matter little (`benchmarks/README.md`).
SHARE = 0.2

_KNOTS = 65  # of each column's distribution
_WIDTH = 1.0  # over the root of the number of effective directions; from simulated playlists
_SHRINK = 0.1  # of a covariance towards a sphere
_MOST_MEMBERS = 200_000  # of groups that covariances are estimated from


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Maps columns of numbers to unit vectors.

    knots: by column, float32 [2, knots], rising values and their normal scores. middle: float32
    [columns], the mean of the scores. frequencies: float32 [columns, dim / 2]. centre: float32
    [dim]. Columns are in the order of their names.
    """

    knots: dict[str, Floats]
    middle: Floats
    frequencies: Floats
    centre: Floats

    def concatenate(self, learned: Floats, tracks: pa.Table) -> Floats:
        """Unit vectors of the networks and of the kernel, concatenated with weights.

        learned: float32 [tracks, some]. Returns float32 [tracks, some + dim], unit length. A track
        without numbers has the networks' part alone.
        """
        own = self.vectors(tracks)
        known = own.any(axis=1)
        weights = np.where(known, np.sqrt(1 - SHARE), 1).astype(np.float32)
        return np.concatenate(
            [learned * weights[:, None], own * np.float32(np.sqrt(SHARE))], axis=1
        )

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return len(self.centre)

    @classmethod
    def fit(
        cls, tracks: pa.Table, members: csr_matrix, dim: int, rng: np.random.Generator
    ) -> Kernel | None:
        """Fit on groups of tracks, csr [groups, tracks]; None where no number varies.

        dim: of the vectors, even.
        """
        in_training = np.unique(members.indices)
        columns = {name: v for name, v in _columns(tracks).items() if _varies(v[in_training])}
        if not columns or dim < 2:
            return None
        knots = {name: _knots(columns[name][in_training]) for name in sorted(columns)}
        scores = _scores(knots, columns, tracks.num_rows)
        middle = scores[in_training].mean(axis=0)
        directions, weights = _directions(scores - middle, members, in_training, rng)
        drawn = rng.normal(size=(len(weights), dim // 2)) * weights[:, None]
        width = _WIDTH / max(float(np.linalg.norm(weights)), 1e-9)
        frequencies = (directions @ drawn * width).astype(np.float32)
        plain = cls(knots, middle.astype(np.float32), frequencies, np.zeros(dim, np.float32))
        return replace(plain, centre=plain._waves(scores[in_training]).mean(axis=0))

    def vectors(self, tracks: pa.Table) -> Floats:
        """Unit vectors float32 [tracks, dim]; zeros for a track without any of the numbers.

        Columns may be missing.
        """
        columns = _columns(tracks)
        waves = self._waves(_scores(self.knots, columns, tracks.num_rows)) - self.centre
        units = unit_rows(waves)
        given = [np.isfinite(columns[name]) for name in self.knots if name in columns]
        units[~np.any(given, axis=0) if given else slice(None)] = 0
        return units

    def _waves(self, scores: Wide) -> Floats:
        angles = (scores - self.middle).astype(np.float32) @ self.frequencies
        return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def _columns(tracks: pa.Table) -> dict[str, Wide]:
    """The numeric columns except dates, which are the same for all new tracks."""
    dated = {field.name for field in tracks.schema if pa.types.is_temporal(field.type)}
    return {name: v for name, v in numbers_of(tracks).items() if name not in dated}


def _varies(values: Wide) -> bool:
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool(known.min() < known.max())


def _knots(values: Wide) -> Floats:
    """Rising values of a column and their normal scores: float32 [2, knots].

    Equal values share their mean rank.
    """
    found, counts = np.unique(values[np.isfinite(values)].astype(np.float32), return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / counts.sum()
    places = np.searchsorted(ranks, np.linspace(0, 1, _KNOTS))
    some = np.unique(np.minimum(places, len(found) - 1))
    return np.stack([found[some], ndtri(ranks[some])]).astype(np.float32)


def _scores(knots: dict[str, Floats], columns: dict[str, Wide], count: int) -> Wide:
    """Normal scores float64 [tracks, columns], 0 where a number is missing."""
    nothing = np.full(count, np.nan)
    found = [np.interp(columns.get(name, nothing), *pair) for name, pair in knots.items()]
    return np.nan_to_num(np.stack(found, axis=1))


def _directions(
    scores: Wide, members: csr_matrix, in_training: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Wide, Wide]:
    """Directions with unit within-group variance, float64 [columns, directions], and weights.

    The weight of a direction is sqrt(b / (b + 1)), where b is its variance between groups.
    """
    groups = members
    if members.nnz > _MOST_MEMBERS:
        share = _MOST_MEMBERS / members.nnz
        groups = members[np.flatnonzero(rng.random(members.shape[0]) < share)]
    sizes = np.diff(groups.indptr)
    number = np.repeat(np.arange(len(sizes)), sizes)
    own = scores[groups.indices]
    mean = csr_matrix((np.ones(len(own)), np.arange(len(own)), groups.indptr)) @ own
    apart = own - (mean / np.maximum(sizes, 1)[:, None])[number]
    within = _shrunk(apart.T @ apart / max(1, len(own) - len(sizes)))
    lengths, axes = np.linalg.eigh(within)
    plain = axes / np.sqrt(np.maximum(lengths, 1e-9))
    total = plain.T @ _shrunk(np.cov(scores[in_training].T).reshape(within.shape)) @ plain
    spread, turn = np.linalg.eigh(total)
    between = np.maximum(spread - 1, 0)
    return plain @ turn, np.sqrt(between / (between + 1))


def _shrunk(covariance: Wide) -> Wide:
    size = len(covariance)
    ball = np.eye(size) * np.trace(covariance) / size
    shrunk: Wide = (1 - _SHRINK) * covariance + _SHRINK * ball
    return shrunk
