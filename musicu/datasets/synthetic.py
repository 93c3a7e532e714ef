"""A small catalog of made music with known answers: for the demo, the tests and the notebooks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import soxr
from numpy.typing import NDArray

from musicu.datasets.synth.composition import Part, Plan
from musicu.datasets.synth.flac_writer import write_flac
from musicu.datasets.synth.mixing import InstrumentBank, master, mix
from musicu.datasets.synth.releases import Release, artist_name, discography
from musicu.datasets.synth.styles import STYLES, Style
from musicu.errors import MusicuError

SAMPLE_RATE = 32_000
_REMASTER_RATE = 44_100
_TAIL_SECONDS = 1.5  # the last chord rings on

#: What is true of each file, known because it was made so.
DEMO_TRUTH = pa.schema(
    [
        pa.field("path", pa.string()),  # relative to the folder, with forward slashes
        pa.field("title", pa.string()),
        pa.field("artist", pa.string()),
        pa.field("album", pa.string()),
        pa.field("track_number", pa.int32()),
        pa.field("genres", pa.list_(pa.string())),
        pa.field("label", pa.string()),
        pa.field("date", pa.string()),  # as precise as the tag: 1997, 1997-05 or 1997-05-21
        pa.field("isrc", pa.string()),
        pa.field("popularity", pa.float64()),  # 0 to 100, long-tailed, near 0 for what is new
        pa.field("style", pa.string()),
        pa.field("tempo_bpm", pa.float32()),
        pa.field("pulse", pa.bool_()),  # drums make the tempo audible
        pa.field("beats_per_bar", pa.int32()),
        pa.field("key", pa.string()),  # one of synth.composition.TONIC_NAMES, such as "C#" or "Eb"
        pa.field("mode", pa.string()),  # "major" or "minor"
        pa.field("instruments", pa.list_(pa.string())),
        pa.field("duration_seconds", pa.float64()),
        pa.field("duplicate_of", pa.string()),  # the path of the same recording, else null
    ]
)


def make_demo_music(
    folder: Path,
    *,
    seed: int = 0,
    artists: int = 12,
    tracks_per_artist: int = 4,
    seconds: float = 22.0,
) -> pa.Table:
    """Compose, play and write a catalog of tagged FLAC files; returns the truth about them.

    folder: receives Artist/Album/NN Title.flac, stereo, with tags and covers. Each artist has
    one of twelve styles and two albums; a "Best of" repeats the first recording, remastered.
    seconds: about how long a track is; it ends with a full bar.

    The table has the columns of `DEMO_TRUTH`, one row a file; only the tags are in the files.
    The same arguments give the same bytes under the same versions of NumPy, SciPy and
    libsndfile, and an artist's sound doesn't depend on how many others there are.
    Raises MusicuError for a count below 1 or tracks shorter than 5 seconds.
    """
    if artists < 1 or tracks_per_artist < 1 or seconds < 5:
        raise MusicuError(
            "made music needs at least 1 artist, 1 track each and 5 seconds, not "
            f"{artists}, {tracks_per_artist} and {seconds}"
        )
    taken: set[str] = set()
    rows: list[dict[str, object]] = []
    for number in range(artists):
        style = STYLES[number % len(STYLES)]
        words, notes, sounds = (np.random.default_rng([seed, number, use]) for use in range(3))
        artist = artist_name(words, style.name, taken)
        sampler = InstrumentBank(SAMPLE_RATE, sounds)
        for release in discography(words, artist, number, style, tracks_per_artist, taken):
            row, samples = _record(Path(folder), release, style, notes, sampler, seconds)
            rows.append(row)
            if len(rows) == 1:
                rows.append(_remaster(Path(folder), release.on_best_of(words), row, samples))
    return pa.Table.from_pylist(rows, schema=DEMO_TRUTH)


def _record(
    folder: Path,
    release: Release,
    style: Style,
    rng: np.random.Generator,
    sampler: InstrumentBank,
    seconds: float,
) -> tuple[dict[str, object], NDArray[np.float32]]:
    """Compose, play and write one track; the truth about it, and its samples [frames, 2]."""
    plan = style.plan(rng, seconds)
    parts = style.parts(plan, rng)
    length = plan.bars * plan.beats_per_bar * 60 / plan.tempo_bpm + _TAIL_SECONDS
    stereo = mix(parts, plan, sampler, rng, length, style.room_seconds)
    samples = master(stereo, SAMPLE_RATE, style.level_db, _TAIL_SECONDS)
    tags = _dj_tags(plan) if style.dj_tags else []
    _write(folder, release, samples, SAMPLE_RATE, tags)
    return _truth(release, style, plan, parts, len(samples) / SAMPLE_RATE), samples


def _remaster(
    folder: Path, release: Release, original: dict[str, object], samples: NDArray[np.float32]
) -> dict[str, object]:
    """Write a recording again under another release: a little softer, at another rate."""
    softer = soxr.resample(samples, SAMPLE_RATE, _REMASTER_RATE) * np.float32(0.89)
    _write(folder, release, softer, _REMASTER_RATE, [])
    changed = {name: getattr(release, name) for name in ("path", "album", "track_number", "date")}
    changed |= {"duration_seconds": len(softer) / _REMASTER_RATE, "duplicate_of": original["path"]}
    return original | changed


def _write(
    folder: Path,
    release: Release,
    samples: NDArray[np.float32],
    sample_rate: int,
    tags: list[tuple[str, str]],
) -> None:
    """Write one tagged file where its release says."""
    path = folder / release.path
    path.parent.mkdir(parents=True, exist_ok=True)
    write_flac(path, samples, sample_rate, release.tags() + tags, release.cover_png)


def _dj_tags(plan: Plan) -> list[tuple[str, str]]:
    """Tempo and key as DJs tag them."""
    key = plan.key.name + ("m" if plan.key.mode == "minor" else "")
    return [("BPM", f"{plan.tempo_bpm:.0f}"), ("INITIALKEY", key)]


def _truth(
    release: Release, style: Style, plan: Plan, parts: list[Part], seconds: float
) -> dict[str, object]:
    """One row of `DEMO_TRUTH`."""
    listed = ("path", "title", "artist", "album", "track_number", "label", "date", "isrc")
    return {
        **{name: getattr(release, name) for name in (*listed, "popularity")},
        "genres": list(release.genres),
        "style": style.name,
        "tempo_bpm": plan.tempo_bpm,
        "pulse": style.pulse,
        "beats_per_bar": plan.beats_per_bar,
        "key": plan.key.name,
        "mode": plan.key.mode,
        "instruments": sorted({part.instrument for part in parts if part.notes}),
        "duration_seconds": seconds,
        "duplicate_of": None,
    }
