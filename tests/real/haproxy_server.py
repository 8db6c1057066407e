"""A private HAProxy whose two sides are frontends of its own, each answering with its name."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.real.servers import Server, free_port, program, running, scratch

_CONFIG = """
global
  stats socket {folder}/admin.sock mode 600 level admin
  stats socket {folder}/user.sock mode 600 level user
  stats socket ipv4@127.0.0.1:{control} level admin
  maxconn 200
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
frontend entry
  bind 127.0.0.1:{entry}
  default_backend split
frontend is_legacy
  bind 127.0.0.1:{legacy}
  http-request return status 200 content-type text/plain string legacy
frontend is_new
  bind 127.0.0.1:{new}
  http-request return status 200 content-type text/plain string new
backend split
  balance roundrobin
  server legacy 127.0.0.1:{legacy} weight 100
  server new 127.0.0.1:{new} weight {configured}
backend rigid
  balance static-rr
  server legacy 127.0.0.1:{legacy} weight 100
  server new 127.0.0.1:{new} weight 0
backend crowd
  balance leastconn
  server legacy 127.0.0.1:{legacy} weight 100
  server new 127.0.0.1:{new} weight 0
  server third 127.0.0.1:{new} weight 10
backend slow
  balance roundrobin
  server legacy 127.0.0.1:{legacy} weight 100
  server new 127.0.0.1:{new} weight 0 check inter 100ms slowstart 60s
backend weary
  balance roundrobin
  server legacy 127.0.0.1:{legacy} weight 100 check inter 100ms slowstart 60s
  server new 127.0.0.1:{new} weight 0
backend nursed
  balance roundrobin
  server legacy 127.0.0.1:{legacy} weight 100
  server new 127.0.0.1:{new} weight 50 agent-check agent-port {agent} agent-inter 100ms
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Haproxy:
    """A running HAProxy, and its runtime socket past our adapter."""

    server: Server
    folder: Path
    entry: str
    control: str
    ports: tuple[tuple[str, int], ...]

    @property
    def socket(self) -> str:
        return str(self.folder / "admin.sock")

    @property
    def user_socket(self) -> str:
        return str(self.folder / "user.sock")

    def say(self, line: str, *, level: str | None = None) -> str:
        """One line and its answer, from the admin socket or from the one of that level."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(str(self.folder / f"{level or 'admin'}.sock"))
            link.sendall(line.encode() + b"\n")
            return b"".join(iter(lambda: link.recv(65536), b"")).decode()

    def weights(self, backend: str = "split") -> tuple[int, int]:
        """Of the legacy and of the new server."""
        told = self.say(f"get weight {backend}/legacy;get weight {backend}/new").split("\n")
        return int(told[0].split()[0]), int(told[2].split()[0])

    def served(self, requests: int = 100) -> int:
        """How many of so many requests the new side answers."""
        with httpx.Client(trust_env=False, timeout=5) as client:
            return sum(client.get(self.entry).text == "new" for _ in range(requests))

    def reload(self, *, configured: int = 0) -> None:
        """What an operator's `systemctl reload haproxy` does; returns once a new worker answers."""
        before = self._worker()
        self._configure(configured)
        self.server.wait_until(self._listens_to_signals, "ready for a signal")
        self.server.process.send_signal(signal.SIGUSR2)
        self.server.wait_until(lambda: self._worker() not in (None, before), "reloaded")

    def _listens_to_signals(self) -> bool:
        """While the master starts itself anew it blocks signals, and loses those that come."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
        bit = 1 << (signal.SIGUSR2 - 1)
        return bool(int(masks["SigCgt"], 16) & bit) and not int(masks["SigBlk"], 16) & bit

    def _configure(self, configured: int) -> None:
        write_config(self.folder, dict(self.ports), configured=configured)

    def _worker(self) -> str | None:
        with suppress(OSError):
            told = self.say("show info").split("\n")
            return next((line for line in told if line.startswith("Pid: ")), None)
        return None


FLAGS = tuple(f"flag{number}" for number in range(16))
"""Backends that no test but the suite of levers uses."""

_FLAG = """
backend {name}
  server legacy 127.0.0.1:{legacy} weight 100
  server new 127.0.0.1:{new} weight 0
"""


def write_config(folder: Path, ports: dict[str, int], *, configured: int) -> None:
    text = _CONFIG.format(folder=folder, configured=configured, **ports)
    text += "".join(_FLAG.format(name=name, legacy=ports["legacy"], new=ports["new"]) for name in FLAGS)
    (folder / "haproxy.cfg").write_text(text)


@contextmanager
def haproxy() -> Iterator[Haproxy]:
    """In master-worker mode, as packages start it, so that it can be reloaded."""
    binary = program("haproxy", "/usr/sbin")
    with scratch("haproxy") as folder:
        ports = {name: free_port() for name in ("entry", "legacy", "new", "control", "agent")}
        write_config(folder, ports, configured=0)

        def answers() -> bool:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as link:
                link.connect(str(folder / "admin.sock"))
                return True
            return False

        argv = [binary, "-W", "-f", "haproxy.cfg"]
        with running("haproxy", argv, port=ports["entry"], folder=folder, ready=answers) as server:
            yield Haproxy(
                server=server,
                folder=folder,
                entry=f"http://127.0.0.1:{ports['entry']}/",
                control=f"127.0.0.1:{ports['control']}",
                ports=tuple(ports.items()),
            )
