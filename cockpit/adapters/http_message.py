"""The head of an answer, and how an exchange may fail; whoever carries it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import cached_property
from typing import Protocol

RawHeaders = tuple[tuple[bytes, bytes], ...]


class HttpError(Exception):
    """The exchange did not come to its end."""


class TimedOut(HttpError):
    """The carrier's own time was up, a little before the deadline."""


class NotConnected(HttpError):
    """No connection; what it comes of is the cause."""


class Broken(HttpError):
    """The connection broke while something was on its way."""


class BrokenOff(Broken):
    """Over HTTP/2 a request may end without an answer while its connection stays."""


class Disconnected(HttpError):
    """The connection ended in good order, and without an answer."""


class NotHttp(HttpError):
    """What came is no answer of HTTP."""


class BadRedirect(HttpError):
    """The answer leads to what is no address."""


class Unsendable(HttpError):
    """A request that HTTP cannot carry."""


class ProxyTrouble(HttpError):
    """The proxy did not do what it is there for."""


class Body(Protocol):
    """The rest of an answer, as it comes. Closed once, read or not."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def aclose(self) -> None: ...


class Response:
    """An answer whose body is still to be read. spoken: "HTTP/1.1", "HTTP/2". tls: of its connection."""

    def __init__(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        body: Body,
        *,
        spoken: str,
        tls: ssl.SSLObject | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.spoken = spoken
        self.tls = tls
        self._raw = tuple(headers)

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name; what was said more than once is joined by commas."""
        said: dict[str, str] = {}
        encoding = _encoding(self._raw)
        for raw_name, raw_value in self._raw:
            name, value = raw_name.decode(encoding).lower(), raw_value.decode(encoding)
            said[name] = f"{said[name]}, {value}" if name in said else value
        return said


def _encoding(headers: RawHeaders) -> str:
    """ASCII as a rule, UTF-8 where a server means it; any bytes at all are Latin-1."""
    for encoding in ("ascii", "utf-8"):
        try:
            for name, value in headers:
                name.decode(encoding)
                value.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "iso-8859-1"
