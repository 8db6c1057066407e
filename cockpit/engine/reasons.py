"""The reason lines: everything that is wrong or cannot be seen, worst first, in one sentence each.

What is broken comes before what cannot be seen, and that before warnings and notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from cockpit.core.clean import ZERO
from cockpit.core.flight import Flight
from cockpit.core.model import Freshness, Health, ProbeValue, Reading, Verdict
from cockpit.core.parity import Match
from cockpit.core.seat_status import SeatStatus
from cockpit.core.snapshot import (
    Agreement,
    BackendStatus,
    FlagStatus,
    HostStatus,
    JournalHealth,
    Level,
    ParityStatus,
    PlanChange,
    ProbeStatus,
    Reason,
    SignalStatus,
    WayBackLine,
)

_ORDER: Final = (Level.BAD, Level.UNKNOWN, Level.WARN, Level.NOTE)
SKEW_LIMIT_S: Final = 2.0
JUMP_SHOWN_S: Final = 600.0


def reasons(
    *,
    flags: tuple[FlagStatus, ...],
    backends: tuple[BackendStatus, ...],
    signals: tuple[SignalStatus, ...],
    parity: tuple[ParityStatus, ...],
    way_back: tuple[WayBackLine, ...],
    flight: Flight,
    journal: JournalHealth,
    host: HostStatus | None,
    plan_change: PlanChange | None,
    seat: SeatStatus,
    troubles: tuple[Reason, ...],
    now: datetime,
) -> tuple[Reason, ...]:
    found = [
        *troubles,
        *_workflow(flight, journal),
        *(reason for signal in signals for reason in _signal(signal, flight, now)),
        *(reason for flag in flags for reason in _flag(flag, now)),
        *(reason for backend in backends for reason in _probes(backend, now)),
        *(reason for check in parity for reason in _parity(check, now)),
        *_way_back(way_back),
        *_clock(flight, now),
        *_seat(seat),
        *_request(flight, now),
        *_surroundings(host, plan_change),
    ]
    return tuple(sorted(found, key=lambda reason: _ORDER.index(reason.level)))


def worst_level(found: tuple[Reason, ...]) -> Level:
    """The level of the first reason; OK without any. Notes alone are OK."""
    level = found[0].level if found else Level.OK
    return Level.OK if level is Level.NOTE else level


def _workflow(flight: Flight, journal: JournalHealth) -> Iterator[Reason]:
    rollback, proposal = flight.rollback, flight.proposal
    if not journal.ok:
        yield Reason(level=Level.BAD, subject="journal", what="cannot be written", value=journal.detail)
    if rollback is not None:
        what = rollback.reason or "reason not given yet"
        yield Reason(level=Level.BAD, subject="rollback open", what=what, since=rollback.declared_at)
    if proposal is not None:
        vetoed = f" (vetoed by {proposal.vetoed_by}: {proposal.veto_reason})" if proposal.vetoed_by else ""
        yield Reason(
            level=Level.BAD,
            subject="rollback proposed",
            what=f"{proposal.text}{vetoed}",
            since=proposal.since,
        )


def _clock(flight: Flight, now: datetime) -> Iterator[Reason]:
    """A jump stays on the screen while it could still mislead somebody."""
    if flight.clock_jump is None:
        return
    at, by_s = flight.clock_jump
    if flight.rollback is not None or abs((now - at).total_seconds()) < JUMP_SHOWN_S:
        what = "this host's clock jumped: times before and after do not fit together"
        yield Reason(level=Level.WARN, subject="clock", what=what, value=f"{by_s:+.0f} s", since=at)


def _signal(signal: SignalStatus, flight: Flight, now: datetime) -> Iterator[Reason]:
    """What the open proposal says already is not said twice, nor a number that stands in the words."""
    proposed = flight.proposal is not None and flight.proposal.signal == signal.name
    evidence = signal.evidence
    if signal.limit_breached and not proposed:
        what, since = signal.limit_text, signal.limit_since
        yield Reason(level=Level.BAD, subject=signal.title, what=what, since=since)
    if evidence.verdict is Verdict.REGRESSED and not proposed:
        what = f"REGRESSED: {evidence.text}"
        yield Reason(level=Level.BAD, subject=signal.title, what=what, since=evidence.since)
    elif evidence.warning and not proposed:
        yield Reason(level=Level.WARN, subject=signal.title, what=evidence.text)
    if signal.reading.freshness(now) is not Freshness.FRESH:
        what = f"cannot be seen: {_why_unseen(signal.reading)}"
        since = signal.reading.failing_since
        yield Reason(level=Level.UNKNOWN, subject=signal.title, what=what, since=since)
    elif evidence.verdict is Verdict.UNKNOWN:
        level = Level.UNKNOWN if signal.required or signal.proposes_rollback else Level.NOTE
        yield Reason(level=level, subject=signal.title, what=evidence.text, since=evidence.since)


def _flag(flag: FlagStatus, now: datetime) -> Iterator[Reason]:
    if flag.foreign is not None:
        change = flag.foreign
        what = f"changed by {change.who or 'somebody else'}: {change.before} → {change.after}"
        level = Level.BAD if change.raised else Level.WARN
        yield Reason(level=level, subject=flag.key, what=what, since=change.at)
    if flag.agreement is Agreement.DIFFER:
        what = "asked, configured and observed differ longer than the propagation time"
        yield Reason(
            level=Level.BAD, subject=flag.key, what=what, value=_numbers(flag), since=flag.differs_since
        )
    if flag.configured.freshness(now) is not Freshness.FRESH:
        what = f"flag cannot be read: {_why_unseen(flag.configured)}"
        since = flag.configured.failing_since
        yield Reason(level=Level.UNKNOWN, subject=flag.key, what=what, since=since)
    second = flag.second
    failure = second.reading.failure if second is not None else None
    stale = second is not None and second.reading.freshness(now) is not Freshness.FRESH
    if second is not None and second.service and (stale or failure is not None):
        what = f"second lever cannot be read: {_why_unseen(second.reading)}"
        since = second.reading.failing_since
        yield Reason(level=Level.NOTE, subject=flag.key, what=what, value=second.service, since=since)
    value = flag.configured.value
    yield from _unobserved(flag, now)
    if value is not None and value.complexities:
        what = f"may be killed but not promoted: {', '.join(value.complexities)}"
        yield Reason(level=Level.WARN, subject=flag.key, what=what)


def _unobserved(flag: FlagStatus, now: datetime) -> Iterator[Reason]:
    """Users may be on the new side and nobody sees how many."""
    value = flag.configured.value
    exposed = value is None or value.exposure != ZERO
    if flag.observable and exposed and flag.observed.freshness(now) is not Freshness.FRESH:
        what = f"traffic share cannot be seen: {_why_unseen(flag.observed)}"
        since = flag.observed.failing_since
        yield Reason(level=Level.UNKNOWN, subject=flag.key, what=what, since=since)


def _why_unseen(reading: Reading[Any]) -> str:
    """A source that answers slower than it is to be asked is asked less often, and grows old between."""
    if reading.failure is not None:
        return reading.failure.title
    if reading.took_s is not None and reading.took_s > reading.interval_s:
        return f"no fresh answer; the last took {reading.took_s:.1f} s, more than its interval"
    return "no fresh answer"


def _numbers(flag: FlagStatus) -> str:
    value, share = flag.configured.value, flag.observed.value
    configured = value.exposure if value is not None else None
    return (
        f"asked {flag.asked if flag.asked is not None else 'nothing'}, "
        f"configured {configured if configured is not None else '?'}, "
        f"observed {share.percent if share is not None else '?'}"
    )


def _probes(backend: BackendStatus, now: datetime) -> Iterator[Reason]:
    """Of hundreds nearly all are well, in every picture: those take no more than one look."""
    for probe in backend.probes:
        value = probe.reading.fresh_value(now)
        if value is None or value.health is not Health.OK:
            yield from _probe(probe, value)


def _probe(probe: ProbeStatus, value: ProbeValue | None) -> Iterator[Reason]:
    """value: while it is fresh."""
    subject = f"{probe.side} {probe.name}"
    if value is None:
        what = f"cannot be seen: {_why_unseen(probe.reading)}"
        since = probe.reading.failing_since
        level = Level.UNKNOWN if probe.required else Level.NOTE
        yield Reason(level=level, subject=subject, what=what, since=since)
    elif value.health is Health.DOWN:
        level = Level.BAD if probe.required else Level.WARN
        yield Reason(level=level, subject=subject, what=f"DOWN: {value.detail}".rstrip(": "))
    elif value.health is Health.DEGRADED:
        what = f"degraded: {value.detail}".rstrip(": ")
        yield Reason(level=Level.WARN, subject=subject, what=what)
    elif value.health is Health.UNKNOWN:
        level = Level.UNKNOWN if probe.required else Level.NOTE
        yield Reason(level=level, subject=subject, what=value.detail or "says that it does not know")


def _parity(check: ParityStatus, now: datetime) -> Iterator[Reason]:
    value, failure = check.reading.fresh_value(now), check.reading.failure
    if value is None:
        what = f"parity cannot be seen: {failure.title if failure is not None else 'no fresh look'}"
        level = Level.UNKNOWN if check.required else Level.NOTE
        yield Reason(level=level, subject=check.title, what=what, since=check.reading.failing_since)
    elif value.match is Match.UNKNOWN:
        level = Level.UNKNOWN if check.required else Level.NOTE
        yield Reason(level=level, subject=check.title, what=f"parity is not known: {value.text}")
    elif value.match is Match.DIFFERENT:
        level = Level.BAD if check.required else Level.WARN
        yield Reason(level=level, subject=check.title, what=f"the data differ: {value.text}")


def _seat(seat: SeatStatus) -> Iterator[Reason]:
    """Who drives, where that is not this cockpit; nothing for one that only looks on."""
    if not seat.session or seat.drives:
        return
    if seat.holder is None:
        yield Reason(level=Level.WARN, subject="driver", what="nobody drives; D takes the seat")
    elif seat.lost_to is not None:
        what = f"{seat.lost_to.name} took the seat from this cockpit ({seat.lost_to.how})"
        yield Reason(level=Level.WARN, subject="driver", what=what, since=seat.lost_to.since)
    else:
        what = f"this cockpit sits beside and may declare a rollback all the same; {seat.holder.name} drives"
        yield Reason(level=Level.NOTE, subject="driver", what=what, since=seat.holder.since)


def _request(flight: Flight, now: datetime) -> Iterator[Reason]:
    """One that has lapsed waits for nobody, even where no driver is there to end it."""
    request = flight.request
    if request is not None and now < request.lapses_at:
        what = f"{request.asker.name} asks for {request.flag} {request.before} → {request.percent}"
        value = f"{request.tally} people, lapses {request.lapses_at:%H:%M:%S} UTC"
        yield Reason(level=Level.NOTE, subject="approval", what=what, value=value, since=request.asker.at)


def _way_back(lines: tuple[WayBackLine, ...]) -> Iterator[Reason]:
    for line in lines:
        if line.level in (Level.BAD, Level.UNKNOWN) and not line.told_elsewhere:
            yield Reason(level=line.level, subject="way back", what=f"{line.title}: {line.text}")


def _surroundings(host: HostStatus | None, plan_change: PlanChange | None) -> Iterator[Reason]:
    if host is not None and host.clock_skew_s is not None and abs(host.clock_skew_s) > SKEW_LIMIT_S:
        what = "this host's clock and a server's differ"
        yield Reason(level=Level.WARN, subject="clock", what=what, value=f"{host.clock_skew_s:+.0f} s")
    if plan_change is not None and plan_change.problems:
        what = f"the edited plan is broken, the last good one is flown: {plan_change.problems[0]}"
        yield Reason(level=Level.WARN, subject="plan", what=what, since=plan_change.seen_at)
    elif plan_change is not None:
        what = f"the plan file changed ({len(plan_change.diff)} changes): look and take it, or set it aside"
        yield Reason(level=Level.NOTE, subject="plan", what=what, since=plan_change.seen_at)
