"""Everything known of one row, in words: raw values, sources, ages, last errors, gates, history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from cockpit.core.figures import amount, length
from cockpit.core.model import Quality, Side
from cockpit.core.snapshot import (
    FlagStatus,
    GateResult,
    JournalLine,
    ProbeStatus,
    SideRate,
    SignalStatus,
    Snapshot,
)
from cockpit.face.subject import Subject, Topic
from cockpit.face.view import (
    LEVEL_WORD,
    NOTHING,
    Line,
    Role,
    Segment,
    age,
    clip,
    clock_text,
    count,
    evidence_bar,
    milliseconds,
    percent,
    rate,
    safe,
    since,
    sparkline,
    stage_bar,
    text_of,
    time_left,
)
from cockpit.face.view_backends import by_side, probe_word
from cockpit.face.view_checklist import item_page
from cockpit.face.view_drain import UNCOUNTED, why_blind
from cockpit.face.view_history import history_page
from cockpit.face.view_lines import wrapped
from cockpit.face.view_page import LABEL, plain, reading_lines, section, stated
from cockpit.face.view_parity_detail import parity_page
from cockpit.face.view_rollout import alarm_lines, flag_word, stage_words
from cockpit.face.view_signals import sides_ratio, signal_word, to_verdict

_BAR: Final = 40


def detail_title(subject: Subject) -> str:
    return f"{subject.topic.capitalize()} {safe(subject.key)}"


def detail_lines(subject: Subject, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    """The page of one subject; it says so when the thing is no longer there."""
    if subject.topic is Topic.FLAG:
        back = way_back_lines(snapshot)
        lines = [
            (*_flag(each, now), *_old_pages(each, snapshot, now), *back)
            for each in snapshot.flags
            if each.key == subject.key
        ]
    elif subject.topic is Topic.PROBE:
        lines = [_probe(each, now) for each in _probes(snapshot, subject.key)]
    elif subject.topic is Topic.SIGNAL:
        moves = tuple(flag.stage_since for flag in snapshot.flags if flag.stage_since is not None)
        lines = [_signal(each, now, width, moves) for each in snapshot.signals if each.name == subject.key]
    elif subject.topic is Topic.PARITY:
        lines = [parity_page(each, now, width) for each in snapshot.parity if each.name == subject.key]
    elif subject.topic is Topic.ITEM:
        lines = [item_page(each, now, width) for each in snapshot.checklist if each.name == subject.key]
    else:
        lines = [_entry(each, width) for each in snapshot.tail if str(each.seq) == subject.key]
    if not lines:
        return ((("no longer in the picture", Role.UNKNOWN),),)
    return tuple(clip(line, width) for line in lines[0])


def _probes(snapshot: Snapshot, key: str) -> Iterable[ProbeStatus]:
    side, _, name = key.partition("/")
    backend = by_side(snapshot, Side(side)) if side in tuple(Side) else None
    return [probe for probe in backend.probes if probe.name == name] if backend is not None else []


# --- flag ------------------------------------------------------------------------------------------


def _flag(flag: FlagStatus, now: datetime) -> tuple[Line, ...]:
    value, share = flag.configured.value, flag.observed.value
    marks = tuple(stage.percent for stage in flag.stages)
    bar = stage_bar(marks, value.exposure if value else None, share.percent if share else None, _BAR)
    observed = (
        f"{share.percent}  {count(share.new_events)} new of "
        f"{count(share.new_events + share.legacy_events)} events in {length(share.window_s)}"
        if share is not None
        else NOTHING
    )
    return (
        stated("state", flag_word(flag, now).segment, (f"  {stage_words(flag)}", Role.TEXT)),
        stated("", *bar),
        *alarm_lines(flag, now),
        *section("Three numbers"),
        plain("asked", percent(flag.asked) if flag.asked is not None else "nothing asked in this flight"),
        plain("configured", percent(value.exposure) if value is not None else NOTHING),
        plain("observed", observed if flag.observable else "not observable: the plan names no traffic query"),
        plain(
            "differ since", since(flag.differs_since, now) if flag.differs_since else "they agree", Role.DIM
        ),
        *section("Flag service"),
        plain("service", flag.service),
        plain("title", flag.title),
        *_configured(flag, now),
        *reading_lines(flag.configured, now),
        *_second(flag, now),
        *section("Observed traffic"),
        *reading_lines(flag.observed, now),
        *section("Stages"),
        *_stages(flag, now),
        *section("Gates for the next stage"),
        *_gates(flag.gates, now),
    )


def _second(flag: FlagStatus, now: datetime) -> Iterable[Line]:
    """The second lever: what it is, how long it takes, how it reads, and whether it could be pulled."""
    lever = flag.second
    if lever is None:
        return
    yield from section("Second lever")
    yield plain("takes", f"{lever.takes_s:g} s, as the plan has measured it")
    if lever.offer:
        yield stated("offered", (lever.offer, Role.BAD))
    if lever.barred:
        yield stated("not from here", (lever.barred, Role.WARN))
    if lever.manual:
        yield plain("by hand", lever.manual)
        return
    yield plain("service", f"{lever.service}, there {lever.key}")
    value = lever.reading.value
    yield plain("configured", percent(value.exposure) if value is not None else NOTHING)
    yield from reading_lines(lever.reading, now)


def _configured(flag: FlagStatus, now: datetime) -> Iterable[Line]:
    value = flag.configured.value
    if value is None:
        return
    stored = "not one plain percentage" if value.percent is None else str(value.percent)
    yield plain("raw value", f"{'on' if value.on else 'off'}, stored {stored}")
    yield plain("revision", value.revision or "the service tells none")
    yield plain("changed by", value.changed_by or "the service does not tell")
    if value.changed_at is not None:
        yield plain(
            "changed", f"{since(value.changed_at, now)} ago, {value.changed_at:%Y-%m-%d %H:%M:%S} UTC"
        )
    for complexity in value.complexities:
        yield plain("not plain", complexity, Role.WARN)
    yield plain("writable", "yes" if flag.writable else "no: this cockpit cannot write it")
    if flag.falls_with_new:
        yield plain("way back", "goes down with the new backend: it has no lever elsewhere", Role.WARN)


def _old_pages(flag: FlagStatus, snapshot: Snapshot, now: datetime) -> Iterable[Line]:
    """For a switch that is built into pages: how many clients run a bundle that is not served any more."""
    gauge = next((each for each in snapshot.gauges if each.flag == flag.key), None)
    if gauge is None and not flag.in_pages:
        return
    yield from section("Pages that have to be reloaded")
    if gauge is None:
        yield plain("old bundle", f"unknown: {UNCOUNTED}", Role.UNKNOWN)
        return
    left = gauge.reading.fresh_value(now)
    if left is None:
        yield plain("old bundle", f"unknown: {why_blind(gauge)}", Role.UNKNOWN)
    else:
        gone = left < gauge.below
        words = f"{amount(left)} clients still run it; below {amount(gauge.below)} counts as none"
        yield plain("old bundle", words, Role.TEXT if gone else Role.WARN)
    yield from reading_lines(gauge.reading, now)


def _stages(flag: FlagStatus, now: datetime) -> Iterable[Line]:
    for index, stage in enumerate(flag.stages):
        here = index == flag.stage
        held = f", hold {age(stage.hold_s)}" if stage.hold_s else ""
        role = Role.STRONG if here else Role.DIM
        words = f"{stage.percent}  {safe(stage.cohort)}{held}"
        yield stated(f"{'▸ ' if here else '  '}stage {index + 1}", (words, role))
    if flag.hold_until is not None:
        left_s = (flag.hold_until - now).total_seconds()
        yield plain("hold", f"{time_left(left_s)} left" if left_s > 0 else "over")
    if flag.depends_on:
        yield plain("after", ", ".join(flag.depends_on))


def _gates(gates: Iterable[GateResult], now: datetime) -> Iterable[Line]:
    shown = False
    for gate in gates:
        shown = True
        word: Segment = ("✓ met      ", Role.OK) if gate.met else ("✗ not met  ", Role.WARN)
        wait = ""
        if not gate.met and gate.met_at is not None:
            wait = f"  possible in {time_left((gate.met_at - now).total_seconds())}"
        yield (word, (safe(gate.text), Role.TEXT), (wait, Role.NOTE))
    if not shown:
        yield (("no gate is told", Role.DIM),)


def way_back_lines(snapshot: Snapshot) -> tuple[Line, ...]:
    """Everything that a rollback would stand on, the worst first."""
    if not snapshot.way_back:
        return ()
    rows = (
        (
            (f"{LEVEL_WORD[line.level]!s:<11}", LEVEL_WORD[line.level].role),
            (safe(f"{line.title}: {line.text}"), Role.TEXT),
        )
        for line in snapshot.way_back
    )
    return (*section("Can we still go back?"), *rows)


# --- probe -----------------------------------------------------------------------------------------


def _probe(probe: ProbeStatus, now: datetime) -> tuple[Line, ...]:
    value = probe.reading.value
    seen = [latency for latency in probe.history if latency is not None]
    span = f"  {milliseconds(min(seen))} to {milliseconds(max(seen))}" if seen else ""
    said: tuple[Line, ...] = ()
    if value is not None:
        clock = "" if value.server_time is None else f"{clock_text(value.server_time)} UTC"
        said = (
            plain("says", value.detail),
            plain("latency", milliseconds(value.latency_ms)),
            *(plain(name, text) for name, text in value.facts),
            *((plain("its clock", clock),) if clock else ()),
        )
    return (
        stated("state", probe_word(probe, now).segment),
        plain("backend", probe.side),
        plain("kind", probe.kind),
        plain("required", "yes: it gates forward moves" if probe.required else "no"),
        plain("passes in a row", str(probe.passes)),
        *section("Last answer"),
        *said,
        *reading_lines(probe.reading, now),
        *section("History"),
        stated(
            "latency",
            (sparkline(probe.history, min(_BAR, max(1, len(probe.history)))), Role.TEXT),
            (span, Role.DIM),
        ),
        plain("no answer", str(len(probe.history) - len(seen)) + f" of the last {len(probe.history)} polls"),
    )


# --- signal ----------------------------------------------------------------------------------------


def _signal(signal: SignalStatus, now: datetime, width: int, moves: Sequence[datetime]) -> tuple[Line, ...]:
    evidence = signal.evidence
    bar = evidence_bar(evidence.fill_regressed, evidence.fill_not_worse, _BAR + 1)
    limit = (
        (signal.limit_text or rate(signal.limit_pct)) if signal.limit_pct is not None else "none in the plan"
    )
    breached = "  BREACHED" if signal.limit_breached else ""
    return (
        stated("state", signal_word(signal, now).segment, (f"  {safe(evidence.text)}", Role.TEXT)),
        stated("", ("REGRESSED ", Role.DIM), *bar, (" NOT WORSE", Role.DIM)),
        plain("since", since(evidence.since, now)),
        plain("time to verdict", to_verdict(signal)[0] or "there is one"),
        stated("hard limit", (safe(limit), Role.TEXT), (breached, Role.BAD)),
        plain("required", "yes: it gates forward moves" if signal.required else "no"),
        plain("when worse", "proposes a rollback" if signal.proposes_rollback else "warns only"),
        *section(f"Rates over the last {age(signal.window_s)}"),
        _side_rate("legacy", signal.legacy),
        _side_rate("new", signal.new),
        plain("new / legacy", sides_ratio(signal, now)),
        *history_page(signal, now, width, moves),
        *section("Evidence"),
        plain("for REGRESSED", f"{evidence.e_regressed:.3g} of {evidence.threshold:g} needed"),
        plain(
            "for NOT WORSE",
            f"{evidence.e_not_worse:.3g}, {100 * min(1.0, evidence.fill_not_worse):.0f}% of the way",
        ),
        plain("judged legacy", f"{count(evidence.bad_legacy)} bad of {count(evidence.total_legacy)}"),
        plain("judged new", f"{count(evidence.bad_new)} bad of {count(evidence.total_new)}"),
        *section("Source"),
        *(plain(f"{side} by", name) for side, name in zip(Side, signal.monitors, strict=False)),
        *reading_lines(signal.reading, now),
    )


def _side_rate(label: str, side: SideRate) -> Line:
    if side.quality is not Quality.GOOD:
        note = f": {safe(side.note)}" if side.note else ""
        return stated(label, (f"{NOTHING}  {side.quality.replace('_', ' ')}{note}", Role.UNKNOWN))
    return plain(label, f"{rate(side.rate_pct)}  {count(side.bad)} bad of {count(side.total)}")


# --- journal -----------------------------------------------------------------------------------------


def _entry(line: JournalLine, width: int) -> tuple[Line, ...]:
    word = LEVEL_WORD[line.level]
    rows = wrapped(line.text, max(10, width - LABEL))
    return (
        stated("level", word.segment),
        plain("number", str(line.seq)),
        plain("at", f"{line.at:%Y-%m-%d %H:%M:%S} UTC"),
        plain("by", line.actor),
        plain("kind", line.kind),
        *(plain("text" if index == 0 else "", row) for index, row in enumerate(rows)),
    )


# --- text to copy ------------------------------------------------------------------------------------


def detail_text(subject: Subject, snapshot: Snapshot, now: datetime) -> str:
    """The page as plain text."""
    lines = detail_lines(subject, snapshot, now, 200)
    return "\n".join((detail_title(subject), *(text_of(line).rstrip() for line in lines)))
