"""Network trouble in plain words: what happened, whose fault it is, and whether anything left this host.

The texts of libraries never reach a failure: they may hold header values. Only certificate
complaints are quoted, cleaned, because they name the remedy.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from enum import IntEnum
from socket import gaierror

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.http_message import (
    BadRedirect,
    BrokenOff,
    HttpError,
    NotHttp,
    ProxyTrouble,
    Unsendable,
)
from cockpit.adapters.http_path import plan_fault
from cockpit.adapters.no_answer import Cause, NoAnswer, tls_words
from cockpit.adapters.url import Url
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault


class Phase(IntEnum):
    """How far one request came. From SENT on, the other side may have acted on it."""

    QUEUED = 0
    CONNECTING = 1
    TLS = 2
    SENT = 3
    ANSWERING = 4


Reached = Callable[[Phase], None]
"""Told how far a request came, before it goes on."""


def host_port(url: Url) -> str:
    """`host:port` for texts; the port is always named."""
    port = url.port or (443 if url.scheme == "https" else 80)
    host = f"[{url.host}]" if ":" in url.host else url.shown_host
    return clean_text(f"{host}:{port}", limit=80)


def shown(url: Url) -> str:
    """The address without user, password, query and fragment, safe to print."""
    return clean_text(f"{url.scheme}://{host_port(url)}{url.path or '/'}", limit=160)


def timed_out(url: Url, phase: Phase, timeout_s: float, asked: str) -> NoAnswer:
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


def network_trouble(error: HttpError, url: Url, phase: Phase, *, asked: str) -> AdapterError:
    """The one place where an exchange that did not end becomes an error of an adapter."""
    sent = phase >= Phase.SENT
    if phase is Phase.ANSWERING:
        return BrokenAnswer(Failure(title=f"the answer from {host_port(url)} was cut short", detail=asked))
    if isinstance(error, BadRedirect):
        return BrokenAnswer(Failure(title="the redirect names no usable address", detail=asked), sent=sent)
    if isinstance(error, NotHttp):
        failure = Failure(title=f"{host_port(url)} does not speak HTTP here", detail=asked, fault=Fault.PLAN)
        return BrokenAnswer(failure, sent=sent)
    if isinstance(error, Unsendable):
        return plan_fault("the request cannot be put into HTTP: check the address and the secret", asked)
    cause, title, fault = _diagnose(error, host_port(url), sent)
    if isinstance(error, ProxyTrouble):
        cause, title = Cause.PROXY, f"the proxy did not let us reach {host_port(url)}"
        fault = Fault.NETWORK
    return NoAnswer(Failure(title=title, detail=asked, fault=fault), cause=cause, sent=sent)


def _diagnose(error: HttpError, host: str, sent: bool) -> tuple[Cause, str, Fault]:
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
