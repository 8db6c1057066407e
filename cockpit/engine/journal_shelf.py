"""The one newest published snapshot, in a file of its own beside the journal.

First line: `cutover-cockpit-snapshot 1 <instant>`, then the snapshot's bytes to the end of the file.
Replaced by a rename, so that a reader sees the old one or the new one and never a mixture. Not flushed
to the disk: a lost picture is replaced by the next one, a second later.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

from cockpit.core.clean import clean_text, parse_instant
from cockpit.engine.journal_chain import instant_text
from cockpit.engine.journal_port import FailureKind, JournalFailure
from cockpit.engine.paths import system_failure

SNAPSHOT_LIMIT: Final = 16_000_000
_MAGIC: Final = b"cutover-cockpit-snapshot 1 "
_HEADER_LIMIT: Final = 100


class Shelf:
    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, snapshot: bytes, at: datetime) -> None:
        """Raises JournalFailure: UNFIT when the snapshot is too large, else what the disk said."""
        if len(snapshot) > SNAPSHOT_LIMIT:
            raise JournalFailure(
                FailureKind.UNFIT, "The snapshot cannot be published", f"it has {len(snapshot)} bytes"
            )
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as file:
                file.write(_MAGIC + instant_text(at).encode() + b"\n" + snapshot)
            os.replace(draft, self._path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise system_failure("The snapshot cannot be published", self._path, error) from None

    def get(self) -> tuple[bytes, datetime] | None:
        """Raises JournalFailure(CORRUPT) for a file that is no published snapshot."""
        try:
            with open(os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                stored = file.read(SNAPSHOT_LIMIT + _HEADER_LIMIT)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise system_failure("The published snapshot cannot be read", self._path, error) from None
        header, _, snapshot = stored.partition(b"\n")
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
