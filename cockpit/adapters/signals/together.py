"""Many instant queries as one, and its answer taken apart again.

    label_replace((A), "cockpit_asks", "0", "", "") or label_replace(vector(B), "cockpit_asks", "1", "", "")

The label tells whose series is whose; `or` leaves nothing out, because no two parts share its value. Only
an expression that the source has answered when it was asked alone takes part, as what it was then: a vector
or a scalar. So what cannot be read alone never becomes readable between parentheses. An answer that cannot
be told apart without doubt (a warning, a label that nobody gave, another shape) is no answer at all; whoever
asked asks each alone then, and what each says alone is what counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.signals.instant import read_envelope, read_vector
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Quality, Sample

MARK: Final = "cockpit_asks"
LONGEST_QUERY: Final = 12_000
"""Bytes. VictoriaMetrics refuses a query above 16,384 by default (`-search.maxQueryLen`)."""

_MOST_APART: Final = 512
_PLAIN: Final = frozenset({Quality.GOOD, Quality.NO_DATA, Quality.NOT_FINITE})


class _Shape(Enum):
    VECTOR = "vector"
    SCALAR = "scalar"

    def marked(self, expression: str, mark: str) -> str:
        """The line break ends a comment of the expression."""
        opened = "(" if self is _Shape.VECTOR else "vector("
        return f'label_replace({opened}{expression}\n), "{MARK}", "{mark}", "", "")'


_SHAPES: Final = {shape.value: shape for shape in _Shape}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Several expressions in one query; their places are their marks."""

    query: str
    expressions: tuple[str, ...]

    def apart(self, body: object) -> dict[str, Sample]:
        """What each would have said alone. Raises BrokenAnswer where there is any doubt of that."""
        data, warning = read_envelope(body)
        result = data.get("result")
        if warning or data.get("resultType") != _Shape.VECTOR.value or not isinstance(result, list):
            raise _doubtful("a warning, or no series")
        parts: dict[str, list[object]] = {str(place): [] for place in range(len(self.expressions))}
        for series in result:
            labels = series.get("metric") if isinstance(series, dict) else None
            mark = labels.get(MARK) if isinstance(labels, dict) else None
            if not isinstance(mark, str) or mark not in parts:
                raise _doubtful("a series without our mark")
            parts[mark].append(series)
        samples = {each: read_vector(parts[str(place)]) for place, each in enumerate(self.expressions)}
        if len({sample.source_time for sample in samples.values()} - {None}) > 1:
            raise _doubtful("several instants")
        return samples


class Together:
    """Knows which expressions may be asked together, and for how long it is not worth trying."""

    def __init__(self) -> None:
        self._shapes: dict[str, _Shape] = {}
        self._failed = 0
        self._apart = 0

    def questions(self, expressions: Sequence[str]) -> list[Question]:
        """What to ask now, as few as their length allows. What is in none of them has to be asked alone."""
        if self._apart:
            return []
        questions, parts, size = list[Question](), dict[str, str](), 0
        for each in expressions:
            shape = self._shapes.get(each)
            more = 0 if shape is None else len(shape.marked(each, "0000").encode()) + len(" or ")
            if shape is None or more > LONGEST_QUERY:
                continue
            if size + more > LONGEST_QUERY:
                questions.append(_question(parts))
                parts, size = {}, 0
            parts[each] = shape.marked(each, str(len(parts)))
            size += more
        questions.append(_question(parts))
        return [question for question in questions if len(question.expressions) > 1]

    def told_alone(self, expression: str, kind: str, sample: Sample) -> None:
        """What the source said of it alone. What says anything but a plain number, or none, stays alone."""
        shape = _SHAPES.get(kind) if sample.quality in _PLAIN else None
        if shape is None:
            self.refused_alone(expression)
        else:
            self._shapes[expression] = shape

    def refused_alone(self, expression: str) -> None:
        self._shapes.pop(expression, None)

    def trying(self) -> None:
        """A question is on its way: until it has worked it counts as one that did not."""
        self._failed += 1
        self._apart = min(2**self._failed, _MOST_APART)

    def worked(self, samples: Mapping[str, Sample]) -> None:
        self._failed = self._apart = 0
        for each, sample in samples.items():
            if sample.quality not in _PLAIN:
                self.refused_alone(each)

    def blamed(self, expressions: Sequence[str]) -> None:
        """After a question that did not work each was asked alone. Where one of them is at fault it is left
        out from now on, and the others are asked together again."""
        if not all(each in self._shapes for each in expressions):
            self._failed = self._apart = 0

    def lived_apart(self) -> None:
        """One more poll in which the source answered, and each was asked alone."""
        self._apart = max(0, self._apart - 1)


def _question(parts: Mapping[str, str]) -> Question:
    return Question(query=" or ".join(parts.values()), expressions=tuple(parts))


def _doubtful(why: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title="the answers to several queries cannot be told apart", detail=why))
