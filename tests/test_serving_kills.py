"""What was acknowledged is there, once, whenever the process was killed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from musicu.listening.feedback.feedback_log import read

#: Writes batches of clients that all wait for each other's sync, and tells which are acknowledged.
WRITER = """
import asyncio, sys
from pathlib import Path
from musicu.listening.feedback import OUTCOMES
from musicu.listening.feedback.feedback_schemas import checked
from musicu.serving.feedback_writer import FeedbackWriter

mark = sys.argv[2]
writer = FeedbackWriter(Path(sys.argv[1]))
writer.start()

async def client(name):
    for number in range(100_000):
        ids = [f"{mark}-{name}-{number}-{n}" for n in range(20)]
        own = dict(user_id="0" * 32, track_id="t", kind="played", at=1.7e9)
        rows = [own | {"event_id": i} for i in ids]
        added = await writer.outcomes(checked(rows, OUTCOMES)[0])
        again = await writer.outcomes(checked(rows, OUTCOMES)[0])
        assert len(added) == 20 and not again
        print(*ids, flush=True)

async def main():
    await asyncio.gather(*(client(name) for name in "abcd"))

asyncio.run(main())
"""


def test_what_was_acknowledged_before_a_kill_is_there_once(tmp_path: Path) -> None:
    rng = random.Random(0)
    acknowledged: set[str] = set()
    for mark in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(mark)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        for _ in range(rng.randrange(1, 60)):
            acknowledged.update(process.stdout.readline().decode().split())
        process.kill()
        rest = process.stdout.read().decode()
        acknowledged.update(rest[: rest.rfind("\n") + 1].split())
        process.wait()
    there = read(tmp_path, "outcomes")["event_id"].to_pylist()
    assert len(there) == len(set(there))
    assert acknowledged <= set(there)
    assert len(acknowledged) >= 80
