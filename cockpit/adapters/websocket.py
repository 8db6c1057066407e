"""One WebSocket connection over the `websockets` library, its errors as ours.

No proxy, no redirect (a credential would go with it), no compression, small messages only. Close codes are
those of RFC 6455 and the IANA registry: 1001 going away, 1008 policy, 1011 server error, 1012 restart, 1013
try again later; many services close with 4401 or 4403 for a refused credential.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

import cockpit
from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble, Throttled
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.stream import Dialer
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault

MESSAGE_LIMIT: Final = 65_536
QUEUE_LIMIT: Final = 256  # beyond so many unread messages the library reads no more, not even pongs
_CLOSE_S: Final = 0.5
_CREDENTIAL_STATUS: Final = frozenset({401, 403, 407})
_CREDENTIAL_CODE: Final = frozenset({1008, 4401, 4403})
_DOWN_CODES: Final = {1001: "it is going away", 1011: "it failed", 1012: "it restarts"}
_QUIET: Final = logging.getLogger("cockpit.websocket")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


class SaysDown(ServiceTrouble):
    """The service's own word that it does not serve; for a probe that is an answer."""


class _NoRedirect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebSocket:
    """A connection that is set up. `took_s` counts from the name's lookup to the end of the handshake."""

    def __init__(self, connection: ClientConnection, address: str, took_s: float) -> None:
        self._connection = connection
        self._address = address
        self.took_s = took_s

    @classmethod
    async def open(
        cls,
        dialer: Dialer,
        uri: str,
        headers: Mapping[str, str],
        subprotocols: Sequence[str],
        timeout_s: float,
    ) -> WebSocket:
        """Raises AdapterError. Only connecting has a deadline of its own."""
        began_s = asyncio.get_running_loop().time()
        plug = await dialer.plug(timeout_s)
        try:
            connection = await _NoRedirect(
                uri,
                sock=plug,
                additional_headers=dict(headers),
                subprotocols=[Subprotocol(each) for each in subprotocols] or None,
                user_agent_header=f"cutover-cockpit/{cockpit.__version__}",
                compression=None,
                open_timeout=None,
                ping_interval=None,
                close_timeout=_CLOSE_S,
                max_size=MESSAGE_LIMIT,
                max_queue=QUEUE_LIMIT,
                proxy=None,
                logger=_QUIET,
                ssl=dialer.tls,
                server_hostname=dialer.named,
            )
        except InvalidStatus as refused:
            raise _status_trouble(refused.response.status_code, dialer.address) from None
        except InvalidMessage as invalid:
            if isinstance(invalid.__cause__, EOFError):
                raise dialer.broken(ConnectionResetError()) from None
            raise BrokenAnswer(Failure(title=f"{dialer.address} does not speak HTTP here")) from None
        except InvalidHandshake:
            raise BrokenAnswer(Failure(title=f"{dialer.address} does not speak WebSocket here")) from None
        except OSError as error:
            raise dialer.broken(error) from None
        return cls(connection, dialer.address, asyncio.get_running_loop().time() - began_s)

    @property
    def subprotocol(self) -> str | None:
        return self._connection.subprotocol

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as closed:
            raise _close_trouble(closed, self._address) from None

    async def receive(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            raise _close_trouble(closed, self._address) from None

    async def ping_s(self) -> float:
        """Seconds from a ping to its pong; the other side's protocol answers, not its application."""
        try:
            return await (await self._connection.ping())
        except ConnectionClosed as closed:
            raise _close_trouble(closed, self._address) from None

    async def close(self) -> None:
        """With the code for "done"; whoever does not answer that is left half a second later."""
        await self._connection.close()

    def drop(self) -> None:
        """At once, without a word."""
        self._connection.transport.abort()


def _status_trouble(status: int, address: str) -> AdapterError:
    title = f"{address} answers {status} to the upgrade"
    if status in _CREDENTIAL_STATUS:
        return RefusedByService(Failure(title=title, retryable=False, fault=Fault.CREDENTIAL), status=status)
    if status == 429:
        return Throttled(Failure(title=title), status=status)
    return SaysDown(Failure(title=title), status=status)


def _close_trouble(closed: ConnectionClosed, address: str) -> AdapterError:
    """Why the other side ended it. Its reason may repeat what we sent, so it is not shown."""
    code = None if closed.rcvd is None else closed.rcvd.code
    if code is None:
        sent = None if closed.sent is None else closed.sent.code
        if sent is not None and sent != 1000:
            return BrokenAnswer(Failure(title=f"{address} breaks the WebSocket protocol (close code {sent})"))
        failure = Failure(title=f"{address} broke the connection")
        return NoAnswer(failure, cause=Cause.RESET, sent=True)
    title = f"{address} closes with {clean_text(code, limit=6)}"
    if code in _DOWN_CODES:
        return SaysDown(Failure(title=f"{title}: {_DOWN_CODES[code]}"))
    if code in _CREDENTIAL_CODE:
        return RefusedByService(Failure(title=title, retryable=False, fault=Fault.CREDENTIAL))
    if code == 1013:
        return Throttled(Failure(title=f"{title}: try again later"))
    return NoAnswer(Failure(title=title), cause=Cause.RESET, sent=True)
