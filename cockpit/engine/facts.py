"""Senses into the facts that the pure core decides by."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cockpit.core.acts import Facts, FlagFact, LegacyFact
from cockpit.core.flight import Flight
from cockpit.core.model import STALE_AFTER_INTERVALS, Freshness, Health, Reading, Side
from cockpit.core.spec import ProbeSpec
from cockpit.engine.effects import Effects
from cockpit.engine.gauge_senses import drawn
from cockpit.engine.senses import FlagSense, ProbeSense, Senses

_WORST_FIRST = (Health.DOWN, Health.UNKNOWN, Health.DEGRADED, Health.OK)


def effective_health(sense: ProbeSense, now: datetime) -> Health:
    """What a probe says while it is fresh, else UNKNOWN."""
    value = sense.reading.fresh_value(now)
    return Health.UNKNOWN if value is None else value.health


def worst_health(healths: list[Health]) -> Health:
    """DOWN beats UNKNOWN beats DEGRADED beats OK; nothing to look at is UNKNOWN."""
    return next((health for health in _WORST_FIRST if health in healths), Health.UNKNOWN)


def flag_fact(senses: Senses, effects: Effects, flight: Flight, key: str) -> FlagFact:
    sense, pending = senses.flags[key], flight.flag(key).pending
    value = sense.reading.value
    share = senses.shares.get(key)
    failure = sense.reading.failure
    return FlagFact(
        exposure=value.exposure if value is not None else None,
        known=value is not None,
        read_after=sense.began_after,
        back_after=sense.back_after,
        shares=tuple(share.shares) if share is not None else (),
        observable=share is not None,
        busy=effects.busy(key) or (pending is not None and not pending.answered),
        trouble=failure.title if failure is not None else "",
        forward_unsettled=pending is not None and pending.action == "set" and pending.unknown,
    )


def second_facts(senses: Senses, flight: Flight) -> dict[str, FlagFact]:
    """What the services of pulled second levers say; nothing for a lever that the plan no longer has."""
    found: dict[str, FlagFact] = {}
    for flip in flight.rollback.flips if flight.rollback is not None else ():
        spec = senses.plan.flags_by_key.get(flip.flag)
        planned = spec.second if spec is not None else None
        pulled = flip.second
        if pulled is None or planned is None or pulled.by_hand:
            continue
        if (pulled.service, pulled.key) == (planned.service, planned.key):
            found[flip.flag] = second_fact(senses.seconds[flip.flag])
    return found


def second_fact(sense: FlagSense) -> FlagFact:
    value, failure = sense.reading.value, sense.reading.failure
    return FlagFact(
        exposure=value.exposure if value is not None else None,
        known=value is not None,
        read_after=sense.began_after,
        back_after=sense.back_after,
        trouble=failure.title if failure is not None else "",
    )


def legacy_fact(senses: Senses, now: datetime) -> LegacyFact:
    probes = _required(senses, Side.LEGACY)
    healths = [effective_health(senses.probes[probe.side, probe.name], now) for probe in probes]
    words = [_probe_words(senses.probes[probe.side, probe.name], probe, now) for probe in probes]
    passes = tuple(
        (probe.name, probe.passes, tuple(senses.probes[probe.side, probe.name].good)) for probe in probes
    )
    return LegacyFact(health=worst_health(healths), text=", ".join(words), passes=passes)


def flag_facts(senses: Senses, effects: Effects, flight: Flight) -> dict[str, FlagFact]:
    """Of every flag of the plan, in its order."""
    return {flag.key: flag_fact(senses, effects, flight, flag.key) for flag in senses.plan.flags}


def rollback_facts(
    senses: Senses, effects: Effects, flight: Flight, flags: Mapping[str, FlagFact], now: datetime
) -> Facts:
    plan = senses.plan
    return Facts(
        flags=flags,
        seconds=second_facts(senses, flight),
        legacy=legacy_fact(senses, now),
        counters={name: reading.fresh_value(now) for name, reading in senses.counters.items()},
        counted_after=dict(senses.counted_after),
        awaited=frozenset(name for name, reading in senses.counters.items() if _awaited(reading, now)),
        gauges=drawn(senses.gauges, plan),
        hooks=tuple((hook.name, hook.moments) for hook in plan.announce),
        announcing=effects.announcing,
    )


def _awaited(reading: Reading[float], now: datetime) -> bool:
    """No answer yet, and no longer trouble than a value that was had before would be trusted for."""
    if reading.observed_at is not None or reading.failing_since is None:
        return reading.observed_at is None
    return (now - reading.failing_since).total_seconds() <= STALE_AFTER_INTERVALS * reading.interval_s


def _required(senses: Senses, side: Side) -> list[ProbeSpec]:
    return [
        probe
        for backend in senses.plan.backends
        if backend.side is side
        for probe in backend.probes
        if probe.required
    ]


def _probe_words(sense: ProbeSense, probe: ProbeSpec, now: datetime) -> str:
    if sense.reading.freshness(now) is not Freshness.FRESH or sense.reading.value is None:
        why = sense.reading.failure.title if sense.reading.failure is not None else "no fresh answer"
        return f"{probe.name} cannot be seen ({why})"
    value = sense.reading.value
    latency = f" {value.latency_ms:.0f} ms" if value.latency_ms is not None else ""
    return f"{probe.name} {value.health}{latency}" + (f" ({value.detail})" if value.detail else "")
