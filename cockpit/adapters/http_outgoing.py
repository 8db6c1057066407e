"""One request as it leaves, ready to be put on a connection."""

from __future__ import annotations

from typing import Final

from cockpit.adapters.http_address import Address
from cockpit.adapters.http_headers import Wire

_EMPTY_IS_SAID: Final = frozenset({"POST", "PUT", "PATCH"})
_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})


class Outgoing:
    """headers: as they leave, but for those that every request has for itself. left_s: until its deadline."""

    __slots__ = ("_said", "address", "content", "left_s", "method")

    def __init__(
        self,
        method: str,
        address: Address,
        headers: Wire,
        content: bytes,
        *,
        left_s: float,
    ) -> None:
        self.method = method
        self.address = address
        self.content = content
        self.left_s = left_s
        self._said = headers

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """All of them. What the plan says of host or length is left as it says it."""
        own: list[tuple[bytes, bytes]] = []
        if b"host" not in self._said.names:
            own.append((b"Host", self.address.netloc))
        if (self.content or self.method in _EMPTY_IS_SAID) and _LENGTHS.isdisjoint(self._said.names):
            own.append((b"Content-Length", b"%d" % len(self.content)))
        return [*own, *self._said.raw]

    @property
    def host(self) -> bytes:
        """What the header of this name says."""
        said = (value for name, value in self._said.raw if name.lower() == b"host")
        return next(said, self.address.netloc)
