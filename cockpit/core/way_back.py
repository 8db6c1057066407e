"""Can we still go back? One light made of everything that a rollback would stand on. Pure.

BAD says that the way back is broken or too long untried, UNKNOWN that nobody can see whether it is; both
shut the gate for forward moves, and neither ever stands in the way of a rollback.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.figures import length
from cockpit.core.model import Health, Reading
from cockpit.core.snapshot import GateResult, Level, WayBackLine
from cockpit.core.spec import Plan, ReadySpec

_DAY_S: Final = 86_400.0
_WORST_FIRST: Final = (Level.BAD, Level.UNKNOWN, Level.WARN, Level.NOTE, Level.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverFact:
    """One flag's way to zero. second: its second lever in words, empty for none; second_readable and
    second_writable are None where that lever is a manual act. falls_with_new: no lever of the flag lives
    elsewhere than in the new backend."""

    flag: str
    readable: bool
    writable: bool
    trouble: str = ""
    second: str = ""
    second_readable: bool | None = None
    second_writable: bool | None = None
    falls_with_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBackFacts:
    """last_drill_at: when this plan was last drilled with success on this host, None for never.

    figures: per name of a `ReadySpec`, the newest reading.
    """

    now: datetime
    legacy: Health
    legacy_text: str
    levers: Sequence[LeverFact]
    figures: Sequence[tuple[ReadySpec, Reading[float]]]
    last_drill_at: datetime | None
    drives: bool


def way_back(plan: Plan, facts: WayBackFacts) -> tuple[WayBackLine, ...]:
    """Every line, the worst first."""
    found = [
        *_no_return(plan, facts.now),
        _legacy(facts),
        *_levers(facts),
        *(_figure(spec, reading, facts.now) for spec, reading in facts.figures),
        _drill(plan, facts),
    ]
    return tuple(sorted(found, key=lambda line: _WORST_FIRST.index(line.level)))


def way_back_gate(lines: Sequence[WayBackLine]) -> GateResult:
    name = "way back"
    shut = [line for line in lines if line.level in (Level.BAD, Level.UNKNOWN)]
    if not shut:
        return GateResult(name=name, met=True, text="the way back is open")
    more = f" (and {len(shut) - 1} more)" if len(shut) > 1 else ""
    return GateResult(name=name, met=False, text=f"way back: {shut[0].title}: {shut[0].text}{more}")


def _line(level: Level, title: str, text: str, *, told_elsewhere: bool = False) -> WayBackLine:
    return WayBackLine(level=level, title=title, text=text, told_elsewhere=told_elsewhere)


def _no_return(plan: Plan, now: datetime) -> Iterator[WayBackLine]:
    limit = plan.rollback.point_of_no_return_at
    if limit is None:
        return
    left_s = (limit - now).total_seconds()
    if left_s <= 0:
        yield _line(Level.BAD, "point of no return", f"passed {length(-left_s)} ago")
    else:
        level = Level.WARN if left_s < _DAY_S else Level.OK
        yield _line(level, "point of no return", f"in {length(left_s)}")


def _legacy(facts: WayBackFacts) -> WayBackLine:
    level = {
        Health.OK: Level.OK,
        Health.DEGRADED: Level.WARN,
        Health.DOWN: Level.BAD,
        Health.UNKNOWN: Level.UNKNOWN,
    }[facts.legacy]
    return _line(level, "legacy", facts.legacy_text, told_elsewhere=True)


def _levers(facts: WayBackFacts) -> Iterator[WayBackLine]:
    for lever in facts.levers:
        title = f"lever {lever.flag}"
        if not lever.readable:
            yield _line(Level.UNKNOWN, title, f"cannot be read: {lever.trouble}", told_elsewhere=True)
        elif not lever.writable and facts.drives:
            some = any(other.writable for other in facts.levers)
            level = Level.BAD if some else Level.WARN  # without any, nothing goes forward from here anyway
            helps = "D takes the seat in one that has it"
            yield _line(level, title, f"this cockpit has no right to write it: {helps}")
        else:
            yield _line(Level.OK, title, "can be read and written" if lever.writable else "can be read")
        yield _second(lever)


def _second(lever: LeverFact) -> WayBackLine:
    title = f"second lever {lever.flag}"
    if not lever.second:
        if lever.falls_with_new:
            return _line(Level.WARN, title, "none, and the first one goes down with the new backend")
        return _line(Level.NOTE, title, "none in the plan")
    if lever.second_readable is False:
        return _line(Level.WARN, title, f"{lever.second}: cannot be read now")
    if lever.second_writable is False:
        return _line(Level.WARN, title, f"{lever.second}: this cockpit has no right to write it")
    return _line(Level.OK, title, lever.second)


def _figure(spec: ReadySpec, reading: Reading[float], now: datetime) -> WayBackLine:
    value = reading.fresh_value(now)
    if value is None:
        trouble = reading.failure.title if reading.failure is not None else "no fresh answer"
        state = "never read" if reading.value is None else "not read any more"
        return _line(Level.UNKNOWN, spec.title, f"{state}: {trouble}")
    words = f"{_amount(value, spec.unit)}, at most {_amount(spec.at_most, spec.unit)}"
    return _line(Level.OK if value <= spec.at_most else Level.BAD, spec.title, words)


def _amount(value: float, unit: str) -> str:
    return length(value) if unit == "s" else f"{value:g}{f' {unit}' if unit else ''}"


def _drill(plan: Plan, facts: WayBackFacts) -> WayBackLine:
    title, limit_s = "last drill", plan.rollback.drill_within_s
    if facts.last_drill_at is None:
        level = Level.NOTE if limit_s is None else Level.BAD
        return _line(level, title, "never passed on this host")
    age_s = max(0.0, (facts.now - facts.last_drill_at).total_seconds())
    words = f"passed {length(age_s)} ago"
    if limit_s is not None and age_s > limit_s:
        return _line(Level.BAD, title, f"{words}, {length(limit_s)} allowed")
    return _line(Level.OK, title, words)
