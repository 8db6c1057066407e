"""A TCP connection to the first address of a name that answers, and the end of one that does not answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Final, TypeVar

P = TypeVar("P", bound=asyncio.Protocol)

_NEXT_AFTER_S: Final = 0.25
"""How long one address is waited for before the next is tried beside it (RFC 8305)."""


def cut_off(transport: asyncio.Transport) -> None:
    """Close it, and let nothing arrive any more that the other host has not taken in yet. Without that the
    kernel goes on trying for a minute or two, and a write that was given up is carried out when a network
    comes back, although nobody asks for it by then."""
    ends = transport.get_extra_info("socket")
    if ends is not None:
        with suppress(OSError):  # it is gone already
            ends.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def connected(host: str, port: int, protocol: Callable[[], P]) -> P:
    """Raises OSError, gaierror for a name without an address among them, and a group of them where several
    addresses were tried: what each of them said decides what is told."""
    loop = asyncio.get_running_loop()
    addresses = await _addresses(host, port)
    if len(addresses) == 1:
        return (await loop.create_connection(protocol, addresses[0], port))[1]
    return await _first(addresses, port, protocol)


async def _addresses(host: str, port: int) -> Sequence[str]:
    try:
        ip_address(host)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    return [host]


async def _first(addresses: Sequence[str], port: int, protocol: Callable[[], P]) -> P:
    loop, left, errors = asyncio.get_running_loop(), list(addresses), list[Exception]()
    tries = set[asyncio.Task[tuple[asyncio.Transport, P]]]()
    try:
        while left or tries:
            if left:
                tries.add(loop.create_task(loop.create_connection(protocol, left.pop(0), port)))
            wait_s = _NEXT_AFTER_S if left else None
            done, _ = await asyncio.wait(tries, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                tries.discard(each)
                error = each.exception()
                if error is None:
                    return each.result()[1]
                if isinstance(error, Exception):
                    errors.append(error)
        raise ExceptionGroup(f"{len(addresses)} addresses", errors)
    finally:
        for each in tries:
            each.cancel()
        for late in await asyncio.gather(*tries, return_exceptions=True):
            if isinstance(late, tuple):
                late[0].abort()
