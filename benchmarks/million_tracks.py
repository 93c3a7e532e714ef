"""A catalog of a million tracks, end to end, and how each step grows with the tracks.

    python benchmarks/million_tracks.py OUT --tracks 100000 1000000 --json million_tracks.json

Tracks, vectors of 256 and listens of 100,000 listeners are those that `library.py` makes: ten
tracks an artist, two hundred styles. Each step is a command of musicu in a process of its own:
wall clock, processor time, memory at most, and the disk that it fills. `for-you` is for the first
10,000 listeners. The service is asked for 50 pages of listeners with 2,000 events between them,
one after another. OUT/N is kept: a step that --steps leaves out is not run again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from library import cost_of, making
from service_load import Connection, Service, batches

HERE = Path(__file__).parent
SOME, PAGES = 10_000, 50
MUSICU = [sys.executable, "-m", "musicu"]
USER, LISTENS = "USER", "--listens listens.parquet"

#: A step's command, and what it writes below OUT/N.
STEPS = {
    "scan": ("scan tracks.parquet -o scanned --vectors vector --model-name made", "scanned"),
    "index": ("index catalog", "catalog/indexes"),
    "index, nothing new": ("index catalog", "catalog/indexes"),
    "similar, index": ("similar catalog --index disk 0000000000000005", ""),
    "similar, exact": ("similar catalog 0000000000000005", ""),
    "candidates": (f"candidates catalog {LISTENS} -o new.parquet", "new.parquet"),
    "candidates, for-you": (
        f"candidates catalog {LISTENS} --source for-you --users some.txt -o for-you.parquet",
        "for-you.parquet",
    ),
    "shelves": (f"shelves catalog {LISTENS} --user {USER} -o page", "page"),
    "shelves, anybody": ("shelves catalog -o anybody", "anybody"),
}
MADE, SEARCH, SERVICE = "make", "search the index", "service"
ALL = (MADE, *STEPS, SEARCH, SERVICE)
Line = dict[str, float]


@dataclass(frozen=True)
class Place:
    """A folder with a catalog of so many tracks."""

    folder: Path
    tracks: int

    def mb(self, name: str) -> float:
        """The disk below a name."""
        path = self.folder / name
        files = [path] if path.is_file() else path.rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tracks", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--listeners", type=int, default=100_000)
    parser.add_argument("--each", type=int, default=50, help="listens of a listener")
    parser.add_argument("--steps", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--json", type=Path, help="results; steps that it has are kept")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    known = json.loads(given.json.read_text())["steps"] if _there(given.json) else {}
    for tracks in given.tracks:
        place = Place(given.out.resolve() / str(tracks), tracks)
        for step in given.steps:
            line = measured(step, place, given.listeners, given.each)
            if line is not None:
                known.setdefault(step, {})[str(tracks)] = line
                print(f"{tracks:,} {step}: {line}", flush=True)
            if given.json:
                given.json.write_text(json.dumps(result(known), indent=1) + "\n")


def _there(path: Path | None) -> bool:
    return path is not None and path.exists()


def measured(step: str, place: Place, listeners: int, each: int) -> Line | None:
    """What a step costs, or None where it was made before."""
    if step == MADE:
        return made(place, listeners, each)
    if step == SEARCH:
        return searched(place)
    if step == SERVICE:
        return asyncio.run(served(place))
    words, written = STEPS[step]
    told = ["listener 7" if word == USER else word for word in words.split()]
    cost = cost_of([*MUSICU, *told], place.folder)
    line = {"wall_s": cost.wall, "processor_s": cost.processor, "peak_mb": cost.peak_mb}
    return rounded(line | ({"disk_mb": place.mb(written)} if written else {}))


def rounded(line: Line) -> Line:
    return {name: round(value, 3 if value < 10 else 1) for name, value in line.items()}


def made(place: Place, listeners: int, each: int) -> Line | None:
    """The catalog and the listens, made up."""
    if place.folder.exists():
        return None
    cost = cost_of(making(place.folder, place.tracks, listeners, each, 256, 0), HERE)
    users = "".join(f"listener {number}\n" for number in range(min(SOME, listeners)))
    (place.folder / "some.txt").write_text(users)
    line = {"processor_s": cost.processor, "peak_mb": cost.peak_mb, "disk_mb": place.mb("catalog")}
    return rounded({**line, "listens_mb": place.mb("listens.parquet")})


def searched(place: Place) -> Line:
    """Fifty searches of the index, warm, one after another."""
    index, told = place.folder / "catalog/indexes/made", place.folder / "asked.json"
    cost_of([sys.executable, str(HERE / "index_growth.py"), "ask", str(index)], HERE, told)
    said = json.loads(told.read_text())
    line = {"peak_mb": said["resident_mb"]}
    for name in ("all", "tenth"):
        line |= {f"{name}_{key}": said[name][key] for key in ("median_ms", "recall@100")}
    return rounded(line)


async def served(place: Place) -> Line:
    """Start, pages, events, and pages after them."""
    began = time.perf_counter()
    service = Service(place.folder / "catalog", place.folder / "service.log")
    try:
        line = {"start_s": time.perf_counter() - began, "start_processor_s": service.cpu()}
        line["ready_mb"] = service.memory() / 1e6
        connection = Connection(service.port)

        async def ask(path: str) -> float:
            asked = time.perf_counter()
            status, text = await connection.ask("GET", path)
            assert status == 200, text
            return 1000 * (time.perf_counter() - asked)

        line["first_page_ms"] = await ask("/shelves/known-0")
        ids = np.array([f"{row:016x}" for row in range(place.tracks)], object)
        asked, cpu = time.perf_counter(), service.cpu()
        for body in batches(ids, 20, f"events-{time.time()}"):
            assert (await connection.ask("POST", "/events", body))[0] == 200
        line["events_ms"] = 1000 * (time.perf_counter() - asked)
        line["first_page_of_a_listener_ms"] = await ask("/shelves/known-0")
        cpu = service.cpu()
        pages = [await ask(f"/shelves/known-{number}") for number in range(1, PAGES)]
        line["page_ms"] = statistics.median(pages)
        line["page_processor_ms"] = 1000 * (service.cpu() - cpu) / len(pages)
        line["page_again_ms"] = statistics.median([await ask("/shelves/known-1") for _ in pages])
        similar = [await ask(f"/similar/{ids[n * 97]}?k=20") for n in range(1, PAGES)]
        line["similar_ms"] = statistics.median(similar)
        told = Path(f"/proc/{service.process.pid}/status").read_text()
        line["peak_mb"] = int(re.findall(r"VmHWM:\s+(\d+)", told)[0]) * 1024 / 1e6
    finally:
        service.end()
    return rounded(line)


def result(steps: dict[str, dict[str, Line]]) -> dict[str, object]:
    """What is measured, and what of it is drawn: processor time by step and size."""
    panels = []
    for step, lines in steps.items():
        if step != MADE and "processor_s" in next(iter(lines.values())):
            rows = [
                {"name": f"{int(tracks):,} tracks", "value": line["processor_s"]}
                for tracks, line in sorted(lines.items(), key=lambda told: -int(told[0]))
            ]
            panels.append({"name": step, "rows": [{**rows[0], "ours": True}, *rows[1:]]})
    return {
        "title": "A million tracks, beside a hundred thousand",
        "unit": "Seconds of processor time of a command, from the start of Python to its end; "
        "vectors of 256 numbers, 100,000 listeners (10,000 for for-you).",
        "better": "low",
        "command": "python benchmarks/million_tracks.py OUT --tracks 100000 1000000",
        "panels": panels,
        "steps": steps,
    }


if __name__ == "__main__":
    main()
