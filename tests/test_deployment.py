"""What `deploy/` starts exists with these options, and several processes share one catalog."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

pytest.importorskip("fastapi")

from serving_samples import TOKEN, WRITES, event, style_catalog, style_of

from musicu.cli.app import app
from musicu.serving.application import ROUTERS
from musicu.serving.service_config import VARIABLE_PREFIX, ServiceConfig

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
ROUTES = {route.path for router in ROUTERS for route in router.routes}  # type: ignore[attr-defined]


def dockerfile() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text("utf-8"))
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(word, " ".join(rest.split())) for word, _, rest in pairs]


def accepted(words: list[str], name: str = "serve") -> click.Context:
    """The context of a command line; click raises where an option is not there."""
    assert words[0] == name
    command = app.get_command(click.Context(app), name)
    assert command is not None
    return command.make_context(name, words[1:])


def test_the_image_serves_as_a_user_without_rights_and_is_looked_after() -> None:
    steps = dockerfile()
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE"}
    assert {word for word, _ in steps} == known | {"HEALTHCHECK", "ENTRYPOINT", "CMD"}
    last = steps[max(n for n, (word, _) in enumerate(steps) if word == "FROM") :]
    told = dict(last)
    assert int(told["USER"]) > 0
    order = [word for word, _ in last]
    assert order.index("RUN") < order.index("USER")  # nothing is made by the user itself
    assert "slim" in told["FROM"]
    assert json.loads(told["ENTRYPOINT"]) == ["musicu"]
    words = json.loads(told["CMD"])
    context = accepted(words)
    assert context.params["host"] == "0.0.0.0"
    assert str(context.params["port"]) == told["EXPOSE"]
    assert str(context.params["catalog"]) == told["VOLUME"]
    check = json.loads(told["HEALTHCHECK"].partition("CMD ")[2])
    compile(check[2], "check", "exec")
    place = re.search(r"127\.0\.0\.1:(\d+)(/\w+)", check[2])
    assert place is not None
    assert (place[1], place[2] in ROUTES) == (told["EXPOSE"], True)


def test_what_the_image_is_made_of_is_in_the_repository() -> None:
    copied = [
        rest.split()[:-1] for word, rest in dockerfile() if word == "COPY" and "--from" not in rest
    ]
    names = {name for names in copied for name in names}
    assert all((ROOT / name).exists() for name in names)
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {line[1:] for line in let_in if line.startswith("!")} == names
    installs = " ".join(rest for word, rest in dockerfile() if word == "RUN")
    (extra,) = re.findall(r'"\.\[(\w+)\]"', installs)
    assert re.search(rf"^{extra} = \[", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)


def test_the_image_is_built_of_every_file_that_the_package_names() -> None:
    (copied,) = (rest.split()[:-1] for word, rest in dockerfile() if rest.startswith("pyproject"))
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    named = re.findall(r"\w+(?:\.md)?", re.findall(r"^license-files = (.*)$", project, re.M)[0])
    for name in [*named, *re.findall(r'^readme = "(.*)"$', project, re.M)]:
        assert name in copied
        assert f"!{name}\n" in let_in


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda p: p.stem)
def test_forms_and_workflows_can_be_read(path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(path.read_text("utf-8"))


def test_compose_has_one_writer_and_replicas_that_cannot_write() -> None:
    yaml = pytest.importorskip("yaml")
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    services = document["services"]
    writers = []
    for name, service in services.items():
        params = accepted(service["command"]).params
        mounted = [v for v in service["volumes"] if v.partition(":")[0] in document["volumes"]]
        (volume,) = mounted
        assert volume.split(":")[1] == str(params["catalog"])
        assert volume.endswith(":ro") == bool(params["read_only"])
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        if not params["read_only"]:
            writers.append(name)
            variables = [v.removeprefix(VARIABLE_PREFIX).lower() for v in service["environment"]]
            assert set(variables) <= set(ServiceConfig.__dataclass_fields__)
    assert len(writers) == 1
    (waited,) = services["replica"]["depends_on"].items()
    assert waited == (writers[0], {"condition": "service_healthy"})
    built = services[writers[0]]["build"]
    assert (DEPLOY / built["context"] / built["dockerfile"]).is_file()


def test_the_ray_job_has_what_kuberay_wants_and_a_command_that_exists() -> None:
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((DEPLOY / "rayjob.yaml").read_text("utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert job["metadata"]["name"]
    params = accepted(shlex.split(job["spec"]["entrypoint"])[1:], "embed").params
    assert params["executor"] == "ray"
    cluster = job["spec"]["rayClusterSpec"]
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]
    assert workers["groupName"]
    mounts, cpus = [], 0
    for group in (head, workers):
        assert "rayStartParams" in group
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert container["image"].endswith(f":{cluster['rayVersion']}")
        claimed = {volume["name"]: volume["persistentVolumeClaim"] for volume in pod["volumes"]}
        assert all(claim["claimName"] for claim in claimed.values())
        assert {mount["name"] for mount in container["volumeMounts"]} == set(claimed)
        mounts.append({mount["mountPath"]: mount for mount in container["volumeMounts"]})
        cpus = int(container["resources"]["limits"]["cpu"])
    music, catalog = str(params["source"]), str(params["out"])
    assert mounts[0][music] == mounts[1][music]
    assert not mounts[0][catalog].get("readOnly")
    assert catalog not in mounts[1]
    assert params["jobs"] == workers["replicas"] * cpus


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((DEPLOY / "musicu.service").read_text("utf-8"))
    return parser


def test_the_unit_starts_a_command_that_exists() -> None:
    service = unit()["Service"]
    program, *words = shlex.split(service["ExecStart"])
    assert program.endswith("/musicu")
    words[words.index("--config") + 1] = str(DEPLOY / "serve.toml")
    params = accepted(words).params
    assert str(params["catalog"]).startswith("/var/lib/" + service["StateDirectory"])
    config = ServiceConfig.read(DEPLOY / "serve.toml", {}, {})
    assert config.is_loopback
    _, flag, script = shlex.split(service["ExecStartPost"])
    assert flag == "-c"
    code = script.replace("\\n", "\n")
    compile(code, "unit", "exec")
    assert f"127.0.0.1:{config.port}/readyz" in code
    assert "/readyz" in ROUTES


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze here")
    text = (DEPLOY / "musicu.service").read_text("utf-8")
    stand_in = tmp_path / "program"
    stand_in.write_text("#!/bin/sh\n")
    stand_in.chmod(0o755)
    file = tmp_path / "musicu.service"
    file.write_text(re.sub(r"/opt/musicu/bin/\w+", str(stand_in), text))
    done = subprocess.run(
        [program, "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert "musicu.service" not in done.stderr, done.stderr
    file.write_text(file.read_text().replace("Type=exec", "Type=nothing"))
    done = subprocess.run(
        [program, "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert "musicu.service" in done.stderr  # so that the check can fail


def test_the_page_names_files_and_routes_that_are_there() -> None:
    page = (ROOT / "docs/deployment.md").read_text("utf-8")
    for name in re.findall(r"deploy/[\w.]+", page):
        assert (ROOT / name).exists(), name
    named = set(re.findall(r"`(?:GET )?(/[a-z]+)`", page)) - {"/tmp"}
    assert named <= ROUTES
    for line in re.findall(r"^\$ musicu (serve .*?)(?:#.*)?$", page, re.MULTILINE):
        accepted(shlex.split(line))


@contextmanager
def process(catalog: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """`musicu serve` in a process of its own, and a client of it, once it is ready."""
    import httpx

    port = free_port()
    code = "import sys; from musicu.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(catalog), "--port", str(port), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MUSICU_SERVE_POLICY": "given"}
    running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    try:
        until(lambda: running.poll() is not None or ready(client))
        yield running, client
    finally:
        client.close()
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=120)


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def ready(client: Any) -> bool:
    import httpx

    try:
        return bool(client.get("/readyz").status_code == 200)
    except httpx.TransportError:
        return False


def until(true: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def files(catalog: Path) -> dict[str, tuple[int, int]]:
    states = {path: path.stat() for path in catalog.rglob("*") if path.is_file()}
    return {str(path): (state.st_size, state.st_mtime_ns) for path, state in states.items()}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_writer_and_a_replica_share_one_catalog(tmp_path: Path) -> None:
    catalog = style_catalog(tmp_path / "catalog").path
    token = ("--token", TOKEN)
    with process(catalog, *token) as (writing, writer):
        with process(catalog, *token) as (second, _):
            assert second.wait(120) == 1  # there is one writer
        with process(catalog, "--read-only", *token) as (_, replica):
            assert replica.get("/readyz").json()["read_only"] is True
            batch = [event(n, "ann", f"s4-{n:02}") for n in range(3)]
            refused = replica.post("/events", json=batch, headers=WRITES)
            assert refused.status_code == 405
            assert replica.delete("/listeners/ann", headers=WRITES).status_code == 405
            assert writer.post("/events", json=batch, headers=WRITES).json()["added"] == 3
            moved = lambda: replica.get("/shelves/ann").json()["shelves"][0]  # noqa: E731
            until(lambda: {style_of(i["track_id"]) for i in moved()["items"]} == {4})
            row = {"track_id": "s9-new", "title": "New", "artists": ["Someone"]}
            assert writer.post("/tracks", json=row, headers=WRITES).status_code == 201
            until(lambda: replica.get("/readyz").json()["tracks"] == 145)
            assert writer.get("/readyz").json()["tracks"] == 145
            assert writer.delete("/listeners/ann", headers=WRITES).json()["feedback_rows"] >= 3
            until(lambda: {style_of(i["track_id"]) for i in moved()["items"]} != {4})

            writing.kill()  # the replica goes on, and changes no file
            writing.wait(60)
            before = files(catalog)
            assert replica.get("/similar/s0-00?k=3").status_code == 200
            assert replica.get("/shelves/ben").status_code == 200
            assert replica.get("/live/numbers").json()["read_only"] is True
            assert files(catalog) == before
