"""Network trouble in plain words: what happened, whose fault it is, and whether anything left this host.

The texts of libraries never reach a failure: they may hold header values. Only certificate
complaints are quoted, cleaned, because they name the remedy.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from enum import IntEnum
from socket import gaierror

import httpx

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.http_path import plan_fault
from cockpit.adapters.no_answer import Cause, NoAnswer, tls_words
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault


class Phase(IntEnum):
    """How far one request came. From SENT on, the other side may have acted on it."""

    QUEUED = 0
    CONNECTING = 1
    TLS = 2
    SENT = 3
    ANSWERING = 4


class BrokenOff(httpx.ReadError):
    """Over HTTP/2 a request may end without an answer while its connection stays."""


def host_port(url: httpx.URL) -> str:
    """`host:port` for texts; the port is always named."""
    port = url.port or (443 if url.scheme == "https" else 80)
    host = f"[{url.host}]" if ":" in url.host else url.host
    return clean_text(f"{host}:{port}", limit=80)


def shown(url: httpx.URL) -> str:
    """The address without user, password, query and fragment, safe to print."""
    path = url.raw_path.split(b"?", 1)[0].decode("ascii", "replace")
    return clean_text(f"{url.scheme}://{host_port(url)}{path}", limit=160)


def timed_out(url: httpx.URL, phase: Phase, timeout_s: float, asked: str) -> NoAnswer:
    host, within = host_port(url), f"within {timeout_s:g} s"
    title, fault = {
        Phase.QUEUED: (f"earlier requests to {host} did not end {within}", Fault.SERVICE),
        Phase.CONNECTING: (f"no connection to {host} {within}", Fault.NETWORK),
        Phase.TLS: (f"TLS with {host} was not set up {within}", Fault.NETWORK),
        Phase.SENT: (f"no answer from {host} {within}", Fault.SERVICE),
        Phase.ANSWERING: (f"the answer from {host} did not end {within}", Fault.SERVICE),
    }[phase]
    failure = Failure(title=title, detail=asked, fault=fault)
    return NoAnswer(failure, cause=Cause.TIMEOUT, sent=phase >= Phase.SENT)


def network_trouble(
    error: httpx.HTTPError, url: httpx.URL, phase: Phase, *, asked: str, via_proxy: bool
) -> AdapterError:
    """The one place where an exception of the HTTP library becomes one of ours."""
    sent = phase >= Phase.SENT
    if phase is Phase.ANSWERING:
        return BrokenAnswer(Failure(title=f"the answer from {host_port(url)} was cut short", detail=asked))
    if isinstance(error, httpx.RemoteProtocolError) and "location header" in str(error):
        return BrokenAnswer(Failure(title="the redirect names no usable address", detail=asked), sent=sent)
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
        failure = Failure(title=f"{host_port(url)} does not speak HTTP here", detail=asked, fault=Fault.PLAN)
        return BrokenAnswer(failure, sent=sent)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return plan_fault("the request cannot be put into HTTP: check the address and the secret", asked)
    cause, title, fault = _diagnose(error, host_port(url), sent)
    if not sent and (via_proxy or isinstance(error, httpx.ProxyError)):
        cause, title = Cause.PROXY, f"the proxy did not let us reach {host_port(url)}"
        fault = Fault.NETWORK
    return NoAnswer(Failure(title=title, detail=asked, fault=fault), cause=cause, sent=sent)


def _diagnose(error: httpx.HTTPError, host: str, sent: bool) -> tuple[Cause, str, Fault]:
    chain = tuple(_chain(error))
    for link in chain:
        if isinstance(link, ssl.SSLError):
            return Cause.TLS, f"TLS with {host}: {tls_words(link)}", Fault.SERVICE
        if isinstance(link, gaierror):
            return Cause.DNS, f"no address for the name {host.rpartition(':')[0]}", Fault.NETWORK
        if isinstance(link, ConnectionRefusedError):
            return Cause.REFUSED, f"connection refused by {host}", Fault.SERVICE
    if isinstance(error, BrokenOff):
        return Cause.RESET, f"{host} broke off before an answer", Fault.SERVICE
    if sent or any(isinstance(link, ConnectionResetError) for link in chain):
        return Cause.RESET, f"{host} closed the connection without an answer", Fault.SERVICE
    return Cause.NO_ROUTE, f"no way to {host}", Fault.NETWORK


def _chain(error: BaseException, depth: int = 0) -> Iterator[BaseException]:
    """The exception, what caused it and, for a group, its members; connecting tries several addresses."""
    yield error
    if depth > 12:
        return
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _chain(member, depth + 1)
    inner = error.__cause__ or error.__context__
    if inner is not None:
        yield from _chain(inner, depth + 1)
