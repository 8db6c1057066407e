"""What a Prometheus remembers: one range query over the recent past, or one after another where it must be.

Protocol: `/api/v1/query_range` as Prometheus documents it; VictoriaMetrics, Thanos and Mimir answer alike.
One series per expression is wanted, as with the instant query; a time at which it had no sample is simply
not among the values. VictoriaMetrics moves start and end to multiples of the step unless
`nocache` says otherwise (seen with 1.79); each value tells its own time, so that nothing here relies on it.
More than 11,000 values per series are refused by the server; so are they here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from cockpit.adapters.aside import Aside
from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.signals.api import explain
from cockpit.adapters.signals.instant import QueryFailed, QueryRefused, read_envelope, read_point
from cockpit.adapters.signals.together import MARK, Question
from cockpit.core.model import Failure, Fault, Sample

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost

_MOST_VALUES: Final = 11_000
_READ_WITHIN_S: Final = 10.0

T = TypeVar("T")
Past = Mapping[str, Sequence[Sample] | AdapterError]


class PastAsker:
    """Asks for one span of time. One request at a time, so that the live polls always find room beside it."""

    def __init__(self, host: HttpHost, api: str, *, start: datetime, end: datetime, step_s: float) -> None:
        self._host = host
        self._api = api
        self._aside = Aside("reading of the past")
        self._span = {
            "start": f"{start.timestamp():.3f}",
            "end": f"{end.timestamp():.3f}",
            "step": f"{step_s:g}",
            "nocache": "1",
        }

    async def ask(self, expressions: Sequence[str], together: Sequence[Question]) -> Past:
        """One entry per expression: first those that can be asked together, then what is left, each alone.

        Raises AdapterError when the source as a whole cannot be asked: nothing more is asked then.
        """
        found: dict[str, Sequence[Sample] | AdapterError] = {}
        for question in together:
            answer = await self._range(question.query)
            if answer.status == 200:
                found.update(await self._read(partial(_all_of, question, answer)))
        for each in expressions:
            if each not in found:
                found[each] = await self._read(partial(_outcome, await self._range(each)))
        return found

    async def _read(self, reading: Callable[[], T]) -> T:
        """Beside the loop, which thousands of values would hold up."""
        try:
            return await self._aside.run(reading, _READ_WITHIN_S)
        except TimeoutError:
            raise _broken(f"it could not be read within {_READ_WITHIN_S:g} s") from None

    async def _range(self, query: str) -> Answer:
        form = {"query": query, **self._span}
        return await self._host.read_post(f"{self._api}/query_range", form=form, retry=False)


def _all_of(question: Question, answer: Answer) -> Mapping[str, Sequence[Sample]]:
    """Nothing where the answer cannot be read: each is asked alone then."""
    try:
        return read_together(question, answer.json())
    except AdapterError:
        return {}


def _outcome(answer: Answer) -> Sequence[Sample] | AdapterError:
    """The series, or what is wrong with this query. Raises AdapterError for trouble of the whole source."""
    if answer.status != 200:
        error = explain(answer)
        if isinstance(error, QueryRefused | QueryFailed):
            return error
        raise error
    body = answer.json()
    try:
        return read_series(body)
    except AdapterError as error:
        return error


def read_series(body: object) -> tuple[Sample, ...]:
    """The one series of a successful answer, oldest first; empty when no series matched.

    Raises QueryRefused for several, and BrokenAnswer for another shape or when the source warns that
    something is missing: a sum over a part of the series would look like a counter that fell.
    """
    return _only_one(_matrix(body))


def read_together(question: Question, body: object) -> dict[str, tuple[Sample, ...]]:
    """What each would have said alone; empty where there is any doubt of that."""
    parts: dict[str, list[object]] = {str(place): [] for place in range(len(question.expressions))}
    try:
        for series in _matrix(body):
            labels = series.get("metric") if isinstance(series, dict) else None
            mark = labels.get(MARK) if isinstance(labels, dict) else None
            if not isinstance(mark, str) or mark not in parts:
                return {}
            parts[mark].append(series)
        return {each: _only_one(parts[str(place)]) for place, each in enumerate(question.expressions)}
    except AdapterError:
        return {}


def _matrix(body: object) -> list[object]:
    data, warning = read_envelope(body)
    result = data.get("result")
    if data.get("resultType") != "matrix" or not isinstance(result, list):
        raise _broken("the answer holds no range")
    if warning:
        raise BrokenAnswer(Failure(title="the past is partial", detail=f"the source warns: {warning}"))
    return result


def _only_one(result: Sequence[object]) -> tuple[Sample, ...]:
    if not result:
        return ()
    if len(result) > 1:
        title = f"the query gives {len(result)} series, expected one: wrap it in sum()"
        raise QueryRefused(Failure(title=title, retryable=False, fault=Fault.PLAN))
    values = result[0].get("values") if isinstance(result[0], dict) else None
    if not isinstance(values, list) or len(values) > _MOST_VALUES:
        raise _broken("the series holds no values")
    return tuple(sorted(map(read_point, values), key=_told_at))


def _told_at(sample: Sample) -> datetime:
    if sample.source_time is None:
        raise _broken("a value has no time")
    return sample.source_time


def _broken(why: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title="not an answer of the Prometheus API", detail=why))
