from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contract_executor import GOOD, IsolatedExecutorContract

from musicu.pipeline.executors.executor import EXECUTORS
from musicu.pipeline.executors.requests import WorkerConfig, WorkRequest

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
    from music import write

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
