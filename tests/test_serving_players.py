"""The service as players call it: OpenSubsonic, plugins for sonic similarity, ListenBrainz."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("fastapi")

from serving_samples import TOKEN, WRITES, client_of, event, style_catalog, style_of
from subsonic_stand_in import PASSWORD, USER, SubsonicStandIn

from musicu import Catalog
from musicu.listening.feedback.feedback_log import read
from musicu.players import Credentials, ServerScanOptions, SubsonicClient, scan_server
from musicu.serving.play_reports import INFERRED, InferredSkips, StartedPlay, is_heard
from musicu.serving.player_keys import key_user, player_key

SECONDS = 200
MISSING_STYLE = 5  # of which the music server has nothing
XML = "{http://subsonic.org/restapi}"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of six styles, joined to a server that has five of them."""
    folder = tmp_path_factory.mktemp("served") / "catalog"
    rows = style_catalog(folder).tracks().to_pylist()
    server = SubsonicStandIn()
    for row in rows:
        if style_of(row["track_id"]) != MISSING_STYLE:
            artist = row["artists"][0]
            server.add(
                f"nd-{row['track_id']}",
                title=row["title"],
                artist=artist,
                artistId=f"ar-{artist}",
                album=row["album"],
                albumId=f"al-{row['album']}",
                duration=SECONDS,
                coverArt=f"mf-{row['track_id']}",
            )
    with server.running() as url:
        client = SubsonicClient(url, Credentials(USER, PASSWORD))
        scan_server(client, folder, ServerScanOptions(download=False))
    return folder


@pytest.fixture(scope="module")
def client(catalog: Path) -> Iterator[Any]:
    with client_of(catalog) as opened:
        yield opened


def who(user: str = "ann", password: str | None = None, salt: str = "c19b2d") -> dict[str, str]:
    secret = password or player_key(user, TOKEN)
    token = hashlib.md5((secret + salt).encode()).hexdigest()
    return {"u": user, "t": token, "s": salt, "v": "1.16.1", "c": "test", "f": "json"}


def ask(client: Any, call: str, **more: Any) -> dict[str, Any]:
    answer = client.get(f"/rest/{call}.view", params={**who(), **more})
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()["subsonic-response"]
    return told


def outcomes(catalog: Path, client: Any, user: str) -> list[dict[str, Any]]:
    name = client.service.pseudonym(user)
    rows = read(catalog, "outcomes").to_pylist()
    return [row for row in rows if row["user_id"] == name]


def test_songs_like_one_come_in_the_servers_ids(client: Any) -> None:
    told = ask(client, "getSonicSimilarTracks", id="nd-s2-03", count=12)
    assert (told["status"], told["openSubsonic"], told["type"]) == ("ok", True, "musicu")
    found = told["sonicMatch"]
    assert len(found) == 12
    assert {style_of(each["entry"]["id"][3:]) for each in found} == {2}
    assert "nd-s2-03" not in [each["entry"]["id"] for each in found]
    likeness = [each["similarity"] for each in found]
    assert likeness == sorted(likeness, reverse=True)
    assert all(0 <= each <= 1 for each in likeness)
    assert found[0]["entry"]["coverArt"] == f"mf-{found[0]['entry']['id'][3:]}"


def test_what_the_server_lacks_is_never_answered(client: Any) -> None:
    told = ask(client, "getSonicSimilarTracks", id="nd-s0-00", count=500)
    found = [each["entry"]["id"] for each in told["sonicMatch"]]
    assert len(found) == 5 * 24 - 1
    assert all(song.startswith("nd-") for song in found)


def test_a_path_begins_and_ends_with_its_songs(client: Any) -> None:
    told = ask(client, "findSonicPath", startSongId="nd-s0-00", endSongId="nd-s4-00", count=8)
    found = [each["entry"]["id"] for each in told["sonicMatch"]]
    assert (found[0], found[-1]) == ("nd-s0-00", "nd-s4-00")
    assert 2 < len(found) <= 8
    assert len(set(found)) == len(found)
    assert told["sonicMatch"][0]["similarity"] == 1
    assert style_of(found[1][3:]) == 0
    assert style_of(found[-2][3:]) == 4


@pytest.mark.parametrize("item", ["nd-s1-00", "al-Album 1 0", "ar-Artist 1 0"])
def test_similar_songs_of_a_song_album_or_artist(client: Any, item: str) -> None:
    songs = ask(client, "getSimilarSongs2", id=item, count=10)["similarSongs2"]["song"]
    assert {style_of(song["id"][3:]) for song in songs} == {1}
    titles = [(song["title"], song["artist"]) for song in songs]
    assert len(set(titles)) == len(titles)


def test_extensions_are_told_to_anybody(client: Any) -> None:
    answer = client.get("/rest/getOpenSubsonicExtensions", params={"f": "json"})
    told = answer.json()["subsonic-response"]["openSubsonicExtensions"]
    assert {"name": "sonicSimilarity", "versions": [1]} in told


def test_xml_is_the_usual_form(client: Any) -> None:
    form = {**who(), "id": "nd-s2-03", "count": "2"}
    del form["f"]
    answer = client.post("/rest/getSonicSimilarTracks", data=form)
    assert answer.headers["content-type"].startswith("application/xml")
    root = ElementTree.fromstring(answer.text)
    assert (root.tag, root.get("status")) == (f"{XML}subsonic-response", "ok")
    matches = root.findall(f"{XML}sonicMatch")
    assert len(matches) == 2
    assert 0 <= float(matches[0].get("similarity", "-1")) <= 1
    entry = matches[0].find(f"{XML}entry")
    assert entry is not None
    assert entry.get("isDir") == "false"


def test_xml_holds_any_text() -> None:
    from musicu.serving.subsonic_answers import subsonic_answer

    title = "a\"<b>&'c\n\x01 \ud800 é 音"
    body = bytes(subsonic_answer({}, {"song": [{"title": title, "n": 1, "is": True}]}).body)
    song = ElementTree.fromstring(body).find(f"{XML}song")
    assert song is not None
    assert song.get("title") == title.replace("\x01", "\ufffd").replace("\ud800", "\ufffd")
    assert (song.get("n"), song.get("is")) == ("1", "true")


def test_jsonp_takes_names_alone(client: Any) -> None:
    form = {**who(), "f": "jsonp"}
    good = client.get("/rest/ping", params={**form, "callback": "a.b"})
    assert good.text.startswith("a.b({")
    bad = client.get("/rest/ping", params={**form, "callback": "alert(1)//"})
    assert bad.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (who(), None),
        (who(password=TOKEN), None),
        ({"u": "ann", "p": player_key("ann", TOKEN)}, None),
        ({"u": "ann", "p": f"enc:{player_key('ann', TOKEN).encode().hex()}"}, None),
        ({"apiKey": player_key("ann", TOKEN)}, None),
        (who("ben", player_key("ann", TOKEN)), 40),
        (who(password="wrong"), 40),
        ({"u": "ann", "p": "enc:zz"}, 40),
        ({"apiKey": "YW5u.0000"}, 44),
        ({"apiKey": player_key("ann", "other token")}, 44),
        ({"apiKey": player_key("ann", TOKEN), "u": "ann"}, 43),
        ({"u": "ann"}, 10),
        ({}, 10),
    ],
)
def test_a_listener_shows_a_token_a_password_or_a_key(
    client: Any, shown: dict[str, str], code: int | None
) -> None:
    told = client.get("/rest/tokenInfo", params={**shown, "f": "json"}).json()["subsonic-response"]
    if code is None:
        assert told["tokenInfo"]["username"] == "ann"
    else:
        assert (told["status"], told["error"]["code"]) == ("failed", code)
        time.sleep(0.11)  # ten wrong ones a second are looked at


def test_what_is_wrong_is_told_by_the_apis_numbers(client: Any) -> None:
    for call, more, code in [
        ("getSonicSimilarTracks", {}, 10),
        ("getSonicSimilarTracks", {"id": "nobody"}, 70),
        ("getSonicSimilarTracks", {"id": "nd-s2-03", "count": "many"}, 0),
        ("findSonicPath", {"startSongId": "nd-s0-00", "endSongId": "nobody"}, 70),
        ("getAlbumList2", {"type": "newest"}, 0),
        ("star", {}, 10),
    ]:
        told = ask(client, call, **more)
        assert (told["status"], told["error"]["code"]) == ("failed", code), call


def test_a_client_library_understands_the_answers(catalog: Path) -> None:
    sonic = pytest.importorskip("libopensonic", reason="needs py-opensonic")
    uvicorn = pytest.importorskip("uvicorn")
    from threading import Thread

    from musicu.serving.application import create_application
    from musicu.serving.service import Service
    from musicu.serving.service_config import ServiceConfig

    service = Service(catalog, ServiceConfig(token=TOKEN, read_only=True))
    config = uvicorn.Config(create_application(service), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        began = time.monotonic()
        while not server.started:
            assert time.monotonic() - began < 120, "the service does not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        caller = sonic.Connection("http://127.0.0.1", "ann", player_key("ann", TOKEN), port=port)
        assert caller.ping()
        found = caller.get_sonic_similar_tracks("nd-s2-03", 5)
        way = caller.find_sonic_path("nd-s0-00", "nd-s4-00", 8)
        songs = caller.get_similar_songs2("nd-s1-00", 5)
    finally:
        server.should_exit = True
        thread.join()
    assert [style_of(each.entry.id[3:]) for each in found] == [2] * 5
    assert (way[0].entry.id, way[-1].entry.id) == ("nd-s0-00", "nd-s4-00")
    assert len(songs) == 5


def test_a_plugins_calls_are_answered_in_their_shape(client: Any) -> None:
    asked = "item_id=nd-s3-01&n=20&eliminate_duplicates=true&radius_similarity=true"
    found = client.get(f"/api/similar_tracks?{asked}").json()
    assert len(found) == 20
    assert {"item_id", "title", "author", "album", "distance"} <= found[0].keys()
    assert {style_of(each["item_id"][3:]) for each in found} == {3}
    plain = client.get("/api/similar_tracks?item_id=nd-s3-01&n=20").json()
    assert [each["distance"] for each in plain] == sorted(each["distance"] for each in plain)
    assert {each["item_id"] for each in plain} == {each["item_id"] for each in found}
    assert client.get("/api/similar_tracks?item_id=nobody").status_code == 404
    assert client.get("/api/similar_tracks?title=x").status_code == 400
    named = "title=Title 3 1&artist=Artist 3 1&n=20"
    for asked in (named, f"item_id=nobody&{named}"):
        assert client.get(f"/api/similar_tracks?{asked}").json() == plain
    assert client.get("/api/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "name", ["artist=Artist 3 1", "artist=ar-Artist 3 1", "artist_id=ar-Artist 3 1"]
)
def test_artists_like_one_come_with_songs(client: Any, name: str) -> None:
    found = client.get(f"/api/similar_artists?{name}&n=5&include_component_matches=true").json()
    assert len(found) == 5
    for each in found:
        assert each["artist"].startswith("Artist 3")
        assert each["artist_id"] == f"ar-{each['artist']}"
        match = each["component_matches"][0]
        own, theirs = (match[f"artist{n}_representative_songs"] for n in (1, 2))
        assert all(song["item_id"].startswith("nd-s3") and song["title"] for song in own + theirs)
    plain = client.get(f"/api/similar_artists?{name}&n=5").json()
    assert "component_matches" not in plain[0]
    assert client.get("/api/similar_artists?artist=Nobody").status_code == 404
    assert client.get("/api/similar_artists").status_code == 400


def test_a_plugins_path(client: Any) -> None:
    asked = "start_song_id=nd-s0-00&end_song_id=nd-s4-00&max_steps=8"
    found = client.get(f"/api/find_path?{asked}").json()
    ids = [each["item_id"] for each in found["path"]]
    assert (ids[0], ids[-1]) == ("nd-s0-00", "nd-s4-00")
    assert found["total_distance"] > 0
    same = "start_song_id=nd-s0-00&end_song_id=nd-s0-00"
    assert client.get(f"/api/find_path?{same}").status_code == 400


def test_plugins_may_ask_often_with_a_key_and_for_more_than_there_is(client: Any) -> None:
    headers = {"Authorization": f"Bearer {player_key('ann', TOKEN)}"}
    call = "/api/similar_tracks?item_id=nd-s3-01&n=100000"
    answers = [client.get(call, headers=headers) for _ in range(25)]
    assert {answer.status_code for answer in answers} == {200}
    assert len(answers[0].json()) == 5 * 24 - 1


def listen(title: str, artist: str, at: float | None, **more: Any) -> dict[str, Any]:
    about = {"track_name": title, "artist_name": artist, "additional_info": more}
    return {"track_metadata": about} | ({} if at is None else {"listened_at": round(at)})


def submit(client: Any, user: str, kind: str, *listens: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Token {player_key(user, TOKEN)}"}
    body = {"listen_type": kind, "payload": list(listens)}
    return client.post("/1/submit-listens", json=body, headers=headers)


def test_scrobblers_are_told_whose_key_theirs_is(client: Any) -> None:
    headers = {"Authorization": f"Token {player_key('zoe', TOKEN)}"}
    told = client.get("/1/validate-token", headers=headers).json()
    assert (told["valid"], told["user_name"], told["code"]) == (True, "zoe", 200)
    assert client.get("/1/validate-token?token=wrong").json()["valid"] is False
    assert client.get("/player-keys/zoe").status_code == 401
    key = client.get("/player-keys/zoe", headers=WRITES).json()["key"]
    assert key_user(key, TOKEN) == "zoe"


def test_listens_become_plays_and_early_ends_skips(client: Any, catalog: Path) -> None:
    now = time.time() - 10_000
    whole = listen("Title 0 1", "Artist 0 1", now, duration_ms=200_000, duration_played=200)
    early = listen("Title 0 2", "Artist 0 2", now + 300, duration_ms=200_000, duration_played=9)
    unknown = listen("No such", "Stranger", now + 400)
    for each in (whole, early, unknown, whole):
        assert submit(client, "lea", "single", each).json() == {"status": "ok"}
    older = [listen(f"Title 1 {n}", f"Artist 1 {n}", now - 9_000 + n) for n in range(3)]
    assert submit(client, "lea", "import", *older).status_code == 200
    found = [
        (r["track_id"], r["kind"], r["milliseconds"]) for r in outcomes(catalog, client, "lea")
    ]
    assert found == [
        ("s0-01", "played", 200_000),
        ("s0-02", "skipped", 9_000),
        *((f"s1-0{n}", "played", None) for n in range(3)),
    ]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"listen_type": "other", "payload": [listen("a", "b", 1)]}, 400),
        ({"listen_type": "single", "payload": []}, 400),
        ({"listen_type": "single", "payload": [listen("a", "b", 1)] * 2}, 400),
        ([], 400),
        (
            {
                "listen_type": "single",
                "payload": [
                    "x",
                ],
            },
            200,
        ),
    ],
)
def test_listens_that_make_no_sense_are_refused(client: Any, body: Any, status: int) -> None:
    headers = {"Authorization": f"Token {player_key('lea', TOKEN)}"}
    assert client.post("/1/submit-listens", json=body, headers=headers).status_code == status
    assert client.post("/1/submit-listens", json=body).status_code == 401


def test_a_player_that_tells_starts_alone_shows_its_skips(client: Any, catalog: Path) -> None:
    for n in range(3):
        submit(
            client,
            "max",
            "playing_now",
            listen(f"Title 2 {n}", f"Artist 2 {n}", None, duration=200),
        )
    found = outcomes(catalog, client, "max")
    assert [(row["track_id"], row["kind"]) for row in found] == [
        ("s2-00", "skipped"),
        ("s2-01", "skipped"),
    ]
    assert all(row["event_id"].startswith(INFERRED) for row in found)


def test_skips_are_inferred_within_a_session_and_never_against_a_report() -> None:
    skips = InferredSkips()
    assert skips.start("a", StartedPlay("x", 1000.0, 200)) == []
    (skip,) = skips.start("a", StartedPlay("y", 1020.0, 200))
    assert (skip["track_id"], skip["milliseconds"], skip["kind"]) == ("x", 20_000, "skipped")
    assert skips.start("a", StartedPlay("z", 1130.0, 200)) == []  # heard for more than half
    assert skips.start("a", StartedPlay("x", 9000.0, 10_000)) == []  # another session
    assert skips.start("a", StartedPlay("y", 8000.0, 200)) == []  # told late
    assert skips.start("a", StartedPlay("y", 9010.0, None)) != []
    assert skips.start("a", StartedPlay("z", 9020.0, 200)) == []  # of unknown length
    skips.finish("a", "z")
    assert skips.start("a", StartedPlay("x", 9030.0, 200)) == []
    assert skips.start("b", StartedPlay("y", 9031.0, 200)) == []  # somebody else
    assert is_heard(240_000, 3600)
    assert not is_heard(99_000, 200)


def test_subsonic_reports_become_outcomes(client: Any, catalog: Path) -> None:
    ask_as = {**who("tom")}

    def send(call: str, **more: Any) -> None:
        told = client.get(f"/rest/{call}", params={**ask_as, **more}).json()
        assert told["subsonic-response"]["status"] == "ok", told

    send("scrobble", id=["nd-s0-05", "nd-s0-06"], time=["1770000000000", "1770000300000"])
    send("scrobble", id=["nd-s0-05", "nd-s0-06"], time=["1770000000000", "1770000300000"])
    send("star", id="nd-s0-05")
    send("reportPlayback", mediaId="nd-s0-07", mediaType="song", state="starting", positionMs=0)
    send("reportPlayback", mediaId="nd-s0-07", mediaType="song", state="stopped", positionMs=4000)
    found = outcomes(catalog, client, "tom")
    assert [(row["track_id"], row["kind"], row["milliseconds"]) for row in found] == [
        ("s0-05", "played", None),
        ("s0-06", "played", None),
        ("s0-05", "saved", None),
        ("s0-07", "skipped", 4_000),
    ]


def page_count(client: Any, user: str, style: int) -> int:
    page = client.get(f"/shelves/{user}").json()
    shown = [style_of(item["track_id"]) for shelf in page["shelves"] for item in shelf["items"]]
    return shown.count(style)


def test_skips_of_a_style_thin_it_out_in_the_next_mix(client: Any) -> None:
    liked = [event(n, "uma", f"s{n % 2}-{n:02}") for n in range(8)]
    client.post("/events", json=liked, headers=WRITES)
    before = [page_count(client, "uma", style) for style in (0, 1)]
    now = time.time() - 5_000
    for n in range(9, 22):
        skip = listen(
            f"Title 1 {n}", f"Artist 1 {n % 12}", now + 200 * n, duration=200, duration_played=25
        )
        assert submit(client, "uma", "single", skip).status_code == 200
    after = [page_count(client, "uma", style) for style in (0, 1)]
    assert after[1] < 0.6 * before[1]
    assert after[0] >= before[0]


def test_a_service_without_a_token_answers_and_takes_nothing(catalog: Path) -> None:
    with client_of(catalog, token="", read_only=True) as open_client:
        form = {"u": "ann", "t": "x", "s": "y", "f": "json"}
        near = open_client.get("/rest/getSonicSimilarTracks", params={**form, "id": "nd-s2-03"})
        assert len(near.json()["subsonic-response"]["sonicMatch"]) == 10
        star = open_client.get("/rest/star", params={**form, "id": "nd-s2-03"})
        assert star.json()["subsonic-response"]["error"]["code"] == 50
        assert open_client.get("/1/validate-token?token=").json()["valid"] is False


def joined(url: str, folder: Path) -> None:
    client = SubsonicClient(url, Credentials(USER, PASSWORD))
    scan_server(client, folder, ServerScanOptions(download=False))


def test_each_server_is_answered_in_its_own_ids_also_when_it_is_scanned_later(
    tmp_path: Path,
) -> None:
    folder = style_catalog(tmp_path / "catalog").path
    rows = Catalog.open(folder).tracks().to_pylist()
    servers = {"one": SubsonicStandIn(), "two": SubsonicStandIn()}
    for name, server in servers.items():
        for row in rows[: 72 if name == "two" else None]:
            artist = row["artists"][0]
            server.add(f"{name}-{row['track_id']}", title=row["title"], artist=artist)

    def ids(opened: Any, song: str) -> list[str]:
        told = ask(opened, "getSonicSimilarTracks", id=song, count=5)
        return [each["entry"]["id"] for each in told.get("sonicMatch", [])]

    with servers["one"].running() as first, servers["two"].running() as second:
        joined(first, folder)
        with client_of(folder, read_only=True) as opened:
            assert [song[:6] for song in ids(opened, "one-s1-00")] == ["one-s1"] * 5
            assert ids(opened, "two-s1-00") == []
            joined(second, folder)
            began = time.monotonic()
            while not ids(opened, "two-s1-00"):
                assert time.monotonic() - began < 60, "the scan is never seen"
                time.sleep(0.05)
            assert [song[:6] for song in ids(opened, "two-s1-00")] == ["two-s1"] * 5
            assert [song[:6] for song in ids(opened, "one-s4-00")] == ["one-s4"] * 5


def test_the_catalogs_own_ids_serve_where_no_server_was_scanned(tmp_path: Path) -> None:
    folder = style_catalog(tmp_path / "catalog").path
    with client_of(folder, read_only=True) as alone:
        told = ask(alone, "getSonicSimilarTracks", id="s2-03", count=3)["sonicMatch"]
        assert [style_of(each["entry"]["id"]) for each in told] == [2, 2, 2]
        track = Catalog.open(folder).track(told[0]["entry"]["id"])
        assert told[0]["entry"]["title"] == track["title"]
        assert len(alone.get("/api/similar_artists?artist=Artist 2 3").json()) == 10
