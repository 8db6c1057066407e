"""A silence in Alertmanager for the alerts that the cutover itself sets off, for as long as it needs one.

Protocol: Alertmanager API v2 (its openapi.yaml), tried against Alertmanager 0.25. `POST /silences` makes a
silence or, with an `id`, changes one, and may then answer with a new id: the last one counts. Errors are a
bare JSON string, or `{code, message}` for a body of the wrong shape. A silence is expired by `DELETE`,
never removed, and expiring it twice is no error.

Every moment but `closed` and `cancelled` starts the silence or makes it last `length` from now on; those
two end it. Which silence is ours is read from Alertmanager each time (who made it, for which plan, with
which matchers), so that a new cockpit ends what a dead one began, and a lost answer makes no second one.
Alertmanager's own clock sets the times. A silence that nobody ends is over after `length`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

from cockpit.adapters.alertmanager import Matcher, said
from cockpit.adapters.announce.refusal import refusal
from cockpit.adapters.base import Announcement, BrokenAnswer, ServiceTrouble
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault
from cockpit.core.spec import HookMoment

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import SilenceSettings
    from cockpit.adapters.http import HttpHost, Web
    from cockpit.core.secret import Secret

CREATOR: Final = "cutover-cockpit"
_ENDS: Final = frozenset({HookMoment.CLOSED.value, HookMoment.CANCELLED.value})
_ALIVE: Final = frozenset({"active", "pending"})
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}\Z")
_MANY: Final = 20


def build(settings: SilenceSettings, web: Web, secret: Secrets, timeout_s: float) -> SilenceAnnouncer:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    headers: dict[str, Secret | str] = {}
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    host = web.host(
        settings.url, headers=headers, timeout_s=timeout_s, ca_file=settings.ca_file, max_concurrent=1
    )
    return SilenceAnnouncer(host, matchers=settings.matchers, length_s=settings.length)


class SilenceAnnouncer:
    def __init__(self, host: HttpHost, *, matchers: Sequence[Matcher], length_s: float) -> None:
        self._host = host
        self._matchers = [each.body() for each in matchers]
        # Versions differ in how they find silences by other matchers, so only plain ones are asked for.
        self._filters = [("filter", each.as_filter()) for each in matchers if each.is_plain]
        self._length = timedelta(seconds=length_s)

    async def announce(self, announcement: Announcement) -> str:
        ours, server_time = await self._ours(announcement)
        if announcement.moment in _ENDS:
            return await self._expire(ours, announcement)
        return await self._hold(ours, announcement, server_time or announcement.at)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _hold(self, ours: Sequence[str], announcement: Announcement, now: datetime) -> str:
        until = now + self._length
        body: dict[str, object] = {
            "matchers": self._matchers,
            "startsAt": now.isoformat(),
            "endsAt": until.isoformat(),
            "createdBy": CREATOR,
            "comment": f"{_mark(announcement)} {announcement.title} (event {announcement.event_id})",
        }
        if ours:
            body["id"] = ours[0]
        answer = await self._host.write("POST", "/api/v2/silences", json=body)
        if answer.status != 200:
            raise refusal(answer, "Alertmanager", said=said(answer), detail=self._host.address)
        made = _object(answer.json()).get("silenceID")
        if not isinstance(made, str) or not _ID.match(made):
            _broken("no silence id")
        return f"silence {made} until {until:%H:%M} UTC"

    async def _expire(self, ours: Sequence[str], announcement: Announcement) -> str:
        for each in ours:
            answer = await self._host.write("DELETE", f"/api/v2/silence/{each}")
            # Alertmanager forgets what ended long ago; what is not there silences nobody.
            if answer.status not in (200, 404):
                raise refusal(answer, "Alertmanager", said=said(answer), detail=self._host.address)
        if not ours:
            return "no silence of ours was left"
        left, _ = await self._ours(announcement)
        if left:
            raise ServiceTrouble(
                Failure(title=f"{len(left)} silence(s) of ours are still there: expire them by hand")
            )
        return f"silence {ours[0]} has ended"

    async def _ours(self, announcement: Announcement) -> tuple[list[str], datetime | None]:
        """Ids of the living silences of this plan, the one that lasts longest first; the server's clock."""
        answer = await self._host.get("/api/v2/silences", params=self._filters)
        if answer.status != 200:
            raise refusal(answer, "Alertmanager", said=said(answer), detail=self._host.address)
        body = answer.json()
        if not isinstance(body, list):
            _broken("the silences are no list")
        found = [each for each in map(_object, body) if self._is_ours(each, announcement)]
        found.sort(key=lambda each: str(each.get("endsAt")), reverse=True)
        ids = [each.get("id") for each in found]
        known = [one for one in ids if isinstance(one, str) and _ID.match(one)]
        if len(known) != len(ids) or len(known) > _MANY:
            _broken("the silences cannot be told apart")
        return known, answer.server_time

    def _is_ours(self, silence: Mapping[str, object], announcement: Announcement) -> bool:
        status, comment = silence.get("status"), silence.get("comment")
        alive = isinstance(status, dict) and status.get("state") in _ALIVE
        made_here = silence.get("createdBy") == CREATOR and isinstance(comment, str)
        return (
            alive
            and made_here
            and str(comment).startswith(_mark(announcement))
            and _same_matchers(silence.get("matchers"), self._matchers)
        )


def _mark(announcement: Announcement) -> str:
    """What the comments of this plan's silences begin with."""
    return f"[{clean_text(announcement.plan)} / {clean_text(announcement.environment)}]"


def _same_matchers(told: object, wanted: Sequence[Mapping[str, object]]) -> bool:
    """Order does not count. Older servers leave `isEqual` out, which means true."""
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        return False
    left = [{"isEqual": True, **each} for each in told]
    return len(left) == len(wanted) and all(each in left for each in wanted)


def _object(raw: object) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        _broken("not an object where one belongs")
    return raw


def _broken(why: str) -> NoReturn:
    failure = Failure(title="not an answer of Alertmanager's API", detail=why, fault=Fault.PLAN)
    raise BrokenAnswer(failure)
