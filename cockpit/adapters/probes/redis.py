"""A Redis (or Valkey) server: does it answer, what is it, how long are its queues.

DOWN: it refuses the connection, has another role than the plan says, or a queue is longer than its `down`.
DEGRADED: it loads its data, takes no more clients, cannot save, a replica lost its primary, a queue is
longer than its `degraded`, or it is slow. Wrong passwords and missing rights (NOAUTH, WRONGPASS, NOPERM),
names that do not resolve and our own time limit raise, and so become UNKNOWN, as is a limit for what has no
length.

Asked are AUTH, SELECT, PING, INFO, TYPE and the length of each queue: nothing that writes or blocks.
Redis has no empty lists: a queue that is not there is empty, or its name is wrong, and that is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cockpit.adapters.base import (
    BrokenAnswer,
    Seconds,
    Settings,
)
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.fields import Host, Port, Reference
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.resp import RedisError, Resp, read_info, refusal
from cockpit.adapters.stream import Dialer, tls_context
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.secret import Secret
from cockpit.core.tables import Bound, Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

_LENGTHS: Final = {"list": "LLEN", "stream": "XLEN", "zset": "ZCARD", "set": "SCARD", "hash": "HLEN"}
_WEAK: Final = {
    "LOADING": "it loads its data and answers nothing yet",
    "MASTERDOWN": "it lost its primary and answers nothing",
    "CLUSTERDOWN": "its cluster is down",
}
_ROLES: Final = {"master": "primary", "slave": "replica"}
_FACTS: Final = (
    ("clients", "connected_clients"),
    ("blocked clients", "blocked_clients"),
    ("operations/s", "instantaneous_ops_per_sec"),
    ("memory", "used_memory_human"),
    ("evicted keys", "evicted_keys"),
    ("rejected connections", "rejected_connections"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue(Settings):
    """Limits of one list, stream, sorted set, set or hash."""

    degraded: Annotated[int, Bound(ge=0)] | None = None
    """Longer than this is degraded."""
    down: Annotated[int, Bound(ge=0)] | None = None
    """Longer than this is down."""

    def __post_init__(self) -> None:
        if self.degraded is not None and self.down is not None and self.down < self.degraded:
            raise ValueError("down is not below degraded")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisProbeSettings(Settings):
    """A Redis or Valkey server."""

    host: Host
    """A name or an address."""
    port: Port = 6379
    """The port that is connected to."""
    tls: bool = False
    """Whether the port speaks TLS."""
    ca_file: str | None = None
    """With tls: trust this PEM file alone instead of the usual authorities."""
    user: Annotated[str, Size(1)] | None = None
    """With an ACL: who asks. It needs +ping +info +type and the length commands of its queues."""
    password: Reference | None = None
    """Sent with AUTH."""
    database: Annotated[int, Bound(ge=0, le=65535)] = 0
    """The database in which the queues are."""
    role: Literal["primary", "replica"] | None = None
    """What it must be; another role is down."""
    queues: Mapping[Annotated[str, Size(1, 500)], Queue] = field(default_factory=dict)
    """Keys whose length is told, each with its limits: { "bull:mail:wait" = { degraded = 100 } }."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """A PING slower than this is degraded."""


def build(settings: RedisProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> RedisProbe:
    """Raises what `secret` raises, and RefusedByService for a CA file that cannot be used."""
    password = None if settings.password is None else secret(settings.password)
    tls = tls_context(settings.ca_file) if settings.tls else None
    return RedisProbe(settings, Dialer(settings.host, settings.port, tls=tls), password, timeout_s=timeout_s)


@dataclass(slots=True, kw_only=True)
class _Finding:
    took_s: float
    wrong: list[str] = field(default_factory=list)
    blind: list[str] = field(default_factory=list)
    weak: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    def value(self) -> ProbeValue:
        found = ((self.wrong, Health.DOWN), (self.blind, Health.UNKNOWN), (self.weak, Health.DEGRADED))
        return ProbeValue(
            health=next((health for words, health in found if words), Health.OK),
            detail=clean_text("; ".join([*self.wrong, *self.blind, *self.weak]) or "answers"),
            latency_ms=self.took_s * 1000,
            facts=tuple(self.facts),
        )


class RedisProbe:
    """One connection per poll. Remembers which run of the server answered, to notice a restart."""

    def __init__(
        self, settings: RedisProbeSettings, dialer: Dialer, password: Secret | None, *, timeout_s: float
    ) -> None:
        self._settings = settings
        self._dialer = dialer
        self._password = password
        self._timeout_s = timeout_s
        self._run = ""

    async def probe(self) -> ProbeValue:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask()
        except TimeoutError:
            failure = Failure(title=f"no answer from {self._dialer.address} within {self._timeout_s:g} s")
            raise NoAnswer(failure, cause=Cause.TIMEOUT, sent=True) from None
        except RedisError as error:
            weakness = _weakness(error)
            if weakness:
                return ProbeValue(health=Health.DEGRADED, detail=weakness)
            raise refusal(error, self._dialer.address) from None
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED:
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise

    async def aclose(self) -> None:
        """Nothing is kept open between polls."""

    async def _ask(self) -> ProbeValue:
        stream = await self._dialer.open(self._timeout_s)
        try:
            resp = Resp(stream, self._dialer.address)
            await self._enter(resp)
            began_s = asyncio.get_running_loop().time()
            await resp.ask("PING")
            finding = _Finding(took_s=asyncio.get_running_loop().time() - began_s)
            info = await resp.ask("INFO")
            if not isinstance(info, str):
                raise BrokenAnswer(Failure(title=f"{self._dialer.address} answers INFO with no text"))
            self._take_info(read_info(info), finding)
            await self._take_queues(resp, finding)
        finally:
            stream.close()
        self._take_latency(finding)
        return finding.value()

    async def _enter(self, resp: Resp) -> None:
        if self._password is not None:
            user = () if self._settings.user is None else (self._settings.user,)
            await resp.ask("AUTH", *user, self._password.reveal())
        if self._settings.database:
            await resp.ask("SELECT", str(self._settings.database))

    def _take_info(self, info: Mapping[str, str], finding: _Finding) -> None:
        version = info.get("valkey_version") or info.get("redis_version", "")
        role = _ROLES.get(info.get("role", ""), info.get("role", "")) or "not told"
        run, uptime = info.get("run_id", ""), info.get("uptime_in_seconds", "")
        restarted = ", restarted" if self._run and run and run != self._run else ""
        self._run = run or self._run
        finding.facts.append(("version", version or "not told"))
        finding.facts.append(("role", role))
        if uptime.isdigit() and len(uptime) < 12:
            finding.facts.append(("up", f"{length(float(uptime))}{restarted}"))
        finding.facts.extend((name, info[key]) for name, key in _FACTS if key in info)
        self._take_role(info, role, finding)
        if "err" in (info.get("rdb_last_bgsave_status"), info.get("aof_last_write_status")):
            finding.weak.append("it cannot save its data")

    def _take_role(self, info: Mapping[str, str], role: str, finding: _Finding) -> None:
        wanted = self._settings.role
        if wanted is not None and role != wanted:
            finding.wrong.append(f"is a {role}, the plan expects a {wanted}")
        if role == "replica":
            link = info.get("master_link_status", "not told")
            finding.facts.append(("link to its primary", link))
            if link != "up":
                finding.weak.append(f"its link to its primary is {link}")
        elif "connected_slaves" in info:
            finding.facts.append(("replicas", info["connected_slaves"]))

    async def _take_queues(self, resp: Resp, finding: _Finding) -> None:
        """Their kinds first, then their lengths: two trips for however many queues."""
        names = list(self._settings.queues)
        kinds = await resp.ask_all([("TYPE", name) for name in names])
        asked = [
            (name, _LENGTHS[kind])
            for name, kind in zip(names, kinds, strict=True)
            if isinstance(kind, str) and kind in _LENGTHS
        ]
        lengths = await resp.ask_all([(command, name) for name, command in asked])
        found = dict(zip((name for name, _ in asked), lengths, strict=True))
        for name, kind in zip(names, kinds, strict=True):
            self._take_queue(name, found.get(name, kind), finding)

    def _take_queue(self, name: str, answer: str | int | RedisError | None, finding: _Finding) -> None:
        """`answer` is a length, or the kind that has none, or why there is neither."""
        label, limits = clean_text(name, limit=60), self._settings.queues[name]
        if isinstance(answer, RedisError):
            raise refusal(answer, self._dialer.address)
        if not isinstance(answer, int):
            told = "0 (no such key)" if answer == "none" else f"not known: a {clean_text(answer, limit=20)}"
            finding.facts.append((label, told))
            if answer != "none" and limits != Queue():
                finding.blind.append(f"the limit of {label} is not looked at: it has no length")
            return
        finding.facts.append((label, str(answer)))
        if limits.down is not None and answer > limits.down:
            finding.wrong.append(f"{label} holds {answer}, the limit is {limits.down}")
        elif limits.degraded is not None and answer > limits.degraded:
            finding.weak.append(f"{label} holds {answer}, the limit is {limits.degraded}")

    def _take_latency(self, finding: _Finding) -> None:
        limit_s = self._settings.latency_limit
        if limit_s is not None and finding.took_s > limit_s:
            slow = f"slow: {finding.took_s * 1000:.0f} ms, the limit is {limit_s * 1000:.0f} ms"
            finding.weak.append(slow)


def _weakness(error: RedisError) -> str:
    if "max number of clients" in error.words:
        return "it takes no more clients"
    return _WEAK.get(error.code, "")
