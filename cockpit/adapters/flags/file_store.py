"""A file that is read whole and replaced whole: never half of it, and never over somebody else's change.

Replaced means: a new file beside it, synced, put in its place in one step, and the directory synced.
Owner, group and mode stay. Cockpits exclude each other by a lock file beside it (`.NAME.lock`, which
stays); against everybody else the content is compared once more right before the step.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from cockpit.adapters.aside import Aside
from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, Unreachable
from cockpit.adapters.flags.outcome import Stop, refused, unknown
from cockpit.adapters.leaving import asked_elsewhere
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

T = TypeVar("T")
Edit = Callable[["Content"], str]

SIZE_LIMIT: Final = 2_000_000
_SHOWN_LIMIT: Final = f"{SIZE_LIMIT / 1_000_000:g} MB"
_LOCK_TRIES: Final = 50
_LOCK_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file held at one moment. target: where it really stands."""

    text: str
    changed_at: datetime
    target: Path
    status: os.stat_result

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class FileStore:
    """One file of a plan. The calls block elsewhere, one at a time."""

    def __init__(self, path: str, *, timeout_s: float) -> None:
        self.path = Path(path)
        self._timeout_s = timeout_s
        self._aside = Aside("look at a file")
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        return clean_text(self.path.name, limit=80)

    async def read(self) -> Content:
        """Raises AdapterError."""
        return await self._run(self._read, sent=False)

    async def change(self, edit: Edit, *, patient: bool = True) -> None:
        """Replace the content by what `edit` makes of it. What `edit` raises leaves the file alone.

        patient: without the lock nothing is written; otherwise it is waited for and then gone without.
        Raises AdapterError or Stop; `sent` of Unreachable is True when the change may still happen.
        """
        still_wanted = asked_elsewhere()
        await self._run(lambda: self._change(edit, patient, still_wanted), sent=True)

    async def refusal(self) -> str:
        """Why the file could not be replaced, as far as can be told without doing it; empty when it could."""
        return await self._run(lambda: _why_not(self._read()), sent=False)

    async def _run(self, call: Callable[[], T], *, sent: bool) -> T:
        async with self._turn:
            try:
                return await self._aside.run(call, self._timeout_s)
            except TimeoutError:
                title = f"{self.name}: the file system did not answer within {self._timeout_s:g} s"
                raise Unreachable(Failure(title=title, fault=Fault.COCKPIT), sent=sent) from None

    def _read(self) -> Content:
        try:
            target = Path(os.path.realpath(self.path, strict=True))
            with open(target, "rb", opener=_at_once) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise _plan_fault(f"{self.name} is not a regular file")
                raw = file.read(SIZE_LIMIT + 1)
        except OSError as error:
            raise _plan_fault(f"{self.name}: {_reason(error)}") from None
        if len(raw) > SIZE_LIMIT:
            raise _broken(
                f"{self.name} is larger than {_SHOWN_LIMIT}, the most that is read of a file of flags"
            )
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise _broken(f"{self.name} is not valid UTF-8") from None
        changed_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return Content(text=text, changed_at=changed_at, target=target, status=status)

    def _change(self, edit: Edit, patient: bool, still_wanted: Callable[[], None]) -> None:
        with self._locked(patient):
            before = self._read()
            text = edit(before)
            if text == before.text:
                return
            trouble = _why_not(before)
            if len(text.encode()) > SIZE_LIMIT:
                trouble = f"{self.name} would be larger than {_SHOWN_LIMIT}, and could not be read back"
            if trouble:
                raise refused(trouble, Fault.PLAN)
            self._replace(before, text, still_wanted)

    def _replace(self, before: Content, text: str, still_wanted: Callable[[], None]) -> None:
        folder = before.target.parent
        try:
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{before.target.name}.", suffix=".new")
        except OSError as error:
            raise self._not_written(error) from None
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                _dress(file.fileno(), before.status)
                file.flush()
                os.fsync(file.fileno())
            if self._read().digest != before.digest:
                raise refused("somebody else changed the file in the same moment")
            still_wanted()
            os.replace(temporary, before.target)
        except OSError as error:
            raise self._not_written(error) from None
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
        _sync_folder(folder)

    @contextmanager
    def _locked(self, patient: bool) -> Iterator[None]:
        target = Path(os.path.realpath(self.path))
        try:
            handle = os.open(target.parent / f".{target.name}.lock", _LOCK_FLAGS, 0o666)
        except OSError as error:
            raise self._not_written(error) from None
        try:
            if not _got(handle) and patient:
                title = f"{self.name} is locked by somebody else"
                raise Unreachable(Failure(title=title), sent=False)
            yield
        finally:
            os.close(handle)

    def _not_written(self, error: OSError) -> AdapterError:
        failure = Failure(
            title=f"{self.name} was not written: {_reason(error)}", retryable=False, fault=Fault.CREDENTIAL
        )
        return RefusedByService(failure, sent=False)


_LOCK_FLAGS: Final = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def _got(handle: int) -> bool:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            threading.Event().wait(_LOCK_PAUSE_S)
        else:
            return True
    return False


def _why_not(content: Content) -> str:
    """Why this file must not be replaced; empty when it may."""
    status, name = content.status, clean_text(content.target.name, limit=80)
    if status.st_nlink > 1:
        return f"{name} has another name (a hard link), which would keep the old content"
    if not os.access(content.target.parent, os.W_OK | os.X_OK):
        return f"the directory of {name} cannot be written to"
    if os.geteuid() not in (0, status.st_uid):
        return f"{name} belongs to another user, and would not afterwards"
    return ""


def _dress(handle: int, status: os.stat_result) -> None:
    """Owner and group first: changing them takes special bits of the mode away."""
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(handle, status.st_uid, status.st_gid)
    os.fchmod(handle, stat.S_IMODE(status.st_mode))


def _sync_folder(folder: Path) -> None:
    """Raises Stop (unknown): the change is there, but a power failure may take it back."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _not_durable(error) from None


def _not_durable(error: OSError) -> Stop:
    return unknown(f"the change is there, but may not outlast a power failure: {_reason(error)}")


def _at_once(name: str, flags: int) -> int:
    """An opener that does not wait: a named pipe opens, and is then refused by its type."""
    return os.open(name, flags | os.O_NONBLOCK)


def _reason(error: OSError) -> str:
    return clean_text(error.strerror or "cannot be used", limit=100)


def _plan_fault(title: str) -> RefusedByService:
    return RefusedByService(Failure(title=title, retryable=False, fault=Fault.PLAN), sent=False)


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title, fault=Fault.PLAN), sent=False)
