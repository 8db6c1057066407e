"""One connection to one PostgreSQL database, kept between polls and made again when it is gone. Read-only.

Everything is asked in one transaction that is REPEATABLE READ and READ ONLY, so that numbers belong
together and nothing can be written. Limits are set inside the transaction (SET LOCAL), because poolers in
transaction mode ignore what is set for the session. Statements are not prepared by name, for the same reason.

Past the deadline the connection is cut below the library: its own way to cancel a statement asks the
server, which is just what does not answer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.postgres_trouble import Blank, ConnectionLost, connect_trouble, statement_trouble
from cockpit.core.model import Failure, Fault
from cockpit.core.secret import Secret

T = TypeVar("T")
Row = tuple[Any, ...]
Named = dict[str, Any]

APPLICATION: Final = "cutover-cockpit"
ROWS_LIMIT: Final = 100
_DEADLINE_SHARE: Final = 0.9
_STATEMENT_SHARE: Final = 0.8
# Its warnings name hosts, and would be written over the screen.
_LIBRARY: Final = logging.getLogger("psycopg")
_LIBRARY.addHandler(logging.NullHandler())
_LIBRARY.propagate = False
# What the other side of a comparison writes as text comes as text.
_AS_TEXT: Final = ("uuid", "date")
_SECRET_PARTS: Final = (
    "host",
    "hostaddr",
    "user",
    "password",
    "dbname",
    "passfile",
    "service",
    "sslpassword",
)


class Session:
    """Questions inside one transaction. Raises what `statement_trouble` makes of the library's errors."""

    def __init__(self, connection: psycopg.AsyncConnection[Row], blank: Blank, until_s: float) -> None:
        self._connection = connection
        self._blank = blank
        self._until_s = until_s
        self._within_s = 0.0

    async def rows(self, query: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The first rows of an answer. Never more than one statement, whatever stands in the text."""
        found: list[Row] = []
        try:
            async with self._connection.cursor() as cursor:
                async for row in cursor.stream(query.encode(), parameters or None):
                    found.append(row)
                    if len(found) == ROWS_LIMIT:
                        break
        except psycopg.Error as error:
            raise statement_trouble(error, self._blank, self._within_s) from None
        return found

    async def named(self, query: str, parameters: Mapping[str, object], *, limit: int) -> list[Named]:
        """The first `limit` rows by the names of their columns. `%` in the text has to be written `%%`."""
        found: list[Named] = []
        try:
            async with self._connection.cursor(row_factory=dict_row) as cursor:
                async for row in cursor.stream(query.encode(), parameters):
                    found.append(row)
                    if len(found) == limit:
                        break
        except psycopg.Error as error:
            raise statement_trouble(error, self._blank, self._within_s) from None
        return found

    async def row(self, query: str, parameters: Sequence[object] = ()) -> Row:
        """The one row of an answer that always has one."""
        rows = await self.rows(query, parameters)
        if not rows:
            raise RefusedByService(
                Failure(title="the database gives no row where there is one", fault=Fault.PLAN)
            )
        return rows[0]

    async def attempt(self, query: str, parameters: Sequence[object] = ()) -> list[Row] | AdapterError:
        """As `rows`, but what this one question cannot have is told, and the others go on."""
        await self.limit_statements()
        try:
            async with self._connection.transaction():
                return await self.rows(query, parameters)
        except ConnectionLost:
            raise
        except AdapterError as error:
            return error

    async def limit_statements(self) -> None:
        """From now on a statement may take most of the time that is left."""
        left_s = self._until_s - asyncio.get_running_loop().time()
        self._within_s = max(0.01, _STATEMENT_SHARE * left_s)
        await self.rows(f"SELECT set_config('statement_timeout', '{self._within_s * 1000:.0f}', true)")

    def quoted(self, name: str) -> str:
        """`schema.table` as SQL names, letter for letter."""
        return sql.Identifier(*name.split(".")).as_string(self._connection)


class Database:
    """A database by its connection string, which is a secret as a whole."""

    def __init__(self, dsn: Secret, *, timeout_s: float) -> None:
        """Raises RefusedByService for a text that is no connection string."""
        try:
            parts = conninfo_to_dict(dsn.reveal())
        except psycopg.Error:
            failure = Failure(
                title="the secret is no connection string",
                detail='expected "postgresql://user@host/database" or "host=... dbname=..."',
                retryable=False,
                fault=Fault.CREDENTIAL,
            )
            raise RefusedByService(failure, sent=False) from None
        self._dsn = dsn
        self._blank = Blank(str(parts[part]) for part in _SECRET_PARTS if parts.get(part))
        self._timeout_s = timeout_s * _DEADLINE_SHARE
        self._connection: psycopg.AsyncConnection[Row] | None = None
        self._asking = asyncio.Lock()

    async def read(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Let `work` ask. A kept connection that turns out to be gone is made again once.

        Raises AdapterError; `DatabaseSays` when the database itself says that it is down or degraded.
        """
        until_s = asyncio.get_running_loop().time() + self._timeout_s
        async with self._asking:
            kept = self._connection is not None
            try:
                return await self._read_once(work, until_s)
            except ConnectionLost:
                if not kept:
                    raise
            return await self._read_once(work, until_s)

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _read_once(self, work: Callable[[Session], Awaitable[T]], until_s: float) -> T:
        connection = self._connection or await self._connect(until_s)
        self._connection = None
        asked = asyncio.create_task(self._transaction(connection, work, until_s))
        try:
            left_s = until_s - asyncio.get_running_loop().time()
            await asyncio.wait({asked}, timeout=max(0.0, left_s))
        finally:
            if not asked.done():
                _cut(connection)
                asked.add_done_callback(_nobody_waits)
        if not asked.done():
            failure = Failure(title=f"the database did not answer within {self._timeout_s:.1f} s")
            raise NoAnswer(failure, cause=Cause.TIMEOUT, sent=True)
        answer = asked.result()
        self._connection = connection
        return answer

    async def _connect(self, until_s: float) -> psycopg.AsyncConnection[Row]:
        left_s = max(0.0, until_s - asyncio.get_running_loop().time())
        try:
            dsn = make_conninfo(self._dsn.reveal(), application_name=APPLICATION)
            async with asyncio.timeout(left_s):
                connection = await psycopg.AsyncConnection.connect(
                    dsn, autocommit=True, prepare_threshold=None
                )
        except TimeoutError:
            failure = Failure(
                title=f"no session with the database within {self._timeout_s:.1f} s", fault=Fault.NETWORK
            )
            raise NoAnswer(failure, cause=Cause.TIMEOUT, sent=False) from None
        except psycopg.Error as error:
            raise connect_trouble(error, self._blank) from None
        for kind in _AS_TEXT:
            connection.adapters.register_loader(kind, TextLoader)
        await connection.set_read_only(True)
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        return connection

    async def _transaction(
        self,
        connection: psycopg.AsyncConnection[Row],
        work: Callable[[Session], Awaitable[T]],
        until_s: float,
    ) -> T:
        """The connection is closed after any failure: what state it is in is not worth finding out."""
        session = Session(connection, self._blank, until_s)
        try:
            async with connection.transaction():
                await session.limit_statements()
                return await work(session)
        except psycopg.Error as error:
            await connection.close()
            raise statement_trouble(error, self._blank, self._timeout_s) from None
        except BaseException:
            await connection.close()
            raise


def _cut(connection: psycopg.AsyncConnection[Row]) -> None:
    """End the connection for both sides, so that whoever waits for it is told at once."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as twin:
        twin.shutdown(socket.SHUT_RDWR)


def _nobody_waits(task: asyncio.Task[Any]) -> None:
    """The outcome of work that was given up is of no use to anybody, not even to a log."""
    if not task.cancelled():
        task.exception()
