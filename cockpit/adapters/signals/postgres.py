"""Counters out of a PostgreSQL database: every expression is one SELECT that gives one number.

All of one call are asked in one read-only transaction, so they see the same data. Each is put into a
subquery, where only a question can stand; what could end the transaction or write is a syntax error
there. No row and NULL are "no data", which is not zero. Where row security may hide rows from this user a
number is partial: an empty queue could be one that nobody shows us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.postgres_rows import HIDDEN, hidden
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.model import Fault, Quality, Sample

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.postgres import Database, Session
    from cockpit.adapters.probes.postgres_settings import PostgresSettings

# The line break ends a comment of the expression. Two rows are enough to see that there is more than one.
_ASK: Final = "SELECT * FROM ({expression}\n) AS asked LIMIT 2"
_LOOK_EVERY_S: Final = 60.0
_WHO: Final = "SELECT current_setting('server_version'), current_setting('transaction_read_only')"


def build(settings: PostgresSettings, web: Web, secret: Secrets, timeout_s: float) -> PostgresMonitor:
    """Raises what `secret` raises, and RefusedByService for a connection string that cannot be used."""
    from cockpit.adapters.postgres import Database

    return PostgresMonitor(Database(secret(settings.dsn), timeout_s=timeout_s))


class PostgresMonitor:
    """Reads numbers. Keeps the connection between calls, and for a while what row security has a say in."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._filtered: Mapping[str, bool] = {}
        self._looked_at_s = float("-inf")

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        """One entry per expression. Raises AdapterError when the database as a whole cannot be asked."""
        once = tuple(dict.fromkeys(expressions))

        async def ask(session: Session) -> Mapping[str, Sample | AdapterError]:
            ((now,),) = await session.rows("SELECT now()")
            found = {each: await _ask_one(session, each, now) for each in once}
            await self._look_at_row_security(session, [each for each in once if _is_number(found[each])])
            return {each: self._as_shown(each, answer) for each, answer in found.items()}

        return await self._database.read(ask) if once else {}

    async def _look_at_row_security(self, session: Session, numbers: Sequence[str]) -> None:
        """Now and then: policies are not changed between two polls."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_at_s < _LOOK_EVERY_S and self._filtered.keys() >= set(numbers):
            return
        questions = {_question(each): each for each in numbers}
        found = await hidden(session, questions)
        self._filtered = {questions[each]: filtered for each, filtered in found.items()}
        self._looked_at_s = now_s

    def _as_shown(self, expression: str, answer: Sample | AdapterError) -> Sample | AdapterError:
        if isinstance(answer, AdapterError) or not self._filtered.get(expression):
            return answer
        return Sample(
            value=None,
            quality=Quality.PARTIAL,
            source_time=answer.source_time,
            note=f"{HIDDEN} from this user",
        )

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


def _question(expression: str) -> str:
    return _ASK.format(expression=expression.strip().rstrip(";"))


def _is_number(answer: Sample | AdapterError) -> bool:
    return isinstance(answer, Sample) and answer.quality is Quality.GOOD


async def _ask_one(session: Session, expression: str, now: datetime) -> Sample | AdapterError:
    answer = await session.attempt(_question(expression))
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
