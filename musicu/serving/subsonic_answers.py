"""Answers of the Subsonic API 1.16.1, as XML, JSON or JSONP; errors come under status 200."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from fastapi import Response

from musicu import __version__

API_VERSION = "1.16.1"
_NAMESPACE = "http://subsonic.org/restapi"
_CALLBACK = re.compile(r"[A-Za-z_$][\w$.]{0,99}")
#: Characters that XML 1.0 cannot hold.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: What an attribute cannot hold as it is.
_SPECIAL = re.compile('[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]')

#: What can go wrong, by the API's numbers.
WRONG, MISSING, WRONG_PASSWORD, NO_SUCH_WAY, TWO_WAYS, WRONG_KEY, FORBIDDEN, NOT_FOUND = (
    *(0, 10, 40, 42, 43, 44, 50, 70),
)


class SubsonicRefusedError(Exception):
    """An error of the API; code: its number."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def subsonic_answer(form: Mapping[str, str], body: Mapping[str, Any]) -> Response:
    """A good answer, in the form that the request's parameters want."""
    return _response(form, "ok", body)


def subsonic_error(form: Mapping[str, str], error: SubsonicRefusedError) -> Response:
    """What went wrong, in that form."""
    return _response(form, "failed", {"error": {"code": error.code, "message": str(error)}})


def _response(form: Mapping[str, str], status: str, body: Mapping[str, Any]) -> Response:
    head = {
        "status": status,
        "version": API_VERSION,
        "type": "musicu",
        "serverVersion": __version__,
        "openSubsonic": True,
    }
    kind, callback = form.get("f", "xml"), form.get("callback", "")
    if kind in ("json", "jsonp"):
        text = json.dumps({"subsonic-response": {**head, **body}}, ensure_ascii=False)
        if kind == "jsonp" and _CALLBACK.fullmatch(callback):
            script = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
            return Response(f"{callback}({script});", media_type="application/javascript")
        return Response(text, media_type="application/json")
    whole = {"xmlns": _NAMESPACE, **head, **body}
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{_element("subsonic-response", whole)}'
    return Response(text, media_type="application/xml")


def _element(name: str, value: Any) -> str:
    """An element: members that are texts or numbers are attributes, others are elements in it."""
    if not isinstance(value, Mapping):
        return f"<{name}>{escape(_text(value))}</{name}>"
    attributes, inner = [], []
    for key, member in value.items():
        if isinstance(member, list | tuple):
            inner += [_element(key, each) for each in member]
        elif isinstance(member, Mapping):
            inner.append(_element(key, member))
        elif member is not None:
            attributes.append(f" {key}={_quoted(member)}")
    content = "".join(inner)
    head = f"<{name}{''.join(attributes)}"
    return f"{head}>{content}</{name}>" if content else f"{head}/>"


def _quoted(value: Any) -> str:
    """A value as an attribute's, quick where nothing has to be escaped."""
    text = value if isinstance(value, str) else _text(value)
    return quoteattr(_text(text)) if _SPECIAL.search(text) else f'"{text}"'


def _text(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return _NO_XML.sub("\ufffd", text)
