"""Announcements to a web address, as JSON by POST.

The address is a secret (who knows it can post), so texts show its host and its last four characters.
Every post says what it is in headers: `X-Cutover-Event` the moment, `X-Cutover-Delivery` the event id,
which stays the same when it is tried again, `X-Cutover-Timestamp` when it was sent, in seconds.
With a shared secret each post is signed: `X-Cutover-Signature: sha256=HEX` is the HMAC-SHA256 of the
timestamp, a full stop and the raw body. A receiver checks it over the bytes as they came, rejects
timestamps older than five minutes, and drops event ids it has seen.

Any 2xx is success. Redirects are not followed. A 4xx is a fault of the plan, but for 408, 425 and 429,
which like 5xx are worth another try. What the receiver says is not shown: it may repeat the address.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from cockpit.adapters.announce.address import SecretAddress, open_address
from cockpit.adapters.announce.body import to_json
from cockpit.adapters.announce.refusal import refusal
from cockpit.adapters.base import Announcement
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import WebhookSettings
    from cockpit.adapters.http import Web
    from cockpit.core.clock import Clock


def build(settings: WebhookSettings, web: Web, secret: Secrets, timeout_s: float) -> WebhookAnnouncer:
    """Raises what `secret` raises, and RefusedByService when the secret is not an address."""
    address = open_address(
        secret(settings.url), web, timeout_s=timeout_s, ca_file=settings.ca_file, what="the webhook"
    )
    key = None if settings.secret is None else secret(settings.secret)
    return WebhookAnnouncer(address, key=key, clock=web.clock)


class WebhookAnnouncer:
    def __init__(self, address: SecretAddress, *, key: Secret | None, clock: Clock | None) -> None:
        self.address = address
        self._key = key
        self._clock = clock

    async def announce(self, announcement: Announcement) -> str:
        body = to_json(announcement)
        sent_at = announcement.at if self._clock is None else self._clock.now()
        timestamp = str(int(sent_at.timestamp()))
        headers: dict[str, Secret | str] = {
            "X-Cutover-Event": clean_header(announcement.moment),
            "X-Cutover-Delivery": clean_header(announcement.event_id),
            "X-Cutover-Timestamp": timestamp,
        }
        if self._key is not None:
            headers["X-Cutover-Signature"] = sign(timestamp, body, self._key)
        answer = await self.address.host.write("POST", self.address.path.reveal(), body=body, headers=headers)
        if not 200 <= answer.status < 300:
            raise refusal(answer, "the webhook", detail=str(self.address))
        return f"{answer.status} from {self.address}"

    async def aclose(self) -> None:
        await self.address.host.aclose()


def sign(timestamp: str, body: bytes, key: Secret) -> str:
    """The value of X-Cutover-Signature."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(key.reveal().encode(), signed, hashlib.sha256).hexdigest()


def clean_header(text: str) -> str:
    """Text of ours as a header value: other than printable ASCII becomes a question mark."""
    return clean_text(text, limit=100).encode("ascii", "replace").decode()
