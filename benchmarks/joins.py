"""How right joins are: names as people damage them, ids. How fast: `joins_speed.py`.

    python benchmarks/joins.py names ../shared/data      # precision and recall by names, held out
    python benchmarks/joins.py codes ../shared/data      # precision by ISRC, some of them wrong

`names`: tracks of 1,000 releases of a Discogs dump, parted by artist: on one half the thresholds
of `record_matching` were chosen (`--half fit`), the other is measured (the default). Half of the
tracks of a half are missing from the dump that is joined, so that a near name is no match. A match
is right where its record has the title and artist of the track before the damage.
"""

from __future__ import annotations

import argparse
import random
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from musicu.datasets.name_damage import TrackNames, damaged_names
from musicu.joining.best_matches import BestMatches
from musicu.joining.dumps.discogs_dumps import read_discogs
from musicu.joining.given_file import GivenFile
from musicu.joining.join_notes import JoinNotes
from musicu.joining.join_records import as_records, records_of
from musicu.joining.record_matching import RecordMatcher
from musicu.joining.track_keys import TrackKeys

_SHOWN = 8


def releases(data: Path) -> list[dict]:
    notes = JoinNotes()
    file = GivenFile(next((data / "discogs_samples").glob("*releases*")), notes)
    tables = [as_records(table, notes, "") for table in read_discogs(file)]
    return [row for table in tables for row in table.to_pylist() if row["title"] and row["artist"]]


def in_half(row: dict, half: str) -> bool:
    return (zlib.crc32(row["artist"].lower().encode()) % 2 == 0) == (half == "fit")


def names(data: Path, half: str, seed: int, lengths: bool) -> None:
    rng = random.Random(seed)
    rows = [row for row in releases(data) if in_half(row, half)]
    truth, told, kinds = [], [], []
    for row in rows:
        said, done = damaged_names(
            TrackNames(row["title"], row["artist"], row["duration_seconds"]),
            rng,
            rng.choice((1, 1, 2, 2, 3)),
        )
        truth.append((row["title"].casefold(), row["artist"].casefold()))
        told.append(said)
        kinds.append(done)
    present = {pair for pair in set(truth) if rng.random() < 0.5}
    tracks = pa.table(
        {
            "track_id": [f"t{n}" for n in range(len(told))],
            "title": [said.title for said in told],
            "artists": [[said.artist] for said in told],
            "album": pa.nulls(len(told), pa.string()),
            "duration_seconds": pa.array(
                [said.seconds if lengths else None for said in told], pa.float64()
            ),
        }
    )
    notes = JoinNotes()
    dump = [row for row in rows if (row["title"].casefold(), row["artist"].casefold()) in present]
    keys = TrackKeys(tracks, "discogs")
    best, matcher = BestMatches(keys.count), RecordMatcher(keys)
    fields = ("record_id", "title", "artist", "duration_seconds", "date")
    records = as_records(records_of([{n: row[n] for n in fields} for row in dump]), notes, "")
    best.add(records, matcher.match(records))
    found = best.result()
    right = wrong = 0
    missed: Counter[str] = Counter()
    hit = set()
    shown: list[tuple] = []
    lost: list[tuple] = []
    for track, title, artist in zip(
        *(found[n].to_pylist() for n in ("_track", "title", "artist")), strict=True
    ):
        hit.add(track)
        if (title.casefold(), artist.casefold()) == truth[track]:
            right += 1
        else:
            wrong += 1
            shown.append((truth[track], told[track], title, artist))
    for track, pair in enumerate(truth):
        if pair in present and track not in hit:
            missed.update(kinds[track])
            lost.append((truth[track], told[track], kinds[track]))
    possible = sum(pair in present for pair in truth)
    print(
        f"{half}, {'with' if lengths else 'without'} lengths: {len(told):,} tracks, "
        f"{possible:,} of them in the dump"
    )
    print(
        f"precision {right / max(1, right + wrong):.4f}, recall {right / possible:.4f}, "
        f"{wrong} wrong"
    )
    print("missed, by kind of damage:", dict(missed.most_common()))
    for line in lost[:_SHOWN]:
        print("  missed:", line)
    for line in shown[:_SHOWN]:
        print("  wrong:", line)


def codes(data: Path, half: str, seed: int) -> None:
    """ISRCs of which a tenth on compilations, and one in fifty elsewhere, are another track's."""
    rng = random.Random(seed)
    rows = [row for row in releases(data) if in_half(row, half)]
    own = {}
    for row in rows:
        own.setdefault((row["title"].casefold(), row["artist"].casefold()), f"GBAAA{len(own):07d}")
    every = list(own.values())
    tracks, truth = [], []
    for number, row in enumerate(rows):
        pair = row["title"].casefold(), row["artist"].casefold()
        said, _ = damaged_names(TrackNames(row["title"], row["artist"], None), rng, 1)
        wrong = rng.random() < (0.1 if row["compilation"] else 0.02)
        truth.append(pair)
        tracks.append(
            {
                "track_id": f"t{number}",
                "title": said.title,
                "artists": [said.artist],
                "duration_seconds": row["duration_seconds"],
                "compilation": row["compilation"],
                "isrc": rng.choice(every) if wrong else own[pair],
            }
        )
    keys, notes = TrackKeys(pa.Table.from_pylist(tracks), "discogs"), JoinNotes()
    fields = ("record_id", "title", "artist", "duration_seconds", "compilation")
    dump = [
        {
            **{n: row[n] for n in fields},
            "isrcs": [own[row["title"].casefold(), row["artist"].casefold()]],
        }
        for row in rows
    ]
    records = as_records(records_of(dump), notes, "")
    for trusting in (True, False):
        matcher, best = RecordMatcher(keys, by_names=False), BestMatches(keys.count)
        if trusting:
            matcher._believed = lambda about, way: np.ones(len(way), bool)  # type: ignore[method-assign]
        best.add(records, matcher.match(records))
        found = best.result()
        told = zip(*(found[n].to_pylist() for n in ("_track", "title", "artist")), strict=True)
        right = sum((t.casefold(), a.casefold()) == truth[track] for track, t, a in told)
        print(
            f"{half}, {'as they stand' if trusting else 'as joined'}: precision by ISRC "
            f"{right / found.num_rows:.4f}, recall {right / len(rows):.4f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    by_names = commands.add_parser("names")
    by_names.add_argument("data", type=Path)
    by_names.add_argument("--half", choices=("fit", "test"), default="test")
    by_names.add_argument("--seed", type=int, default=0)
    by_codes = commands.add_parser("codes")
    by_codes.add_argument("data", type=Path)
    by_codes.add_argument("--half", choices=("fit", "test"), default="test")
    by_codes.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.command == "names":
        for with_lengths in (True, False):
            names(chosen.data, chosen.half, chosen.seed, with_lengths)
    else:
        codes(chosen.data, chosen.half, chosen.seed)
