"""How a page or a playlist names a file on the disk."""

from __future__ import annotations

import ntpath
import os
import posixpath
from pathlib import Path, PurePath, PureWindowsPath
from urllib.parse import quote


def relative_path(file: PurePath, folder: PurePath) -> str | None:
    """A file's path as seen from a folder, with forward slashes; None from another drive.

    Both must be absolute. Links are not followed: neither does a browser.
    """
    flavour = ntpath if isinstance(file, PureWindowsPath) else posixpath
    try:
        found: str = flavour.relpath(str(file), str(folder))
    except ValueError:  # another drive, on Windows
        return None
    return found.replace("\\", "/") if flavour is ntpath else found


def file_url(file: PurePath, folder: PurePath | None = None) -> str:
    """A URL of a file: relative to a folder where it can be, else absolute ("file://…").

    Every byte that means something in a URL is escaped ("#", "?", "%", ":", blanks, bytes
    that are not UTF-8), so that a name can never become a scheme, a query or another host.
    """
    relative = None if folder is None else relative_path(file, folder)
    return file.as_uri() if relative is None else quote(os.fsencode(relative), safe="/")


def url_below(folder_url: str, path: str | bytes) -> str:
    """The URL of a file below a folder, from the folder's URL and the path with slashes."""
    return f"{folder_url.rstrip('/')}/{quote(os.fsencode(path), safe='/')}"


def absolute(path: Path) -> Path:
    """The path from the root, links left as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute() keeps ".."
