"""Alerts in Alertmanager as a probe: an active one is DOWN, none is OK, silenced ones are still told.

An empty list proves nothing by itself: Prometheus may be dead, or its alerts may go elsewhere. So the plan
names a heartbeat, an alert that is always on (`Watchdog` in most rule sets); while it is absent, the rest
is UNKNOWN. An alert that was not processed yet is UNKNOWN too: nobody can tell whether it is silenced.

Protocol: `GET /api/v2/alerts` with filters (Alertmanager's openapi.yaml; tried against Alertmanager 0.25).
A future `endsAt` is only the deadline for the next refresh. Errors are a bare JSON string.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.alertmanager import Matcher
from cockpit.adapters.base import BrokenAnswer, Settings
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.tables import Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.core.secret import Secret

_STATES: Final = ("active", "suppressed", "unprocessed")
_NAME_LIMIT: Final = 60
_SUMMARY_LIMIT: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSettings(Settings):
    """Alerts in Alertmanager: an active one is down, silenced ones are still told."""

    url: BaseUrl
    """Alertmanager's address, with the sub-path it is served under, without /api."""
    matchers: Annotated[tuple[Matcher, ...], Size(1)]
    """Which alerts count: those for which all of these hold."""
    heartbeat: Annotated[str, Size(1, 200)]
    """An alert that is always on, such as "Watchdog"; while it is absent, silence means nothing."""
    token: Reference | None = None
    """Sent as Authorization: Bearer."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


def build(settings: AlertmanagerSettings, web: Web, secret: Secrets, timeout_s: float) -> AlertmanagerProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    headers: dict[str, Secret | str] = {}
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    host = web.host(
        settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, max_concurrent=2
    )
    return AlertmanagerProbe(host, settings)


class AlertmanagerProbe:
    """Asks twice per poll, for the alerts and for the heartbeat, and keeps nothing between polls."""

    def __init__(self, host: HttpHost, settings: AlertmanagerSettings) -> None:
        self._host = host
        self._matchers = settings.matchers
        self._heartbeat = Matcher(label="alertname", value=settings.heartbeat)

    async def probe(self) -> ProbeValue:
        answer, beating = await asyncio.gather(self._ask(self._matchers), self._ask([self._heartbeat]))
        alerts = [each for each in _alerts(answer) if _label(each, "alertname") != self._heartbeat.value]
        beats = any(_state(each) in ("active", "suppressed") for each in _alerts(beating))
        health, detail = self._judge(alerts, beats=beats)
        counts = Counter(map(_state, alerts))
        return ProbeValue(
            health=health,
            detail=detail,
            latency_ms=answer.took_s * 1000,
            facts=(
                *((state, str(counts[state])) for state in _STATES if counts[state]),
                ("heartbeat", "on" if beats else "absent"),
            ),
            server_time=answer.server_time,
        )

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _ask(self, matchers: Sequence[Matcher]) -> Answer:
        params = [("filter", each.as_filter()) for each in matchers]
        answer = await once_more_after_reset(
            lambda: self._host.get("/api/v2/alerts", params=params, retry=False)
        )
        if answer.status != 200:
            raise answer.as_error()
        return answer

    def _judge(self, alerts: Sequence[Mapping[str, object]], *, beats: bool) -> tuple[Health, str]:
        active = [each for each in alerts if _state(each) == "active"]
        if active:
            return Health.DOWN, _words(active, "is active")
        if not beats:
            name = clean_text(self._heartbeat.value, limit=_NAME_LIMIT)
            return Health.UNKNOWN, f"the heartbeat {name} is absent: silence means nothing"
        waiting = [each for each in alerts if _state(each) == "unprocessed"]
        if waiting:
            return Health.UNKNOWN, _words(waiting, "was not processed yet")
        if alerts:
            return Health.OK, f"none active, but {_words(alerts, 'is silenced or inhibited')}"
        return Health.OK, "no alert"


def _alerts(answer: Answer) -> list[Mapping[str, object]]:
    body = answer.json()
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        _broken("the alerts are no list of objects")
    return body


def _state(alert: Mapping[str, object]) -> str:
    status = alert.get("status")
    state = status.get("state") if isinstance(status, dict) else None
    if state not in _STATES:
        _broken("an alert in no known state")
    return str(state)


def _label(alert: Mapping[str, object], name: str) -> object:
    labels = alert.get("labels")
    return labels.get(name) if isinstance(labels, dict) else None


def _words(alerts: Sequence[Mapping[str, object]], state: str) -> str:
    """The first one with its summary, and how many more."""
    first, annotations = alerts[0], alerts[0].get("annotations")
    name = clean_text(_label(first, "alertname") or "an alert", limit=_NAME_LIMIT)
    summary = annotations.get("summary") if isinstance(annotations, dict) else None
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    told = f": {clean_text(summary, limit=_SUMMARY_LIMIT)}" if isinstance(summary, str) and summary else ""
    return f"{name} {state}{more}{told}"


def _broken(why: str) -> NoReturn:
    raise BrokenAnswer(Failure(title="not an answer of Alertmanager's API", detail=why))
