"""Output that is redirected where the encoding is not UTF-8: tables degrade, JSON and files don't.

Every command runs in a process whose standard output takes cp1252 or ASCII alone.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf

from musicu.cli.app import app

TITLE = "Só — 音楽 ♥ “Ř”"
PLAYLIST = f"#EXTM3U\n#EXTINF:3,Ánna Ω 1 - {TITLE} 1\n音.mp3\n"
#: Each command that prints, by a name; "{}" is the folder with the files.
COMMANDS = {
    "info": "info {}/catalog",
    "info-json": "info {}/catalog --json",
    "scan": "scan {}/tracks.csv -o {}/again",
    "scan-json": "scan {}/tracks.csv -o {}/again --json",
    "embed": "embed {}/music -o {}/files",
    "embed-json": "embed {}/music -o {}/files --json",
    "failures": "failures {}/files",
    "failures-json": "failures {}/files --json",
    "describe": "describe {}/music/音—1.wav",
    "describe-json": "describe {}/music/音—1.wav --json",
    "similar": "similar {}/catalog t1",
    "similar-json": "similar {}/catalog t1 --json",
    "index": "index {}/catalog",
    "index-json": "index {}/catalog --json",
    "push": "push {}/catalog memory://shop",
    "push-json": "push {}/catalog memory://shop --json",
    "pull": "pull memory://shop {}/pulled",
    "pull-json": "pull memory://shop {}/pulled --json",
    "shelf": "shelf {}/catalog --like t1",
    "shelf-json": "shelf {}/catalog --like t1 --json",
    "shelves": "shelves {}/catalog --listens {}/listens.csv -o {}/site --user Ω1",
    "map": "map {}/catalog --html {}/map.html",
    "listens": "listens {}/history.json --catalog {}/catalog -o {}/l.parquet --key {}/key",
    "candidates": "candidates {}/catalog --listens {}/listens.csv --source random",
    "candidates-json": "candidates {}/catalog --listens {}/listens.csv --source random --json",
    "taste": "taste {}/catalog --listens {}/listens.csv",
    "playlist": "playlist {}/list.m3u8 --catalog {}/catalog",
    "playlist-json": "playlist {}/list.m3u8 --catalog {}/catalog --json",
    "audit": "audit {}/catalog",
    "audit-json": "audit {}/catalog --json",
    "join": "join {}/catalog --table {}/tracks.csv --columns title=title,artist=artist",
    "join-json": "join {}/catalog --table {}/tracks.csv --columns title=title,artist=artist --json",
    "export": "export {}/catalog -o {}/音.csv",
    "evaluate": "evaluate candidates {}/catalog --listens {}/listens.csv --split new-tracks -k 2",
    "evaluate-json": "evaluate candidates {}/catalog --listens {}/listens.csv --split new-tracks "
    "-k 2 --json",
    "models": "models",
    "experiment": "experiment plan --mean 0.2 --deviation 0.4 --lift 0.05",
    "next": "next --help",
    "feedback": "feedback import {}/catalog {}/listens.csv --key {}/key",
    "forget": "forget {}/catalog Ω1 --also {}/forgettable.csv",
    "models-json": "models --json",
    "card": "models musicu-audio-v1",
    "completion": "completion bash",
    "help": "--help",
    "error": "info {}/音",
    "usage": "info --音",
    "judge": "judge --help",
    "train": "train tracks {}/catalog --name w --steps 1 --dim 4",
    "demo": "demo --help",
    "watch": "watch --help",
    "serve": "serve --help",
}
DRIVER = """
import io, sys
from musicu.cli import main
for line in open(sys.argv[1], encoding="utf-8").read().splitlines():
    name, *words = line.split("\\t")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        stream.buffer.write(f"\\n@@ {name}\\n".encode())
        stream.buffer.flush()
    sys.argv = ["musicu", *words]
    try:
        main()
    except SystemExit:
        pass
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog whose names no western encoding has, and the files that commands take."""
    folder = tmp_path_factory.mktemp("letters")
    rng = np.random.default_rng(0)
    ids = [f"t{n}" for n in range(24)]
    table = pa.table(
        {
            "track_id": ids,
            "title": [f"{TITLE} {n}" for n in range(24)],
            "artists": [f"Ánna Ω {n % 6}" for n in range(24)],
            "vector": list(rng.normal(size=(24, 8)).astype("f4")),
        }
    )
    pq.write_table(table, folder / "tracks.parquet")
    (folder / "tracks.csv").write_text(f"track_id,title,date\na,{TITLE},音\n", "utf-8")
    rows = [f"Ω{n % 3},{t},2026-05-{1 + n:02d}T10:00:00" for n, t in enumerate(ids)]
    text = "\n".join(["user_id,track_id,timestamp", *rows])
    (folder / "listens.csv").write_text(text, "utf-8")
    (folder / "forgettable.csv").write_text("user_id,track_id\nΩ1,t1\nΩ2,t2\n", "utf-8")
    (folder / "list.m3u8").write_text(PLAYLIST, "utf-8")
    (folder / "history.json").write_text(
        json.dumps([{"msPlayed": 1, "trackName": "音"}, {"msPlayed": "音", "trackName": "音"}])
    )
    (folder / "music").mkdir()
    sf.write(folder / "music" / "音—1.wav", 0.1 * rng.standard_normal(22_050 * 4), 22_050)
    (folder / "music" / "音—2.wav").write_bytes(b"")
    return folder


def outputs(folder: Path, encoding: str) -> dict[str, tuple[bytes, bytes]]:
    """What each command writes to standard output and error."""
    vectors = ["--vectors", "vector", "--model-name", "mine"]
    made = ["scan", f"{folder}/tracks.parquet", "-o", f"{folder}/catalog", *vectors]
    lines = ["\t".join(["made", *made])]
    for name, words in COMMANDS.items():
        lines.append("\t".join([name, *words.replace("{}", str(folder)).split()]))
    (folder / "commands").write_text("\n".join(lines), "utf-8")
    (folder / "driver.py").write_text(DRIVER, "utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, str(folder / "driver.py"), str(folder / "commands")],
        env=environment,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    streams = [dict(_parts(stream)) for stream in (done.stdout, done.stderr)]
    return {name: (streams[0][name], streams[1][name]) for name in COMMANDS}


def _parts(stream: bytes) -> list[tuple[str, bytes]]:
    found = re.split(rb"\n@@ ([\w-]+)\n", stream)[1:]
    return [(name.decode(), text) for name, text in zip(found[::2], found[1::2], strict=True)]


def test_every_command_is_run() -> None:
    assert set(app.list_commands(None)) <= {words.split()[0] for words in COMMANDS.values()}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_encoding_of_the_output_stops_a_command(home: Path, encoding: str) -> None:
    for name, (out, err) in outputs(home, encoding).items():
        assert b"musicu has a bug" not in err, (name, err.decode("utf-8", "replace"))
        assert b"Traceback" not in err, (name, err.decode("utf-8", "replace"))
        assert name == "usage" or b"Usage" not in err, (name, err)
        text = out.decode("utf-8" if name.endswith("json") else encoding)
        err.decode(encoding)
        if name in ("info-json", "shelf-json", "audit-json", "evaluate-json"):
            assert json.loads(text), name
        if name == "shelf":
            assert "??" in text
            assert ("Ánna" if encoding != "ascii" else "Anna") in text
        if name == "shelf-json":
            assert TITLE in json.dumps(json.loads(text), ensure_ascii=False)
    assert TITLE in (home / "音.csv").read_text("utf-8").replace('""', '"')
    assert TITLE in (home / "site" / "index.html").read_text("utf-8")
