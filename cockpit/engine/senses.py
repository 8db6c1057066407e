"""Everything the cockpit perceives: the newest reading of every source, and what the trackers make of them.

The engine's pollers call `read_service`, `probe` and `query`; each stores what it learned, tells `changed`
and returns what went wrong. Nothing here decides, journals or writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, TypeVar

from cockpit.adapters.base import AdapterError, ReadsBack, Stirs
from cockpit.core.clock import Clock
from cockpit.core.clocks import ClockPair, along, seen_at
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.model import Failure, FlagValue, Health, ProbeValue, Reading, Side
from cockpit.core.snapshot import ProbeStatus, Share
from cockpit.core.spec import Plan, ProbeSpec, ServiceSpec
from cockpit.core.tracker import ShareTracker, observe_share, restart_share, share, share_note
from cockpit.engine import gauge_senses
from cockpit.engine.gauge_senses import GaugeSense
from cockpit.engine.parity_senses import ParitySenses
from cockpit.engine.questions import (
    Answers,
    Origins,
    expressions,
    origins,
    query_failure,
    sample,
    unanswered,
)
from cockpit.engine.recall import recall
from cockpit.engine.signal_senses import SignalSenses
from cockpit.engine.sources import Sources

T = TypeVar("T")
HISTORY = 40
HALF_A_SECOND = 0.5  # Date headers are cut to whole seconds, so on average they lie this much behind


@dataclass(slots=True)
class FlagSense:
    """began_after: the last event that was folded when the good read began; it proves only what was true
    after that event. Of two reads at once the one that began later (began_s, monotonic) counts. back_after:
    the same of the first good read after one that failed, or of all.
    """

    reading: Reading[FlagValue]
    began_after: int | None = None
    began_s: float = float("-inf")
    back_after: int | None = None
    skew_s: float | None = None


@dataclass(slots=True)
class ProbeSense:
    """good: the present row of OK answers, oldest first: the last event folded when each was asked for.

    drawn: as a picture showed it last. It holds as long as the reading is the very same.
    """

    reading: Reading[ProbeValue]
    drawn: ProbeStatus | None = None
    history: deque[float | None] = field(default_factory=lambda: deque(maxlen=HISTORY))
    good: list[int] = field(default_factory=list)
    skew_s: float | None = None


@dataclass(slots=True)
class ShareSense:
    """shares: in percent, oldest first, each with the last event that was folded when it was asked for."""

    reading: Reading[Share]
    shares: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=HISTORY))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The moment a poll began: on both clocks, and in the journal's order."""

    at: datetime
    steady_s: float
    after: int
    numbering: int

    @property
    def clocks(self) -> ClockPair:
        return ClockPair(wall=self.at, steady_s=self.steady_s)


class Senses:
    """Used from the engine's thread only. folded: the seq of the last event that this process has folded."""

    def __init__(
        self,
        plan: Plan,
        sources: Sources,
        clock: Clock,
        changed: Callable[[str], None],
        folded: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._folded = folded
        self._numbering = 0
        self.flags: dict[str, FlagSense] = {}
        self.seconds: dict[str, FlagSense] = {}
        self.probes: dict[tuple[Side, str], ProbeSense] = {}
        self.shares: dict[str, ShareSense] = {}
        self.signals = SignalSenses(clock)
        self.counters: dict[str, Reading[float]] = {}
        self.counted_after: dict[str, int] = {}
        self.figures: dict[str, Reading[float]] = {}
        self.gauges: dict[str, GaugeSense] = {}
        self.share_trackers: dict[str, ShareTracker] = {}
        self.parity = ParitySenses(clock, changed)
        self.plan = plan
        self.adopt(plan, sources)

    def stirs(self, service: str) -> AsyncGenerator[None] | None:
        """Hears of changes of this service's flags; None where only asking tells."""
        reader = self._sources.readers[service]
        return reader.stirs() if isinstance(reader, Stirs) else None

    def ask_through(self, sources: Sources) -> None:
        """Adapters of the plan that is flown already."""
        self._sources = sources
        self.parity.ask_through(sources)

    def adopt(self, plan: Plan, sources: Sources) -> None:
        """Fly by this plan from now on; what is already known of sources that stay is kept."""
        self._forget_what_changed(origins(self.plan), origins(plan))
        self.plan = plan
        self.ask_through(sources)
        self.parity.adopt(plan)
        self.signals.adopt(plan)
        services = {service.name: service for service in plan.flag_services}
        monitors = {monitor.name: monitor for monitor in plan.monitors}
        for flag in plan.flags:
            interval_s = services[flag.service].interval_s
            seen = self.flags.setdefault(flag.key, FlagSense(Reading(interval_s=interval_s)))
            seen.reading = replace(seen.reading, interval_s=interval_s)
            if flag.second is not None and flag.second.service:
                interval_s = services[flag.second.service].interval_s
                second = self.seconds.setdefault(flag.key, FlagSense(Reading(interval_s=interval_s)))
                second.reading = replace(second.reading, interval_s=interval_s)
            if flag.traffic is not None:
                interval_s = monitors[flag.traffic.monitor].interval_s
                observed = self.shares.setdefault(flag.key, ShareSense(Reading(interval_s=interval_s)))
                observed.reading = replace(observed.reading, interval_s=interval_s)
                self.share_trackers.setdefault(flag.key, ShareTracker())
        for backend in plan.backends:
            for probe in backend.probes:
                fresh = ProbeSense(Reading(interval_s=probe.interval_s))
                sense = self.probes.setdefault((backend.side, probe.name), fresh)
                sense.reading = replace(sense.reading, interval_s=probe.interval_s)
        for counter in plan.rollback.write_counters:
            interval_s = monitors[counter.monitor].interval_s
            counted = self.counters.get(counter.name, Reading())
            self.counters[counter.name] = replace(counted, interval_s=interval_s)

        for figure in plan.rollback.ready:
            stood = self.figures.get(figure.name, Reading())
            self.figures[figure.name] = replace(stood, interval_s=monitors[figure.monitor].interval_s)
        gauge_senses.adopt(self.gauges, plan)
        self._named = self._by_name(plan)

    def _by_name(self, plan: Plan) -> Mapping[tuple[str, str], Sequence[FlagSense]]:
        named: dict[tuple[str, str], list[FlagSense]] = {}
        for flag in plan.flags:
            named.setdefault((flag.service, flag.key), []).append(self.flags[flag.key])
            if flag.second is not None and flag.second.service:
                second = named.setdefault((flag.second.service, flag.second.key), [])
                second.append(self.seconds[flag.key])
        return named

    def _forget_what_changed(self, before: Origins, after: Origins) -> None:
        """What another address or another question answered proves nothing about the new one."""
        known: Mapping[str, tuple[dict[Any, Any], ...]] = {
            "flag": (self.flags,),
            "second": (self.seconds,),
            "share": (self.shares, self.share_trackers),
            "probe": (self.probes,),
            "signal": (),
            "counter": (self.counters, self.counted_after),
            "figure": (self.figures,),
            "gauge": (self.gauges,),
        }
        for (what, key), origin in before.items():
            if after.get((what, key)) != origin:
                for kept in known[what]:
                    kept.pop(key, None)
                if what == "signal":
                    self.signals.forget(str(key))

    async def read_service(self, service: ServiceSpec, keys: Sequence[str]) -> Failure | None:
        """One read of one flag service; the worst failure of its flags, if any."""
        return next(reversed((await self.read_keys(service, keys)).values()), None)

    async def read_keys(
        self, service: ServiceSpec, keys: Sequence[str], *, back: bool = False
    ) -> dict[str, Failure]:
        """The same; what went wrong, by key. back: to prove a write, and for nothing else."""
        asked, reader = self._ask(), self._sources.readers[service.name]
        read = reader.read_back if back and isinstance(reader, ReadsBack) else reader.read
        try:
            answers = await read(keys)
        except AdapterError as error:
            self.service_failed(service.name, keys, error.failure)
            return dict.fromkeys(keys, error.failure)
        failures = dict[str, Failure]()
        for key in keys:
            answer = answers.get(key) or unanswered()
            if isinstance(answer, AdapterError):
                failures[key] = answer.failure
            for sense in self.read_as(service.name, key):
                if isinstance(answer, AdapterError):
                    sense.reading = self._bad(sense.reading, answer.failure)
                elif asked.steady_s >= sense.began_s:
                    if sense.reading.failure is not None or sense.reading.value is None:
                        sense.back_after = self._proves(asked)
                    sense.reading = self._good(sense.reading, answer, asked)
                    sense.began_after, sense.began_s = self._proves(asked), asked.steady_s
        self._changed(service.name)
        return failures

    def service_failed(self, service: str, keys: Sequence[str], failure: Failure) -> None:
        for key in keys:
            for sense in self.read_as(service, key):
                sense.reading = self._bad(sense.reading, failure)
        self._changed("flags")

    def read_as(self, service: str, key: str) -> Sequence[FlagSense]:
        """What a name in a service stands for: a flag itself, the second lever of flags, or both."""
        return self._named.get((service, key), ())

    async def probe(self, spec: ProbeSpec) -> Failure | None:
        asked = self._ask()
        try:
            value = await self._sources.probes[spec.side, spec.name].probe()
        except AdapterError as error:
            self.probe_failed(spec, error.failure)
            return error.failure
        sense = self.probes[spec.side, spec.name]
        sense.reading = self._good(sense.reading, value, asked)
        sense.history.append(value.latency_ms)
        row = [*sense.good, self._proves(asked)][-max(HISTORY, spec.passes) :]
        sense.good = row if value.health is Health.OK else []
        if value.server_time is not None:
            ahead_s = (value.server_time - asked.at).total_seconds()
            sense.skew_s = ahead_s + HALF_A_SECOND - self._took_s(asked) / 2
        self._changed(f"{spec.side}/{spec.name}")
        return None

    def probe_failed(self, spec: ProbeSpec, failure: Failure) -> None:
        sense = self.probes[spec.side, spec.name]
        sense.reading = self._bad(sense.reading, failure)
        sense.history.append(None)
        sense.good = []
        self._changed(f"{spec.side}/{spec.name}")

    async def query(self, monitor: ServiceSpec) -> Failure | None:
        """One poll of one monitoring source: all its expressions, then all that lives by them."""
        asked = self._ask()
        self.signals.asking(monitor.name)
        try:
            answers = await self._sources.monitors[monitor.name].query(expressions(self.plan, monitor.name))
        except AdapterError as error:
            self.monitor_failed(monitor, error.failure)
            return error.failure
        failures = [answer.failure for answer in answers.values() if isinstance(answer, AdapterError)]
        self.signals.take(monitor.name, answers, asked.at, self._took_s(asked))
        for flag in self.plan.flags:
            if flag.traffic is not None and flag.traffic.monitor == monitor.name:
                pair = (flag.traffic.legacy, flag.traffic.new)
                self._observe_share(flag.key, pair, answers, asked)
        for counter in self.plan.rollback.write_counters:
            if counter.monitor == monitor.name:
                counted = self._sampled(self.counters[counter.name], answers, (counter.query,), asked)
                self.counters[counter.name] = counted
                if counted.failure is None:
                    self.counted_after[counter.name] = self._proves(asked)
        for figure in self.plan.rollback.ready:
            if figure.monitor == monitor.name:
                stood = self.figures[figure.name]
                self.figures[figure.name] = self._sampled(stood, answers, (figure.query,), asked)
        for gauge in self.plan.rollback.drain:
            if gauge.monitor == monitor.name:
                sense = self.gauges[gauge.name]
                counted = self._sampled(sense.reading, answers, (gauge.query,), asked)
                sense.take(counted, self._proves(asked))
        self._changed(monitor.name)
        return failures[0] if failures and len(failures) == len(answers) else None

    def monitor_failed(self, monitor: ServiceSpec, failure: Failure) -> None:
        self.signals.failed(monitor.name, failure)
        for flag in self.plan.flags:
            if flag.traffic is not None and flag.traffic.monitor == monitor.name:
                self.shares[flag.key].reading = self._bad(self.shares[flag.key].reading, failure)
        for counter in self.plan.rollback.write_counters:
            if counter.monitor == monitor.name:
                self.counters[counter.name] = self._bad(self.counters[counter.name], failure)
        for figure in self.plan.rollback.ready:
            if figure.monitor == monitor.name:
                self.figures[figure.name] = self._bad(self.figures[figure.name], failure)
        for gauge in self.plan.rollback.drain:
            if gauge.monitor == monitor.name:
                sense = self.gauges[gauge.name]
                sense.take(self._bad(sense.reading, failure), 0)
        self._changed(monitor.name)

    async def recall(self, monitor: ServiceSpec) -> None:
        """Once per monitor, when it has answered: what it remembers of the time before."""
        await recall(self.signals, self._sources.monitors[monitor.name], monitor.name)
        self._changed(monitor.name)

    def restart_judges(self) -> None:
        """A stage changed: evidence starts over, for every signal."""
        self.signals.restart_judges()

    def restart_share(self, key: str) -> None:
        """This flag's share is about to change: forget what was counted before."""
        if key in self.share_trackers:
            self.share_trackers[key] = restart_share(self.share_trackers[key])
            self.shares[key].shares.clear()

    def prove_nothing(self) -> None:
        """The journal's events got other numbers: what was read before is known, but proves nothing now."""
        self._numbering += 1
        for flag in (*self.flags.values(), *self.seconds.values()):
            flag.began_after = flag.back_after = None
        for sense in self.probes.values():
            sense.good = [0] * len(sense.good)
        for observed in self.shares.values():
            observed.shares = deque(((0, pct) for _, pct in observed.shares), maxlen=HISTORY)
        self.counted_after = dict.fromkeys(self.counted_after, 0)
        gauge_senses.prove_nothing(self.gauges)

    def clock_set_back(self, by_s: float) -> None:
        """Take everything that was kept along with the wall clock, so that its age stays what it is.

        Nothing waits for the clock to catch up then, and no reading comes from the future.
        """
        for flag in (*self.flags.values(), *self.seconds.values()):
            flag.reading = along(flag.reading, by_s)
        for probe in self.probes.values():
            probe.reading = along(probe.reading, by_s)
        for observed in self.shares.values():
            observed.reading = along(observed.reading, by_s)
        self.counters = along(self.counters, by_s)
        self.figures = along(self.figures, by_s)
        gauge_senses.clock_set_back(self.gauges, by_s)
        self.parity.clock_set_back(by_s)
        self.signals.clock_set_back(by_s)
        self.share_trackers = along(self.share_trackers, by_s)

    def clock_skew_s(self) -> float | None:
        """The largest difference that a server's clock has shown to ours; None while none told."""
        skews = [sense.skew_s for sense in self.probes.values() if sense.skew_s is not None]
        return max(skews, key=abs, default=None)

    def _observe_share(self, key: str, pair: tuple[str, str], answers: Answers, asked: _Asked) -> None:
        legacy, new = (sample(answers.get(each)) for each in pair)
        tracker = observe_share(self.share_trackers[key], legacy, new, asked.at)
        self.share_trackers[key] = tracker
        sense, seen = self.shares[key], share(tracker, asked.at)
        failure = query_failure(answers, pair)
        if failure is not None:
            sense.reading = self._bad(sense.reading, failure)
        elif seen is None:
            failure = Failure(title=share_note(tracker, asked.at) or "no share to tell")
            sense.reading = self._bad(sense.reading, failure)
        else:
            sense.reading = self._good(sense.reading, seen, asked)
            sense.shares.append((self._proves(asked), seen.percent.value))

    def _sampled(
        self, reading: Reading[float], answers: Answers, wanted: Sequence[str], asked: _Asked
    ) -> Reading[float]:
        """A reading of the last wanted expression, bad when any of them is."""
        failure = query_failure(answers, wanted)
        last = sample(answers.get(wanted[-1]))
        if failure is not None or last is None or last.value is None:
            return self._bad(reading, failure or Failure(title="no value"))
        return self._good(reading, last.value, asked)

    def _ask(self) -> _Asked:
        return _Asked(
            at=self._clock.now(),
            steady_s=self._clock.monotonic(),
            after=self._folded(),
            numbering=self._numbering,
        )

    def _proves(self, asked: _Asked) -> int:
        """The last event that the poll surely began after; 0 when the events got other numbers meanwhile."""
        return asked.after if asked.numbering == self._numbering else 0

    def _took_s(self, asked: _Asked) -> float:
        return self._clock.monotonic() - asked.steady_s

    def _good(self, reading: Reading[T], value: T, asked: _Asked) -> Reading[T]:
        return replace(
            reading,
            value=value,
            observed_at=seen_at(asked.clocks, ClockPair.of(self._clock), reading.interval_s),
            took_s=self._took_s(asked),
            failure=None,
            failing_since=None,
            attempted_at=asked.at,
        )

    def _bad(self, reading: Reading[T], failure: Failure) -> Reading[T]:
        now = self._clock.now()
        return replace(reading, failure=failure, failing_since=reading.failing_since or now, attempted_at=now)
