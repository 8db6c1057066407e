"""What runs by itself in a Convex deployment: crons, scheduled functions, migrations of the data.

DEGRADED: a cron is overdue or failed in its last run, scheduled functions wait too long, a migration failed.
What cannot be seen (a missing right, a server that does not know the question) is UNKNOWN, unless something
else is wrong for certain. The questions about crons and lag are the dashboard's, no promised API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.convex import Deployment, deployment, number
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.probes.convex_metrics import newest, window_text
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Health, ProbeValue

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.probes.convex_settings import ConvexJobsSettings
    from cockpit.core.clock import Clock

CRONS: Final = "_system/frontend/listCronJobs"
SCHEDULED: Final = "_system/frontend/paginatedScheduledJobs"
STATUS: Final = "lib:getStatus"
_FIRST_PAGE: Final = {"componentId": None, "paginationOpts": {"numItems": 50, "cursor": None}}
_LAG: Final = "/api/app_metrics/scheduled_job_lag"
_LAG_WINDOW_S: Final = 300.0
_LAST_S: Final = 253_402_300_799.0
_FAILED: Final = ("failed", "canceled")
_FINE: Final = ("inProgress", "success")


def build(settings: ConvexJobsSettings, web: Web, secret: Secrets, timeout_s: float) -> ConvexJobsProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = deployment(
        web,
        settings.url,
        key=secret(settings.key),
        instance=settings.instance,
        ca_file=settings.ca_file,
        timeout_s=timeout_s,
    )
    return ConvexJobsProbe(host, settings, clock=web.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing that was looked at: what is shown of it and what is wrong with it, or why it is not known."""

    name: str
    text: str
    wrong: str = ""
    unseen: str = ""


class ConvexJobsProbe:
    def __init__(self, host: Deployment, settings: ConvexJobsSettings, *, clock: Clock | None) -> None:
        self._host = host
        self._settings = settings
        self._clock = clock

    async def probe(self) -> ProbeValue:
        now = await self._host.verify() or (None if self._clock is None else self._clock.now())
        if now is None:
            raise BrokenAnswer(Failure(title="the deployment does not tell what time it is"))
        seen = [*await self._crons(now), await self._lag(now), *await self._migrations()]
        wrong = [each.wrong for each in seen if each.wrong]
        unseen = [f"{each.name}: {each.unseen}" for each in seen if each.unseen]
        health = Health.DEGRADED if wrong else Health.UNKNOWN if unseen else Health.OK
        detail = "; ".join(wrong or unseen) or "everything runs that should"
        facts = tuple((each.name, each.text or f"not known: {each.unseen}") for each in seen)
        return ProbeValue(health=health, detail=clean_text(detail), facts=facts)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _crons(self, now: datetime) -> Sequence[Seen]:
        try:
            body = await self._host.query(CRONS, {"componentId": None})
            if not isinstance(body, list):
                raise _broken()
            return [read_cron(each, now, self._settings.overdue_limit) for each in body]
        except AdapterError as error:
            return [Seen(name="crons", text="", unseen=error.failure.title)]

    async def _lag(self, now: datetime) -> Seen:
        """How late scheduled functions are. The metric is remembered while some run or wait; where there is
        none, those that wait are looked at themselves.
        """
        name, limit_s = "scheduled", self._settings.overdue_limit
        try:
            lag_s = newest(await self._host.read(_LAG, {"window": window_text(now, _LAG_WINDOW_S)}))
            if lag_s is None:
                lag_s = oldest_wait_s(await self._host.query(SCHEDULED, _FIRST_PAGE), now)
        except AdapterError as error:
            return Seen(name=name, text="", unseen=error.failure.title)
        late = f"scheduled functions wait for {lag_s:.0f} s, the limit is {limit_s:g} s"
        return Seen(name=name, text=f"{lag_s:.0f} s late", wrong=late if lag_s > limit_s else "")

    async def _migrations(self) -> Sequence[Seen]:
        names = self._settings.migrations
        if not names:
            return ()
        asked = {"names": list(names)}
        try:
            body = await self._host.query_component(self._settings.component, STATUS, asked)
            if not isinstance(body, list):
                raise _broken()
        except AdapterError as error:
            return [Seen(name="migrations", text="", unseen=error.failure.title)]
        told = {each.get("name"): each for each in body if isinstance(each, Mapping)}
        return [read_migration(name, told.get(name)) for name in names]


def read_cron(row: object, now: datetime, limit_s: float) -> Seen:
    """One row of the dashboard's list. Raises BrokenAnswer."""
    if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
        raise _broken()
    name = clean_text(row["name"], limit=60)
    due, last = _nanoseconds(_inside(row.get("nextRun"), "nextTs")), _inside(row.get("lastRun"), "status")
    ended = _inside(last, "type")
    failed = f"cron {name} failed in its last run" if ended == "err" else ""
    waits = _inside(_inside(row.get("nextRun"), "state"), "type") == "pending"
    late_s = (now - due).total_seconds() if due is not None and waits else 0.0
    late = f"cron {name} is overdue by {late_s:.0f} s" if late_s > limit_s else ""
    known = {"success": "last run fine", "err": "last run failed", "canceled": "last run canceled"}
    text = known.get(ended, "never ran") if isinstance(ended, str) else "never ran"
    return Seen(name=f"cron {name}", text=f"{text}, overdue" if late else text, wrong=late or failed)


def oldest_wait_s(body: object, now: datetime) -> float:
    """How long the one that waits longest is overdue, of the first page. Raises BrokenAnswer."""
    page = _inside(body, "page")
    if not isinstance(page, list):
        raise _broken()
    waits_s = [0.0]
    for row in page:
        due = _nanoseconds(_inside(row, "nextTs"))
        if due is None:
            raise _broken()
        if _inside(_inside(row, "state"), "type") != "inProgress":
            waits_s.append((now - due).total_seconds())
    return max(waits_s)


def read_migration(name: str, row: Mapping[str, object] | None) -> Seen:
    """One row of the migrations component; a migration that never ran has begun at 0."""
    shown = f"migration {clean_text(name, limit=60)}"
    if row is None:
        return Seen(name=shown, text="", unseen="the component does not tell of it")
    try:
        processed, began = number(row.get("processed")), number(row.get("latestStart"))
    except ValueError:
        return Seen(name=shown, text="", unseen="an answer of an unknown shape")
    state = row.get("state")
    if not began:
        return Seen(name=shown, text="never run")
    if state in _FAILED:
        return Seen(name=shown, text=f"{state}, {processed:.0f} done", wrong=f"{shown} {state}")
    if state not in _FINE:
        return Seen(name=shown, text="", unseen="its state is unknown")
    running = "runs" if state == "inProgress" else "finished"
    return Seen(name=shown, text=f"{running}, {processed:.0f} done")


def _inside(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, Mapping) else None


def _nanoseconds(raw: object) -> datetime | None:
    """A moment from 64-bit nanoseconds, None when it is none."""
    try:
        seconds = number(raw) / 1e9
    except ValueError:
        return None
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds) if 0 < seconds < _LAST_S else None


def _broken() -> BrokenAnswer:
    return BrokenAnswer(Failure(title="not what a Convex deployment tells"))
