"""What is known of the drain gauges: the newest reading of each, and its polls in a row.

They are asked with everything else that their monitor is asked; `Senses` hands over what came of it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import field

from cockpit.core.clocks import along
from cockpit.core.dataclass import dataclass, replace
from cockpit.core.drain import DrainGauge
from cockpit.core.model import Reading
from cockpit.core.spec import Plan

HISTORY = 40


@dataclass(slots=True)
class GaugeSense:
    """polls: as in `DrainGauge`."""

    reading: Reading[float]
    polls: deque[tuple[int, float | None]] = field(default_factory=lambda: deque(maxlen=HISTORY))

    def take(self, reading: Reading[float], after: int) -> None:
        """One poll is over. A failed one breaks the row: nobody saw what was left then."""
        self.reading = reading
        self.polls.append((after, reading.value if reading.failure is None else None))


def adopt(senses: dict[str, GaugeSense], plan: Plan) -> None:
    intervals = {monitor.name: monitor.interval_s for monitor in plan.monitors}
    for spec in plan.rollback.drain:
        sense = senses.setdefault(spec.name, GaugeSense(Reading()))
        sense.reading = replace(sense.reading, interval_s=intervals[spec.monitor])


def prove_nothing(senses: dict[str, GaugeSense]) -> None:
    for sense in senses.values():
        sense.polls = deque(((0, value) for _, value in sense.polls), maxlen=HISTORY)


def clock_set_back(senses: dict[str, GaugeSense], by_s: float) -> None:
    for sense in senses.values():
        sense.reading = along(sense.reading, by_s)


def drawn(senses: dict[str, GaugeSense], plan: Plan) -> tuple[DrainGauge, ...]:
    """Every gauge of the plan with what is known of it, in the order of the plan."""
    return tuple(
        DrainGauge(
            name=spec.name,
            side=spec.side,
            below=spec.below,
            owner=spec.owner,
            flag=spec.flag,
            needed=plan.rollback.drain_polls,
            reading=senses[spec.name].reading,
            polls=tuple(senses[spec.name].polls),
        )
        for spec in plan.rollback.drain
    )
