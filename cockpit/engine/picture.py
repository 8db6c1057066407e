"""The snapshot: what the journal knows and what the senses perceive, put into one value. Pure of effects.

`Frame` bundles everything a picture is made of. Nothing here asks, writes or waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime

from cockpit.core import levers
from cockpit.core.agreement import agreement
from cockpit.core.checklist import item_status
from cockpit.core.commands import CommandStatus
from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length
from cockpit.core.flight import FlagFlight, Flight
from cockpit.core.holds import watch_until
from cockpit.core.model import Reading, Side, WriteOutcome
from cockpit.core.rollback import Flip
from cockpit.core.rollout import FlagFacts, Situation, gates, stage_index
from cockpit.core.seat_status import SeatStatus
from cockpit.core.snapshot import (
    Agreement,
    BackendStatus,
    FlagStatus,
    HostStatus,
    JournalHealth,
    ParityStatus,
    PlanChange,
    ProbeStatus,
    Reason,
    SecondLeverStatus,
    Share,
    SignalStatus,
    Snapshot,
    WayBackLine,
)
from cockpit.core.spec import FlagSpec, Plan, ProbeSpec, SecondLever
from cockpit.core.way_back import LeverFact, WayBackFacts, way_back
from cockpit.engine.effects import Effects
from cockpit.engine.facts import effective_health, flag_fact, legacy_fact, worst_health
from cockpit.engine.gauge_senses import drawn
from cockpit.engine.identity import Identity
from cockpit.engine.logbook import Logbook
from cockpit.engine.reasons import reasons, worst_level
from cockpit.engine.senses import Senses
from cockpit.engine.tail import tail

Agreements = Mapping[str, tuple[Agreement, datetime | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What one picture is made of; agreements are kept by the pilot so that a difference keeps its age."""

    identity: Identity
    plan: Plan
    flight: Flight
    senses: Senses
    effects: Effects
    logbook: Logbook
    agreements: Agreements
    seat: SeatStatus
    now: datetime
    troubles: tuple[Reason, ...] = ()
    last_drill_at: datetime | None = None
    flips: Mapping[str, Flip] = field(init=False, repr=False)
    """Of the open rollback, by flag."""

    def __post_init__(self) -> None:
        rollback = self.flight.rollback
        flips = rollback.flips if rollback is not None else ()
        object.__setattr__(self, "flips", {flip.flag: flip for flip in flips})


def signal_statuses(senses: Senses, now: datetime) -> tuple[SignalStatus, ...]:
    return tuple(senses.signals.status(spec, now) for spec in senses.plan.signals)


def parity_statuses(senses: Senses) -> tuple[ParityStatus, ...]:
    return tuple(
        ParityStatus(
            name=spec.name,
            title=spec.title,
            question=spec.question,
            legacy_store=spec.legacy.store,
            new_store=spec.new.store,
            required=spec.required,
            reading=senses.parity.readings[spec.name],
        )
        for spec in senses.plan.parity
    )


def agree(senses: Senses, flight: Flight, before: Agreements, now: datetime) -> Agreements:
    """Asked, configured and observed of every flag, each difference with its age."""
    out: dict[str, tuple[Agreement, datetime | None]] = {}
    for spec in senses.plan.flags:
        flag = flight.flag(spec.key)
        out[spec.key] = agreement(
            asked=flag.asked,
            configured=senses.flags[spec.key].reading,
            observed=_observed(senses, spec.key),
            spec=spec,
            changed_at=flag.asked_at,
            differs_since=before.get(spec.key, (Agreement.UNKNOWN, None))[1],
            now=now,
        )
    return out


def draw(
    frame: Frame,
    *,
    seq: int,
    started_at: datetime,
    commands: Sequence[CommandStatus],
    host: HostStatus | None,
    plan_change: PlanChange | None,
    hint: str,
) -> Snapshot:
    """The picture of this moment."""
    plan, flight, identity, now = frame.plan, frame.flight, frame.identity, frame.now
    request = flight.request
    signals = signal_statuses(frame.senses, now)
    backends = tuple(_backend(frame, side) for side in Side)
    situation = _situation(frame, backends, signals)
    flags = tuple(_flag(frame, situation, spec) for spec in plan.flags)
    why = reasons(
        flags=flags,
        backends=backends,
        signals=signals,
        parity=situation.parity,
        way_back=situation.way_back,
        flight=flight,
        journal=_journal(frame),
        host=host,
        plan_change=plan_change,
        seat=frame.seat,
        troubles=frame.troubles,
        now=now,
    )
    return Snapshot(
        seq=seq,
        engine_at=now,
        started_at=started_at,
        mode=identity.mode,
        read_only=identity.read_only,
        operator=identity.operator,
        host=identity.host,
        plan_title=plan.title,
        environment=plan.environment,
        plan_digest=plan.digest,
        plan_source=plan.source,
        budget_s=plan.rollback.budget_s,
        escalate_after_s=plan.rollback.escalate_after_s,
        drain_below_pct=plan.rollback.drain_below_pct,
        no_return_at=plan.rollback.point_of_no_return_at,
        flags=flags,
        backends=backends,
        signals=signals,
        reasons=why,
        level=worst_level(why),
        first_breach_at=_first_breach(flight),
        proposal=flight.proposal,
        rollback=flight.rollback,
        rollbacks_closed=len(flight.closed),
        last_closed=flight.last_closed,
        journal=_journal(frame),
        tail=tail(frame.logbook),
        commands=tuple(commands),
        host_status=host,
        plan_change=plan_change,
        hint=hint,
        parity=situation.parity,
        seat=frame.seat,
        checklist=situation.checklist,
        way_back=situation.way_back,
        phases=plan.phases,
        gauges=drawn(frame.senses.gauges, plan),
        request=None if request is None or now >= request.lapses_at else request,
    )


def flag_status(frame: Frame, key: str) -> FlagStatus:
    """One flag with its gates, as of the frame's moment."""
    signals = signal_statuses(frame.senses, frame.now)
    backends = tuple(_backend(frame, side) for side in Side)
    return _flag(frame, _situation(frame, backends, signals), frame.plan.flag(key))


def _first_breach(flight: Flight) -> datetime | None:
    if flight.rollback is not None:
        return flight.rollback.first_breach_at
    return flight.first_breach_at


def _observed(senses: Senses, key: str) -> Reading[Share]:
    share = senses.shares.get(key)
    return share.reading if share is not None else Reading()


def _situation(
    frame: Frame, backends: tuple[BackendStatus, ...], signals: tuple[SignalStatus, ...]
) -> Situation:
    plan, flight = frame.plan, frame.flight
    return Situation(
        now=frame.now,
        plan=plan,
        flags=tuple(_facts(frame, spec) for spec in plan.flags),
        probes=tuple(probe for backend in backends for probe in backend.probes),
        signals=signals,
        parity=parity_statuses(frame.senses),
        way_back=_way_back(frame),
        checklist=tuple(
            item_status(spec, flight.signatures.get(spec.name), frame.now, environment=plan.environment)
            for spec in plan.checklist
        ),
        journal_ok=_journal(frame).ok,
        rollback_open=flight.rollback is not None,
        watch_until=watch_until(flight, plan.rollback.watch_window_s),
        request=flight.request,
    )


def _way_back(frame: Frame) -> tuple[WayBackLine, ...]:
    plan, senses, now = frame.plan, frame.senses, frame.now
    legacy = legacy_fact(senses, now)
    facts = WayBackFacts(
        now=now,
        legacy=legacy.health,
        legacy_text=legacy.text,
        levers=tuple(_lever(frame, spec) for spec in plan.flags),
        figures=tuple((spec, senses.figures[spec.name]) for spec in plan.rollback.ready),
        last_drill_at=frame.last_drill_at,
        drives=frame.seat.drives,
    )
    return way_back(plan, facts)


def _lever(frame: Frame, spec: FlagSpec) -> LeverFact:
    reading, second = frame.senses.flags[spec.key].reading, spec.second
    by_hand = second is None or not second.service
    sense = frame.senses.seconds.get(spec.key)
    words = "" if second is None else f"{second.service or 'by hand'}, {length(second.takes_s)}"
    return LeverFact(
        flag=spec.key,
        readable=reading.fresh_value(frame.now) is not None,
        writable=spec.service in frame.effects.writable,
        trouble=reading.failure.title if reading.failure is not None else "no fresh answer",
        second=words,
        second_readable=None
        if by_hand
        else sense is not None and sense.reading.fresh_value(frame.now) is not None,
        second_writable=None if second is None or by_hand else second.service in frame.effects.writable,
        falls_with_new=frame.plan.falls_with_new(spec),
    )


def _facts(frame: Frame, spec: FlagSpec) -> FlagFacts:
    flag = frame.flight.flag(spec.key)
    fit, since = frame.agreements.get(spec.key, (Agreement.UNKNOWN, None))
    return FlagFacts(
        spec=spec,
        asked=flag.asked,
        configured=frame.senses.flags[spec.key].reading,
        observed=_observed(frame.senses, spec.key),
        agreement=fit,
        differs_since=since,
        stage_since=flag.stage_since,
        wall_ahead_s=flag.wall_ahead_s,
        held_by=flag.held_by,
        held_reason=flag.held_reason,
        foreign=flag.foreign,
        overrides=flag.overrides,
        writing=flag.pending is not None,
        writable=frame.seat.drives and spec.service in frame.effects.writable,
        drives=frame.seat.drives,
    )


def _flag(frame: Frame, situation: Situation, spec: FlagSpec) -> FlagStatus:
    facts = situation.flag(spec.key)
    if facts is None:
        raise KeyError(spec.key)
    value = facts.configured.value
    reached = facts.asked if facts.asked is not None else value.exposure if value is not None else None
    writing, words = _writing(frame.flight.flag(spec.key))
    checks = gates(situation, spec.key)
    return FlagStatus(
        key=spec.key,
        title=spec.title,
        service=spec.service,
        stages=spec.stages,
        depends_on=spec.depends_on,
        propagation_s=spec.propagation_s,
        asked=facts.asked,
        configured=facts.configured,
        observed=facts.observed,
        observable=spec.traffic is not None,
        stage=stage_index(spec, reached) if reached is not None else None,
        stage_since=facts.stage_since,
        hold_until=facts.hold_until(reached),
        held_by=facts.held_by,
        held_reason=facts.held_reason,
        agreement=facts.agreement,
        differs_since=facts.differs_since,
        foreign=facts.foreign,
        gates=checks,
        writing=writing,
        writing_text=words,
        writable=facts.writable,
        falls_with_new=frame.plan.falls_with_new(spec),
        in_pages=frame.plan.in_pages(spec),
        second=None if spec.second is None else _second(frame, spec.key, spec.second),
        barred=_barred(frame, spec),
    )


def _barred(frame: Frame, spec: FlagSpec) -> str:
    flip, writable = frame.flips.get(spec.key), spec.service in frame.effects.writable
    if flip is None:
        return ""
    seat, session = frame.flight.seat, frame.identity.session
    return levers.first_barred(flip, spec.service, seat, session, writable=writable)


def _second(frame: Frame, key: str, lever: SecondLever) -> SecondLeverStatus:
    """A lever that this process or the driver could not write is not offered, and says why."""
    sense = frame.senses.seconds.get(key)
    rollback, offered, barred = frame.flight.rollback, "", ""
    flip = frame.flips.get(key)
    if rollback is not None and flip is not None:
        fact = flag_fact(frame.senses, frame.effects, frame.flight, key)
        offered = levers.offer(rollback, flip, fact, frame.now)
    if lever.service:
        writable, pulled = lever.service in frame.effects.writable, flip.second if flip is not None else None
        seat, session = frame.flight.seat, frame.identity.session
        barred = levers.barred(pulled, lever.service, seat, session, writable=writable)
    return SecondLeverStatus(
        service=lever.service,
        key=lever.key,
        manual=lever.manual,
        takes_s=lever.takes_s,
        reading=sense.reading if sense is not None else Reading(),
        offer="" if barred else offered,
        barred=barred,
    )


def _writing(flag: FlagFlight) -> tuple[WriteOutcome | None, str]:
    """What is going on with this flag's last write; outcome None while nothing is known or wrong."""
    pending = flag.pending
    if pending is None:
        return (WriteOutcome.REFUSED, flag.trouble) if flag.trouble else (None, "")
    if pending.unknown:
        return WriteOutcome.UNKNOWN, f"outcome unknown ({pending.detail}); reading back"
    if pending.answered:
        return WriteOutcome.DONE, "accepted, reading back"
    return None, "writing"


def _backend(frame: Frame, side: Side) -> BackendStatus:
    spec = next(backend for backend in frame.plan.backends if backend.side is side)
    required = [
        effective_health(frame.senses.probes[side, probe.name], frame.now)
        for probe in spec.probes
        if probe.required
    ]
    return BackendStatus(
        side=side,
        title=spec.title,
        health=worst_health(required),
        probes=tuple(_probe(frame.senses, probe) for probe in spec.probes),
        nature=spec.nature,
    )


def _probe(senses: Senses, spec: ProbeSpec) -> ProbeStatus:
    sense = senses.probes[spec.side, spec.name]
    if sense.drawn is None or sense.drawn.reading is not sense.reading:
        sense.drawn = ProbeStatus(
            name=spec.name,
            kind=spec.kind,
            side=spec.side,
            required=spec.required,
            reading=sense.reading,
            history=tuple(sense.history),
            passes=len(sense.good),
        )
    return sense.drawn


def _journal(frame: Frame) -> JournalHealth:
    logbook = frame.logbook
    failure, unsaved = logbook.failure, len(logbook.unsaved)
    detail = "" if failure is None else f"{failure.title}: {failure.detail}".rstrip(": ")
    if unsaved:
        detail = f"{unsaved} events only in memory; {detail}"
    return JournalHealth(
        ok=failure is None and not unsaved,
        path=logbook.path,
        last_seq=frame.flight.last_seq,
        detail=detail,
    )
