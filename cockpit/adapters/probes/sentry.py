"""New issues in Sentry as a probe: what nobody saw before this hour is the strongest hint to go back.

Issues that were first seen within `new_within` count: levels fatal and error are DOWN, warning is DEGRADED,
lower ones are told. While Sentry drops errors because a quota or a rate limit is used up, the list is
too short, and so its silence is UNKNOWN. What was accepted in that time is told beside it.

Protocol (docs.sentry.io and getsentry/sentry-api-schema): `GET /organizations/{org}/issues/` with a
search, newest first, `count` as text, paging by a Link header with `results="true"`; and
`GET /organizations/{org}/stats_v2/` with a group per outcome. 429 tells the end of its window in
`X-Sentry-Rate-Limit-Reset`, in seconds since 1970. The token needs `event:read` and `org:read`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import AdapterError, BrokenAnswer, Seconds, Settings, Throttled
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.adapters.http_path import plan_fault
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.tables import After, Bound

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.core.clock import Clock

_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}\Z")
_PAGE: Final = 100
_DOWN: Final = frozenset({"fatal", "error"})
_LEVELS: Final = (*sorted(_DOWN), "warning")
_DROPPED: Final = frozenset({"rate_limited"})
_TITLE_LIMIT: Final = 120
_MORE: Final = re.compile(r'rel="next";\s*results="true"')
_LATEST_EPOCH_S: Final = 1e11


def _slug(name: str) -> str:
    if not _SLUG.match(name):
        raise ValueError('an organization slug is small letters, digits, - and _, such as "my-shop"')
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class SentrySettings(Settings):
    """New issues of a Sentry organization: errors nobody saw before are down, warnings degraded."""

    organization: Annotated[str, After(_slug)]
    """The organization's slug, as in its address."""
    token: Reference
    """A token with event:read and org:read."""
    url: BaseUrl = "https://us.sentry.io"
    """"https://de.sentry.io" in Europe, or your own server."""
    environment: str | None = None
    """Only issues of this environment, such as "production"."""
    query: str = ""
    """More search terms, such as "backend:convex" or "project:shop"."""
    new_within: Annotated[Seconds, Bound(ge=60, le=86_400)] = 3600.0
    """How long ago an issue may have been seen first and still be new."""
    min_events: Annotated[int, Bound(ge=1)] = 1
    """Issues with fewer events than this do not count."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


def build(settings: SentrySettings, web: Web, secret: Secrets, timeout_s: float) -> SentryProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    if web.clock is None:
        raise plan_fault("new issues need a clock")
    host = web.host(
        settings.url,
        headers={"Authorization": bearer(secret(settings.token)), "Accept": "application/json"},
        timeout_s=timeout_s,
        ca_file=settings.ca_file,
        max_concurrent=2,
    )
    return SentryProbe(host, settings, clock=web.clock)


class SentryProbe:
    """Asks twice per poll, for new issues and for what was dropped; keeps nothing between polls."""

    def __init__(self, host: HttpHost, settings: SentrySettings, *, clock: Clock) -> None:
        self._host = host
        self._settings = settings
        self._clock = clock
        self._path = f"/api/0/organizations/{settings.organization}"
        self._hours = ceil(settings.new_within / 3600)
        self._span = "hour" if self._hours == 1 else f"{self._hours} hours"

    async def probe(self) -> ProbeValue:
        answer, stats = await asyncio.gather(self._ask_issues(), self._ask_outcomes())
        issues = [each for each in _issues(answer) if _events(each) >= self._settings.min_events]
        outcomes = _outcomes(stats)
        dropped = sum(count for outcome, count in outcomes.items() if outcome in _DROPPED)
        more = bool(_MORE.search(answer.headers.get("link", "")))
        health, detail = self._judge(issues, dropped, more=more)
        return ProbeValue(
            health=health,
            detail=detail,
            latency_ms=answer.took_s * 1000,
            facts=(
                ("new issues", f"{len(issues)}{' or more' if more else ''}"),
                ("errors accepted", f"{outcomes.get('accepted', 0.0):.0f} in the last {self._span}"),
                *((("errors dropped", f"{dropped:.0f}"),) if dropped else ()),
            ),
            server_time=answer.server_time,
        )

    async def aclose(self) -> None:
        await self._host.aclose()

    def _judge(
        self, issues: Sequence[Mapping[str, object]], dropped: float, *, more: bool
    ) -> tuple[Health, str]:
        by_level = {level: [each for each in issues if each.get("level") == level] for level in _LEVELS}
        grave = [each for level in sorted(_DOWN, reverse=True) for each in by_level[level]]
        if grave:
            return Health.DOWN, _words(grave)
        if dropped:
            return Health.UNKNOWN, f"Sentry dropped {dropped:.0f} errors: silence means nothing"
        if more:
            return Health.UNKNOWN, f"more than {_PAGE} new issues, not all of them were read"
        if by_level["warning"]:
            return Health.DEGRADED, _words(by_level["warning"])
        return Health.OK, "no new issue" if not issues else f"{len(issues)} new, none above level info"

    async def _ask_issues(self) -> Answer:
        since = self._clock.now() - timedelta(seconds=self._settings.new_within)
        search = f"is:unresolved firstSeen:>{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S} {self._settings.query}"
        params = {"query": search.strip(), "sort": "new", "limit": str(_PAGE)}
        if self._settings.environment is not None:
            params["environment"] = self._settings.environment
        return await self._ask("/issues/", params)

    async def _ask_outcomes(self) -> Answer:
        params = {
            "field": "sum(quantity)",
            "groupBy": "outcome",
            "category": "error",
            "statsPeriod": f"{self._hours}h",
            "interval": "1h",
        }
        return await self._ask("/stats_v2/", params)

    async def _ask(self, path: str, params: Mapping[str, str]) -> Answer:
        answer = await once_more_after_reset(
            lambda: self._host.get(f"{self._path}{path}", params=params, retry=False)
        )
        if answer.status == 429:
            raise _throttled(answer)
        if answer.status != 200:
            raise answer.as_error()
        return answer


def _throttled(answer: Answer) -> AdapterError:
    """Until when to wait by the answer's own clock; Sentry says it as seconds since 1970."""
    wait_s = answer.retry_after_s()
    try:
        reset_s = finite_number(answer.headers.get("x-sentry-rate-limit-reset", ""))
    except ValueError:
        reset_s = 0.0
    if wait_s is None and answer.server_time is not None and 0 < reset_s < _LATEST_EPOCH_S:
        wait_s = max(0.0, (datetime.fromtimestamp(reset_s, UTC) - answer.server_time).total_seconds())
    failure = Failure(title="asked to wait (HTTP 429)", detail=answer.asked, retry_after_s=wait_s)
    return Throttled(failure, status=429)


def _issues(answer: Answer) -> list[Mapping[str, object]]:
    body = answer.json()
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        _broken("the issues are no list of objects")
    if not all(isinstance(each.get("level"), str) for each in body):
        _broken("an issue without a level")
    return body


def _events(issue: Mapping[str, object]) -> float:
    """`count` is a text; an issue without one has had an event at least."""
    try:
        return finite_number(issue.get("count", 1))
    except ValueError:
        _broken("a count is no number")


def _outcomes(answer: Answer) -> dict[str, float]:
    """How many errors came to which end in the time in which an issue is new."""
    body = answer.json()
    groups = body.get("groups") if isinstance(body, dict) else None
    if not isinstance(groups, list):
        _broken("the statistics name no groups")
    found: dict[str, float] = {}
    for group in groups:
        by, totals = (group.get("by"), group.get("totals")) if isinstance(group, dict) else (None, None)
        outcome = by.get("outcome") if isinstance(by, dict) else None
        if not isinstance(outcome, str) or not isinstance(totals, dict):
            _broken("a group of the statistics names no outcome")
        try:
            found[outcome] = found.get(outcome, 0.0) + finite_number(totals.get("sum(quantity)"))
        except ValueError:
            _broken("a quantity is no number")
    return found


def _words(issues: Sequence[Mapping[str, object]]) -> str:
    first = issues[0]
    name = clean_text(first.get("shortId") or "a new issue", limit=40)
    title = clean_text(first.get("title") or "without a title", limit=_TITLE_LIMIT)
    more = f" and {len(issues) - 1} more" if len(issues) > 1 else ""
    return f"new: {name}{more}: {title}"


def _broken(why: str) -> NoReturn:
    raise BrokenAnswer(Failure(title="not an answer of Sentry's API", detail=why))
