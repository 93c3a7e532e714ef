"""A service under load: pages, events, uploads, memory, and kills.

    python benchmarks/service_load.py pages events uploads --scratch /somewhere
    python benchmarks/service_load.py soak --minutes 10 --scratch /somewhere
    python benchmarks/service_load.py kills --times 100 --scratch /somewhere

Makes a catalog of 100,000 made-up tracks with vectors of 256 (as `page_speed.py`), serves it by
`musicu serve` in a process of its own, and asks it over HTTP from this one. Prints wall clock and
the processor time of the service; the latter is what to compare on a computer that does other
things too. The catalog stays in the scratch folder for the next run, without its feedback.

pages: 50 requests a second for the pages of 200 listeners who played something before, and of 800
who did not; then the same with two events a second, whose listeners ask for a page at once.
events: batches of 100, several at a time. uploads: three-minute MP3s, from the first byte sent to
the page that shows the track. soak: pages and events, with the memory of the service each ten
seconds. kills: events by several clients, `kill -9` at a random moment, start again, and so on;
then every acknowledged event is looked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from page_speed import make_catalog

from musicu import Catalog
from musicu.listening.feedback.feedback_log import read

TOKEN = "secret"
RATE = 50
BATCH = 100
KNOWN, UNKNOWN = 200, 800
_MOST_IDLE = 3.0  # seconds; the service closes a connection that was idle for five


class Service:
    """A service in a process of its own."""

    def __init__(self, catalog: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._catalog, self._log = catalog, log
        self.start()

    def start(self) -> None:
        words = ["serve", str(self._catalog), "--port", str(self.port), "--token", TOKEN]
        path = str(Path(__file__).parent.parent)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "musicu", *words],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            stderr=self._log.open("ab"),
        )
        began = time.monotonic()
        while not self._answers():
            assert self.process.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() - began < 600
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as peer:
                peer.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return peer.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes in memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Connection:
    """One connection that is kept; plain enough to cost the service's computer little."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used = 0.0

    async def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "application/json"
    ) -> tuple[int, bytes]:
        idle = time.monotonic() - self._used
        if self._streams is not None and (idle > _MOST_IDLE or self._streams[0].at_eof()):
            self._streams[1].close()
            self._streams = None
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        self._used = time.monotonic()
        reader, writer = self._streams
        try:
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
                f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            content = await reader.readexactly(int(headers.get("content-length", 0)))
        except (OSError, asyncio.IncompleteReadError):
            self._streams = None
            raise
        return int(lines[0].split()[1]), content


def events(ids: np.ndarray, users: int, count: int, mark: str) -> list[dict[str, Any]]:
    """Plays and skips of some listeners."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return [
        {
            "event_id": f"{mark}-{number}",
            "user_id": f"known-{random.randrange(users)}",
            "track_id": str(ids[random.randrange(len(ids))]),
            "kind": random.choice(["played", "played", "played", "skipped", "saved"]),
            "milliseconds": random.randrange(240_000),
            "at": now,
        }
        for number in range(count)
    ]


def batches(ids: np.ndarray, count: int, mark: str) -> list[bytes]:
    made = events(ids, KNOWN, count * BATCH, mark)
    return [json.dumps(made[n : n + BATCH]).encode() for n in range(0, len(made), BATCH)]


def quantiles(seconds: list[float]) -> str:
    p50, p95, p99 = 1000 * np.quantile(seconds, [0.5, 0.95, 0.99])
    return f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms"


async def paced(
    port: int, seconds: float, rate: float, path: Callable[[], str]
) -> tuple[list[float], Counter[int]]:
    """Requests at a steady rate, whatever the answers take; seconds each, from when it was due."""
    free = [Connection(port) for _ in range(32)]
    taken: list[float] = []
    codes: Counter[int] = Counter()

    async def one(due: float) -> None:
        connection = free.pop() if free else Connection(port)
        status, _ = await connection.ask("GET", path())
        free.append(connection)
        taken.append(time.perf_counter() - due)
        codes[status] += 1

    began = time.perf_counter()
    asked = []
    for number in range(int(seconds * rate)):
        due = began + number / rate
        await asyncio.sleep(max(0, due - time.perf_counter()))
        asked.append(asyncio.create_task(one(due)))
    await asyncio.gather(*asked)
    return taken, codes


def some_page() -> str:
    number = random.randrange(KNOWN + UNKNOWN)
    return f"/shelves/{'known' if number < KNOWN else 'unknown'}-{number}"


async def pages(service: Service, ids: np.ndarray, seconds: float) -> None:
    connection = Connection(service.port)
    for body in batches(ids, 20, f"before-{time.time()}"):
        assert (await connection.ask("POST", "/events", body))[0] == 200
    cpu, first = service.cpu(), []
    for number in range(KNOWN):
        asked = time.perf_counter()
        assert (await connection.ask("GET", f"/shelves/known-{number}"))[0] == 200
        first.append(time.perf_counter() - asked)
    spent = service.cpu() - cpu
    print(
        f"each listener's first page: {quantiles(first)}; processor {1000 * spent / KNOWN:.1f} ms"
    )
    cpu, alone = service.cpu(), [await _after_event(connection, ids) for _ in range(KNOWN)]
    spent = 1000 * (service.cpu() - cpu) / KNOWN
    print(f"an event and its listener's page, nothing beside: {quantiles(alone)} for the page; "
          f"processor {spent:.1f} ms for both")  # fmt: skip
    taken, codes = await paced(service.port, seconds, RATE, some_page)
    print(f"pages: {dict(codes)}, {quantiles(taken)}")
    stop, after = asyncio.Event(), list[float]()

    async def doing() -> None:
        """Two events a second, each of a listener whose page is asked for at once."""
        own = Connection(service.port)
        while not stop.is_set():
            after.append(await _after_event(own, ids))
            await asyncio.sleep(0.5)

    task, cpu = asyncio.create_task(doing()), service.cpu()
    taken, codes = await paced(service.port, seconds, RATE, some_page)
    stop.set()
    await task
    spent = 1000 * (service.cpu() - cpu) / len(taken)
    print(f"pages, events beside: {dict(codes)}, {quantiles(taken)}; processor {spent:.2f} ms each")
    print(f"the page right after its listener's event: {quantiles(after)}")
    print(f"both together: {quantiles(taken + after)}")


async def _after_event(connection: Connection, ids: np.ndarray) -> float:
    """Send an event, and ask for the page of its listener at once: seconds that the page took."""
    (one,) = events(ids, KNOWN, 1, f"while-{time.time()}")
    await connection.ask("POST", "/events", json.dumps([one]).encode())
    asked = time.perf_counter()
    assert (await connection.ask("GET", f"/shelves/{one['user_id']}"))[0] == 200
    return time.perf_counter() - asked


async def take_events(service: Service, ids: np.ndarray, count: int, clients: int) -> None:
    bodies = batches(ids, count // BATCH, f"events-{time.time()}")
    taken: list[float] = []

    async def client() -> None:
        connection = Connection(service.port)
        while bodies:
            body = bodies.pop()
            began = time.perf_counter()
            status, text = await connection.ask("POST", "/events", body)
            assert status == 200, text
            taken.append(time.perf_counter() - began)

    began, cpu, own = time.perf_counter(), service.cpu(), time.process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds, spent = time.perf_counter() - began, service.cpu() - cpu
    sent = len(taken) * BATCH
    ours = time.process_time() - own
    print(
        f"events: {sent / seconds:,.0f} a second, {quantiles(taken)}; {sent / spent:,.0f} a second "
        f"of the service's processor time, {sent / ours:,.0f} of the client's"
    )


def music(seed: int) -> bytes:
    """A three-minute MP3."""
    import io

    rng = np.random.default_rng(seed)
    at = np.arange(44_100 * 180) / 44_100
    tone = sum(np.sin(2 * np.pi * f * at) for f in rng.uniform(80, 3_000, 6))
    file = io.BytesIO()
    noise = 0.02 * rng.standard_normal(len(at))
    sf.write(file, (0.1 * tone + noise).astype("f4"), 44_100, format="MP3")
    return file.getvalue()


async def uploads(service: Service, count: int) -> None:
    taken, own = list[float](), 0.0
    for number in range(count):
        data = music(number + time.time_ns() // 1000)  # none that was there before
        connection = Connection(service.port)
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
        body = head + data + b"\r\n--b--\r\n"
        began, cpu = time.perf_counter(), service.cpu()
        kind = "multipart/form-data; boundary=b"
        status, text = await connection.ask("POST", "/tracks", body, kind)
        assert status == 201, text
        track = json.loads(text)["track_id"]
        _, page = await connection.ask("GET", "/shelves/somebody")
        assert track in page.decode()
        taken.append(time.perf_counter() - began)
        own += service.cpu() - cpu
    print(f"uploads: {quantiles(taken)}; processor {1000 * own / count:.0f} ms beside the worker")


async def soak(service: Service, ids: np.ndarray, minutes: float) -> None:
    """Pages and events, ten batches a second; memory is printed each ten seconds."""
    until = time.monotonic() + 60 * minutes
    connection = Connection(service.port)

    async def doing() -> None:
        while time.monotonic() < until:
            for body in batches(ids, 1, f"soak-{time.time()}"):
                await connection.ask("POST", "/events", body)
            await asyncio.sleep(0.1)

    async def watching() -> None:
        while time.monotonic() < until:
            left = (until - time.monotonic()) / 60
            print(f"{left:.1f} minutes left: {service.memory() / 1e6:,.0f} MB", flush=True)
            await asyncio.sleep(10)

    taken, *_ = await asyncio.gather(
        paced(service.port, 60 * minutes, RATE, some_page), doing(), watching()
    )
    print(f"pages of the soak: {dict(taken[1])}, {quantiles(taken[0])}")


async def kills(service: Service, catalog: Path, ids: np.ndarray, times: int) -> None:
    acknowledged: set[str] = set()
    for round_number in range(times):
        stop = asyncio.Event()

        async def client(name: str, stop: asyncio.Event = stop) -> None:
            connection, number = Connection(service.port), 0
            while not stop.is_set():
                made = events(ids, KNOWN, 20, f"{name}-{number}")
                try:
                    status, _ = await connection.ask("POST", "/events", json.dumps(made).encode())
                except (OSError, asyncio.IncompleteReadError):
                    return
                if status == 200:
                    acknowledged.update(event["event_id"] for event in made)
                number += 1

        clients = [asyncio.create_task(client(f"{round_number}-{n}")) for n in range(4)]
        await asyncio.sleep(random.uniform(0.1, 1.0))
        service.kill()
        stop.set()
        await asyncio.gather(*clients)
        service.start()
        if not (round_number + 1) % 10:
            print(f"{round_number + 1} kills, {len(acknowledged):,} acknowledged", flush=True)
    there = read(catalog, "outcomes")["event_id"].to_pylist()
    lost, twice = acknowledged - set(there), len(there) - len(set(there))
    near = await Connection(service.port).ask("GET", f"/similar/{ids[0]}?k=5")
    print(
        f"kills: {times}, acknowledged {len(acknowledged):,}, lost {len(lost)}, twice {twice}; "
        f"the catalog has {len(Catalog.open(catalog)):,} tracks, the index answers {near[0]}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+")
    parser.add_argument("--scratch", type=Path, required=True, help="folder to make catalogs in")
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=30, help="of load by pages")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--uploads", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    folder = given.scratch / f"{given.tracks}"
    if not (folder / "c").exists():
        make_catalog(folder, given.tracks, 256)
    catalog = folder / "c"
    shutil.rmtree(catalog / "feedback", ignore_errors=True)  # what listeners did in the last run
    ids = np.array(Catalog.open(catalog).tracks()["track_id"].to_pylist(), object)
    service = Service(catalog, given.scratch / "service.log")
    works: dict[str, Callable[[], Awaitable[None]]] = {
        "pages": lambda: pages(service, ids, given.seconds),
        "events": lambda: take_events(service, ids, given.events, given.clients),
        "uploads": lambda: uploads(service, given.uploads),
        "soak": lambda: soak(service, ids, given.minutes),
        "kills": lambda: kills(service, catalog, ids, given.times),
    }
    try:
        for name in given.what:
            asyncio.run(works[name]())
    finally:
        service.end()


if __name__ == "__main__":
    main()
