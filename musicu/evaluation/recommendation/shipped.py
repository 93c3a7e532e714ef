"""The candidate generator itself as a model to be measured: what a listener would be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import pyarrow.compute as pc

from musicu.candidates.generator import CandidateGenerator
from musicu.candidates.sources.for_you import ForYou
from musicu.evaluation.recommendation.groups import listeners_of
from musicu.evaluation.recommendation.listening_log import Ints
from musicu.evaluation.recommendation.training_part import Model, Scores, Training
from musicu.items.constraints import NO_CAP, Constraints
from musicu.items.item_table import ItemTable
from musicu.listening.listens import listens_table
from musicu.listening.profile_arrays import UserProfile
from musicu.listening.profiles import TasteProfile, tastes
from musicu.records import Vectors

#: What becomes of the training part: the vectors to recommend by.
VectorsOf = Callable[[Training], Vectors]

#: Constraints that leave the ranker alone.
UNCAPPED = Constraints(max_per_artist=NO_CAP, max_per_album=NO_CAP)


def generator_model(vectors: VectorsOf, k: int, constraints: Constraints | None = None) -> Model:
    """The generator as `musicu candidates` has it, with the source for-you, as a model.

    k: how many candidates a listener gets. It is asked for candidates of the split alone; the
    present is the last listen of the training part.
    """
    return lambda training: _Served.of(training, vectors(training), k, constraints)


@dataclass(frozen=True, eq=False)
class _Served:
    """What the generator serves the listeners of a training part."""

    generator: CandidateGenerator
    profiles: dict[str, TasteProfile]
    width: int
    among: Ints
    column: Ints
    names: np.ndarray[tuple[int], np.dtype[np.object_]]

    @classmethod
    def of(
        cls, training: Training, vectors: Vectors, k: int, constraints: Constraints | None
    ) -> _Served:
        ids = training.tracks["track_id"].combine_chunks()
        items = ItemTable(training.tracks, vectors)
        row = pc.index_in(items.id_texts, value_set=ids).to_numpy()
        items.plays = listeners_of(training.history)[row]
        listens = listens_table(training.listens)
        latest = pc.max(listens["timestamp"]).as_py() or datetime.now(timezone.utc)
        generator = CandidateGenerator.of(items, [ForYou()], k, constraints, latest)
        profiles = dict(tastes(listens, Vectors(items.ids, items.values), now=latest))
        column = np.full(training.tracks.num_rows, -1, np.int64)
        column[training.candidates] = np.arange(len(training.candidates))
        among = np.flatnonzero(column[row] >= 0)
        width = len(training.candidates)
        return cls(generator, profiles, width, among, column[row], training.users)

    def __call__(self, users: Ints) -> Scores:
        names = [str(self.names[user]) for user in users]
        listeners = [UserProfile(name, self.profiles[name]) for name in names]
        found = np.full((len(users), self.width), -np.inf, np.float32)
        place = {name: n for n, name in enumerate(names)}
        for table in self.generator.find(listeners, self.among):
            rows = np.array([place[name] for name in table["user_id"].to_pylist()], np.int64)
            items = self.generator.items.rows_of(table["track_id"].to_pylist())
            found[rows, self.column[items]] = table["score"].to_numpy()
        return found
