from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract_executor import GOOD, IsolatedExecutorContract, contents
from music import write

from musicu.audit import audit
from musicu.catalog.catalog import Catalog
from musicu.errors import MusicuError
from musicu.pipeline.describe import FillOptions, describe_catalog
from musicu.pipeline.executors.executor import EXECUTORS
from musicu.pipeline.executors.requests import WorkerConfig, WorkRequest
from musicu.pipeline.run import EmbedOptions, run, scan

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=2)
    ray.init(address=made.address, log_to_driver=False)
    os.environ["RAY_ADDRESS"] = made.address
    yield made
    os.environ.pop("RAY_ADDRESS")
    ray.shutdown()
    made.shutdown()


@pytest.mark.usefixtures("cluster")
class TestRayExecutor(IsolatedExecutorContract):
    name = "ray"

    def test_a_killed_actor_loses_nothing(self, config: WorkerConfig, music: Path) -> None:
        executor = EXECUTORS.load(self.name)(config, jobs=1, timeout_seconds=60.0)
        try:
            requests = [WorkRequest("embed", file) for file in sorted(music.iterdir())]
            for request in requests:
                executor.submit(request)
            found = dict([executor.next_answer()])
            ray.kill(executor._actors[0], no_restart=False)  # type: ignore[attr-defined]
            found.update(executor.next_answer() for _ in requests[1:])
        finally:
            executor.close()
        assert len(found) == GOOD
        assert all("row" in answer for answer in found.values())


def test_a_lost_node_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{n}.flac", n, seconds=3.0) for n in range(8)]
    executor = EXECUTORS.load("ray")(WorkerConfig(), jobs=2, timeout_seconds=60.0)
    try:
        executor.expect(8)
        for file in files:
            executor.submit(WorkRequest("inspect", file))
        found = dict([executor.next_answer()])
        fresh = cluster.add_node(num_cpus=2)
        cluster.remove_node(next(iter(cluster.worker_nodes - {fresh})), allow_graceful=False)
        found.update(executor.next_answer() for _ in files[1:])
    finally:
        executor.close()
    assert len({answer["content_hash"] for answer in found.values()}) == len(files)


DRIVER = """
import sys
from pathlib import Path
import musicu.pipeline.commit_interval as interval
from musicu.pipeline.run import EmbedOptions, run
interval._SOONEST_SECONDS = 0.0
report = run(Path(sys.argv[1]), Path(sys.argv[2]), model=sys.argv[3],
             options=EmbedOptions(executor="ray", jobs=2, describe=False))
print(report.embedded, report.known)
"""


def driver(music: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, str(music), str(out), "musicu-stats-v1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("cluster")
def test_a_driver_that_was_killed_goes_on_with_what_it_had_committed(tmp_path: Path) -> None:
    for n in range(24):
        write(tmp_path / f"music/{n}.flac", n, seconds=3.0)
    music, out = tmp_path / "music", tmp_path / "out"
    killed = driver(music, out)
    held = 0
    while held < 4 and killed.poll() is None:  # some vectors are committed
        held = vectors_in(out)
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    committed = vectors_in(out)
    assert 4 <= committed < 24
    again = driver(music, out)
    told, _ = again.communicate()
    assert again.returncode == 0
    embedded, known = map(int, told.split())
    assert embedded == 24 - committed  # nothing that was committed is embedded twice
    assert known >= committed
    run(music, tmp_path / "whole", model="musicu-stats-v1", options=EmbedOptions(jobs=2))
    assert contents(out) == contents(tmp_path / "whole")


def vectors_in(out: Path) -> int:
    """Vectors that a catalog's manifest lists now."""
    try:
        return len(Catalog.open(out).vectors("musicu-stats-v1").ids)
    except MusicuError:
        return 0


@pytest.mark.usefixtures("cluster")
def test_descriptors_and_fingerprints_are_those_of_a_local_run(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path / f"music/{n}.flac", n, seconds=3.0)
    for executor, out in (("ray", tmp_path / "ray"), ("workers", tmp_path / "here")):
        scan(tmp_path / "music", out)
        options = FillOptions(executor=executor, jobs=2)
        assert describe_catalog(out, options=options).done == 3
        audit(out, options=options)
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")
