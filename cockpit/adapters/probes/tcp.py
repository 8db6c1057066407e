"""Whether a port takes connections and, if the plan wants it, greets as it should.

DOWN: every address of the host refuses the connection, or the greeting is another one. A name that does
not resolve, our own time limit and a broken connection raise, and so become UNKNOWN.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.fields import Host, Port
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.stream import Dialer, Stream
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.tables import Bound, Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

GREETING_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbeSettings(Settings):
    """A port that takes connections. Every poll is a connection, which the service may log."""

    host: Host
    """A name or an address."""
    port: Port
    """The port that is connected to."""
    send: Annotated[str, Size(1, 1000)] | None = None
    """Text that is sent once connected, such as "PING\\r\\n"."""
    expect: Annotated[str, Size(1, 1000)] | None = None
    """Text that the first 4096 bytes of the greeting must hold, such as "SSH-2.0" or "220 "."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """Connecting slower than this is degraded."""


def build(settings: TcpProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> TcpProbe:
    return TcpProbe(settings, Dialer(settings.host, settings.port), timeout_s=timeout_s)


class TcpProbe:
    """Connects once per poll and hangs up."""

    def __init__(self, settings: TcpProbeSettings, dialer: Dialer, *, timeout_s: float) -> None:
        self._settings = settings
        self._dialer = dialer
        self._timeout_s = timeout_s

    async def probe(self) -> ProbeValue:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._timeout_s
        try:
            stream = await self._dialer.open(self._timeout_s)
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED:
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise
        try:
            greeting = await self._greeting(stream, until_s)
        finally:
            stream.close()
        return self._judge(stream, greeting)

    async def aclose(self) -> None:
        """Nothing is kept open between polls."""

    async def _greeting(self, stream: Stream, until_s: float) -> str | None:
        """What the service says, up to what the plan expects; None when the plan expects nothing."""
        said = bytearray()
        wanted = (self._settings.expect or "").encode()
        try:
            async with asyncio.timeout_at(until_s):
                if self._settings.send is not None:
                    stream.writer.write(self._settings.send.encode())
                    await stream.writer.drain()
                while wanted and wanted not in said and len(said) < GREETING_LIMIT:
                    more = await stream.reader.read(GREETING_LIMIT - len(said))
                    if not more:
                        break
                    said += more
        except TimeoutError:
            if not said:
                raise self._trouble(Cause.TIMEOUT, f"says nothing within {self._timeout_s:g} s") from None
        except OSError:
            raise self._trouble(Cause.RESET, "broke the connection") from None
        if wanted and not said:
            raise self._trouble(Cause.RESET, "closed the connection without a word")
        return said.decode("utf-8", "replace") if wanted else None

    def _trouble(self, cause: Cause, what: str) -> NoAnswer:
        return NoAnswer(Failure(title=f"{self._dialer.address} {what}"), cause=cause, sent=True)

    def _judge(self, stream: Stream, greeting: str | None) -> ProbeValue:
        limit_s, expected = self._settings.latency_limit, self._settings.expect
        facts = [("address", stream.peer)]
        health, detail = Health.OK, "takes connections"
        if greeting is not None and expected is not None:
            facts.append(("greeting", clean_text(greeting, limit=60)))
            if expected not in greeting:
                wanted, found = clean_text(expected, limit=40), clean_text(greeting, limit=60)
                health, detail = Health.DOWN, f'says "{found}", the plan expects "{wanted}"'
        if health is Health.OK and limit_s is not None and stream.took_s > limit_s:
            slow = f"slow: {stream.took_s * 1000:.0f} ms, the limit is {limit_s * 1000:.0f} ms"
            health, detail = Health.DEGRADED, slow
        return ProbeValue(health=health, detail=detail, latency_ms=stream.took_s * 1000, facts=tuple(facts))
