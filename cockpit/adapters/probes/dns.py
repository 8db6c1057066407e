"""Where a name leads, asked of this host's own resolver, and whether that is where the plan expects it.

DOWN: it leads to none of the expected addresses. DEGRADED: to some expected and some other. That the name
is not known, or that no resolver answers, raises, and so becomes UNKNOWN: this host may stand outside the
network (a VPN that is off) in which the name means something.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cockpit.adapters.aside import Aside
from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.fields import Host
from cockpit.adapters.stream import lookup
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Health, ProbeValue
from cockpit.core.tables import After, Bound

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

_FAMILIES: Final = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_SHOWN: Final = 6


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError('not an address such as "192.0.2.7" or "2001:db8::7"') from None


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsProbeSettings(Settings):
    """A name, as this host resolves it. Its resolver may answer from a cache."""

    host: Host
    """The name."""
    expect: tuple[Annotated[str, After(_address)], ...] = ()
    """The addresses that it must lead to, no others; without them any answer is good."""
    family: Literal["any", "ipv4", "ipv6"] = "any"
    """Which addresses are asked for."""
    latency_limit: Annotated[Seconds, Bound(gt=0)] | None = None
    """An answer slower than this is degraded."""


def build(settings: DnsProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> DnsProbe:
    return DnsProbe(settings, timeout_s=timeout_s)


class DnsProbe:
    """Asks beside the loop. A lookup that hangs is not joined by a second one."""

    def __init__(self, settings: DnsProbeSettings, *, timeout_s: float) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._resolver = Aside("name lookup")

    async def probe(self) -> ProbeValue:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        family = _FAMILIES[self._settings.family]
        found = await lookup(self._resolver, self._settings.host, 0, self._timeout_s, family)
        took_s = loop.time() - began_s
        addresses = sorted(dict.fromkeys(_plain(where[0]) for _, where in found))
        health, detail = self._judge(addresses, took_s)
        facts = (("addresses", _shown(addresses)),)
        return ProbeValue(health=health, detail=detail, latency_ms=took_s * 1000, facts=facts)

    async def aclose(self) -> None:
        """Nothing is kept open between polls."""

    def _judge(self, addresses: Sequence[str], took_s: float) -> tuple[Health, str]:
        expected, limit_s = self._settings.expect, self._settings.latency_limit
        strange = [each for each in addresses if expected and each not in expected]
        if strange:
            health = Health.DOWN if len(strange) == len(addresses) else Health.DEGRADED
            also = "also " if health is Health.DEGRADED else ""
            return health, f"{also}leads to {_shown(strange)}, the plan expects {_shown(expected)}"
        if limit_s is not None and took_s > limit_s:
            return Health.DEGRADED, f"slow: {took_s * 1000:.0f} ms, the limit is {limit_s * 1000:.0f} ms"
        return Health.OK, f"leads to {_shown(addresses)}"


def _plain(address: str) -> str:
    """Without the zone of a link-local address, in the one way of writing it."""
    return str(ipaddress.ip_address(address.partition("%")[0]))


def _shown(addresses: Sequence[str]) -> str:
    more = f" and {len(addresses) - _SHOWN} more" if len(addresses) > _SHOWN else ""
    return clean_text(", ".join(addresses[:_SHOWN]) + more)
