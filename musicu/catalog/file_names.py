"""The one check of names that become files or folders: of models, descriptor sets, encoders."""

from __future__ import annotations

import re

from musicu.errors import QueryError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}(?<!\.)")
#: Names that Windows keeps for devices, whatever their ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def is_file_name(name: object) -> bool:
    """Whether a name can be that of a file on every system, and leads nowhere else."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and not _DEVICES.fullmatch(name)


def check_file_name(name: object, what: str) -> str:
    """The name; raises QueryError where no file may have it."""
    if not isinstance(name, str) or not is_file_name(name):
        shown = repr(name) if len(repr(name)) < 80 else f"{repr(name)[:77]}..."
        raise QueryError(
            f"the name of {what} is {shown}: it becomes a file, so give 1 to 100 letters, digits, "
            "'.', '_', '+' or '-' that begin with a letter or digit, such as 'mine-v1'"
        )
    return name
