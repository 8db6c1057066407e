"""The one HTTP client under all adapters. It distrusts the network, the answer and itself.

- One deadline per request covers waiting for a place, connecting, TLS, redirects, a retry and the
  last byte of the body.
- Reads are tried twice at most (connection refused or reset, 429, 503), inside that deadline and
  obeying Retry-After. Writes are sent once; `Unreachable.sent` is False only when nothing left.
- Writes have places of their own and never wait behind reads.
- Redirects are followed for reads, three at most, never from https to http. A credential is never
  carried to another scheme, host or port: such a redirect is refused. Writes are not redirected.
- Cookies are not kept. Proxies and CA files of the environment count. Bodies are capped after
  unpacking, and what we sent as a secret is blanked out of what comes back.

Every simultaneous request has a connection of its own: shared pools cost the square of their connections.
Where the extra `http2` is installed and the service speaks it, one connection does for all of them.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

import cockpit
from cockpit.adapters.base import RefusedByService
from cockpit.adapters.http2 import ALPN, Http2, Place, installed
from cockpit.adapters.http_address import Address
from cockpit.adapters.http_answer import Answer
from cockpit.adapters.http_clients import IDLE_S, Clients
from cockpit.adapters.http_environment import trust
from cockpit.adapters.http_headers import Headers as Said
from cockpit.adapters.http_path import plan_fault, segment
from cockpit.adapters.http_places import OpeningPlaces, Places, SharedPlaces
from cockpit.adapters.http_trouble import host_port, shown, timed_out
from cockpit.adapters.http_wire import Ask, Lane, Progress
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.url import InvalidUrl, Params, Url
from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.dataclass import replace
from cockpit.core.model import Failure, Fault
from cockpit.core.secret import Secret

__all__ = ["Answer", "Cause", "HttpHost", "NoAnswer", "Web", "segment"]

Headers = Mapping[str, Secret | str]
Heard = Callable[[str, Answer | None], None]
"""Told of every request that went out: `host:port`, and its answer, or None when there was none."""

_MAX_REDIRECTS: Final = 3
_MOST_ADDRESSES: Final = 1000
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD: Final = frozenset({307, 308})
_TRY_AGAIN: Final = frozenset({Cause.REFUSED, Cause.RESET})
_PAUSE_S: Final = (0.05, 0.2)
_WRITE_PLACES: Final = 32
# Asyncio's servers and Tomcat let 100 connections wait that they have not taken in yet, others 128 or 511.
# A proxy in front counts each of ours twice, among its 512 or 768.
_FIRST_PLACES: Final = 64
_MOST_PLACES: Final = 128
_SHARED_PLACES: Final = 3
# A server may close an idle connection at the moment we write to it, and then nobody knows what
# became of the write; so a write uses only a connection that was busy just now.
_WRITE_IDLE_S: Final = 2.0


class Web:
    """Makes hosts that share TLS contexts (building one costs 30 ms) and closes them all.

    clock: for adapters that compare a service's clock or a certificate's end with ours.
    heard: who wants to know of every request.
    """

    def __init__(
        self, *, version: str = cockpit.__version__, clock: Clock | None = None, heard: Heard | None = None
    ) -> None:
        self.clock = clock
        self._heard = heard
        self._agent = f"cutover-cockpit/{version}"
        self._tls: dict[tuple[str | None, bool], ssl.SSLContext] = {}
        self._want_http1: dict[Place, float] = {}
        self._hosts: list[HttpHost] = []
        self._shared: dict[tuple[str, str], SharedPlaces] = {}
        self._kept_warm: dict[tuple[str, str, str | None], Clients] = {}

    def host(
        self,
        base_url: str,
        *,
        headers: Headers | None = None,
        timeout_s: float = 5.0,
        max_body: int = 2_000_000,
        ca_file: str | None = None,
        max_concurrent: int = 4,
        secret_path: bool = False,
        shared: bool = False,
        lever: bool = False,
        wide: bool = False,
    ) -> HttpHost:
        """A client for one base address. Headers whose value is a Secret are credentials.

        secret_path: paths are credentials too (webhook addresses) and appear in no text.
        shared: all shared clients of the same host have three places together, two of them for reads.
        lever: a flag service, which is read at once after it was written and so has as many places for reads.
        What reads it and what writes to it have their connections in common: the polls keep warm what a
        rollback writes through.
        wide: a lever of a kind that publishes no limit, where a rollback need not wait in turns: writes, and
        the reads that belong to them, have more places of their own. Polls have no more than elsewhere.
        Opens nothing yet. Raises RefusedByService (fault PLAN) for an address that cannot be used.
        """
        base = _base(base_url)
        clients = self._clients(base, ca_file, in_common=lever)
        clients.users += 1
        max_concurrent = _WRITE_PLACES if lever else max_concurrent
        ours = self._shared.setdefault(_origin(base), SharedPlaces(_SHARED_PLACES)) if shared else None
        reads = Lane(clients, places=ours.reads if ours else asyncio.Semaphore(max_concurrent), idle_s=IDLE_S)
        host = HttpHost(
            base,
            headers=headers or {},
            timeout_s=timeout_s,
            max_body=max_body,
            secret_path=secret_path,
            clients=clients,
            reads=reads,
            proofs=Lane(clients, places=_places(wide=True), idle_s=IDLE_S) if wide else reads,
            writes=Lane(clients, places=ours.writes if ours else _places(wide=wide), idle_s=_WRITE_IDLE_S),
            heard=self._heard,
        )
        self._hosts.append(host)
        return host

    async def aclose(self) -> None:
        hosts, self._hosts = self._hosts, []
        for host in hosts:
            await host.aclose()

    def _clients(self, base: Url, ca_file: str | None, *, in_common: bool) -> Clients:
        http2: Http2 | None = None
        if base.scheme == "https" and installed():
            http2 = Http2(base, lambda: self._tls_context(ca_file, http2=True), plain=self._want_http1)
        made = Clients(lambda: self._tls_context(ca_file), agent=self._agent, http2=http2)
        return self._kept_warm.setdefault((*_origin(base), ca_file), made) if in_common else made

    def _tls_context(self, ca_file: str | None, *, http2: bool = False) -> ssl.SSLContext:
        """Trusts `ca_file` alone; without one, what the environment or the bundled list names.

        http2: one of its own, because HTTP/1.1 sets in its contexts what the server may choose from.
        """
        if (ca_file, http2) not in self._tls:
            try:
                made = ssl.create_default_context(cafile=ca_file) if ca_file else trust()
            except (OSError, ssl.SSLError) as error:
                why = clean_text(getattr(error, "strerror", None) or "not a PEM file", limit=80)
                named = clean_text(ca_file or "the one in SSL_CERT_FILE or SSL_CERT_DIR", limit=120)
                raise plan_fault("the CA file cannot be used", f"{named}: {why}") from None
            if http2:
                made.set_alpn_protocols(ALPN)
            self._tls[ca_file, http2] = made
        return self._tls[ca_file, http2]


class HttpHost:
    """One base address with its credentials, its deadline and its connections. Made by `Web.host`."""

    def __init__(
        self,
        base: Url,
        *,
        headers: Headers,
        timeout_s: float,
        max_body: int,
        secret_path: bool,
        clients: Clients,
        reads: Lane,
        proofs: Lane,
        writes: Lane,
        heard: Heard | None = None,
    ) -> None:
        self._base = Address(base)
        self._base_path = base.target.rstrip("/")
        self._addresses: dict[str, Address] = {}
        self._headers = Said(dict(headers))
        self._timeout_s = timeout_s
        self._max_body = max_body
        self._secret_path = secret_path
        self._clients: Clients | None = clients
        self._reads = reads
        self._proofs = proofs
        self._writes = writes
        self._heard = heard

    @property
    def address(self) -> str:
        """`host:port`, clean, for texts."""
        return self._base.host_port

    async def get(
        self,
        path: str,
        *,
        params: Params | None = None,
        headers: Headers | None = None,
        method: Literal["GET", "HEAD"] = "GET",
        retry: bool = True,
        redirects: bool = True,
        proves: bool = False,
    ) -> Answer:
        """Read. Probes want every answer as it is: with `retry=False` it asks once and returns 429 and
        503 too, with `redirects=False` it returns redirects. proves: it belongs to a write, and waits for no
        poll.
        """
        ask = self._ask(method, path, headers, params=params)
        return await self._read(replace(ask, redirects=redirects, proves=proves), retry=retry)

    async def read_post(
        self,
        path: str,
        *,
        json: object = None,
        form: Params | None = None,
        headers: Headers | None = None,
        retry: bool = True,
    ) -> Answer:
        """A POST that only reads and so may be tried twice. Give `json` or `form`."""
        ask = self._ask("POST", path, headers)
        return await self._read(ask.with_json(json) if form is None else ask.with_form(form), retry=retry)

    async def write(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        body: bytes | None = None,
        headers: Headers | None = None,
    ) -> Answer:
        """Send once: `json`, or `body` as it is (JSON that was signed), or nothing.

        Every status but a redirect comes back as an answer; a redirect raises RefusedByService.
        """
        ask = replace(self._ask(method, path, headers), reads=False)
        if body is not None:
            ask = ask.with_body(body, "application/json")
        elif json is not None:
            ask = ask.with_json(json)
        return await self._within_deadline(ask, self._follow)

    async def warm(self, path: str, connections: int = 1) -> None:
        """Ask so often at once, and once each, that as many connections are fresh for writes; over HTTP/2 one
        is all there are. What is answered is no matter; raises AdapterError for no answer, and Throttled when
        asked to wait.
        """
        http2 = self._clients.http2 if self._clients is not None else None
        if http2 is not None and http2.spoken:
            connections = 1
        asks = (self.get(path, retry=False, redirects=False) for _ in range(connections))
        for answer in await asyncio.gather(*asks, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer
            if answer.status in (429, 503):
                raise answer.as_error()

    async def aclose(self) -> None:
        clients, self._clients = self._clients, None
        if clients is not None:
            await clients.aclose()

    def _ask(self, method: str, path: str, headers: Headers | None, *, params: Params | None = None) -> Ask:
        address = self._address(path)
        if params is not None:
            address = Address(address.url.with_params(params))
        said = self._headers.also(headers or {})
        return Ask(method=method, address=address, headers=said, secret_path=self._secret_path)

    def _address(self, path: str) -> Address:
        """Kept, because the same few are asked for again and again."""
        found = self._addresses.get(path)
        if found is not None:
            return found
        try:
            found = self._base.at(f"{self._base_path}{path}")
        except InvalidUrl:
            raise plan_fault(f"not a usable path: {clean_text(path, limit=80)}") from None
        if len(self._addresses) >= _MOST_ADDRESSES:
            self._addresses.clear()
        self._addresses[path] = found
        return found

    async def _read(self, ask: Ask, *, retry: bool) -> Answer:
        return await self._within_deadline(ask, self._follow_twice if retry else self._follow)

    async def _within_deadline(
        self, ask: Ask, attempt: Callable[[Ask, Progress], Awaitable[Answer]]
    ) -> Answer:
        progress = Progress(until=asyncio.get_running_loop().time() + self._timeout_s, writes=not ask.reads)
        try:
            async with asyncio.timeout_at(progress.until):
                return await attempt(ask, progress)
        except TimeoutError:
            raise timed_out(ask.url, progress.phase, self._timeout_s, ask.text) from None

    async def _follow_twice(self, ask: Ask, progress: Progress) -> Answer:
        loop = asyncio.get_running_loop()
        pause_s = random.uniform(*_PAUSE_S)
        try:
            answer = await self._follow(ask, progress)
        except NoAnswer as trouble:
            if trouble.cause not in _TRY_AGAIN or loop.time() + pause_s >= progress.until:
                raise
        else:
            if answer.status not in (429, 503):
                return answer
            pause_s = max(pause_s, answer.retry_after_s() or 0.0)
            if loop.time() + pause_s >= progress.until:
                raise answer.as_error()
        await asyncio.sleep(pause_s)
        answer = await self._follow(ask, progress)
        if answer.status in (429, 503):
            raise answer.as_error()
        return answer

    async def _follow(self, ask: Ask, progress: Progress) -> Answer:
        lane = self._writes if not ask.reads else self._proofs if ask.proves else self._reads
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._exchange(lane, ask, progress)
            redirect = answer.status in _REDIRECTS and "location" in answer.headers
            if not redirect or not ask.redirects:
                return answer
            ask = _redirected(ask, answer)
        raise _no_redirect(ask, answer.status, f"more than {_MAX_REDIRECTS} redirects")

    async def _exchange(self, lane: Lane, ask: Ask, progress: Progress) -> Answer:
        answer: Answer | None = None
        try:
            answer = await lane.exchange(ask, progress, timeout_s=self._timeout_s, max_body=self._max_body)
            return answer
        finally:
            if self._heard is not None:
                self._heard(ask.address.host_port, answer)


def _places(*, wide: bool) -> Places:
    return OpeningPlaces(_FIRST_PLACES, _MOST_PLACES) if wide else asyncio.Semaphore(_WRITE_PLACES)


def _base(base_url: str) -> Url:
    try:
        url = Url.parse(base_url)
    except ValueError:
        raise plan_fault("not an address", clean_text(base_url.split("@")[-1], limit=120)) from None
    if not _usable(url):
        raise plan_fault("an address begins with http:// or https:// and names a host")
    if url.userinfo or url.query or url.fragment:
        raise plan_fault("an address holds no user, password, query or fragment", shown(url))
    return url


def _usable(url: Url) -> bool:
    try:
        return url.scheme in ("http", "https") and bool(url.shown_host) and (url.port or 1) < 65536
    except UnicodeError:
        return False


def _redirected(ask: Ask, answer: Answer) -> Ask:
    """The request that the redirect asks for. Raises RefusedByService where following it is not safe."""
    try:
        target = replace(ask.url.join(answer.headers["location"]), userinfo="", fragment=None)
    except ValueError:
        raise _no_redirect(ask, answer.status, "the redirect names no usable address") from None
    if not _usable(target):
        raise _no_redirect(ask, answer.status, "the redirect names no usable address")
    if not ask.reads:
        raise _no_redirect(
            ask, answer.status, f"a write was redirected to {ask.show(target)}; it was not followed"
        )
    if ask.url.scheme == "https" and target.scheme == "http":
        raise _no_redirect(ask, answer.status, f"redirected from https to {ask.show(target)}")
    if ask.carries_credential and _origin(target) != _origin(ask.url):
        raise _no_redirect(
            ask, answer.status, f"redirected to {ask.show(target)}; the credential was not sent there"
        )
    if ask.method == "POST" and answer.status not in _KEEP_METHOD:
        raise _no_redirect(ask, answer.status, f"a POST was redirected to {ask.show(target)}")
    return ask.to(target)


def _origin(url: Url) -> tuple[str, str]:
    return url.scheme, host_port(url)


def _no_redirect(ask: Ask, status: int, title: str) -> RefusedByService:
    detail = f"{ask.text}: put the address that really serves this into the plan"
    failure = Failure(title=title, detail=detail, retryable=False, fault=Fault.PLAN)
    return RefusedByService(failure, status=status)
