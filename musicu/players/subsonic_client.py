"""A client of the Subsonic API (1.16.1) and its OpenSubsonic extensions, over the standard library.

A password is never sent where a token will do: `t` is MD5(password + salt), with a salt of its own
for each request. Servers that keep no passwords, and so cannot check tokens, get it hex-encoded, as
the API has it, but only over HTTPS or to this computer.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from musicu.errors import PlayerError

API_VERSION = "1.16.1"
CLIENT = "musicu"

Record = dict[str, Any]
Parameters = Mapping[str, Any]

#: Codes of the API: a parameter is missing, names and passwords are wrong, tokens are not known.
_MISSING, _NOT_FOUND = 10, 70
_REFUSED = {40, 44, 50}
_NO_TOKENS = {41, 42}
_TRIES = 3
_PAUSE_SECONDS = 0.5


class ServerAnswerError(PlayerError):
    """What a server says that it cannot do; `code` is the API's number for it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks: a name with its password, or a key (the extension apiKeyAuthentication)."""

    user: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)


class SubsonicClient:
    """Calls of one server, for one of its users.

    url: where the server is, as players are told it, with or without "/rest". Raises PlayerError
    where that is no address.
    """

    def __init__(self, url: str, credentials: Credentials, timeout_seconds: float = 30.0) -> None:
        self.url = plain_url(url)
        self.credentials = credentials
        self._timeout = timeout_seconds
        self._plain = False  # whether the password goes in place of a token

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent: HTTPS, or this very computer."""
        parts = urlsplit(self.url)
        if parts.scheme == "https" or parts.hostname == "localhost":
            return True
        try:
            return ipaddress.ip_address(parts.hostname or "").is_loopback
        except ValueError:
            return False

    def call(self, name: str, parameters: Parameters | None = None) -> Record:
        """The members of an answer, without "status" and the like.

        A list as a parameter is sent as one of that name for each of its members. Raises
        PlayerError where the server cannot be reached, and ServerAnswerError where it refuses.
        """
        try:
            return self._asked(name, parameters or {})
        except ServerAnswerError as error:
            unsure = error.code == _MISSING and not self.credentials.api_key
            if self._plain or not (error.code in _NO_TOKENS or unsure):
                raise
            if not self.is_private:
                raise PlayerError(
                    f"{self.url} takes no tokens ({error}), and over HTTP the password could be "
                    "read on the way: use its HTTPS address, or a key in MUSICU_SUBSONIC_API_KEY"
                ) from error
        self._plain = True
        return self._asked(name, parameters or {})

    def download(self, song_id: str, to: Path) -> None:
        """Write a song's file, as it is on the server; raises as `call` does."""
        try:
            self._save("download", {"id": song_id}, to)
        except ServerAnswerError as error:
            if error.code != 50:  # this user may not download, but listen
                raise
            self._save("stream", {"id": song_id, "format": "raw"}, to)

    def user_name(self) -> str:
        """Who the server takes us for; of a key it is asked (tokenInfo)."""
        if self.credentials.user:
            return self.credentials.user
        try:
            told = self.call("tokenInfo").get("tokenInfo")
        except ServerAnswerError:
            return "me"
        return str(told.get("username") or "me") if isinstance(told, dict) else "me"

    def _asked(self, name: str, parameters: Parameters) -> Record:
        with self._opened(name, parameters) as answer:
            data = answer.read()
        return _answer(data, self.url, name)

    def _save(self, name: str, parameters: Parameters, to: Path) -> None:
        with self._opened(name, parameters) as answer:
            kind = answer.headers.get_content_type()
            if kind in ("application/json", "text/json", "text/xml", "application/xml"):
                _answer(answer.read(), self.url, name)
                raise PlayerError(f"{self.url} answered {name} with no file")
            with to.open("wb") as file:
                shutil.copyfileobj(answer, file, 1 << 20)

    @contextmanager
    def _opened(self, name: str, parameters: Parameters) -> Iterator[Any]:
        """The answer to a request, tried again where the line is bad."""
        query = urlencode([*self._who(), *_pairs(parameters)])
        request = Request(f"{self.url}/rest/{name}?{query}", headers={"User-Agent": CLIENT})
        try:
            with self._sent(request) as answer:
                yield answer
        except HTTPError as error:
            yield error  # the API's answers come under any status
        except (URLError, TimeoutError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise PlayerError(
                f"{self.url} cannot be reached ({reason}): check the address, and that the server "
                "runs"
            ) from error

    def _sent(self, request: Request) -> Any:
        for again in range(_TRIES):
            try:
                return urlopen(request, timeout=self._timeout)
            except HTTPError as error:
                if error.code not in (429, 502, 503) or again == _TRIES - 1:
                    raise
                error.close()
            except (URLError, TimeoutError, ConnectionError):
                if again == _TRIES - 1:
                    raise
            time.sleep(_PAUSE_SECONDS * (again + 1))
        raise AssertionError("the last try returns or raises")

    def _who(self) -> list[tuple[str, str]]:
        """The parameters that every request has."""
        given, common = self.credentials, [("v", API_VERSION), ("c", CLIENT), ("f", "json")]
        if given.api_key:
            return [("apiKey", given.api_key), *common]
        if self._plain:
            return [("u", given.user), ("p", f"enc:{given.password.encode().hex()}"), *common]
        salt = secrets.token_hex(8)
        token = hashlib.md5((given.password + salt).encode(), usedforsecurity=False).hexdigest()
        return [("u", given.user), ("t", token), ("s", salt), *common]


def plain_url(url: str) -> str:
    """An address without user, query and "/rest"; raises PlayerError where it is none."""
    text = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise PlayerError(f"{url!r} is no address ({error}): give http://host:port") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PlayerError(f"{url!r} is no address of a server: give http://host:port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/rest")
    return urlunsplit((parts.scheme, host + port, path, "", ""))


def listed(record: object, *names: str) -> list[Record]:
    """The records under some names, one within the other; servers leave out what is empty."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    if isinstance(record, dict):
        return [record]  # as servers do that make JSON of their XML
    return [one for one in record if isinstance(one, dict)] if isinstance(record, list) else []


def is_missing(error: ServerAnswerError) -> bool:
    """Whether what was asked about is not there."""
    return error.code == _NOT_FOUND


def _pairs(parameters: Parameters) -> Iterator[tuple[str, str]]:
    for name, value in parameters.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            yield name, str(one).lower() if isinstance(one, bool) else str(one)


def _answer(data: bytes, url: str, name: str) -> Record:
    try:
        found = json.loads(data)["subsonic-response"]
        status = found["status"]
    except (ValueError, KeyError, TypeError) as fault:
        raise PlayerError(
            f"{url} does not answer {name} as a Subsonic server does: check the address, which is "
            "that of the server itself, without a page's path"
        ) from fault
    if status != "ok":
        error = found.get("error")
        told: Record = error if isinstance(error, dict) else {}
        number = told.get("code")
        code = number if isinstance(number, int) else 0
        message = str(told.get("message") or f"error {code}")
        raise ServerAnswerError(_in_words(code, message, url), code)
    return dict(found)


def _in_words(code: int, message: str, url: str) -> str:
    if code == 50:
        return f"{url}: this user may not do that ({message})"
    if code in _REFUSED:
        return (
            f"{url} refuses the name, password or key ({message}): check MUSICU_SUBSONIC_USER and "
            "MUSICU_SUBSONIC_PASSWORD, or MUSICU_SUBSONIC_API_KEY"
        )
    return f"{url}: {message}"
