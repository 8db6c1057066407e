"""Announcements as annotations: a line in every chart that asks for our tags.

Protocol (grafana.com, HTTP API, annotations): `POST /api/annotations` with a service account's token that
holds `annotations:create`; `text` is required, times are milliseconds, the answer names the new `id`.
Without a dashboard it is an annotation of the organisation, which is seen only where a dashboard's
annotation query asks for one of its tags. Grafana knows no delivery id, so a post whose answer was lost
may stand there twice; the event id is in the text and makes it recognisable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cockpit.adapters.announce.refusal import not_taken, refusal
from cockpit.adapters.base import Announcement, BrokenAnswer
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.core.clean import clean_text

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import GrafanaSettings
    from cockpit.adapters.http import Answer, HttpHost, Web

_MAX_BODY: Final = 64_000
_TAG_LIMIT: Final = 100


def build(settings: GrafanaSettings, web: Web, secret: Secrets, timeout_s: float) -> GrafanaAnnouncer:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = web.host(
        settings.url,
        headers={"Authorization": bearer(secret(settings.token))},
        timeout_s=timeout_s,
        max_body=_MAX_BODY,
        ca_file=settings.ca_file,
        max_concurrent=1,
    )
    return GrafanaAnnouncer(host, tags=settings.tags, dashboard_uid=settings.dashboard_uid)


class GrafanaAnnouncer:
    def __init__(self, host: HttpHost, *, tags: tuple[str, ...], dashboard_uid: str | None) -> None:
        self._host = host
        self._tags = tags
        self._dashboard_uid = dashboard_uid

    async def announce(self, announcement: Announcement) -> str:
        body: dict[str, object] = {
            "time": int(announcement.at.timestamp() * 1000),
            "tags": self._all_tags(announcement),
            "text": f"{announcement.title}\n{announcement.text}\nevent {announcement.event_id}",
        }
        if self._dashboard_uid is not None:
            body["dashboardUID"] = self._dashboard_uid
        answer = await self._host.write("POST", "/api/annotations", json=body)
        if not 200 <= answer.status < 300:
            raise refusal(answer, "Grafana", said=_said(answer), detail=self._host.address)
        return f"annotation {_new_id(answer)}"

    async def aclose(self) -> None:
        await self._host.aclose()

    def _all_tags(self, announcement: Announcement) -> list[str]:
        told = (*self._tags, announcement.moment, announcement.environment, announcement.facts.get("flag"))
        return list(dict.fromkeys(clean_text(tag, limit=_TAG_LIMIT) for tag in told if tag))


def _new_id(answer: Answer) -> int:
    try:
        body = answer.json()
    except BrokenAnswer as broken:
        raise not_taken(answer, "Grafana", broken.failure.title) from None
    made = body.get("id") if isinstance(body, dict) else None
    if not isinstance(made, int) or isinstance(made, bool):
        raise not_taken(answer, "Grafana", "its answer names no new annotation")
    return made


def _said(answer: Answer) -> str:
    """Only `message` is certain; newer versions add fields to it."""
    try:
        body = answer.json()
    except BrokenAnswer:
        return ""
    message = body.get("message") if isinstance(body, dict) else None
    return clean_text(message, limit=120) if isinstance(message, str) else ""
