"""Whoever calls the service with what makes no sense gets a 4xx, and nothing is written by it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fastapi")

from serving_samples import TOKEN, WRITES, client_of, event, style_catalog

from musicu.serving import access

REQUESTS = 600
ODD = [
    "",
    "a",
    "s0-00",
    "..",
    "../../etc/passwd",
    "%2e%2e%2f",
    "%00",
    "\u202e",
    "é" * 300,
    "x" * 5_000,
    "<script>alert(1)</script>",
    "' or 1=1 --",
    "{{7*7}}",
    "${x}",
    "-1",
    "1e309",
    "nan",
    "null",
    "%ff%fe",
    "\U0001f3b5",
    "a/b/c",
    "//",
    "?",
    "#",
    "%",
    "0",
    "999999999999999999999",
]
ROUTES = [
    "/tracks",
    "/tracks/{}",
    "/similar/{}",
    "/similar/s0-01?k={}",
    "/shelves/{}",
    "/candidates/{}",
    "/candidates/ann?k={}",
    "/next?user={}",
    "/next?after={}&k={}",
    "/events",
    "/tracks?after={}",
    "/tracks?limit={}",
    "/page/{}",
    "/audio/{}",
    "/covers/{}",
    "/healthz",
    "/metrics",
    "/{}",
    "/openapi.json",
    "/",
    "/readyz",
]
METHODS = ["GET", "GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "HEAD", "BREW"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "inner"
    folder.mkdir()
    style_catalog(folder / "catalog")
    return folder


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[Any]:
    with client_of(home / "catalog", upload_bytes=100_000, body_bytes=50_000) as opened:
        yield opened


def odd_value(rng: random.Random) -> Any:
    pool: list[Any] = [
        *ODD,
        0,
        -1,
        1.5,
        10**30,
        10**400,
        True,
        None,
        [],
        {},
        [[]] * 3,
        {"a": {"b": []}},
        "2026-02-30",
        "2026-11-01T10:00:00Z",
        "9999-12-31T23:59:59+00:00",
        "0001-01-01",
        -(10**12),
        "played",
        "skipped",
    ]
    return rng.choice(pool)


def odd_body(rng: random.Random) -> tuple[bytes, str]:
    """A body, and what it claims to be."""
    kind = rng.randrange(8)
    if kind < 3:
        batch = [event(rng.randrange(50), "ann", "s0-00") for _ in range(rng.randrange(4))]
        for each in batch:
            each[rng.choice([*each, "unknown", ""])] = odd_value(rng)
        return json.dumps(rng.choice([batch, batch and batch[0], odd_value(rng)])).encode(), (
            "application/json"
        )
    if kind == 3:
        return b"[" * rng.randrange(1, 40_000), "application/json"
    if kind == 4:
        row = {
            rng.choice(["track_id", "title", "path", "date", "root"]): odd_value(rng) for _ in "12"
        }
        return json.dumps(row).encode(), "application/json"
    if kind == 5:
        name = rng.choice(ODD).encode("utf-8", "replace")
        part = b'Content-Disposition: form-data; name="file"; filename="' + name + b'.mp3"\r\n\r\n'
        end = rng.choice([b"--b--\r\n", b"", b"--b"])
        return b"--b\r\n" + part + rng.randbytes(rng.randrange(2_000)) + b"\r\n" + end, (
            "multipart/form-data; boundary=" + rng.choice(["b", "", "c", '"', "b" * 300])
        )
    if kind == 6:
        return rng.randbytes(rng.randrange(60_000)), rng.choice(
            ["application/json", "text/plain", ""]
        )
    return b"", rng.choice(["application/json", "multipart/form-data", "x/y"])


def tree(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


def barrage(client: Any, home: Path, seed: int, requests: int) -> None:
    from urllib.parse import quote

    rng = random.Random(seed)
    before = tree(home.parent)
    for number in range(requests):
        route = rng.choice(ROUTES)
        while "{}" in route:
            text = rng.choice(ODD)
            route = route.replace("{}", text if "%" in text else quote(text, safe="/"), 1)
        token = rng.choice([TOKEN, TOKEN, TOKEN, "", "wrong", "page.a.b.c", "é"])
        body, kind = odd_body(rng)
        headers = {"Authorization": f"Bearer {token}".encode(), "Content-Type": kind}
        if rng.random() < 0.03:
            headers["Host"] = rng.choice(["evil.example", "", "testserver.evil", "[::1"])
        method = rng.choice(METHODS)
        answer = client.request(method, route, content=body, headers=headers)
        told = (seed, number, method, route, answer.status_code, answer.text[:300])
        assert answer.status_code < 500, told
        assert "Traceback" not in answer.text, told
        assert str(home) not in answer.text, told
        assert answer.headers["x-content-type-options"] == "nosniff", told
    grown = {path.parts[:3] for path in tree(home.parent) - before}
    allowed = {("inner", "catalog", "feedback"), ("inner", "catalog", "uploads")}
    assert all(parts[:3] in allowed or parts[2:3] == ("tracks",) for parts in grown), grown


def test_odd_requests_are_refused_and_nothing_is_written_outside(client: Any, home: Path) -> None:
    barrage(client, home, 0, REQUESTS)
    assert client.get("/readyz").status_code == 200


@pytest.mark.slow
def test_ten_thousand_odd_requests(client: Any, home: Path) -> None:
    barrage(client, home, 1, 10_000)


def test_hostile_tags_are_inert_on_the_page(client: Any) -> None:
    hostile = '"><script>alert(1)</script>'
    row = {"track_id": hostile, "title": hostile, "artists": [hostile], "album": hostile}
    assert client.post("/tracks", json=row, headers=WRITES).status_code == 201
    answer = client.get("/page/ann")
    assert hostile not in answer.text
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "default-src 'none'" in answer.text
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert client.get(f"/tracks/{hostile}").json()["title"] == hostile
    odd = client.get(f"/page/{hostile}")
    assert "<script>alert" not in odd.text


def test_another_name_and_another_origin_are_refused(client: Any) -> None:
    assert client.get("/tracks", headers={"Host": "rebound.example"}).status_code == 403
    answer = client.get("/tracks", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No second goes by for those who count requests, however busy the computer."""
    later = time.monotonic() + 3600  # whatever was asked before is forgotten
    clock = SimpleNamespace(monotonic=lambda: later, time=time.time)
    monkeypatch.setattr(access, "time", clock)


@pytest.mark.usefixtures("stopped_clock")
def test_who_asks_too_often_is_told_so() -> None:
    limit = access.RateLimit(5)
    assert [limit.admits("a") for _ in range(12)] == [True] * 10 + [False] * 2
    assert limit.admits("b")


@pytest.mark.usefixtures("stopped_clock")
def test_a_wrong_token_cannot_be_tried_without_end(client: Any) -> None:
    wrong = {"Authorization": "Bearer guess"}
    codes = {client.post("/events", json=[], headers=wrong).status_code for _ in range(60)}
    assert codes == {401, 429}
    assert client.post("/events", json=[], headers=WRITES).status_code == 200
