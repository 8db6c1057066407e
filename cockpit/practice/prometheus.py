"""Prometheus's HTTP API over the world's counters, and `/metrics` for a real Prometheus to scrape.

Shapes and errors as recorded from Prometheus 2.42. Queries go through the small evaluator; anything it
does not know is `bad_data`, never a silent empty answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NoReturn
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cockpit.core.clean import parse_duration
from cockpit.practice.faults import FaultName
from cockpit.practice.flags import instant
from cockpit.practice.leftovers import GAUGES
from cockpit.practice.promql import BadQuery, Labels, Value, Vector, evaluate, written
from cockpit.practice.traffic import HELP
from cockpit.practice.world import World

VERSION: Final = "2.42.0+practice"
PARTIAL: Final = (
    'remote_read: error sending request: Post "http://127.0.0.1:1/read": dial tcp 127.0.0.1:1: '
    "connect: connection refused"
)
_MAX_POINTS: Final = 11_000
_WHOLE_DURATION: Final = re.compile(r"(?=.)(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")


class BadData(Exception):
    """Answered as errorType `bad_data` with status 400."""


class Prometheus:
    def __init__(self, world: World, *, target: str) -> None:
        self._world = world
        self._target = target

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            Route("/-/healthy", self.healthy),
            Route("/-/ready", self.ready),
            Route("/api/v1/query", self.query, methods=both),
            Route("/api/v1/query_range", self.query_range, methods=both),
            Route("/api/v1/status/buildinfo", self.buildinfo),
            Route("/api/v1/alerts", self.alerts),
            Route("/api/v1/rules", self.rules),
            Route("/api/v1/targets", self.targets),
            Route("/{rest:path}", self.unknown, methods=both),
        ]

    async def healthy(self, request: Request) -> Response:
        return PlainTextResponse("Prometheus Server is Healthy.\n")

    async def ready(self, request: Request) -> Response:
        return PlainTextResponse("Prometheus Server is Ready.\n")

    async def query(self, request: Request) -> Response:
        try:
            asked = await _asked(request)
            _duration(asked, "timeout")
            unix_s = self._unix_s(asked, "time")
            value = self._value(asked.get("query", ""), unix_s)
        except BadData as problem:
            return _bad_data(str(problem))
        return self._success(_instant_data(value, unix_s))

    async def query_range(self, request: Request) -> Response:
        try:
            asked = await _asked(request)
            start_s, end_s = self._unix_s(asked, "start"), self._unix_s(asked, "end")
            step_s = _duration(asked, "step") or 0.0
            if end_s < start_s:
                raise BadData('invalid parameter "end": end timestamp must not be before start time')
            if step_s <= 0:
                raise BadData(
                    'invalid parameter "step": zero or negative query resolution step widths '
                    "are not accepted. Try a positive integer"
                )
            if (end_s - start_s) / step_s > _MAX_POINTS:
                raise BadData(
                    "exceeded maximum resolution of 11,000 points per timeseries. "
                    "Try decreasing the query resolution (?step=XX)"
                )
            points = math.floor((end_s - start_s) / step_s) + 1
            series = self._series(
                asked.get("query", ""), [round(start_s + n * step_s, 3) for n in range(points)]
            )
        except BadData as problem:
            return _bad_data(str(problem))
        result = [{"metric": dict(labels), "values": values} for labels, values in series.items()]
        return self._success({"resultType": "matrix", "result": result})

    def _series(self, query: str, moments: list[float]) -> dict[Labels, list[Any]]:
        series: dict[Labels, list[Any]] = {}
        for unix_s in moments:
            value = self._value(query, unix_s)
            vector = value if isinstance(value, dict) else {(): value}
            for labels, number in vector.items():
                series.setdefault(labels, []).append([unix_s, written(number)])
        return series

    def _value(self, query: str, unix_s: float) -> Value:
        """The value at that moment, with what the faults make of it. Raises `BadData`."""
        world = self._world
        counters = world.counters_at(unix_s - world.instant(0.0).timestamp())
        try:
            value = evaluate(query, counters or {})
        except BadQuery as problem:
            raise BadData(f'invalid parameter "query": {problem}') from None
        if not isinstance(value, dict):
            return value
        if world.active(FaultName.METRICS_EMPTY):
            return {}
        if world.active(FaultName.METRICS_NAN):
            return dict.fromkeys(value, math.nan)
        return value

    def _unix_s(self, asked: Mapping[str, str], name: str) -> float:
        """Unix seconds, whole milliseconds, from a number or RFC 3339; now when absent.

        Rounded before it is used, so that a caller who sends back the time of an answer gets the same
        counters again.
        """
        raw = asked.get(name)
        if raw is None:
            return math.floor(self._world.now().timestamp() * 1000) / 1000
        try:
            return round(float(raw), 3) if math.isfinite(float(raw)) else _not_a_time(name, raw)
        except ValueError:
            try:
                return round(datetime.fromisoformat(raw).timestamp(), 3)
            except ValueError:
                return _not_a_time(name, raw)

    def _success(self, data: Any) -> Response:
        body: dict[str, Any] = {"status": "success", "data": data}
        if self._world.active(FaultName.METRICS_WARNINGS):
            body["warnings"] = [PARTIAL]
        return JSONResponse(body)

    async def buildinfo(self, request: Request) -> Response:
        data = {
            "version": VERSION,
            "revision": "practice",
            "branch": "practice",
            "buildUser": "practice",
            "buildDate": "20260101-00:00:00",
            "goVersion": "go1.19.8",
        }
        return JSONResponse({"status": "success", "data": data})

    async def alerts(self, request: Request) -> Response:
        return JSONResponse({"status": "success", "data": {"alerts": []}})

    async def rules(self, request: Request) -> Response:
        return JSONResponse({"status": "success", "data": {"groups": []}})

    async def targets(self, request: Request) -> Response:
        labels = {"instance": self._target, "job": "practice"}
        target = {
            "discoveredLabels": {
                "__address__": self._target,
                "__metrics_path__": "/metrics",
                "job": "practice",
            },
            "labels": labels,
            "scrapePool": "practice",
            "scrapeUrl": f"http://{self._target}/metrics",
            "globalUrl": f"http://{self._target}/metrics",
            "lastError": "",
            "lastScrape": instant(self._world.now()),
            "lastScrapeDuration": 0.001,
            "health": "up",
            "scrapeInterval": "1s",
            "scrapeTimeout": "900ms",
        }
        data = {"activeTargets": [target], "droppedTargets": []}
        return JSONResponse({"status": "success", "data": data})

    async def unknown(self, request: Request) -> Response:
        return PlainTextResponse("404 page not found\n", 404)


def _not_a_time(name: str, raw: str) -> NoReturn:
    text = f"Invalid time value for '{name}': cannot parse \"{raw}\" to a valid timestamp"
    raise BadData(f'invalid parameter "{name}": {text}')


async def _asked(request: Request) -> dict[str, str]:
    """Parameters from the query string and, with POST, from the form."""
    asked = dict(request.query_params)
    if request.method == "POST":
        form = parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
        asked |= {key: values[0] for key, values in form.items()}
    return asked


def _duration(asked: Mapping[str, str], name: str) -> float | None:
    """Seconds, from a plain number or whole numbers with units: 2.42 refuses "3.75s"."""
    raw = asked.get(name)
    if raw is None:
        return None
    try:
        return float(raw)
    except ValueError:
        if _WHOLE_DURATION.fullmatch(raw):
            return parse_duration(raw)
        raise BadData(f'invalid parameter "{name}": cannot parse "{raw}" to a valid duration') from None


def _instant_data(value: Value, unix_s: float) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"resultType": "scalar", "result": [unix_s, written(value)]}
    return {"resultType": "vector", "result": _vector(value, unix_s)}


def _vector(vector: Vector, unix_s: float) -> list[dict[str, Any]]:
    return [{"metric": dict(labels), "value": [unix_s, written(each)]} for labels, each in vector.items()]


def _bad_data(text: str) -> Response:
    return JSONResponse({"status": "error", "errorType": "bad_data", "error": text}, 400)


def exposition(world: World) -> str:
    """All counters and gauges in the Prometheus text format."""
    lines, described = [], ""
    for (name, labels), count in sorted(world.counters().items()):
        if name != described:
            kind = "gauge" if name in GAUGES else "counter"
            lines += [f"# HELP {name} {GAUGES.get(name) or HELP[name]}", f"# TYPE {name} {kind}"]
            described = name
        text = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels)
        lines.append(f"{name}{{{text}}} {count}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def prometheus_app(world: World, *, target: str) -> Starlette:
    return Starlette(routes=Prometheus(world, target=target).routes())


def metrics_app(world: World) -> Starlette:
    async def metrics(request: Request) -> Response:
        return Response(exposition(world), media_type="text/plain; version=0.0.4")

    return Starlette(routes=[Route("/metrics", metrics)])
