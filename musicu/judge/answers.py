"""What the page hides, what it gives back, and what many answers say together."""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicu.errors import SourceError
from musicu.judge.binomial import Preference, answers_needed, preference
from musicu.judge.trials import Trial

FORMAT_VERSION = 1
_CHOICES = ("left", "right", "same")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What listeners said of two models.

    same: answers without a preference. listeners: files. needed: how many answers with a
    preference tell the observed share from chance four times in five; None: more than 20,000.
    """

    first: str
    second: str
    preference: Preference
    same: int
    listeners: int
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
    document = {"models": [first, second], "first_left": [trial.first_left for trial in trials]}
    packed = zlib.compress(json.dumps(document).encode())
    return base64.b64encode(packed).decode("ascii")


def read_answers(paths: Iterable[str | Path]) -> Verdict:
    """The verdict of one or more files of answers to tests of the same two models.

    Raises SourceError where a file is none, is from a newer version, or is of other models.
    """
    votes: Counter[str] = Counter()
    models: list[str] | None = None
    files = [Path(path) for path in paths]
    for path in files:
        named, found = _read(path)
        if models is None:
            models = named
        elif models != named:
            raise SourceError(f"{path} is about {named}, the files before it about {models}")
        votes.update(found)
    if models is None:
        raise SourceError("no files of answers: name at least one")
    result = preference(votes["first"], votes["second"])
    needed = answers_needed(result.share)
    return Verdict(models[0], models[1], result, votes["same"], len(files), needed)


def _read(path: Path) -> tuple[list[str], list[str]]:
    """The models of a file, and what each of its answers prefers: "first", "second" or "same"."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] > FORMAT_VERSION:
            raise SourceError(f"{path} has format {document['format']}: update musicu to read it")
        key = json.loads(zlib.decompress(base64.b64decode(document["sealed"])))
        models = [str(name) for name in key["models"]]
        answers = {int(a["trial"]): a["choice"] for a in document["answers"]}
        return models, [_voted(c, key["first_left"][trial]) for trial, c in answers.items()]
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, IndexError, zlib.error) as error:
        raise SourceError(f"{path} holds no answers of `musicu judge`: {error}") from error


def _voted(choice: Any, first_left: bool) -> str:
    if choice not in _CHOICES:
        raise ValueError(f"{choice!r} is no choice")
    if choice == "same":
        return "same"
    return "first" if (choice == "left") == first_left else "second"
