"""What the parity checks last found. A look asks both sides' stores; nothing here judges or writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cockpit.adapters.base import AdapterError
from cockpit.core.clock import Clock
from cockpit.core.clocks import ClockPair, along, seen_at
from cockpit.core.model import Failure, Reading
from cockpit.core.parity import ParityValue
from cockpit.core.parity_spec import ParitySpec
from cockpit.core.spec import Plan
from cockpit.engine.parity_look import look
from cockpit.engine.sources import Sources


class ParitySenses:
    """Used from the engine's thread only. `changed` is told which check has news."""

    def __init__(self, clock: Clock, changed: Callable[[str], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._origins: dict[str, object] = {}
        self.readings: dict[str, Reading[ParityValue]] = {}

    def ask_through(self, sources: Sources) -> None:
        self._sources = sources

    def adopt(self, plan: Plan) -> None:
        """Look by this plan from now on. What was found is kept where the question and its stores stay."""
        stores = {store.name: (store.kind, store.settings) for store in plan.stores}
        origins: dict[str, object] = {
            spec.name: (spec, stores[spec.legacy.store], stores[spec.new.store]) for spec in plan.parity
        }
        kept = {name: self.readings[name] for name in origins if origins[name] == self._origins.get(name)}
        fresh: dict[str, Reading[ParityValue]] = {
            spec.name: Reading(interval_s=spec.interval_s) for spec in plan.parity
        }
        self._origins, self.readings = origins, {**fresh, **kept}

    async def look(self, spec: ParitySpec) -> Failure | None:
        """One look of one check."""
        asked = ClockPair.of(self._clock)
        stores = self._sources.stores
        try:
            value = await look(spec, stores[spec.legacy.store], stores[spec.new.store])
        except AdapterError as error:
            self.failed(spec, error.failure)
            return error.failure
        now = ClockPair.of(self._clock)
        self.readings[spec.name] = replace(
            self.readings[spec.name],
            value=value,
            observed_at=seen_at(asked, now, spec.interval_s),
            took_s=now.steady_s - asked.steady_s,
            failure=None,
            failing_since=None,
            attempted_at=asked.wall,
        )
        self._changed(f"parity/{spec.name}")
        return None

    def clock_set_back(self, by_s: float) -> None:
        """Ages stay what they are."""
        self.readings = along(self.readings, by_s)

    def failed(self, spec: ParitySpec, failure: Failure) -> None:
        now, reading = self._clock.now(), self.readings[spec.name]
        since = reading.failing_since or now
        self.readings[spec.name] = replace(reading, failure=failure, failing_since=since, attempted_at=now)
        self._changed(f"parity/{spec.name}")
