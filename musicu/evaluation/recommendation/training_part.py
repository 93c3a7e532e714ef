"""What a model is given, and what it gives back: the contract of everything that is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.embeddings.tracks.als import Factors, fit_als
from musicu.evaluation.labels import LabelGroups, TrackLabels
from musicu.evaluation.recommendation.listening_log import Ints
from musicu.evaluation.recommendation.splits import Split

Scores = NDArray[np.float32]

#: Rows of listeners to their scores of all candidates, float32 [listeners, candidates]. The higher
#: the better; minus infinity for what is not offered at all.
Scorer: TypeAlias = Callable[[Ints], Scores]


@dataclass(frozen=True, eq=False)
class Training:
    """All that a model may learn from.

    history: csr float32 [users, tracks], weights above 0. users: object [users], their ids.
    candidates: int64, rows of the tracks that are to be scored. tracks: a row each of all tracks,
    new ones included; without their popularity, which may be of any date and so tell of the
    future. artists: of the tracks. listens: the training part as a table.
    """

    history: csr_matrix
    users: NDArray[np.object_]
    candidates: Ints
    tracks: pa.Table
    artists: LabelGroups
    listens: pa.Table
    seed: int

    @classmethod
    def of(cls, split: Split, tracks: pa.Table, labels: TrackLabels, seed: int) -> Training:
        """The training part of a split of the listens of those tracks."""
        if "popularity" in tracks.column_names:
            at = tracks.column_names.index("popularity")
            field = tracks.schema.field(at)
            tracks = tracks.set_column(at, field, pa.nulls(tracks.num_rows, field.type))
        return cls(
            history=split.history,
            users=split.listening.users,
            candidates=split.candidates,
            tracks=tracks,
            artists=labels.artists,
            listens=split.training_listens(),
            seed=seed,
        )

    @cached_property
    def factors(self) -> Factors:
        """Collaborative vectors, float32 [users, factors] and [tracks, factors], fitted once.

        An implicit-feedback factorisation (Hu, Koren and Volinsky, ICDM 2008) of log(1 + weight),
        as plays of one track range over orders of magnitude.
        """
        weights = csr_matrix(self.history, copy=True)
        weights.data = np.log1p(weights.data)
        return fit_als(weights, seed=self.seed)


#: Learns from the training part, and answers with what scores.
Model: TypeAlias = Callable[[Training], Scorer]
