"""The simulation behind the practice servers: flags, a crowd behind each of them, faults, counters.

Pure: no I/O and no clock of its own. Time passes when somebody looks: `settle` simulates every whole
step up to the clock's present. Each step uses what was true at its middle and dice of its own, so the
counters depend on the seed and on what was done when, never on how often somebody looked.
Thread-safe: every public method takes the lock, which callers may also hold around several of them.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cockpit.core.clock import Clock
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.practice.faults import Fault, FaultName, Service
from cockpit.practice.flags import Author, FlagStore
from cockpit.practice.leftovers import nothing_left, pass_step, reload_pages, settled
from cockpit.practice.traffic import (
    PROFILES,
    STEP_S,
    Crowd,
    Dice,
    Profile,
    Series,
    initial_counters,
    serve,
)

PROPAGATION_S: Final = 4.0
DEFAULT_RPS: Final = 40.0
_FINE_STEPS: Final = 40
_COARSE_EVERY: Final = 10
_COARSE_KEPT: Final = 720

ShareSource = Callable[[], Mapping[str, float]]
"""Exposure per flag in percent, as an outside flag service configures it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSeed:
    """A flag as the world begins: where it lives, who it is for, and how it behaves."""

    key: str
    project: str = "default"
    environment: str = "production"
    percent: float = 0.0
    rps: float = DEFAULT_RPS
    propagation_s: float = PROPAGATION_S
    description: str = ""


@dataclass(frozen=True, slots=True)
class _Exposure:
    at_s: float
    share: float


class World:
    """All state of the practice world. `flags` may be changed through `write` only."""

    def __init__(
        self,
        *,
        flags: Sequence[FlagSeed],
        seed: int,
        clock: Clock,
        share_source: ShareSource | None = None,
        profiles: Mapping[Side, Profile] = PROFILES,
    ) -> None:
        self.lock = threading.RLock()
        self.seed = seed
        self.seeds = {flag.key: flag for flag in flags}
        self._clock = clock
        self._began_s = clock.monotonic()
        self._began_at = clock.now()
        self._source = share_source
        self._profiles = profiles
        self._faults: list[Fault] = []
        self._foreign: list[Fault] = []
        self._step = 0
        self._counters = initial_counters(self.seeds) | nothing_left(self.seeds)
        beginning = (0.0, dict(self._counters))
        self._recent: deque[tuple[float, dict[Series, int]]] = deque([beginning], maxlen=_FINE_STEPS)
        self._past: deque[tuple[float, dict[Series, int]]] = deque([beginning], maxlen=_COARSE_KEPT)
        self._latencies = random.Random(f"{seed}/latency")
        self._crowds = {key: Crowd(flag.percent / 100) for key, flag in self.seeds.items()}
        self._built = {key: flag.percent / 100 for key, flag in self.seeds.items()}
        self._history = {key: [_Exposure(0.0, flag.percent / 100)] for key, flag in self.seeds.items()}
        self.flags = self._first_flags()
        self.flags.changed = self._flag_changed

    def _first_flags(self) -> FlagStore:
        environments = {flag.environment for flag in self.seeds.values()} | {"development", "production"}
        store = FlagStore(environment_names=tuple(sorted(environments)))
        for flag in self.seeds.values():
            body = {"name": flag.key, "type": "release", "description": flag.description or None}
            store.create(flag.project, body, Author(), self._began_at)
            rollout = {
                "name": "flexibleRollout",
                "parameters": {"rollout": f"{flag.percent:g}", "stickiness": "userId"},
            }
            target = (flag.project, flag.key, flag.environment)
            store.add_strategy(*target, rollout, Author(), self._began_at)
            store.switch(*target, True, Author(), self._began_at)
        return store

    # --- time ---

    @property
    def now_s(self) -> float:
        """Seconds since the world began."""
        return self._clock.monotonic() - self._began_s

    def instant(self, at_s: float) -> datetime:
        return self._began_at + timedelta(seconds=at_s)

    def now(self) -> datetime:
        return self._clock.now()

    def settle(self) -> float:
        """Let everything happen that is due by now; returns now in seconds since the beginning."""
        with self.lock:
            now_s = self.now_s
            self._foreign_changes_until(now_s)
            if self._source is not None:
                for key, percent in self._source().items():
                    if key in self.seeds:
                        self._expose(key, percent / 100, now_s)
            self.advance(now_s)
            return now_s

    def advance(self, to_s: float) -> None:
        """Simulate every whole step that ends by `to_s`."""
        with self.lock:
            while (self._step + 1) * STEP_S <= to_s:
                self._simulate(self._step)
                self._step += 1
                self._remember()

    def _remember(self) -> None:
        taken = (self._step * STEP_S, dict(self._counters))
        self._recent.append(taken)
        if self._step % _COARSE_EVERY == 0:
            self._past.append(taken)

    def _simulate(self, step: int) -> None:
        middle_s = (step + 0.5) * STEP_S
        polls = not self._clients_cut_off(middle_s)
        slowness = self._factor(FaultName.SLOW_PROPAGATION, middle_s)
        profiles = {side: self.profile(side, middle_s) for side in Side}
        for key, flag in self.seeds.items():
            crowd = self._crowds[key]
            if polls:
                turn_s = max(flag.propagation_s * slowness, STEP_S)
                crowd.refresh(self._configured(key, middle_s), STEP_S / turn_s)
            moved = self._configured(key, middle_s) - self._built[key]
            self._built[key] += moved
            pages = Dice(self.seed, f"pages of {key}", step)
            reload_pages(self._counters, pages, flag=key, changed=moved)
            dice = Dice(self.seed, key, step)
            mean = flag.rps * STEP_S
            for side, share in ((Side.LEGACY, 1 - crowd.share), (Side.NEW, crowd.share)):
                serve(self._counters, dice, flag=key, side=side, profile=profiles[side], mean=mean * share)
        for side, flags in self._traffic().items():
            pass_step(self._counters, Dice(self.seed, f"left on {side}", step), side=side, flags=flags)

    def _traffic(self) -> Mapping[Side, float]:
        """The traffic of how many flags each side has now."""
        new = sum(crowd.share for crowd in self._crowds.values())
        return {Side.LEGACY: len(self._crowds) - new, Side.NEW: new}

    def _clients_cut_off(self, at_s: float) -> bool:
        """Without the flag service SDK clients keep what they last knew."""
        return (
            self.active(FaultName.FLAG_SERVICE_DOWN, at_s=at_s) is not None
            or self.active(FaultName.HANG, service=Service.UNLEASH, at_s=at_s) is not None
        )

    # --- what is true ---

    def profile(self, side: Side, at_s: float | None = None) -> Profile:
        """How a side behaves at that moment, with every fault that strikes it."""
        profile = self._profiles[side]
        error_rate, median_ms = profile.error_rate, profile.median_ms
        burst = self.active(FaultName.ERROR_BURST, side=side, at_s=at_s)
        if burst is not None:
            error_rate = max(error_rate, burst.rate)
        slow = self.active(FaultName.SLOW, side=side, at_s=at_s)
        if slow is not None:
            median_ms *= slow.factor
        if side is Side.LEGACY:
            sick = self.active(FaultName.LEGACY_SICK, at_s=at_s)
            error_rate = max(error_rate, sick.rate if sick is not None else 0.0)
        elif self.active(FaultName.CONVEX_PAUSED, at_s=at_s) is not None:
            error_rate = 1.0
        if self.active(FaultName.OUTAGE, side=side, at_s=at_s) is not None:
            error_rate = 1.0
        if self.active(FaultName.HANG, side=side, at_s=at_s) is not None:
            error_rate, median_ms = 1.0, 30_000.0
        return replace(profile, error_rate=error_rate, median_ms=median_ms)

    def served_pct(self, flag: str) -> float:
        """Percent of the flag's crowd that is on the new side by now. Raises KeyError."""
        with self.lock:
            self.settle()
            return 100 * self._crowds[flag].share

    def configured_pct(self, flag: str) -> float:
        """Percent that the flag service (or the outside source) configures by now. Raises KeyError."""
        with self.lock:
            return 100 * self._configured(flag, self.settle())

    def counters(self) -> dict[Series, int]:
        with self.lock:
            self.settle()
            return dict(self._counters)

    def counters_at(self, at_s: float) -> dict[Series, int] | None:
        """The counters as they stood then: every step of the last 20 s, every 5 s of the last hour.

        None for a moment before that, or before the world began.
        """
        with self.lock:
            self.settle()
            for kept in (self._recent, self._past):
                for taken_s, counters in reversed(kept):
                    if taken_s <= at_s:
                        return counters
            return None

    def latency_s(self, side: Side) -> float:
        """One simulated latency of that side, for its HTTP face; not part of the counters' dice."""
        with self.lock:
            profile = self.profile(side)
            return self._latencies.lognormvariate(0.0, profile.sigma) * profile.median_ms / 1000

    def strikes(self, probability: float) -> bool:
        """One throw for an HTTP face; not part of the counters' dice."""
        with self.lock:
            return self._latencies.random() < probability

    # --- faults ---

    def inject(self, fault: Fault) -> Fault:
        """Let a fault happen from `start_s` (now when None; never in the past). Returns it with its times."""
        with self.lock:
            now_s = self.settle()
            placed = replace(fault, start_s=max(now_s, fault.start_s or 0.0))
            if placed.name is FaultName.FOREIGN_CHANGE:
                self._foreign.append(placed)
                self._foreign_changes_until(now_s)
            else:
                self._faults.append(placed)
            return placed

    def clear(self, name: FaultName | None = None) -> int:
        """End faults of that name (all when None) now; returns how many were ended or called off."""
        with self.lock:
            now_s = self.settle()
            kept: list[Fault] = []
            ended = 0
            for fault in self._faults:
                meant = name in (None, fault.name) and (fault.end_s is None or fault.end_s > now_s)
                ended += meant
                if not meant:
                    kept.append(fault)
                elif fault.active(now_s):
                    kept.append(replace(fault, end_s=now_s))
            self._faults = kept
            waiting = len(self._foreign) if name in (None, FaultName.FOREIGN_CHANGE) else 0
            self._foreign = [] if waiting else self._foreign
            return ended + waiting

    def active(
        self,
        name: FaultName,
        *,
        side: Side | None = None,
        service: Service | None = None,
        at_s: float | None = None,
    ) -> Fault | None:
        """The newest active fault of that name that strikes this side or service, if any.

        A fault without side and service strikes all.
        """
        with self.lock:
            moment_s = self.now_s if at_s is None else at_s
            for fault in reversed(self._faults):
                if fault.name is name and fault.active(moment_s) and _strikes(fault, side, service):
                    return fault
            return None

    def faults(self) -> tuple[Fault, ...]:
        """Every fault that is active or still to come."""
        with self.lock:
            now_s = self.now_s
            return tuple(
                fault
                for fault in (*self._faults, *self._foreign)
                if fault.end_s is None or fault.end_s > now_s
            )

    # --- flags ---

    def write(self, change: Callable[[FlagStore, datetime], None], flags: Sequence[str] = ()) -> None:
        """Change flags now: `change` gets the store and the instant.

        `flags` are those it touches; foreign changes that lie in wait for them wake up.
        """
        with self.lock:
            now_s = self.settle()
            change(self.flags, self.instant(now_s))
            self._wake(flags, now_s)

    def set_exposure(
        self, flag: str, percent: float, *, who: str = "admin", at_s: float | None = None
    ) -> None:
        """Switch a flag on at `percent`, as some person would. Raises KeyError."""
        seed = self.seeds[flag]
        with self.lock:
            at = self.instant(self.settle() if at_s is None else at_s)
            target = (seed.project, flag, seed.environment)
            author = Author() if who == "admin" else Author(name=who, user_id=7)
            environment = self.flags.environment(*target)
            patch = [{"op": "replace", "path": "/parameters/rollout", "value": f"{percent:g}"}]
            if environment.strategies:
                self.flags.patch_strategy(*target, environment.strategies[0].id, patch, author, at)
            else:
                body = {"name": "flexibleRollout", "parameters": {"rollout": f"{percent:g}"}}
                self.flags.add_strategy(*target, body, author, at)
            self.flags.switch(*target, True, author, at)

    def start_at(self, percents: Mapping[str, float]) -> None:
        """Put flags and their whole crowds there at once, as if they had been there for long."""
        for key, percent in percents.items():
            self.set_exposure(key, percent)
            with self.lock:
                self._crowds[key] = Crowd(percent / 100)
                self._built[key] = percent / 100
        with self.lock:
            self._counters |= settled(self._traffic())

    def _wake(self, flags: Sequence[str], now_s: float) -> None:
        """Turn foreign changes that wait for a write to one of these flags into changes with a time."""
        for fault in list(self._foreign):
            hit = next((flag for flag in flags if fault.flag in ("", flag)), None)
            if fault.on_write and hit is not None and (fault.start_s or 0.0) <= now_s:
                self._foreign.remove(fault)
                due_s = now_s + fault.seconds
                self._foreign.append(replace(fault, on_write=False, flag=hit, start_s=due_s))

    def _foreign_changes_until(self, now_s: float) -> None:
        due = [f for f in self._foreign if not f.on_write and (f.start_s or 0.0) <= now_s]
        for fault in sorted(due, key=lambda each: each.start_s or 0.0):
            self._foreign.remove(fault)
            flag = fault.flag or max(self.seeds, key=lambda key: self._history[key][-1].share)
            self.set_exposure(flag, fault.percent, who=fault.who, at_s=fault.start_s)

    def _flag_changed(self, name: str, at: datetime) -> None:
        seed = self.seeds.get(name)
        if seed is not None and self._source is None:
            share = self.flags.environment(seed.project, name, seed.environment).share()
            self._expose(name, share, (at - self._began_at).total_seconds())

    def _expose(self, flag: str, share: float, at_s: float) -> None:
        history = self._history[flag]
        if history[-1].share != share:
            history.append(_Exposure(at_s, share))

    def _configured(self, flag: str, at_s: float) -> float:
        """The exposure at that moment; forgets what no later step can ask for."""
        history = self._history[flag]
        while len(history) > 1 and history[1].at_s <= min(at_s, self._step * STEP_S):
            history.pop(0)
        return next(each.share for each in reversed(history) if each.at_s <= at_s)

    def _factor(self, name: FaultName, at_s: float) -> float:
        fault = self.active(name, at_s=at_s)
        return 1.0 if fault is None else fault.factor


def _strikes(fault: Fault, side: Side | None, service: Service | None) -> bool:
    if fault.side is None and fault.service is None:
        return True
    return (fault.side is not None and fault.side is side) or (
        fault.service is not None and fault.service is service
    )
