"""Forgetting a listener: out of feedback, tables and models, until no file holds the id.

Each step writes whole files anew and is done when it is done: what was killed in between is
finished by doing it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musicu.catalog.catalog import Catalog
from musicu.catalog.lock import write_lock
from musicu.catalog.store import ROOMS
from musicu.errors import QueryError, SourceError
from musicu.listening.feedback.feedback_log import FOLDER as FEEDBACK
from musicu.listening.feedback.feedback_log import FeedbackLog
from musicu.listening.pseudonyms import KEY_FILE, known_key, listener_ids
from musicu.players.player_links import forget_players
from musicu.privacy.listener_tables import (
    PARQUET,
    count_rows,
    is_table,
    listener_columns,
    remove_rows,
)
from musicu.privacy.trained_models import TrainedModel, mark_forgotten, marked, trained_with

_UPLOADS = "uploads"  # music that a service took in
_SURE_LETTERS = 6  # a shorter name stands in other words by chance
_BLOCK = 1 << 20


@dataclass(slots=True)
class Forgotten:
    """What became of some listeners' traces.

    ids: the names, and their pseudonyms. feedback_rows: removed from exposures and outcomes.
    tables: table, or folder of a player → rows removed from it. models: that were trained with
    them. leftovers: files that still hold an id, in a form which cannot be written again.
    """

    ids: dict[str, str]
    feedback_rows: int = 0
    tables: dict[Path, int] = field(default_factory=dict)
    models: list[TrainedModel] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """All rows that were removed."""
        return self.feedback_rows + sum(self.tables.values())


def forget(
    catalog: Catalog,
    listeners: Collection[str],
    also: Sequence[Path] = (),
    *,
    columns: Sequence[str] = (),
    key_file: Path | None = None,
    retrain: Callable[[TrainedModel], bool] | None = None,
    log: FeedbackLog | None = None,
) -> Forgotten:
    """Remove listeners from a catalog and from tables that were derived from their listening.

    listeners: names, or pseudonyms. also: tables (Parquet, CSV, TSV) and folders of tables outside
    the catalog. columns: that name listeners, beside the usual `user_id` and so on. key_file: of
    the pseudonyms, where it is not the catalog's. retrain: trains a model again, without the
    listeners, and says whether it could; it is asked for models that were marked before as well,
    and one that could not be is marked. log: of the catalog, where this process has it open.

    Raises CatalogError while another process writes to the catalog or its feedback, QueryError for
    a table that has no column of listeners.
    """
    wanted = [name for name in listeners if name]
    if not wanted:
        raise QueryError("nobody is named: give the name or pseudonym of a listener")
    file = key_file or catalog.path / KEY_FILE
    done = Forgotten(listener_ids(wanted, file))
    given = [(path, _columns(path, columns)) for each in also for path in _tables(each)]
    if log is not None:
        done.feedback_rows = log.forget(*done.ids)
    elif (catalog.path / FEEDBACK).is_dir():
        with FeedbackLog(catalog) as opened:
            done.feedback_rows = opened.forget(*done.ids)
    with write_lock(catalog.path):
        done.tables |= forget_players(catalog.path, done.ids)
        given += [(path, listener_columns(path, columns)) for path in _tables_inside(catalog)]
        for path, named in given:
            if gone := remove_rows(path, done.ids, named) if named else 0:
                done.tables[path] = gone
    key = known_key(file)
    models = {model.name: model for model in marked(catalog)} if retrain is not None else {}
    models |= {model.name: model for model in trained_with(catalog, done.ids, key)}
    for model in models.values():
        retrained = retrain is not None and retrain(model)
        if not retrained and key is not None:
            mark_forgotten(catalog, model.name, done.ids, key)
        done.models.append(replace(model, retrained=retrained))
    done.leftovers = list(_leftovers(catalog, done.ids, [path for path, _ in given]))
    return done


def holds_listeners(path: Path, ids: Collection[str]) -> bool:
    """Whether a table has rows of one of the listeners."""
    return count_rows(path, ids, listener_columns(path)) > 0


def _tables(path: Path) -> list[Path]:
    """A table, or those in a folder and in the folders below."""
    if path.is_dir():
        return sorted(found for found in path.rglob("*") if found.is_file() and is_table(found))
    if not is_table(path):
        raise SourceError(
            f"{path} cannot be written again without a listener, as Parquet, CSV and TSV can: "
            "delete it, or make it anew"
        )
    return [path]


def _columns(path: Path, extra: Sequence[str]) -> list[str]:
    named = listener_columns(path, extra)
    if not named:
        raise QueryError(f"{path} has no column of listeners: name it with --column")
    return named


def _tables_inside(catalog: Catalog) -> Iterator[Path]:
    """Tables in the catalog's folder that are not the catalog's own."""
    for path in _files(catalog, (*ROOMS, _UPLOADS, FEEDBACK, "models")):
        if is_table(path):
            yield path


def _files(catalog: Catalog, without: Sequence[str]) -> Iterator[Path]:
    for path in sorted(catalog.path.rglob("*")):
        inside = path.relative_to(catalog.path).parts
        if path.is_file() and inside[0] not in without and path.name != KEY_FILE:
            yield path


def _leftovers(catalog: Catalog, ids: Collection[str], tables: Sequence[Path]) -> Iterator[Path]:
    """Files that hold an id somewhere; what is about tracks alone is not looked at."""
    sure = sorted(each for each in ids if len(each) >= _SURE_LETTERS)
    for path in dict.fromkeys([*_files(catalog, (*ROOMS, _UPLOADS)), *tables]):
        if sure and (_bytes_hold(path, sure) or _cells_hold(path, sure)):
            yield path


def _bytes_hold(path: Path, ids: Sequence[str]) -> bool:
    wanted = [each.encode() for each in ids]
    longest, tail = max(map(len, wanted)), b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            block = tail + block
            if any(each in block for each in wanted):
                return True
            tail = block[1 - longest :]
    return False


def _cells_hold(path: Path, ids: Sequence[str]) -> bool:
    """Whether a text of a Parquet file, whose pages are compressed, holds an id."""
    if path.suffix.lower() not in PARQUET:
        return False
    with pq.ParquetFile(path) as file:
        texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type)]
        for batch in file.iter_batches(columns=texts):
            for column in batch.columns:
                if any(pc.any(pc.match_substring(column, each)).as_py() for each in ids):
                    return True
    return False
