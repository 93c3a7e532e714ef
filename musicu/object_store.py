"""Files on object stores (S3, Google Cloud Storage, Azure), read through fsspec.

A URL "s3://bucket/a.flac" and the path "s3:/bucket/a.flac" that `Path` makes of it mean the same
object, so that an object goes wherever a path goes; whoever opens it asks `local_file` first.
Credentials and endpoints are those of fsspec and its packages (AWS_PROFILE, AWS_ENDPOINT_URL, …).
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from musicu.errors import MissingExtraError, SourceError

#: What is taken for an object store; "memory" is fsspec's own, in this process, for trying out.
SCHEMES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory")
CACHE_FOLDER = "MUSICU_OBJECT_CACHE"
CACHE_MEGABYTES = "MUSICU_OBJECT_CACHE_MB"
_OBJECT = re.compile(rf"({'|'.join(SCHEMES)}):[/\\]+(?=[^/\\])")
_MEGABYTES = 4096
_CHANGED = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
_TRIES = 3


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: its path, size, when it was written (ns since 1970), and its version or ETag."""

    path: Path
    size_bytes: int
    modified_ns: int
    version: str


def object_url(path: str | Path) -> str | None:
    """The URL of an object; None for a path on the disk."""
    text = path.as_posix() if isinstance(path, Path) else path
    found = _OBJECT.match(text)
    return f"{found[1]}://{text[found.end() :].rstrip('/')}" if found else None


def is_object(path: str | Path) -> bool:
    """Whether a URL or path means an object or folder of an object store."""
    return object_url(path) is not None


def object_path(url: str | Path) -> str:
    """The path, "s3:/bucket/a.flac", that stands for a URL."""
    return Path(object_url(url) or url).as_posix()


def find_objects(folder: str | Path) -> Iterator[StoredObject]:
    """Every object below a folder; raises SourceError where it cannot be listed."""
    url = _url(folder)
    with _plain(url):
        found = _system(url).find(_inner(url), detail=True)
    scheme = url.partition("://")[0]
    for name, info in found.items():
        yield _stored(Path(f"{scheme}:/{str(name).lstrip('/')}"), info)


def look_at_object(path: str | Path) -> StoredObject:
    """One object; raises FileNotFoundError where there is none, SourceError where nobody knows."""
    url = _url(path)
    with _plain(url):
        info = _system(url).info(_inner(url))
    if info.get("type") == "directory":
        raise FileNotFoundError(2, "no such object", url)
    return _stored(Path(object_path(url)), info)


def read_object(path: str | Path, most: int | None = None) -> bytes:
    """An object's bytes, or the first of them; raises as `look_at_object` does."""
    url = _url(path)
    with _plain(url):
        data: bytes = _system(url).cat_file(_inner(url), start=0 if most else None, end=most)
        return data


def write_object(path: str | Path, source: Path | bytes) -> None:
    """Put a file or bytes at an object's place, in one step; raises SourceError."""
    url = _url(path)
    with _plain(url):
        if isinstance(source, bytes):
            _system(url).pipe_file(_inner(url), source)
        else:
            _system(url).put_file(str(source), _inner(url))


def fetch_object(path: str | Path, target: Path) -> None:
    """Copy an object to a new file; raises as `look_at_object` does."""
    url = _url(path)
    with _plain(url):
        _system(url).get_file(_inner(url), str(target))


def remove_object(path: str | Path) -> None:
    """Remove an object, where it is there."""
    url = _url(path)
    with _plain(url), suppress(FileNotFoundError):
        _system(url).rm_file(_inner(url))


@contextmanager
def local_file(path: Path) -> Iterator[Path]:
    """A path to open for a path of either kind: an object is copied to this computer first.

    Copies are kept below `MUSICU_OBJECT_CACHE` (default: in the folder for temporary files) up to
    `MUSICU_OBJECT_CACHE_MB` megabytes, 4,096; those used longest ago go first. What is lent out
    stays until it is given back. Raises FileNotFoundError and SourceError.
    """
    if not is_object(path):
        yield path
        return
    for tried in range(_TRIES):
        try:
            stored = look_at_object(path)
            held = _held(stored)
            break
        except SourceError:
            if tried == _TRIES - 1:
                raise
    with tempfile.TemporaryDirectory(dir=held.parent, prefix="lent-") as room:
        lent = Path(room, "object" + path.suffix)
        try:
            os.link(held, lent)  # it stays though another process makes room
        except OSError:
            fetch_object(path, lent)
        yield lent


def _held(stored: StoredObject) -> Path:
    """An object's copy in the cache."""
    folder = Path(
        os.environ.get(CACHE_FOLDER) or Path(tempfile.gettempdir(), f"musicu-objects-{_user()}")
    )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    said = f"{object_url(stored.path)}\0{stored.size_bytes}\0{stored.modified_ns}\0{stored.version}"
    held = folder / f"{hashlib.blake2b(said.encode(), digest_size=16).hexdigest()}.object"
    try:
        os.utime(held)
        return held
    except FileNotFoundError:
        pass
    _make_room(folder, stored.size_bytes)
    descriptor, name = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(descriptor)
    part = Path(name)
    try:
        fetch_object(stored.path, part)
        part.replace(held)
    finally:
        part.unlink(missing_ok=True)
    return held


def _make_room(folder: Path, size: int) -> None:
    """Remove the copies used longest ago, so that one more is within the limit."""
    most = float(os.environ.get(CACHE_MEGABYTES) or _MEGABYTES) * 1e6
    copies = []
    for file in folder.glob("*.object"):
        with suppress(FileNotFoundError):
            status = file.stat()
            copies.append((status.st_mtime_ns, status.st_size, file))
    total = size + sum(one[1] for one in copies)
    for _, gained, file in sorted(copies):
        if total <= most:
            return
        file.unlink(missing_ok=True)
        total -= gained


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")


def _stored(path: Path, info: dict[str, Any]) -> StoredObject:
    changed = next((info[name] for name in _CHANGED if info.get(name) is not None), 0)
    version = info.get("ETag") or info.get("etag") or info.get("md5Hash") or ""
    return StoredObject(path, int(info.get("size") or 0), _nanoseconds(changed), str(version))


def _nanoseconds(told: Any) -> int:
    """A moment as fsspec's packages tell it."""
    if isinstance(told, str):
        told = datetime.fromisoformat(told.replace("Z", "+00:00"))
    if isinstance(told, datetime):
        whole = told if told.tzinfo else told.replace(tzinfo=timezone.utc)
        return round(whole.timestamp() * 1e6) * 1000
    return round(float(told) * 1e6) * 1000


def _url(path: str | Path) -> str:
    url = object_url(path)
    if url is None:
        raise SourceError(f"{path} is no address of an object store: {', '.join(SCHEMES)}://…")
    return url


def _inner(url: str) -> str:
    """What a file system of fsspec calls a URL."""
    scheme, _, name = url.partition("://")
    return f"/{name}" if scheme == "memory" else name


@cache
def _of_scheme(scheme: str, process: int) -> Any:
    try:
        import fsspec

        return fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError:
        raise MissingExtraError(f"{scheme}://", "cloud") from None


def _system(url: str) -> Any:
    """The file system of a URL; each process has its own, as their threads survive no fork."""
    return _of_scheme(url.partition("://")[0], os.getpid())


@contextmanager
def _plain(url: str) -> Iterator[None]:
    """What packages raise as FileNotFoundError, or as SourceError with its reason."""
    try:
        yield
    except (FileNotFoundError, MissingExtraError):
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise SourceError(f"{url} cannot be reached: {reason}") from error
