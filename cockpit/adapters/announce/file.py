"""Announcements as lines of JSON at the end of a file, for log shippers and for the record.

The file is made for its owner alone (0600) and never through a symbolic link. A line is written in one
piece; after a line that was cut short (a full disk) the next one starts on a line of its own.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from cockpit.adapters.announce.body import to_json
from cockpit.adapters.aside import Aside
from cockpit.adapters.base import Announcement, RefusedByService, ServiceTrouble, Unreachable
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import FileSettings
    from cockpit.adapters.http import Web

# Not blocking: a named pipe without a reader must not hold the thread, and is refused a line later.
_HOW: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def build(settings: FileSettings, web: Web, secret: Secrets, timeout_s: float) -> FileAnnouncer:
    return FileAnnouncer(os.path.expanduser(settings.path), timeout_s=timeout_s)


class FileAnnouncer:
    def __init__(self, path: str, *, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._aside = Aside("append")
        self._name = clean_text(os.path.basename(path), limit=60)

    async def announce(self, announcement: Announcement) -> str:
        try:
            line = to_json(announcement) + b"\n"
            await self._aside.run(lambda: self._append(line), self._timeout_s)
        except TimeoutError:
            title = f"{self._name} could not be written within {self._timeout_s:g} s"
            raise Unreachable(Failure(title=title, fault=Fault.COCKPIT)) from None
        except OSError as error:
            why = clean_text(error.strerror or "no reason given", limit=80)
            failure = Failure(
                title=f"{self._name} cannot be written: {why}", retryable=False, fault=Fault.PLAN
            )
            raise RefusedByService(failure, sent=False) from None
        return f"a line in {self._name}"

    async def aclose(self) -> None:
        """Nothing is kept open between announcements."""

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, _HOW, 0o600)
        try:
            self._write(descriptor, line)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, line: bytes) -> None:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            failure = Failure(title=f"{self._name} is no plain file", retryable=False, fault=Fault.PLAN)
            raise RefusedByService(failure, sent=False)
        cut_short = found.st_size > 0 and os.pread(descriptor, 1, found.st_size - 1) != b"\n"
        text = b"\n" + line if cut_short else line
        if os.write(descriptor, text) != len(text):
            raise ServiceTrouble(Failure(title=f"a line in {self._name} was cut short", fault=Fault.COCKPIT))
        os.fsync(descriptor)
