"""Catalogs and services that tests of the service share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

import musicu
from musicu import Catalog

STYLES = 6
EACH = 24
DIM = 32
TOKEN = "secret"
WRITES = {"Authorization": f"Bearer {TOKEN}"}


def style_catalog(folder: Path, today: date | None = None) -> Catalog:
    """Tracks of six styles, whose vectors lie around six directions; ids s<style>-<number>."""
    rng = np.random.default_rng(7)
    centres = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0][:STYLES]
    rows, vectors = [], []
    for style in range(STYLES):
        for number in range(EACH):
            rows.append(
                {
                    "track_id": f"s{style}-{number:02}",
                    "title": f"Title {style} {number}",
                    "artists": f"Artist {style} {number % 12}",
                    "album": f"Album {style} {number % 12}",
                    "genres": f"style {style}",
                    "date": str((today or date(2026, 5, 1)) - timedelta(days=number * 9)),
                    "popularity": float(number),
                }
            )
            vectors.append(centres[style] + 0.6 * rng.normal(size=DIM) / DIM**0.5)
    musicu.scan(pa.Table.from_pylist(rows), folder)
    catalog = Catalog.open(folder)
    ids = [row["track_id"] for row in rows]
    catalog.add_vectors("mine", ids, np.array(vectors), version="1")
    return Catalog.open(folder)


@contextmanager
def client_of(catalog: Path, **settings: Any) -> Iterator[Any]:
    """A client of a service over a catalog, which runs in this process."""
    from fastapi.testclient import TestClient

    from musicu.serving.application import create_application
    from musicu.serving.service import Service
    from musicu.serving.service_config import ServiceConfig

    config = ServiceConfig(
        **{"token": TOKEN, "policy": "given", "hosts": ("testserver",)} | settings
    )
    service = Service(catalog, config)
    with TestClient(create_application(service), raise_server_exceptions=False) as client:
        client.service = service
        yield client


def style_of(track_id: str) -> int:
    return int(track_id[1])


def event(number: int, user: str, track: str, kind: str = "played", **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"{user}-{number}",
        "user_id": user,
        "track_id": track,
        "kind": kind,
        "milliseconds": 180_000,
        "at": f"2026-11-01T10:{number // 60:02}:{number % 60:02}Z",
    } | more


class running:  # noqa: N801 - used as a function
    """A service over a catalog on a port of its own, in a thread."""

    def __init__(self, catalog: Path) -> None:
        import uvicorn

        from musicu.serving.application import create_application
        from musicu.serving.service import Service
        from musicu.serving.service_config import ServiceConfig

        service = Service(catalog, ServiceConfig(token="secret", policy="given"))
        service.last_hour.reward_seconds = 0
        made = uvicorn.Config(create_application(service), port=0, log_config=None)
        self._server = uvicorn.Server(made)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> tuple[str, Any]:
        import httpx

        self._thread.start()
        for _ in range(1200):
            if self._server.started:
                break
            threading.Event().wait(0.1)
        (socket,) = self._server.servers[0].sockets
        self._client = httpx.Client(headers=WRITES, timeout=60)
        return f"http://127.0.0.1:{socket.getsockname()[1]}", self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._server.should_exit = True
        self._thread.join()
