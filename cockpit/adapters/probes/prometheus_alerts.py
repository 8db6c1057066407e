"""Alerts of a Prometheus server as a probe: firing is DOWN, pending is DEGRADED, none is OK.

"No alert" counts only where a rule could have raised one. Without a rule that fits (VictoriaMetrics
answers with an empty success when no vmalert is there), with a rule that cannot be evaluated, was not
evaluated yet or not lately, or with a warning that a part of the store did not answer, a quiet page is
UNKNOWN. An alert that fires counts whatever else is wrong.

Protocol: `GET /api/v1/rules?type=alert`, which brings the rules with their alerts from one moment
(Prometheus, docs/querying/api.md; tried against Prometheus 2.42 and VictoriaMetrics 1.79).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Final, NoReturn

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.alertmanager import Label
from cockpit.adapters.aside import Aside
from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.signals.api import explain, open_api
from cockpit.adapters.signals.instant import read_envelope
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.core.clean import clean_text, finite_number, parse_instant
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, Health, ProbeValue

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web

_MAX_BODY: Final = 16_000_000
_STALE_INTERVALS: Final = 3.0
_STALE_S: Final = 60.0
_NAME_LIMIT: Final = 60
_SUMMARY_LIMIT: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusAlertsSettings(PrometheusSettings):
    """Alerts of a server that speaks the Prometheus HTTP API: firing is down, pending is degraded."""

    alerts: tuple[str, ...] = ()
    """Names of the alerting rules that count, each of which must exist; empty means every rule that fits."""
    labels: Mapping[Label, str] = field(default_factory=dict)
    """Only alerts with these labels count, such as { cutover = "abort" }."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alerting rule that could raise an alert of ours. trouble: why its silence means nothing."""

    name: str
    firing: tuple[str, ...]
    pending: tuple[str, ...]
    trouble: str


def build(
    settings: PrometheusAlertsSettings, web: Web, secret: Secrets, timeout_s: float
) -> PrometheusAlertsProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = open_api(settings, web, secret, timeout_s, max_body=_MAX_BODY)
    return PrometheusAlertsProbe(host, settings, timeout_s=timeout_s)


class PrometheusAlertsProbe:
    """Asks once per poll and keeps nothing between polls. The rules of a whole company are much to read, so
    they are read beside the loop."""

    def __init__(self, host: HttpHost, settings: PrometheusAlertsSettings, *, timeout_s: float) -> None:
        self._host = host
        self._timeout_s = timeout_s
        self._aside = Aside("reading of the rules")
        self._path = f"{settings.base_path}/api/v1/rules"
        self._wanted = settings.alerts
        self._labels = settings.labels

    async def probe(self) -> ProbeValue:
        # Newer servers leave out the rules that are not named; older ones answer with all of them.
        params = [("type", "alert"), *(("rule_name[]", name) for name in self._wanted)]
        answer = await once_more_after_reset(lambda: self._host.get(self._path, params=params, retry=False))
        if answer.status != 200:
            raise explain(answer)
        try:
            return await self._aside.run(lambda: self._look(answer), self._timeout_s)
        except TimeoutError:
            title = f"the rules could not be read within {self._timeout_s:g} s"
            raise BrokenAnswer(Failure(title=title, fault=Fault.COCKPIT)) from None

    async def aclose(self) -> None:
        await self._host.aclose()

    def _look(self, answer: Answer) -> ProbeValue:
        data, warning = read_envelope(answer.json())
        rules = tuple(self._rules(data, answer.server_time))
        health, detail = self._judge(rules, warning)
        return _value(health, detail, rules, answer)

    def _judge(self, rules: Sequence[Rule], warning: str) -> tuple[Health, str]:
        firing = [words for rule in rules for words in rule.firing]
        if firing:
            return Health.DOWN, _first(firing, "is firing")
        trouble = self._missing(rules) or next((rule.trouble for rule in rules if rule.trouble), "")
        if trouble or warning:
            return Health.UNKNOWN, trouble or clean_text(f"the source warns: {warning}", limit=_SUMMARY_LIMIT)
        pending = [words for rule in rules for words in rule.pending]
        if pending:
            return Health.DEGRADED, _first(pending, "is pending")
        return Health.OK, f"no alert; {len(rules)} rule{'s' if len(rules) > 1 else ''} could raise one"

    def _missing(self, rules: Sequence[Rule]) -> str:
        names = {rule.name for rule in rules}
        absent = [name for name in self._wanted if clean_text(name, limit=_NAME_LIMIT) not in names]
        if absent:
            return (
                f"there is no alerting rule {clean_text(absent[0], limit=_NAME_LIMIT)}: silence means nothing"
            )
        return "" if rules else "no alerting rule could raise such an alert: silence means nothing"

    def _rules(self, data: Mapping[str, object], now: datetime | None) -> Iterator[Rule]:
        for group in _objects(data.get("groups"), "groups"):
            for rule in _objects(group.get("rules"), "rules"):
                if rule.get("type") != "alerting" or (self._wanted and rule.get("name") not in self._wanted):
                    continue
                read = self._read(rule, group, now)
                if read.firing or read.pending or self._fits(rule):
                    yield read

    def _fits(self, rule: Mapping[str, object]) -> bool:
        """Whether none of its own labels contradicts ours. What a template will say, nobody knows before."""
        own = _labels(rule)
        return all(
            own.get(label, value) == value or "{{" in str(own.get(label))
            for label, value in self._labels.items()
        )

    def _read(self, rule: Mapping[str, object], group: Mapping[str, object], now: datetime | None) -> Rule:
        name = clean_text(rule.get("name") or "without a name", limit=_NAME_LIMIT)
        by_state: dict[object, list[str]] = {"firing": [], "pending": [], "inactive": []}
        for alert in _objects(rule.get("alerts"), "alerts"):
            labels = _labels(alert)
            if all(labels.get(label) == value for label, value in self._labels.items()):
                if alert.get("state") not in by_state:
                    _broken("an alert in no known state")
                by_state[alert.get("state")].append(_words(name, alert))
        return Rule(
            name=name,
            firing=tuple(by_state["firing"]),
            pending=tuple(by_state["pending"]),
            trouble=_trouble(name, rule, group, now),
        )


def _trouble(name: str, rule: Mapping[str, object], group: Mapping[str, object], now: datetime | None) -> str:
    """Why the silence of a rule means nothing; empty while it is evaluated as it should be."""
    health = rule.get("health")
    if health == "err":
        why = clean_text(rule.get("lastError") or "no reason given", limit=_SUMMARY_LIMIT)
        return f"rule {name} cannot be evaluated: {why}"
    if health != "ok":
        return f"rule {name} was not evaluated yet"
    old_s = _age_s(rule.get("lastEvaluation"), now)
    try:
        interval_s = finite_number(group.get("interval") or 0)
    except ValueError:
        _broken("an interval is no number")
    if old_s is not None and old_s > max(_STALE_S, _STALE_INTERVALS * interval_s):
        return f"rule {name} was evaluated {old_s:.0f} s ago and not since"
    return ""


def _age_s(raw: object, now: datetime | None) -> float | None:
    """Seconds since then by the server's own clock, which writes nanoseconds; None when it cannot be told."""
    if now is None or not isinstance(raw, str):
        return None
    head, dot, rest = raw[:40].partition(".")
    zone = rest.lstrip("0123456789")
    try:
        return (now - parse_instant(head + zone if dot else raw)).total_seconds()
    except ValueError:
        return None


def _value(health: Health, detail: str, rules: Sequence[Rule], answer: Answer) -> ProbeValue:
    counts = {
        "firing": sum(len(rule.firing) for rule in rules),
        "pending": sum(len(rule.pending) for rule in rules),
        "rules": len(rules),
    }
    return ProbeValue(
        health=health,
        detail=detail,
        latency_ms=answer.took_s * 1000,
        facts=tuple((name, str(count)) for name, count in counts.items()),
        server_time=answer.server_time,
    )


def _words(name: str, alert: Mapping[str, object]) -> str:
    annotations = alert.get("annotations")
    summary = annotations.get("summary") if isinstance(annotations, dict) else None
    return f"{name}\n{clean_text(summary, limit=_SUMMARY_LIMIT) if isinstance(summary, str) else ''}"


def _first(alerts: Sequence[str], state: str) -> str:
    name, _, summary = alerts[0].partition("\n")
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    return f"{name} {state}{more}{': ' if summary else ''}{summary}"


def _labels(owner: Mapping[str, object]) -> Mapping[str, object]:
    labels = owner.get("labels")
    return labels if isinstance(labels, dict) else {}


def _objects(raw: object, what: str) -> Iterator[Mapping[str, object]]:
    """The objects of a list. An absent list is empty: servers leave out what they have none of."""
    if raw is None:
        return
    if not isinstance(raw, list):
        _broken(f"{what} are no list")
    for each in raw:
        if not isinstance(each, dict):
            _broken(f"{what} are not objects")
        yield each


def _broken(why: str) -> NoReturn:
    raise BrokenAnswer(Failure(title="not an answer of the Prometheus API", detail=why))
