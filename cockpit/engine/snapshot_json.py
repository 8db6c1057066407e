"""The snapshot as plain JSON, for scripts.

`as_json` is what `cockpit status --json` prints. Its names are a promise to scripts:
    instants are ISO 8601 text in UTC or null, names ending in `_pct` are percent as numbers, `_s` seconds,
    `_ms` milliseconds; ages are left to the reader, who has a clock. Null always means "not known";
    what is too old for the screens (`freshness` is "unknown") is not known any more.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TypeVar

from cockpit.core.approvals import AdvanceRequest
from cockpit.core.checklist import ItemStatus
from cockpit.core.clean import Percent
from cockpit.core.drain import DrainGauge, is_drained, proved_from
from cockpit.core.history import Blank, SideHistory
from cockpit.core.model import Failure, Freshness, Health, Reading
from cockpit.core.rollback import Flip, Rollback, SecondWay, Step
from cockpit.core.seat_status import SeatStatus
from cockpit.core.snapshot import (
    BackendStatus,
    FlagStatus,
    HostStatus,
    ParityStatus,
    ProbeStatus,
    Proposal,
    Reason,
    SecondLeverStatus,
    SideRate,
    SignalStatus,
    Snapshot,
)
from cockpit.engine.published import FORMAT

Json = dict[str, object]
T = TypeVar("T")


def as_json(snapshot: Snapshot) -> Json:
    """A dict of JSON values only; see the module's docstring for the promise."""
    now = snapshot.engine_at
    return {
        "format": FORMAT,
        "seq": snapshot.seq,
        "engine_at": _instant(snapshot.engine_at),
        "started_at": _instant(snapshot.started_at),
        "mode": snapshot.mode.value,
        "read_only": snapshot.read_only,
        "operator": snapshot.operator,
        "host": snapshot.host,
        "plan": {
            "title": snapshot.plan_title,
            "environment": snapshot.environment,
            "digest": snapshot.plan_digest,
            "source": snapshot.plan_source,
            "point_of_no_return_at": _instant(snapshot.no_return_at),
            "rollback_budget_s": _number(snapshot.budget_s),
        },
        "driver": _driver(snapshot.seat),
        "waits_for_approval": _request(snapshot.request),
        "level": snapshot.level.value,
        "reasons": [_reason(reason) for reason in snapshot.reasons],
        "first_breach_at": _instant(snapshot.first_breach_at),
        "flags": [_flag(flag, now) for flag in snapshot.flags],
        "backends": [_backend(backend, now) for backend in snapshot.backends],
        "signals": [_signal(signal) for signal in snapshot.signals],
        "parity": [_parity(check, now) for check in snapshot.parity],
        "checklist": [_item(item) for item in snapshot.checklist],
        "way_back": [
            {"level": line.level.value, "title": line.title, "text": line.text} for line in snapshot.way_back
        ],
        "drain_gauges": [_gauge(gauge, snapshot.rollback, now) for gauge in snapshot.gauges],
        "proposal": _proposal(snapshot.proposal),
        "rollback": _rollback(snapshot.rollback),
        "last_closed_rollback": _rollback(snapshot.last_closed),
        "rollbacks_closed": snapshot.rollbacks_closed,
        "journal": {
            "ok": snapshot.journal.ok,
            "path": snapshot.journal.path,
            "last_seq": snapshot.journal.last_seq,
            "detail": snapshot.journal.detail,
        },
        "cockpit_host": _host(snapshot.host_status),
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _number(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else number


def _pct(percent: Percent | None) -> float | None:
    return None if percent is None else percent.value


def _failure(failure: Failure | None) -> Json | None:
    if failure is None:
        return None
    return {"title": failure.title, "detail": failure.detail, "fault": failure.fault.value}


def _reason(reason: Reason) -> Json:
    return {
        "level": reason.level.value,
        "subject": reason.subject,
        "what": reason.what,
        "value": reason.value,
        "limit": reason.limit,
        "since": _instant(reason.since),
    }


def _driver(seat: SeatStatus | None) -> Json | None:
    """Null where nobody holds the seat, or nobody knows."""
    if seat is None or seat.holder is None:
        return None
    holder = seat.holder
    return {
        "operator": holder.operator,
        "host": holder.host,
        "lives": seat.holder_lives,
        "since": _instant(holder.since),
        "how": holder.how.value,
        "taken_from": holder.taken_from or None,
        "offered_to": None if seat.offer is None else seat.offer.name,
    }


def _request(request: AdvanceRequest | None) -> Json | None:
    if request is None:
        return None
    return {
        "flag": request.flag,
        "before_pct": _pct(request.before),
        "percent_pct": _pct(request.percent),
        "needed": request.needed,
        "approved_by": [given.name for given in request.given],
        "asked_at": _instant(request.given[0].at) if request.given else None,
        "lapses_at": _instant(request.lapses_at),
    }


def _flag(flag: FlagStatus, now: datetime) -> Json:
    configured, observed = _known(flag.configured, now), _known(flag.observed, now)
    return {
        "key": flag.key,
        "title": flag.title,
        "service": flag.service,
        "asked_pct": _pct(flag.asked),
        "configured_pct": _pct(configured.exposure) if configured else None,
        "configured_freshness": flag.configured.freshness(now).value,
        "configured_at": _instant(flag.configured.observed_at),
        "configured_failure": _failure(flag.configured.failure),
        "on": configured.on if configured else None,
        "observed_pct": _pct(observed.percent) if observed else None,
        "observed_freshness": flag.observed.freshness(now).value,
        "observed_at": _instant(flag.observed.observed_at),
        "observed_failure": _failure(flag.observed.failure),
        "observable": flag.observable,
        "agreement": flag.agreement.value,
        "differs_since": _instant(flag.differs_since),
        "stage": flag.stage,
        "stages_pct": [stage.percent.value for stage in flag.stages],
        "stage_since": _instant(flag.stage_since),
        "hold_until": _instant(flag.hold_until),
        "held_by": flag.held_by,
        "held_reason": flag.held_reason,
        "changed_by_others": flag.foreign is not None,
        "writable": flag.writable,
        "barred": flag.barred or None,
        "second_lever": _second(flag.second, now),
        "falls_with_new": flag.falls_with_new,
        "in_pages": flag.in_pages,
        "gates": [{"name": gate.name, "met": gate.met, "text": gate.text} for gate in flag.gates],
    }


def _known(reading: Reading[T], now: datetime) -> T | None:
    """The value while the screens still show it; one that is too old is not known any more."""
    return None if reading.freshness(now) is Freshness.UNKNOWN else reading.value


def _backend(backend: BackendStatus, now: datetime) -> Json:
    return {
        "side": backend.side.value,
        "title": backend.title,
        "health": backend.health.value,
        "probes": [_probe(probe, now) for probe in backend.probes],
    }


def _probe(probe: ProbeStatus, now: datetime) -> Json:
    value = _known(probe.reading, now)
    return {
        "name": probe.name,
        "kind": probe.kind,
        "required": probe.required,
        "health": (value.health if value else Health.UNKNOWN).value,
        "freshness": probe.reading.freshness(now).value,
        "detail": value.detail if value else "",
        "latency_ms": _number(value.latency_ms) if value else None,
        "observed_at": _instant(probe.reading.observed_at),
        "failure": _failure(probe.reading.failure),
        "passes": probe.passes,
    }


def _signal(signal: SignalStatus) -> Json:
    return {
        "name": signal.name,
        "title": signal.title,
        "verdict": signal.evidence.verdict.value,
        "verdict_since": _instant(signal.evidence.since),
        "text": signal.evidence.text,
        "legacy": {**_side(signal.legacy), "history": _history(signal.legacy_history)},
        "new": {**_side(signal.new), "history": _history(signal.new_history)},
        "window_s": _number(signal.window_s),
        "limit_pct": _number(signal.limit_pct),
        "limit_breached": signal.limit_breached,
        "required": signal.required,
        "proposes_rollback": signal.proposes_rollback,
        "observed_at": _instant(signal.reading.observed_at),
        "failure": _failure(signal.reading.failure),
    }


def _side(rate: SideRate) -> Json:
    return {
        "bad": _number(rate.bad),
        "total": _number(rate.total),
        "rate_pct": _number(rate.rate_pct),
        "quality": rate.quality.value,
    }


def _history(history: SideHistory | None) -> Json | None:
    """`rates_pct` is oldest first; null where nothing is known, nothing answered or nothing happened."""
    if history is None:
        return None
    return {
        "last_at": _instant(history.last_at),
        "step_s": _number(history.step_s),
        "window_s": _number(history.window_s),
        "rates_pct": [None if isinstance(point, Blank) else _number(point) for point in history.points],
        "watched": history.watched,
    }


def _parity(check: ParityStatus, now: datetime) -> Json:
    value = _known(check.reading, now)
    return {
        "name": check.name,
        "title": check.title,
        "question": check.question.value,
        "required": check.required,
        "match": None if value is None else value.match.value,
        "text": None if value is None else value.text,
        "apart": None if value is None else _number(value.apart),
        "compared": None if value is None else value.compared,
        "differences": [] if value is None else [each.what for each in value.differences],
        "freshness": check.reading.freshness(now).value,
        "observed_at": _instant(check.reading.observed_at),
        "failure": _failure(check.reading.failure),
    }


def _item(item: ItemStatus) -> Json:
    return {
        "name": item.name,
        "title": item.title,
        "phase": item.phase,
        "state": item.state.value,
        "signed_by": item.by,
        "signed_at": _instant(item.at),
        "note": item.note,
        "expires_at": _instant(item.expires_at),
    }


def _gauge(gauge: DrainGauge, rollback: Rollback | None, now: datetime) -> Json:
    """`drained` is null outside a rollback: there is nothing yet that it could have drained after."""
    since = None if rollback is None else proved_from(rollback)
    return {
        "name": gauge.name,
        "side": gauge.side.value,
        "owner": gauge.owner or None,
        "flag": gauge.flag or None,
        "value": _number(_known(gauge.reading, now)),
        "below": _number(gauge.below),
        "drained": None if rollback is None else is_drained(gauge, since, now),
        "freshness": gauge.reading.freshness(now).value,
        "observed_at": _instant(gauge.reading.observed_at),
        "failure": _failure(gauge.reading.failure),
    }


def _proposal(proposal: Proposal | None) -> Json | None:
    if proposal is None:
        return None
    return {
        "signal": proposal.signal,
        "text": proposal.text,
        "value": proposal.value,
        "limit": proposal.limit,
        "since": _instant(proposal.since),
        "vetoed_by": proposal.vetoed_by,
        "veto_reason": proposal.veto_reason,
    }


def _rollback(rollback: Rollback | None) -> Json | None:
    if rollback is None:
        return None
    return {
        "id": rollback.id,
        "open": rollback.open,
        "whole": rollback.whole,
        "reason": rollback.reason,
        "declared_by": rollback.declared_by,
        "first_breach_at": _instant(rollback.first_breach_at),
        "declared_at": _instant(rollback.declared_at),
        "deadline_at": _instant(rollback.deadline_at),
        "closed_at": _instant(rollback.closed_at),
        "cancelled_at": _instant(rollback.cancelled_at),
        "commander": rollback.commander,
        "data_owner": rollback.data_owner,
        "question": rollback.question,
        "answered_go": rollback.answered_go,
        "flags": [_flip(flip) for flip in rollback.flips],
        "steps": [_step(step) for step in rollback.steps],
        "new_side_writes": [
            {"name": delta.name, "count": _number(delta.count), "note": delta.note}
            for delta in rollback.deltas
        ],
    }


def _second(second: SecondLeverStatus | None, now: datetime) -> Json | None:
    if second is None:
        return None
    value = _known(second.reading, now)
    return {
        "service": second.service or None,
        "key": second.key or None,
        "by_hand": second.manual or None,
        "takes_s": _number(second.takes_s),
        "configured_pct": _pct(value.exposure) if value else None,
        "failure": _failure(second.reading.failure),
        "offered": second.offer or None,
        "barred": second.barred or None,
    }


def _pulled(second: SecondWay | None) -> Json | None:
    if second is None:
        return None
    return {
        "service": second.service or None,
        "by_hand": second.manual or None,
        "pulled_by": second.pulled_by,
        "pulled_at": _instant(second.pulled_at),
        "state": second.state.value if second.service else None,
        "attempts": second.attempts,
        "detail": second.detail or second.note,
        "at_zero_at": _instant(second.at_zero_at),
        "took_s": _number(second.took_s),
    }


def _flip(flip: Flip) -> Json:
    lever = flip.lever
    return {
        "lever": None if lever is None else "by hand" if flip.by_hand else lever.value,
        "took_s": _number(flip.way.took_s),
        "second_lever": _pulled(flip.second),
        "key": flip.flag,
        "state": flip.state.value,
        "before_pct": _pct(flip.before),
        "attempts": flip.attempts,
        "detail": flip.detail,
        "at_zero_at": _instant(flip.at_zero_at),
        "drained_at": _instant(flip.drained_at),
        "share_pct": _number(flip.share_pct),
    }


def _step(step: Step) -> Json:
    return {
        "id": step.id,
        "key": step.key.value,
        "title": step.title,
        "state": step.state.value,
        "budget_s": _number(step.budget_s),
        "evidence": step.evidence,
        "started_at": _instant(step.started_at),
        "done_at": _instant(step.done_at),
        "done_by": step.done_by,
    }


def _host(host: HostStatus | None) -> Json | None:
    if host is None:
        return None
    return {
        "host": host.host,
        "load_1m": _number(host.load_1m),
        "cpus": host.cpus,
        "memory_used_pct": _number(host.memory_used_pct),
        "own_rss_mib": _number(host.own_rss_mib),
        "loop_lag_ms": _number(host.loop_lag_ms),
        "clock_skew_s": _number(host.clock_skew_s),
        "sampled_at": _instant(host.sampled_at),
    }
