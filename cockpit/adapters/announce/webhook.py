"""Announcements to a web address, as JSON by POST.

The address is a secret (who knows it can post), so texts show its host and its last four characters.
With a shared secret each body is signed: `X-Cockpit-Signature: sha256=HEX` is the HMAC-SHA256 of the
raw body, which carries the event's time; a receiver rejects old times and event ids it has seen.

Any 2xx is success. Redirects are not followed. A 4xx is a fault of the plan, but for 408 and 429,
which like 5xx are worth another try. What the receiver says is not shown: it may repeat the address.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult

from cockpit.adapters.announce.body import to_json
from cockpit.adapters.base import (
    AdapterError,
    Announcement,
    RefusedByService,
    ServiceTrouble,
    Throttled,
)
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.fields import split_url
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import WebhookSettings
    from cockpit.adapters.http import Answer, HttpHost, Web

_TRY_AGAIN: Final = frozenset({408, 425})
_MAX_BODY: Final = 64_000


def build(settings: WebhookSettings, web: Web, secret: Secrets, timeout_s: float) -> WebhookAnnouncer:
    """Raises what `secret` raises, and RefusedByService when the secret is not an address."""
    parts = _split(secret(settings.url))
    host = web.host(
        f"{parts.scheme}://{parts.netloc}",
        timeout_s=timeout_s,
        max_body=_MAX_BODY,
        ca_file=settings.ca_file,
        max_concurrent=1,
        secret_path=True,
    )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    key = None if settings.secret is None else secret(settings.secret)
    return WebhookAnnouncer(host, path=Secret(path), key=key)


class WebhookAnnouncer:
    def __init__(self, host: HttpHost, *, path: Secret, key: Secret | None) -> None:
        self._host = host
        self._path = path
        self._key = key

    @property
    def address(self) -> str:
        """Host and last four characters of the address; all of a short path stays hidden."""
        path = self._path.reveal()
        tail = path[-4:] if len(path) >= 16 else ""
        return f"{self._host.address}/…{clean_text(tail, limit=4)}"

    async def announce(self, announcement: Announcement) -> str:
        body = to_json(announcement)
        headers: dict[str, Secret | str] = {
            "X-Cockpit-Event": clean_header(announcement.moment),
            "X-Cockpit-Delivery": clean_header(announcement.event_id),
        }
        if self._key is not None:
            headers["X-Cockpit-Signature"] = sign(body, self._key)
        answer = await self._host.write("POST", self._path.reveal(), body=body, headers=headers)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer)
        return f"{answer.status} from {self.address}"

    async def aclose(self) -> None:
        await self._host.aclose()

    def _refusal(self, answer: Answer) -> AdapterError:
        status, detail = answer.status, self.address
        if status == 429:
            wait_s = answer.retry_after_s()
            failure = Failure(
                title="the webhook asks to wait (HTTP 429)", detail=detail, retry_after_s=wait_s
            )
            return Throttled(failure, status=status)
        if status >= 500 or status in _TRY_AGAIN:
            wait_s = answer.retry_after_s()
            failure = Failure(
                title=f"the webhook failed (HTTP {status})", detail=detail, retry_after_s=wait_s
            )
            return ServiceTrouble(failure, status=status)
        fault = Fault.CREDENTIAL if status in (401, 403) else Fault.PLAN
        title = f"the webhook does not take this (HTTP {status}): check its address"
        return RefusedByService(
            Failure(title=title, detail=detail, retryable=False, fault=fault), status=status
        )


def sign(body: bytes, key: Secret) -> str:
    """The value of X-Cockpit-Signature."""
    return "sha256=" + hmac.new(key.reveal().encode(), body, hashlib.sha256).hexdigest()


def clean_header(text: str) -> str:
    """Text of ours as a header value: other than printable ASCII becomes a question mark."""
    return clean_text(text, limit=100).encode("ascii", "replace").decode()


def _split(url: Secret) -> SplitResult:
    try:
        return split_url(url.reveal().strip())
    except ValueError as error:
        failure = Failure(
            title="the secret for the webhook is not an address",
            detail=clean_text(error),
            retryable=False,
            fault=Fault.CREDENTIAL,
        )
        raise RefusedByService(failure, sent=False) from None
