"""From the tables of the file to the core's values. Everything was checked before; nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.core.parity_spec import StoreSpec
from cockpit.core.spec import (
    AnnounceSpec,
    BackendSpec,
    DrainSpec,
    FlagSpec,
    HardLimit,
    JudgeSpec,
    PairQuery,
    Plan,
    ProbeSpec,
    ReadySpec,
    RollbackSpec,
    SecondLever,
    ServiceSpec,
    SignalSpec,
    Stage,
    TrafficQuery,
    WriteCounter,
)
from cockpit.core.tables import Written
from cockpit.plan import fields
from cockpit.plan.checklist import item_specs
from cockpit.plan.locate import TomlPath
from cockpit.plan.parity import parity_specs
from cockpit.plan.steps import rollback_steps

_ESCALATE_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """One document and the adapters' settings by the path of their table."""

    document: fields.Document
    settings: Mapping[TomlPath, Written]

    def plan(self, *, digest: str, source: str) -> Plan:
        written = self.document
        return Plan(
            title=written.title,
            environment=written.environment,
            flag_services=self._services("flag_service", written.flag_service, written.poll.flags),
            monitors=self._services("monitor", written.monitor, written.poll.signals),
            backends=(
                self._backend(Side.LEGACY, written.backend.legacy),
                self._backend(Side.NEW, written.backend.new),
            ),
            flags=tuple(_flag(flag) for flag in written.flag),
            signals=tuple(_signal(signal) for signal in written.signal),
            rollback=_rollback(written.rollback, written.flag),
            judge=_judge(written.judge),
            announce=self._announce(),
            approvals=written.approvals,
            stores=tuple(
                StoreSpec(name=name, kind=store.kind, settings=self.settings[("store", name)])
                for name, store in written.store.items()
            ),
            parity=parity_specs(written.parity),
            checklist=item_specs(written.check),
            phases=written.phases,
            digest=digest,
            source=source,
        )

    def _services(
        self, section: str, sources: Mapping[str, fields.Source], interval_s: float
    ) -> tuple[ServiceSpec, ...]:
        return tuple(
            ServiceSpec(
                name=name,
                kind=source.kind,
                settings=self.settings[(section, name)],
                interval_s=_interval_s(source, interval_s),
                timeout_s=_timeout_s(source, interval_s),
                in_new=bool(getattr(self.settings[(section, name)], "in_new", False)),
                in_pages=bool(getattr(self.settings[(section, name)], "in_pages", False)),
            )
            for name, source in sources.items()
        )

    def _backend(self, side: Side, backend: fields.Backend) -> BackendSpec:
        interval_s = self.document.poll.probes
        probes = tuple(
            ProbeSpec(
                name=probe.name,
                kind=probe.kind,
                side=side,
                settings=self.settings[("backend", side.value, "probe", place)],
                interval_s=_interval_s(probe, interval_s),
                timeout_s=_timeout_s(probe, interval_s),
                required=probe.required,
                passes=probe.passes,
            )
            for place, probe in enumerate(backend.probe)
        )
        return BackendSpec(side=side, title=backend.title, probes=probes, nature=backend.nature)

    def _announce(self) -> tuple[AnnounceSpec, ...]:
        return tuple(
            AnnounceSpec(
                name=hook.name,
                kind=hook.kind,
                settings=self.settings[("announce", place)],
                moments=tuple(dict.fromkeys(hook.on)),
                timeout_s=hook.timeout,
            )
            for place, hook in enumerate(self.document.announce)
        )


def _interval_s(source: fields.Source | fields.Probe, default_s: float) -> float:
    return default_s if source.interval is None else source.interval


def _timeout_s(source: fields.Source | fields.Probe, default_interval_s: float) -> float:
    if source.timeout is not None:
        return source.timeout
    return fields.default_timeout_s(_interval_s(source, default_interval_s))


def _flag(flag: fields.Flag) -> FlagSpec:
    traffic = flag.traffic
    return FlagSpec(
        key=flag.key,
        title=flag.title,
        service=flag.service,
        stages=tuple(
            Stage(percent=stage.percent, cohort=stage.cohort, hold_s=stage.hold) for stage in flag.stages
        ),
        depends_on=tuple(dict.fromkeys(flag.depends_on)),
        propagation_s=flag.propagation,
        traffic=None if traffic is None else _traffic(traffic),
        tolerance_pct=flag.tolerance_pct,
        note=flag.note,
        second=None if flag.second is None else _second(flag.second, flag.key),
    )


def _second(second: fields.Second, key: str) -> SecondLever:
    service = second.service or ""
    return SecondLever(
        takes_s=second.takes,
        service=service,
        key=(second.key or key) if service else "",
        manual=second.manual or "",
    )


def _signal(signal: fields.Signal) -> SignalSpec:
    limit = signal.limit
    return SignalSpec(
        name=signal.name,
        title=signal.title,
        monitor=signal.monitor or "",
        legacy=_pair(signal.legacy),
        new=_pair(signal.new),
        margin=signal.margin,
        negligible_pct=signal.negligible_pct,
        limit=None if limit is None else _limit(limit),
        proposes_rollback=signal.proposes_rollback,
        required=signal.required,
    )


def _pair(pair: fields.Pair) -> PairQuery:
    return PairQuery(bad=pair.bad, total=pair.total, monitor=pair.monitor or "")


def _traffic(traffic: fields.Traffic) -> TrafficQuery:
    return TrafficQuery(monitor=traffic.monitor, legacy=traffic.legacy, new=traffic.new)


def _limit(limit: fields.Limit) -> HardLimit:
    return HardLimit(
        max_pct=limit.max_pct,
        breaches=limit.breaches,
        window=limit.window,
        min_total=limit.min_total,
    )


def _judge(judge: fields.Judge) -> JudgeSpec:
    return JudgeSpec(
        alpha=judge.alpha,
        warn_alpha=judge.warn_alpha,
        min_total=judge.min_total,
        warmup_s=judge.warmup,
    )


def _rollback(rollback: fields.Rollback, flags: Sequence[fields.Flag]) -> RollbackSpec:
    escalate_s = rollback.escalate_after
    return RollbackSpec(
        budget_s=rollback.budget,
        escalate_after_s=_ESCALATE_SHARE * rollback.budget if escalate_s is None else escalate_s,
        side_limit_s=rollback.side_limit,
        drain_below_pct=rollback.drain_below_pct,
        drain_polls=rollback.drain_polls,
        steps=rollback_steps(rollback.step, rollback.budget),
        write_counters=tuple(
            WriteCounter(name=counter.name, monitor=counter.monitor, query=counter.query)
            for counter in rollback.write_counter
        ),
        point_of_no_return_at=rollback.point_of_no_return,
        watch_window_s=rollback.watch_window,
        auto=rollback.auto_rollback,
        veto_s=rollback.veto_time,
        ready=tuple(
            ReadySpec(
                name=figure.name,
                title=figure.title,
                monitor=figure.monitor,
                query=figure.query,
                at_most=figure.at_most,
                unit=figure.unit,
            )
            for figure in rollback.ready
        ),
        drain=(*(_gauge(gauge) for gauge in rollback.drain), *_old_bundles(flags)),
        drill_within_s=rollback.drill_within,
    )


def _gauge(gauge: fields.Drain) -> DrainSpec:
    return DrainSpec(
        name=gauge.name,
        side=gauge.side,
        monitor=gauge.monitor,
        query=gauge.query,
        below=gauge.below,
        owner=gauge.owner or "",
    )


def _old_bundles(flags: Sequence[fields.Flag]) -> Iterator[DrainSpec]:
    """Pages that have to be reloaded are what is left of a flag besides its traffic. No name that a plan may
    give holds brackets.
    """
    for flag in flags:
        pages = flag.old_bundle
        if pages is not None:
            yield DrainSpec(
                name=f"{flag.key} (old pages)",
                side=Side.NEW,
                monitor=pages.monitor,
                query=pages.query,
                below=pages.below,
                owner=pages.owner or "",
                flag=flag.key,
            )
