"""Counts and rows of a PostgreSQL database, each in one read-only transaction of its own.

Expressions are put into a subquery, where only a question can stand. `sample` is given %(size)s, `rows` is
given %(keys)s, a list of text; in these two `%` has to be written `%%`. Row security hides rows without an
error: a count that it may have filtered says so, and a newest change under it is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cockpit.adapters.credentials import Secrets
from cockpit.adapters.parity.cells import broken, keyed, moment, sampled_keys
from cockpit.adapters.postgres_rows import HIDDEN, hidden
from cockpit.core.parity import Count, Exactness
from cockpit.core.parity_rows import Row

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.postgres import Database, Session
    from cockpit.adapters.probes.postgres_settings import PostgresSettings

# The line break ends a comment of the expression.
_ASK: Final = "SELECT * FROM ({expression}\n) AS asked"
_TOO_MANY: Final = 2
"""Rows that are enough to see that there is more than one."""


def build(settings: PostgresSettings, web: Web, secret: Secrets, timeout_s: float) -> PostgresStore:
    """Raises what `secret` raises, and RefusedByService for a connection string that cannot be used."""
    from cockpit.adapters.postgres import Database

    return PostgresStore(Database(secret(settings.dsn), timeout_s=timeout_s))


class PostgresStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, expression: str) -> Count:
        number, filtered = await self._one(expression)
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise broken("the count is no whole number of rows")
        return Count(n=number, exactness=Exactness.FILTERED, note=HIDDEN) if filtered else Count(n=number)

    async def newest(self, expression: str) -> datetime | None:
        newest, filtered = await self._one(expression)
        if filtered:
            raise broken(f"the newest change is not known: {HIDDEN}")
        return moment(newest)

    async def sample(self, expression: str, size: int) -> Sequence[str]:
        rows = await self._named(expression, {"size": size}, limit=size)
        if any(len(row) != 1 for row in rows):
            raise broken("the sample has several columns; expected the keys alone")
        return sampled_keys((next(iter(row.values())) for row in rows), size)

    async def rows(self, expression: str, keys: Sequence[str], *, key: str) -> Mapping[str, Row]:
        return keyed(await self._named(expression, {"keys": list(keys)}, limit=len(keys) + 1), keys, key)

    async def aclose(self) -> None:
        await self._database.aclose()

    async def _one(self, expression: str) -> tuple[Any, bool]:
        """The one value of an answer, and whether rows may be hidden from it. NULL comes as None. No
        parameters: `%` stands for itself.
        """
        query = f"{_question(expression)} LIMIT {_TOO_MANY}"

        async def ask(session: Session) -> tuple[list[tuple[Any, ...]], bool]:
            rows = await session.rows(query)
            return rows, (await hidden(session, [query]))[query]

        rows, filtered = await self._database.read(ask)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise broken(f"the query gives {len(rows)} rows; expected one row with one value")
        return rows[0][0], filtered

    async def _named(
        self, expression: str, parameters: Mapping[str, object], *, limit: int
    ) -> list[dict[str, Any]]:
        query = _question(expression)
        return await self._database.read(lambda session: session.named(query, parameters, limit=limit))


def _question(expression: str) -> str:
    return _ASK.format(expression=expression.strip().rstrip(";"))
