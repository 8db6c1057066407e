"""How a deployment's functions fared in the last minutes, from what it remembers of them itself.

`/api/app_metrics` is what the dashboard shows, no promised API: one hour, in memory, in whole minutes,
empty after a restart. One window of one piece is asked for, which the deployment sums up itself. null is
"nothing is remembered" and never zero; no call at all is no proof of health either.

These are percentages and rates of the past, so they are facts with limits, not counters for the judge: they
lag by up to two minutes, and a shared outage would look like one of the new side alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.convex import Deployment, deployment
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Health, ProbeValue

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.probes.convex_settings import ConvexMetricsSettings
    from cockpit.core.clock import Clock

_API: Final = "/api/app_metrics"
_P95: Final = 95


def build(settings: ConvexMetricsSettings, web: Web, secret: Secrets, timeout_s: float) -> ConvexMetricsProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = deployment(
        web,
        settings.url,
        key=secret(settings.key),
        instance=settings.instance,
        ca_file=settings.ca_file,
        timeout_s=timeout_s,
    )
    return ConvexMetricsProbe(host, settings, clock=web.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """One function over the window. None: nothing is remembered. latency_s is the 95th percentile."""

    function: str
    calls: float | None
    errors: float | None
    latency_s: float | None
    cached_pct: float | None

    @property
    def failed_pct(self) -> float | None:
        """Percent of calls that failed; None without calls. Clipped: the two numbers are read one by one."""
        if not self.calls or self.errors is None:
            return None
        return min(100.0, 100 * self.errors / self.calls)

    def words(self) -> str:
        if self.calls is None:
            return "nothing remembered"
        if not self.calls:
            return "no calls"
        parts = [f"{self.calls:.0f} calls"]
        parts += [] if self.failed_pct is None else [f"{self.failed_pct:.1f}% failed"]
        parts += [] if self.latency_s is None else [f"p95 {self.latency_s * 1000:.0f} ms"]
        parts += [] if self.cached_pct is None else [f"{self.cached_pct:.0f}% cached"]
        return ", ".join(parts)


class ConvexMetricsProbe:
    def __init__(self, host: Deployment, settings: ConvexMetricsSettings, *, clock: Clock | None) -> None:
        self._host = host
        self._settings = settings
        self._clock = clock

    async def probe(self) -> ProbeValue:
        at = await self._host.verify() or (None if self._clock is None else self._clock.now())
        if at is None:
            raise BrokenAnswer(Failure(title="the deployment does not tell what time it is"))
        window = window_text(at, self._settings.window)
        fared = [await self._look(function, window) for function in self._settings.functions]
        health, detail = self._judge(fared)
        facts = tuple((each.function, each.words()) for each in fared)
        return ProbeValue(health=health, detail=detail, facts=facts, server_time=None)

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _look(self, function: str, window: str) -> Fared:
        asked = {"path": function, "window": window}
        length_s = self._settings.window
        calls = await self._one("udf_rate", {**asked, "metric": "invocations"})
        if not calls:
            return Fared(function=function, calls=calls, errors=None, latency_s=None, cached_pct=None)
        errors = await self._one("udf_rate", {**asked, "metric": "errors"})
        latencies = await self._host.read(
            f"{_API}/latency_percentiles", {**asked, "percentiles": f"[{_P95}]"}
        )
        return Fared(
            function=function,
            calls=calls * length_s,
            errors=None if errors is None else errors * length_s,
            latency_s=only_percentile(latencies),
            cached_pct=await self._one("cache_hit_percentage", asked),
        )

    async def _one(self, metric: str, asked: Mapping[str, str]) -> float | None:
        return newest(await self._host.read(f"{_API}/{metric}", asked))

    def _judge(self, fared: Sequence[Fared]) -> tuple[Health, str]:
        length = f"in {self._settings.window / 60:g} min"
        bad = [trouble for each in fared for trouble in self._troubles(each)]
        if bad:
            return Health.DEGRADED, "; ".join(bad)
        if all(each.calls is None for each in fared):
            return Health.UNKNOWN, f"nothing is remembered {length} (restarted, or nothing ran)"
        if not any(each.calls for each in fared):
            return Health.UNKNOWN, f"none of these functions was called {length}"
        return Health.OK, f"{sum(each.calls or 0 for each in fared):.0f} calls {length}"

    def _troubles(self, fared: Fared) -> list[str]:
        settings, found = self._settings, []
        failed, limit_pct = fared.failed_pct, settings.failure_limit_pct
        if failed is not None and limit_pct is not None and failed > limit_pct:
            found.append(f"{fared.function} fails {failed:.1f}%, the limit is {limit_pct:g}%")
        slow, limit_s = fared.latency_s, settings.latency_limit
        if slow is not None and limit_s is not None and slow > limit_s:
            took = f"{slow * 1000:.0f} ms, the limit is {limit_s * 1000:.0f} ms"
            found.append(f"{fared.function} takes {took} (p95)")
        return found


def window_text(now: datetime, length_s: float, pieces: int = 1) -> str:
    """The window that ends now, as the deployment wants it."""
    ends = {"start": _seconds(now - timedelta(seconds=length_s)), "end": _seconds(now)}
    return json.dumps({**ends, "num_buckets": pieces}, separators=(",", ":"))


def _seconds(moment: datetime) -> dict[str, int]:
    return {"secs_since_epoch": int(moment.timestamp()), "nanos_since_epoch": 0}


def newest(series: object) -> float | None:
    """The last value of a series `[[time, value], ..]` that is not null. Raises BrokenAnswer."""
    if not isinstance(series, list):
        raise _broken()
    value = None
    for point in series:
        if not isinstance(point, list) or len(point) != 2:
            raise _broken()
        if point[1] is not None:
            value = _positive(point[1])
    return value


def only_percentile(body: object) -> float | None:
    """Seconds, from `[[95, series]]`; None when nothing is remembered. Raises BrokenAnswer."""
    if not isinstance(body, list) or len(body) != 1 or not isinstance(body[0], list) or len(body[0]) != 2:
        raise _broken()
    return newest(body[0][1])


def _positive(raw: object) -> float:
    try:
        value = finite_number(raw)
    except ValueError:
        raise _broken() from None
    if isinstance(raw, str) or value < 0:
        raise _broken()
    return value


def _broken() -> BrokenAnswer:
    return BrokenAnswer(Failure(title="not the metrics of a Convex deployment"))
