"""A plan's queries in the practice world: kept where the world can answer them, else replaced by role.

A team's own plan asks for its own metrics. So that a drill can fly on it, a query that the small
evaluator does not know, or that matches no counter of the world, becomes the counter that plays the
same part here: failed, slow or unsynced requests of a side, requests of a flag, writes on the new side, and
for a drain gauge the pages it counts, or what its name speaks of: streams, webhooks, or else jobs. A limit
that this world breaks in good health is raised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cockpit.core.model import Side
from cockpit.core.spec import DrainSpec, FlagSpec, PairQuery, Plan, SignalSpec, WriteCounter
from cockpit.practice.convex_inside import JOBS_TABLE
from cockpit.practice.leftovers import GAUGES, JOBS, OLD_PAGES, STREAMS, WEBHOOKS, nothing_left
from cockpit.practice.promql import BadQuery, evaluate
from cockpit.practice.traffic import HELP, REQUESTS, SLOW, SYNC, WRITES, Series, initial_counters

LEAST_LIMIT_PCT: Final = 5.0
_SLOW_WORDS: Final = re.compile(r"slow|latenc|duration|p\d\d|\bms\b", re.IGNORECASE)
_SYNC_WORDS: Final = re.compile(r"sync|replic|mismatch|parity", re.IGNORECASE)
_STREAM_WORDS: Final = re.compile(r"stream|socket|connection|session|client|\blive", re.IGNORECASE)
_HOOK_WORDS: Final = re.compile(r"hook|deliver|mail|push|outbox", re.IGNORECASE)


def answerable(plan: Plan) -> Plan:
    """The same plan with every query answered by the practice world."""
    keys = [flag.key for flag in plan.flags]
    counters = initial_counters(keys) | nothing_left(keys)
    convex = [monitor.name for monitor in plan.monitors if monitor.kind == "convex"]
    played = [monitor.name for monitor in plan.monitors if monitor.kind != "convex"]
    return replace(
        plan,
        flags=tuple(_flag(flag, counters) for flag in plan.flags),
        signals=tuple(_signal(signal, counters, played) for signal in plan.signals),
        rollback=replace(
            plan.rollback,
            write_counters=tuple(
                _document_count(each) if each.monitor in convex else _counter(each, counters)
                for each in plan.rollback.write_counters
            ),
            drain=tuple(
                _drain(each, counters, of_convex=each.monitor in convex) for each in plan.rollback.drain
            ),
        ),
    )


def _known(query: str, counters: dict[Series, int]) -> bool:
    """Whether the world gives one number for it, and not only a constant such as `vector(0)`."""
    if not any(name in query for name in (*HELP, *GAUGES)):
        return False
    try:
        value = evaluate(query, counters)
    except BadQuery:
        return False
    return not isinstance(value, dict) or len(value) == 1


def _flag(flag: FlagSpec, counters: dict[Series, int]) -> FlagSpec:
    traffic = flag.traffic
    if traffic is None or (_known(traffic.legacy, counters) and _known(traffic.new, counters)):
        return flag

    def served(side: Side) -> str:
        return f'sum({REQUESTS}{{flag="{flag.key}",backend="{side}"}})'

    return replace(flag, traffic=replace(traffic, legacy=served(Side.LEGACY), new=served(Side.NEW)))


def _signal(signal: SignalSpec, counters: dict[Series, int], played: Sequence[str]) -> SignalSpec:
    """played: the monitors that the world's Prometheus plays; a new query is asked of one of these."""
    if signal.limit is not None and signal.limit.max_pct < LEAST_LIMIT_PCT:
        signal = replace(signal, limit=replace(signal.limit, max_pct=LEAST_LIMIT_PCT))
    asked = (signal.legacy.bad, signal.legacy.total, signal.new.bad, signal.new.total)
    if all(_known(query, counters) for query in asked):
        return signal
    words = f"{signal.name} {signal.title}"
    monitor = next((name for name in (*signal.monitors, *played) if name in played), signal.monitors[0])
    return replace(signal, monitor=monitor, legacy=_pair(words, Side.LEGACY), new=_pair(words, Side.NEW))


def _pair(words: str, side: Side) -> PairQuery:
    total = f'sum({REQUESTS}{{backend="{side}"}})'
    if _SLOW_WORDS.search(words):
        return PairQuery(bad=f'sum({SLOW}{{backend="{side}"}})', total=total)
    if _SYNC_WORDS.search(words):
        synced = f'{SYNC}{{backend="{side}"'
        return PairQuery(bad=f'sum({synced},outcome="error"}})', total=f"sum({synced}}})")
    return PairQuery(bad=f'sum({REQUESTS}{{backend="{side}",outcome="error"}})', total=total)


def _counter(counter: WriteCounter, counters: dict[Series, int]) -> WriteCounter:
    if _known(counter.query, counters):
        return counter
    return replace(counter, query=f'sum({WRITES}{{backend="new"}})')


def _drain(gauge: DrainSpec, counters: dict[Series, int], *, of_convex: bool) -> DrainSpec:
    if of_convex:
        return replace(gauge, query=f"table_size:{JOBS_TABLE}")
    if gauge.flag:
        return replace(gauge, query=f'sum({OLD_PAGES}{{flag="{gauge.flag}"}})')
    if _known(gauge.query, counters):
        return gauge
    words = f"{gauge.name} {gauge.query}"
    left = STREAMS if _STREAM_WORDS.search(words) else WEBHOOKS if _HOOK_WORDS.search(words) else JOBS
    return replace(gauge, query=f'sum({left}{{backend="{gauge.side}"}})')


def _document_count(counter: WriteCounter) -> WriteCounter:
    """The world's deployment has tables of its own, and no functions that count."""
    return replace(counter, query="table_size:chats")
