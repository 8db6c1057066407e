"""TCP and TLS connections for probes that speak no HTTP: named addresses, one deadline, plain words.

Names are resolved beside the loop. Every address of a name is tried in turn, each with its part of the
time that is left; refused means that every one of them refused.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any, Final

from cockpit.adapters.aside import Aside
from cockpit.adapters.base import RefusedByService
from cockpit.adapters.no_answer import Cause, NoAnswer, tls_words
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

READ_LIMIT: Final = 65_536
_NO_SUCH_NAME: Final = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

Address = tuple[socket.AddressFamily, Any]


@dataclass(slots=True, kw_only=True)
class Stream:
    """peer: the address that answered. took_s: connecting, with TLS where there is any."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: str
    took_s: float

    def close(self) -> None:
        """At once: a polite end waits for the other side."""
        self.writer.transport.abort()


class Dialer:
    """Connects to one host and port. Keeps nothing open by itself."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self.tls = tls
        self._server_name = server_name or host
        self._resolver = Aside("name lookup")

    @property
    def address(self) -> str:
        """`host:port`, clean, for texts."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return clean_text(f"{host}:{self._port}", limit=80)

    async def open(self, timeout_s: float) -> Stream:
        """A connection, with TLS where there is any. Raises NoAnswer."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        plug = await self.plug(timeout_s)
        try:
            peer = clean_text(plug.getpeername()[0], limit=60)
            async with asyncio.timeout_at(began_s + timeout_s):
                reader, writer = await asyncio.open_connection(
                    sock=plug, limit=READ_LIMIT, ssl=self.tls, server_hostname=self.named
                )
        except TimeoutError:
            title = f"TLS with {self.address} was not set up within {timeout_s:g} s"
            raise self._trouble(Cause.TIMEOUT, title, Fault.NETWORK) from None
        except OSError as error:
            raise self.broken(error) from error
        return Stream(reader=reader, writer=writer, peer=peer, took_s=loop.time() - began_s)

    async def plug(self, timeout_s: float) -> socket.socket:
        """A connected socket, before any TLS. Raises NoAnswer."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        addresses = await lookup(self._resolver, self._host, self._port, timeout_s)
        troubles: list[NoAnswer] = []
        for place, address in enumerate(addresses):
            share_s = max(0.0, until_s - loop.time()) / (len(addresses) - place)
            try:
                return await self._plug_into(address, share_s, timeout_s)
            except NoAnswer as trouble:
                troubles.append(trouble)
        raise next((each for each in troubles if each.cause is not Cause.REFUSED), troubles[0])

    async def _plug_into(self, address: Address, share_s: float, timeout_s: float) -> socket.socket:
        family, where = address
        plug = socket.socket(family, socket.SOCK_STREAM)
        plug.setblocking(False)
        try:
            async with asyncio.timeout(share_s):
                await asyncio.get_running_loop().sock_connect(plug, where)
        except BaseException as error:
            plug.close()
            if not isinstance(error, OSError):
                raise
            raise self._os_trouble(error, timeout_s) from None
        return plug

    @property
    def named(self) -> str | None:
        """The name that TLS asks for; None without TLS."""
        return None if self.tls is None else self._server_name

    def broken(self, error: OSError) -> NoAnswer:
        """What went wrong once connected: TLS, or the other side left."""
        if isinstance(error, ssl.SSLError):
            title = f"TLS with {self.address}: {tls_words(error)}"
            return self._trouble(Cause.TLS, title, Fault.SERVICE)
        return self._trouble(Cause.RESET, f"{self.address} closed the connection", Fault.SERVICE)

    def _os_trouble(self, error: OSError, timeout_s: float) -> NoAnswer:
        """TimeoutError, our own deadline's too, is an OSError."""
        if isinstance(error, TimeoutError):
            title = f"no connection to {self.address} within {timeout_s:g} s"
            return self._trouble(Cause.TIMEOUT, title, Fault.NETWORK)
        if isinstance(error, ConnectionRefusedError):
            return self._trouble(Cause.REFUSED, f"connection refused by {self.address}", Fault.SERVICE)
        if isinstance(error, ConnectionError):
            return self._trouble(Cause.RESET, f"{self.address} closed the connection", Fault.SERVICE)
        return self._trouble(Cause.NO_ROUTE, f"no way to {self.address}", Fault.NETWORK)

    def _trouble(self, cause: Cause, title: str, fault: Fault) -> NoAnswer:
        return NoAnswer(Failure(title=title, fault=fault), cause=cause, sent=False)


async def lookup(
    resolver: Aside, host: str, port: int, timeout_s: float, family: int = socket.AF_UNSPEC
) -> list[Address]:
    """Where a name leads, at least one address, each once. Literal addresses ask nobody. Raises NoAnswer."""
    shown = clean_text(host, limit=80)
    try:
        with suppress(socket.gaierror):
            return _looked_up(host, port, family, socket.AI_NUMERICHOST)
        return await resolver.run(lambda: _looked_up(host, port, family, 0), timeout_s)
    except TimeoutError as late:
        title = clean_text(late) or f"no resolver answers within {timeout_s:g} s"
        cause = Cause.TIMEOUT
    except OSError as error:
        known = error.errno in _NO_SUCH_NAME
        title = f"no address for the name {shown}: {'no such name' if known else 'no resolver answers'}"
        cause = Cause.DNS
    except UnicodeError:
        title, cause = f"{shown} is no name that can be asked for", Cause.DNS
    raise NoAnswer(Failure(title=title, fault=Fault.NETWORK), cause=cause, sent=False)


def _looked_up(host: str, port: int, family: int, flags: int) -> list[Address]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys((each[0], each[4]) for each in found))


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Trusts `ca_file` alone, or what the environment or the system names. Raises RefusedByService."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = "not a PEM file" if isinstance(error, ssl.SSLError) else error.strerror or "cannot be read"
        failure = Failure(
            title="the CA file cannot be used",
            detail=clean_text(f"{ca_file}: {why}", limit=200),
            retryable=False,
            fault=Fault.PLAN,
        )
        raise RefusedByService(failure, sent=False) from None
