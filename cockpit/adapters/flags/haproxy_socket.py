"""One line to HAProxy's runtime socket and its answer: a unix socket, or a TCP port on this host alone.

The socket has no password: whoever may open it may use it at the level (user, operator, admin) that
HAProxy's configuration gave it. It closes after one line; commands in a line are joined by ";".
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from contextlib import suppress
from typing import Annotated, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, Unreachable
from cockpit.adapters.leaving import must_be_wanted
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault
from cockpit.core.tables import After

_LARGEST: Final = 2_000_000
_PORT: Final = re.compile(r"(?P<host>[0-9.]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})\Z")
_PATH_LIMIT: Final = 107


def _socket(text: str) -> str:
    if text.startswith("/"):
        if "\0" in text or len(text.encode()) > _PATH_LIMIT:
            raise ValueError(f"the path of a socket has at most {_PATH_LIMIT} bytes")
        return text
    found = _PORT.match(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError('a socket is an absolute path or an address such as "127.0.0.1:9999"')
    if not ipaddress.ip_address(found["host"].strip("[]")).is_loopback:
        raise ValueError(
            "this socket has no password: only an address of this host will do, such as 127.0.0.1"
        )
    return text


SocketAddress = Annotated[str, After(_socket)]


class RuntimeSocket:
    def __init__(self, address: str, *, timeout_s: float) -> None:
        self.address = clean_text(address, limit=120)
        self._raw = address
        self._timeout_s = timeout_s

    async def ask(self, *commands: str, within_s: float | None = None, writes: bool = False) -> str:
        """The whole answer. Raises AdapterError; `sent` is False when no command left."""
        limit_s = min(within_s or self._timeout_s, self._timeout_s)
        sent = False
        try:
            async with asyncio.timeout(limit_s):
                reader, writer = await self._connect()
                try:
                    if writes:
                        must_be_wanted()
                    sent = True
                    writer.write((";".join(commands) + "\n").encode())
                    answer = await self._read_all(reader)
                finally:
                    writer.transport.abort()
                    with suppress(OSError):
                        await writer.wait_closed()
        except TimeoutError:
            title = f"no answer from {self.address} within {limit_s:g} s"
            raise Unreachable(Failure(title=title), sent=sent) from None
        except OSError as error:
            raise self._trouble(error, sent=sent) from None
        if set(answer.split()) == {"Permission", "denied"}:
            title = f"{self.address} has not the level for this: HAProxy says permission denied"
            raise RefusedByService(Failure(title=title, retryable=False, fault=Fault.CREDENTIAL))
        return answer

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._raw.startswith("/"):
            return await asyncio.open_unix_connection(self._raw)
        host, _, port = self._raw.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))

    async def _read_all(self, reader: asyncio.StreamReader) -> str:
        """Until HAProxy closes. Nothing at all means that it went away and nobody knows what it did."""
        chunks = bytearray()
        while chunk := await reader.read(65536):
            chunks += chunk
            if len(chunks) > _LARGEST:
                raise BrokenAnswer(Failure(title=f"the answer is larger than {_LARGEST} bytes"))
        if not chunks:
            raise BrokenAnswer(Failure(title=f"{self.address} closed the connection without an answer"))
        return chunks.decode("utf-8", "replace")

    def _trouble(self, error: OSError, *, sent: bool) -> AdapterError:
        why = clean_text(error.strerror or "no connection", limit=80)
        if isinstance(error, PermissionError):
            title = f"{self.address} may not be opened: {why}"
            failure = Failure(title=title, retryable=False, fault=Fault.CREDENTIAL)
            return RefusedByService(failure, sent=sent)
        return Unreachable(Failure(title=f"{self.address}: {why}"), sent=sent)
