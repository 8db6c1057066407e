"""Numbers out of a page in the Prometheus text format or in OpenMetrics: selectors, summed. Pure.

An expression is one or more selectors joined by + and -, such as
`http_requests_total{backend="new",code=~"5.."}` or `x_count - x_bucket{le="0.2"}`; `sum( )` around one
may stand there and changes nothing, so that a query of a Prometheus plan can be used as it is.

Only lines of the metrics that were asked for are read, those strictly: a line that cannot be read, or
the same series twice, spoils the number instead of changing it. Source of the formats: prometheus.io,
exposition formats (0.0.4), and the OpenMetrics 1.0 specification.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cockpit.core.clean import clean_text, finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Quality, Sample

LINES_LIMIT: Final = 200_000
OLD_S: Final = 300.0
_SERIES_LIMIT: Final = 20_000
_LINE_LIMIT: Final = 16_384
_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABELS: Final = r'(?:[^"{}]|"(?:[^"\\]|\\.)*")*'
_WORD: Final = re.compile(_NAME)
_SELECTOR: Final = re.compile(rf"\s*({_NAME})\s*(?:\{{({_LABELS})\}})?\s*")
_SUM: Final = re.compile(rf"\s*sum\s*\((\s*{_NAME}\s*(?:\{{{_LABELS}\}})?\s*)\)\s*")
_MATCHER: Final = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|\Z)')
_SAMPLE: Final = re.compile(
    rf"({_NAME})(?:\{{({_LABELS})\}})?[ \t]+(\S{{1,64}})(?:[ \t]+(\S{{1,64}}))?[ \t]*\Z"
)
_LABEL: Final = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|\Z)')
_ESCAPE: Final = re.compile(r"\\(.)")
_EXEMPLAR: Final = " # "
_INFINITE: Final = {"+inf": math.inf, "inf": math.inf, "-inf": -math.inf}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND: Final = 253_402_300_799.0


class UnreadableExpression(ValueError):
    """What a plan asks for is no selector; the text says why."""


class UnreadablePage(ValueError):
    """A page that is no exposition, or is cut short; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """One metric and what its labels must be; `sign` is 1 or -1."""

    name: str
    matchers: tuple[Callable[[Mapping[str, str]], bool], ...]
    sign: float

    def fits(self, labels: Mapping[str, str]) -> bool:
        return all(holds(labels) for holds in self.matchers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One sample line. at: its own timestamp, if it has one. trouble: why it cannot be used."""

    labels: Mapping[str, str]
    value: float
    at: datetime | None
    trouble: str = ""


Points = Mapping[str, Sequence[Point]]


def read_expression(expression: str) -> tuple[Selector, ...]:
    """The selectors of an expression. Raises UnreadableExpression."""
    rest, sign, found = expression, 1.0, list[Selector]()
    while True:
        inner = _SUM.match(rest)
        match = _SELECTOR.fullmatch(inner[1]) if inner else _SELECTOR.match(rest)
        if match is None:
            raise UnreadableExpression('a selector looks like name{label="value"}')
        found.append(Selector(name=match[1], matchers=_matchers(match[2] or ""), sign=sign))
        rest = rest[(inner or match).end() :]
        if not rest:
            return tuple(found)
        if rest[0] not in "+-":
            raise UnreadableExpression(f"{clean_text(rest, limit=30)!r} is no + or - between two selectors")
        sign, rest = (1.0 if rest[0] == "+" else -1.0), rest[1:]


def read_page(text: str, wanted: frozenset[str], *, open_metrics: bool) -> Points:
    """The points of the wanted metrics. Raises UnreadablePage when the page is not whole."""
    lines = text.split("\n")
    if len(lines) > LINES_LIMIT:
        raise UnreadablePage(f"more than {LINES_LIMIT} lines")
    while open_metrics and lines and not lines[-1]:
        lines.pop()
    if lines.pop() != ("# EOF" if open_metrics else ""):
        raise UnreadablePage("the page is cut short: its end is missing")
    if not any(line.startswith("# TYPE ") or _SAMPLE.match(line[:_LINE_LIMIT]) for line in lines[:1000]):
        raise UnreadablePage("not one metric at its beginning: is this a page of metrics?")
    found: dict[str, list[Point]] = {name: [] for name in wanted}
    kept = 0
    beginnings = tuple(wanted)
    for line in lines:
        if line.startswith(beginnings) and (name := _first_word(line)) in wanted:
            found[name].append(_point(line.rstrip("\r"), in_seconds=open_metrics))
            kept += 1
            if kept > _SERIES_LIMIT:
                raise UnreadablePage(f"more than {_SERIES_LIMIT} series of the metrics that were asked for")
    return found


def evaluate(selectors: Sequence[Selector], points: Points, now: datetime | None) -> Sample:
    """The sum of what the selectors match. now: the source's own clock, which finds points that are old."""
    total, oldest = 0.0, None
    for selector in selectors:
        matched = [
            point for point in points[selector.name] if all(fits(point.labels) for fits in selector.matchers)
        ]
        trouble = _trouble(selector.name, matched)
        if trouble is not None:
            return trouble
        total += selector.sign * math.fsum(point.value for point in matched)
        moments = [point.at for point in matched if point.at is not None]
        oldest = min([*moments, *([oldest] if oldest else [])], default=None)
    if oldest is not None and now is not None and (now - oldest).total_seconds() > OLD_S:
        age_s = (now - oldest).total_seconds()
        return _withheld(Quality.NO_DATA, f"the page tells what was {age_s:.0f} s ago", oldest)
    if not math.isfinite(total):
        return _withheld(Quality.NOT_FINITE, "the sum is no number", oldest or now)
    if total < 0:
        return _withheld(Quality.ERROR, f"the sum is {total:g}: a counter cannot be negative", oldest or now)
    return Sample(value=total + 0.0, quality=Quality.GOOD, source_time=oldest or now)


def _trouble(name: str, matched: Sequence[Point]) -> Sample | None:
    """Why what was matched gives no number; None when it does."""
    if not matched:
        return _withheld(
            Quality.NO_DATA, f"no series of {clean_text(name, limit=60)} matched (this is not zero)"
        )
    spoilt = next((point.trouble for point in matched if point.trouble), "")
    if spoilt:
        return _withheld(Quality.ERROR, spoilt)
    if any(not math.isfinite(point.value) for point in matched):
        return _withheld(Quality.NOT_FINITE, f"a series of {name} is NaN or infinite")
    if len({frozenset(point.labels.items()) for point in matched}) < len(matched):
        return _withheld(Quality.ERROR, f"the same series of {name} stands there twice")
    return None


def _withheld(quality: Quality, note: str, at: datetime | None = None) -> Sample:
    return Sample(value=None, quality=quality, source_time=at, note=note)


def _first_word(line: str) -> str:
    match = _WORD.match(line)
    return match[0] if match else ""


def _point(line: str, *, in_seconds: bool) -> Point:
    """A line of a wanted metric. One that cannot be read matches everything and spoils the sum."""
    plain = line.partition(_EXEMPLAR)[0] if in_seconds else line
    match = _SAMPLE.match(plain) if len(line) <= _LINE_LIMIT else None
    labels = None if match is None else _labels(match[2] or "")
    if match is None or labels is None:
        return _spoilt(line)
    try:
        value = _number(match[3])
        at = None if match[4] is None else _moment(match[4], in_seconds=in_seconds)
    except ValueError:
        return _spoilt(line)
    return Point(labels=labels, value=value, at=at)


class _Anything(dict[str, str]):
    """Labels of a line that cannot be read: nobody knows that it is not the one that was asked for."""


def _spoilt(line: str) -> Point:
    trouble = f"a line cannot be read: {clean_text(line, limit=80)}"
    return Point(labels=_Anything(), value=0.0, at=None, trouble=trouble)


def _labels(text: str) -> dict[str, str] | None:
    """The labels inside the braces; None when they cannot be read or one stands there twice."""
    found: dict[str, str] = {}
    end = 0
    for match in _LABEL.finditer(text):
        if match.start() != end or match[1] in found:
            return None
        found[match[1]] = _unescaped(match[2])
        end = match.end()
    return found if not text[end:].strip() else None


def _matchers(text: str) -> tuple[Callable[[Mapping[str, str]], bool], ...]:
    found, end = list[Callable[[Mapping[str, str]], bool]](), 0
    for match in _MATCHER.finditer(text):
        if match.start() != end:
            break
        found.append(_matcher(match[1], match[2], _unescaped(match[3])))
        end = match.end()
    if text[end:].strip():
        raise UnreadableExpression(f'{clean_text(text[end:], limit=40)!r} is no label="value"')
    return tuple(found)


def _matcher(label: str, operator: str, value: str) -> Callable[[Mapping[str, str]], bool]:
    """An absent label is an empty one. A line that cannot be read fulfils everything."""
    negated = operator.startswith("!")
    if operator.endswith("~"):
        try:
            pattern = re.compile(value)
        except re.error:
            raise UnreadableExpression(f"{clean_text(value, limit=40)!r} is no regular expression") from None

        def holds(told: str) -> bool:
            return pattern.fullmatch(told) is not None
    else:

        def holds(told: str) -> bool:
            return told == value

    return lambda labels: isinstance(labels, _Anything) or holds(labels.get(label, "")) != negated


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def _number(text: str) -> float:
    """A sample value, which may be NaN or infinite. Raises ValueError."""
    lower = text.lower()
    return math.nan if lower == "nan" else _INFINITE[lower] if lower in _INFINITE else finite_number(text)


def _moment(text: str, *, in_seconds: bool) -> datetime:
    """A timestamp: milliseconds, or seconds in OpenMetrics. Raises ValueError."""
    seconds = finite_number(text) / (1 if in_seconds else 1000)
    if not 0 <= seconds <= _LAST_SECOND:
        raise ValueError("not a time")
    return _EPOCH + timedelta(seconds=seconds)


def names(selectors: Sequence[Selector]) -> Iterator[str]:
    """The metrics that an expression needs."""
    return (selector.name for selector in selectors)
