"""What the page hides, what it gives back, and what many answers say together.

A listener may save more than once, and only the last file of a session counts: files bear its
random id and the moment at which they were saved.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from musicu.errors import SourceError
from musicu.judge.binomial import Preference, answers_needed, preference
from musicu.judge.trials import Trial

FORMAT_VERSION = 1
_CHOICES = ("left", "right", "same")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What listeners said of two models.

    same: answers without a preference. listeners: sessions. repeated: files that do not count,
    since their listener saved again. needed: how many answers with a preference tell the
    observed share from chance four times in five; None: more than 20,000.
    """

    first: str
    second: str
    preference: Preference
    same: int
    listeners: int
    repeated: int
    needed: int | None

    @property
    def more(self) -> int | None:
        """How many more are needed; 0 where the interval tells already; None: out of reach."""
        answers = self.preference.wins + self.preference.losses
        if self.preference.told:
            return 0
        return None if self.needed is None else max(1, self.needed - answers)


def seal(first: str, second: str, trials: Sequence[Trial]) -> str:
    """Who is who, packed so that nobody reads it by accident; it is no secret."""
    document = {"models": [first, second], "first_left": [q.first_left for q in trials]}
    packed = zlib.compress(json.dumps(document).encode())
    return base64.b64encode(packed).decode("ascii")


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """One file of answers.

    votes: what each answer prefers, "first", "second" or "same". session: a random id, "" where
    there is none. saved: when, in ISO 8601.
    """

    models: tuple[str, str]
    session: str
    saved: str
    votes: tuple[str, ...]


def read_answers(paths: Iterable[str | Path]) -> Verdict:
    """The verdict of one or more files of answers to tests of the same two models.

    Of each session the last file counts: see the module. Raises SourceError where a file is
    none, is from a newer version, or is of other models.
    """
    files: list[AnswerFile] = []
    for path in map(Path, paths):
        files.append(_read(path))
        if files[-1].models != files[0].models:
            raise SourceError(
                f"{path} is about {_named(files[-1])}, the files before it about "
                f"{_named(files[0])}: read them apart"
            )
    if not files:
        raise SourceError("no files of answers: name at least one")
    counted = last_of_each(files)
    votes = Counter(vote for file in counted for vote in file.votes)
    result = preference(votes["first"], votes["second"])
    return Verdict(
        *files[0].models,
        preference=result,
        same=votes["same"],
        listeners=len(counted),
        repeated=len(files) - len(counted),
        needed=answers_needed(result.share),
    )


def last_of_each(files: Iterable[AnswerFile]) -> list[AnswerFile]:
    """The file that counts of each listener; one without a session is a listener's of its own."""
    last: dict[str | int, AnswerFile] = {}
    for number, file in enumerate(files):
        session = file.session or number
        if session not in last or file.saved >= last[session].saved:
            last[session] = file
    return list(last.values())


def _read(path: Path) -> AnswerFile:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] > FORMAT_VERSION:
            raise SourceError(f"{path} has format {document['format']}: update musicu to read it")
        key = json.loads(zlib.decompress(base64.b64decode(str(document["sealed"]))))
        first, second = (str(name) for name in key["models"])
        left = [bool(first_left) for first_left in key["first_left"]]
        votes = {int(a["trial"]): str(a["choice"]) for a in document["answers"]}
        return AnswerFile(
            (first, second),
            str(document.get("session") or ""),
            str(document.get("saved") or ""),
            tuple(_voted(choice, left[trial]) for trial, choice in votes.items()),
        )
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error) as error:
        raise SourceError(f"{path} holds no answers of `musicu judge`: {error}") from error


def _named(file: AnswerFile) -> str:
    return " and ".join(file.models)


def _voted(choice: str, first_left: bool) -> str:
    if choice not in _CHOICES:
        raise ValueError(f"{choice!r} is no choice")
    if choice == "same":
        return "same"
    return "first" if (choice == "left") == first_left else "second"
