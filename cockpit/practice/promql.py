"""A small honest evaluator for the PromQL that plans use on counters; everything else is a parse error.

Grammar: EXPR = TERM {"or" TERM} ; TERM = PART {("/" | "*") PART | ("+" | "-") PART} with the usual
precedence ; PART = number | "vector(" EXPR ")" | "sum" ["by (label, ...)"] "(" EXPR ")" | SELECTOR |
"label_replace(" EXPR ", label, text, source label, regex)" | "(" EXPR ")" ;
SELECTOR = name ["{" label ("=" | "!=" | "=~" | "!~") "text" {"," ...} "}"].
Vectors match one to one on equal labels, `or` adds what the left side lacks, as Prometheus does. The text
of label_replace holds no groups of the regex.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.practice.traffic import Series

Labels = tuple[tuple[str, str], ...]
Vector = dict[Labels, float]
"""Values by labels, sorted by name; the metric's own name is the label `__name__`."""

Value = float | Vector


class BadQuery(Exception):
    """The text of a Prometheus parse error."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


_TOKENS: Final = re.compile(
    r"(?P<space>\s+)|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)"
    r'|(?P<text>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')|(?P<op>=~|!~|!=|[-+*/(){},=\[\]])'
)
_KEYWORDS: Final = frozenset({"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset"})
_OPERATIONS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: _divided(left, right),
}


def evaluate(query: str, counters: Mapping[Series, int]) -> Value:
    """The value of `query` over the counters. Raises `BadQuery`."""
    return _Parser(query, counters).whole()


class _Parser:
    """Recursive descent that evaluates as it goes."""

    def __init__(self, query: str, counters: Mapping[Series, int]) -> None:
        self._tokens = _tokens(query)
        self._at = 0
        self._counters = counters

    def whole(self) -> Value:
        if self._peek().kind == "end":
            raise BadQuery("1:1: parse error: no expression found in input")
        value = self._or()
        self._expect("end", "")
        return value

    def _or(self) -> Value:
        value = self._sum()
        while self._accept("name", "or"):
            other = self._sum()
            if not isinstance(value, dict) or not isinstance(other, dict):
                raise BadQuery('1:1: parse error: set operator "or" not allowed in binary scalar expression')
            known = {_nameless(labels) for labels in value}
            value = value | {key: each for key, each in other.items() if _nameless(key) not in known}
        return value

    def _sum(self) -> Value:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Value:
        return self._chain(self._part, "*", "/")

    def _chain(self, operand: Callable[[], Value], *operators: str) -> Value:
        value = operand()
        while self._peek().kind == "op" and self._peek().text in operators:
            operation = _OPERATIONS[self._next().text]
            value = _combined(value, operand(), operation)
        return value

    def _part(self) -> Value:
        token = self._next()
        if token.kind == "number":
            return float(token.text)
        if token.kind == "op" and token.text == "(":
            value = self._or()
            self._expect("op", ")")
            return value
        if token.kind != "name" or token.text in _KEYWORDS:
            raise _unexpected(token)
        if token.text == "vector":
            return {(): self._argument()}
        if token.text == "label_replace":
            return self._relabelled()
        if token.text == "sum":
            return self._aggregate()
        if self._peek() == _Token("op", "(", self._peek().at):
            raise BadQuery(f'1:{token.at}: parse error: unknown function with name "{token.text}"')
        return self._selected(token.text)

    def _argument(self) -> float:
        self._expect("op", "(")
        value = self._or()
        self._expect("op", ")")
        if isinstance(value, dict):
            raise BadQuery(
                '1:1: parse error: expected type scalar in call to function "vector", got instant vector'
            )
        return value

    def _relabelled(self) -> Vector:
        self._expect("op", "(")
        value = self._or()
        label, text, source, pattern = (self._text_argument() for _ in range(4))
        self._expect("op", ")")
        if not isinstance(value, dict):
            raise BadQuery(
                "1:1: parse error: expected type instant vector in call to function "
                '"label_replace", got scalar'
            )
        if "$" in text:
            raise BadQuery("1:1: parse error: the practice world replaces no groups")
        matches = _matcher(source, "=~", pattern)
        relabelled: Vector = {}
        for labels, each in value.items():
            named = dict(labels)
            if matches(named):
                named = {**named, label: text}
            relabelled[tuple(sorted(pair for pair in named.items() if pair[1]))] = each
        if len(relabelled) != len(value):
            raise BadQuery("vector cannot contain metrics with the same labelset")
        return relabelled

    def _text_argument(self) -> str:
        self._expect("op", ",")
        return self._expect("text", None).text[1:-1]

    def _aggregate(self) -> Vector:
        kept: tuple[str, ...] = ()
        if self._accept("name", "by"):
            kept = self._label_list()
        self._expect("op", "(")
        value = self._or()
        self._expect("op", ")")
        if not isinstance(value, dict):
            raise BadQuery(
                "1:1: parse error: expected type instant vector in aggregation expression, got scalar"
            )
        sums: Vector = {}
        for labels, each in value.items():
            group = tuple((name, text) for name, text in labels if name in kept)
            sums[group] = sums.get(group, 0.0) + each
        return sums

    def _label_list(self) -> tuple[str, ...]:
        self._expect("op", "(")
        names = [self._expect("name", None).text]
        while self._accept("op", ","):
            names.append(self._expect("name", None).text)
        self._expect("op", ")")
        return tuple(names)

    def _selected(self, name: str) -> Vector:
        matchers = self._matchers() if self._accept("op", "{") else []
        selected: Vector = {}
        for (metric, labels), count in self._counters.items():
            if metric == name and all(matcher(dict(labels)) for matcher in matchers):
                selected[tuple(sorted((*labels, ("__name__", name))))] = float(count)
        return selected

    def _matchers(self) -> list[Callable[[Mapping[str, str]], bool]]:
        matchers = []
        while not self._accept("op", "}"):
            label = self._expect("name", None).text
            operator = self._next()
            if operator.text not in ("=", "!=", "=~", "!~"):
                raise _unexpected(operator)
            matchers.append(_matcher(label, operator.text, self._expect("text", None).text[1:-1]))
            if not self._accept("op", ",") and self._peek().text != "}":
                raise _unexpected(self._peek())
        return matchers

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _accept(self, kind: str, text: str) -> bool:
        if self._peek().kind == kind and self._peek().text == text:
            self._next()
            return True
        return False

    def _expect(self, kind: str, text: str | None) -> _Token:
        token = self._next()
        if token.kind != kind or (text is not None and token.text != text):
            raise _unexpected(token)
        return token


def _tokens(query: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(query):
        match = _TOKENS.match(query, at)
        if match is None:
            raise BadQuery(f"1:{at + 1}: parse error: unexpected character: {query[at]!r}")
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match[0], at + 1))
        at = match.end()
    return [*tokens, _Token("end", "", at + 1)]


def _unexpected(token: _Token) -> BadQuery:
    what = "end of input" if token.kind == "end" else repr(token.text)
    return BadQuery(
        f"1:{token.at}: parse error: unexpected {what}; the practice world knows only simple queries"
    )


def _matcher(label: str, operator: str, text: str) -> Callable[[Mapping[str, str]], bool]:
    if operator in ("=", "!="):
        return lambda labels: (labels.get(label, "") == text) == (operator == "=")
    try:
        pattern = re.compile(text)
    except re.error as problem:
        raise BadQuery(f"1:1: parse error: error parsing regexp: {problem}") from None
    return lambda labels: (pattern.fullmatch(labels.get(label, "")) is not None) == (operator == "=~")


def _nameless(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "__name__")


def _combined(left: Value, right: Value, operation: Callable[[float, float], float]) -> Value:
    if isinstance(left, dict) and isinstance(right, dict):
        others = {_nameless(labels): each for labels, each in right.items()}
        mine = {_nameless(labels): each for labels, each in left.items()}
        return {key: operation(each, others[key]) for key, each in mine.items() if key in others}
    if isinstance(left, dict):
        return {_nameless(key): operation(each, _scalar(right)) for key, each in left.items()}
    if isinstance(right, dict):
        return {_nameless(key): operation(left, each) for key, each in right.items()}
    return operation(left, right)


def _scalar(value: Value) -> float:
    assert not isinstance(value, dict)
    return value


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left)


def written(number: float) -> str:
    """A sample value as Prometheus writes it: shortest decimal text, `NaN`, `+Inf`, `-Inf`."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
