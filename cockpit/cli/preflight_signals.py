"""What `cockpit check` says of signals beyond their queries: who counts which side, what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from cockpit.adapters.base import AdapterError, Historian, Monitor, Preflight
from cockpit.adapters.signals.preflight import in_words
from cockpit.cli.preflight_hosts import Hosts
from cockpit.core.clock import Clock
from cockpit.core.model import Sample, Side
from cockpit.core.spec import Plan, ServiceSpec
from cockpit.core.trail import POINTS, start_trail
from cockpit.engine.questions import side_expressions
from cockpit.engine.recall import RECALL_LIMIT_S

_FIRST_MINUTE_S: Final = 60.0
_REMEMBERS: Final = "remembers the signals (drawn, never judged)"
_BEGINS: Final = "their history begins with the flight"


def sides(plan: Plan) -> list[Preflight]:
    """One line for every signal whose sides are counted by two monitors."""
    lines: list[Preflight] = []
    for signal in plan.signals:
        if len(signal.monitors) > 1:
            who = ", ".join(f"{side} by {signal.monitor_of(side)}" for side in Side)
            detail = f"{who}; both are asked in the same moment"
            subject = f"signal {signal.name}"
            lines.append(Preflight(subject=subject, question="two monitors", ok=True, detail=detail))
    return lines


async def past(
    plan: Plan, spec: ServiceSpec, monitor: Monitor, hosts: Hosts, clock: Clock
) -> list[Preflight]:
    """Ask for the past as a cockpit does once when it starts, and count that into its first minute.

    No past is no fault: the history on the screen begins with the flight then.
    """
    wanted = tuple(
        dict.fromkeys(
            each
            for signal in plan.signals
            for side in signal.sides_of(spec.name)
            for each in side_expressions(signal, side)
        )
    )
    if not wanted or not isinstance(monitor, Historian):
        return []
    end, step_s = clock.now(), start_trail(Side.NEW, spec.interval_s).step_s
    asked = monitor.history(wanted, start=end - timedelta(seconds=POINTS * step_s), end=end, step_s=step_s)
    try:
        async with asyncio.timeout(RECALL_LIMIT_S):
            told = await hosts.polled(f"past of {spec.name}, once", _FIRST_MINUTE_S, asked)
    except AdapterError as error:
        detail = f"{in_words(error)}; {_BEGINS}"
    except TimeoutError:
        detail = f"no answer in {RECALL_LIMIT_S:g} s; {_BEGINS}"
    else:
        detail = _told(told)
    return [Preflight(subject=f"monitor {spec.name}", question=_REMEMBERS, ok=True, detail=detail)]


def _told(told: Mapping[str, Sequence[Sample] | AdapterError]) -> str:
    kept = sum(1 for each in told.values() if not isinstance(each, AdapterError) and each)
    points = max((len(each) for each in told.values() if not isinstance(each, AdapterError)), default=0)
    rest = "" if kept == len(told) else f"; of the others {_BEGINS}"
    return f"{kept} of {len(told)} counters, up to {points} points{rest}"
