"""Programs that a plan names: run by their argument list, never by a shell, and never longer than allowed.

Each runs in a process group of its own, with the environment it is given and nothing else, and never
holds up the loop. Past its time limit the group is asked to end, and a second later made to; so it is
when we are cancelled. Of what it prints the first bytes are kept and the rest is let go.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Final

from cockpit.adapters.base import RefusedByService, ServiceTrouble, Unreachable
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

GRACE_S: Final = 1.0
KEPT_BYTES: Final = 16_384
_LAST_WORDS_S: Final = 0.2
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended; a negative code is the signal that ended it. `out`, `err`: raw and capped."""

    code: int
    out: bytes
    err: bytes
    took_s: float

    @property
    def words(self) -> str:
        """Such as "ended with exit code 3" or "was ended by SIGSEGV"."""
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        try:
            return f"was ended by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"was ended by signal {-self.code}"

    def complaint(self, limit: int = 160) -> str:
        """The first line of its standard error that says something, clean."""
        return next(said_lines(self.err, limit), "")


def plain_environment(pass_on: Iterable[str] = ()) -> dict[str, str]:
    """PATH, HOME, LANG and their like as we have them, and the variables named."""
    return {name: os.environ[name] for name in (*_PLAIN_ENVIRONMENT, *pass_on) if name in os.environ}


def program_name(argv: Sequence[str]) -> str:
    """What texts call the program: the last part of its path, clean."""
    return clean_text(os.path.basename(argv[0]) or argv[0], limit=40)


def said_lines(raw: bytes, limit: int = 160) -> Iterator[str]:
    """The lines of an output that say something, clean."""
    lines = (clean_text(line, limit=limit) for line in raw.decode("utf-8", "replace").splitlines())
    return (line for line in lines if line)


async def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    stdin: bytes = b"",
    listen: bool = True,
) -> Ended:
    """Run to the end. listen: whether its standard output is kept; its standard error always is.

    Raises RefusedByService for what cannot be started, Unreachable past the time limit (the whole group
    is gone by then), ServiceTrouble when this host has no room for another program.
    """
    name = program_name(argv)
    try:
        return await _run(argv, name, environment, timeout_s, stdin, listen)
    except OSError as error:
        why = clean_text(error.strerror or "no reason given", limit=80)
        failure = Failure(title=f"nothing could be handed to {name}: {why}", fault=Fault.COCKPIT)
        raise ServiceTrouble(failure, sent=False) from None


async def _run(
    argv: Sequence[str],
    name: str,
    environment: Mapping[str, str],
    timeout_s: float,
    stdin: bytes,
    listen: bool,
) -> Ended:
    began_s = asyncio.get_running_loop().time()
    with ExitStack() as open_things:
        given = open_things.enter_context(_input_file(stdin))
        err = open_things.enter_context(_Words())
        out = open_things.enter_context(_Words()) if listen else None
        for words in (err, out) if out else (err,):
            await words.begin()
        process = await _start(
            argv,
            name,
            environment,
            given,
            out.write_end if out else asyncio.subprocess.DEVNULL,
            err.write_end,
        )
        for words in (err, out) if out else (err,):
            words.close_write_end()
        code = await _wait(process, name, timeout_s)
        said, complained = await asyncio.gather(out.kept() if out else _nothing(), err.kept())
    took_s = asyncio.get_running_loop().time() - began_s
    return Ended(code=code, out=said, err=complained, took_s=took_s)


async def _nothing() -> bytes:
    return b""


async def _start(
    argv: Sequence[str], name: str, environment: Mapping[str, str], stdin: int, stdout: int, stderr: int
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=stdin, stdout=stdout, stderr=stderr, env=dict(environment), start_new_session=True
        )
    except OSError as error:
        why = clean_text(error.strerror or "no reason given", limit=80)
        failure = Failure(title=f"{name} cannot be started: {why}", retryable=False, fault=Fault.PLAN)
        raise RefusedByService(failure, sent=False) from None


async def _wait(process: asyncio.subprocess.Process, name: str, timeout_s: float) -> int:
    """The exit code. Raises Unreachable past the time limit; by then the whole group is gone."""
    try:
        return await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        title = f"{name} did not end within {timeout_s:g} s and was ended"
        raise Unreachable(Failure(title=title, fault=Fault.PLAN)) from None
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


class _Words(asyncio.Protocol):
    """Keeps the first bytes that the program prints on one stream and lets the rest go.

    A pipe of our own: what the program leaves running may hold it open for ever, and must not hold us.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        self._ended = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None
        read_end, self.write_end = os.pipe()
        self._pipe = os.fdopen(read_end, "rb", buffering=0)

    def __enter__(self) -> _Words:
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

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: self, self._pipe)

    def data_received(self, data: bytes) -> None:
        self._kept += data[: KEPT_BYTES - len(self._kept)]

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()

    async def kept(self) -> bytes:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _LAST_WORDS_S)
        return bytes(self._kept)
