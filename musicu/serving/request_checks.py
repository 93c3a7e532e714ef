"""What routes ask of a request: the service, the token, a body of JSON."""

from __future__ import annotations

import json
from typing import Any, cast

from fastapi import HTTPException, Request

from musicu.serving.service import Service


def service_of(request: Request) -> Service:
    """The service; 503 before it is ready."""
    service = cast("Service", request.app.state.service)
    if not service.is_ready:
        raise HTTPException(503, "the service is starting, or stopping: try again in a second")
    return service


async def ready_service(request: Request) -> Service:
    """The same for `Depends`, which has others than coroutines run in a thread of their own."""
    return service_of(request)


async def writing_service(request: Request) -> Service:
    """The service for a request that writes: 405 where it is read-only, 401 without the token."""
    service = _written(service_of(request))
    if not service.access.is_writer(request.headers.get("authorization", "")):
        raise HTTPException(
            401,
            "this writes: send the header `Authorization: Bearer TOKEN`",
            {"WWW-Authenticate": "Bearer"},
        )
    return service


async def event_service(request: Request) -> tuple[Service, str | None]:
    """The service for events, and whose alone they may be: a page's ticket does as well."""
    service = service_of(request)
    user = service.access.ticket_user(request.headers.get("authorization", ""))
    if user is not None:
        return _written(service), user
    return await writing_service(request), None


def _written(service: Service) -> Service:
    if service.config.read_only:
        raise HTTPException(405, "this service is read-only: send it to the one that writes")
    return service


async def json_body(request: Request) -> Any:
    """The body as JSON; 400 where it is none."""
    body = await request.body()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None


def checked_count(k: int, most: int = 1_000) -> int:
    """A number of results; 422 where it is none."""
    if not 1 <= k <= most:
        raise HTTPException(422, f"k is {k}: it goes from 1 to {most:,}")
    return k


def checked_user(user: str) -> str:
    """A listener's id as a client says it; 422 where it is none."""
    if not user or len(user) > 1024 or "\0" in user:
        raise HTTPException(422, "user is a text of 1 to 1,024 letters")
    return user
