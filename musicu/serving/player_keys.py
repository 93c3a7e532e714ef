"""Keys of listeners for their players, made of the service's token: one a listener, none stored.

A key is the name and a signature, so that it tells who plays. The token itself does as well, for
the listener "me". A new token makes all keys void.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

#: Whose plays those with the token alone are.
ONLY_LISTENER = "me"


def player_key(user: str, token: str) -> str:
    """The key of a listener."""
    name = base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")
    return f"{name}.{_signature(user, token)}"


def key_user(key: str, token: str) -> str | None:
    """Whose key this is; None where it is nobody's."""
    if not token or not key:
        return None
    if _same(key, token):
        return ONLY_LISTENER
    name, _, _ = key.partition(".")
    try:
        user = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return user if user and _same(key, player_key(user, token)) else None


def knows_password(given: dict[str, str], user: str, token: str) -> bool:
    """Whether Subsonic parameters show a listener's key, or the token, as the password."""
    for secret in (player_key(user, token), token):
        if "t" in given:
            salted = hashlib.md5((secret + given.get("s", "")).encode(), usedforsecurity=False)
            shown, wanted = given["t"].lower(), salted.hexdigest()
        else:
            shown, wanted = _plain(given.get("p", "")), secret
        if token and _same(shown, wanted):
            return True
    return False


def _plain(password: str) -> str:
    """A password that may be hex-encoded."""
    if not password.startswith("enc:"):
        return password
    try:
        return bytes.fromhex(password[4:]).decode()
    except (ValueError, UnicodeDecodeError):
        return ""


def _signature(user: str, token: str) -> str:
    digest = hmac.new(token.encode(), f"player {user}".encode(), hashlib.sha256)
    return digest.hexdigest()[:32]


def _same(one: str, other: str) -> bool:
    """In constant time, of texts of any length."""
    digests = (hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in (one, other))
    return hmac.compare_digest(*digests)
