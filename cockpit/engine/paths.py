"""Where the journal of a flight lives, and whether that place can be trusted.

One plan file is one flight is one journal: `$XDG_STATE_HOME/cutover-cockpit/<slug>-<digest>.journal`
(`~/.local/state` where the variable is unset or not absolute). The digest is taken of the plan's
absolute path with the links among its directories resolved, so that every way to the same file leads to
the same journal; the file's own name is not resolved, because mounted configuration swaps that link.

Whoever can write the journal can lie about a rollback, so the directory and the file must belong to
this user, be no symbolic link, and be writable by nobody else.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.engine.journal_port import FailureKind, JournalFailure

DIRECTORY: Final = "cutover-cockpit"
DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_SLUG_LIMIT: Final = 40
_DIGEST_LENGTH: Final = 12
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ANY: Final = stat.S_IRWXG | stat.S_IRWXO
_ERRORS: Final = {
    errno.ENOSPC: FailureKind.FULL,
    errno.EDQUOT: FailureKind.FULL,
    errno.EROFS: FailureKind.READ_ONLY,
    errno.EACCES: FailureKind.READ_ONLY,
    errno.EPERM: FailureKind.READ_ONLY,
}


def journal_path(plan: Path, environ: Mapping[str, str]) -> Path:
    """The path of the journal that belongs to a plan file; touches nothing but the plan's directory names."""
    absolute = Path(os.path.realpath(plan.parent)) / plan.name
    digest = hashlib.sha256(os.fsencode(absolute)).hexdigest()[:_DIGEST_LENGTH]
    return state_directory(environ) / f"{_slug(plan.stem)}-{digest}.journal"


def state_directory(environ: Mapping[str, str]) -> Path:
    root = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(root):
        return Path(root) / DIRECTORY
    home = environ.get("HOME", "")
    base = Path(home) if os.path.isabs(home) else Path.home()
    return base / ".local" / "state" / DIRECTORY


def secure_directory(directory: Path) -> None:
    """Make the directory if it is not there, closed to others. Raises JournalFailure."""
    try:
        directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        found = directory.lstat()
        _refuse_strangers(directory, found, stat.S_ISDIR(found.st_mode), "a directory")
        if found.st_mode & _OTHERS_ANY:
            directory.chmod(DIRECTORY_MODE)
    except OSError as error:
        raise system_failure("The journal's directory cannot be used", directory, error) from None


def secure_file(path: Path) -> None:
    """Check an existing journal file and close it to others. Raises JournalFailure, MISSING for none."""
    try:
        found = path.lstat()
        _refuse_strangers(path, found, stat.S_ISREG(found.st_mode), "a plain file")
        if found.st_mode & _OTHERS_ANY:
            path.chmod(FILE_MODE)
    except FileNotFoundError:
        raise JournalFailure(
            FailureKind.MISSING, "There is no journal yet", f"{_shown(path)}: nobody has flown this plan here"
        ) from None
    except OSError as error:
        raise system_failure("The journal cannot be used", path, error) from None


def existing_file(path: Path) -> None:
    """There is a plain file to look at, whoever owns it. Raises JournalFailure, MISSING for none."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _unsafe(path, "is not a plain file")
    except FileNotFoundError:
        raise JournalFailure(FailureKind.MISSING, "There is no such journal", _shown(path)) from None
    except OSError as error:
        raise system_failure("The journal cannot be read", path, error) from None


def system_failure(title: str, path: Path, error: OSError) -> JournalFailure:
    kind = _ERRORS.get(error.errno or 0, FailureKind.IO)
    return JournalFailure(kind, title, f"{_shown(path)}: {clean_text(error.strerror or error)}")


def _refuse_strangers(path: Path, found: os.stat_result, right_type: bool, wanted: str) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _unsafe(path, "is a symbolic link")
    if not right_type:
        raise _unsafe(path, f"is not {wanted}")
    if found.st_uid != os.geteuid():
        raise _unsafe(path, f"belongs to user {found.st_uid}, not to you (user {os.geteuid()})")
    if found.st_mode & _OTHERS_WRITE:
        raise _unsafe(path, f"can be written by others (mode {stat.S_IMODE(found.st_mode):o})")


def _unsafe(path: Path, why: str) -> JournalFailure:
    return JournalFailure(
        FailureKind.UNSAFE, "The journal's place cannot be trusted", f"{_shown(path)} {why}"
    )


def _shown(path: Path) -> str:
    return clean_text(path)


def _slug(stem: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")[:_SLUG_LIMIT].strip("-") or "plan"
