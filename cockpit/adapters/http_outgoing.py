"""One request as it leaves, ready to be put on a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx

from cockpit.adapters.http_address import Address
from cockpit.adapters.http_headers import Wire

_EMPTY_IS_SAID: Final = frozenset({"POST", "PUT", "PATCH"})
_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})
# The transport's own timeouts end a little before the deadline does: a handshake that is cancelled
# from outside would leave its socket open.
_EARLIER: Final = 0.95


class Outgoing:
    """headers: as they leave, but for those that every request has for itself. left_s: until its deadline."""

    __slots__ = ("_said", "_trace", "address", "content", "left_s", "method")

    def __init__(
        self,
        method: str,
        address: Address,
        headers: Wire,
        content: bytes,
        *,
        left_s: float,
        trace: Callable[[str, Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.method = method
        self.address = address
        self.content = content
        self.left_s = left_s
        self._said = headers
        self._trace = trace

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All of them. What the plan says of host or length is left as it says it."""
        own: list[tuple[bytes, bytes]] = []
        if b"host" not in self._said.names:
            own.append((b"Host", self.address.netloc))
        if (self.content or self.method in _EMPTY_IS_SAID) and _LENGTHS.isdisjoint(self._said.names):
            own.append((b"Content-Length", b"%d" % len(self.content)))
        return [*own, *self._said.raw]

    def as_httpx(self) -> httpx.Request:
        """For a transport of httpx, and for HTTP/2. How far it comes is told to `trace`."""
        timeout = httpx.Timeout(self.left_s * _EARLIER).as_dict()
        return httpx.Request(
            self.method,
            self.address.url,
            content=self.content or None,
            headers=list(self._said.raw),
            extensions={"trace": self._trace, "timeout": timeout},
        )
