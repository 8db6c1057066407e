"""Real server processes for tests: started on a free loopback port, awaited by condition, ended by pid.

A server that is not installed skips the test and says what is missing; with COCKPIT_REAL=require it
fails instead, so that a machine that should have everything cannot pass by skipping.
"""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NoReturn

import httpx
import psutil
import pytest

_TICK_S = 0.02
_LOG_TAIL = 2000


def missing(what: str) -> NoReturn:
    """Skip the test because `what` is not installed, or fail it where nothing may be missing."""
    if os.environ.get("COCKPIT_REAL") == "require":
        pytest.fail(f"{what}; COCKPIT_REAL=require allows no gap (run .ci/install-real)")
    pytest.skip(f"{what} (run .ci/install-real)")


def program(name: str, *folders: Path | str) -> str:
    """The path of an installed program, looked up in `folders` first. Skips or fails without it."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    return found or missing(f"{name} is not installed")


def free_port() -> int:
    """A loopback port that nobody listens on right now, and that this process gives away once.

    It lies below those that the kernel hands to connections, and in a part that tests of another worker leave
    alone: until its server listens, nobody else may take it.
    """
    for port in _ports:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is left")


def _own_ports() -> Iterator[int]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    first = 11_000 + 2_000 * (int(worker or 0) % 10)
    start = random.randrange(2_000)  # other runs of the tests on this machine begin elsewhere
    yield from (first + (start + step) % 2_000 for step in range(2_000))


_ports = _own_ports()


@contextmanager
def scratch(name: str, *, owner: str | None = None) -> Iterator[Path]:
    """A temporary folder that `owner` owns and may reach (when we are root); removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"cockpit-{name}-"))
    try:
        folder.chmod(0o755)
        if owner is not None and os.geteuid() == 0:
            account = pwd.getpwnam(owner)
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Server:
    """One running process. `log` has everything it printed."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until(self, ready: Callable[[], bool], what: str, *, within_s: float = 80.0) -> None:
        """Return once `ready()` is true. Raises AssertionError with the log when it ends or is too late."""
        give_up_at = monotonic() + within_s
        while not ready():
            if monotonic() > give_up_at:
                raise AssertionError(f"{self.name}: not {what} within {within_s:g} s\n{self.said()}")
            with suppress(subprocess.TimeoutExpired):
                code = self.process.wait(_TICK_S)
                raise AssertionError(f"{self.name} ended with {code} before it was {what}\n{self.said()}")

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text("utf-8", "replace")[-_LOG_TAIL:]

    def connections(self) -> int:
        """How many clients are connected, whether or not it has noticed them."""
        found = psutil.net_connections("tcp4")
        ours = (each for each in found if each.laddr and each.laddr.port == self.port)
        return sum(each.status == psutil.CONN_ESTABLISHED for each in ours)

    def freeze(self) -> None:
        """SIGSTOP to the process and its descendants: connections stay open and nobody answers."""
        self._signal_family(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_family(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def stop(self, how: signal.Signals = signal.SIGTERM, *, within_s: float = 10.0) -> None:
        """Ask it to end, then make it. Harmless when it has ended already."""
        if self.process.poll() is None:
            self.thaw()
            self.process.send_signal(how)
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                self._signal_family(signal.SIGKILL)
        self.process.wait()

    def stop_at_once(self) -> None:
        """SIGKILL to the process and its descendants, as the kernel does when there is no memory left."""
        self._signal_family(signal.SIGKILL)
        self.process.wait()

    def _signal_family(self, number: signal.Signals) -> None:
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            for member in (parent, *parent.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    member.send_signal(number)


@contextmanager
def running(
    name: str,
    argv: Sequence[str],
    *,
    port: int,
    folder: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_with: signal.Signals = signal.SIGTERM,
    within_s: float = 30.0,
) -> Iterator[Server]:
    """Start `argv` in `folder`, yield it once `ready()` is true, and end it by its pid.

    env comes on top of PATH, HOME and LANG; nothing else of ours is handed over. user counts only for root.
    """
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env={**kept, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user if os.geteuid() == 0 else None,
            group=user if os.geteuid() == 0 else None,
            extra_groups=[] if os.geteuid() == 0 and user else None,
            start_new_session=True,
        )
    server = Server(name=name, port=port, process=process, log=log)
    try:
        server.wait_until(ready, "ready", within_s=within_s)
        yield server
    finally:
        server.stop(stop_with)


def answers(url: str, *, status: int = 200) -> Callable[[], bool]:
    """A condition for `ready`: a GET of `url` gives `status`."""

    def condition() -> bool:
        try:
            return httpx.get(url, timeout=2.0, trust_env=False).status_code == status
        except httpx.TransportError:
            return False

    return condition


def listens(port: int) -> Callable[[], bool]:
    """A condition for `ready`: something accepts connections on the loopback port."""

    def condition() -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return condition
