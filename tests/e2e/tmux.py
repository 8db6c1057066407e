"""A private tmux server: its own socket, no configuration, ended with the test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.e2e.terminal import wait_until
from tests.real.servers import program, scratch


@dataclass(frozen=True, slots=True)
class Tmux:
    """One session; panes are numbered from 0 in the order in which they were opened."""

    program: str
    env: Mapping[str, str]

    @property
    def base(self) -> list[str]:
        return [self.program, "-u", "-f", "/dev/null", "-L", "cockpit"]

    def attach(self) -> list[str]:
        """The command that shows the session in a terminal."""
        return [*self.base, "attach"]

    def do(self, *words: str) -> str:
        ended = subprocess.run([*self.base, *words], env=dict(self.env), capture_output=True, text=True)
        assert ended.returncode == 0, f"tmux {words}: {ended.stderr}"
        return ended.stdout

    def text(self, pane: int = 0) -> str:
        return self.do("capture-pane", "-p", "-t", f":0.{pane}")

    def press(self, keys: str, pane: int = 0) -> None:
        self.do("send-keys", "-t", f":0.{pane}", "-l", keys)

    def expect(self, text: str, pane: int = 0) -> None:
        try:
            wait_until(lambda: text in self.text(pane), text, 45)
        except AssertionError:
            raise AssertionError(f"pane {pane} never said {text!r}:\n{self.text(pane)}") from None

    def split(self, command: Sequence[str]) -> None:
        """Another pane below, without taking the keys from the first."""
        self.do("split-window", "-d", "-v", *command)

    @property
    def clients(self) -> list[str]:
        """The terminals that show the session now."""
        return self.do("list-clients").splitlines()

    def kill(self) -> None:
        """The server gets a SIGKILL: every pane's terminal is gone at once."""
        os.kill(int(self.do("display-message", "-p", "#{pid}")), signal.SIGKILL)


@contextmanager
def tmux(
    command: Sequence[str], *, env: Mapping[str, str], columns: int = 120, rows: int = 40
) -> Iterator[Tmux]:
    """A session that runs `command`. Skips (or fails, where nothing may be missing) without tmux."""
    found = program("tmux")
    with scratch("tmux") as folder:
        session = Tmux(
            found, {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **env, "TMUX_TMPDIR": str(folder)}
        )
        size = ("-x", str(columns), "-y", str(rows))
        try:
            session.do("new-session", "-d", *size, *command)
            yield session
        finally:
            with suppress(AssertionError):  # it may have been killed, or have ended with its last pane
                session.do("kill-server")
