"""Names that operating systems, NAS boxes and other tools keep for themselves in a music folder.

A dot in front of a name hides nothing: `...And Again.flac` is music. What is listed here never is:
deleted files, thumbnails, snapshots, version control, and the AppleDouble halves of Mac files.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from musicu.errors import SourceError
from musicu.object_store import is_object, read_object

#: Folders, in any case.
_FOLDERS = frozenset(
    (
        # macOS, and its files on other disks
        *(".spotlight-v100", ".fseventsd", ".trashes", ".temporaryitems", "__macosx"),
        *(".documentrevisions-v100", ".mobilebackups", ".pkinstallsandboxmanager"),
        *(".appledouble", ".appledb", ".appledesktop", "network trash folder"),
        # Synology, QNAP and other NAS
        *("@eadir", "@sharebin", "@recently-snapshot", ".@__qini", ".@qmariadb"),
        *("@appstore", "@database", "#synorecycle", ".synologyworkingdirectory"),
        *(".zfs", ".ix-apps", ".$extend", "$extend", ".bzvol", ".wdmc", ".twonky", ".minidlna"),
        # Windows
        *("system volume information", "$av_asw", "$winreagent", "onedrivetemp"),
        # version control and synchronisation, which keep deleted and older files
        *(".git", ".svn", ".hg", ".bzr", ".stversions", ".stfolder", ".dropbox.cache", ".sync"),
        *(".tmp.drivedownload", ".tmp.driveupload", ".nextcloudsync", ".owncloudsync"),
    )
)
#: Folders whose names are music in any other case: "Recycled" is an album.
_EXACT_FOLDERS = frozenset(("lost+found", "RECYCLER", "RECYCLED"))
#: What is deleted, earlier, small or for now, behind a sign that sorts it apart: "#recycle",
#: ".Trash-1000" (freedesktop.org), "$RECYCLE.BIN", ".Recycle.Bin", ".@__thumb", "~snapshot".
_SET_ASIDE = re.compile(
    r"[.#@$~][.#@$~_]*(?:"
    r"recycle[dr]?(?:[ ._-]?bin)?|trash(?:es|ed|-.*)?|deleted(?:[ ._-](?:files|items))?|"
    r"corbeille|papierkorb|papelera|cestino|lixeira|prullenbak|"
    r"snapshots?|versions|thumb(?:nail)?s?|(?:upload_)?cache|te?mp|syno\w*|sync(?:archive|thing)?"
    r")",
    re.IGNORECASE,
)
_HOME_TRASH = (".local", "share", "Trash")
_APPLEDOUBLE = (b"\0\x05\x16\x07", b"\0\x05\x16\x00")  # RFC 1740


def is_system_folder(path: Path) -> bool:
    """Whether a directory is the system's own by its name."""
    name = path.name
    return (
        name.casefold() in _FOLDERS
        or name in _EXACT_FOLDERS
        or _SET_ASIDE.fullmatch(name) is not None
        or path.parts[-3:] == _HOME_TRASH
    )


def is_appledouble(file: Path, beside: Collection[str]) -> bool:
    """Whether a file "._x" is what macOS keeps of "x" on a disk of another system.

    beside: the names in the same folder. Without its "x", its first bytes tell.
    """
    if not file.name.startswith("._"):
        return False
    if file.name[2:] in beside:
        return True
    try:
        if is_object(file):
            return read_object(file, 4) in _APPLEDOUBLE
        with file.open("rb") as opened:
            return opened.read(4) in _APPLEDOUBLE
    except (OSError, SourceError):
        return False
