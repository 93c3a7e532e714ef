"""Pages that work offline, from the disk, and run nothing that a tag says.

A page holds its style and its script itself. Text is escaped by the template engine, and a
content security policy names the digests of the one style and the one script, so that nothing
else could run even so.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any


def render(folder: Path, name: str, values: dict[str, Any], media: str = "'none'") -> str:
    """The page of the templates `name`.html.jinja, `name`.css and, if there is one, `name`.js.

    values: for the template, which also gets `policy`, `style` and `script`. media: where sound
    may come from, in the words of a content security policy.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style = (folder / f"{name}.css").read_text(encoding="utf-8")
    file = folder / f"{name}.js"
    script = file.read_text(encoding="utf-8") if file.exists() else ""
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; media-src {media}; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    template = environment.get_template(f"{name}.html.jinja")
    ours = {"policy": policy, "style": Markup(style), "script": Markup(script)}  # no tag in them
    return template.render(**values, **ours)


def data(document: Any) -> str:
    """A value as JSON for `<script type="application/json">`, in which no tag can begin or end."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    """A content security policy's name for an inline style or script."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
