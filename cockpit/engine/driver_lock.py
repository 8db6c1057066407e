"""Who may act on a journal: the process that holds an advisory lock beside it.

The lock is the kernel's: it goes away with the process, however that dies, so a stale one cannot be.
Another cockpit on the same host folds, shows and may declare a rollback, which the holder carries out.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from cockpit.core.clean import clean_text
from cockpit.engine.journal_port import FailureKind, JournalFailure


class DriverLock:
    """`<journal>.driver`, mode 0600. `take` may be called again and again."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_name(f"{journal.name}.driver")
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        return self._fd is not None

    def take(self) -> bool:
        """True when this process holds the lock now. Raises JournalFailure when its file cannot be used."""
        if self._fd is not None:
            return True
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as trouble:
            raise self._unusable(trouble) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        except OSError as trouble:
            os.close(fd)
            raise self._unusable(trouble) from None
        self._fd = fd
        return True

    def _unusable(self, trouble: OSError) -> JournalFailure:
        detail = f"{clean_text(self._path)}: {trouble.strerror}"
        return JournalFailure(FailureKind.UNSAFE, "The driver's lock cannot be used", detail)

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
