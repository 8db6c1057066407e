"""Counters straight from an exporter's page of metrics, without a Prometheus server in between.

The Prometheus text format 0.0.4, or OpenMetrics where that is what the exporter has. All expressions of a
poll are read from one page. A reset of the counters (the exporter restarted) shows as a fall, and whoever
counts deals with it. One page is one process: behind a load balancer each poll would ask another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.signals.exposition import (
    Selector,
    UnreadableExpression,
    UnreadablePage,
    evaluate,
    names,
    read_expression,
    read_page,
)
from cockpit.adapters.signals.page import Outcome, PageMonitor, open_page, refused
from cockpit.adapters.signals.settings import PageSettings
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, Web

_OPEN_METRICS: Final = "application/openmetrics-text"
_ACCEPT: Final = f"text/plain;version=0.0.4, {_OPEN_METRICS};version=1.0.0;q=0.7, */*;q=0.1"
_KNOWN: Final = frozenset({"text/plain", _OPEN_METRICS, ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class PromTextSettings(PageSettings):
    """An exporter's page of metrics, in the Prometheus text format or in OpenMetrics."""


def build(settings: PromTextSettings, web: Web, secret: Secrets, timeout_s: float) -> PageMonitor:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    return open_page(settings, web, secret, timeout_s, accept=_ACCEPT, read=read)


def read(answer: Answer, expressions: Sequence[str]) -> Mapping[str, Outcome]:
    """An outcome per expression. Raises BrokenAnswer for what is no whole page of metrics."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _KNOWN:
        raise _broken(answer, f"{clean_text(kind, limit=60)} instead of metrics (proxy or login page?)")
    wanted: dict[str, tuple[Selector, ...] | AdapterError] = {}
    for expression in expressions:
        try:
            wanted[expression] = read_expression(expression)
        except UnreadableExpression as error:
            wanted[expression] = refused(expression, str(error))
    metrics = frozenset(
        name for each in wanted.values() if not isinstance(each, AdapterError) for name in names(each)
    )
    try:
        text = answer.body.decode("utf-8")
        points = read_page(text, metrics, open_metrics=kind == _OPEN_METRICS)
    except UnicodeDecodeError:
        raise _broken(answer, "not valid UTF-8") from None
    except UnreadablePage as error:
        raise _broken(answer, str(error)) from None
    return {
        expression: each if isinstance(each, AdapterError) else evaluate(each, points, answer.server_time)
        for expression, each in wanted.items()
    }


def _broken(answer: Answer, why: str) -> BrokenAnswer:
    return BrokenAnswer(
        Failure(title=f"no page of metrics: {why}", detail=answer.asked), status=answer.status
    )
