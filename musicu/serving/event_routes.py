"""Events: what listeners do arrives here."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from musicu.listening.feedback import OUTCOME_KINDS
from musicu.serving.request_checks import event_service, json_body
from musicu.serving.service import EventsTaken, Service

router = APIRouter(tags=["events"])

_EVENT = {
    "event_id": "01JX2V6T8Q",
    "user_id": "ann",
    "track_id": "8a1f0c2e9d3b4455",
    "kind": "played",
    "milliseconds": 184000,
    "at": "2026-05-21T08:00:00Z",
    "exposure_id": None,
}
_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["event_id", "user_id", "track_id", "kind", "at"],
        "properties": {
            "event_id": {"type": "string", "description": "Chosen by the client; counts once."},
            "user_id": {"type": "string"},
            "track_id": {"type": "string"},
            "kind": {"type": "string", "enum": list(OUTCOME_KINDS)},
            "milliseconds": {"type": ["integer", "null"], "description": "Listened."},
            "at": {"type": "string", "description": "ISO 8601, or seconds since 1970."},
            "exposure_id": {"type": ["string", "null"], "description": "Of the page it came from."},
        },
    },
}


@router.post(
    "/events",
    summary="Take events in",
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _SCHEMA, "example": [_EVENT]}},
        },
        "security": [{"token": []}],
    },
    responses={
        200: {"content": {"application/json": {"example": {"added": 1, "known": 0, "faults": []}}}},
        207: {"description": "Some events were wrong; all others are kept."},
        422: {"description": "Every event was wrong."},
        503: {"description": "The disk refuses; nothing was kept."},
    },
)
async def events(
    request: Request, allowed: Annotated[tuple[Service, str | None], Depends(event_service)]
) -> JSONResponse:
    """A JSON list of events. They are on the disk, once by `event_id`, before this answers."""
    service, user = allowed
    batch = await json_body(request)
    if not isinstance(batch, list):
        raise HTTPException(422, "give a JSON list of events")
    if len(batch) > service.config.batch_events:
        raise HTTPException(413, f"a batch has {service.config.batch_events:,} events at most")
    taken = await service.take_events(batch, user)
    return JSONResponse(_told(taken), _status(taken))


def _told(taken: EventsTaken) -> dict[str, Any]:
    faults = [
        {
            "index": fault.place,
            "status": 422,
            "field": fault.field.encode("ascii", "backslashreplace").decode(),
            "reason": fault.reason.encode("utf-8", "backslashreplace").decode(),
        }
        for fault in taken.faults
    ]
    return {"added": taken.added, "known": taken.known, "faults": faults}


def _status(taken: EventsTaken) -> int:
    if not taken.faults:
        return 200
    return 207 if taken.added + taken.known else 422
