"""A PostgreSQL database: does it answer, what is it, who is connected, what is written, how far behind.

DOWN: it refuses the connection, says that it is starting or stopping, or has another role than the plan
says. DEGRADED: no more connections or resources, slow, or a replica too far behind. Wrong passwords,
missing rights, our own time limit and unknown names raise, and so become UNKNOWN.

The write rate is the difference of the database's own counters between two polls. Counters that went
back were reset (a crash, or somebody's wish), which is told and is no rate.
Sources: PostgreSQL documentation, "The Cumulative Statistics System"; seen with PostgreSQL 15.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.postgres_rows import HIDDEN
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length
from cockpit.core.model import Health, ProbeValue

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.postgres import Database, Session
    from cockpit.adapters.probes.postgres_settings import PostgresProbeSettings

_APPLICATIONS_SHOWN: Final = 6
_WHO: Final = """SELECT current_setting('server_version'), pg_is_in_recovery(),
    current_setting('default_transaction_read_only'), current_setting('max_connections')::int,
    extract(epoch FROM clock_timestamp())::float8"""
# Without rights over other users their backend_type is null, but their application_name is not.
_CONNECTED: Final = """SELECT coalesce(nullif(application_name, ''), 'without a name'), count(*)
    FROM pg_stat_activity WHERE usesysid IS NOT NULL AND pid <> pg_backend_pid()
    AND coalesce(backend_type, 'client backend') = 'client backend'
    GROUP BY 1 ORDER BY 2 DESC, 1"""
_WRITTEN: Final = """SELECT tup_inserted + tup_updated + tup_deleted, xact_commit
    FROM pg_stat_database WHERE datname = current_database()"""
# Received and replayed alike means caught up only while the receiver is connected.
_BEHIND: Final = """SELECT EXISTS (SELECT FROM pg_stat_wal_receiver), CASE
    WHEN EXISTS (SELECT FROM pg_stat_wal_receiver)
        AND pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8"""
_FOLLOWED: Final = """SELECT count(*), max(extract(epoch FROM replay_lag))::float8,
    max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::float8 FROM pg_stat_replication"""
_EXACT: Final = "SELECT count(*), row_security_active(%s::text) FROM {table}"
_ESTIMATE: Final = "SELECT reltuples::float8 FROM pg_class WHERE oid = to_regclass(%s)"


def build(settings: PostgresProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> PostgresProbe:
    """Raises what `secret` raises, and RefusedByService for a connection string that cannot be used."""
    from cockpit.adapters.postgres import Database

    return PostgresProbe(Database(secret(settings.dsn), timeout_s=timeout_s), settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Rows written and transactions committed since the counters began, at `at_s` on the database's clock."""

    written: float
    committed: float
    at_s: float


@dataclass(slots=True, kw_only=True)
class _Finding:
    took_s: float
    at_s: float
    wrong: str = ""
    weak: list[str] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    def value(self) -> ProbeValue:
        health = Health.DOWN if self.wrong else Health.DEGRADED if self.weak else Health.OK
        return ProbeValue(
            health=health,
            detail=self.wrong or (self.weak[0] if self.weak else "answers"),
            latency_ms=self.took_s * 1000,
            facts=tuple(self.facts),
            server_time=datetime.fromtimestamp(int(self.at_s), UTC),
        )


class PostgresProbe:
    """Keeps the last counters and the last counts between polls."""

    def __init__(self, database: Database, settings: PostgresProbeSettings) -> None:
        self._database = database
        self._settings = settings
        self._counters: Counters | None = None
        self._counted: Mapping[str, str] = {}
        self._counted_at_s = float("-inf")

    async def probe(self) -> ProbeValue:
        from cockpit.adapters.postgres_trouble import DatabaseSays

        try:
            finding = await self._database.read(self._look)
        except DatabaseSays as said:
            return ProbeValue(health=said.health, detail=said.failure.title)
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED:
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise
        return finding.value()

    async def aclose(self) -> None:
        await self._database.aclose()

    async def _look(self, session: Session) -> _Finding:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        version, replica, read_only, most, at_s = await session.row(_WHO)
        finding = _Finding(took_s=loop.time() - began_s, at_s=float(at_s))
        finding.facts.append(("version", clean_text(version, limit=40)))
        self._take_role(finding, replica=bool(replica), read_only=read_only == "on")
        self._take_latency(finding)
        _take_connections(await session.attempt(_CONNECTED), int(most), finding)
        self._take_writes(await session.attempt(_WRITTEN), finding)
        if replica:
            self._take_lag(await session.attempt(_BEHIND), finding)
        else:
            _take_replicas(await session.attempt(_FOLLOWED), finding)
        await self._take_counts(session, finding)
        return finding

    def _take_role(self, finding: _Finding, *, replica: bool, read_only: bool) -> None:
        role, wanted = "replica" if replica else "primary", self._settings.role
        finding.facts.append(("role", f"{role}, read-only by default" if read_only else role))
        if wanted is not None and role != wanted:
            finding.wrong = f"is a {role}, the plan expects a {wanted}"

    def _take_latency(self, finding: _Finding) -> None:
        limit_s = self._settings.latency_limit
        if limit_s is not None and finding.took_s > limit_s:
            slow = f"slow: {finding.took_s * 1000:.0f} ms, the limit is {limit_s * 1000:.0f} ms"
            finding.weak.append(slow)

    def _take_writes(self, answer: Sequence[Any] | AdapterError, finding: _Finding) -> None:
        if isinstance(answer, AdapterError) or not answer:
            finding.facts.append(("writes", _not_known(answer)))
            return
        written, committed = answer[0]
        now = Counters(written=float(written), committed=float(committed), at_s=finding.at_s)
        finding.facts.append(("writes", rate_words(self._counters, now)))
        self._counters = now

    def _take_lag(self, answer: Sequence[Any] | AdapterError, finding: _Finding) -> None:
        if isinstance(answer, AdapterError) or not answer:
            finding.facts.append(("behind", _not_known(answer)))
            return
        (linked, behind_s), limit_s = answer[0], self._settings.lag_limit
        link = "" if linked else ", not connected to its primary"
        told = "nothing replayed yet" if behind_s is None else f"{behind_s:.1f} s"
        finding.facts.append(("behind", told + link))
        if limit_s is not None and (behind_s is None or behind_s > limit_s):
            finding.weak.append(f"is {told} behind{link}, the limit is {limit_s:g} s")

    async def _take_counts(self, session: Session, finding: _Finding) -> None:
        """Counting is what costs most, so it comes last and only now and then."""
        now_s = asyncio.get_running_loop().time()
        if self._settings.counts and now_s - self._counted_at_s >= self._settings.count_every:
            self._counted = {name: await self._count(session, name) for name in self._settings.counts}
            self._counted_at_s = now_s
        age_s = now_s - self._counted_at_s
        age = f", {length(age_s)} ago" if age_s >= 1 else ""
        finding.facts.extend((f"rows of {name}", told + age) for name, told in self._counted.items())

    async def _count(self, session: Session, name: str) -> str:
        quoted = session.quoted(name)
        if self._settings.counts[name] == "exact":
            answer = await session.attempt(_EXACT.format(table=quoted.replace("%", "%%")), (quoted,))
            if isinstance(answer, AdapterError):
                return _not_known(answer)
            return f"{answer[0][0]} {f'shown, {HIDDEN}' if answer[0][1] else 'exact'}"
        answer = await session.attempt(_ESTIMATE, (quoted,))
        if isinstance(answer, AdapterError):
            return _not_known(answer)
        if not answer:
            return "no such table"
        # -1: never analysed (PostgreSQL 14 and later)
        return "not known: never analysed" if answer[0][0] < 0 else f"{answer[0][0]:.0f} estimated"


def rate_words(before: Counters | None, now: Counters) -> str:
    """What is written per second between two polls, in words."""
    if before is None or now.at_s <= before.at_s:
        return "not measured yet"
    if now.written < before.written or now.committed < before.committed:
        return "not known: the counters were reset"
    seconds = now.at_s - before.at_s
    rows, commits = (now.written - before.written) / seconds, (now.committed - before.committed) / seconds
    return f"{rows:.1f} rows/s, {commits:.1f} commits/s"


def _take_connections(answer: Sequence[Any] | AdapterError, most: int, finding: _Finding) -> None:
    if isinstance(answer, AdapterError):
        finding.facts.append(("connections", _not_known(answer)))
        return
    finding.facts.append(("connections", f"{sum(count for _, count in answer)} of {most}"))
    shown = answer[:_APPLICATIONS_SHOWN]
    finding.facts.extend((f"from {clean_text(name, limit=40)}", str(count)) for name, count in shown)
    if len(answer) > len(shown):
        rest = sum(count for _, count in answer[_APPLICATIONS_SHOWN:])
        finding.facts.append(("from others", f"{rest} ({len(answer) - len(shown)} names)"))


def _take_replicas(answer: Sequence[Any] | AdapterError, finding: _Finding) -> None:
    if isinstance(answer, AdapterError) or not answer:
        finding.facts.append(("replicas", _not_known(answer)))
        return
    count, seconds, bytes_behind = answer[0]
    told = [] if seconds is None else [f"{seconds:.1f} s"]
    told += [] if bytes_behind is None else [f"{bytes_behind / 1000:.0f} kB"]
    finding.facts.append(
        ("replicas", f"{count}, at most {' and '.join(told)} behind" if told else str(count))
    )


def _not_known(answer: Sequence[Any] | AdapterError) -> str:
    if not isinstance(answer, AdapterError):
        return "not known: no answer"
    said = answer.failure.detail if isinstance(answer, RefusedByService) else ""
    return clean_text(f"not known: {said or answer.failure.title}", limit=120)
