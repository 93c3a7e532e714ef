"""Whole files for `fuzzing.py` to damage, and the folders to put them back into."""

from __future__ import annotations

import atexit
import functools
import gzip
import json
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import soundfile as sf

RATE = 22_050
SECONDS = 3.0
TAGS = {"title": "Só uma música", "artist": "A; B", "album": "C", "date": "2021-02-03"}
#: File name: (libsndfile's container, encoding, channels).
RECORDINGS = {
    "a.wav": ("WAV", "PCM_16", 1),
    "b.wav": ("WAVEX", "PCM_24", 6),
    "c.wav": ("WAV", "FLOAT", 2),
    "d.aiff": ("AIFF", "PCM_16", 2),
    "e.flac": ("FLAC", "PCM_16", 2),
    "f.mp3": ("MP3", "MPEG_LAYER_III", 1),
    "g.ogg": ("OGG", "VORBIS", 1),
    "h.opus": ("OGG", "OPUS", 1),
}
#: What ffmpeg adds to them, where it is there: other containers, and tags of every kind.
CONVERTED = {
    "i.mp3": ["-c:a", "libmp3lame", "-q:a", "4", "-id3v2_version", "4"],
    "j.mp3": ["-c:a", "libmp3lame", "-b:a", "64k", "-id3v2_version", "3", "-write_id3v1", "1"],
    "k.mp3": ["-c:a", "libmp3lame", "-b:a", "64k", "-write_apetag", "1"],
    "l.flac": ["-c:a", "flac"],
    "m.ogg": ["-c:a", "libvorbis"],
    "n.opus": ["-c:a", "libopus"],
    "o.m4a": ["-c:a", "aac"],
    "p.wma": ["-c:a", "wmav2"],
    "q.wav": ["-c:a", "pcm_s16le"],
    "r.aiff": ["-c:a", "pcm_s16be", "-write_id3v2", "1"],
    "s.oga": ["-c:a", "flac", "-f", "ogg"],
}


def make_recordings(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for name, (container, encoding, channels) in RECORDINGS.items():
        rate = 48_000 if encoding == "OPUS" else RATE
        t = np.arange(round(SECONDS * rate)) / rate
        tone = 0.3 * np.sin(2 * np.pi * 330 * t) + 0.01 * rng.standard_normal(len(t))
        frames = np.repeat(tone[:, None], channels, axis=1)
        sf.write(folder / name, frames, rate, encoding, format=container)
    if shutil.which("ffmpeg"):
        for name, options in CONVERTED.items():
            tags = [part for key, value in TAGS.items() for part in ("-metadata", f"{key}={value}")]
            command = ["ffmpeg", "-v", "error", "-y", "-i", str(folder / "a.wav"), *tags, *options]
            subprocess.run([*command, str(folder / name)], check=True, stdin=subprocess.DEVNULL)


def make_tables(folder: Path) -> None:
    table = pa.table(
        {
            "track_id": [f"t{n}" for n in range(6)],
            "path": [f"{n}.mp3" for n in range(6)],
            "title": ["Ö", "b", None, "d\n", '"e"', "f"],
            "artists": ["a;b", "c", "d", None, "f", "g"],
            "date": ["2020-01-02", "1999", "x", None, "2001-13", "2020"],
            "popularity": [0.1, 0.5, None, 1.0, 0.0, 0.3],
            "mood": ["x", "y", "z", None, "", "w"],
        }
    )
    pa_csv.write_csv(table, folder / "a.csv")
    for name, compression in (
        ("b.parquet", "zstd"),
        ("c.parquet", "none"),
        ("d.parquet", "snappy"),
    ):
        pq.write_table(table, folder / name, compression=compression)


def make_histories(folder: Path) -> None:
    """A history of each service, as itself, gzipped and in a ZIP."""
    from test_listening_formats import APPLE, DAYS, EXPORTIFY, HTML, watched
    from test_listening_records import RECORDS, written

    for name, (record, form) in RECORDS.items():
        (folder / name).write_text(written([record] * 3, form), "utf-8")
    texts = {
        "exportify.csv": EXPORTIFY[0],
        "apple.csv": APPLE,
        "days.csv": "sep=;\n" + DAYS.replace(",", ";"),
        "page.html": HTML.format(header="YouTube Music"),
        "german.json": json.dumps([watched(f"{n} angesehen") for n in range(10)]),
        "a.scrobbler.log": "#AUDIOSCROBBLER/1.1\n" + "A\tB\tC\t1\t2\tL\t1464727560\tm\n" * 3,
        "list.m3u8": "#EXTM3U\n#PLAYLIST:x\n#EXTINF:1,A - B\na/b.mp3\n",
        "list.xspf": '<playlist xmlns="http://xspf.org/ns/0/"><trackList><track><title>a</title>'
        "<location>file:///a/b.mp3</location></track></trackList></playlist>",
        "plain.csv": "user,title,artist,date,time,plays\nu,a,b,05/31/2024,20:46,2\n" * 2,
        "bare.csv": "Band,Best,Song,31 May 2016 20:46\n" * 2,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    (folder / "apple.csv.gz").write_bytes(gzip.compress(APPLE.encode()))
    (folder / "utf16.csv").write_text(APPLE, "utf-16")
    whole = sorted(folder.iterdir())
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in whole:
            archive.write(path, path.name)
    make_listens(folder)


def make_listens(folder: Path) -> None:
    """Listens as tables, with every way to write a moment."""
    moments = ["2024-05-31T20:46:00Z", "05/31/2024 8:46 PM", "20240531", "45443.75", "1717188360"]
    for number, moment in enumerate(moments):
        rows = f"1.0,a,{moment},1\n2.0,b,{moment},-1\n"
        text = f"user_id,track_id,timestamp,weight\n{rows}"
        (folder / f"listens-{number}.csv").write_text(text, "utf-8")
    listens = pa.table({"user_id": [1.0, 2.0], "track_id": [1, 2], "timestamp": [1.7e18, 1.7e18]})
    pq.write_table(listens, folder / "listens.parquet")
    (folder / "lists.csv").write_text("pid;track_ids\n1;1.0|2.0\n", "utf-8")


def _make_catalog(folder: Path) -> None:
    """A catalog of eight tracks in two shards each, written as a run would."""
    from musicu.catalog.manifest import ModelEntry
    from musicu.catalog.rows import tracks_table, vectors_table
    from musicu.catalog.schema import DESCRIPTOR_SET, FAILURES
    from musicu.catalog.store import Change, Store

    store = Store.create(folder)
    rng = np.random.default_rng(0)
    for start in (0, 4):
        rows = [
            {
                "track_id": f"{n:016x}",
                "root": "/music",
                "path": f"{n}.mp3",
                "content_hash": f"{n:032x}",
                "title": f"Song {n}",
                "artists": ["A", "B"],
                "gone": False,
                "duration_seconds": 100.0 + n,
                "size_bytes": 1000,
            }
            for n in range(start, start + 4)
        ]
        hashes = [row["content_hash"] for row in rows]
        values = rng.standard_normal((4, 8)).astype(np.float32)
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        described = pa.table({"content_hash": hashes, "tempo_bpm": [100.0, 120.5, None, 90.0]})
        failed = {"track_id": "x", "path": "x.mp3", "stage": "decode", "reason": "it is empty"}
        changes = [
            Change("tracks", tracks_table(rows, pa.schema([("mood", pa.string())]))),
            Change("vectors/m", vectors_table(hashes, list(values), [True] * 4)),
            Change(f"descriptors/{DESCRIPTOR_SET}", described),
            Change("failures", pa.Table.from_pylist([failed], schema=FAILURES)),
        ]
        store.commit(changes, {"m": ModelEntry("0123456789abcdef", 8)})


@functools.cache
def _whole_catalog() -> Path:
    """The catalog, made once a process and taken away at its end."""
    made = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    _make_catalog(made / "catalog")
    return made / "catalog"


def make_catalog_files(folder: Path) -> None:
    _flatten(_whole_catalog(), folder)


def make_model_files(folder: Path) -> None:
    from musicu.embeddings.cards import MODELS, find_model

    for card in map(find_model, MODELS.builtins):
        assert card.folder is not None
        for name in ("card.json", *card.files):
            shutil.copyfile(card.path(name), folder / f"{card.name}~{name}")


def _flatten(tree: Path, folder: Path) -> None:
    """Copy a tree's files side by side, their place in their names."""
    for path in tree.rglob("*"):
        if path.is_file():
            shutil.copyfile(path, folder / path.relative_to(tree).as_posix().replace("/", "~"))


@contextmanager
def catalog_with(path: Path) -> Iterator[Path]:
    """The catalog with one file in the place of its own; `path` is named `<case>-<place>`."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, "catalog")
        shutil.copytree(_whole_catalog(), folder)
        shutil.copyfile(path, folder / _place(path))
        yield folder


@contextmanager
def model_with(path: Path) -> Iterator[Path]:
    """A shipped model with one file in the place of its own; `path` is named `<case>-<place>`."""
    from musicu.embeddings.cards import find_model

    model, name = _place(path).parts
    card = find_model(model)
    assert card.folder is not None
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made, model)
        shutil.copytree(card.folder, folder)
        shutil.copyfile(path, folder / name)
        yield folder


def _place(path: Path) -> Path:
    return Path(path.name.split("-", 1)[1].replace("~", "/"))
