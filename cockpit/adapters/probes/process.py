"""A program on this host: whether it runs, since when, and what it takes.

DOWN: nothing runs under that name or number, or it is a zombie. What the system does not let us see
(another user's open files) is said and is no fault. The first poll knows no CPU yet: that needs two.
Command lines are compared and never shown, because they may hold secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import psutil

from cockpit.adapters.aside import Aside
from cockpit.adapters.base import RefusedByService, Settings, Unreachable
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, Health, ProbeValue
from cockpit.core.tables import After, Bound, Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

_MEGA: Final = 1_000_000
_PID_LIMIT: Final = 2**31
_FILE_LIMIT: Final = 64
_GONE: Final = (psutil.NoSuchProcess, psutil.ZombieProcess)


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError('a whole path is needed, such as "/run/legacy.pid"')
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessProbeSettings(Settings):
    """A program on the host on which the cockpit runs, by `program`, `pid` or `pid_file`."""

    program: Annotated[str, Size(1)] | None = None
    """The program's name, such as "postgres"; with pid or pid_file, what must run under that number."""
    argument: Annotated[str, Size(1)] | None = None
    """One of its arguments must be this, to tell programs of one name apart ("manage.py")."""
    pid: Annotated[int, Bound(ge=1, lt=_PID_LIMIT)] | None = None
    """Its number; it is another one after every restart."""
    pid_file: Annotated[str, After(_absolute)] | None = None
    """The file in which it leaves its number."""
    memory_limit_mb: Annotated[int, Bound(ge=1)] | None = None
    """More memory (resident, all matches together, in MB) is degraded."""

    def __post_init__(self) -> None:
        if self.pid is not None and self.pid_file is not None:
            raise ValueError("pid or pid_file, not both")
        if self.program is None and self.pid is None and self.pid_file is None:
            raise ValueError("program, pid or pid_file is missing")


def build(settings: ProcessProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> ProcessProbe:
    return ProcessProbe(settings, timeout_s=timeout_s)


class ProcessProbe:
    """Reads the process table beside the loop; keeps what it saw, to measure CPU and to notice restarts."""

    def __init__(self, settings: ProcessProbeSettings, *, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._table = Aside("look at the process table")
        self._known: dict[int, psutil.Process] = {}

    async def probe(self) -> ProbeValue:
        try:
            return await self._table.run(self._look, self._timeout_s)
        except TimeoutError as late:
            title = clean_text(late) or f"the process table was not read within {self._timeout_s:g} s"
            raise Unreachable(Failure(title=title, fault=Fault.COCKPIT)) from None

    async def aclose(self) -> None:
        """Nothing is kept open between polls."""

    def _look(self) -> ProbeValue:
        before, found = self._known, self._find()
        self._known = {each.pid: before[each.pid] if before.get(each.pid) == each else each for each in found}
        seen = list(self._known.values())
        if not seen:
            return ProbeValue(health=Health.DOWN, detail=f"{self._subject} does not run")
        running = [each for each in seen if _runs(each)]
        if not running:
            return ProbeValue(health=Health.DOWN, detail=f"{self._subject} is a zombie")
        stayed = [each for each in running if before.get(each.pid) == each]
        return self._describe(running, stayed, restarted=bool(before) and not stayed)

    @property
    def _subject(self) -> str:
        given = self._settings
        number = f"process {given.pid}" if given.pid is not None else given.pid_file and "the one in pid_file"
        return clean_text(given.program or number or "", limit=60)

    def _find(self) -> list[psutil.Process]:
        given = self._settings
        if given.pid is None and given.pid_file is None:
            found = [each for each in psutil.process_iter() if self._matches(each)]
            return sorted(found, key=lambda each: each.pid)
        pid = given.pid if given.pid_file is None else _number_in(Path(given.pid_file))
        if pid is None:
            return []
        try:
            one = psutil.Process(pid)
        except _GONE:
            return []
        return [one] if self._matches(one) else []

    def _matches(self, process: psutil.Process) -> bool:
        name, argument = self._settings.program, self._settings.argument
        try:
            if name is not None and process.name() != name:
                return False
            return argument is None or argument in process.cmdline()
        except _GONE:
            return False
        except psutil.AccessDenied:
            return False  # we cannot see that it is the one

    def _describe(
        self, running: Sequence[psutil.Process], stayed: Sequence[psutil.Process], *, restarted: bool
    ) -> ProbeValue:
        """`stayed` were there at the last poll, too: a share of the CPU is told between two looks."""
        memory = sum(_number(each, "memory") or 0.0 for each in running)
        for each in running:
            if each not in stayed:
                _number(each, "cpu")
        oldest = running[0] if len(running) == 1 else min(running, key=_since)
        since = datetime.fromtimestamp(_since(oldest), UTC)
        facts = [
            ("pid", str(oldest.pid)),
            ("since", f"{since:%Y-%m-%d %H:%M:%S} UTC" + (", restarted" if restarted else "")),
            ("CPU", _sum_of(stayed, "cpu", "{:.0f} %") if stayed else "not measured yet"),
            ("memory", f"{memory / _MEGA:.0f} MB"),
            ("open files", _sum_of(running, "files", "{:.0f}")),
        ]
        if len(running) > 1:
            facts.insert(0, ("matches", f"{len(running)}, all counted; pid and since are the oldest's"))
        limit = self._settings.memory_limit_mb
        if limit is not None and memory > limit * _MEGA:
            detail = f"takes {memory / _MEGA:.0f} MB, the limit is {limit} MB"
            return ProbeValue(health=Health.DEGRADED, detail=detail, facts=tuple(facts))
        several = f" ({len(running)} of them)" if len(running) > 1 else ""
        return ProbeValue(health=Health.OK, detail=f"runs{several}", facts=tuple(facts))


def _number_in(path: Path) -> int | None:
    """The number in a pid file; None without a file, as after a clean stop. Raises RefusedByService."""
    try:
        with path.open("rb") as file:
            words = file.read(_FILE_LIMIT).split()
    except FileNotFoundError:
        return None
    except OSError as error:
        why = clean_text(error.strerror or "no reason given", limit=80)
        failure = Failure(title=f"the pid file cannot be read: {why}", fault=Fault.PLAN)
        raise RefusedByService(failure, sent=False) from None
    first = words[0] if words else b""
    if not first.isdigit() or not 0 < int(first) < _PID_LIMIT:
        failure = Failure(title="there is no number in the pid file", fault=Fault.PLAN)
        raise RefusedByService(failure, sent=False)
    return int(first)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except _GONE:
        return False
    except psutil.AccessDenied:
        return True


def _since(process: psutil.Process) -> float:
    try:
        return process.create_time()
    except psutil.Error:
        return 0.0


def _number(process: psutil.Process, what: str) -> float | None:
    """One measure of a process; None when the system does not tell, or not yet."""
    try:
        if what == "memory":
            return float(process.memory_info().rss)
        if what == "files":
            return float(process.num_fds())
        return process.cpu_percent()
    except psutil.Error:
        return None


def _sum_of(running: Sequence[psutil.Process], what: str, words: str) -> str:
    numbers = [_number(each, what) for each in running]
    told = [each for each in numbers if each is not None]
    if not told:
        return "not known: no right to see them"
    hidden = f", of {len(told)} that may be seen" if len(told) < len(numbers) else ""
    return words.format(sum(told)) + hidden
