"""A double of HAProxy's runtime socket: the sentences and tables that were recorded from 2.6.12.

It has the three backends of the real server's test configuration, forgets its weights on a reload, and
can refuse, fall silent or hang up, which is hard to ask of a real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.haproxy_server import FLAGS

_COLUMNS = (
    "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight"
    " srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state"
    " srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl"
    " srv_check_port srv_check_addr srv_agent_addr srv_agent_port"
)
_STATES = {"ready": 0, "maint": 1, "drain": 8}


@dataclass(slots=True, kw_only=True)
class FakeServer:
    weight: int
    initial: int
    admin: int = 0
    down: bool = False
    slow: bool = False
    starting: bool = False
    agent: bool = False

    @property
    def op_state(self) -> int:
        if self.down or self.admin & 1:
            return 0
        return 1 if self.starting else 2

    @property
    def agent_state(self) -> int:
        return 22 if self.agent else 0


@dataclass(slots=True)
class HaproxyDouble:
    """`before` is called with every line just before it is obeyed; what it returns replaces the answer."""

    path: Path
    level: str = "admin"
    backends: dict[str, dict[str, FakeServer]] = field(default_factory=dict)
    algorithms: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    before: Callable[[str], str | None] | None = None
    silent: bool = False

    @property
    def socket(self) -> str:
        return str(self.path)

    def reload(self, *, configured: int = 0) -> None:
        def two() -> dict[str, FakeServer]:
            return {"legacy": FakeServer(weight=100, initial=100), "new": FakeServer(weight=0, initial=0)}

        third = FakeServer(weight=10, initial=10)
        self.backends = {"split": two(), "rigid": two(), "crowd": {**two(), "third": third}}
        self.backends["split"]["new"] = FakeServer(weight=configured, initial=configured)
        self.backends |= {name: two() for name in FLAGS}
        self.backends |= {"slow": two(), "weary": two()}
        self.backends["slow"]["new"].slow = self.backends["weary"]["legacy"].slow = True
        nursed = FakeServer(weight=50, initial=50, agent=True)
        self.backends["nursed"] = {**two(), "new": nursed}
        self.algorithms = dict.fromkeys(self.backends, "roundrobin")
        self.algorithms |= {"rigid": "static-rr", "crowd": "leastconn"}

    def say(self, line: str, *, level: str | None = None) -> str:
        """The answer to one line, whoever sends it."""
        kept, self.level = self.level, level or self.level
        try:
            return "".join(self._obey(command.strip()) for command in line.split(";"))
        finally:
            self.level = kept

    def weights(self, backend: str = "split") -> tuple[int, int]:
        servers = self.backends[backend]
        return servers["legacy"].weight, servers["new"].weight

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            line = (await reader.readline()).decode().rstrip("\n")
            self.lines.append(line)
            if self.silent:
                await reader.read()
            replaced = self.before(line) if self.before is not None else None
            writer.write((self.say(line) if replaced is None else replaced).encode())
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _obey(self, command: str) -> str:
        words = command.split()
        match words[:2]:
            case ["show", "info"]:
                return "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 1\n\n"
            case ["show", "cli"]:
                return f"{self.level}\n\n"
            case ["show", "stat"]:
                return self._statistics(words[2])
            case ["show", "servers"]:
                return self._state(words[3])
            case ["get", "weight"]:
                backend, _, server = words[2].partition("/")
                found = self.backends[backend][server]
                return f"{found.weight} (initial {found.initial})\n\n"
            case ["set", _] if self.level != "admin":
                return "Permission denied\n\n"
            case ["set", "weight"]:
                return self._set_weight(words[2], words[3])
            case ["set", "server"]:
                return self._set_state(words[2], words[4])
        return f"Unknown command: '{command}'\n\n"

    def _state(self, backend: str) -> str:
        if backend not in self.backends:
            return "Can't find backend.\n\n"
        lines = [
            f"3 {backend} {number} {name} 127.0.0.1 {server.op_state} {server.admin} {server.weight}"
            f" {server.initial} 29 1 0 2 0 {server.agent_state} 0 0 - 28101 - 0 0 - - 0"
            for number, (name, server) in enumerate(self.backends[backend].items(), 1)
        ]
        return "\n".join(["1", f"# {_COLUMNS}", *lines]) + "\n\n"

    def _statistics(self, backend: str) -> str:
        if backend not in self.backends:
            return "No such proxy.\n\n"
        algorithm = self.algorithms[backend] if self.level != "user" else ""
        return f"# pxname,svname,status,algo,\n{backend},legacy,UP,,\n{backend},BACKEND,UP,{algorithm},\n\n"

    def _set_weight(self, name: str, weight: str) -> str:
        backend, _, server = name.partition("/")
        if backend not in self.backends:
            return "No such backend.\n\n"
        if server not in self.backends[backend]:
            return "No such server.\n\n"
        if not 0 <= int(weight) <= 256:
            return "Absolute weight can only be between 0 and 256 inclusive.\n\n"
        found = self.backends[backend][server]
        if self.algorithms[backend] == "static-rr" and int(weight) not in (0, found.initial):
            return "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n\n"
        found.weight = int(weight)
        return "\n"

    def _set_state(self, name: str, state: str) -> str:
        backend, _, server = name.partition("/")
        found = self.backends[backend][server]
        found.starting = found.slow and state == "ready" and bool(found.admin & 1)
        found.admin = _STATES[state]
        return "\n"


@asynccontextmanager
async def haproxy_double(folder: Path) -> AsyncIterator[HaproxyDouble]:
    double = HaproxyDouble(folder / "haproxy.sock")
    double.reload()
    server = await asyncio.start_unix_server(double.serve, double.path)
    try:
        yield double
    finally:
        server.close()
        await server.wait_closed()
