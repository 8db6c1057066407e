"""What the engine keeps per signal and per observed flag, and calls once per poll.

    tracker = start_signal(spec, plan, now)              at take-off, and when a changed plan is taken
    tracker = observe(tracker, samples, now)             after every poll of the monitoring source; a failed
                                                         query is None, a failed poll is four None
    tracker = restart(tracker, now)                      when the share of traffic is about to change: at
                                                         every flag write that may have landed
    status(tracker, spec, now, reading)                  for the snapshot, as often as wanted

`ShareTracker` is the same for a flag's traffic counters: `ShareTracker()`, `observe_share`,
`restart_share`, `share`. Trackers are frozen values made of plain dataclasses. `now` is when the poll
began: what it saw is at least that old.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cockpit.core import counters as counting
from cockpit.core import judge, limits
from cockpit.core.clean import Percent
from cockpit.core.counters import COUNTER_LIMIT, NOTHING, Counters, Meter, SignalSamples, read_meter
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.evidence import Quiet, Sight, evidence
from cockpit.core.figures import length
from cockpit.core.judge import JudgeState
from cockpit.core.limits import LimitState, LimitWatch
from cockpit.core.model import STALE_AFTER_INTERVALS, Quality, Reading, Sample, Side
from cockpit.core.snapshot import Share, SignalStatus
from cockpit.core.spec import Plan, SignalSpec

SILENT_AFTER_S: Final = 120.0
SILENT_AFTER_GAPS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalTracker:
    """State of one signal. warm_until: until then nothing is judged (the hard limit watches all the same)."""

    counters: Counters
    judge: JudgeState
    limit: LimitWatch | None
    warmup_s: float
    warm_until: datetime | None


def start_signal(signal: SignalSpec, plan: Plan, now: datetime) -> SignalTracker:
    """A tracker in its first epoch. All signals that propose a rollback share the plan's alpha."""
    proposing = sum(each.proposes_rollback for each in plan.signals)
    return SignalTracker(
        counters=Counters(),
        judge=judge.start(judge.rules(signal, plan.judge, proposing), now),
        limit=LimitWatch(limit=signal.limit) if signal.limit is not None else None,
        warmup_s=plan.judge.warmup_s,
        warm_until=_warm_until(plan.judge.warmup_s, now),
    )


def restart(tracker: SignalTracker, now: datetime) -> SignalTracker:
    """A new epoch: evidence, latched REGRESSED, hard limit and counters start over."""
    return replace(
        tracker,
        counters=counting.restart(tracker.counters),
        judge=judge.start(tracker.judge.rules, now),
        limit=LimitWatch(limit=tracker.limit.limit) if tracker.limit is not None else None,
        warm_until=_warm_until(tracker.warmup_s, now),
    )


def _warm_until(warmup_s: float, now: datetime) -> datetime | None:
    return now + timedelta(seconds=warmup_s) if warmup_s > 0 else None


def observe(tracker: SignalTracker, samples: SignalSamples, now: datetime) -> SignalTracker:
    """Take one poll."""
    counters, poll = counting.observe(tracker.counters, samples, now)
    limit = tracker.limit
    if limit is not None:
        limit = limits.forget_pending(limit) if poll.broken else limits.measure(limit, poll.grown_new, now)
    if tracker.warm_until is not None and now < tracker.warm_until:
        waiting = judge.start(tracker.judge.rules, now)
        return replace(tracker, counters=counting.let_go(counters), limit=limit, judge=waiting)
    state = tracker.judge if poll.counts is None else judge.update(tracker.judge, poll.counts, now)
    return replace(tracker, counters=counters, limit=limit, judge=state, warm_until=None)


def status(tracker: SignalTracker, spec: SignalSpec, now: datetime, reading: Reading[float]) -> SignalStatus:
    """What the snapshot says of this signal. `reading` is passed on; its interval says what fresh means."""
    legacy, new = counting.rates(tracker.counters, now)
    limit = tracker.limit
    return SignalStatus(
        name=spec.name,
        title=spec.title,
        legacy=legacy,
        new=new,
        reading=reading,
        evidence=evidence(tracker.judge, now, sight(tracker, now, reading.interval_s)),
        limit_pct=spec.limit.max_pct if spec.limit is not None else None,
        limit_breached=limit is not None and limit.state is LimitState.BREACHED,
        limit_text=limits.limit_text(limit),
        window_s=tracker.counters.window_s,
        required=spec.required,
        proposes_rollback=spec.proposes_rollback,
        limit_since=limit.breached_since if limit is not None else None,
    )


def sight(tracker: SignalTracker, now: datetime, interval_s: float) -> Sight:
    """What can be seen of a signal at `now`: unreadable, silent, quiet on one side, warming up or clear."""
    counters = tracker.counters
    trouble, since = _unreadable(counters, now, interval_s)
    quiet = tuple(each for each in (_quiet(counters.legacy, now), _quiet(counters.new, now)) if each)
    if not trouble and len(quiet) == len(Side):
        trouble, since = _both_silent(quiet, now)
    return Sight(trouble=trouble, trouble_since=since, quiet=quiet, warm_until=tracker.warm_until)


def _unreadable(counters: Counters, now: datetime, interval_s: float) -> tuple[str, datetime | None]:
    """Why the four counters are not fresh, and since when; one bad poll between good ones is no trouble."""
    good_at = counters.good_at
    if good_at is not None and (now - good_at).total_seconds() <= STALE_AFTER_INTERVALS * interval_s:
        return "", None
    notes = [meter.note for meter in (counters.legacy, counters.new) if meter.note]
    return " and ".join(notes) or f"no answer for {_age(good_at, now)}", good_at


def _age(at: datetime | None, now: datetime) -> str:
    return length((now - at).total_seconds()) if at is not None else "the whole flight"


def _quiet(meter: Meter, now: datetime) -> Quiet | None:
    """A side without events in this epoch, or without any for longer than its usual gaps explain."""
    if meter.advanced_at is None or meter.began_at is None:
        return Quiet(side=meter.side, since=meter.began_at, ever=False)
    gap_s = (meter.advanced_at - meter.began_at).total_seconds() / meter.seen
    quiet_s = (now - meter.advanced_at).total_seconds()
    if quiet_s <= max(SILENT_AFTER_S, SILENT_AFTER_GAPS * gap_s):
        return None
    return Quiet(side=meter.side, since=meter.advanced_at, ever=True)


def _both_silent(quiet: tuple[Quiet, ...], now: datetime) -> tuple[str, datetime | None]:
    """Nothing anywhere is what a stuck source looks like; a fresh epoch gets its time first."""
    last = max((each.since for each in quiet if each.since is not None), default=None)
    if last is None or (now - last).total_seconds() <= SILENT_AFTER_S:
        return "", None
    return f"no events on either side for {length((now - last).total_seconds())}", last


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareInterval:
    """Events of both sides between two moments."""

    since: datetime
    at: datetime
    legacy: float
    new: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareTracker:
    """State of one flag's traffic counters.

    The share is taken over whole intervals in which both sides advanced, at least `window_s` long and with
    at least `min_events`. A side that does not advance for two beats of the source has no traffic: the
    beat is how far apart the polls lie in which any counter moved (`moved`, newest last), so that a
    source scraped every 15 s and read every 5 s does not look like 0 % and 100 % in turn.
    """

    window_s: float = 15.0
    min_events: float = 20.0
    legacy: Meter = field(default_factory=lambda: Meter(side=Side.LEGACY))
    new: Meter = field(default_factory=lambda: Meter(side=Side.NEW))
    held_legacy: float = 0.0
    held_new: float = 0.0
    since: datetime | None = None
    moved: tuple[datetime, ...] = ()
    recent: tuple[ShareInterval, ...] = ()

    @property
    def patience_s(self) -> float:
        """How long one side may advance alone before the other counts as silent."""
        if len(self.moved) < _MOVES_KEPT:
            return _PATIENCE_UNTRIED_S
        beat_s = max((later - earlier).total_seconds() for earlier, later in pairwise(self.moved))
        return min(_PATIENCE_LIMIT_S, 2 * beat_s)


_MOVES_KEPT: Final = 4
_PATIENCE_UNTRIED_S: Final = 30.0
_PATIENCE_LIMIT_S: Final = 120.0
_SHARE_MEMORY_S: Final = 300.0
_INTERVALS_KEPT: Final = 300
_ZERO: Final = Sample(value=0.0, quality=Quality.GOOD)


def restart_share(tracker: ShareTracker) -> ShareTracker:
    """Forget what was counted: the share is about to change. The beat of the source is kept."""
    return ShareTracker(window_s=tracker.window_s, min_events=tracker.min_events, moved=tracker.moved)


def observe_share(
    tracker: ShareTracker, legacy: Sample | None, new: Sample | None, now: datetime
) -> ShareTracker:
    """Take one poll of the two counters; None: that query failed."""
    of_legacy = read_meter(tracker.legacy, _ZERO, legacy, now)
    of_new = read_meter(tracker.new, _ZERO, new, now)
    taken = replace(tracker, legacy=of_legacy.meter, new=of_new.meter)
    if of_legacy.broken or of_new.broken:
        return _dropped(taken, now)
    if taken.since is None:
        return replace(taken, since=now) if _both_good(taken) else taken
    grown_legacy, grown_new = of_legacy.growth or NOTHING, of_new.growth or NOTHING
    taken = replace(
        taken,
        held_legacy=min(COUNTER_LIMIT, taken.held_legacy + grown_legacy.total),
        held_new=min(COUNTER_LIMIT, taken.held_new + grown_new.total),
    )
    if grown_legacy.total or grown_new.total:
        taken = replace(taken, moved=(*taken.moved, now)[-_MOVES_KEPT:])
    return _released(taken, now)


def _both_good(tracker: ShareTracker) -> bool:
    return tracker.legacy.quality is Quality.GOOD and tracker.new.quality is Quality.GOOD


def _dropped(tracker: ShareTracker, now: datetime) -> ShareTracker:
    """After a reset: the interval is unknowable on both sides. A side not read now starts over when it is."""
    sides = (tracker.legacy, tracker.new)
    legacy, new = (side if side.quality is Quality.GOOD else replace(side, values=None) for side in sides)
    since = now if _both_good(tracker) else None
    return replace(tracker, legacy=legacy, new=new, held_legacy=0.0, held_new=0.0, since=since)


def _released(tracker: ShareTracker, now: datetime) -> ShareTracker:
    since = tracker.since or now
    both = tracker.held_legacy > 0 and tracker.held_new > 0
    any_held = tracker.held_legacy > 0 or tracker.held_new > 0
    waited = (now - since).total_seconds() >= tracker.patience_s
    if not _both_good(tracker) or not (both or (any_held and waited)):
        return tracker
    if (now - since).total_seconds() > _SHARE_MEMORY_S:
        return _dropped(tracker, now)
    interval = ShareInterval(since=since, at=now, legacy=tracker.held_legacy, new=tracker.held_new)
    horizon = now - timedelta(seconds=_SHARE_MEMORY_S)
    kept = tuple(each for each in tracker.recent if each.since > horizon)[-_INTERVALS_KEPT:]
    return replace(tracker, recent=(*kept, interval), held_legacy=0.0, held_new=0.0, since=now)


def share(tracker: ShareTracker, now: datetime) -> Share | None:
    """The share on the new side lately; None when there is none to tell (see `share_note`)."""
    if not _both_good(tracker) or not tracker.recent or _silent(tracker, now):
        return None
    legacy = new = 0.0
    since = end = tracker.recent[-1].at
    for each in reversed(tracker.recent):
        legacy, new, since = legacy + each.legacy, new + each.new, each.since
        if (end - since).total_seconds() >= tracker.window_s and legacy + new >= tracker.min_events:
            break
    if legacy + new < tracker.min_events:
        return None
    return Share(
        percent=Percent.of(new, legacy + new),
        legacy_events=legacy,
        new_events=new,
        window_s=(end - since).total_seconds(),
    )


def _silent(tracker: ShareTracker, now: datetime) -> bool:
    last_s = (now - tracker.recent[-1].at).total_seconds()
    return last_s > tracker.window_s + 2 * tracker.patience_s


def share_note(tracker: ShareTracker, now: datetime) -> str:
    """Why there is no share to tell; empty when there is one."""
    if share(tracker, now) is not None:
        return ""
    notes = [meter.note for meter in (tracker.legacy, tracker.new) if meter.note]
    if notes:
        return " and ".join(notes)
    counted = sum(each.legacy + each.new for each in tracker.recent)
    if counted and not _silent(tracker, now):
        return f"too little traffic: {counted:.0f} of {tracker.min_events:.0f} events needed"
    return "no traffic on either side yet" if not tracker.recent else "no traffic on either side lately"
