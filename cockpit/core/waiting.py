"""What an open rollback waits for, in words, for a person who reads lines and sees no countdown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cockpit.core.dataclass import dataclass
from cockpit.core.drain import DrainGauge, undrained
from cockpit.core.phrases import span
from cockpit.core.rollback import Rollback
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import StepKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One thing that the machine waits for; `figure` is how it stands now, and changes often."""

    what: str
    figure: str = ""

    @property
    def text(self) -> str:
        return f"{self.what} {self.figure}".rstrip()


def waits(rollback: Rollback, gauges: tuple[DrainGauge, ...], now: datetime) -> tuple[Wait, ...]:
    """Everything that evidence still has to bring about, the first of it first; empty when that is all done.

    What only a person can go on with is not in it.
    """
    return tuple(_waits(rollback, gauges, now))


def _waits(rollback: Rollback, gauges: tuple[DrainGauge, ...], now: datetime) -> Iterator[Wait]:
    open_keys = {step.key for step in rollback.steps if step.machine and not step.settled}
    for flip in rollback.flips:
        if not flip.at_zero and not flip.needs_person:
            yield Wait(what=f"{flip.flag} to be re-read as 0%")
    if StepKey.DRAIN in open_keys:
        for flip in rollback.flips:
            if flip.at_zero and flip.drained_at is None:
                yield Wait(what=f"the traffic of {flip.flag} to drain")
        for gauge in undrained(gauges, rollback, now) if rollback.flipped else ():
            yield Wait(what=f"{gauge.name} below {gauge.below:g} on the new side:", figure=_level(gauge, now))
    if StepKey.VERIFY in open_keys and rollback.flipped:
        yield Wait(what="legacy's probes in a row")
    if StepKey.ANNOUNCE in open_keys and rollback.flipped:
        yield Wait(what="the announcements")


def _level(gauge: DrainGauge, now: datetime) -> str:
    value = gauge.reading.fresh_value(now)
    ask = f", ask {gauge.owner}" if gauge.owner else ""
    return f"{'not read' if value is None else f'{value:g}'}{ask}"


def waiting_line(snapshot: Snapshot, waited: tuple[Wait, ...]) -> str:
    """`waiting, 12:41 left: sockets below 5 on the new side: 412, ask ana`."""
    rollback, now = snapshot.rollback, snapshot.engine_at
    left_s = rollback.left(now).total_seconds() if rollback is not None else 0.0
    time = f"{span(left_s)} left" if left_s >= 0 else f"{span(-left_s)} over its time"
    return f"waiting, {time}: {'; '.join(wait.text for wait in waited)}"
