"""Counters from a Prometheus HTTP API: one number per expression, or the reason why there is none.

A poll is one request, for every expression that has once been answered alone; where one request for many
does not work (a query that fails, a warning whose cause nobody can name, a server that does not take it),
each is asked alone, and told by its own answer. `together` joins and parts them.

All expressions of one call are evaluated at the same instant, so that "bad" and "total" belong
together. That instant is the source's own: the first request goes without a time, and the instant at which
the source evaluated it is sent with the others. No clock of ours takes part, so a skewed one does no harm,
and the delay that VictoriaMetrics adds by itself is kept. When the first request has no sample, the others
are asked without a time, which a few milliseconds of distance make good enough.

An instant query answers with the time of evaluation, not with the time of the last scrape: it proves
that the source is alive, not that its scrapes are. A vanished target shows as "no series".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.once import asked_once
from cockpit.adapters.signals.api import explain, open_api
from cockpit.adapters.signals.instant import QueryFailed, QueryRefused, read_typed
from cockpit.adapters.signals.past import Past, PastAsker
from cockpit.adapters.signals.preflight import in_words, judge_expression
from cockpit.adapters.signals.together import Question, Together
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
    """Reads instant values. Remembers between calls which expressions can be asked in one request."""

    def __init__(self, host: HttpHost, *, base_path: str, timeout_s: float, clock: Clock | None) -> None:
        self._host = host
        self._api = f"{base_path}/api/v1"
        self._timeout_s = timeout_s
        self._clock = clock
        self._together = Together()

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        """One entry per expression. Raises AdapterError when the source as a whole cannot be asked."""
        once = tuple(dict.fromkeys(expressions))
        results: dict[str, Sample | AdapterError] = {}
        failed: Question | None = None
        for question in self._together.questions(once):
            samples = await self._ask_together(question, _instant(results))
            results.update(samples)
            if not samples:
                failed = question
                break
        alone = [each for each in once if each not in results]
        if alone:
            results.update(await self._one_by_one(alone, _instant(results)))
        if failed is not None:
            self._together.blamed(failed.expressions)
        elif alone:
            self._together.lived_apart()
        return results

    async def _ask_together(self, question: Question, instant: datetime | None) -> Mapping[str, Sample]:
        """Nothing where each has to be asked alone. Raises AdapterError when the source as a whole fails."""
        self._together.trying()
        try:
            samples = question.apart(await self._ask(question.query, instant))
        except (QueryFailed, RefusedByService, BrokenAnswer):
            return {}
        self._together.worked(samples)
        return samples

    async def _one_by_one(
        self, expressions: Sequence[str], instant: datetime | None
    ) -> Mapping[str, Sample | AdapterError]:
        results: dict[str, Sample | AdapterError] = {}
        others = list(expressions)
        if instant is None:
            first = others.pop(0)
            results[first] = await self._lead(first)
            instant = _instant(results)
        answers = await asyncio.gather(*(self._follow(expression, instant) for expression in others))
        results.update(zip(others, answers, strict=True))
        return results

    async def history(
        self, expressions: Sequence[str], *, start: datetime, end: datetime, step_s: float
    ) -> Past:
        """As `Historian` promises it."""
        asker = PastAsker(self._host, self._api, start=start, end=end, step_s=step_s)
        once = tuple(dict.fromkeys(expressions))
        return await asker.ask(once, self._together.questions(once))

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        """Each expression alone, as a first poll asks; then as all later polls do, which is what counts."""
        once = tuple(dict.fromkeys(expressions))
        with asked_once():
            lines = await self._ask_version()
            if not lines[0].ok:
                return lines
            outcomes = await asyncio.gather(*(self._follow(expression, None) for expression in once))
        with suppress(AdapterError):  # what is wrong with an expression has been said by then
            await self.query(once)
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
        try:
            kind, sample = read_typed(await self._ask(expression, instant))
        except AdapterError:
            self._together.refused_alone(expression)
            raise
        self._together.told_alone(expression, kind, sample)
        return sample

    async def _ask(self, query: str, instant: datetime | None) -> object:
        """The body of a successful answer. Raises AdapterError."""
        # The server reads durations without fractions: "3750ms" is one, "3.75s" is refused.
        form = {"query": query, "timeout": f"{self._timeout_s * 1000:.0f}ms"}
        if instant is not None:
            form["time"] = f"{instant.timestamp():.3f}"
        answer = await once_more_after_reset(
            lambda: self._host.read_post(f"{self._api}/query", form=form, retry=False)
        )
        if answer.status != 200:
            raise explain(answer)
        return answer.json()

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


def _instant(results: Mapping[str, Sample | AdapterError]) -> datetime | None:
    """When the source evaluated these; None where none of them tells."""
    samples = (each for each in results.values() if isinstance(each, Sample))
    return next((each.source_time for each in samples if each.source_time is not None), None)


def _version(body: object) -> str:
    """VictoriaMetrics answers without a version. Raises BrokenAnswer for something else altogether."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise BrokenAnswer(
            Failure(title="not an answer of the Prometheus API", detail="no build information")
        )
    version = data.get("version")
    return f"version {clean_text(version, limit=40)}" if isinstance(version, str) else "version not told"
