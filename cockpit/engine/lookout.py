"""What changed since the last look, as events: foreign hands, verdicts, limits, probes, sources, proposals.

Each change is told once. What was told is kept here and not in the journal: a new process looks afresh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from cockpit.core.clean import ZERO, Percent
from cockpit.core.events import Kind
from cockpit.core.figures import rate as rate_words
from cockpit.core.flight import FlagFlight, Flight
from cockpit.core.model import Freshness, Health, Reading, Side, Verdict
from cockpit.core.snapshot import Proposal, SignalStatus
from cockpit.core.spec import AutoRollback
from cockpit.engine.effects import Effects
from cockpit.engine.facts import effective_health
from cockpit.engine.journal_port import Draft
from cockpit.engine.senses import FlagSense, Senses

VETO_HOLDS_S: Final = 300.0
TELLING: Final = frozenset({Verdict.REGRESSED, Verdict.NOT_WORSE})


SAID_ONCE: Final = frozenset(
    {
        Kind.VERDICT_CHANGED,
        Kind.LIMIT_BREACHED,
        Kind.LIMIT_CLEARED,
        Kind.PROBE_CHANGED,
        Kind.SOURCE_LOST,
        Kind.SOURCE_BACK,
    }
)
"""What one look says and no later look repeats; the others are told until the flight knows them."""


class Lookout:
    def __init__(self) -> None:
        self._verdicts: dict[str, Verdict] = {}
        self._limits: dict[str, bool] = {}
        self._probes: dict[tuple[Side, str], Health] = {}
        self._lost: set[str] = set()
        self._tripped: set[str] = set()

    def look(
        self,
        *,
        senses: Senses,
        effects: Effects,
        flight: Flight,
        signals: Sequence[SignalStatus],
        now: datetime,
    ) -> list[Draft]:
        """The events to journal now, in order; empty when nothing changed."""
        drafts = list(_foreign_hands(senses, effects, flight, now))
        drafts.extend(self._sources(senses, now))
        drafts.extend(self._probe_changes(senses, now))
        drafts.extend(self._signal_changes(signals))
        self._tripped.update(signal.name for signal in signals if tripped(signal))
        if flight.rollback is None:
            drafts.extend(_proposals(flight, signals, senses, now, self._tripped))
        return drafts

    def _sources(self, senses: Senses, now: datetime) -> Iterator[Draft]:
        readings: dict[str, Reading[Any]] = {}
        for flag in senses.plan.flags:
            readings.setdefault(f"flags/{flag.service}", senses.flags[flag.key].reading)
        for flag in senses.plan.flags:
            if flag.second is not None and flag.second.service:
                readings.setdefault(f"flags/{flag.second.service}", senses.seconds[flag.key].reading)
        for signal in senses.plan.signals:
            reading = senses.signals.readings[signal.name]
            readings.setdefault(f"monitor/{' or '.join(signal.monitors)}", reading)
        for source, reading in readings.items():
            lost = reading.failure is not None and reading.freshness(now) is not Freshness.FRESH
            if lost and source not in self._lost:
                self._lost.add(source)
                title = reading.failure.title if reading.failure is not None else ""
                yield Draft(kind=Kind.SOURCE_LOST, body={"source": source, "title": title})
            elif source in self._lost and reading.freshness(now) is Freshness.FRESH:
                self._lost.discard(source)
                yield Draft(kind=Kind.SOURCE_BACK, body={"source": source})

    def _probe_changes(self, senses: Senses, now: datetime) -> Iterator[Draft]:
        for place, sense in senses.probes.items():
            health, before = effective_health(sense, now), self._probes.get(place, Health.OK)
            if health is not before and sense.reading.attempted_at is not None:
                self._probes[place] = health
                side, name = place
                value, failure = sense.reading.value, sense.reading.failure
                detail = failure.title if failure is not None else value.detail if value is not None else ""
                body = {"side": side.value, "probe": name, "health": health.value, "detail": detail}
                yield Draft(kind=Kind.PROBE_CHANGED, body=body)

    def _signal_changes(self, signals: Sequence[SignalStatus]) -> Iterator[Draft]:
        for signal in signals:
            verdict = signal.evidence.verdict
            before = self._verdicts.get(signal.name)
            if before is not verdict and not {before, verdict}.isdisjoint(TELLING):
                body = {"signal": signal.name, "verdict": verdict.value, "text": signal.evidence.text}
                yield Draft(kind=Kind.VERDICT_CHANGED, body=body)
            self._verdicts[signal.name] = verdict
            breached = self._limits.get(signal.name, False)
            if signal.limit_breached and not breached:
                limit = f"{signal.limit_pct:g}%" if signal.limit_pct is not None else ""
                body = {"signal": signal.name, "value": signal.limit_text, "limit": limit}
                yield Draft(kind=Kind.LIMIT_BREACHED, body=body)
            elif breached and not signal.limit_breached:
                yield Draft(kind=Kind.LIMIT_CLEARED, body={"signal": signal.name})
            self._limits[signal.name] = signal.limit_breached


def _foreign_hands(senses: Senses, effects: Effects, flight: Flight, now: datetime) -> Iterator[Draft]:
    for spec in senses.plan.flags:
        state, sense = flight.flag(spec.key), senses.flags[spec.key]
        if state.seen and state.pending is None and not effects.busy(spec.key):
            yield from _foreign(state, sense)


def _foreign(state: FlagFlight, sense: FlagSense) -> Iterator[Draft]:
    value = sense.reading.value
    if value is None or sense.began_after is None or sense.began_after < state.seen_seq:
        return
    exposure = value.exposure
    if exposure == state.seen_exposure:
        return
    yield Draft(
        kind=Kind.FLAG_FOREIGN,
        body={
            "flag": state.key,
            "before": _words(state.seen_exposure),
            "after": _words(exposure),
            "who": value.changed_by,
            "raised": exposure is None or exposure > (state.seen_exposure or ZERO),
            "exposure": None if exposure is None else exposure.hundredths,
        },
    )


def _words(exposure: Percent | None) -> str:
    return "unclear" if exposure is None else str(exposure)


def tripped(signal: SignalStatus) -> bool:
    """Whether this signal is reason enough to propose a rollback now."""
    return signal.proposes_rollback and (
        signal.evidence.verdict is Verdict.REGRESSED or signal.limit_breached
    )


def _proposals(
    flight: Flight, signals: Sequence[SignalStatus], senses: Senses, now: datetime, ever_tripped: set[str]
) -> Iterator[Draft]:
    exposed = any(_may_be_exposed(sense) for sense in senses.flags.values())
    causes = [signal for signal in signals if tripped(signal)]
    proposal, spec = flight.proposal, senses.plan.rollback
    if proposal is not None:
        veto_over = _veto_over(proposal, now)
        inherited = proposal.goes_at is None and proposal.signal not in ever_tripped
        cause = next((signal for signal in signals if signal.name == proposal.signal), None)
        gone = cause not in causes and not (inherited and exposed and _untold(cause))
        if veto_over or gone:
            body = {"signal": proposal.signal, "veto_over": veto_over}
            yield Draft(kind=Kind.PROPOSAL_CLEARED, body=body)
        return
    if causes and exposed and spec.auto is not AutoRollback.OFF:
        goes_at = now + timedelta(seconds=spec.veto_s) if spec.auto is AutoRollback.VETO else None
        yield _proposal(causes[0], now, goes_at)


def _untold(cause: SignalStatus | None) -> bool:
    """Whether a process that never saw the cause itself cannot tell yet that it is gone."""
    return cause is not None and cause.evidence.verdict is not Verdict.NOT_WORSE


def _veto_over(proposal: Proposal, now: datetime) -> bool:
    """A veto is not for ever: after a while the evidence is collected anew and may propose again."""
    return proposal.vetoed_at is not None and (now - proposal.vetoed_at).total_seconds() > VETO_HOLDS_S


def _may_be_exposed(sense: FlagSense) -> bool:
    """Not known to be at zero: what cannot be told counts as exposed."""
    value = sense.reading.value
    return value is None or value.exposure != ZERO


def _proposal(signal: SignalStatus, now: datetime, goes_at: datetime | None) -> Draft:
    evidence = signal.evidence
    regressed = evidence.verdict is Verdict.REGRESSED
    breaches = (evidence.since if regressed else None, signal.limit_since if signal.limit_breached else None)
    since = min((at for at in breaches if at is not None), default=now)
    rate = signal.new.rate_pct
    return Draft(
        kind=Kind.PROPOSAL_RAISED,
        body={
            "signal": signal.name,
            "text": f"{signal.title}: {evidence.text if regressed else signal.limit_text}",
            "value": "" if rate is None else rate_words(rate),
            "limit": f"E >= {evidence.threshold:g}" if regressed else f"{signal.limit_pct:g}%",
            "since": since.isoformat(),
            "goes_at": goes_at.isoformat() if goes_at is not None else None,
        },
    )
