"""Measure candidates: models of a catalog, lists made by anyone, beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timezone
from typing import Any

import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.errors import QueryError
from musicu.evaluation.labels import TrackLabels
from musicu.evaluation.recommendation import splits
from musicu.evaluation.recommendation.baselines import BASELINES, WITH_CONTENT, baselines
from musicu.evaluation.recommendation.content_scores import (
    Content,
    content_of,
    nearest_heard,
    number_vectors,
    tag_vectors,
)
from musicu.evaluation.recommendation.encoder import encoder_vectors, set_fit_model
from musicu.evaluation.recommendation.evaluator import Ruler
from musicu.evaluation.recommendation.external_lists import notes_on, offered
from musicu.evaluation.recommendation.groups import Mask, emerging, given_groups
from musicu.evaluation.recommendation.groups import listeners_of as heard_by
from musicu.evaluation.recommendation.listening_log import Listening
from musicu.evaluation.recommendation.recommendation_findings import Findings
from musicu.evaluation.recommendation.shipped import UNCAPPED, VectorsOf, generator_model
from musicu.evaluation.recommendation.splits import Split
from musicu.evaluation.recommendation.training_part import Model, Scorer, Training
from musicu.ingest.arrow_tables import TableLike, as_table
from musicu.ingest.playlist_tables import listeners_of
from musicu.items.constraints import Constraints
from musicu.items.creator_groups import (
    EMERGING,
    MOST_GROUPS,
    OTHER,
    POPULARITY,
    CreatorGroups,
    creator_groups,
)
from musicu.listening.small_groups import SMALLEST_GROUP
from musicu.progress import tracked
from musicu.records import Vectors, check_catalog, check_kind, counted

SPLITS = ("time", "new-artists", "new-tracks", "new-releases", "leave-last-out")
TAGS, NUMBERS = "tags", "numbers"
ENCODER = "track-encoder"
_TIED = "gives all candidates one score"
_LEARNED = "was learned on this catalog: if it has seen these listens, its numbers flatter"


@dataclass(frozen=True, slots=True)
class Protocol:
    """How candidates are measured.

    split: one of SPLITS, see `splits`. at: the day from which listens (of the split "time") or
    releases ("new-releases") are asked about. share: of the listens, artists or tracks that are
    held out, where `at` does not say. among: "new" ranks what is new alone, "all" everything; for
    the splits by newness. ks: lengths of the lists. listeners: ask at most so many, drawn by the
    seed; None: all. seed: of the split, of ties and of all draws. bootstrap: how many draws.
    """

    split: str = "time"
    at: date | None = None
    share: float = 0.2
    among: str = "new"
    ks: tuple[int, ...] = (10, 20)
    listeners: int | None = None
    seed: int = 0
    bootstrap: int = 1000


def evaluate_candidates(
    catalog: Catalog,
    listens: TableLike,
    protocol: Protocol = Protocol(),
    *,
    models: Sequence[str] | None = None,
    lists: Mapping[str, TableLike] | None = None,
    encoder: bool = False,
    content: str | None = None,
    constraints: Constraints | None = None,
    against: Sequence[str] = BASELINES,
    creators: str | TableLike | None = None,
    listener_groups: TableLike | None = None,
) -> Findings:
    """Measure models whose vectors the catalog holds, and lists, on who heard what.

    Each model is measured four times: as it is served, by the very generator, ranker and
    constraints of `musicu candidates`; without caps; and as the plain scorers "set fit" and
    "nearest", which rank every candidate.

    listens: the columns of `candidates.LISTENS`. models: names; all of the catalog's where None.
    They must not have learned from the listens asked about. lists: by name, tables in the columns
    of `candidates.CANDIDATES`, from anywhere. encoder: also fit a track encoder, on the training
    part alone. content: what the content baselines compare, a model's name, "tags" or "numbers"
    (see `nearest`); None: the first of `Catalog.models()` that was not learned on it, else
    tags, else numbers, where there are any. against: what every model is compared with, on the
    same listeners and draws: baselines, or any of the models that are measured. creators: groups
    whose shares of lists and of listening are compared, beside those by popularity: a column of the
    tracks, "emerging", "release-age", or a table of track_id and a group (a Path is read).
    listener_groups: a table of user_id and columns whose values are groups to report apart. Groups
    of fewer than ten listeners are one, "other groups", and counted in the notes.

    Raises QueryError for unknown models, tables that do not fit, or where nobody can be asked.
    """
    check_catalog(catalog)
    check_kind("the protocol", protocol, Protocol, "a Protocol, such as Protocol(split='time')")
    check_kind("ks", protocol.ks, (tuple, list), "lengths of lists, such as (10, 20)")
    for length in protocol.ks:
        check_kind("ks", length, int, "lengths of lists, such as (10, 20)")
    names = _model_names(catalog, models)
    tracks, log = catalog.tracks(), as_table(listens, "the listens")
    ids = tracks["track_id"]
    k = max(protocol.ks, default=1)
    found: dict[str, Model] = {}
    for name in names:
        found |= _served(name, _held(catalog.vectors(name)), k, constraints)
    given = {name: as_table(table, f"the list {name!r}") for name, table in (lists or {}).items()}
    found |= {name: offered(name, table) for name, table in given.items()}
    notes: list[str] = []
    if encoder:
        found |= _served(ENCODER, encoder_vectors(catalog), k, constraints)
    learned = [name for name in catalog.models() if (catalog.path / "models" / name).is_dir()]
    basis = content or next((n for n in catalog.models() if n not in learned), None)
    values = None
    notes += [f"{n} {_LEARNED}" for n in names if n in learned]
    if set(WITH_CONTENT) & set(against):
        if basis in (None, TAGS, NUMBERS):
            basis, values = _told(tracks, basis)
        else:
            values = content_of(catalog.vectors(basis), ids)
        notes += [f"content-knn compares {basis}"] if values is not None else []
    findings = evaluate_models(
        tracks, log, found, protocol, content=values, against=against, creators=creators,
        listener_groups=listener_groups,
    )  # fmt: skip
    users = listeners_of(log)["user_id"]
    for name, table in given.items():
        notes += notes_on(name, table, ids, users)
    return replace(findings, notes=(*findings.notes, *notes))


def evaluate_models(
    tracks: TableLike,
    listens: TableLike,
    models: Mapping[str, Model],
    protocol: Protocol = Protocol(),
    *,
    content: Content | None = None,
    against: Sequence[str] = BASELINES,
    creators: str | TableLike | None = None,
    listener_groups: TableLike | None = None,
) -> Findings:
    """Measure any models beside the baselines, on a table of tracks and who heard them.

    tracks: track_id, and what `musicu.evaluation.labels` and the split know of: artists, released.
    content: unit rows in the order of the tracks; the baselines that need it are left out, and
    noted, where there is none. creators, listener_groups: as of
    `evaluate_candidates`. Raises as that does.
    """
    tracks = as_table(tracks, "the tracks")
    chosen, notes = _baselines(content, against, models)
    if clash := sorted(set(chosen) & set(models)):
        raise QueryError(f"{clash[0]!r} is the name of a baseline: rename that model")
    split = make_split(tracks, listens, protocol)
    labels = TrackLabels.of(tracks)
    training = Training.of(split, tracks, labels, protocol.seed)
    given, few = _listener_groups(split, listener_groups)
    ruler = Ruler(
        split, labels.artists, protocol.ks, protocol.bootstrap, protocol.seed,
        _creators(split, tracks, labels, creators), given,
    )  # fmt: skip
    notes += _folded(few, "listener group") + _folded(ruler.folded, "creator group")
    figures = {}
    measured = {**models, **chosen}
    for name, model in tracked(measured.items(), "measuring", len(measured), "models"):
        figures[name] = ruler.measure(model(training))
        if ruler.tied:
            notes.append(f"{name} {_TIED} for {counted(ruler.tied, 'listener')}: that is chance")
    return Findings(
        split=split.name,
        about=_about(split, labels, protocol),
        figures=figures,
        baselines=tuple(name for name in against if name in figures),
        notes=(*split.listening.notes, *split.notes, *notes),
    )


def make_split(tracks: TableLike, listens: TableLike, protocol: Protocol) -> Split:
    """The training part, who is asked, and the candidates; the same for the same arguments.

    Raises QueryError where the protocol does not fit the tables, or nobody can be asked.
    """
    if protocol.split not in SPLITS:
        raise QueryError(f"there is no split {protocol.split!r}: choose of {', '.join(SPLITS)}")
    check_kind("the protocol", protocol, Protocol, "a Protocol, such as Protocol(split='time')")
    table = as_table(tracks, "the tracks")
    if "track_id" not in table.column_names:
        found = ", ".join(table.column_names)
        raise QueryError(f"the tracks have no column 'track_id', only {found}")
    listening = Listening.of(as_table(listens, "the listens"), table["track_id"])
    split = _cut(table, listening, protocol)
    most = protocol.listeners
    if most is None or len(split.asked) <= most:
        return split
    return splits.asking(split, most, protocol.seed)


def _cut(tracks: pa.Table, listening: Listening, protocol: Protocol) -> Split:
    share, seed, among = protocol.share, protocol.seed, protocol.among
    if protocol.split == "time":
        day = protocol.at
        moment = None if day is None else datetime.combine(day, time(), timezone.utc)
        return splits.by_time(listening, at=moment, share=share)
    if protocol.split == "new-artists":
        artists = TrackLabels.of(tracks).artists
        return splits.by_artists(listening, artists, share=share, seed=seed, among=among)
    if protocol.split == "new-tracks":
        return splits.by_tracks(listening, share=share, seed=seed, among=among)
    if protocol.split == "leave-last-out":
        return splits.leave_last_out(listening)
    if protocol.at is None:
        raise QueryError("the split 'new-releases' needs the day from which tracks are new: at")
    if "released" not in tracks.column_names:
        raise QueryError("the tracks have no column 'released', which says what is new")
    released = tracks["released"].cast(pa.date32()).to_pylist()
    return splits.by_release(listening, released, protocol.at, among=among)


def _told(tracks: pa.Table, asked: str | None) -> tuple[str, Content | None]:
    """What the table says of the tracks, as asked; else their tags, numbers, or nothing."""
    ways = {TAGS: tag_vectors, NUMBERS: number_vectors}
    if asked is not None:
        return asked, ways[asked](tracks)
    for name, way in ways.items():
        try:
            return name, way(tracks)
        except QueryError:  # of this kind the table says nothing
            continue
    return TAGS, None


def _model_names(catalog: Catalog, models: Sequence[str] | None) -> list[str]:
    """The models to measure; raises QueryError for one that the catalog lacks."""
    if isinstance(models, str):
        raise QueryError(f"models is {models!r}: give a list, as [{models!r}]")
    names = catalog.models() if models is None else list(models)
    return [catalog.model_entry(name)[0] for name in names]


def _held(vectors: Vectors) -> VectorsOf:
    return lambda training: vectors


def _served(
    name: str, vectors: VectorsOf, k: int, constraints: Constraints | None
) -> dict[str, Model]:
    """A model as it is served, the same without caps, and the plain scorers by its vectors."""

    def nearest(training: Training) -> Scorer:
        content = content_of(vectors(training), training.tracks["track_id"])
        return nearest_heard(training, content)

    return {
        name: generator_model(vectors, k, constraints),
        f"{name}, no caps": generator_model(vectors, k, UNCAPPED),
        f"{name}, set fit": set_fit_model(vectors),
        f"{name}, nearest": nearest,
    }


def _baselines(
    content: Content | None, against: Sequence[str], models: Mapping[str, Model]
) -> tuple[dict[str, Model], list[str]]:
    """The baselines that are asked for, and which of them cannot be had."""
    unknown = [name for name in against if name not in BASELINES and name not in models]
    if unknown:
        names = ", ".join([*BASELINES, *models])
        raise QueryError(
            f"there is no baseline {unknown[0]!r}, nor such a model: choose of {names}"
        )
    against = [name for name in against if name not in models or name in BASELINES]
    known = baselines(content)
    notes = [f"{name} was left out: no content was given" for name in against if name not in known]
    return {name: known[name] for name in against if name in known}, notes


def _creators(
    split: Split, tracks: pa.Table, labels: TrackLabels, creators: str | TableLike | None
) -> CreatorGroups | None:
    """The groups asked for beside those by popularity, which every evaluation has."""
    if creators is None or (isinstance(creators, str) and creators == POPULARITY):
        return None
    if isinstance(creators, str) and creators == EMERGING:
        few = emerging(split.history, labels.artists)
        return CreatorGroups.of_masks(EMERGING, {EMERGING: few, "established": ~few})
    return creator_groups(tracks, creators, heard_by(split.history))


def _listener_groups(split: Split, given: TableLike | None) -> tuple[dict[str, Mask], int]:
    if given is None:
        return {}, 0
    users = [str(user) for user in split.listening.users[split.asked]]
    return given_groups(as_table(given, "the groups of listeners"), users)


def _folded(count: int, what: str) -> list[str]:
    if not count:
        return []
    return [
        f"{counted(count, what)} with fewer than {SMALLEST_GROUP} listeners, or after the "
        f'{MOST_GROUPS} largest: in "{OTHER}", or not shown where even these are few'
    ]


def _about(split: Split, labels: TrackLabels, protocol: Protocol) -> dict[str, Any]:
    """What was asked, of whom and on what, in numbers."""
    return {
        "protocol": split.about,
        "tracks": len(labels),
        "artists": len(labels.artists.names),
        "candidates": len(split.candidates),
        "listeners": len(split.listening.users),
        "asked": len(split.asked),
        "listens": len(split.listening),
        "training_listens": int(split.training.sum()),
        "answers": int(split.answers.nnz),
        "ks": list(protocol.ks),
        "seed": protocol.seed,
        "bootstrap": protocol.bootstrap,
    }
