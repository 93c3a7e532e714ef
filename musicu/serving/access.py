"""Who may do what: the token, tickets of pages, and how often an address may ask."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict

from musicu.serving.player_keys import key_user

#: How long a page may tell what its listener does, in seconds.
TICKET_SECONDS = 24 * 3600
_ADDRESSES = 10_000  # whose requests are counted
_WRONG_TOKENS = 10  # a second of one address


class Access:
    """Checks what a request shows.

    token: that which lets a client write; with "" none does. A page that is served holds a ticket,
    which lets it tell what one listener does, and nothing else.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._secret = secrets.token_bytes(32)

    def is_writer(self, authorization: str) -> bool:
        """Whether a header has the token, in constant time."""
        shown = _bearer(authorization)
        same = hmac.compare_digest(_digest(shown), _digest(self._token))
        return same and bool(self._token)

    def is_player(self, authorization: str) -> bool:
        """Whether a header has a listener's key for players."""
        return key_user(_bearer(authorization), self._token) is not None

    def ticket(self, user: str) -> str:
        """A ticket for a listener, given by pseudonym."""
        until = int(time.time()) + TICKET_SECONDS
        return f"page.{user}.{until}.{self._signature(user, until)}"

    def ticket_user(self, authorization: str) -> str | None:
        """Whose ticket a header has; None where it has none that holds."""
        kind, _, rest = _bearer(authorization).partition(".")
        user, _, end = rest.partition(".")
        until, _, signature = end.partition(".")
        if kind != "page" or not (until.isascii() and until.isdigit()) or len(until) > 12:
            return None
        same = hmac.compare_digest(_digest(signature), _digest(self._signature(user, int(until))))
        return user if same and time.time() < int(until) else None

    def _signature(self, user: str, until: int) -> str:
        return hmac.new(self._secret, f"{user}.{until}".encode(), hashlib.sha256).hexdigest()


class RateLimit:
    """At most so many requests a second of each address, and twice as many at once."""

    def __init__(self, per_second: float) -> None:
        self._per_second, self._most = per_second, 2 * per_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admits(self, address: str) -> bool:
        """Whether an address may ask once more now."""
        now = time.monotonic()
        left, since = self._left.get(address, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        admitted = left >= 1
        self._left[address] = (left - admitted, now)
        self._left.move_to_end(address)
        if len(self._left) > _ADDRESSES:
            self._left.popitem(last=False)
        return admitted


def wrong_token_limit() -> RateLimit:
    """How often an address may try a token."""
    return RateLimit(_WRONG_TOKENS)


def _bearer(authorization: str) -> str:
    scheme, _, shown = authorization.partition(" ")
    if scheme.lower() == "token":  # as ListenBrainz has it
        return shown.strip()
    return shown.strip() if scheme.lower() == "bearer" else ""


def _digest(text: str) -> bytes:
    """Of one length whatever the text's, so that comparing tells nothing."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
