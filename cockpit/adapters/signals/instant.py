"""The body of a Prometheus instant query, read as one number or as the reason why there is none.

Protocol: `/api/v1/query` as Prometheus documents it; VictoriaMetrics, Thanos and Mimir answer alike.
Numbers are JSON strings ("0.5", "NaN", "+Inf"), times are JSON numbers. An empty result is a success
that says "no series matched", which is not zero. `warnings` beside the data mean that a part of the
store did not answer, so the number is withheld; so does `isPartial`, which a cluster of VictoriaMetrics
says instead. `infos` are hints about the query and are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.model import Failure, Fault, Quality, Sample

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND: Final = 253_402_300_799.0
_NOT_NUMBERS: Final = frozenset({"NaN", "Inf", "+Inf", "-Inf"})
_LONGEST_NUMBER: Final = 64
_NOTE_LIMIT: Final = 160

_PLAN_FAULTS: Final = {
    "bad_data": "the query cannot be read",
    "execution": "the query cannot be evaluated",
    "not_found": "the source does not know this",
    "not_acceptable": "the source cannot answer in JSON",
}
_SOURCE_FAULTS: Final = {
    "timeout": "the query took too long for the source",
    "canceled": "the source broke off the query",
    "internal": "the source failed on the query",
}
_ONE_NUMBER: Final = {
    "string": "the query gives a text, expected one number",
    "matrix": "the query gives a range, expected one number: take away the [...] or wrap it in increase()",
}


class QueryRefused(RefusedByService):
    """The source's own word that this one query is at fault; others may do well."""


class QueryFailed(ServiceTrouble):
    """The source's own word that it did not finish this one query; others may do well."""


def read_sample(body: object) -> Sample:
    """The one number of a successful answer. Raises BrokenAnswer for another shape."""
    return read_typed(body)[1]


def read_typed(body: object) -> tuple[str, Sample]:
    """The same, after the type of the result as the source names it."""
    data, warning = read_envelope(body)
    kind, result = data.get("resultType"), data.get("result")
    if not isinstance(kind, str) or not isinstance(result, list):
        _broken("data holds no result")
    if kind == "scalar":
        return kind, _withheld(read_point(result), warning)
    if kind == "vector":
        return kind, _withheld(read_vector(result), warning)
    if kind in _ONE_NUMBER:
        return kind, _unusable(_ONE_NUMBER[kind])
    _broken(f"unknown result type {clean_text(kind, limit=40)!r}")


def read_envelope(body: object) -> tuple[Mapping[str, object], str]:
    """The data of a successful answer, and its first warning. Raises BrokenAnswer for another shape."""
    envelope = _object(body, "the answer")
    if envelope.get("status") != "success":
        _broken("the answer does not say success")
    warning = _warning(envelope.get("warnings"))
    if envelope.get("isPartial") is True:
        warning = warning or "a part of the store did not answer"
    return _object(envelope.get("data"), "data"), warning


def read_error(status: int, body: object) -> AdapterError | None:
    """The error that a JSON error answer means; None when it is not one of the source's own."""
    if not isinstance(body, dict) or body.get("status") != "error":
        return None
    kind, detail = body.get("errorType"), clean_text(body.get("error") or "")
    if not isinstance(kind, str):
        return None
    if kind == "unavailable":
        return ServiceTrouble(Failure(title="the source is not ready", detail=detail), status=status)
    if kind in _SOURCE_FAULTS:
        return QueryFailed(Failure(title=_SOURCE_FAULTS[kind], detail=detail), status=status)
    # VictoriaMetrics writes the status code where the error type belongs.
    if kind in _PLAN_FAULTS or status in (400, 422):
        title = _PLAN_FAULTS.get(kind, _PLAN_FAULTS["execution"])
        failure = Failure(title=title, detail=detail, retryable=False, fault=Fault.PLAN)
        return QueryRefused(failure, status=status)
    return None


def read_vector(result: Sequence[object]) -> Sample:
    """The one number of a vector. Raises BrokenAnswer for another shape."""
    if not result:
        return Sample(value=None, quality=Quality.NO_DATA, note="no series matched (this is not zero)")
    if len(result) > 1:
        return _unusable(f"the query gives {len(result)} series, expected one: wrap it in sum()")
    element = _object(result[0], "the series")
    if "histogram" in element:
        return _unusable("the query gives a native histogram, expected one number: take histogram_count()")
    return read_point(element.get("value"))


def read_point(pair: object) -> Sample:
    """A sample from `[seconds, "number"]`."""
    if not isinstance(pair, list) or len(pair) != 2:
        _broken("a value is not a pair of time and number")
    moment, text = _moment(pair[0]), pair[1]
    if not isinstance(text, str) or len(text) > _LONGEST_NUMBER:
        _broken("a number is not written as short text")
    if text in _NOT_NUMBERS:
        note = f"the query gives {text}, which is no number"
        return Sample(value=None, quality=Quality.NOT_FINITE, source_time=moment, note=note)
    try:
        number = finite_number(text)
    except ValueError:
        _broken("a value is not a number")
    if number < 0:
        note = f"the query gives {number:g}: a counter cannot be negative"
        return Sample(value=None, quality=Quality.ERROR, source_time=moment, note=note)
    return Sample(value=number, quality=Quality.GOOD, source_time=moment)


def _moment(raw: object) -> datetime:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 <= raw <= _LAST_SECOND:
        _broken("a time is not a number of seconds")
    return _EPOCH + timedelta(seconds=raw)


def _withheld(sample: Sample, warning: str) -> Sample:
    """The sample itself, or PARTIAL without its value when the source warned that something is missing."""
    if not warning or sample.quality is Quality.ERROR:
        return sample
    missing = "no series matched, and " if sample.quality is Quality.NO_DATA else ""
    note = clean_text(f"{missing}the source warns: {warning}", limit=_NOTE_LIMIT)
    return Sample(value=None, quality=Quality.PARTIAL, source_time=sample.source_time, note=note)


def _warning(raw: object) -> str:
    """The first warning, clean; empty when there is none."""
    if raw is None or raw == []:
        return ""
    if not isinstance(raw, list) or not isinstance(raw[0], str):
        _broken("warnings are not a list of text")
    more = f" (and {len(raw) - 1} more)" if len(raw) > 1 else ""
    return (clean_text(raw[0], limit=_NOTE_LIMIT - 40) or "without words") + more


def _unusable(note: str) -> Sample:
    return Sample(value=None, quality=Quality.ERROR, note=note)


def _object(raw: object, what: str) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        _broken(f"{what} is not a JSON object")
    return raw


def _broken(why: str) -> NoReturn:
    raise BrokenAnswer(Failure(title="not an answer of the Prometheus API", detail=why))
