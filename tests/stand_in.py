"""A worker that needs no process and no music, for tests of what surrounds it.

Run as a program it works through a folder and is killed, over and over: see `test_pipeline_crash`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.catalog import compaction
from musicu.catalog.store import Store
from musicu.embeddings.cards import find_model
from musicu.pipeline import loop
from musicu.pipeline.executors import worker_pool
from musicu.pipeline.executors.requests import WorkRequest
from musicu.pipeline.executors.worker_process import WorkerDiedError
from musicu.pipeline.run import EmbedOptions, run

MODEL = "musicu-stats-v1"
TABLE = f"vectors/{MODEL}"
DIM = find_model(MODEL).dim


def content_hash(data: bytes) -> str:
    """What the stand-in says of a file's sound."""
    return hashlib.sha256(data).hexdigest()[:32]


def vector(told: str) -> NDArray[np.float32]:
    """The vector of a recording, float32 [dim] of unit length."""
    values = np.random.default_rng(int(told[:8], 16)).standard_normal(DIM)
    return (values / np.linalg.norm(values)).astype("<f4")


class StandIn:
    """Answers as a worker would: files that begin with "bad" fail, with "dies" end it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def ask(self, request: WorkRequest) -> dict[str, Any]:
        assert request.file is not None
        data = request.file.read_bytes()
        if request.task == "inspect":
            return {"tags": {"title": request.file.stem}, "content_hash": content_hash(data)}
        if data.startswith(b"bad"):
            return {"stage": "decode", "reason": "damaged, says the stand-in"}
        if data.startswith(b"dies"):
            raise WorkerDiedError("the process that read it ended (killed)")
        return {"row": {"vector": vector(content_hash(data)), "complete": True}}


def limit_memory(worker: Any) -> None:
    """Let a real worker have 60 MB more than it has when its first task comes."""
    import resource

    answer = worker.RequestHandler.answer

    def limited(*request: Any) -> Any:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * os.sysconf("SC_PAGE_SIZE") + 60_000_000
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        worker.RequestHandler.answer = answer
        return answer(*request)

    worker.RequestHandler.answer = limited


def small_tables() -> None:
    """Files of the final form so small that a few tracks make several; commits all the time."""
    compaction.MIN_ROWS, compaction.MAX_ROWS, compaction._LAST = 4, 12, "0"
    loop.CommitInterval.due = lambda _: True  # type: ignore[method-assign]


def sounds(music: Path) -> dict[str, bytes]:
    """The files of a folder by name."""
    return {path.name: path.read_bytes() for path in sorted(music.iterdir())}


def check(music: Path, out: Path, noted: Path) -> None:
    """What must hold of a catalog whose writer was killed at any moment."""
    if not (out / "manifest.json").exists():
        return
    store = Store.open(out)
    tracks, vectors = store.read("tracks"), store.read(TABLE)
    store.read("failures")
    have = set()
    for row in vectors.to_pylist() if vectors is not None else []:
        np.testing.assert_array_equal(row["vector"], vector(row["content_hash"]))
        have.add(row["content_hash"])
    used = {content_hash(data) for data in sounds(music).values()}
    before = set(json.loads(noted.read_text())) if noted.exists() else set()
    assert before & used <= have, "a vector was lost"
    if tracks is not None:
        assert all(row["path"] for row in tracks.to_pylist())
    noted.write_text(json.dumps(sorted(have)))


def change(music: Path, rng: random.Random) -> None:
    """Add, replace, rename, copy and remove some files."""
    for _ in range(rng.randint(1, 6)):
        kind = rng.choice(["good"] * 6 + ["bad", "dies"])
        (music / f"{rng.randint(0, 80)}.wav").write_text(f"{kind} {rng.random()}")
    names = sorted(music.iterdir())
    rng.choice(names).rename(music / f"{rng.randint(0, 80)}.wav")
    (music / f"{rng.randint(0, 80)}.wav").write_bytes(
        rng.choice(sorted(music.iterdir())).read_bytes()
    )
    if len(names) > 20:
        rng.choice(sorted(music.iterdir())).unlink()


def work(music: Path, out: Path) -> None:
    """One run in this process."""
    options = EmbedOptions(jobs=2, prune=True, confirm_prune=True, retry_failed=True)
    run(music, out, model=MODEL, options=options)


def kill_over_and_over(music: Path, out: Path, kills: int, seed: int) -> int:
    """Fork runs, kill each at a random moment; returns how many were killed before their end."""
    rng = random.Random(seed)
    for _ in range(40):
        change(music, rng)
    began = time.monotonic()
    assert _forked(lambda: work(music, out.with_name("first")), None) == 0
    whole, cut_short = time.monotonic() - began, 0
    for _ in range(kills):
        change(music, rng)
        assert _forked(lambda: check(music, out, out.with_suffix(".json")), None) == 0
        code = _forked(lambda: work(music, out), rng.uniform(0.0, 1.1) * whole)
        assert code in (0, -signal.SIGKILL), f"a run ended with {code}"
        cut_short += code != 0
    return cut_short


def _forked(do: Any, seconds: float | None) -> int:
    """Do something in a process of its own, killed after some seconds; its exit code."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            do()
            code = 0
        finally:
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    worker_pool.Worker = StandIn  # type: ignore[misc,assignment]
    small_tables()
    folder, count, start = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(kill_over_and_over(folder / "music", folder / "killed", count, start))
