"""The service over HTTP: what is asked, what is told, and what the next page shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

pytest.importorskip("fastapi")

from serving_samples import STYLES, WRITES, client_of, event, style_catalog, style_of

from musicu import Catalog
from musicu.listening.feedback.feedback_log import read


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return style_catalog(tmp_path_factory.mktemp("served") / "catalog").path


@pytest.fixture(scope="module")
def client(catalog: Path) -> Iterator[Any]:
    with client_of(catalog) as opened:
        yield opened


def page_styles(client: Any, user: str) -> Counter[int]:
    """How many tracks of each style stand on a listener's own shelves."""
    page = client.get(f"/shelves/{user}").json()
    return Counter(
        style_of(item["track_id"]) for shelf in page["shelves"] for item in shelf["items"]
    )


def send(client: Any, events: list[dict[str, Any]]) -> dict[str, Any]:
    answer = client.post("/events", json=events, headers=WRITES)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_listener_who_plays_three_tracks_of_a_style_sees_the_page_move_to_it(client: Any) -> None:
    before = page_styles(client, "ann")
    assert before[3] <= 2 * sum(before.values()) / STYLES
    send(client, [event(n, "ann", f"s3-{n:02}") for n in range(3)])
    after = page_styles(client, "ann")
    assert after.most_common(1)[0][0] == 3
    assert after[3] > 2 * before[3] * sum(after.values()) / sum(before.values()) * 0.5
    first = client.get("/shelves/ann").json()["shelves"][0]
    assert {style_of(item["track_id"]) for item in first["items"]} == {3}
    heard = {f"s3-{n:02}" for n in range(3)}
    assert heard.isdisjoint(item["track_id"] for item in first["items"])


def test_skips_within_seconds_of_searching_take_no_track_away(client: Any) -> None:
    send(client, [event(n, "ben", f"s1-{n:02}") for n in range(4)])
    page = client.get("/shelves/ben").json()
    shown = [i["track_id"] for s in page["shelves"] for i in s["items"]]
    skipped = [t for t in dict.fromkeys(shown) if style_of(t) == 1][:3]
    searching = [
        event(100 + n, "ben", t, "skipped", milliseconds=2_000) for n, t in enumerate(skipped)
    ]
    send(client, searching)
    page = client.get("/shelves/ben").json()
    assert [i["track_id"] for s in page["shelves"] for i in s["items"]] == shown


def test_repeated_skips_thin_a_style_out(client: Any) -> None:
    liked = [event(n, "cleo", f"s{n % 2}-{n:02}") for n in range(8)]
    send(client, liked)
    before = page_styles(client, "cleo")
    disliked = [
        event(60 * n, "cleo", f"s1-{n:02}", "skipped", milliseconds=25_000) for n in range(9, 22)
    ]
    send(client, disliked)
    after = page_styles(client, "cleo")
    assert after[1] < 0.6 * before[1]
    assert after[0] >= before[0]


def test_skips_alone_thin_a_style_out_that_was_never_played(client: Any) -> None:
    before = page_styles(client, "dora")
    send(client, [event(n * 60, "dora", f"s2-{n:02}", "skipped") for n in range(12)])
    after = page_styles(client, "dora")
    assert after[2] < 0.6 * before[2]
    assert all(after[style] >= before[style] - 2 for style in (0, 1, 3, 4, 5))


def test_every_page_is_explained_by_its_exposures(catalog: Path, client: Any) -> None:
    page = client.get("/shelves/eve").json()
    items = [(s, i) for s in page["shelves"] for i in s["items"]]
    table = read(catalog, "exposures").to_pylist()
    own = {row["exposure_id"]: row for row in table if row["page_id"] == page["page_id"]}
    assert set(own) == {item["exposure_id"] for _, item in items}
    for shelf, item in items:
        row = own[item["exposure_id"]]
        assert row["track_id"] == item["track_id"]
        assert row["shelf"] == shelf["shelf"]
        assert (row["shelf_position"], row["item_position"]) == (
            shelf["position"],
            item["position"],
        )
        assert row["propensity"] == shelf["propensity"] == 1.0
        assert row["policy"] == page["policy"] == "given"
        assert row["user_id"] == client.service.pseudonym("eve") != "eve"
    shown = items[0][1]
    sent = event(0, "eve", shown["track_id"], exposure_id=shown["exposure_id"])
    send(client, [sent])
    outcomes = read(catalog, "outcomes").to_pylist()
    assert [r["exposure_id"] for r in outcomes if r["event_id"] == "eve-0"] == [
        shown["exposure_id"]
    ]


def test_a_wrong_event_is_named_and_the_others_are_kept(catalog: Path, client: Any) -> None:
    good = event(0, "fred", "s0-00")
    wrong = [
        event(1, "fred", "s0-00", kind="plaid"),
        event(2, "fred", "s0-00", milliseconds=-1),
        event(3, "fred", "s0-00", at="yesterday"),
        event(4, "fred", "s0-00", milliseconds=10**400),
        {**event(5, "fred", "s0-00"), "colour": 1},
        7,
    ]
    answer = client.post("/events", json=[wrong[0], good, *wrong[1:]], headers=WRITES)
    assert answer.status_code == 207
    told = answer.json()
    assert told["added"] == 1
    fields = {fault["index"]: fault["field"] for fault in told["faults"]}
    assert fields == {0: "kind", 2: "milliseconds", 3: "at", 4: "milliseconds", 5: "colour", 6: ""}
    assert all(fault["status"] == 422 and fault["reason"] for fault in told["faults"])
    kept = [i for i in read(catalog, "outcomes")["event_id"].to_pylist() if i.startswith("fred")]
    assert kept == ["fred-0"]
    alone = client.post("/events", json=[wrong[0]], headers=WRITES)
    assert alone.status_code == 422
    assert alone.json()["faults"][0]["field"] == "kind"


def test_a_repeated_event_counts_once(catalog: Path, client: Any) -> None:
    sent = [event(n, "gus", "s5-00") for n in range(3)]
    assert send(client, sent)["added"] == 3
    version = client.service.states.version(client.service.pseudonym("gus"))
    assert send(client, sent) == {"added": 0, "known": 3, "faults": []}
    assert client.service.states.version(client.service.pseudonym("gus")) == version
    ids = read(catalog, "outcomes")["event_id"].to_pylist()
    assert Counter(ids)["gus-0"] == 1


def test_who_did_what_is_known_after_a_restart(tmp_path: Path) -> None:
    path = style_catalog(tmp_path / "catalog").path
    with client_of(path) as first:
        send(first, [event(n, "ann", f"s4-{n:02}") for n in range(3)])
        shelves = first.get("/shelves/ann").json()["shelves"]
    with client_of(path) as second:
        again = second.get("/shelves/ann").json()["shelves"]
    strip = [[i["track_id"] for i in s["items"]] for s in shelves]
    assert [[i["track_id"] for i in s["items"]] for s in again] == strip


def test_similar_tells_what_the_catalog_does(catalog: Path, client: Any) -> None:
    told = client.get("/similar/s2-05", params={"k": 5}).json()["items"]
    expected = Catalog.open(catalog).similar("s2-05", k=5)
    assert [item["track_id"] for item in told] == expected["track_id"].to_pylist()
    assert [item["score"] for item in told] == pytest.approx(expected["score"].to_pylist())
    assert client.get("/similar/nothing").status_code == 404
    assert client.get("/similar/s2-05", params={"k": 0}).status_code == 422


def test_tracks_come_page_by_page_and_say_nothing_of_files(client: Any) -> None:
    found, after = [], ""
    while True:
        told = client.get("/tracks", params={"limit": 50, "after": after}).json()
        found += told["tracks"]
        if told["next"] is None:
            break
        after = told["next"]
    ids = [track["track_id"] for track in found]
    assert ids == sorted(f"s{s}-{n:02}" for s in range(6) for n in range(24))
    assert not {"path", "root", "content_hash"} & set(found[0])
    assert client.get(f"/tracks/{ids[7]}").json() == found[7]


def test_candidates_and_what_comes_next_follow_the_listener(client: Any) -> None:
    send(client, [event(n, "hal", f"s5-{n:02}") for n in range(3)])
    told = client.get("/candidates/hal", params={"k": 10}).json()["items"]
    assert len(told) == 10
    assert {style_of(item["track_id"]) for item in told} == {5}
    assert client.get("/candidates/nobody", params={"k": 10}).json()["items"]
    following = client.get("/next", params={"user": "hal", "k": 5}).json()
    assert {style_of(item["track_id"]) for item in following["items"]} == {5}
    after = client.get("/next", params={"after": ["s0-01", "s0-02"], "k": 5}).json()
    assert {style_of(item["track_id"]) for item in after["items"]} == {0}
    assert "page_id" not in after  # nobody's
    assert client.get("/next").status_code == 422


def test_what_comes_next_writes_exposures(catalog: Path, client: Any) -> None:
    send(client, [event(n, "ida", f"s5-{n:02}") for n in range(3)])
    told = client.get("/next", params={"user": "ida", "k": 4}).json()
    rows = read(catalog, "exposures").filter(pc.field("page_id") == told["page_id"]).to_pylist()
    assert [row["exposure_id"] for row in rows] == [i["exposure_id"] for i in told["items"]]
    assert [row["track_id"] for row in rows] == [item["track_id"] for item in told["items"]]
    assert [row["item_position"] for row in rows] == [0, 1, 2, 3]
    assert {row["surface"] for row in rows} == {"next"}
    assert {row["propensity"] for row in rows} == {1.0}
    assert {row["policy"] for row in rows} == {told["method"]}


def test_what_writes_needs_the_token(client: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
        answer = client.post("/events", json=[event(0, "x", "s0-00")], headers=headers)
        assert answer.status_code == 401
    ticket = client.service.access.ticket(client.service.pseudonym("ida"))
    page = {"Authorization": f"Bearer {ticket}"}
    own = client.post("/events", json=[event(0, "ida", "s0-00")], headers=page)
    assert own.status_code == 200
    other = client.post("/events", json=[event(0, "jim", "s0-00")], headers=page)
    assert other.status_code == 422
    assert other.json()["faults"][0]["field"] == "user_id"
    forged = {"Authorization": f"Bearer {ticket[:-1]}{'0' if ticket[-1] != '0' else '1'}"}
    assert client.post("/events", json=[], headers=forged).status_code == 401


def test_it_is_well_counted_and_described(client: Any) -> None:
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json()["tracks"] == 144
    text = client.get("/metrics").text
    assert 'musicu_requests_total{method="GET",route="/readyz",status="200"}' in text
    assert "musicu_tracks 144.0" in text
    described = client.get("/openapi.json").json()
    body = described["paths"]["/events"]["post"]["requestBody"]
    example = body["content"]["application/json"]["example"]
    assert client.post("/events", json=example, headers=WRITES).status_code == 200
    assert all(
        "example" in answer["content"]["application/json"]
        for path in ("/tracks", "/shelves/{user}", "/similar/{track_id}")
        for code, answer in described["paths"][path]["get"]["responses"].items()
        if code == "200"
    )


def test_a_full_disk_is_a_503_and_nothing_is_acknowledged(
    catalog: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from musicu.listening.feedback import feedback_log

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(feedback_log, "write_all", full)
        answer = client.post("/events", json=[event(0, "kim", "s0-00")], headers=WRITES)
        assert answer.status_code == 503
        assert str(catalog) not in answer.text
        assert client.get("/shelves/kim").status_code == 503
    assert "kim-0" not in read(catalog, "outcomes")["event_id"].to_pylist()
    assert send(client, [event(0, "kim", "s0-00")])["added"] == 1
