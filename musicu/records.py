"""The small values that travel between the rooms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from musicu.errors import AudioError, ModelError, QueryError


@dataclass(frozen=True, slots=True)
class Windows:
    """Where a model listens: at most `count` windows of `seconds`, spread evenly.

    A recording shorter than `count * seconds` is heard whole, as one window.
    """

    seconds: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono sound, whole or as windows laid end to end.

    samples: float32 [n], nominally in [-1, 1] (of float files up to 2^16), always finite.
    sample_rate: Hz.
    edges: sample positions where the windows begin, and the end; (0, n) for one window.
    starts: where each window begins in the recording, in seconds.
    duration_seconds: of the recording, as far as it can be known.
    complete: False where the decoder stopped before the end that the file promises.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    edges: tuple[int, ...]
    starts: tuple[float, ...]
    duration_seconds: float
    complete: bool = True

    @classmethod
    def of(cls, samples: NDArray[np.float32], sample_rate: int) -> Audio:
        """One whole recording from an array float32 [n]; AudioError where it is no such."""
        if np.ndim(samples) != 1 or not sample_rate > 0:
            raise AudioError(
                f"samples of the shape {np.shape(samples)} at {sample_rate} Hz: give mono samples "
                "[n] and their rate, or use `Embedder.embed_samples`, which takes several channels"
            )
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        seconds = len(samples) / sample_rate
        return cls(samples, sample_rate, (0, len(samples)), (0.0,), seconds)

    def at(self, spans: Sequence[tuple[int, int]]) -> Audio:
        """Some spans of a whole recording, begin and end in samples, laid end to end."""
        parts = [self.samples[begin:end] for begin, end in spans]
        edges = (0, *np.cumsum([len(part) for part in parts]).tolist())
        starts = tuple(begin / self.sample_rate for begin, _ in spans)
        joined = np.concatenate(parts)
        return replace(self, samples=joined, edges=edges, starts=starts)

    def windows(self) -> list[NDArray[np.float32]]:
        """The windows as views of `samples`, each float32 [n_i]."""
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        return [self.samples[a:b] for a, b in pairs]


@dataclass(frozen=True, slots=True)
class Failure:
    """A track that did not get through a stage, and why, in words for people.

    stage: "scan", "tags", "hash", "extra" (a dependency is missing), "decode" or "embed".
    """

    track_id: str
    path: str
    stage: str
    reason: str
    content_hash: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors of tracks under one model; `ids, values = vectors` takes the arrays apart.

    ids: object [tracks], text. values: float32 [tracks, dim]. Both are read-only. model,
    fingerprint: whose vectors they are; "" where they come from no catalog. of_sound: whether they
    depend on the sound alone.

    Raises QueryError where there is not one id for each vector.
    """

    ids: NDArray[np.object_]
    values: NDArray[np.float32]
    model: str = ""
    fingerprint: str = ""
    of_sound: bool = True

    def __post_init__(self) -> None:
        """Take ids of any kind, and keep anybody from writing to arrays that others read."""
        if np.iscomplexobj(self.values):
            raise QueryError("the vectors are complex numbers: give real ones")
        try:
            values = np.asarray(self.values, np.float32).view()
        except (TypeError, ValueError):
            raise QueryError(
                f"vectors are {short(self.values)}: give an array of numbers"
            ) from None
        ids = np.array(id_list(self.ids), object)
        if values.ndim != 2 or len(ids) != len(values):
            raise QueryError(
                f"{len(ids)} ids and vectors of the shape {values.shape}: give vectors "
                "[tracks, dim], one for each id"
            )
        ids.flags.writeable = values.flags.writeable = False
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "values", values)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.ids, self.values))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        shape = "{} x {}".format(*self.values.shape)
        return f"Vectors({shape} of {self.model or 'no model'})"

    def of(self, track_ids: Any) -> NDArray[np.float32]:
        """The vectors of some tracks in their order, float32 [ids, dim].

        Raises QueryError where one of them has no vector.
        """
        row_of = {name: row for row, name in enumerate(self.ids)}
        if len(row_of) < len(self.ids):
            raise QueryError("an id stands twice among the vectors: keep one vector of each track")
        wanted = id_list(track_ids)
        missing = [name for name in wanted if name not in row_of]
        if missing:
            raise QueryError(
                f"no vector for {counted(len(missing), 'track')}, the first {missing[0]!r}: keep "
                "the tracks whose ids are in `vectors.ids`"
            )
        return self.values[[row_of[name] for name in wanted]]


class OfModel(Protocol):
    """What is made with the vectors of one model: "" where that is not known."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def fingerprint(self) -> str:
        """The model's fingerprint."""


def check_same_model(ours: OfModel, theirs: OfModel, what: str) -> None:
    """Raise ModelError where `what` is of another model, as far as both are known."""
    if ours.fingerprint and theirs.fingerprint and ours.fingerprint != theirs.fingerprint:
        raise ModelError(
            f"{what} was made with vectors of {theirs.model!r} (fingerprint {theirs.fingerprint}), "
            f"and these are of {ours.model!r} ({ours.fingerprint}): use one model for both"
        )


def check_kind(name: str, value: Any, kind: type | tuple[type, ...], write: str) -> None:
    """Raise QueryError where a value is of another kind; write: what to give."""
    if isinstance(value, bool) or not isinstance(value, kind):
        text = repr(value)
        shown = text if len(text) < 60 else f"of the type {type(value).__name__}"
        raise QueryError(f"{name} is {shown}: give {write}")


def check_count(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least so many; raises QueryError where it is none."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise QueryError(f"{name} is {value!r}: give a whole number of {least} or more")
    return int(value)


def check_number(name: str, value: Any, above: float = -math.inf) -> float:
    """A finite number, above a bound where one is given; raises QueryError where it is none."""
    fits = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not value > above:
        bound = "" if math.isinf(above) else f" above {above:g}"
        raise QueryError(f"{name} is {short(value)}: give a number{bound}")
    return float(value)


def id_list(ids: Any) -> list[str]:
    """Ids as text: of a list, a NumPy array, an Arrow array, or a column of pandas or Polars.

    1, 1.0 and "1" are one id. Raises QueryError for a single id, for what is no collection, and
    for an id that is missing.
    """
    taken = next((m for m in ("to_pylist", "tolist", "to_list") if hasattr(ids, m)), None)
    single = isinstance(ids, (str, bytes, dict, type)) or hasattr(ids, "columns")
    if single or (taken is None and not isinstance(ids, Iterable)):
        raise QueryError(f"ids are {short(ids)}: give several, as a list or a column of ids")
    found = list(ids if taken is None else getattr(ids, taken)())
    return found if all(type(name) is str for name in found) else [_id(name) for name in found]


def _id(name: Any) -> str:
    """One id as text."""
    name = name.as_py() if hasattr(name, "as_py") else name
    if isinstance(name, str | Integral):
        return str(name)
    number = float(name) if isinstance(name, Real) else math.nan
    if math.isnan(number):
        raise QueryError(f"an id is {name!r}: ids are text or numbers, and none is missing")
    return str(int(number) if number.is_integer() else number)


def check_catalog(given: Any) -> None:
    """Raise QueryError where somebody gives a path, or something else, in a catalog's place."""
    if not isinstance(given, type) and hasattr(given, "tracks") and hasattr(given, "vectors"):
        return
    raise QueryError(
        f"the catalog is {short(given)}: write musicu.Catalog.open({as_path(given)!r})"
    )


def short(given: Any) -> str:
    """A value as errors show it: on one line, or its kind where that would be long."""
    if isinstance(given, type):
        return f"the class {given.__name__}"
    text = repr(given)
    return text if len(text) <= 80 and "\n" not in text else f"of the type {type(given).__name__}"


def as_path(given: Any) -> str:
    """What stands between the brackets of `Catalog.open` in an error."""
    return str(given) if isinstance(given, str | Path) else "catalog"


def counted(count: int, noun: str) -> str:
    """A count for people: "1 track", "2,000 tracks", "3 queries"."""
    if count == 1:
        return f"1 {noun}"
    after_consonant = noun.endswith("y") and noun[-2:-1] not in "aeiou"
    return f"{count:,} {noun[:-1] + 'ie' if after_consonant else noun}s"
