"""Music that comes in while the service runs: on a shelf at once, in the catalog, and bounded."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

pytest.importorskip("fastapi")

from serving_samples import WRITES, client_of

from musicu import Catalog
from musicu.catalog.incomplete import incomplete_tracks
from musicu.catalog.store import Store
from musicu.pipeline.run import EmbedOptions, run

SECONDS = 6


def sound(path: Path, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    seconds = np.arange(22_050 * SECONDS) / 22_050
    tone = sum(np.sin(2 * np.pi * f * seconds) for f in rng.uniform(100, 2_000, 4))
    sf.write(path, 0.1 * tone + 0.01 * rng.standard_normal(len(seconds)), 22_050)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, demo_music: Path) -> Path:
    folder = tmp_path_factory.mktemp("uploads")
    run(demo_music, folder / "catalog", model="musicu-stats-v1", options=EmbedOptions(jobs=1))
    (folder / "allowed").mkdir()
    return folder


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Any]:
    settings = {"upload_roots": (str(home / "allowed"),), "upload_bytes": 1_000_000}
    with client_of(home / "catalog", **settings) as opened:
        yield opened


def upload(client: Any, file: Path, name: str = "a.wav") -> Any:
    with file.open("rb") as data:
        return client.post("/tracks", files={"file": (name, data)}, headers=WRITES)


def newest(client: Any) -> list[str]:
    page = client.get("/shelves/somebody").json()
    (shelf,) = (s for s in page["shelves"] if s["shelf"] == "new-releases")
    return [item["track_id"] for item in shelf["items"]]


def test_an_upload_is_found_shown_and_in_the_catalog(client: Any, home: Path) -> None:
    before = len(Catalog.open(home / "catalog"))
    answer = upload(client, sound(home / "new.wav", 1), "Untagged Tune.wav")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    track = told["track_id"]
    assert client.get(f"/tracks/{track}").json()["title"] == "Untagged Tune"
    assert told["searchable"]
    assert newest(client)[0] == track
    near = client.get(f"/similar/{track}", params={"k": 3}).json()["items"]
    assert len(near) == 3
    other = near[0]["track_id"]
    back = client.get(f"/similar/{other}", params={"k": 50}).json()["items"]
    assert track in [item["track_id"] for item in back]
    opened = Catalog.open(home / "catalog")
    assert len(opened) == before + 1
    assert opened.similar(track, k=3)["track_id"].to_pylist() == [i["track_id"] for i in near]
    assert client.get(f"/tracks/{track}").json()["duration_seconds"] == pytest.approx(SECONDS)
    again = upload(client, home / "new.wav", "other name.wav")
    assert (again.status_code, again.json()["track_id"]) == (200, track)


@pytest.mark.parametrize("waits", [False, True])
def test_of_a_file_that_is_cut_the_catalog_knows_how_much_was_heard(
    client: Any, home: Path, waits: bool
) -> None:
    whole = sound(home / "whole.wav", 20 + waits).read_bytes()
    (home / "cut.wav").write_bytes(whole[: len(whole) // 2])
    with Store.writing(home / "catalog") if waits else nullcontext():
        told = upload(client, home / "cut.wav", "cut.wav").json()

    def heard() -> list[float]:
        rows = incomplete_tracks(Catalog.open(home / "catalog"))
        return [row["heard_seconds"] for row in rows if row["track_id"] == told["track_id"]]

    for _ in range(100):
        if heard():
            break
        time.sleep(0.1)
    assert heard() == [pytest.approx(SECONDS / 2, abs=0.1)]


def test_what_is_said_anew_of_a_track_with_sound_leaves_it_its_vector(
    client: Any, home: Path
) -> None:
    track = upload(client, sound(home / "said anew.wav", 17)).json()["track_id"]
    near = client.get(f"/similar/{track}").json()["items"]
    row = {"track_id": track, "title": "Another title"}
    assert client.post("/tracks", json=row, headers=WRITES).status_code == 200
    assert client.get(f"/tracks/{track}").json()["title"] == "Another title"
    again = client.get(f"/similar/{track}").json()["items"]
    assert [item["track_id"] for item in again] == [item["track_id"] for item in near]


def test_a_date_that_cannot_be_read_is_refused(client: Any) -> None:
    row = {"track_id": "dated", "title": "Dated", "date": "last week"}
    answer = client.post("/tracks", json=row, headers=WRITES)
    assert answer.status_code == 422
    assert "2026-05-21" in answer.text
    assert client.post("/tracks", json=row | {"date": "2026"}, headers=WRITES).status_code == 201


def test_embed_runs_beside_the_service_and_uploads_wait_for_it(client: Any, home: Path) -> None:
    with Store.writing(home / "catalog"):
        told = upload(client, sound(home / "waits.wav", 2)).json()
        assert newest(client)[0] == told["track_id"]
        assert client.get(f"/similar/{told['track_id']}").status_code == 200
        assert (
            told["track_id"] not in Catalog.open(home / "catalog").tracks()["track_id"].to_pylist()
        )
    _until(lambda: not list((home / "catalog" / "uploads" / "pending").iterdir()))
    assert told["track_id"] in Catalog.open(home / "catalog").tracks()["track_id"].to_pylist()
    (home / "more").mkdir()
    sound(home / "more" / "by embed.wav", 3)
    generation = client.service.generation.number
    report = run(
        home / "more", home / "catalog", model="musicu-stats-v1", options=EmbedOptions(jobs=1)
    )
    assert report.embedded == 1
    _until(lambda: client.service.generation.number > generation)
    assert client.get("/readyz").json()["tracks"] == len(Catalog.open(home / "catalog"))
    assert newest(client)[0] == told["track_id"], "what came in stays on its shelf"


def _until(holds: Any, seconds: float = 60) -> None:
    import time

    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_paths_are_read_under_allowed_folders_alone(client: Any, home: Path) -> None:
    inside = sound(home / "allowed" / "inside.wav", 4)
    outside = sound(home / "outside.wav", 5)
    if sys.platform != "win32":  # links need rights there
        (home / "allowed" / "link.wav").symlink_to(outside)
    wrong = [
        str(outside),
        str(home / "allowed" / ".." / "outside.wav"),
        str(home / "allowed" / "link.wav"),
        "/etc/passwd",
        "relative.wav",
        "/\0.wav",
        str(home / "allowed" / "missing.wav"),
        str(home / "allowed"),
        "/dev/zero",
    ]
    for path in wrong:
        answer = client.post("/tracks", json={"path": path}, headers=WRITES)
        assert answer.status_code in (403, 422), path
        assert str(home) not in answer.text
    answer = client.post("/tracks", json={"path": str(inside)}, headers=WRITES)
    assert answer.status_code == 201, answer.text
    assert newest(client)[0] == answer.json()["track_id"]
    report = run(
        home / "allowed", home / "catalog", model="musicu-stats-v1", options=EmbedOptions(jobs=1)
    )
    assert report.known == 1, "embed knows what came in by its path"


def test_a_row_of_metadata_is_a_track(client: Any, home: Path) -> None:
    row = {"track_id": "row-1", "title": "<b>Night</b>", "artists": ["Ines"], "date": "2026-05"}
    answer = client.post("/tracks", json=row, headers=WRITES)
    assert answer.status_code == 201, answer.text
    assert client.get("/tracks/row-1").json()["title"] == "<b>Night</b>"
    assert newest(client)[0] == "row-1"
    assert client.get("/similar/row-1").status_code == 422
    assert Catalog.open(home / "catalog").track("row-1")["released"].isoformat() == "2026-05-01"
    for wrong in ({"title": "no id"}, {"track_id": 7}, {"track_id": "x", "path": "/a.wav"}, [1], 3):
        assert client.post("/tracks", json=wrong, headers=WRITES).status_code == 422


def test_what_is_no_music_or_too_large_is_refused_and_leaves_nothing(
    client: Any, home: Path
) -> None:
    files = sorted((home / "catalog" / "uploads" / "audio").iterdir())
    (home / "junk.wav").write_bytes(b"RIFF" + bytes(1000))
    answer = upload(client, home / "junk.wav")
    assert answer.status_code == 422
    assert str(home) not in answer.text
    assert upload(client, home / "junk.wav", "../../evil.sh").status_code == 422
    (home / "large.wav").write_bytes(bytes(1_200_000))
    assert upload(client, home / "large.wav").status_code == 413
    chunks = (bytes(100_000) for _ in range(20))
    streamed = client.post(
        "/tracks",
        content=chunks,
        headers={**WRITES, "content-type": "multipart/form-data; boundary=x"},
    )
    assert streamed.status_code in (400, 413)
    assert client.post("/tracks", content=b"x", headers=WRITES).status_code == 415
    assert client.post("/tracks", files={"file": ("a.wav", b"")}).status_code == 401
    assert sorted((home / "catalog" / "uploads" / "audio").iterdir()) == files


def test_a_decoder_that_dies_costs_its_upload_alone(client: Any, home: Path) -> None:
    worker = client.service.uploads._made[0]
    worker._process.kill()
    answer = upload(client, sound(home / "after death.wav", 6))
    if answer.status_code == 422:  # the worker died under this very upload
        answer = upload(client, home / "after death.wav")
    assert answer.status_code == 201


def test_what_came_in_is_shown_after_a_restart(home: Path, client: Any) -> None:
    shutil.copytree(home / "catalog", home / "copy")  # the other is being served
    with client_of(home / "copy") as first:
        told = upload(first, sound(home / "restart.wav", 7)).json()
    with client_of(home / "copy") as second:
        assert newest(second)[0] == told["track_id"]
