"""Counters from a Prometheus HTTP API: one number per expression, or the reason why there is none.

All expressions of one call are evaluated at the same instant, so that "bad" and "total" belong
together. That instant is the source's own: the first expression is asked without a time, and the
instant at which the source evaluated it is sent with the others. No clock of ours takes part, so a
skewed one does no harm, and the delay that VictoriaMetrics adds by itself is kept. When the first
expression has no sample, the others are asked without a time, which a few milliseconds of distance
make good enough.

An instant query answers with the time of evaluation, not with the time of the last scrape: it proves
that the source is alive, not that its scrapes are. A vanished target shows as "no series".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.signals.api import explain, open_api
from cockpit.adapters.signals.instant import QueryFailed, QueryRefused, read_sample
from cockpit.adapters.signals.preflight import in_words, judge_expression
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Sample

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web
    from cockpit.adapters.signals.settings import PrometheusSettings
    from cockpit.core.clock import Clock

CLOCK_LIMIT_S: Final = 1.0


def build(settings: PrometheusSettings, web: Web, secret: Secrets, timeout_s: float) -> PrometheusMonitor:
    host = open_api(settings, web, secret, timeout_s)
    return PrometheusMonitor(host, base_path=settings.base_path, timeout_s=timeout_s, clock=web.clock)


class PrometheusMonitor:
    """Reads instant values. Holds no state between calls."""

    def __init__(self, host: HttpHost, *, base_path: str, timeout_s: float, clock: Clock | None) -> None:
        self._host = host
        self._api = f"{base_path}/api/v1"
        self._timeout_s = timeout_s
        self._clock = clock

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        """One entry per expression. Raises AdapterError when the source as a whole cannot be asked."""
        if not expressions:
            return {}
        first, *others = dict.fromkeys(expressions)
        results: dict[str, Sample | AdapterError] = {first: await self._lead(first)}
        instant = _instant(results[first])
        answers = await asyncio.gather(*(self._follow(expression, instant) for expression in others))
        results.update(zip(others, answers, strict=True))
        return results

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        lines = await self._ask_version()
        if not lines[0].ok:
            return lines
        once = tuple(dict.fromkeys(expressions))
        outcomes = await asyncio.gather(*(self._follow(expression, None) for expression in once))
        return [*lines, *map(judge_expression, once, outcomes)]

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _lead(self, expression: str) -> Sample | AdapterError:
        """The first expression: trouble that is not its own is the trouble of the whole source."""
        try:
            return await self._evaluate(expression, None)
        except (QueryRefused, QueryFailed) as error:
            return error

    async def _follow(self, expression: str, instant: datetime | None) -> Sample | AdapterError:
        try:
            return await self._evaluate(expression, instant)
        except AdapterError as error:
            return error

    async def _evaluate(self, expression: str, instant: datetime | None) -> Sample:
        # The server reads durations without fractions: "3750ms" is one, "3.75s" is refused.
        form = {"query": expression, "timeout": f"{self._timeout_s * 1000:.0f}ms"}
        if instant is not None:
            form["time"] = f"{instant.timestamp():.3f}"
        answer = await once_more_after_reset(
            lambda: self._host.read_post(f"{self._api}/query", form=form, retry=False)
        )
        if answer.status != 200:
            raise explain(answer)
        return read_sample(answer.json())

    async def _ask_version(self) -> list[Preflight]:
        subject, question = self._host.address, "answers as Prometheus"
        try:
            answer = await self._host.get(f"{self._api}/status/buildinfo")
            if answer.status != 200:
                raise explain(answer)
            version = _version(answer.json())
        except AdapterError as error:
            return [Preflight(subject=subject, question=question, ok=False, detail=in_words(error))]
        reached = Preflight(subject=subject, question=question, ok=True, detail=version)
        return [reached, self._compare_clocks(answer)]

    def _compare_clocks(self, answer: Answer) -> Preflight:
        """A Date header has whole seconds: up to a second and the answer's way of it is no difference."""
        subject, question = self._host.address, "its clock agrees with ours"
        if answer.server_time is None or self._clock is None:
            return Preflight(subject=subject, question=question, ok=None, detail="no clocks to compare")
        ahead_s = (answer.server_time - self._clock.now()).total_seconds()
        ok = -CLOCK_LIMIT_S - 1 - answer.took_s < ahead_s < CLOCK_LIMIT_S
        detail = "within a second" if ok else f"{abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}"
        return Preflight(subject=subject, question=question, ok=ok, detail=detail)


def _instant(lead: Sample | AdapterError) -> datetime | None:
    return lead.source_time if isinstance(lead, Sample) else None


def _version(body: object) -> str:
    """VictoriaMetrics answers without a version. Raises BrokenAnswer for something else altogether."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise BrokenAnswer(
            Failure(title="not an answer of the Prometheus API", detail="no build information")
        )
    version = data.get("version")
    return f"version {clean_text(version, limit=40)}" if isinstance(version, str) else "version not told"
