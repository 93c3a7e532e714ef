"""What the page hides, what it gives back, and what many answers say together.

A listener may save more than once, and only the last file of a session counts. Files of a session
bear its random id and the moment at which they were saved. A file without an id (of a page from
before there were any) is taken for the same listener's as another one of the same test where more
than half of the answers of the shorter agree in choice and in time taken, which is kept to a tenth
of a second; the one with more answers counts.
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
    """One file of answers: choices and the seconds that each took, by question.

    first_left, sealed: who is who, by question and as it stands in the file. session: a random
    id, "" where there is none. saved: when, in ISO 8601.
    """

    models: tuple[str, str]
    first_left: tuple[bool, ...]
    sealed: str
    session: str
    saved: str
    answers: dict[int, tuple[str, float]]

    def votes(self) -> list[str]:
        """What each answer prefers: "first", "second" or "same"."""
        return [_voted(choice, self.first_left[i]) for i, (choice, _) in self.answers.items()]


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
    votes = Counter(vote for file in counted for vote in file.votes())
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
    """The file that counts of each listener."""
    sessions: dict[str, AnswerFile] = {}
    unnamed: list[AnswerFile] = []
    for file in files:
        if not file.session:
            unnamed.append(file)
        elif file.session not in sessions or file.saved >= sessions[file.session].saved:
            sessions[file.session] = file
    kept: list[AnswerFile] = []
    for file in sorted(unnamed, key=lambda file: -len(file.answers)):
        if not any(_by_one_listener(file, other) for other in kept):
            kept.append(file)
    return [*sessions.values(), *kept]


def _by_one_listener(short: AnswerFile, other: AnswerFile) -> bool:
    """Whether a file without a session repeats another one: see the module."""
    shared = short.answers.items() & other.answers.items()
    return short.sealed == other.sealed and 2 * len(shared) > len(short.answers)


def _read(path: Path) -> AnswerFile:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] > FORMAT_VERSION:
            raise SourceError(f"{path} has format {document['format']}: update musicu to read it")
        sealed = str(document["sealed"])
        key = json.loads(zlib.decompress(base64.b64decode(sealed)))
        first, second = (str(name) for name in key["models"])
        file = AnswerFile(
            (first, second),
            tuple(map(bool, key["first_left"])),
            sealed,
            str(document.get("session") or ""),
            str(document.get("saved") or ""),
            {
                int(a["trial"]): (str(a["choice"]), float(a.get("seconds") or 0))
                for a in document["answers"]
            },
        )
        file.votes()  # a choice that is none is an error of this file
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error) as error:
        raise SourceError(f"{path} holds no answers of `musicu judge`: {error}") from error
    return file


def _named(file: AnswerFile) -> str:
    return " and ".join(file.models)


def _voted(choice: str, first_left: bool) -> str:
    if choice not in _CHOICES:
        raise ValueError(f"{choice!r} is no choice")
    if choice == "same":
        return "same"
    return "first" if (choice == "left") == first_left else "second"
