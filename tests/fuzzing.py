"""Damaged input for everything that reads: what may come back is an answer or a plain error.

    python tests/fuzzing.py audio --count 10000        # one reader, from case 0
    python tests/fuzzing.py --count 2000               # each of them

A case is a number: it chooses a whole file, and how its bytes are damaged, so that it can be run
again alone (--first N --count 1 --keep FOLDER). Cases run in processes of their own: one that
dies or hangs is a find like an exception that is no MusicuError. Exits with 1 where one is found.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS_A_CASE = 20
#: The memory that a case may take; a size that is read from a damaged file must not be believed.
BYTES = 3 << 30


@dataclass(frozen=True)
class Find:
    """What went wrong, and with which case."""

    reader: str
    case: int
    what: str


def damaged(whole: bytes, other: bytes, rng: random.Random) -> bytes:
    """Bytes with one to four kinds of damage, half of it near the front, where headers are."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 4))):
        reach = min(len(data), 512) if rng.random() < 0.5 else len(data)
        at = rng.randrange(reach) if reach else 0
        size = min(rng.choice((1, 2, 4, 8, 64, 1000)), len(data) - at)
        rng.choice(_DAMAGES)(data, at, size, other, rng)
    return bytes(data)


def _flip(data: bytearray, at: int, size: int, other: bytes, rng: random.Random) -> None:
    if data:
        data[at] ^= 1 << rng.randrange(8)


def _noise(data: bytearray, at: int, size: int, other: bytes, rng: random.Random) -> None:
    data[at : at + size] = rng.randbytes(size)


def _extreme(data: bytearray, at: int, size: int, other: bytes, rng: random.Random) -> None:
    numbers = (0, 1, -1, 127, 1 << 7, (1 << 15) - 1, 1 << 15, (1 << 31) - 1, 1 << 31, 1 << 62)
    width = rng.choice((1, 2, 4, 8))
    value = rng.choice(numbers) % (1 << 8 * width)
    data[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))


def _cut(data: bytearray, at: int, size: int, other: bytes, rng: random.Random) -> None:
    del data[at : at + size]


def _repeat(data: bytearray, at: int, size: int, other: bytes, rng: random.Random) -> None:
    data[at:at] = data[at : at + size] * rng.choice((1, 2, 50))


def _end(data: bytearray, at: int, size: int, other: bytes, rng: random.Random) -> None:
    del data[at:]


def _graft(data: bytearray, at: int, size: int, other: bytes, rng: random.Random) -> None:
    start = rng.randrange(len(other)) if other else 0
    data[at : at + size] = other[start : start + size]


_DAMAGES = (_flip, _noise, _extreme, _extreme, _cut, _repeat, _end, _graft)


def run_cases(reader: str, first: int, count: int, keep: Path | None = None) -> list[Find]:
    """Feed cases to a reader, in processes that are replaced when they die."""
    finds = []
    stop = first + count
    with tempfile.TemporaryDirectory() as folder:
        while first < stop:
            done, found = _one_process(reader, first, stop, Path(folder), keep)
            finds += found
            first = done
    return finds


def _one_process(
    reader: str, first: int, stop: int, folder: Path, keep: Path | None
) -> tuple[int, list[Find]]:
    """Cases until the process ends; returns the case to go on with, and what was found."""
    command = [sys.executable, __file__, reader, "--child", str(folder)]
    command += ["--first", str(first), "--count", str(stop - first)]
    command += ["--keep", str(keep)] if keep else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        assert child.stdout is not None
        finds, at = [], first - 1
        for line in child.stdout:
            said = json.loads(line)
            at = said["case"]
            if said.get("what"):
                finds.append(Find(reader, at, said["what"]))
        status = child.wait()
        errors.seek(0)
        last = errors.read()[-2000:]
    if status == 0:
        return stop, finds
    return at + 1, [*finds, Find(reader, at, f"the process ended with {status}: {last}")]


def _child(reader: str, first: int, count: int, folder: Path, keep: Path | None) -> None:
    """Feed cases, saying each before it begins, and what it raised."""
    from musicu.errors import MusicuError

    _limit_memory()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    make, feed = READERS[reader]()
    corpus = _corpus(folder / reader, make)
    for case in range(first, first + count):
        rng = random.Random(f"{reader} {case}")
        whole, other = rng.choice(corpus), rng.choice(corpus)
        print(json.dumps({"case": case}), file=answers, flush=True)
        place = keep or folder
        path = place / f"{case}-{whole.name}"
        path.write_bytes(damaged(whole.read_bytes(), other.read_bytes(), rng))
        _alarm(SECONDS_A_CASE)
        try:
            feed(path)
        except MusicuError:
            pass
        except Exception:  # noqa: BLE001 - whatever else is raised is what we look for
            found = {"case": case, "what": traceback.format_exc()}
            print(json.dumps(found), file=answers, flush=True)
        _alarm(0)
        if not keep:
            path.unlink()


def _limit_memory() -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))


def _alarm(seconds: int) -> None:
    """End the process if a case takes longer; 0 takes it back."""
    if hasattr(os, "fork"):
        import signal

        signal.alarm(seconds)


def _corpus(folder: Path, make: Callable[[Path], None]) -> list[Path]:
    """The whole files that cases are damaged copies of, made once."""
    if not folder.exists():
        folder.mkdir(parents=True)
        make(folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())


Reader = tuple[Callable[[Path], None], Callable[[Path], None]]


def _audio() -> Reader:
    from fuzzing_corpus import make_recordings

    from musicu.audio import read_audio, read_segments
    from musicu.records import Windows

    def feed(path: Path) -> None:
        import numpy as np

        audio = read_audio(path, 22_050, Windows(0.5, 3))
        assert audio.samples.dtype == np.float32
        assert np.isfinite(audio.samples).all()
        for segment in read_segments(path, 22_050, 0.5):
            assert np.isfinite(segment.samples).all()

    return make_recordings, feed


def _tags() -> Reader:
    import pyarrow as pa
    from fuzzing_corpus import make_recordings

    from musicu.catalog.rows import tracks_table
    from musicu.ingest.track_rows import track_row
    from musicu.ingest.track_source import open_source
    from musicu.tags.content import content_hash
    from musicu.tags.fields import read_tags

    def feed(path: Path) -> None:
        for found in open_source([path]):
            tags = read_tags(path)
            row = track_row(found, tags, content_hash(path), True)  # type: ignore[arg-type]
            tracks_table([row], pa.schema([]))

    return make_recordings, feed


def _tables() -> Reader:
    from fuzzing_corpus import make_tables

    from musicu.ingest.track_source import open_source

    def feed(path: Path) -> None:
        source = open_source(path)
        for _ in [source.tracks()] if source.tracks else source:
            pass

    return make_tables, feed


def _histories() -> Reader:
    from fuzzing_corpus import make_histories

    from musicu.listening.importers.reading import ReadingOptions, read_listens

    def feed(path: Path) -> None:
        options = ReadingOptions()
        for table in read_listens(path, options):
            table.validate(full=True)
        list(options.notes.warnings())

    return make_histories, feed


def _listens() -> Reader:
    from fuzzing_corpus import make_listens

    from musicu.listening.listens import check_listens
    from musicu.listening.sharding import batches, open_listens

    def feed(path: Path) -> None:
        for table in batches(open_listens(path)):
            list(check_listens(table).warnings())

    return make_listens, feed


def _catalogs() -> Reader:
    from fuzzing_corpus import catalog_with, make_catalog_files

    from musicu.catalog.catalog import Catalog
    from musicu.catalog.summary import summary
    from musicu.retrieval import similar

    def feed(path: Path) -> None:
        with catalog_with(path) as folder:
            catalog = Catalog.open(folder)
            summary(catalog)
            ids, _ = catalog.vectors()
            catalog.failures()
            catalog.descriptors()
            for track_id in ids[:1]:  # none where the damage parts tracks from vectors
                similar(catalog, str(track_id), k=2)

    return make_catalog_files, feed


def _models() -> Reader:
    from fuzzing_corpus import make_model_files, model_with

    from musicu.embeddings.embedder import Embedder

    def feed(path: Path) -> None:
        import numpy as np

        from musicu.records import Audio

        with model_with(path) as folder:
            embedder = Embedder.load(folder)
            rate = embedder.card.sample_rate
            noise = 0.1 * np.random.default_rng(0).standard_normal(8 * rate)
            embedder.embed(Audio.of(noise.astype(np.float32), rate))

    return make_model_files, feed


READERS: dict[str, Callable[[], Reader]] = {
    "audio": _audio,
    "tags": _tags,
    "tables": _tables,
    "histories": _histories,
    "listens": _listens,
    "catalogs": _catalogs,
    "models": _models,
}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", choices=[[], *READERS], default=[])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="a folder for the damaged files")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _reported(readers: list[str], options: argparse.Namespace) -> Iterator[Find]:
    for reader in readers:
        finds = run_cases(reader, options.first, options.count, options.keep)
        print(f"{reader}: {options.count} cases, {len(finds)} finds", flush=True)
        yield from finds


def main() -> None:
    options = _options()
    if options.child:
        _child(options.readers[0], options.first, options.count, options.child, options.keep)
        return
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    finds = list(_reported(options.readers or list(READERS), options))
    for find in finds:
        print(f"\n{find.reader} {find.case}\n{find.what}")
    sys.exit(1 if finds else 0)


if __name__ == "__main__":
    main()
