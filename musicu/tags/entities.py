"""Text that was copied from web pages with its HTML entities: "Simon &amp; Garfunkel"."""

from __future__ import annotations

import html
import html.entities
import re

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")


def unescape(text: str) -> str:
    """The text with whole entities as characters, also where they were escaped twice.

    "AT&T" and what only looks like an entity stay. What stands for a control character, as "&#0;",
    becomes what HTML makes of it.
    """
    if "&" not in text:
        return text
    for _ in range(3):  # &amp;amp;amp;
        plain = _ENTITY.sub(lambda match: _character(match[0]), text)
        if plain == text:
            break
        text = plain
    return text


def _character(entity: str) -> str:
    """What an entity stands for; what is none stays, though HTML reads its beginning as one."""
    known = entity[1] == "#" or entity[1:] in html.entities.html5
    return html.unescape(entity) if known else entity
