"""What a plan asks of its sources: where what is sensed comes from, in which words, what answers mean."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from cockpit.adapters.base import AdapterError
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Quality, Sample, Side
from cockpit.core.spec import DrainSpec, Plan, ReadySpec, SignalSpec

Answers = Mapping[str, Sample | AdapterError]
Origins = Mapping[tuple[str, Hashable], object]


def origins(plan: Plan) -> Origins:
    """Where everything that is sensed comes from: service or monitor, and what is asked of it."""
    services = {each.name: (each.kind, each.settings) for each in plan.flag_services}
    monitors = {each.name: (each.kind, each.settings) for each in plan.monitors}
    probes = [probe for backend in plan.backends for probe in backend.probes]
    traffic = [(flag.key, flag.traffic) for flag in plan.flags if flag.traffic is not None]
    return {
        **{("flag", flag.key): services[flag.service] for flag in plan.flags},
        **{
            ("second", flag.key): (services[flag.second.service], flag.second.key)
            for flag in plan.flags
            if flag.second is not None and flag.second.service
        },
        **{("share", key): (monitors[query.monitor], query) for key, query in traffic},
        **{("probe", (probe.side, probe.name)): (probe.kind, probe.settings) for probe in probes},
        **{
            ("signal", signal.name): (
                *(monitors[signal.monitor_of(side)] for side in Side),
                *signal_expressions(signal),
            )
            for signal in plan.signals
        },
        **{
            ("counter", counter.name): (monitors[counter.monitor], counter.query)
            for counter in plan.rollback.write_counters
        },
        **{
            ("figure", figure.name): (monitors[figure.monitor], figure.query)
            for figure in plan.rollback.ready
        },
        **{("gauge", gauge.name): (monitors[gauge.monitor], gauge.query) for gauge in plan.rollback.drain},
    }


def expressions(plan: Plan, monitor: str) -> tuple[str, ...]:
    """Everything this plan asks of one monitoring source, each expression once, in a fixed order."""
    wanted: dict[str, None] = {}
    for signal in plan.signals:
        for side in signal.sides_of(monitor):
            wanted.update(dict.fromkeys(side_expressions(signal, side)))
    for flag in plan.flags:
        if flag.traffic is not None and flag.traffic.monitor == monitor:
            wanted.update(dict.fromkeys((flag.traffic.legacy, flag.traffic.new)))
    for counter in plan.rollback.write_counters:
        if counter.monitor == monitor:
            wanted[counter.query] = None
    figures: tuple[ReadySpec | DrainSpec, ...] = (*plan.rollback.ready, *plan.rollback.drain)
    for figure in figures:
        if figure.monitor == monitor:
            wanted[figure.query] = None
    return tuple(wanted)


def signal_expressions(signal: SignalSpec) -> tuple[str, str, str, str]:
    return (signal.legacy.bad, signal.legacy.total, signal.new.bad, signal.new.total)


def side_expressions(signal: SignalSpec, side: Side) -> tuple[str, str]:
    pair = signal.pair(side)
    return (pair.bad, pair.total)


def unanswered() -> AdapterError:
    return AdapterError(Failure(title="the service said nothing about this flag"))


def sample(answer: Sample | AdapterError | None) -> Sample | None:
    return answer if isinstance(answer, Sample) else None


def query_failure(answers: Answers, wanted: Sequence[str]) -> Failure | None:
    """The first thing that is wrong with these expressions; None when all are good numbers."""
    for expression in wanted:
        answer = answers.get(expression)
        if isinstance(answer, AdapterError):
            return answer.failure
        if answer is None:
            return Failure(title="the source said nothing about an expression")
        if answer.quality is not Quality.GOOD:
            title = f"{answer.quality.value.replace('_', ' ')}: {answer.note or expression}"
            return Failure(title=clean_text(title, limit=120))
    return None
