"""How fast a join reads each format, in how much memory, with one row in four damaged.

    python benchmarks/joins_speed.py
    python benchmarks/joins_speed.py --formats discogs --rows 100000

Made dumps: the canonical MusicBrainz dump (CSV), JSON lines of MusicBrainz recordings and releases,
Discogs releases (XML), ListenBrainz listens (JSON lines). A row is a line, of Discogs a release.
Each is joined to a catalog by names with slips, in a process of its own. Prints the rows and the
recordings a second of processor time, all of the join, and its memory at most. Every damaged row
must be counted and every whole one read, else the script fails.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "lo", "mi", "")]
TRACKS_OF_RELEASE = 8
BATCH = 4096
Draw = Callable[[int], str]  # some words
Row = tuple[str, str, str]  # as it stands in the dump; a title of it, and its artist


def canonical(n: int, draw: Draw, mbid: str) -> Row:
    title, artist = draw(3), draw(2)
    row = f"{n},{n // 10},{mbid},{artist},{mbid},{draw(2)},{mbid},{title},{artist}{title},{n}"
    return row, title, artist


def _recording(title: str, artist: str, mbid: str, n: int) -> dict[str, object]:
    credit = {"id": mbid, "name": artist, "sort-name": artist, "type": "Group", "aliases": []}
    return {
        "id": mbid,
        "title": title,
        "length": 100_000 + n % 300_000,
        "video": False,
        "disambiguation": "",
        "artist-credit": [{"name": artist, "joinphrase": "", "artist": credit}],
        "isrcs": [f"GBAAA{n % 10_000_000:07d}"],
        "first-release-date": f"{1960 + n % 60}-{1 + n % 12:02d}-{1 + n % 28:02d}",
        "genres": [{"id": mbid, "name": "rock", "count": 2, "disambiguation": ""}],
        "tags": [{"name": "rock", "count": 2}],
        "rating": {"value": None, "votes-count": 0},
        "relations": [],
    }


def recordings(n: int, draw: Draw, mbid: str) -> Row:
    title, artist = draw(3), draw(2)
    return json.dumps(_recording(title, artist, mbid, n)), title, artist


def releases(n: int, draw: Draw, mbid: str) -> Row:
    artist, titles = draw(2), [draw(3) for _ in range(TRACKS_OF_RELEASE)]
    made = [
        {
            "id": mbid,
            "number": str(place + 1),
            "position": place + 1,
            "title": title,
            "length": 200_000,
            "recording": _recording(title, artist, f"{mbid[:-2]}{place:02d}", n + place),
        }
        for place, title in enumerate(titles)
    ]
    release = {
        "id": mbid,
        "title": draw(2),
        "date": "1999-03-01",
        "country": "GB",
        "artist-credit": [{"name": artist, "joinphrase": ""}],
        "label-info": [{"catalog-number": f"C {n}", "label": {"id": mbid, "name": draw(1)}}],
        "release-group": {"first-release-date": "1999", "secondary-types": []},
        "text-representation": {"language": "eng", "script": "Latn"},
        "media": [{"format": "CD", "position": 1, "tracks": made}],
    }
    return json.dumps(release), titles[0], artist


def discogs(n: int, draw: Draw, mbid: str) -> Row:
    artist, titles = draw(2), [draw(3) for _ in range(TRACKS_OF_RELEASE)]
    image = '<image type="primary" uri="" uri150="" width="600" height="600"/>'
    tracks = "".join(
        f"<track><position>A{place + 1}</position><title>{title}</title>"
        f"<duration>{3 + place % 4}:{10 + n % 50}</duration></track>"
        for place, title in enumerate(titles)
    )
    row = (
        f'<release id="{n + 1}" status="Accepted"><images>{3 * image}</images><artists><artist>'
        f"<id>{n // 9}</id><name>{artist}</name><anv/><join/><role/><tracks/></artist></artists>"
        f'<title>{draw(2)}</title><labels><label name="{draw(1)}" catno="C{n}" id="5"/></labels>'
        f"<extraartists><artist><id>{n % 99}</id><name>{draw(2)}</name><anv/><join/><role>Producer"
        f'</role><tracks/></artist></extraartists><formats><format name="Vinyl" qty="1" text="">'
        f"<descriptions><description>LP</description><description>Album</description>"
        f"</descriptions></format></formats><genres><genre>Electronic</genre></genres><styles>"
        f"<style>Deep House</style></styles><country>UK</country><released>1999-03-00</released>"
        f"<notes>{draw(40)}</notes><data_quality>Correct</data_quality><tracklist>{tracks}"
        f'</tracklist><identifiers><identifier type="Matrix / Runout" description="A-Side" '
        f'value="X {n} A1"/><identifier type="Barcode" value="{n:012d}"/></identifiers><videos>'
        f'<video src="https://example.org/{n}" duration="296" embed="true"><title>{draw(5)}</title>'
        f"<description>{draw(30)}</description></video></videos><companies/></release>"
    )
    return row, titles[0], artist


def listens(n: int, draw: Draw, mbid: str) -> Row:
    more = {"recording_msid": mbid, "duration_ms": 100_000 + n % 300_000, "tracknumber": n % 12}
    told = {"track_name": draw(3), "artist_name": draw(2), "release_name": draw(2)}
    mapped = {"recording_mbid": mbid, "artist_mbids": [mbid], "release_mbid": mbid}
    said = {**told, "additional_info": more, "mbid_mapping": mapped if n % 2 else None}
    row = {"user_id": n % 999, "timestamp": 1_600_000_000 + n, "track_metadata": said}
    return json.dumps(row), told["track_name"], told["artist_name"]


FORMATS = {
    # a made row, the name of the file, the format's name, recordings of a row
    "canonical": (canonical, "canonical_musicbrainz_data.csv", "musicbrainz", 1),
    "recordings": (recordings, "recording", "musicbrainz", 1),
    "releases": (releases, "release", "musicbrainz", TRACKS_OF_RELEASE),
    "discogs": (discogs, "discogs_20200806_releases.xml", "discogs", TRACKS_OF_RELEASE),
    "listens": (listens, "listens.jsonl", "listenbrainz", 1),
}
HEADER = (
    "id,artist_credit_id,artist_mbids,artist_credit_name,release_mbid,release_name,"
    "recording_mbid,recording_name,combined_lookup,score\n"
)


def rows_of(name: str, count: int, step: int) -> Iterator[Row]:
    """Rows, every `step`th of them damaged; then its title is empty."""
    rng, made = np.random.default_rng(0), FORMATS[name][0]
    for first in range(0, count, BATCH):
        stop = min(first + BATCH, count)
        words = iter(rng.integers(0, len(WORDS), (stop - first) * 128).tolist())
        ids = rng.integers(0, 2**63, (stop - first, 2)).tolist()
        draw = drawing(words)
        for n, (high, low) in enumerate(ids, first):
            mbid = f"{high:016x}{low:016x}"
            mbid = f"{mbid[:8]}-{mbid[8:12]}-{mbid[12:16]}-{mbid[16:20]}-{mbid[20:]}"
            row, title, artist = made(n, draw, mbid)
            if n % step < step - 1:
                yield row, title, artist
            else:
                yield broken(row, name, n // step), "", ""


def drawing(words: Iterator[int]) -> Draw:
    return lambda count: " ".join(WORDS[word] for word in islice(words, count)).title()


def broken(row: str, name: str, number: int) -> str:
    """A row as dumps break: cut, fields of another kind or too many, bytes lost, no text at all."""
    how = number % 4
    if how == 0:
        return row[: len(row) // 2].rpartition(" " if name == "discogs" else ",")[0]
    if how == 1 and name == "discogs":
        return row.replace("</title>", "</titel>", 1)
    if how == 1:
        return row.replace(",", ',"', 3) if name == "canonical" else row.replace('"', "", 5)
    if how == 2 and name == "discogs":
        return row.replace("<tracklist>", "<tracks>").replace("</tracklist>", "</tracks>")
    if how == 2:
        return row + ",more,and more" if name == "canonical" else f"[{row}]"
    if name == "discogs":
        return row.replace("<notes>", "<notes>\x01&none; ")
    return "\x00\x01 nothing that can be read"


def make(folder: Path, name: str, rows: int, step: int, tracks: int) -> None:
    """A dump, and a catalog of some of its titles with a slip in each."""
    from musicu.pipeline.run import scan

    listed = folder / "tracks.csv"
    chosen = set(np.random.default_rng(1).choice(rows, min(rows, tracks), replace=False).tolist())
    with (
        (folder / FORMATS[name][1]).open("w", encoding="utf-8") as out,
        listed.open("w", encoding="utf-8") as mine,
    ):
        out.write({"canonical": HEADER, "discogs": "<releases>\n"}.get(name, ""))
        mine.write("id,title,artist\n")
        for n, (row, title, artist) in enumerate(rows_of(name, rows, step)):
            out.write(row + "\n")
            if n in chosen and title:
                mine.write(f"t{n},{title.replace('a', 'aa', 1)},The {artist}\n")
        out.write("</releases>\n" if name == "discogs" else "")
    scan(listed, folder / "catalog")


def run(folder: Path, name: str, rows: int, step: int) -> None:
    """The join; prints what it took as JSON."""
    from musicu.joining.join_run import JoinInput, join

    _, file, kind, each = FORMATS[name]
    before, clock = time.process_time(), time.perf_counter()
    (report,) = join(folder / "catalog", [JoinInput(kind, kind, [folder / file])])
    spent, clock = time.process_time() - before, time.perf_counter() - clock
    damaged = sum(report.notes.damaged.values())
    bad = rows // step
    assert report.rows == (rows - bad) * each, (report.rows, rows, bad)
    assert damaged == bad, (damaged, bad, report.notes.damaged)
    told = {
        "format": name,
        "rows": rows,
        "damaged": dict(report.notes.damaged),
        "rows_a_second": round(rows / spent),
        "recordings_a_second": round(report.rows / spent),
        "wall_s": round(clock, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "file_mb": round((folder / file).stat().st_size / 1e6),
        "matched": sum(report.matched.values()),
    }
    print(json.dumps(told), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--step", type=int, default=4, help="one row in so many is damaged")
    parser.add_argument("--tracks", type=int, default=20_000, help="of the catalog")
    parser.add_argument("--part", choices=("make", "run"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name in given.formats:
        for rows in given.rows:
            if given.part == "make":
                make(given.folder, name, rows, given.step, given.tracks)
            elif given.part == "run":
                run(given.folder, name, rows, given.step)
            else:
                apart(name, rows, given.step, given.tracks)


def apart(name: str, rows: int, step: int, tracks: int) -> None:
    """Make, then join, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for part in ("make", "run"):
            words = [sys.executable, __file__, "--part", part, "--folder", folder]
            words += ["--formats", name, "--rows", str(rows), "--step", str(step)]
            subprocess.run([*words, "--tracks", str(tracks)], check=True)


if __name__ == "__main__":
    main()
