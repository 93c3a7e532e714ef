"""The names of a feedback table's files: journals by number, segments by what they cover."""

from __future__ import annotations

from pathlib import Path

#: First and last journal that a segment covers, and its file.
Segment = tuple[int, int, Path]


def journal_name(number: int) -> str:
    """The file of a journal."""
    return f"{number:012}.journal"


def segment_name(first: int, last: int) -> str:
    """The file of the segment of some journals."""
    return f"{first:012}-{last:012}.parquet"


def journals(folder: Path) -> list[int]:
    """The numbers of the journals in a folder."""
    return [int(path.stem) for path in folder.glob("*.journal") if path.stem.isdigit()]


def all_segments(folder: Path) -> list[Segment]:
    """Every segment by name: first and last journal that it covers."""
    found = []
    for path in folder.glob("*.parquet"):
        first, _, last = path.stem.partition("-")
        if first.isdigit() and last.isdigit():
            found.append((int(first), int(last), path))
    return sorted(found)


def segments(folder: Path) -> list[Segment]:
    """The segments that no wider one covers, in order."""
    every = all_segments(folder)
    return [
        (first, last, path)
        for first, last, path in every
        if not any(a <= first and last <= b and (a, b) != (first, last) for a, b, _ in every)
    ]
