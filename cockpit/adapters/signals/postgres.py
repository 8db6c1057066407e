"""Counters out of a PostgreSQL database: every expression is one SELECT that gives one number.

All of one call are asked in one read-only transaction, so they see the same data. Each is put into a
subquery, where only a question can stand; what could end the transaction or write is a syntax error
there. No row and NULL are "no data", which is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.model import Fault, Quality, Sample

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.postgres import Database, Session
    from cockpit.adapters.probes.postgres_settings import PostgresSettings

# The line break ends a comment of the expression. Two rows are enough to see that there is more than one.
_ASK: Final = "SELECT * FROM ({expression}\n) AS asked LIMIT 2"
_WHO: Final = "SELECT current_setting('server_version'), current_setting('transaction_read_only')"


def build(settings: PostgresSettings, web: Web, secret: Secrets, timeout_s: float) -> PostgresMonitor:
    """Raises what `secret` raises, and RefusedByService for a connection string that cannot be used."""
    from cockpit.adapters.postgres import Database

    return PostgresMonitor(Database(secret(settings.dsn), timeout_s=timeout_s))


class PostgresMonitor:
    """Reads numbers. Holds no state between calls but the connection."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        """One entry per expression. Raises AdapterError when the database as a whole cannot be asked."""
        once = tuple(dict.fromkeys(expressions))

        async def ask(session: Session) -> Mapping[str, Sample | AdapterError]:
            ((now,),) = await session.rows("SELECT now()")
            return {each: await _ask_one(session, each, now) for each in once}

        return await self._database.read(ask) if once else {}

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        subject = "the database"
        try:
            version, read_only = await self._database.read(lambda session: session.row(_WHO))
            answers = await self.query(expressions)
        except AdapterError as error:
            detail = f"{error.failure.title} {error.failure.detail}".strip()
            return [Preflight(subject=subject, question="answers", ok=False, detail=detail)]
        told = clean_text(f"PostgreSQL {version}", limit=60)
        lines = [
            Preflight(subject=subject, question="answers", ok=True, detail=told),
            Preflight(subject=subject, question="is asked read-only", ok=read_only == "on", detail=""),
        ]
        return [*lines, *(_judge(each, answer) for each, answer in answers.items())]

    async def aclose(self) -> None:
        await self._database.aclose()


async def _ask_one(session: Session, expression: str, now: datetime) -> Sample | AdapterError:
    answer = await session.attempt(_ASK.format(expression=expression.strip().rstrip(";")))
    return answer if isinstance(answer, AdapterError) else read_rows(answer, now)


def read_rows(rows: Sequence[Sequence[Any]], now: datetime) -> Sample:
    """The one number of an answer, or the reason why there is none. `now` is the database's time."""
    if not rows:
        return Sample(value=None, quality=Quality.NO_DATA, note="no row (this is not zero)")
    if len(rows) > 1 or len(rows[0]) != 1:
        what = "several rows" if len(rows) > 1 else f"{len(rows[0])} columns"
        return _unusable(f"the query gives {what}, expected one number")
    value = rows[0][0]
    if value is None:
        return Sample(value=None, quality=Quality.NO_DATA, note="NULL (this is not zero)")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return _unusable(f"the query gives {type(value).__name__}, expected one number")
    try:
        number = finite_number(str(value) if isinstance(value, Decimal) else value)
    except ValueError:
        note = f"the query gives {clean_text(value, limit=20)}, which is no number"
        return Sample(value=None, quality=Quality.NOT_FINITE, source_time=now, note=note)
    if number < 0:
        return _unusable(f"the query gives {number:g}: a counter cannot be negative")
    return Sample(value=number, quality=Quality.GOOD, source_time=now)


def _unusable(note: str) -> Sample:
    return Sample(value=None, quality=Quality.ERROR, note=note)


def _judge(expression: str, outcome: Sample | AdapterError) -> Preflight:
    """False: the plan must change. None: the database could not tell now."""
    subject, question = clean_text(expression, limit=80), "gives one number"
    if isinstance(outcome, AdapterError):
        ok = False if outcome.failure.fault is Fault.PLAN else None
        detail = f"{outcome.failure.title} {outcome.failure.detail}".strip()
        return Preflight(subject=subject, question=question, ok=ok, detail=detail)
    ok = {Quality.GOOD: True, Quality.ERROR: False}.get(outcome.quality)
    detail = f"{outcome.value:g} now" if outcome.value is not None else outcome.note
    return Preflight(subject=subject, question=question, ok=ok, detail=detail)
