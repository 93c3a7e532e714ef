"""What docs/service.md shows does what it says, in a service of its own."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from musicu.serving.service_config import ServiceConfig

PAGE = (Path(__file__).parent.parent / "docs" / "service.md").read_text("utf-8")
HANG_SECONDS = 300
#: Exit codes of a service that was ended by `terminate`.
ENDED = (1,) if sys.platform == "win32" else (0, -15)


def free_port() -> int:
    with socket.socket() as peer:
        peer.bind(("127.0.0.1", 0))
        return int(peer.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as peer:
            peer.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return peer.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def start(folder: Path, port: int, *more: str) -> subprocess.Popen[bytes]:
    words = ["serve", "catalog", "--port", str(port), *more]
    process = subprocess.Popen(
        [sys.executable, "-m", "musicu", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=(folder / "log").open("ab"),
    )
    until = time.monotonic() + HANG_SECONDS
    while not answers(port):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, demo_music: Path, demo_catalog: Path) -> Path:
    folder = tmp_path_factory.mktemp("service")
    shutil.copytree(demo_catalog, folder / "catalog")
    import numpy as np
    import soundfile as sf

    tone = 0.1 * np.sin(np.arange(22_050 * 6) / 20)
    sf.write(folder / "song.wav", tone, 22_050)
    return folder


@pytest.fixture(scope="module")
def port(home: Path) -> Iterator[int]:
    number = free_port()
    process = start(home, number, "--token", "SECRET")
    yield number
    process.terminate()
    assert process.wait(HANG_SECONDS) in ENDED


@pytest.mark.skipif(sys.platform == "win32", reason="the page is typed into a POSIX shell")
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_line_of_curl_works_as_it_is_printed(home: Path, port: int) -> None:
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 4
    script = "set -euo pipefail\n" + "\n".join(blocks).replace("8765", str(port))
    done = subprocess.run(
        ["bash", "-c", script], cwd=home, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"added":2' in done.stdout
    assert '"searchable":true' in done.stdout
    assert "Night Bus" in done.stdout


def test_a_replica_reads_what_the_writer_writes(home: Path, port: int) -> None:
    import httpx

    other = free_port()
    replica = start(home, other, "--read-only")
    writer = httpx.Client(base_url=f"http://127.0.0.1:{port}")
    reader = httpx.Client(base_url=f"http://127.0.0.1:{other}")
    writes = {"Authorization": "Bearer SECRET"}
    try:
        tracks = [t["track_id"] for t in reader.get("/tracks").json()["tracks"]]
        near = f"/similar/{tracks[0]}"
        seen, shown = (c.get(near).json()["items"] for c in (reader, writer))
        assert [i["track_id"] for i in seen] == [i["track_id"] for i in shown]
        assert [i["score"] for i in seen] == pytest.approx([i["score"] for i in shown], abs=1e-6)
        assert reader.post("/events", json=[], headers=writes).status_code == 405
        row = {"track_id": "of-the-writer", "title": "Seen by both"}
        assert writer.post("/tracks", json=row, headers=writes).status_code == 201
        event = {"event_id": "r-1", "user_id": "zoe", "track_id": tracks[0], "kind": "played"}
        sent = writer.post("/events", json=[event | {"at": 1.79e9}], headers=writes)
        assert sent.status_code == 200
        until = time.monotonic() + HANG_SECONDS
        while reader.get("/tracks/of-the-writer").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        while "Because you" not in reader.get("/shelves/zoe").text:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        replica.terminate()
        assert replica.wait(HANG_SECONDS) in ENDED


def test_the_settings_that_the_page_shows_are_taken(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "service.toml"
    file.write_text(block, "utf-8")
    config = ServiceConfig.read(file, {"MUSICU_SERVE_PORT": "9000"}, {"host": "0.0.0.0"})
    assert (config.host, config.port, config.token) == ("0.0.0.0", 9000, "SECRET")
    assert config.upload_roots == ("/music/new",)
    missing = {"upload_model", "model"}
    named = set(re.findall(r"^(\w+) =", block, re.MULTILINE))
    assert named == set(ServiceConfig.__dataclass_fields__) - missing
