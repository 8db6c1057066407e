"""The inside of the practice world's Convex deployment: metrics, log, crons, migrations, table sizes.

All functions are one here: each has all the traffic of the new side. Metrics are the world's counters
summed over the window; what is older than the world is null, as after a restart. The log's wait is short,
so that the world can end.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from cockpit.core.model import Side
from cockpit.practice.faults import FaultName
from cockpit.practice.leftovers import JOBS
from cockpit.practice.traffic import REQUESTS, WRITES, Series, series
from cockpit.practice.world import World

CRONS: Final = "_system/frontend/listCronJobs"
SCHEDULED: Final = "_system/frontend/paginatedScheduledJobs"
SIZES: Final = ("_system/frontend/tableSize", "_system/cli/tableSize")
TABLES: Final = "_system/cli/tables"
JOBS_TABLE: Final = "jobs"
TABLE_NAMES: Final = ("chats", "messages", "users", JOBS_TABLE)
MIGRATION_STATUS: Final = "lib:getStatus"
_P95: Final = 1.645
_LOG_WAIT_S: Final = 1.0
_LOOK_S: Final = 0.05
_MOST_ENTRIES: Final = 200
_DAY_S: Final = 86_400


class ConvexInside:
    def __init__(self, world: World) -> None:
        self._world = world

    def system_query(self, path: str, args: Mapping[str, Any], *, encoded: bool) -> object:
        """The value of a system query. Raises KeyError for one that is not known here."""
        if path in SIZES:
            held = JOBS if args.get("tableName") == JOBS_TABLE else WRITES
            return float(self._world.counters()[series(held, backend=Side.NEW)])
        if path == TABLES:
            return {"page": [{"name": name} for name in TABLE_NAMES], "isDone": True, "continueCursor": ""}
        if path == SCHEDULED:
            return {"page": [], "isDone": True, "continueCursor": ""}
        if path == CRONS:
            return [self._cron(encoded=encoded)]
        raise KeyError(path)

    def _cron(self, *, encoded: bool) -> dict[str, object]:
        now_ns = int(self._world.now().timestamp() * 1e9)
        day_ns = _DAY_S * 10**9
        last = {
            "ts": _int64(now_ns - day_ns, encoded),
            "udfPath": "jobs:nightly",
            "status": {"type": "success"},
        }
        following = {"state": {"type": "pending"}, "prevTs": None, "nextTs": _int64(now_ns + day_ns, encoded)}
        return {"name": "nightly", "lastRun": {**last, "executionTime": 0.2}, "nextRun": following}

    def migrations(self, args: Mapping[str, Any]) -> list[dict[str, object]]:
        done = {"state": "success", "processed": 1200, "isDone": True, "latestStart": 1.7e12, "next": []}
        return [{"name": str(name), **done} for name in args.get("names") or []]

    async def metric(self, request: Request) -> Response:
        """One series (or one per percentile) of one function, in the pieces that the window asks for."""
        query, name = request.query_params, request.path_params["name"]
        try:
            window = json.loads(query["window"])
            start_s, end_s = (float(window[end]["secs_since_epoch"]) for end in ("start", "end"))
        except (KeyError, TypeError, ValueError):
            return JSONResponse({"code": "InternalServerError", "message": "Your request failed."}, 500)
        grown = self._grown(start_s, end_s)
        value: float | None
        if grown is None:
            value = None
        elif name == "udf_rate":
            value = grown[0 if query.get("metric") == "invocations" else 1] / (end_s - start_s)
        elif name == "latency_percentiles":
            profile = self._world.profile(Side.NEW)
            value = profile.median_ms / 1000 * math.exp(_P95 * profile.sigma) if grown[0] else None
        elif name == "cache_hit_percentage":
            value = 80.0 if grown[0] else None
        elif name == "scheduled_job_lag":
            value = 600.0 if self._world.active(FaultName.CONVEX_PAUSED) else 0.0
        else:
            return Response(status_code=404)
        one = [[{"secs_since_epoch": int(start_s), "nanos_since_epoch": 0}, value]]
        return JSONResponse([[95, one]] if name == "latency_percentiles" else one)

    def _grown(self, start_s: float, end_s: float) -> tuple[float, float] | None:
        """Calls and failed ones of the new side within the window; None when nothing of it is remembered."""
        began_s = self._world.instant(0).timestamp()
        if end_s <= began_s or self._world.counters_at(self._world.now_s) is None:
            return None
        before = self._world.counters_at(max(0.0, start_s - began_s)) or {}
        now = self._world.counters()
        calls, failed = 0, 0
        for counter, value in now.items():
            if _on_new_side(counter):
                more = value - before.get(counter, 0)
                calls += more
                failed += more if ("outcome", "error") in counter[1] else 0
        return float(calls), float(failed)

    async def log(self, request: Request) -> Response:
        """Runs since the cursor; waits a little while there are none. Few of them stand for many."""
        cursor = float(request.query_params.get("cursor", "0"))
        loop = asyncio.get_running_loop()
        until_s = loop.time() + _LOG_WAIT_S
        since_s = max(0.0, cursor / 1000 - self._world.instant(0).timestamp())
        while True:
            entries = self._entries(since_s)
            if entries or loop.time() >= until_s:
                break
            await asyncio.sleep(_LOOK_S)
        now_ms = self._world.now().timestamp() * 1000
        return JSONResponse({"entries": entries, "newCursor": now_ms if entries else cursor})

    def _entries(self, since_s: float) -> list[dict[str, object]]:
        before, now = self._world.counters_at(since_s) or {}, self._world.counters()
        entries: list[dict[str, object]] = []
        for counter, value in now.items():
            if _on_new_side(counter):
                failed = ("outcome", "error") in counter[1]
                more = min(value - before.get(counter, 0), _MOST_ENTRIES)
                entries += [self._entry(dict(counter[1])["flag"], failed=failed)] * more
        return entries

    def _entry(self, flag: str, *, failed: bool) -> dict[str, object]:
        return {
            "kind": "Completion",
            "udfType": "Mutation",
            "componentPath": None,
            "identifier": f"{flag}:run",
            "timestamp": self._world.now().timestamp(),
            "executionTime": 0.05,
            "success": None,
            "error": "Server Error" if failed else None,
            "logLines": [],
            "occInfo": None,
            "willRetry": False,
        }


def _on_new_side(counter: Series) -> bool:
    return counter[0] == REQUESTS and ("backend", Side.NEW) in counter[1]


def _int64(value: int, encoded: bool) -> object:
    """A 64-bit integer as both formats have it."""
    if not encoded:
        return str(value)
    return {"$integer": base64.b64encode(value.to_bytes(8, "little", signed=True)).decode()}
