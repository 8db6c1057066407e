"""`cockpit check`: ask every configured service, change nothing, and say in one line each what was found.

Exit 1 when something a cutover needs is not there, above all a lever that could not be pulled; 3 when nothing
is wrong but something could not be found out; 0 when everything answered as it should. Warnings of what the
plan itself leaves open change no exit code.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from typing import Final

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.unavailable import Unavailable
from cockpit.cli import preflight_signals
from cockpit.cli.output import say, say_folded
from cockpit.cli.preflight_hosts import CLOCK_LIMIT_S, Hosts
from cockpit.cli.preflight_parity import ParityChecks
from cockpit.cli.wiring import Builder, plan_secrets
from cockpit.core.model import Health, ProbeValue, Side
from cockpit.core.spec import FlagSpec, Plan, ProbeSpec, ServiceSpec, StepKey
from cockpit.core.textual_release import unknown_release
from cockpit.engine.clock import SystemClock
from cockpit.engine.questions import expressions
from cockpit.engine.sources import Sources
from cockpit.plan.foresight import Warned, foresee
from cockpit.plan.values import duration_text

HANGING: Final = 6
_SUBJECT: Final = 26
_ELSEWHERE = "the way back works while the new backend is down"
_INSIDE = "its lever is a part of the new backend: give it a second one that lives elsewhere"
MARK = {True: "ok  ", False: "FAIL", None: "?   "}


def preflight(plan: Plan) -> int:
    """Run every check and print it; the exit code."""
    lines = asyncio.run(_ask(plan))
    width = min(_SUBJECT, max(len(line.subject) for line in lines))
    for line in lines:
        detail = f": {line.detail}" if line.detail else ""
        say_folded(f"{MARK[line.ok]}  {line.subject:<{width}}  {line.question}{detail}", hanging=HANGING)
    warnings = (*foresee(plan), *_screen(version("textual")))
    for warned in warnings:
        say_folded(f"warn  {warned.subject:<{width}}  {warned.text}", hanging=HANGING)
    failed = sum(line.ok is False for line in lines)
    unknown = sum(line.ok is None for line in lines)
    rest = f", {len(warnings)} warned of" if warnings else ""
    say(f"{len(lines) - failed - unknown} ok, {failed} failed, {unknown} could not be found out{rest}")
    return 1 if failed else 3 if unknown else 0


def _screen(textual: str) -> tuple[Warned, ...]:
    """What a person on a slow link would feel, and find no reason for."""
    because = unknown_release(textual)
    text = f"plain output, slow over a slow link: {because}"
    return (Warned(subject="screen", text=text),) if because else ()


async def _ask(plan: Plan) -> list[Preflight]:
    hosts = Hosts(SystemClock())
    sources = Builder(secret=plan_secrets(plan), read_only=False, heard=hosts.heard)(plan)
    parity = ParityChecks(sources)
    try:
        groups = await asyncio.gather(
            *(_service(sources, plan, service, hosts) for service in plan.flag_services),
            *(_monitor(sources, plan, monitor, hosts) for monitor in plan.monitors),
            *(_probe(sources, spec, hosts) for backend in plan.backends for spec in backend.probes),
        )
        compared = await asyncio.gather(
            *(hosts.polled(f"parity {spec.name}", spec.interval_s, parity.ask(spec)) for spec in plan.parity)
        )
    finally:
        await sources.aclose()
    asked = [line for group in groups for line in group]
    rest = (
        *preflight_signals.sides(plan),
        *_gauges(plan),
        *_second_levers(plan, sources),
        *parity.stores(),
        *compared,
        *_hooks(sources, plan),
    )
    return [*asked, *rest, *hosts.lines()]


def _gauges(plan: Plan) -> list[Preflight]:
    """What the step drain will wait for; whether it can be read is said with its monitor."""
    lines: list[Preflight] = []
    drains = any(step.key is StepKey.DRAIN for step in plan.rollback.steps)
    for gauge in plan.rollback.drain:
        holds = "the step drain waits for it" if drains and gauge.side is Side.NEW else "only shown"
        owner = f", ask {gauge.owner}" if gauge.owner else ""
        detail = f"{gauge.side}, below {gauge.below:g} by {gauge.monitor}; {holds}{owner}"
        lines.append(Preflight(subject=f"drain {gauge.name}", question="gauge", ok=True, detail=detail))
    return lines


def _hooks(sources: Sources, plan: Plan) -> list[Preflight]:
    """Whether every announcement has its secrets and an address. Nothing is sent."""
    lines: list[Preflight] = []
    for hook in plan.announce:
        built = sources.announcers[hook.name]
        missing = built.reason if isinstance(built, Unavailable) else None
        detail = (
            f"try it with cockpit announce --test {shlex.quote(hook.name)}" if missing is None else missing
        )
        question = "has what it needs (nothing was sent)"
        lines.append(
            Preflight(subject=f"announce {hook.name}", question=question, ok=missing is None, detail=detail)
        )
    return lines


def _second_levers(plan: Plan, sources: Sources) -> list[Preflight]:
    """Which lever each flag has besides its first one, and whether it could be pulled from here."""
    lines: list[Preflight] = []
    for flag in plan.flags:
        second = flag.second
        if plan.falls_with_new(flag):
            lines.append(Preflight(subject=f"flag {flag.key}", question=_ELSEWHERE, ok=None, detail=_INSIDE))
        if second is None:
            continue
        takes = duration_text(second.takes_s)
        detail = f"by hand, {takes}: {second.manual}" if second.manual else f"{second.service}, {takes}"
        ok = bool(second.manual) or second.service in sources.writers
        along = _moved_along(plan, flag)
        detail += f"; pulling it takes {', '.join(along)} along" if along else ""
        lines.append(Preflight(subject=f"flag {flag.key}", question="second lever", ok=ok, detail=detail))
    return lines


def _moved_along(plan: Plan, flag: FlagSpec) -> list[str]:
    """Other flags that stand behind the same handle: one switch of a balancer for a whole side, say."""
    second = flag.second
    if second is None or second.manual:
        return []
    handle = (second.service, second.key)
    others = [each for each in plan.flags if each.key != flag.key]
    return [
        each.key
        for each in others
        if handle == (each.service, each.key)
        or (each.second is not None and handle == (each.second.service, each.second.key))
    ]


async def _service(sources: Sources, plan: Plan, service: ServiceSpec, hosts: Hosts) -> Sequence[Preflight]:
    name, keys = service.name, plan.keys_in(service.name)
    subject, reader, writer = f"flags {name}", sources.readers[name], sources.writers.get(name)
    looks = _guarded(subject, reader.preflight(keys))
    lines = [*await (hosts.polled(subject, service.interval_s, looks, lever=True) if keys else looks)]
    if writer is None:
        detail = "the plan names nothing to write with: this cockpit can watch but not roll back"
        lines.append(Preflight(subject=subject, question="may write", ok=False, detail=detail))
    else:
        lines.extend(await _guarded(subject, writer.preflight(keys)))
    return lines if len(plan.flag_services) == 1 else _named(lines, name, subject)


async def _monitor(sources: Sources, plan: Plan, spec: ServiceSpec, hosts: Hosts) -> Sequence[Preflight]:
    subject, asked, monitor = (
        f"monitor {spec.name}",
        expressions(plan, spec.name),
        sources.monitors[spec.name],
    )
    looks = _guarded(subject, monitor.preflight(asked))
    lines = await (hosts.polled(subject, spec.interval_s, looks) if asked else looks)
    if all(line.ok for line in lines[:1]):
        lines = [*lines, *await preflight_signals.past(plan, spec, monitor, hosts, SystemClock())]
    return lines if len(plan.monitors) == 1 else _named(lines, spec.name, subject)


def _named(lines: Sequence[Preflight], name: str, own: str) -> Sequence[Preflight]:
    """Where there are several sources, an address or a key alone does not say whose line it is."""
    return [
        line if line.subject == own else replace(line, subject=f"{name}: {line.subject}") for line in lines
    ]


async def _guarded(subject: str, work: Awaitable[Sequence[Preflight]]) -> Sequence[Preflight]:
    try:
        return await work
    except AdapterError as error:
        detail = f"{error.failure.title} {error.failure.detail}".strip()
        return [Preflight(subject=subject, question="answers", ok=False, detail=detail)]


async def _probe(sources: Sources, spec: ProbeSpec, hosts: Hosts) -> Sequence[Preflight]:
    """A server that is not asked over HTTP may tell the time too; of the others, the host's line says it."""
    subject = f"{spec.side} {spec.name}"
    clock = SystemClock()
    probe = sources.probes[spec.side, spec.name]
    try:
        value = await hosts.polled(subject, spec.interval_s, probe.probe())
    except AdapterError as error:
        detail = f"{error.failure.title} {error.failure.detail}".strip()
        return [Preflight(subject=subject, question="answers", ok=None, detail=detail)]
    lines = [_health(subject, value)]
    if value.server_time is not None and not hosts.asked(subject):
        lines.append(_clock(subject, value.server_time, clock.now()))
    return lines


def _health(subject: str, value: ProbeValue) -> Preflight:
    ok = {Health.OK: True, Health.DEGRADED: True, Health.DOWN: False}.get(value.health)
    facts = ", ".join(f"{name} {text}" for name, text in value.facts)
    parts = (value.health.value, value.detail, f"({facts})" if facts else "")
    words = " ".join(part for part in parts if part)
    return Preflight(subject=subject, question="is healthy and who it says it is", ok=ok, detail=words)


def _clock(subject: str, server: datetime, now: datetime) -> Preflight:
    """Times are told in whole seconds, so half a second more than the limit is allowed."""
    skew_s = (server - now).total_seconds() + 0.5
    ok = abs(skew_s) <= CLOCK_LIMIT_S + 0.5
    return Preflight(
        subject=subject, question="clocks within a second", ok=ok, detail=f"differs by {skew_s:+.1f} s"
    )
