"""A list of paths as a source, as it comes from a shell or another program."""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import unquote_to_bytes
from urllib.request import url2pathname

from musicu.errors import SourceError
from musicu.ingest.source_file import (
    SourceFile,
    derived_id,
    distinct,
    examine,
    relative_bytes,
    shown,
)
from musicu.object_store import is_object, object_path
from musicu.records import Failure

_FILE = re.compile(r"(?P<scheme>file:)(?P<host>//[^/]*(?=/))?", re.IGNORECASE)
_KINDS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
_BOM = "\ufeff"
_UTF8_BOM = codecs.BOM_UTF8
#: Letters with a NUL to each: UTF-16 without a mark, where a list parted by NULs has paths.
_UTF16 = re.compile(rb"(?:[^\0]\0){4}")


def split_paths(data: bytes) -> list[Path]:
    """Paths from standard input: NUL-separated (`find -print0`) if any NUL is there, else lines.

    Lines may end in any system's way. Byte order marks are taken off, also where lists were laid
    end to end, and UTF-16 (as PowerShell writes it) is understood, with or without its mark.
    Raises SourceError where text that says it is UTF-16 or UTF-32 is not.
    """
    text = _wide_text(data)
    if text is not None:
        names = text.split("\0") if "\0" in text else re.split(r"\r\n?|\n", text)
        return [Path(name.lstrip(_BOM)) for name in names if name.strip(_BOM + " \t")]
    if b"\0" in data:
        parts = data.split(b"\0")
    else:
        parts = re.split(rb"\r?\n" if b"\n" in data else rb"\r", data)
    parts = [part.removeprefix(_UTF8_BOM) for part in parts]
    return [Path(os.fsdecode(part)) for part in parts if part.strip()]


def _wide_text(data: bytes) -> str | None:
    """Text of two or four bytes a letter; None where it is of single bytes."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        encoding = "utf-32"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        if not _UTF16.search(data):
            return None
        encoding = "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"the list of paths looks like {encoding.upper()} and is not ({error.reason} at byte "
            f"{error.start}): write it as UTF-8"
        ) from None


def listed(paths: Iterable[str | Path], root: Path | None) -> Iterator[SourceFile | Failure]:
    """The files that a list names, each once, in its order.

    Relative paths are relative to the current directory. `root` is what ids are derived from;
    None: the current directory where all files lie beneath it, else their common parent.
    Raises SourceError where the list is empty.
    """
    files = list(dict.fromkeys(absolute(path, Path.cwd()) for path in paths))
    if not files:
        raise SourceError("the list names no files: pass at least one path")
    base = str(root) if root is not None else common_root(files, Path.cwd())
    names = relative_names(files, base)
    for file, name, id_name in zip(files, names, distinct_known(names), strict=True):
        if name is None or id_name is None:
            yield outside(file, base)
        else:
            yield examine(Path(file), name, id_name, base)


def absolute(path: str | Path, base: Path) -> str:
    """A path or file:// address as an absolute path without "..", links left as they are.

    Where nothing lies there as it is written, what other systems make of a name is tried: escapes
    of a URL, backslashes, accents stored apart or together; the first that is there, else the
    first of all.
    """
    if is_object(path):
        return object_path(path)
    forms = path_forms(str(path))
    whole = [os.path.normpath(base / _at_home(form)) for form in forms]
    if len(whole) == 1 or is_object(base):
        return whole[0]
    there = (one for one in whole if _exists(Path(one)))
    shown = whole[0]
    if os.sep == "/" and "\\" in shown:
        shown = os.path.normpath(base / _at_home(forms[0].replace("\\", "/")))
    return next(there, shown)


def path_forms(text: str) -> list[str]:
    """What a path may mean, as it is written first: see `absolute`.

    The host of a file:// address goes (RFC 8089), as programs write that of their own machine;
    on Windows it stays, as a network's share.
    """
    address = _FILE.match(text)
    if address and os.name == "nt":
        forms = [url2pathname(text[address.end("scheme") :])]
    elif address:
        rest = text[address.end() :]
        forms = [_unescaped(rest)]
        if not address["host"]:  # `Path` makes "file:/host/x" of "file://host/x"
            forms.append("/" + _unescaped(rest).lstrip("/").partition("/")[2])
    else:
        forms = [text, _unescaped(text)] if "%" in text else [text]
    if os.sep == "/":  # a list or table that was written on Windows
        forms += [form.replace("\\", "/") for form in forms if "\\" in form]
    forms += [unicodedata.normalize(kind, f) for f in forms if not f.isascii() for kind in _KINDS]
    return list(dict.fromkeys(forms))


def _unescaped(text: str) -> str:
    """Text without a URL's escapes; by bytes, as not every name is UTF-8."""
    try:
        return os.fsdecode(unquote_to_bytes(os.fsencode(text)))
    except UnicodeEncodeError:  # half of a letter
        return text


def _at_home(text: str) -> str:
    known = text == "~" or text.startswith(("~/", f"~{os.sep}"))
    return str(Path(text).expanduser()) if known else text


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # a name too long
        return False


def common_root(files: Sequence[str], home: Path) -> str:
    """`home` where all files lie beneath it, else the deepest folder that holds them all."""
    parents = {str(Path(file).parent) for file in files}
    if all(_beneath(parent, str(home)) for parent in parents):
        return str(home)
    try:
        return os.path.commonpath(parents)
    except ValueError:  # several drives
        return ""


def _beneath(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def relative_names(files: Sequence[str], root: str) -> list[bytes | None]:
    """Each file relative to the root, as bytes; None where it lies outside."""
    cut = len(root.rstrip(os.sep)) + 1 if root else 0
    return [
        relative_bytes(file[cut:]) if not root or _beneath(file, root) else None for file in files
    ]


def distinct_known(names: Sequence[bytes | None]) -> list[bytes | None]:
    """`distinct` over the names that are known."""
    forms = iter(distinct([name for name in names if name is not None]))
    return [None if name is None else next(forms) for name in names]


def outside(file: str, root: str, track_id: str | None = None) -> Failure:
    """The failure of a file that the root does not hold."""
    name = relative_bytes(file)
    reason = f"lies outside of the root {root}: choose a root that holds every file"
    return Failure(track_id or derived_id(name), shown(name), "scan", reason)
