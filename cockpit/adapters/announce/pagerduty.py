"""Announcements to PagerDuty, by Events API v2.

Protocol (PagerDuty/api-schema, reference/events-v2): `POST /v2/change/enqueue` makes a change event,
which pages nobody and stands beside incidents; `POST /v2/enqueue` makes an alert, which pages. Both
answer 202. 400 brings `errors[]` and is not repeated; 429 and 5xx are.

A stage or a finished flip is a change event. Only a rollback pages, when it is declared, late, or
without its operator: an alert is triggered with the rollback's own `dedup_key`, so that all of it is one
alert, and it is resolved when the rollback is closed or cancelled. The key can only write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cockpit.adapters.announce.refusal import not_taken, refusal
from cockpit.adapters.base import Announcement, BrokenAnswer
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text
from cockpit.core.secret import REDACTED, Secret
from cockpit.core.spec import HookMoment

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import PagerDutySettings
    from cockpit.adapters.http import Answer, HttpHost, Web

REGIONS: Final = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
_SOURCE: Final = "cutover-cockpit"
_SUMMARY_LIMIT: Final = 1000
_MAX_BODY: Final = 64_000
_ALERTS: Final = {
    HookMoment.DECLARED.value: "trigger",
    HookMoment.ESCALATED.value: "trigger",
    HookMoment.LOST.value: "trigger",
    HookMoment.CLOSED.value: "resolve",
    HookMoment.CANCELLED.value: "resolve",
}


def build(settings: PagerDutySettings, web: Web, secret: Secrets, timeout_s: float) -> PagerDutyAnnouncer:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = web.host(
        settings.url or REGIONS[settings.region],
        timeout_s=timeout_s,
        max_body=_MAX_BODY,
        ca_file=settings.ca_file,
        max_concurrent=1,
    )
    return PagerDutyAnnouncer(host, key=secret(settings.routing_key), severity=settings.severity)


class PagerDutyAnnouncer:
    def __init__(self, host: HttpHost, *, key: Secret, severity: str) -> None:
        self._host = host
        self._key = key
        self._severity = severity

    async def announce(self, announcement: Announcement) -> str:
        action = _ALERTS.get(announcement.moment)
        if action is None:
            return await self._change(announcement)
        return await self._alert(announcement, action)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _change(self, announcement: Announcement) -> str:
        await self._post("/v2/change/enqueue", {"payload": _payload(announcement)})
        return "PagerDuty took a change event"

    async def _alert(self, announcement: Announcement, action: str) -> str:
        dedup_key = alert_key(announcement)
        body: dict[str, object] = {"event_action": action, "dedup_key": dedup_key, "client": _SOURCE}
        if action == "trigger":
            body["payload"] = {**_payload(announcement), "severity": self._severity}
        answer = await self._post("/v2/enqueue", body)
        told = _field(answer, "dedup_key")
        if isinstance(told, str) and told != dedup_key:
            raise not_taken(answer, "PagerDuty", "it names another alert, resolve that one by hand")
        return f"PagerDuty took it: {action} {dedup_key}"

    async def _post(self, path: str, body: dict[str, object]) -> Answer:
        answer = await self._host.write("POST", path, json={"routing_key": self._key.reveal(), **body})
        if answer.status == 202:
            return answer
        if answer.status < 300:
            raise not_taken(answer, "PagerDuty", f"HTTP {answer.status} instead of 202")
        raise refusal(answer, "PagerDuty", said=self._said(answer), detail=self._host.address)

    def _said(self, answer: Answer) -> str:
        """Its first error in its own words, without our key should it be among them."""
        errors = _field(answer, "errors")
        first = errors[0] if isinstance(errors, list) and errors else _field(answer, "message")
        if not isinstance(first, str):
            return ""
        return clean_text(first.replace(self._key.reveal(), REDACTED), limit=120)


def alert_key(announcement: Announcement) -> str:
    """One alert per rollback, whatever cockpit tells of it."""
    return clean_text(f"cutover-{announcement.facts.get('rollback') or announcement.event_id}", limit=200)


def _payload(announcement: Announcement) -> dict[str, object]:
    return {
        "summary": clean_text(announcement.title, limit=_SUMMARY_LIMIT),
        "timestamp": announcement.at.isoformat(),
        "source": _SOURCE,
        "custom_details": {
            **announcement.facts,
            "text": announcement.text,
            "moment": announcement.moment,
            "event_id": announcement.event_id,
            "environment": announcement.environment,
            "plan": announcement.plan,
            "actor": announcement.actor,
        },
    }


def _field(answer: Answer, name: str) -> object:
    """A field of a JSON object; None when it is no object or not there."""
    try:
        body = answer.json()
    except BrokenAnswer:
        return None
    return body.get(name) if isinstance(body, dict) else None
