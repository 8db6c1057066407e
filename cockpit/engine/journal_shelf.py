"""Two files beside the journal, each replaced as a whole: the newest picture and the resume point.

    <name>.published    `cutover-cockpit-snapshot 1 <instant>`, a line feed, the snapshot's bytes
    <name>.resume       `cutover-cockpit-resume 1 <seq> <hash> <SHA-256 of the state>`, a line feed, the state

Replaced by a rename, so that a reader sees the old one or the new one and never a mixture. Not flushed
to the disk: a lost picture is replaced by the next one, a second later, and without a resume point the
journal is folded from its beginning.
"""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from cockpit.core.clean import clean_text, parse_instant
from cockpit.engine.journal_chain import instant_text
from cockpit.engine.journal_port import FailureKind, JournalFailure, ResumePoint
from cockpit.engine.paths import system_failure

SNAPSHOT_LIMIT: Final = 16_000_000
_MAGIC: Final = b"cutover-cockpit-snapshot 1 "
_RESUME_MAGIC: Final = b"cutover-cockpit-resume 1 "
_HEADER_LIMIT: Final = 200


class Shelf:
    """The newest published snapshot."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, snapshot: bytes, at: datetime) -> None:
        """Raises JournalFailure: UNFIT when the snapshot is too large, else what the disk said."""
        title = "The snapshot cannot be published"
        if len(snapshot) > SNAPSHOT_LIMIT:
            raise JournalFailure(FailureKind.UNFIT, title, f"it has {len(snapshot)} bytes")
        try:
            _replace(self._path, _MAGIC + instant_text(at).encode() + b"\n" + snapshot)
        except OSError as error:
            raise system_failure(title, self._path, error) from None

    def get(self) -> tuple[bytes, datetime] | None:
        """Raises JournalFailure(CORRUPT) for a file that is no published snapshot."""
        try:
            header, snapshot = _parts(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise system_failure("The published snapshot cannot be read", self._path, error) from None
        try:
            if not header.startswith(_MAGIC):
                raise ValueError
            return snapshot, parse_instant(header.removeprefix(_MAGIC).decode("ascii"))
        except ValueError:
            raise JournalFailure(
                FailureKind.CORRUPT, "The published snapshot is damaged", clean_text(self._path)
            ) from None

    def mark(self) -> str:
        try:
            found = self._path.lstat()
        except OSError:
            return ""
        return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


class ResumeShelf:
    """The resume point."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, point: ResumePoint) -> None:
        """Raises JournalFailure with what the disk said."""
        head = f"{point.seq} {point.hash} {hashlib.sha256(point.state).hexdigest()}\n"
        try:
            _replace(self._path, _RESUME_MAGIC + head.encode("ascii") + point.state)
        except OSError as error:
            raise system_failure("The resume point cannot be kept", self._path, error) from None

    def get(self) -> ResumePoint | None:
        """None for a file that is missing, damaged or of another kind: it only saves time."""
        try:
            header, state = _parts(self._path)
            seq, digest, checksum = header.removeprefix(_RESUME_MAGIC).decode("ascii").split(" ")
            point = ResumePoint(seq=int(seq), hash=digest, state=state)
        except (OSError, ValueError):
            return None
        whole = header.startswith(_RESUME_MAGIC) and checksum == hashlib.sha256(state).hexdigest()
        return point if whole and 0 < point.seq < 2**63 else None


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _parts(path: Path) -> tuple[bytes, bytes]:
    """The first line, and everything behind it."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        header, _, rest = file.read(SNAPSHOT_LIMIT + _HEADER_LIMIT).partition(b"\n")
    return header, rest
