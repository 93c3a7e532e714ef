"""What can go wrong, in words that say what to do about it."""

from __future__ import annotations


class MusicuError(Exception):
    """Any error that musicu raises on purpose; its text is for people."""


class AudioError(MusicuError):
    """A recording that cannot be read, or not far enough to be of use."""


class MissingExtraError(AudioError):
    """A format or feature needs an optional dependency that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs an extra: pip install "musicu[{extra}]"')
        self.extra = extra


class SourceError(MusicuError):
    """A folder, list or table of tracks that cannot be scanned."""


class CatalogError(MusicuError):
    """A catalog folder that is missing, locked, from a newer version, or damaged."""


class BusyCatalogError(CatalogError):
    """A catalog that another process is writing to."""


class ModelError(MusicuError):
    """A model that is unknown, damaged, or not the one a catalog was made with."""


class QueryError(MusicuError):
    """A track, filter or setting in a question that has no answer."""


class AmbiguousTrackError(QueryError):
    """Words that name several tracks; `candidates` lists (track id, label), best first."""

    def __init__(self, message: str, candidates: list[tuple[str, str]]) -> None:
        super().__init__(message)
        self.candidates = candidates


class RegistryError(MusicuError):
    """A name under which nothing is registered, or a package whose registration does not work."""


class PlayerError(MusicuError):
    """A music server or player that cannot be reached, refuses, or answers what makes no sense."""


class PageError(MusicuError):
    """A page that cannot be written where it was to be."""
