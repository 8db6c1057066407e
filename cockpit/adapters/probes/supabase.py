"""A Supabase project (hosted or self-hosted): does its auth service answer, and how many rows do tables have.

DOWN: the connection is refused, the auth service answers with another status, or the data API says that
it has no database. DEGRADED: the data API fails or waits too long for a database connection, or the auth
service is slow. 401, 403 and 429 of the auth service, names and our own time limit raise, and so become
UNKNOWN. A count that cannot be had is told, and by itself changes nothing.

Counting is PostgREST's: HEAD with `Prefer: count=...`, the total behind the slash of Content-Range. An
error to HEAD has no body, so it is asked again with GET. Row security makes what a key may not see
count as nothing, without an error: a table that is `never_empty` is not believed to have 0 rows.
Sources: PostgREST documentation, "Pagination and Count" and "Errors"; Supabase documentation, "API keys".
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import field
from typing import TYPE_CHECKING, Final

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.adapters.probes.supabase_settings import SupabaseProbeSettings

_CANNOT_ASK: Final = frozenset({401, 403, 407, 429})
_RANGE: Final = re.compile(r"(?:\*|[0-9]{1,18}-[0-9]{1,18})/(?P<total>[0-9]{1,18}|\*)\Z")
_JWT: Final = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]+\Z")
_BUDGET_SHARE: Final = 0.85
_MARKS: Final = {"exact": "exact", "planned": "estimated (planned)", "estimated": "estimated"}
_NO_DATABASE: Final = {
    "PGRST000": "has no connection to its database",
    "PGRST001": "has no connection to its database",
    "PGRST002": "has not read its database's schema",
}
_NO_PLACE: Final = "PGRST003"
_REASONS: Final = {
    "57014": "it took too long for the database",
    "42501": "no right to read it",
    "PGRST205": "no such table",
    "42P01": "no such table",
    "PGRST301": "the token is refused",
    "PGRST302": "the key is refused",
    "PGRST303": "the token is refused",
}


def build(settings: SupabaseProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> SupabaseProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    key = secret(settings.key)
    headers: dict[str, Secret | str] = {"apikey": key, "Accept": "application/json"}
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    elif _JWT.match(key.reveal()):
        headers["Authorization"] = bearer(key)
    host = web.host(
        settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, max_concurrent=4
    )
    return SupabaseProbe(host, settings, timeout_s=timeout_s)


@dataclass(slots=True, kw_only=True)
class Counted:
    """What the last counting found: words per table, and what the data API said of itself meanwhile."""

    told: dict[str, str] = field(default_factory=dict)
    wrong: str = ""
    weak: str = ""


class SupabaseProbe:
    """Keeps the last counts between polls."""

    def __init__(self, host: HttpHost, settings: SupabaseProbeSettings, *, timeout_s: float) -> None:
        self._host = host
        self._settings = settings
        self._budget_s = timeout_s * _BUDGET_SHARE
        self._counted = Counted()
        self._counted_at_s = float("-inf")

    async def probe(self) -> ProbeValue:
        until_s = asyncio.get_running_loop().time() + self._budget_s
        try:
            answer = await once_more_after_reset(self._ask_health)
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED:
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise
        if answer.status in _CANNOT_ASK:
            raise answer.as_error()
        if answer.status != 200:
            detail = f"its auth service answers {answer.status}"
            return ProbeValue(health=Health.DOWN, detail=detail, latency_ms=answer.took_s * 1000)
        version = _version(answer.json())
        await self._count_all(until_s)
        return self._judge(answer, version)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _ask_health(self) -> Answer:
        return await self._host.get("/auth/v1/health", retry=False, redirects=False)

    def _judge(self, answer: Answer, version: str) -> ProbeValue:
        limit_s, counted = self._settings.latency_limit, self._counted
        slow = limit_s is not None and answer.took_s > limit_s
        took = f"slow: {answer.took_s * 1000:.0f} ms, the limit is {(limit_s or 0) * 1000:.0f} ms"
        weak = counted.weak or (took if slow else "")
        age_s = asyncio.get_running_loop().time() - self._counted_at_s
        age = f", {length(age_s)} ago" if age_s >= 1 else ""
        return ProbeValue(
            health=Health.DOWN if counted.wrong else Health.DEGRADED if weak else Health.OK,
            detail=counted.wrong or weak or "its auth service answers",
            latency_ms=answer.took_s * 1000,
            facts=(
                ("auth service", version),
                *((f"rows of {name}", told + age) for name, told in counted.told.items()),
            ),
            server_time=answer.server_time,
        )

    async def _count_all(self, until_s: float) -> None:
        """All tables side by side, as long as the poll has time. A count waits for its turn, but trouble that
        the data API told of itself is looked after at once."""
        now_s = asyncio.get_running_loop().time()
        due = now_s - self._counted_at_s >= self._settings.count_every
        if not self._settings.counts or not (due or self._counted.wrong or self._counted.weak):
            return
        counted = Counted(told=dict.fromkeys(self._settings.counts, "not known: no time left"))
        try:
            async with asyncio.timeout_at(until_s):
                await asyncio.gather(*(self._count(name, counted) for name in self._settings.counts))
        except TimeoutError:
            pass  # what was counted by then is kept
        self._counted, self._counted_at_s = counted, asyncio.get_running_loop().time()

    async def _count(self, name: str, counted: Counted) -> None:
        try:
            counted.told[name] = await self._ask_count(name, counted)
        except AdapterError as error:
            counted.told[name] = clean_text(f"not known: {error.failure.title}", limit=120)

    async def _ask_count(self, name: str, counted: Counted) -> str:
        wanted = self._settings.counts[name]
        headers = {"Prefer": f"count={wanted.kind}", "Range-Unit": "items", "Range": "0-0", **self._profile}
        path = f"/rest/v1/{name}"
        answer = await self._host.get(
            path, method="HEAD", params=wanted.filter, headers=headers, retry=False, redirects=False
        )
        if answer.status in (200, 206):
            total = read_total(answer.headers.get("content-range", ""))
            if total == 0 and wanted.never_empty:
                return "not known: 0 rows, though it is never empty (hidden by row security?)"
            return f"{total} {_MARKS[wanted.kind]}" if total is not None else "not known: no total told"
        why = await self._host.get(
            path, params={**wanted.filter, "limit": "1"}, headers=self._profile, retry=False, redirects=False
        )
        return self._reason(answer.status, _code(why), counted)

    @property
    def _profile(self) -> dict[str, str]:
        return {} if self._settings.profile is None else {"Accept-Profile": self._settings.profile}

    def _reason(self, status: int, code: str, counted: Counted) -> str:
        """Why there is no count; what it says about the data API itself is noted."""
        if code in _NO_DATABASE:
            counted.wrong = f"its data API {_NO_DATABASE[code]} ({code})"
        elif code == _NO_PLACE:
            counted.weak = f"its data API waits too long for a database connection ({code})"
        elif status >= 500 and code != "57014":
            counted.weak = f"its data API answers {status}"
        reason = _REASONS.get(code) or ("asked to wait" if status == 429 else f"HTTP {status}")
        return f"not known: {reason}" + (f" ({code})" if code else "")


def read_total(content_range: str) -> int | None:
    """The total of a Content-Range such as "0-0/48211" or "*/0"; None when it tells none."""
    found = _RANGE.match(content_range.strip())
    return None if found is None or found["total"] == "*" else int(found["total"])


def _version(body: object) -> str:
    """Raises BrokenAnswer when it is not the auth service that answers."""

    if not isinstance(body, dict) or not isinstance(body.get("name"), str):
        raise BrokenAnswer(Failure(title="what answers at /auth/v1/health is not Supabase Auth"))
    return clean_text(f"{body['name']} {body.get('version', '')}", limit=60)


def _code(answer: Answer) -> str:
    """The code of a PostgREST error: a SQLSTATE or PGRSTnnn; empty when there is none."""
    try:
        body = answer.json()
    except BrokenAnswer:
        return ""
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[A-Z0-9]{5,8}", code) else ""
