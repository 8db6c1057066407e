"""Heartbeats beside the journal: which cockpits have it open now, one small file each.

    <name>.seat.<session>    one line of JSON: session, operator, host, count; locked while its process lives

The lock is the kernel's: it goes away with the process, however that dies. So a file that is not locked is
of a cockpit that is gone, and is swept away by whoever sees it. A file comes into being locked and complete
and is then renamed into place. Nothing of it is flushed to the disk: after a crash everybody is gone.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.engine.journal_port import Beat, FailureKind, JournalFailure
from cockpit.engine.paths import system_failure

_FITS: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_LINE_LIMIT: Final = 2000
_NAME_LIMIT: Final = 100


class BeatShelf:
    """Of the journal at `journal`. All methods may be called from any thread."""

    def __init__(self, journal: Path) -> None:
        self._folder = journal.parent
        self._prefix = f"{journal.name}.seat."
        self._guard = threading.Lock()
        self._own: dict[str, tuple[int, Beat]] = {}

    def beat(self, beat: Beat) -> None:
        """Raises JournalFailure: UNFIT for a session that makes no file name, else what the disk said."""
        if not _FITS.fullmatch(beat.session):
            raise JournalFailure(FailureKind.UNFIT, "The heartbeat cannot be given", "unfit session")
        with self._guard:
            try:
                fd = self._fd(beat.session)
                os.pwrite(fd, _line(beat), 0)
            except OSError as error:
                place = self._folder / f"{self._prefix}{beat.session}"
                raise system_failure("The heartbeat cannot be given", place, error) from None
            self._own[beat.session] = fd, beat

    def beats(self, *, sweep: bool) -> tuple[Beat, ...]:
        """Of everybody who lives; `sweep` removes what the others left. Raises JournalFailure."""
        with self._guard:
            own = {session: beat for session, (_, beat) in self._own.items()}
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.startswith(self._prefix))
        except OSError as error:
            raise system_failure("The heartbeats cannot be read", self._folder, error) from None
        others = (name.removeprefix(self._prefix) for name in names)
        found = (self._look(session, sweep=sweep) for session in others if session not in own)
        return tuple(sorted([*own.values(), *filter(None, found)], key=lambda beat: beat.session))

    def leave(self, session: str) -> None:
        with self._guard:
            fd, _ = self._own.pop(session, (None, None))
            if fd is not None:
                with suppress(OSError):  # it counts as gone as soon as the lock is
                    os.unlink(self._folder / f"{self._prefix}{session}")
                os.close(fd)

    def close(self) -> None:
        for session in tuple(self._own):
            self.leave(session)

    def _fd(self, session: str) -> int:
        """The own file, made anew if somebody swept the folder."""
        fd, _ = self._own.get(session, (None, None))
        if fd is not None and os.fstat(fd).st_nlink:
            return fd
        if fd is not None:
            del self._own[session]
            os.close(fd)
        return self._made(session)

    def _made(self, session: str) -> int:
        place = self._folder / f"{self._prefix}{session}"
        draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        fd = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with suppress(OSError):  # a file system without locks: then only silence tells
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(draft, place)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        return fd

    def _look(self, session: str, *, sweep: bool) -> Beat | None:
        place = self._folder / f"{self._prefix}{session}"
        try:
            fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if _alive(fd):
                return _read(session, fd)
            if sweep:
                place.unlink(missing_ok=True)
        except OSError:
            return Beat(session=session, operator="?", host="?", count=0)
        finally:
            os.close(fd)
        return None


def _alive(fd: int) -> bool:
    """Whether its process holds the lock, or (on a file system without locks) may do so."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _line(beat: Beat) -> bytes:
    body = {"session": beat.session, "operator": beat.operator, "host": beat.host, "count": beat.count}
    return json.dumps(body, ensure_ascii=True).encode("ascii") + b"\n"


def _read(session: str, fd: int) -> Beat:
    """What it says of itself; one that says nothing sensible lives all the same."""
    fields: dict[str, object] = dict(_fields(os.pread(fd, _LINE_LIMIT, 0)))
    count = fields.get("count")
    return Beat(
        session=session,
        operator=clean_text(fields.get("operator", "?"), limit=_NAME_LIMIT),
        host=clean_text(fields.get("host", "?"), limit=_NAME_LIMIT),
        count=count if isinstance(count, int) else 0,
    )


def _fields(line: bytes) -> Iterator[tuple[str, object]]:
    try:
        body = json.loads(line.partition(b"\n")[0])
    except ValueError:
        return
    if isinstance(body, dict):
        yield from body.items()
