"""OpenSubsonic calls that answer in the ids of the player's own server.

What is like a song (the extension sonicSimilarity, getSimilarSongs2), and what listeners do:
scrobble, star, reportPlayback. A listener's password is their key (see `player_keys`), shown as a
token, a password or the parameter apiKey; a service without a token answers questions to anybody,
and takes no reports.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response

from musicu.errors import QueryError
from musicu.serving.play_reports import StartedPlay, event_of, reported_play
from musicu.serving.player_desk import LikeTrack, PlayerDesk, desk_of, each_song_once
from musicu.serving.player_keys import ONLY_LISTENER, key_user, knows_password
from musicu.serving.player_songs import PlayerSongs
from musicu.serving.subsonic_answers import (
    FORBIDDEN,
    MISSING,
    NOT_FOUND,
    TWO_WAYS,
    WRONG,
    WRONG_KEY,
    WRONG_PASSWORD,
    SubsonicRefusedError,
    subsonic_answer,
    subsonic_error,
)

router = APIRouter(prefix="/rest", tags=["players"], include_in_schema=False)

EXTENSIONS = {
    "apiKeyAuthentication": [1],
    "formPost": [1],
    "playbackReport": [1],
    "sonicSimilarity": [1],
}
_MOST = 500  # songs of an answer
_OPEN = ("getOpenSubsonicExtensions",)  # asked before a client knows how to say who it is
_READS = frozenset(
    ("ping", "getLicense", "tokenInfo", "getSonicSimilarTracks", "findSonicPath")
) | frozenset(("getSimilarSongs", "getSimilarSongs2", *_OPEN))

Form = dict[str, list[str]]
Body = dict[str, Any]


@router.api_route("/{call}", methods=["GET", "POST"])
async def subsonic(call: str, request: Request) -> Response:
    """One call; its name may end in ".view"."""
    form = await _form(request)
    first = {name: values[0] for name, values in form.items()}
    name = call.removesuffix(".view")
    try:
        work = _CALLS.get(name)
        if work is None:
            raise SubsonicRefusedError(WRONG, f"there is no {name!r} here: ask the music server")
        desk = desk_of(request)
        address = request.client.host if request.client else ""
        user = "" if name in _OPEN else _listener(desk, first, address, name in _READS)
        return subsonic_answer(first, await work(desk, user, form))
    except SubsonicRefusedError as error:
        return subsonic_error(first, error)
    except QueryError as error:
        return subsonic_error(first, SubsonicRefusedError(NOT_FOUND, str(error)))


async def _form(request: Request) -> Form:
    """The parameters of the address, and of a form that was sent."""
    found = parse_qs(request.url.query, keep_blank_values=True)
    kind = request.headers.get("content-type", "").partition(";")[0]
    if request.method == "POST" and kind == "application/x-www-form-urlencoded":
        body = (await request.body()).decode("utf-8", "replace")
        for name, values in parse_qs(body, keep_blank_values=True).items():
            found[name] = [*found.get(name, []), *values]
    return found


def _listener(desk: PlayerDesk, given: dict[str, str], address: str, reads: bool) -> str:
    """Who asks; raises SubsonicRefusedError where they do not show it."""
    token = desk.service.config.token
    if "apiKey" in given and "u" in given:
        raise SubsonicRefusedError(TWO_WAYS, "give apiKey or u, not both")
    if not token:
        if not reads:
            raise SubsonicRefusedError(FORBIDDEN, "this service takes no reports: it has no token")
        return given.get("u") or ONLY_LISTENER
    if "apiKey" in given:
        user = key_user(given["apiKey"], token)
    elif "u" in given and ("t" in given or "p" in given):
        user = given["u"] if knows_password(given, given["u"], token) else None
    else:
        raise SubsonicRefusedError(MISSING, "u with t and s, u with p, or apiKey is missing")
    if user:
        return user
    if not desk.wrong_passwords.admits(address):
        raise SubsonicRefusedError(WRONG_PASSWORD, "too many wrong passwords: wait a second")
    if "apiKey" in given:
        raise SubsonicRefusedError(WRONG_KEY, "the key is wrong")
    raise SubsonicRefusedError(WRONG_PASSWORD, "the name or password is wrong")


async def _ping(desk: PlayerDesk, user: str, form: Form) -> Body:
    return {}


async def _license(desk: PlayerDesk, user: str, form: Form) -> Body:
    return {"license": {"valid": True}}


async def _token_info(desk: PlayerDesk, user: str, form: Form) -> Body:
    return {"tokenInfo": {"username": user}}


async def _extensions(desk: PlayerDesk, user: str, form: Form) -> Body:
    told = [{"name": name, "versions": versions} for name, versions in EXTENSIONS.items()]
    return {"openSubsonicExtensions": told}


async def _sonic_similar(desk: PlayerDesk, user: str, form: Form) -> Body:
    player, track = _known(desk, _one(form, "id"))
    count = _count(form, 10)
    near = await desk.service.compute(lambda: desk.near_children(player, track, count))
    return {"sonicMatch": [{"entry": child, "similarity": like} for child, like in near]}


async def _sonic_path(desk: PlayerDesk, user: str, form: Form) -> Body:
    player, start = _known(desk, _one(form, "startSongId"))
    _, end = _known(desk, _one(form, "endSongId"))
    count = _count(form, 25)
    steps = await desk.service.compute(lambda: desk.path(player, (start, end), count))
    return {"sonicMatch": [_match(player, each) for each in steps]}


async def _similar_songs(desk: PlayerDesk, user: str, form: Form) -> Body:
    return {"similarSongs": await _songs_like(desk, form)}


async def _similar_songs2(desk: PlayerDesk, user: str, form: Form) -> Body:
    return {"similarSongs2": await _songs_like(desk, form)}


async def _songs_like(desk: PlayerDesk, form: Form) -> Body:
    """Songs like a song, or like those of an album or artist, in turn; each song once."""
    item, count = _one(form, "id"), _count(form, 50)
    player, tracks = desk.songs.of_anything(item)
    generation = desk.service.generation
    seeds = [track for track in tracks if generation.vector(track) is not None][:10]
    if not seeds:
        raise SubsonicRefusedError(NOT_FOUND, "there is no such song, album or artist here")

    def work() -> list[LikeTrack]:
        lists = [desk.near(player, seed, count) for seed in seeds]
        turns = [each for turn in zip(*lists, strict=False) for each in turn]
        own = {track for track in tracks if len(tracks) > 1}
        others = [each for each in turns if each.row["track_id"] not in own]
        return list(each_song_once(others, generation.row(seeds[0])))[:count]

    near = await desk.service.compute(work)
    return {"song": [player.child(each.row) for each in near]}


async def _scrobble(desk: PlayerDesk, user: str, form: Form) -> Body:
    """Plays, or with submission=false the start of one."""
    ids, times = form.get("id", []), form.get("time", [])
    if not ids:
        raise SubsonicRefusedError(MISSING, "id is missing")
    is_play = form.get("submission", ["true"])[0].lower() != "false"
    events: list[Body] = []
    for number, item in enumerate(ids):
        _, track = _known(desk, item)
        at = _moment(times[number]) if number < len(times) else time.time()
        play = StartedPlay(track, at, desk.seconds(track))
        if is_play:
            desk.skips.finish(user, track)
            events.append(reported_play(user, play, None))
        else:
            events += desk.skips.start(user, play)
    return await _take(desk, events)


async def _playback(desk: PlayerDesk, user: str, form: Form) -> Body:
    """The extension playbackReport: a play that was stopped was heard, or left early."""
    _, track = _known(desk, _one(form, "mediaId"))
    state, position = _one(form, "state"), _number(form.get("positionMs", ["0"])[0])
    play = StartedPlay(track, time.time() - position / 1000, desk.seconds(track))
    if state == "stopped":
        desk.skips.finish(user, track)
        return await _take(desk, [reported_play(user, play, position)])
    events = desk.skips.start(user, play) if state == "starting" else []
    return await _take(desk, events)


async def _star(desk: PlayerDesk, user: str, form: Form) -> Body:
    return await _keep(desk, user, form, "saved")


async def _unstar(desk: PlayerDesk, user: str, form: Form) -> Body:
    return await _keep(desk, user, form, "unsaved")


async def _keep(desk: PlayerDesk, user: str, form: Form, kind: str) -> Body:
    """Songs that are starred or not; those of an album or artist say nothing of each song."""
    tracks = [_known(desk, item)[1] for item in form.get("id", [])]
    if not tracks and not form.get("albumId") and not form.get("artistId"):
        raise SubsonicRefusedError(MISSING, "id is missing")
    return await _take(desk, [event_of(user, track, kind, time.time()) for track in tracks])


async def _take(desk: PlayerDesk, events: list[Body]) -> Body:
    if desk.service.config.read_only:
        raise SubsonicRefusedError(FORBIDDEN, "this service is read-only")
    await desk.take(events)
    return {}


def _known(desk: PlayerDesk, item: str) -> tuple[PlayerSongs, str]:
    player, track = desk.songs.of_song(item)
    if not player.tracks and desk.service.generation.row(track) is None:
        raise SubsonicRefusedError(NOT_FOUND, "there is no such song here")
    return player, track


def _match(player: PlayerSongs, like: LikeTrack) -> Body:
    return {"entry": player.child(like.row), "similarity": like.similarity}


def _one(form: Form, name: str) -> str:
    value = form.get(name, [""])[0]
    if not value:
        raise SubsonicRefusedError(MISSING, f"{name} is missing")
    return value


def _count(form: Form, usual: int) -> int:
    count = _number(form.get("count", [str(usual)])[0])
    return int(min(max(1, count), _MOST))


def _number(text: str) -> float:
    try:
        return float(int(text))
    except ValueError:
        raise SubsonicRefusedError(WRONG, f"{text!r} is no number") from None


def _moment(text: str) -> float:
    """Milliseconds since 1970, as seconds."""
    return _number(text) / 1000


_CALLS: dict[str, Callable[[PlayerDesk, str, Form], Awaitable[Body]]] = {
    "ping": _ping,
    "getLicense": _license,
    "tokenInfo": _token_info,
    "getOpenSubsonicExtensions": _extensions,
    "getSonicSimilarTracks": _sonic_similar,
    "findSonicPath": _sonic_path,
    "getSimilarSongs": _similar_songs,
    "getSimilarSongs2": _similar_songs2,
    "scrobble": _scrobble,
    "reportPlayback": _playback,
    "star": _star,
    "unstar": _unstar,
}
