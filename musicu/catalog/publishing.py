"""A catalog on an object store: pushed and pulled as whole generations.

A catalog is worked on in a folder, as its commits replace files in one step and hold a lock. The
store has each file under the digest of its bytes, and `generation.json`, which lists them and is
written last: it is the commit, and who reads it finds the files of one state. Files that no
generation lists any more are removed by the push after the next, so that a pull that is under way
ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from musicu.catalog.files import TEMPORARY_SUFFIX, plain_errors, write_atomically
from musicu.catalog.lock import write_lock
from musicu.catalog.manifest import NAME
from musicu.catalog.store import Store
from musicu.errors import CatalogError, SourceError
from musicu.object_store import (
    fetch_object,
    find_objects,
    object_url,
    read_object,
    remove_object,
    write_object,
)
from musicu.progress import tell

GENERATION = "generation.json"
#: In the folder: the generation that it was pushed to or pulled from last.
REMEMBERED = ".generation.json"
#: In the folder while it is pulled to: the files of the state before and of the one that comes.
_PULLING = ".pulling.json"
_FORMAT = 1
#: What goes with the tables. What is of listeners (feedback, players, uploads) stays, and indexes,
#: which `musicu index` builds from the vectors.
_ROOMS = ("models",)
_FILES = "files"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a push or pull did: files and bytes copied, files that were there already."""

    copied: int
    known: int
    bytes_copied: int
    removed: int


@dataclass(frozen=True, slots=True)
class _Generation:
    """The files of one state, by their name: digest and size. before: files of the one before."""

    files: dict[str, tuple[str, int]]
    before: tuple[str, ...] = ()

    def text(self) -> bytes:
        files = {name: list(told) for name, told in sorted(self.files.items())}
        said = {"format": _FORMAT, "files": files, "before": sorted(self.before)}
        return (json.dumps(said, indent=1) + "\n").encode()

    @property
    def digest(self) -> str:
        """Of its files, whatever was before."""
        return hashlib.blake2b(_Generation(self.files).text(), digest_size=16).hexdigest()

    @property
    def digests(self) -> set[str]:
        return {digest for digest, _ in self.files.values()}


def push_catalog(folder: str | Path, url: str | Path, *, force: bool = False) -> Transfer:
    """Publish a catalog's present state at an address such as "s3://bucket/catalog".

    Only what the store lacks is copied. Tables and models go; exposures, outcomes and
    whatever else is of listeners stay, as indexes do. force: also where the
    store has a state that this folder has not seen. Raises CatalogError and SourceError.
    """
    folder, address = Path(folder), _address(url)
    with plain_errors(folder), write_lock(folder):
        store = Store.open(folder)
        there = _published(address)
        if there is not None and not force and there.digest not in _seen(folder, address):
            raise CatalogError(
                f"{address} holds a state that {folder} was not made from, and would be lost: "
                "pull it into another folder, or push with --force"
            )
        files = {name: _digest(folder / name) for name in _names(store)}
        here = _Generation(files, tuple(there.digests) if there else ())
        return _pushed(folder, address, here, there)


def _pushed(folder: Path, address: str, here: _Generation, there: _Generation | None) -> Transfer:
    held = {stored.path.name for stored in _objects(address)}
    missing = {digest: name for name, (digest, _) in here.files.items() if digest not in held}
    size = 0
    for done, (digest, name) in enumerate(sorted(missing.items())):
        tell(f"pushing {done + 1} of {len(missing)} files")
        write_object(f"{address}/{_FILES}/{digest}", folder / name)
        size += here.files[name][1]
    if there is None or there.digest != here.digest:
        write_object(f"{address}/{GENERATION}", here.text())
    keep = here.digests | set(here.before)
    old = held - keep
    for digest in sorted(old):
        remove_object(f"{address}/{_FILES}/{digest}")
    _remember(folder, address, here)
    return Transfer(len(missing), len(here.files) - len(missing), size, len(old))


def pull_catalog(url: str | Path, folder: str | Path, *, force: bool = False) -> Transfer:
    """Bring a folder to the state that was pushed to an address; a new folder is made.

    Only what differs is copied; every file is checked against its digest, and the manifest is
    replaced last. force: also where the folder has been changed since it was pulled or pushed.
    Raises CatalogError and SourceError.
    """
    folder, address = Path(folder), _address(url)
    there = _published(address)
    if there is None:
        raise CatalogError(f"{address} has no catalog: push one with `musicu push CATALOG ADDRESS`")
    with plain_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with plain_errors(folder), write_lock(folder):
        known = _present(folder, address, force)
        said = json.dumps({"states": [list(known.items()), list(there.files.items())]})
        write_atomically(folder / _PULLING, lambda one: one.write_text(said, encoding="utf-8"))
        done = _pulled(folder, address, there, known)
        (folder / _PULLING).unlink()
        return done


def _pulled(
    folder: Path, address: str, there: _Generation, known: dict[str, tuple[str, int]]
) -> Transfer:
    changed = {name: told for name, told in there.files.items() if known.get(name) != told}
    order = sorted(changed, key=lambda name: (name == NAME, name))
    for done, name in enumerate(order):
        tell(f"pulling {done + 1} of {len(order)} files")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        digest, _ = changed[name]
        write_atomically(folder / name, partial(_fetch, address, digest))
    gone = set(known) - set(there.files)
    for name in sorted(gone):
        (folder / name).unlink(missing_ok=True)
    _remember(folder, address, there)
    size = sum(size for _, size in changed.values())
    return Transfer(len(changed), len(there.files) - len(changed), size, len(gone))


def _fetch(address: str, digest: str, path: Path) -> None:
    """Copy one file; raises CatalogError where its bytes are not those that were pushed."""
    try:
        fetch_object(f"{address}/{_FILES}/{digest}", path)
    except FileNotFoundError:
        raise CatalogError(
            f"{address} was pushed to twice while it was pulled, or has lost a file: pull again"
        ) from None
    if _digest(path)[0] != digest:
        raise CatalogError(f"{address}/{_FILES}/{digest} is damaged: push again with --force")


def _present(folder: Path, address: str, force: bool) -> dict[str, tuple[str, int]]:
    """The files that a folder holds now; raises CatalogError where they would be lost.

    A pull that was stopped left files of two states, and goes on.
    """
    if (folder / _PULLING).exists():
        return _half_pulled(folder, force)
    if not (folder / NAME).exists():
        others = [one.name for one in folder.iterdir() if not _is_passing(one.name)]
        if others:
            raise CatalogError(
                f"{folder} is not a catalog and not empty (it holds {sorted(others)[0]!r}): "
                "choose a new folder"
            )
        return {}
    present = {name: _digest(folder / name) for name in _names(Store.open(folder))}
    if not force and _Generation(present).digest not in _seen(folder, address):
        raise CatalogError(
            f"{folder} was changed since it was pushed or pulled, and would be overwritten: push "
            "it, or pull with --force"
        )
    return present


def _half_pulled(folder: Path, force: bool) -> dict[str, tuple[str, int]]:
    """The files that a stopped pull left; raises CatalogError where one is of neither state."""
    states = json.loads((folder / _PULLING).read_text(encoding="utf-8"))["states"]
    whole: dict[str, list[tuple[str, int]]] = {}
    for name, (digest, size) in states[0] + states[1]:
        whole.setdefault(name, []).append((digest, size))
    present = {name: _digest(folder / name) for name in whole if (folder / name).is_file()}
    for name, told in present.items():
        if told not in whole[name] and not force:
            raise CatalogError(
                f"{folder / name} was changed after a pull had been stopped, and would be "
                "overwritten: pull with --force"
            )
    return present


def _is_passing(name: str) -> bool:
    return name in (".lock", REMEMBERED, _PULLING) or name.endswith(TEMPORARY_SUFFIX)


def _names(store: Store) -> Iterator[str]:
    """What is published of a catalog: what its manifest lists, and its models."""
    yield NAME
    for files in store.manifest.tables.values():
        yield from files
    for room in _ROOMS:
        for file in sorted((store.folder / room).rglob("*")):
            if file.is_file() and not file.name.endswith(TEMPORARY_SUFFIX):
                yield file.relative_to(store.folder).as_posix()


def _digest(path: Path) -> tuple[str, int]:
    """BLAKE2b of a file, and its size."""
    found, size = hashlib.blake2b(digest_size=16), 0
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            found.update(part)
            size += len(part)
    return found.hexdigest(), size


def _address(url: str | Path) -> str:
    """An address of an object store, without a slash at its end."""
    address = object_url(url)
    if address is None:
        raise SourceError(f"{url} is no address of an object store, such as s3://bucket/catalog")
    return address


def _objects(address: str) -> Iterator[Any]:
    try:
        yield from find_objects(f"{address}/{_FILES}")
    except FileNotFoundError:
        return


def _published(address: str) -> _Generation | None:
    """The state at an address; None where there is none."""
    try:
        data = read_object(f"{address}/{GENERATION}")
    except FileNotFoundError:
        return None
    return _parsed(data, f"{address}/{GENERATION}")


def _parsed(data: bytes, where: str) -> _Generation:
    try:
        said = json.loads(data)
        if said["format"] > _FORMAT:
            raise CatalogError(
                f"{where} has format {said['format']}, this version of musicu reads up to "
                f"{_FORMAT}: pip install --upgrade musicu"
            )
        files = {
            _inside(name): (_plain(told[0]), int(told[1])) for name, told in said["files"].items()
        }
        return _Generation(files, tuple(map(_plain, said["before"])))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise CatalogError(f"{where} is damaged ({error}): push again with --force") from error


def _inside(name: str) -> str:
    """A file's name; raises ValueError where it would lead out of the catalog."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or "\\" in name or ":" in name:
        raise ValueError(f"file {name!r}")
    return name


def _plain(digest: object) -> str:
    if not isinstance(digest, str) or not digest.isalnum():
        raise ValueError(f"digest {digest!r}")
    return digest


def _seen(folder: Path, address: str) -> tuple[str, ...]:
    """The state that a folder and an address had in common last."""
    try:
        said = json.loads((folder / REMEMBERED).read_text(encoding="utf-8"))
        return (str(said[address]),)
    except (FileNotFoundError, KeyError, ValueError, TypeError):
        return ()


def _remember(folder: Path, address: str, generation: _Generation) -> None:
    path = folder / REMEMBERED
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        said = {}
    said[address] = generation.digest
    text = json.dumps(said, indent=1) + "\n"
    write_atomically(path, lambda one: one.write_text(text, encoding="utf-8"))
