"""What every adapter promises, and how it fails.

Adapters read and write; they judge nothing. They raise `AdapterError` only. Text that leaves an
adapter went through `clean_text`; numbers are finite. Secrets become headers inside an adapter and
appear nowhere else.

    AdapterError               could not ask, or the answer cannot be used
      Unreachable              no connection, DNS, TLS, timeout                (retryable)
      RefusedByService         401, 403, 404, 409, 4xx: it understood and said no
      Throttled                429, or 503 with Retry-After                    (retryable)
      BrokenAnswer             not JSON, wrong shape, too large, not finite    (retryable)
      ServiceTrouble           5xx                                             (retryable)

Reading and writing are separate objects on purpose: a read-only cockpit never builds a writer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Annotated, ClassVar, Protocol, runtime_checkable

from cockpit.core.clean import Percent, parse_duration
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, FlagValue, ProbeValue, Sample, WriteResult
from cockpit.core.parity import Count
from cockpit.core.parity_rows import Row
from cockpit.core.tables import Before, Written

Seconds = Annotated[float, Before(parse_duration)]


class Settings(Written):
    """Base of every adapter's settings: frozen, strict types, URLs as text. A plan reads them by their
    annotations (`cockpit.core.tables`); whoever makes them otherwise gives values that are right.

    in_new: what they lead to is a part of the new backend itself; a lever there goes down with it.
    in_pages: what they switch is built into pages, and clients get it when they reload.
    """

    __slots__ = ()
    in_new: ClassVar[bool] = False
    in_pages: ClassVar[bool] = False


class AdapterError(Exception):
    """Carries a `Failure`: what happened in clean text, whether to try again, and whose fault it is."""

    def __init__(self, failure: Failure, *, status: int | None = None, sent: bool = True) -> None:
        super().__init__(failure.title)
        self.failure = failure
        self.status = status
        self.sent = sent


class Unreachable(AdapterError):
    """`sent` is False when it is certain that no byte of the request left (connect, DNS, TLS failed)."""


class RefusedByService(AdapterError):
    pass


class Throttled(AdapterError):
    pass


class BrokenAnswer(AdapterError):
    pass


class ServiceTrouble(AdapterError):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """One line of `cockpit check`. `ok` None means: could not find out (and that is said)."""

    subject: str
    question: str
    ok: bool | None
    detail: str


class FlagReader(Protocol):
    """Reads flags of one service. One call is one poll of that service."""

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        """Every key gets a value or its own error. Raises AdapterError when the service as a whole failed."""

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class ReadsBack(Protocol):
    """A reader that proves a write sooner than it reads otherwise: it leaves out what takes time and is not
    needed for it (who wrote it), or waits behind no poll."""

    async def read_back(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        """As `FlagReader.read`; what was left out is found out by the next read."""


@runtime_checkable
class Stirs(Protocol):
    """A reader that hears of changes before it is asked. What it hears proves nothing: it is read then."""

    def stirs(self) -> AsyncGenerator[None]:
        """One item whenever something may have changed, until it is closed or cancelled."""


class FlagWriter(Protocol):
    """Writes flags of one service. Never retries by itself; what went wrong is in the result. Right before
    each request of a write it asks whether that is wanted still (`leaving`); `HttpHost.write` does."""

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        """Guarded absolute write. REFUSED when the flag is not as `expected` or is not plain."""

    async def kill(self, key: str) -> WriteResult:
        """The strongest unguarded way to zero exposure. Repeating it is harmless."""

    async def zero(self, key: str) -> WriteResult:
        """After a kill: put the stored percentage to 0, so that switching on exposes nobody."""

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        """Whether the credential may write, without writing."""

    async def aclose(self) -> None: ...


@runtime_checkable
class Warms(Protocol):
    """A writer whose first write is quicker over a connection that is open already. Where the service counts
    its requests so closely that asking for nothing costs something, a writer has no such method."""

    async def warm(self, keys: Sequence[str]) -> None:
        """Ask the cheapest thing there is, so that writes of these keys that come within the next second or
        so meet open connections. Changes nothing. Raises AdapterError."""


class Probe(Protocol):
    async def probe(self) -> ProbeValue:
        """DOWN is an answer that says so or a service that refuses the connection. Raises AdapterError
        when it could not be asked (DNS, 401/403, 429, own timeout is UNKNOWN too, never DOWN)."""

    async def aclose(self) -> None: ...


class Monitor(Protocol):
    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        """Instant values, one per expression, in as few requests as the source allows."""

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Historian(Protocol):
    """A monitor that remembers: not every one does. The others simply have no such method."""

    async def history(
        self, expressions: Sequence[str], *, start: datetime, end: datetime, step_s: float
    ) -> Mapping[str, Sequence[Sample] | AdapterError]:
        """What each expression was, oldest first, each sample with its `source_time`; both times are by the
        source's clock. Where it had no value there is no sample. Raises AdapterError when it cannot be asked.
        """


class Store(Protocol):
    """Counts and reads one side's data. Expressions are in the store's own language; nothing is written."""

    async def count(self, expression: str) -> Count:
        """Rows of one table under one filter. Raises AdapterError."""

    async def newest(self, expression: str) -> datetime | None:
        """When the newest change was made, aware; None without any. Raises AdapterError."""

    async def sample(self, expression: str, size: int) -> Sequence[str]:
        """Keys, at most `size`, of some rows. Raises AdapterError."""

    async def rows(self, expression: str, keys: Sequence[str], *, key: str) -> Mapping[str, Row]:
        """The rows that have these keys in the field `key`, by key; those that are not there are left out.

        Raises AdapterError, also when a row has no such field or two rows have the same key.
        """

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What hooks are told. `event_id` stays the same in retries so that a duplicate can be recognised."""

    event_id: str
    moment: str
    title: str
    text: str
    environment: str
    plan: str
    actor: str
    at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)


class Announcer(Protocol):
    async def announce(self, announcement: Announcement) -> str:
        """Deliver once; returns a short clean receipt. Raises AdapterError."""

    async def aclose(self) -> None: ...
