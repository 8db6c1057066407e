"""Health of one HTTP address.

DOWN is the service's own doing: it refuses the connection, or answers with a status or a body that
the plan does not expect. DEGRADED answers well but slowly, or its certificate is running out. What
could not be asked (name not found, our deadline, 401, 403, 407, 429, a broken connection) raises, and
so becomes UNKNOWN: "I cannot see" is not "it is broken".

Each poll asks once and follows no redirect. A connection that the service had closed while it was
idle says nothing about health, so that one case is asked again on a new connection.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.pointer import find, same_scalar
from cockpit.core.clean import PLACEHOLDER, clean_text
from cockpit.core.model import Health, ProbeValue
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.adapters.probes.settings import HttpProbeSettings, JsonCheck
    from cockpit.core.clock import Clock

CANNOT_ASK: Final = frozenset({401, 403, 407, 429})
_SERVER_NAME_LIMIT: Final = 40
_VALUE_LIMIT: Final = 60
_DAY_S: Final = 86_400.0


def build(settings: HttpProbeSettings, web: Web, secret: Secrets, timeout_s: float) -> HttpProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    headers: dict[str, Secret | str] = {"Cache-Control": "no-cache"}
    for name, value in settings.headers.items():
        headers[name] = value if isinstance(value, str) else secret(value)
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    if settings.tls_days is not None:
        # A connection kept open would show the certificate of the day it was opened.
        headers["Connection"] = "close"
    parts = urlsplit(settings.url)
    host = web.host(
        f"{parts.scheme}://{parts.netloc}",
        headers=headers,
        timeout_s=timeout_s,
        ca_file=settings.ca_file,
        max_concurrent=1,
    )
    return HttpProbe(host, settings, clock=web.clock)


class HttpProbe:
    """Asks the address of its settings; keeps nothing between polls."""

    def __init__(self, host: HttpHost, settings: HttpProbeSettings, *, clock: Clock | None) -> None:
        self._host = host
        self._settings = settings
        self._clock = clock
        parts = urlsplit(settings.url)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    async def probe(self) -> ProbeValue:
        try:
            answer = await once_more_after_reset(self._ask_once)
        except NoAnswer as trouble:
            if trouble.cause is Cause.REFUSED:
                return ProbeValue(health=Health.DOWN, detail=trouble.failure.title)
            raise
        if answer.status in CANNOT_ASK and answer.status not in self._settings.expect_status:
            raise answer.as_error()
        return self._judge(answer)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _ask_once(self) -> Answer:
        return await self._host.get(self._path, method=self._settings.method, retry=False, redirects=False)

    def _judge(self, answer: Answer) -> ProbeValue:
        found, body_trouble = self._look_into(answer)
        days_left = self._certificate_days(answer)
        wrong = self._wrong_status(answer) or body_trouble
        weak = "" if wrong else self._weakness(answer, days_left)
        return ProbeValue(
            health=Health.DOWN if wrong else Health.DEGRADED if weak else Health.OK,
            detail=wrong or weak or f"answers {answer.status}",
            latency_ms=answer.took_s * 1000,
            facts=_facts(answer, found, days_left),
            server_time=answer.server_time,
        )

    def _wrong_status(self, answer: Answer) -> str:
        expected = self._settings.expect_status
        if answer.status in expected:
            return ""
        wanted = " or ".join(str(status) for status in expected)
        target = _redirect_host(answer)
        whither = f" and redirects to {target}" if target else ""
        return f"answers {answer.status}{whither}, the plan expects {wanted}"

    def _look_into(self, answer: Answer) -> tuple[str | None, str]:
        """The value at the pointer as clean text, and what is wrong with it."""
        check = self._settings.json
        if check is None:
            return None, ""
        try:
            value = find(answer.json(), check.pointer)
        except BrokenAnswer as broken:
            return None, f"the plan expects JSON, but: {broken.failure.title}"
        except LookupError:
            return None, f"nothing at {_pointer_name(check)} in its answer"
        shown = _shown(value)
        if same_scalar(value, check.equals):
            return shown, ""
        return shown, f"{_pointer_name(check)} is {shown}, the plan expects {_shown(check.equals)}"

    def _weakness(self, answer: Answer, days_left: float | None) -> str:
        limit_s = self._settings.latency_limit
        if limit_s is not None and answer.took_s > limit_s:
            return f"slow: {answer.took_s * 1000:.0f} ms, the limit is {limit_s * 1000:.0f} ms"
        if self._settings.tls_days is None:
            return ""
        if days_left is None:
            return "no certificate to look at, though the plan sets tls_days"
        if days_left < self._settings.tls_days:
            return f"the certificate ends in {days_left:.1f} days, the limit is {self._settings.tls_days}"
        return ""

    def _certificate_days(self, answer: Answer) -> float | None:
        """Days until the certificate ends, by our clock, or by the service's own when we were given none."""
        now: datetime | None = self._clock.now() if self._clock is not None else answer.server_time
        if answer.certificate_ends_at is None or now is None:
            return None
        return (answer.certificate_ends_at - now).total_seconds() / _DAY_S


def _facts(answer: Answer, found: str | None, days_left: float | None) -> tuple[tuple[str, str], ...]:
    facts = [("status", str(answer.status))]
    if found is not None:
        facts.append(("value", found))
    if days_left is not None:
        facts.append(("certificate", f"{days_left:.1f} days left"))
    server = answer.headers.get("server", "")
    if server and PLACEHOLDER not in server and server == clean_text(server, limit=_SERVER_NAME_LIMIT):
        facts.append(("server", server))
    return tuple(facts)


def _redirect_host(answer: Answer) -> str:
    """The host that a redirect points to, without path and query, which may hold tokens."""
    if not 300 <= answer.status < 400:
        return ""
    try:
        host = urlsplit(answer.headers.get("location", "")).hostname
    except ValueError:
        host = None
    return clean_text(host or "another path", limit=80)


def _pointer_name(check: JsonCheck) -> str:
    return clean_text(check.pointer, limit=80) or "the body"


def _shown(value: object) -> str:
    """A JSON value in few clean words; what an object or list holds is nobody's business here."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'"{clean_text(value, limit=_VALUE_LIMIT)}"'
    return "null" if value is None else str(value).lower()
