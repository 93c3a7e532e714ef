"""The live page, forgetting through the service, and what is not told of few listeners."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from serving_samples import WRITES, client_of, event, running, style_catalog

from musicu.listening.feedback.feedback_log import read
from musicu.serving.last_hour import LastHour, quantile


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def outcome(user: str, clock: Clock, kind: str = "played") -> dict[str, Any]:
    at = datetime.fromtimestamp(clock.now, timezone.utc)
    more = {"exposure_id": None, "milliseconds": 60_000}
    return {
        "event_id": f"{user}{at}",
        "user_id": user,
        "track_id": "t",
        "kind": kind,
        "at": at,
    } | more


def test_quantiles_are_those_of_the_requests_to_six_per_cent() -> None:
    seconds = np.random.default_rng(0).lognormal(-5, 1, 20_000)
    hour = LastHour(Clock())
    for each in seconds:
        hour.note_request("/similar", 200, each)
    told = hour.numbers()["requests"]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        assert told[name] == pytest.approx(1000 * np.quantile(seconds, share), rel=0.07)
    assert told["count"] == 20_000
    assert quantile(np.zeros(120, np.int64), 0.5) is None


def test_the_hour_moves_on_minute_by_minute() -> None:
    clock = Clock()
    hour = LastHour(clock)
    hour.note_request("/similar", 500, 0.01)
    hour.note_upload("Night Bus", 0.4)
    clock.now += 59 * 60
    hour.note_request("/next", 200, 0.02)
    told = hour.numbers()
    assert [told["requests"][name] for name in ("count", "errors")] == [2, 1]
    assert [minute["count"] for minute in told["minutes"]] == [1, *[0] * 58, 1]
    assert told["uploads"]["latest"] == [{"title": "Night Bus", "seconds": 0.4, "ago": 3540}]
    clock.now += 60
    told = hour.numbers()
    assert [route["route"] for route in told["routes"]] == ["/next"]
    assert told["requests"]["errors"] == told["uploads"]["count"] == 0
    assert told["minutes"][0]["p99"] is None


def test_what_nine_listeners_did_is_not_told_and_not_in_a_total() -> None:
    clock = Clock()
    hour = LastHour(clock)
    for number in range(9):
        hour.note_outcomes([outcome(f"u{number}", clock)] * 50)
    hour.note_outcomes([outcome("u0", clock, "saved")])
    told = hour.numbers()
    assert (told["events"], told["outcomes"], told["hidden_kinds"]) == (0, [], 2)
    assert told["listeners"] == "fewer than 10"
    clock.now += 600
    hour.note_outcomes([outcome("u9", clock)])
    told = hour.numbers()
    assert (told["events"], told["hidden_kinds"]) == (451, 1)
    assert told["outcomes"] == [{"kind": "played", "count": 451}]
    assert told["listeners"] == "10 or more"
    hour.forget("u9")
    assert hour.numbers()["outcomes"] == []
    assert all(each["user_id"] != "u9" for each in hour.recent_outcomes())


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return style_catalog(tmp_path / "catalog").path


def played(client: Any, users: int, now: datetime | None = None) -> None:
    moment = (now or datetime.now(timezone.utc)).isoformat()
    batch = [
        event(n, f"user-{u:02}", f"s{n % 6}-{n:02}", at=moment)
        for u in range(users)
        for n in range(3)
    ]
    assert client.post("/events", json=batch, headers=WRITES).status_code == 200


def test_a_service_tells_of_ten_listeners_and_of_no_fewer(catalog: Path) -> None:
    with client_of(catalog) as client:
        client.service.last_hour.reward_seconds = 0
        played(client, 9)
        told = client.get("/live/numbers").json()
        assert (told["events"], told["outcomes"], told["rewards"]) == (0, [], [])
        text = client.get("/metrics").text
        assert "musicu_requests_total" in text
        assert not {"musicu_events", "musicu_listeners", "musicu_exposures"} & {
            line.split("{")[0].split(" ")[0].removesuffix("_total") for line in text.splitlines()
        }
        played(client, 10)
        told = client.get("/live/numbers").json()
        assert (told["events"], told["tracks"]) == (30, 144)
        stream = next(each for each in told["rewards"] if each["name"] == "stream")
        assert stream["count"] == 30
        assert stream["mean"] == pytest.approx(stream["total"] / 30)
        assert 'musicu_events_total{became="added"} 30.0' in client.get("/metrics").text
        assert "/live/numbers" not in {route["route"] for route in told["routes"]}


def test_a_service_forgets_a_listener_while_it_runs(catalog: Path) -> None:
    with client_of(catalog) as client:
        played(client, 3)
        shown = client.get("/shelves/user-01").json()
        own = client.service.pseudonym("user-01")
        assert own in read(catalog, "exposures")["user_id"].to_pylist()
        assert client.delete("/listeners/user-01").status_code == 401
        done = client.delete("/listeners/user-01", headers=WRITES)
        assert done.status_code == 200, done.text
        items = sum(len(shelf["items"]) for shelf in shown["shelves"])
        assert done.json() == {
            "feedback_rows": 3 + items, "table_rows": 0, "models": [], "leftovers": 0,
        }  # fmt: skip
        assert client.service.states.version(own) == 0
        played(client, 3)  # a client repeats itself: what was forgotten does not come back
        assert len(read(catalog, "outcomes")) == 6
    for path in catalog.rglob("*"):
        if path.is_file():
            assert own.encode() not in path.read_bytes()
    for name in ("exposures", "outcomes"):
        assert own not in read(catalog, name)["user_id"].to_pylist()


def test_an_id_that_looks_like_a_pseudonym_becomes_one(catalog: Path) -> None:
    name = "0123456789abcdef" * 2  # as uuid4().hex gives them
    with client_of(catalog) as client:
        client.post("/events", json=[event(0, name, "s0-00")], headers=WRITES)
    assert name not in read(catalog, "outcomes")["user_id"].to_pylist()


def test_the_id_of_a_players_report_gives_nobody_away(catalog: Path) -> None:
    """Without the key nobody can try names, as all else that it is a digest of is in its row."""
    from musicu.serving.play_reports import event_of

    listen = {
        "listened_at": 1_790_000_000,
        "track_metadata": {"artist_name": "Artist 0 0", "track_name": "Title 0 0"},
    }
    body = {"listen_type": "single", "payload": [listen]}
    with client_of(catalog) as client:
        for _ in range(2):
            answer = client.post("/1/submit-listens", json=body, headers=WRITES)
            assert answer.status_code == 200, answer.text
    (row,) = read(catalog, "outcomes").to_pylist()
    guess = event_of("me", row["track_id"], row["kind"], row["at"].timestamp())["event_id"]
    assert guess.rpartition("-")[0] == row["event_id"].rpartition("-")[0]
    assert guess != row["event_id"]


def test_a_players_key_is_no_wrong_token(catalog: Path) -> None:
    with client_of(catalog) as client:
        key = client.get("/player-keys/ann", headers=WRITES).json()["key"]
        for headers, refused in (
            ({"Authorization": f"Token {key}"}, 0),
            ({"Authorization": "x"}, 1),
        ):
            answers = [client.get("/readyz", headers=headers).status_code for _ in range(200)]
            assert (429 in answers) == refused


def test_what_is_too_old_goes_when_the_service_starts(catalog: Path) -> None:
    with client_of(catalog) as client:
        played(client, 2, datetime.now(timezone.utc) - timedelta(days=40))
    with client_of(catalog, retention_days=30) as client:
        played(client, 3)
        for _ in range(600):
            if len(read(catalog, "outcomes")) == 3:
                break
            threading.Event().wait(0.1)
    assert len(read(catalog, "outcomes")) == 3


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if sys.platform == "win32":
        pytest.skip("the debugging pipe needs POSIX descriptors")
    from browser import Browser, find_chromium

    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium here (set MUSICU_CHROMIUM to its path)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_the_live_page_follows_what_happens(catalog: Path, browser: Any, tmp_path: Path) -> None:
    with running(catalog) as (address, client):
        client_played(client, address, 12)
        browser.open(f"{address}/live")
        browser.wait_for("document.getElementById('events').textContent === '36'")
        client_played(client, address, 13)  # three are new
        browser.wait_for("document.getElementById('events').textContent === '39'")
        rows = browser.run("document.getElementById('outcomes').textContent")
        assert rows == "played39"
        browser.wait_for("document.getElementById('rewards').textContent.includes('stream39')")
        assert "/events" in browser.run("document.getElementById('routes').textContent")
        assert float(browser.run("document.getElementById('p99').textContent")) > 0
        assert browser.run("document.getElementById('line-p99').getAttribute('d').length") > 0
        for dark in (False, True):
            for width, height in ((1280, 900), (390, 844)):
                name = f"live-{'dark' if dark else 'light'}-{width}.png"
                browser.screenshot(tmp_path / name, width, height, dark=dark)
                inner = "document.documentElement.scrollWidth <= innerWidth"
                assert browser.run(inner), name
    browser.wait_for("document.getElementById('state').className === 'lost'")
    wrong = [e for e in browser.events if e.get("method") == "Runtime.exceptionThrown"]
    assert wrong == []
    refused = [e for e in browser.events if "Content Security" in str(e)]
    assert refused == []


def client_played(client: Any, address: str, users: int) -> None:
    moment = datetime.now(timezone.utc).isoformat()
    batch = [
        event(n, f"user-{u:02}", f"s{n % 6}-{n:02}", at=moment)
        for u in range(users)
        for n in range(3)
    ]
    client.post(f"{address}/events", json=batch)
