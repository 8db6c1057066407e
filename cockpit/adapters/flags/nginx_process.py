"""The file of splits on disk, and the nginx that has loaded it or not.

A file says what nginx will do after its next reload. What it does now is seen in its workers: those
that the master started after the file was last changed have read it. (Linux only: elsewhere nobody can
tell. A worker that died and was started again by an old master is the one case that looks newer than
what it read.)
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, Unreachable
from cockpit.adapters.flags.outcome import unknown, words
from cockpit.adapters.http_path import plan_fault
from cockpit.adapters.program import plain_environment, program_name, run, said_lines
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.core.clock import Clock

_LARGEST: Final = 1_000_000
_TICK_S: Final = 0.025
_MASTER: Final = "nginx: master process"
_WORKER: Final = "nginx: worker process"
_LEAVING: Final = "shutting down"
_STARTED_FIELD: Final = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The file at one moment. changed_at_s: the later of its two times, because a copy may keep the time of
    its original; so a changed owner or mode counts as a change, too, until nginx reloads.
    """

    text: str
    changed_at_s: float
    mode: int
    owner: int
    group: int


class SplitFile:
    """Every method blocks for the time of a small file and is called from a thread."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.shown = clean_text(path, limit=120)

    def read(self) -> Content:
        """Raises AdapterError."""
        with self._troubles(), self.path.open("rb") as file:
            raw, status = file.read(_LARGEST + 1), os.fstat(file.fileno())
        if len(raw) > _LARGEST:
            raise BrokenAnswer(Failure(title=f"{self.shown} is larger than {_LARGEST} bytes"), sent=False)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BrokenAnswer(Failure(title=f"{self.shown} is not valid UTF-8"), sent=False) from None
        return Content(
            text=text,
            changed_at_s=max(status.st_mtime, status.st_ctime),
            mode=status.st_mode & 0o7777,
            owner=status.st_uid,
            group=status.st_gid,
        )

    def replace(self, before: Content, text: str, allow: Callable[[], None] = lambda: None) -> bool:
        """Put `text` there in one step, with owner and mode as they are; False when the file is no longer
        as `before` says. Raises AdapterError, and then nothing was changed; so does `allow`, asked last.
        """
        with self._troubles():
            target = self.path.resolve(strict=True)
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".cockpit", dir=target.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(text.encode())
                    os.fchmod(file.fileno(), before.mode)
                    if (before.owner, before.group) != (os.geteuid(), os.getegid()):
                        os.fchown(file.fileno(), before.owner, before.group)
                    file.flush()
                    os.fsync(file.fileno())
                if target.read_bytes() != before.text.encode():
                    return False
                allow()
                Path(name).replace(target)
            finally:
                Path(name).unlink(missing_ok=True)
            _sync_folder(target.parent)
        return True

    def may_be_replaced(self) -> bool:
        return os.access(self.path.resolve().parent, os.W_OK | os.X_OK)

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise file_trouble(self.shown, error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """nginx as it runs. loaded_at_s: when the oldest worker that takes connections started (seconds since
    1970), None where nobody can tell. workers: those. leaving: old workers that only finish what they have.
    """

    pid: int
    loaded_at_s: float | None
    workers: frozenset[int]
    leaving: int

    def has_loaded(self, content: Content) -> bool | None:
        """Whether the workers read the file as it is; None: nobody can tell."""
        return None if self.loaded_at_s is None else self.loaded_at_s >= content.changed_at_s - _TICK_S


def running(pid_file: str, clock: Clock | None) -> Running:
    """The master that the pid file names. Raises AdapterError when that is no nginx master."""
    shown = clean_text(pid_file, limit=120)
    try:
        text = Path(pid_file).read_text("ascii", "replace").strip()
    except FileNotFoundError:
        raise Unreachable(Failure(title=f"nginx does not run: there is no {shown}"), sent=False) from None
    except OSError as error:
        raise file_trouble(shown, error) from None
    if not (text.isdigit() and 1 < int(text[:10]) < 2**31):
        raise BrokenAnswer(Failure(title=f"{shown} holds no process id"), sent=False)
    try:
        master = psutil.Process(int(text))
        if not _title(master).startswith(_MASTER):
            raise psutil.NoSuchProcess(master.pid)
        children = master.children()
    except psutil.Error:
        failure = Failure(title=f"nginx does not run: process {text} of {shown} is no nginx master")
        raise Unreachable(failure, sent=False) from None
    titles = {child.pid: _title_of_any(child) for child in children}
    workers = {pid: title for pid, title in titles.items() if title.startswith(_WORKER)}
    taking = frozenset(pid for pid, title in workers.items() if _LEAVING not in title)
    ages = [_age_s(pid) for pid in taking]
    told = [age for age in ages if age is not None]
    known = clock is not None and told and len(told) == len(ages)
    loaded_at_s = clock.now().timestamp() - max(told) if clock is not None and known else None
    leaving = len(workers) - len(taking)
    return Running(pid=master.pid, loaded_at_s=loaded_at_s, workers=taking, leaving=leaving)


async def complaint(argv: Sequence[str], timeout_s: float) -> str:
    """What `nginx -t` has against the configuration; empty when it is good."""
    try:
        ended = await run(argv, environment=plain_environment(), timeout_s=timeout_s, listen=False)
    except AdapterError as error:
        return words(error)
    if ended.code == 0:
        return ""
    lines = list(said_lines(ended.err, 200))
    return next((line for line in lines if "[emerg]" in line), lines[0] if lines else ended.words)


async def ask_to_reload(nginx: Running, argv: Sequence[str] | None, timeout_s: float) -> None:
    """By the program or by SIGHUP. Raises AdapterError when nothing was asked, Stop when nobody knows."""
    if argv is not None:
        ended = await run(argv, environment=plain_environment(), timeout_s=timeout_s, listen=False)
        if ended.code != 0:
            raise unknown(f"{program_name(argv)} {ended.words}: {ended.complaint()}".rstrip(": "))
        return
    try:
        os.kill(nginx.pid, signal.SIGHUP)
    except OSError as error:
        raise file_trouble(f"the nginx master (process {nginx.pid})", error) from None


def may_be_asked(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


def file_trouble(shown: str, error: OSError) -> AdapterError:
    """Nothing was changed."""
    why = clean_text(error.strerror or "no reason given", limit=80)
    if isinstance(error, PermissionError):
        failure = Failure(title=f"{shown}: {why}", retryable=False, fault=Fault.CREDENTIAL)
        return RefusedByService(failure, sent=False)
    if isinstance(error, FileNotFoundError):
        return plan_fault(f"{shown}: {why}")
    return Unreachable(Failure(title=f"{shown}: {why}"), sent=False)


def _title(process: psutil.Process) -> str:
    return " ".join(process.cmdline()).strip()


def _title_of_any(process: psutil.Process) -> str:
    """Empty for one that has ended meanwhile, as old workers do."""
    try:
        return _title(process)
    except psutil.Error:
        return ""


def _age_s(pid: int) -> float | None:
    """Seconds since a process started, to a hundredth; psutil's own start times are off by up to a second."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        started_s = int(fields[_STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")
        return float(Path("/proc/uptime").read_text().split()[0]) - started_s
    except (OSError, ValueError, IndexError):
        return None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
