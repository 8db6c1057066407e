"""One request on the wire: what is asked, the places it waits for, and one exchange of bytes.

No policy here: retries, redirects and deadlines are decided in `http`.
"""

from __future__ import annotations

import asyncio
import json as json_text
import ssl
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from cockpit.adapters.http_address import Address
from cockpit.adapters.http_answer import Answer, parse_http_date
from cockpit.adapters.http_body import read_capped
from cockpit.adapters.http_clients import Client, Clients
from cockpit.adapters.http_headers import Headers
from cockpit.adapters.http_message import HttpError, Response, TimedOut
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.http_places import Places
from cockpit.adapters.http_trouble import Phase, host_port, network_trouble, shown, timed_out
from cockpit.adapters.leaving import must_be_wanted
from cockpit.adapters.url import Params, Url
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass, replace

_LONGEST_HEADER: Final = 4000
_LEAST_S: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request. `reads` says that repeating it changes nothing, `redirects` that reads follow them,
    `proves` that it belongs to a write.

    secret_path: the path itself is a credential and appears in no text.
    """

    method: str
    address: Address
    headers: Headers
    reads: bool = True
    redirects: bool = True
    proves: bool = False
    secret_path: bool = False
    body: bytes | None = None

    def with_json(self, value: object) -> Ask:
        body = json_text.dumps(value, allow_nan=False, separators=(",", ":")).encode()
        return self.with_body(body, "application/json")

    def with_form(self, form: Params) -> Ask:
        return self.with_body(urlencode(form).encode(), "application/x-www-form-urlencoded")

    def with_body(self, body: bytes, content_type: str) -> Ask:
        return replace(self, body=body, headers=Headers({"Content-Type": content_type, **self.headers.said}))

    def to(self, url: Url) -> Ask:
        """The same of another address."""
        return replace(self, address=Address(url))

    @property
    def text(self) -> str:
        """Method and address for messages."""
        return f"{self.method} {self.address.host_port if self.secret_path else self.address.shown}"

    @property
    def url(self) -> Url:
        return self.address.url

    def show(self, url: Url) -> str:
        return host_port(url) if self.secret_path else shown(url)

    @property
    def carries_credential(self) -> bool:
        return self.secret_path or self.headers.credential


class Progress:
    """How far a request came; it stays readable after the request was cancelled by its deadline.

    until: the deadline, in the loop's time. writes: it has to be wanted still when its first byte leaves.
    """

    def __init__(self, *, until: float, writes: bool = False) -> None:
        self.until = until
        self._writes = writes
        self.phase = Phase.QUEUED

    def reach(self, phase: Phase) -> None:
        """Raises Unreachable instead of SENT for a write that is not wanted any more (`leaving`)."""
        if phase is Phase.SENT and self._writes:
            must_be_wanted()
        self.phase = max(self.phase, phase)


class Lane:
    """A number of places for simultaneous requests, and the clients that carry them.

    idle_s: a connection that was idle for longer is not used again.
    """

    def __init__(self, clients: Clients, *, places: Places, idle_s: float) -> None:
        self._clients = clients
        self._places = places
        self._idle_s = idle_s

    async def exchange(self, ask: Ask, progress: Progress, *, timeout_s: float, max_body: int) -> Answer:
        """Send once and read the answer to its end. Raises AdapterError; redirects are answers."""
        async with self._places:
            progress.phase = Phase.CONNECTING
            started = asyncio.get_running_loop().time()
            client: Client | None = None
            ended = False
            try:
                request = self._request(ask, progress)
                response = await self._over_http2(request, progress, asks=ask.reads)
                if response is None:
                    client = self._clients.take(ask.address.scheme, idle_s=self._idle_s)
                    request.left_s = _left_s(progress)
                    response = await client.send(request, progress.reach)
                try:
                    body = await read_capped(response, max_body=max_body, asked=ask.text)
                finally:
                    await response.body.aclose()
                ended = True
            except TimedOut:
                raise timed_out(ask.url, progress.phase, timeout_s, ask.text) from None
            except HttpError as error:
                raise network_trouble(error, ask.url, progress.phase, asked=ask.text) from None
            finally:
                if client is not None:
                    await self._clients.put_back(ask.address.scheme, client, ended=ended)
            took_s = asyncio.get_running_loop().time() - started
        return _answer(ask, response, body, took_s)

    def _request(self, ask: Ask, progress: Progress) -> Outgoing:
        return Outgoing(
            ask.method,
            ask.address,
            ask.headers.wire(self._clients.with_ours),
            ask.body or b"",
            left_s=_left_s(progress),
        )

    async def _over_http2(self, request: Outgoing, progress: Progress, *, asks: bool) -> Response | None:
        """The head of the answer; None where HTTP/1.1 is spoken."""
        http2 = self._clients.http2
        if http2 is None:
            return None
        return await http2.send(
            request,
            idle_s=self._idle_s,
            left_s=request.left_s,
            asks=asks,
            reached=progress.reach,
        )


def _left_s(progress: Progress) -> float:
    return max(_LEAST_S, progress.until - asyncio.get_running_loop().time())


def _answer(ask: Ask, response: Response, body: bytes, took_s: float) -> Answer:
    blank = ask.headers.blank
    headers = {
        name: _clean_header(blank(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))
        for name, value in response.headers.items()
    }
    return Answer(
        status=response.status,
        headers=headers,
        body=blank(body),
        took_s=took_s,
        server_time=parse_http_date(headers.get("date", "")),
        asked=ask.text,
        certificate_ends_at=_certificate_end(response),
        spoken=response.spoken,
    )


def _certificate_end(response: Response) -> datetime | None:
    ends = None if response.tls is None else (response.tls.getpeercert() or {}).get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None


def _clean_header(value: str) -> str:
    if value.isascii() and value.isprintable() and len(value) <= _LONGEST_HEADER:
        return value
    return clean_text(value, limit=_LONGEST_HEADER)
