"""A folder of an object store as a source, by the rules of `folder.walk`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from musicu.errors import SourceError
from musicu.ingest.folder import AUDIO_SUFFIXES, is_audio_name
from musicu.ingest.source_file import SourceFile, SourceNotes, derived_id, distinct, shown
from musicu.ingest.system_names import is_appledouble, is_system_folder
from musicu.object_store import StoredObject, find_objects, object_url
from musicu.records import Failure


def walk_objects(
    folder: Path, root: Path | None = None, notes: SourceNotes | None = None
) -> Iterator[SourceFile | Failure]:
    """Every audio file below a folder of an object store, one folder after the other.

    Ids, and what is left out, are those of the same files on a disk. Raises SourceError where the
    folder cannot be listed or holds no audio, or the root does not hold the folder.
    """
    notes = SourceNotes() if notes is None else notes
    base = (folder if root is None else root).as_posix()
    if folder.as_posix() != base and not folder.as_posix().startswith(base.rstrip("/") + "/"):
        raise SourceError(f"{object_url(folder)} lies outside of the root {base}")
    found = False
    for name, objects in sorted(_by_folder(folder, base).items()):
        own = _system_folder(name)
        if own is not None:
            _leave_out(notes, own, Path(base, own), len(objects))
            continue
        for item in _files(objects, base, notes):
            found = True
            yield item
    if not found:
        raise SourceError(
            f"no audio files in {object_url(folder)}: looked for {' '.join(sorted(AUDIO_SUFFIXES))}"
        )


def _by_folder(folder: Path, base: str) -> dict[bytes, list[StoredObject]]:
    """The objects of each folder, by the bytes of its name below the root."""
    folders: defaultdict[bytes, list[StoredObject]] = defaultdict(list)
    try:
        for stored in find_objects(folder):
            folders[_below(stored.path.parent, base)].append(stored)
    except FileNotFoundError:
        raise SourceError(f"no such folder: {object_url(folder)}") from None
    return folders


def _files(
    objects: list[StoredObject], base: str, notes: SourceNotes
) -> Iterator[SourceFile | Failure]:
    """The audio files of one folder."""
    beside = {stored.path.name for stored in objects}
    kept = []
    for stored in sorted(objects, key=lambda one: one.path.name.encode()):
        name = stored.path.name
        if not is_audio_name(name):
            continue
        if is_appledouble(stored.path, beside):
            notes.left_out["._*"] += 1
        else:
            kept.append(stored)
    names = [_below(stored.path, base) for stored in kept]
    for stored, whole, id_name in zip(kept, names, distinct(names), strict=True):
        yield _file(stored, base, whole, id_name)


def _file(stored: StoredObject, base: str, name: bytes, id_name: bytes) -> SourceFile | Failure:
    size, modified = stored.size_bytes, stored.modified_ns
    if not size:
        return Failure(derived_id(id_name), shown(name), "scan", "is an empty object")
    return SourceFile(derived_id(id_name), base, shown(name), None, stored.path, size, modified)


def _system_folder(name: bytes) -> str | None:
    """The first folder of a name that is a system's own."""
    path = PurePosixPath(name.decode())
    for above in (*reversed(path.parents), path):
        if above.name and is_system_folder(Path(above)):
            return above.as_posix()
    return None


def _leave_out(notes: SourceNotes, name: str, path: Path, count: int) -> None:
    if str(path) not in notes.own_folders and count:
        notes.left_out[PurePosixPath(name).name] += 1
        notes.own_folders.add(str(path))


def _below(path: Path, base: str) -> bytes:
    """A path below the root."""
    return path.as_posix()[len(base.rstrip("/")) :].lstrip("/").encode()
