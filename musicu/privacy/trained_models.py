"""Models of a catalog that were trained with listeners, by the marks that they keep."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from musicu.catalog.catalog import Catalog
from musicu.embeddings.cards import read_card
from musicu.listening.listener_marks import ListenerMarks, read_marks
from musicu.records import counted

_FOLDER = "models"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that was trained with a listener, or may have been.

    certain: whether its marks say so; a model without marks was stored by other means than the
    commands. command: what trains it again, without "musicu"; empty where that is unknown.
    retrained: whether it was trained again without them.
    """

    name: str
    certain: bool
    command: tuple[str, ...]
    retrained: bool = False


def trained_with(
    catalog: Catalog, listeners: Collection[str], key: bytes | None
) -> Iterator[TrainedModel]:
    """The models that were trained with one of the listeners, or may have been.

    listeners: names or pseudonyms. key: of the pseudonyms; without it nobody can tell, and every
    model that was trained with listeners may have been trained with these.
    """
    for room in _rooms(catalog):
        marks = read_marks(room)
        if marks is None:
            if _learned_from_listeners(room):
                yield TrainedModel(room.name, False, ())
        elif key is None:
            if len(marks.marks):
                yield TrainedModel(room.name, False, marks.command)
        elif marks.without(listeners, key).forgotten > marks.forgotten:
            yield TrainedModel(room.name, True, marks.command)


def marked(catalog: Catalog) -> Iterator[TrainedModel]:
    """The models that still hold what they learned from listeners who were forgotten before."""
    for room in _rooms(catalog):
        marks = read_marks(room)
        if marks is not None and marks.forgotten:
            yield TrainedModel(room.name, True, marks.command)


def mark_forgotten(catalog: Catalog, name: str, listeners: Collection[str], key: bytes) -> None:
    """Take listeners' marks out of a model, which counts them as forgotten from then on."""
    room = catalog.path / _FOLDER / name
    marks = read_marks(room)
    if marks is not None:
        marks.without(listeners, key).write(room)


def notes_of_forgotten(catalog: Catalog) -> Iterator[str]:
    """A sentence for each model that still holds what it learned from forgotten listeners."""
    for model in marked(catalog):
        marks = read_marks(catalog.path / _FOLDER / model.name)
        whom = counted(marks.forgotten if marks is not None else 0, "listener")
        yield f"model {model.name} was trained with {whom} forgotten since: train it again"


def keep_marks(
    catalog: Catalog, name: str, listeners: Collection[str], key: bytes, command: tuple[str, ...]
) -> None:
    """Note whom a model of the catalog was trained with, and by which command."""
    ListenerMarks.of(listeners, key, command).write(catalog.path / _FOLDER / name)


def _rooms(catalog: Catalog) -> list[Path]:
    found = (catalog.path / _FOLDER).glob("[!.]*")
    return sorted(path for path in found if path.is_dir())


def _learned_from_listeners(room: Path) -> bool:
    """Whether a model without marks may have; of a track encoder its card says what it learned."""
    if not (room / "card.json").is_file():
        return any(room.iterdir())
    training = read_card(room).about.get("training", {})
    return bool({"listens", "playlists"} & set(training.get("tables", ())))
