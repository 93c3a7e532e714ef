"""What stands around every request: limits on it, headers on the answer, a line in the log."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from musicu.serving.access import RateLimit, wrong_token_limit
from musicu.serving.service import Service

_LOG = logging.getLogger("musicu.requests")
_UPLOAD_ROUTE = "/tracks"
_GONE = 499  # in the log: whoever asked has left
_FORM_BYTES = 65_536  # around the file of an upload
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
}


class RefusedBodyError(Exception):
    """A body that is too large, or comes too slowly; status: of the answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class RequestGuard:
    """The outermost layer: nothing that goes wrong inside shows more than its name."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._limit = RateLimit(service.config.requests_per_second)
        self._wrong_tokens = wrong_token_limit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        began = time.perf_counter()
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(scope, headers)
        if refused is not None:
            await answer.refuse(*refused)
        else:
            await self._answered(scope, _Body(receive, scope, self._service), answer)
        self._note(scope, answer, time.perf_counter() - began)

    async def _answered(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        try:
            await self._app(scope, body, answer)
        except RefusedBodyError as error:
            await answer.refuse(error.status, str(error))
        except ClientDisconnect:
            answer.status = answer.status or _GONE
        except Exception:  # noqa: BLE001 - told in the log, and to nobody else
            _LOG.exception("a request failed", extra={"request": answer.number})
            await answer.refuse(500, f"something went wrong; the log has it as {answer.number}")

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        """Why a request is not even looked at."""
        config, access = self._service.config, self._service.access
        name = headers.get(b"host", "").rsplit("@")[-1]
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        allowed = config.allowed_hosts
        if allowed and name.lower() not in allowed:
            return 403, "this service is not called by that name"
        address = (scope.get("client") or ("", 0))[0]
        authorization = headers.get(b"authorization", "")
        if authorization and not access.is_writer(authorization):
            known = access.ticket_user(authorization) or access.is_player(authorization)
            if not known and not self._wrong_tokens.admits(address):
                return 429, "too many wrong tokens: wait a second"
        if not access.is_writer(authorization) and not self._limit.admits(address):
            return 429, "too many requests: wait a second"
        length = headers.get(b"content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return 400, "the header Content-Length is no number"
        if len(length) > 18 or int(length) > _most_bytes(scope, self._service):
            return (
                413,
                f"the body is too large: {_most_bytes(scope, self._service):,} bytes at most",
            )
        return None

    def _note(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        """Count the request, and log it without what it was about."""
        route = getattr(scope.get("route"), "path_format", "other")
        metrics = self._service.metrics
        metrics.requests.labels(route, _method(scope), str(answer.status)).inc()
        metrics.seconds.labels(route).observe(seconds)
        if not route.startswith("/live"):
            self._service.last_hour.note_request(route, answer.status, seconds)
        about = {
            "request": answer.number,
            "route": route,
            "method": _method(scope),
            "status": answer.status,
            "milliseconds": round(1000 * seconds, 2),
        }
        _LOG.info("request", extra=about)


class _Body:
    """Receives a request's body, no more of it than is allowed, and no longer."""

    def __init__(self, receive: Receive, scope: Scope, service: Service) -> None:
        self._receive, self._left = receive, _most_bytes(scope, service)
        self._until = time.monotonic() + service.config.upload_seconds
        self._done = False

    async def __call__(self) -> Message:
        if self._done:
            return await self._receive()
        try:
            seconds = self._until - time.monotonic()
            message = await asyncio.wait_for(self._receive(), max(0.0, seconds))
        except asyncio.TimeoutError:
            raise RefusedBodyError(408, "the request took too long to arrive") from None
        self._left -= len(message.get("body", b""))
        self._done = not message.get("more_body", False)
        if self._left < 0:
            raise RefusedBodyError(413, "the body is too large")
        return message


class _Answer:
    """Sends an answer, with the headers that every answer has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.number = secrets.token_hex(6)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = {name for name, _ in message["headers"]}
            more = [(name, value) for name, value in _HEADERS.items() if name not in given]
            own = [(b"x-request-id", self.number.encode())]
            message = {**message, "headers": [*message["headers"], *more, *own]}
        await self._send(message)

    async def refuse(self, status: int, text: str) -> None:
        """Answer with an error, unless an answer has begun."""
        if self.status:
            return
        body = json.dumps({"error": text}).encode()
        headers: list[Any] = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        if status in (413, 408):
            headers.append((b"connection", b"close"))
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _most_bytes(scope: Scope, service: Service) -> int:
    config = service.config
    is_upload = scope["path"] == _UPLOAD_ROUTE
    return config.upload_bytes + _FORM_BYTES if is_upload else config.body_bytes


def _method(scope: Scope) -> str:
    """The method, as far as it is one: a client may send any word, and each would be kept."""
    known = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")
    return scope["method"] if scope["method"] in known else "other"
