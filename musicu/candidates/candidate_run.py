"""Candidates for all listeners of a table, in a stream that can be stopped and gone on with.

The listens are divided into shards of whole listeners, in a working folder beside the output. A
finished shard is a Parquet file there; a run that was stopped skips those when the same command
is given again. At the end they become one file and the folder goes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musicu.candidates.candidate_schema import with_floor_counts
from musicu.candidates.generator import CandidateGenerator, Sources
from musicu.catalog.files import plain_errors, write_atomically
from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.items.exposure_floors import FloorCount, summed
from musicu.items.item_table import ItemTable
from musicu.listening import sharding
from musicu.listening.listens import Checked, check_listens, utc
from musicu.listening.profile_arrays import UserProfile
from musicu.listening.profiles import HALF_LIFE_DAYS, TasteOptions, TasteProfile, tastes
from musicu.progress import tell
from musicu.ranking.ranker import Ranker

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog

_META = b"musicu"
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class CandidateOptions:
    """What candidates are asked for.

    sources: each alone or with its share. k: at most so many a listener. now: the present; that
    of the run itself where None. ranker: one for all sources, or its name; None: the one that each
    source names. users: only these listeners. model: whose vectors.
    """

    sources: Sources
    k: int = 100
    constraints: Constraints = field(default_factory=Constraints)
    now: datetime | None = None
    seed: int = 0
    ranker: Ranker | str | None = None
    users: Collection[str] | None = None
    model: str | None = None
    half_life_days: float = HALF_LIFE_DAYS
    taste: TasteOptions = field(default_factory=TasteOptions)


@dataclass(frozen=True, slots=True)
class CandidateReport:
    """What came of a run.

    listeners: how many were asked for. candidates: how many were found. tasteless: listeners
    without any interest, as nothing that they play has a vector. unserved: listeners without any
    candidate. floors: what exposure floors did, by group. The others count listens that were left
    out: see `listens.Checked`.
    """

    listeners: int = 0
    candidates: int = 0
    tasteless: int = 0
    unserved: int = 0
    unknown: int = 0
    duplicates: int = 0
    future: int = 0
    unweighted: int = 0
    early: int = 0
    floors: tuple[FloorCount, ...] = ()

    def __add__(self, other: CandidateReport) -> CandidateReport:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return CandidateReport(**{**sums, "floors": tuple(summed(sums["floors"]))})

    def warnings(self) -> list[str]:
        """A sentence for each thing that people should know."""
        counts = (self.unknown, self.duplicates, self.future, self.unweighted, self.early)
        told = list(Checked(pa.table({}), *counts).warnings())
        if self.tasteless:
            told.append(f"{self.tasteless:,} listeners play nothing that has a vector")
        if self.unserved:
            told.append(f"{self.unserved:,} listeners got no candidate: no track passes for them")
        return told


def write_candidates(
    catalog: Catalog,
    listens: Path,
    out: Path,
    settings: CandidateOptions,
) -> CandidateReport:
    """Write the candidates of every listener to `out`, one Parquet file in the form of CANDIDATES.

    listens: a Parquet or CSV file, or a folder of Parquet files, in any order. Rows come by
    listener, as `find_candidates` has them. The same input and `now` give the same bytes. Raises
    QueryError for listens or settings that make no sense, CatalogError where the disk refuses.
    """
    found = sharding.open_listens(listens)
    census = sharding.count(found, settings.users)
    if not census.firsts:
        raise QueryError(f"{listens} holds no listens of the listeners asked for: nothing to do")
    work = out.with_name(out.name + ".work")
    now = _begun(work, _identity(catalog, found, settings), settings.now)
    generator = _generator(catalog, settings, census.plays, now)
    firsts, everyone = census.firsts, census.users
    del census  # the plays of every track by name; the items has them by row
    pa.default_memory_pool().release_unused()
    report = CandidateReport()
    with plain_errors(work):
        for number in range(len(firsts)):
            shard = work / f"candidates-{number:05d}.parquet"
            if not shard.exists():
                if not (work / "divided").exists():
                    sharding.divide(found, firsts, work, settings.users)
                    (work / "divided").touch()
                listened = sharding.shard_listens(work, number)
                before = _Counted(report.listeners, everyone)
                write_atomically(shard, partial(_write, listened, generator, settings, before))
            report += _report(shard)
        shards = [work / f"candidates-{n:05d}.parquet" for n in range(len(firsts))]
        empty = with_floor_counts(generator.schema.empty_table(), report.floors)
        write_atomically(out, lambda path: _join(path, shards, empty.schema))
        shutil.rmtree(work)
    return report


class _Counted(NamedTuple):
    """How many listeners are done, of how many."""

    done: int
    total: int


def _generator(
    catalog: Catalog, settings: CandidateOptions, plays: pa.Table, now: datetime
) -> CandidateGenerator:
    items = ItemTable.of(catalog, settings.model)
    row = pc.index_in(plays["name"], value_set=items.id_texts)
    known = pc.is_valid(row)
    items.plays[row.filter(known).to_numpy()] = plays["count"].filter(known).to_numpy()
    generator = CandidateGenerator.of(
        items,
        settings.sources,
        settings.k,
        settings.constraints,
        now,
        settings.seed,
        settings.ranker,
        catalog,
    )
    generator.group_masks()
    return generator


def _write(
    listens: pa.Table,
    generator: CandidateGenerator,
    settings: CandidateOptions,
    before: _Counted,
    path: Path,
) -> None:
    """Find a shard's candidates and write them, with the report in the file's metadata."""
    checked = check_listens(listens, generator.items.id_texts, now=generator.now)
    everyone = sorted(listens["user_id"].unique().to_pylist())
    tasteful: list[str] = []
    served = candidates = 0
    with pq.ParquetWriter(path, generator.schema, compression="zstd") as writer:
        listeners = _listeners(everyone, checked.listens, generator, settings, tasteful)
        for table in generator.find(_counted(listeners, before)):
            writer.write_table(table)
            served += len(table["user_id"].unique())
            candidates += table.num_rows
        report = CandidateReport(
            len(everyone),
            candidates,
            len(everyone) - len(tasteful),
            len(everyone) - served,
            checked.unknown,
            checked.duplicates,
            checked.future,
            checked.unweighted,
            checked.early,
            tuple(generator.floor_counts),
        )
        generator.floor_counts.clear()
        writer.add_key_value_metadata({_META.decode(): json.dumps(asdict(report))})


def _counted(listeners: Iterator[UserProfile], before: _Counted) -> Iterator[UserProfile]:
    """The listeners, telling how many are done with those of earlier shards."""
    for done, listener in enumerate(listeners, before.done):
        tell("finding candidates", done, before.total, "listeners")
        yield listener


def _listeners(
    everyone: list[str],
    listens: pa.Table,
    generator: CandidateGenerator,
    settings: CandidateOptions,
    tasteful: list[str],
) -> Iterator[UserProfile]:
    """Each listener with a taste, empty for those none of whose listens count.

    Who has an interest is noted in `tasteful`.
    """
    vectors = generator.items.vectors
    half_life, options = settings.half_life_days, settings.taste
    made = tastes(listens, vectors, now=generator.now, half_life_days=half_life, options=options)
    known = next(made, None)
    for user_id in everyone:
        if known is None or known[0] != user_id:
            yield UserProfile(user_id, TasteProfile.empty(generator.now, half_life, options))
            continue
        if known[1].interests:
            tasteful.append(user_id)
        yield UserProfile(*known)
        known = next(made, None)


def _report(shard: Path) -> CandidateReport:
    with pq.ParquetFile(shard) as file:
        told = json.loads(file.metadata.metadata[_META])
    floors = tuple(FloorCount(**count) for count in told.pop("floors", ()))
    return CandidateReport(floors=floors, **told)


def _join(path: Path, shards: list[Path], schema: pa.Schema) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for shard in shards:
            with pq.ParquetFile(shard) as file:
                for group in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(group))


def _begun(work: Path, identity: str, now: datetime | None) -> datetime:
    """The moment at which the run that the folder holds began; a new one where it is another's."""
    state = work / "state.json"
    if state.exists():
        known = json.loads(state.read_text("utf-8"))
        began = datetime.fromisoformat(known["now"])
        if known["identity"] == identity and (now is None or utc(now) == began):
            return began
        shutil.rmtree(work)
    began = utc(now) if now is not None else datetime.now(timezone.utc)
    text = json.dumps({"identity": identity, "now": began.isoformat()})
    write_atomically(state, lambda path: path.write_text(text, "utf-8"))
    return began


def _identity(catalog: Catalog, listens: sharding.ListenLog, settings: CandidateOptions) -> str:
    """A digest of all that decides what comes out, but the moment."""
    name, entry = catalog.model_entry(settings.model)
    stats = [(file, Path(file).stat()) for file in sorted(listens.files)]
    parts = [
        _FORMAT,
        str(catalog.path.absolute()),
        len(catalog),
        (name, repr(entry)),
        [(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats],
        [repr(source) for source in settings.sources],
        (settings.k, repr(_plain(settings.constraints)), settings.seed, repr(settings.ranker)),
        None if settings.users is None else sorted(settings.users),
        (settings.half_life_days, repr(settings.taste)),
    ]
    return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _plain(constraints: Constraints) -> dict[str, Any]:
    """Constraints whose sets stand in one order."""
    values = {f.name: getattr(constraints, f.name) for f in fields(constraints)}
    return {k: sorted(v) if isinstance(v, frozenset) else str(v) for k, v in values.items()}
