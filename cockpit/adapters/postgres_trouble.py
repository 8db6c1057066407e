"""What PostgreSQL's (and its client library's) errors mean, without a word of the connection string.

Errors of statements carry a SQLSTATE (PostgreSQL documentation, appendix A). Errors of connecting carry
text alone, in English unless the server speaks another language; what is not recognised is UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import psycopg

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault, Health
from cockpit.core.secret import REDACTED

_SHORTEST_BLANKED: Final = 3
_WHERE: Final = re.compile(
    r"connection to server (?:at|on socket) .*? failed: |- host: .*?\): |connection failed: "
)
_ALL_FAILURES: Final = "All failures were:"

_REFUSED: Final = "connection refused"
_NOT_ONLY_REFUSED: Final = (
    "timeout",
    "fatal:",
    "no route",
    "unreachable",
    "could not",
    "no such file",
    "closed",
)
_STOPPED: Final = (
    "the database system is starting up",
    "the database system is shutting down",
    "the database system is in recovery mode",
    "the database system is not yet accepting connections",
    "the database system is not accepting connections",
)
_FULL: Final = (
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "no more connections allowed",
)
_CREDENTIAL: Final = (
    "authentication failed",
    "no pg_hba.conf entry",
    "no password supplied",
    "not permitted to log in",
    "pg_hba.conf rejects",
    "certificate authentication failed",
)
_NO_NAME: Final = ("could not translate host name", "name or service not known", "failed to resolve host")


class DatabaseSays(ServiceTrouble):
    """The database's own word that it is DOWN or DEGRADED; for a probe that is an answer."""

    def __init__(self, failure: Failure, health: Health) -> None:
        super().__init__(failure)
        self.health = health


class ConnectionLost(NoAnswer):
    """The kept connection is gone: the session was ended, a pooler closed it, or the server went."""


class Blank:
    """Takes out of a text whatever stands in the connection string."""

    def __init__(self, parts: Iterable[str]) -> None:
        self._parts = sorted(
            {part for part in parts if len(part) >= _SHORTEST_BLANKED}, key=len, reverse=True
        )

    def __call__(self, text: str, limit: int = 160) -> str:
        for part in self._parts:
            text = text.replace(part, REDACTED)
        return clean_text(text, limit=limit)


def connect_trouble(error: psycopg.Error, blank: Blank) -> AdapterError:
    """Why no session could be opened."""
    text = str(error)
    low = text.lower()
    if any(words in low for words in _STOPPED):
        words = next(each for each in _STOPPED if each in low)
        return DatabaseSays(Failure(title=words), Health.DOWN)
    if any(words in low for words in _FULL):
        return DatabaseSays(Failure(title="it takes no more connections"), Health.DEGRADED)
    if any(words in low for words in _CREDENTIAL) or re.search(r'role ".*" does not exist', low):
        return _refused("the database does not let this user in", Fault.CREDENTIAL)
    if re.search(r'database ".*" does not exist', low):
        return _refused("there is no such database", Fault.PLAN)
    if any(words in low for words in _NO_NAME):
        return _no_answer("no address for the name of the database's host", Cause.DNS, Fault.NETWORK)
    if isinstance(error, psycopg.errors.ConnectionTimeout) or "timeout expired" in low:
        return _no_answer("no connection to the database in time", Cause.TIMEOUT, Fault.NETWORK)
    if _REFUSED in low and not any(words in low for words in _NOT_ONLY_REFUSED):
        return _no_answer("the database's host refuses the connection", Cause.REFUSED, Fault.SERVICE)
    detail = blank(_reason(text))
    if "ssl" in low or "certificate" in low:
        return _no_answer("TLS with the database was not set up", Cause.TLS, Fault.SERVICE, detail)
    return _no_answer("no session with the database", Cause.RESET, Fault.SERVICE, detail)


def statement_trouble(error: psycopg.Error, blank: Blank, within_s: float) -> AdapterError:
    """What went wrong with a statement, or with the session under it."""
    state = error.sqlstate
    if state is None and not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return BrokenAnswer(Failure(title="what the database answers cannot be read"))
    if state is None or state.startswith(("08", "57P")):
        detail = "" if state is None else f"SQLSTATE {clean_text(state, limit=5)}"
        failure = Failure(title="the database ended the session", detail=detail)
        return ConnectionLost(failure, cause=Cause.RESET, sent=True)
    said = blank(error.diag.message_primary or "")
    if state == "57014":
        title = f"the database did not answer a question within {within_s:.1f} s"
        return ServiceTrouble(Failure(title=title, detail=said))
    if state.startswith("53"):
        return DatabaseSays(Failure(title=f"it lacks resources: {said}"), Health.DEGRADED)
    if state == "42501" or state.startswith("28"):
        return _refused("the database does not let this user read that", Fault.CREDENTIAL, said)
    if state.startswith(("0A", "22", "25", "42", "3D", "3F")):
        return _refused("the database refuses the question", Fault.PLAN, said)
    return ServiceTrouble(
        Failure(title=f"the database failed (SQLSTATE {clean_text(state, limit=5)})", detail=said)
    )


def _reason(text: str) -> str:
    """The last attempt's reason, without where it was tried."""
    first = text.partition(_ALL_FAILURES)[0].strip().splitlines()
    return _WHERE.sub("", first[0] if first else "")


def _refused(title: str, fault: Fault, detail: str = "") -> RefusedByService:
    return RefusedByService(Failure(title=title, detail=detail, retryable=False, fault=fault))


def _no_answer(title: str, cause: Cause, fault: Fault, detail: str = "") -> NoAnswer:
    return NoAnswer(Failure(title=title, detail=detail, fault=fault), cause=cause, sent=False)
