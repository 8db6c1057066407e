"""Announcements to a program of the user: JSON on standard input, exit code 0 is success.

The program is run by its argument list, never by a shell, in a process group of its own and with a
plain environment (`pass_env` adds to it). It never holds up the loop. Past its time limit the group is
asked to end, and a second later made to. Its standard output is ignored; the first line of its
standard error is shown when it fails.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from cockpit.adapters.announce.body import to_json
from cockpit.adapters.base import Announcement, RefusedByService, ServiceTrouble, Unreachable
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import CommandSettings
    from cockpit.adapters.credentials import Secrets
    from cockpit.adapters.http import Web

GRACE_S: Final = 1.0
_LAST_WORDS_S: Final = 0.2
_KEPT_BYTES: Final = 4096
_PLAIN_ENVIRONMENT: Final = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
)


def build(settings: CommandSettings, web: Web, secret: Secrets, timeout_s: float) -> CommandAnnouncer:
    environment = {
        name: os.environ[name] for name in (*_PLAIN_ENVIRONMENT, *settings.pass_env) if name in os.environ
    }
    return CommandAnnouncer(settings.command, environment=environment, timeout_s=timeout_s)


class CommandAnnouncer:
    def __init__(self, argv: Sequence[str], *, environment: Mapping[str, str], timeout_s: float) -> None:
        self._argv = tuple(argv)
        self._environment = dict(environment)
        self._timeout_s = timeout_s
        self._name = clean_text(os.path.basename(self._argv[0]), limit=40)

    async def announce(self, announcement: Announcement) -> str:
        try:
            return await self._hand_over(announcement)
        except OSError as error:
            why = clean_text(error.strerror or "no reason given", limit=80)
            failure = Failure(title=f"nothing could be handed to {self._name}: {why}", fault=Fault.COCKPIT)
            raise ServiceTrouble(failure, sent=False) from None

    async def _hand_over(self, announcement: Announcement) -> str:
        with _input_file(to_json(announcement) + b"\n") as stdin, _LastWords() as words:
            await words.listen()
            process = await self._start(stdin, words.write_end)
            words.close_write_end()
            code = await self._wait(process)
            said = await words.first_line()
        if code != 0:
            title = f"{self._name} {_ended(code)}"
            raise ServiceTrouble(Failure(title=title, detail=said, fault=Fault.PLAN))
        return f"{self._name} ended well"

    async def aclose(self) -> None:
        """Nothing is kept open between announcements."""

    async def _start(self, stdin: int, stderr: int) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=stdin,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            why = clean_text(error.strerror or "no reason given", limit=80)
            failure = Failure(
                title=f"{self._name} cannot be started: {why}", retryable=False, fault=Fault.PLAN
            )
            raise RefusedByService(failure, sent=False) from None

    async def _wait(self, process: asyncio.subprocess.Process) -> int:
        """The exit code. Raises Unreachable past the time limit; by then the whole group is gone."""
        try:
            return await asyncio.wait_for(process.wait(), self._timeout_s)
        except TimeoutError:
            failure = Failure(
                title=f"{self._name} did not end within {self._timeout_s:g} s and was ended", fault=Fault.PLAN
            )
            raise Unreachable(failure) from None
        finally:
            if process.returncode is None:
                await _end_group(process)


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, a second of grace, SIGKILL, to the program and what it started. Also when we are cancelled."""
    _signal_group(process.pid, signal.SIGTERM)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_S)
    finally:
        _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


@contextmanager
def _input_file(content: bytes) -> Iterator[int]:
    """Standard input as an unnamed file: a program that reads nothing blocks nobody."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file.fileno()


class _LastWords(asyncio.Protocol):
    """Keeps the first bytes of the program's standard error and lets the rest go.

    A pipe of our own: what the program leaves running may hold it open for ever, and must not hold us.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._ended = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None
        read_end, self.write_end = os.pipe()
        self._pipe = os.fdopen(read_end, "rb", buffering=0)

    def __enter__(self) -> _LastWords:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_write_end()
        if self._transport is not None:
            self._transport.close()
        else:
            self._pipe.close()

    def close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: self, self._pipe)

    def data_received(self, data: bytes) -> None:
        self._kept += data[: _KEPT_BYTES - len(self._kept)]

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()

    async def first_line(self) -> str:
        """The first line that says something, clean."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _LAST_WORDS_S)
        lines = (clean_text(line, limit=160) for line in self._kept.decode("utf-8", "replace").splitlines())
        return next((line for line in lines if line), "")


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
