"""The calls of ListenBrainz that scrobblers make: any of them can be pointed here.

`POST /1/submit-listens` with the types single, playing_now and import, and `GET
/1/validate-token`; the header is `Authorization: Token KEY`, with a listener's key (see
`player_keys`). Listens are matched to the catalog as `musicu listens` does it; what fits no track
is taken and left out, as a scrobbler would send it again for ever.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from musicu.listening.importers.listenbrainz import listens_among
from musicu.listening.importers.raw import RecordError, number_in, object_in
from musicu.retrieval.matcher import TrackMatcher
from musicu.retrieval.mention import Mention
from musicu.serving.play_reports import StartedPlay, reported_play
from musicu.serving.player_desk import PlayerDesk, desk_of
from musicu.serving.player_keys import key_user, player_key
from musicu.serving.request_checks import checked_user, json_body, writing_service
from musicu.serving.service import Service

router = APIRouter(tags=["players"])

_TYPES = ("single", "playing_now", "import")
_MOST = 1_000  # listens of one request, as ListenBrainz has it
Desk = Annotated[PlayerDesk, Depends(desk_of)]


@router.get("/1/validate-token", summary="Whose key this is", response_model=None)
async def validate_token(desk: Desk, request: Request, token: str = "") -> dict[str, Any]:
    """Whether a key is a listener's, in the shape of ListenBrainz."""
    user = _listener(desk, request, token)
    if user is None:
        return {"code": 200, "message": "Token invalid.", "valid": False}
    return {"code": 200, "message": "Token valid.", "valid": True, "user_name": user}


@router.post("/1/submit-listens", summary="Take listens in", response_model=None)
async def submit_listens(desk: Desk, request: Request) -> JSONResponse:
    """Listens become plays, or skips where they say that they ended early."""
    user = _listener(desk, request)
    if user is None:
        raise HTTPException(401, "send the header `Authorization: Token KEY`")
    if desk.service.config.read_only:
        raise HTTPException(405, "this service is read-only: send it to the one that writes")
    document = await json_body(request)
    kind = document.get("listen_type") if isinstance(document, dict) else None
    listens = document.get("payload") if isinstance(document, dict) else None
    if kind not in _TYPES or not isinstance(listens, list) or not listens:
        raise HTTPException(400, f"give a listen_type of {', '.join(_TYPES)}, and a payload")
    if len(listens) > _MOST or (kind != "import" and len(listens) > 1):
        raise HTTPException(400, f"a payload has {_MOST:,} listens at most, of an import")
    events = await desk.service.compute(lambda: _events(desk, user, str(kind), listens))
    await desk.take(events)
    return JSONResponse({"status": "ok"})


@router.get("/player-keys/{user:path}", summary="A listener's key", response_model=None)
async def key_of(
    user: str, service: Annotated[Service, Depends(writing_service)]
) -> dict[str, str]:
    """The key of a listener for their players; the service's token must be shown."""
    name = checked_user(user)
    return {"user_id": name, "key": player_key(name, service.config.token)}


def _listener(desk: PlayerDesk, request: Request, shown: str = "") -> str | None:
    """Whose key the header, or the parameter, has."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    given = key.strip() if scheme.lower() in ("token", "bearer") else shown
    return key_user(given, desk.service.config.token)


def _events(
    desk: PlayerDesk, user: str, kind: str, listens: Sequence[object]
) -> list[dict[str, Any]]:
    matcher = desk.matcher()
    found: list[dict[str, Any]] = []
    for record in listens:
        play, heard_ms = _read(record, matcher, kind)
        if play is None:
            continue
        if kind != "import":
            found += desk.skips.start(user, play)
        if kind != "playing_now":
            found.append(reported_play(user, play, heard_ms))
        if heard_ms is not None:
            desk.skips.finish(user, play.track_id)
    return found


def _read(
    record: object, matcher: TrackMatcher, kind: str
) -> tuple[StartedPlay | None, float | None]:
    """The play that a listen tells of, and how many milliseconds were heard where it says so."""
    records = listens_among([record], [record])
    if records is None or not isinstance(record, Mapping):
        return None, None
    try:
        row = records.row(record)
    except RecordError:
        return None, None
    more = object_in(object_in(dict(record), "track_metadata"), "additional_info")
    length = number_in(more, "duration_ms")
    seconds = length / 1000 if length else number_in(more, "duration")
    match = matcher.find(
        Mention(
            title=row.get("title"),
            artists=(row["artist"],) if row.get("artist") else (),
            album=row.get("album"),
            isrc=row.get("isrc"),
            musicbrainz_recording_id=row.get("recording_mbid"),
            duration_seconds=seconds,
        )
    )
    at = number_in(dict(record), "listened_at") if kind != "playing_now" else time.time()
    if match.row < 0 or at is None:
        return None, None
    known = matcher.name(match.row).seconds
    heard = number_in(more, "duration_played")
    play = StartedPlay(matcher.ids[match.row].as_py(), at, known or seconds)
    return play, None if heard is None else 1000 * heard
