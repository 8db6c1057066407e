"""What the sheets say before something is done: rollback, advance, plan change, quitting. Pure.

A sheet names its target in words (environment, plan, flags, percent from and to) and says why it
refuses, because a person who is asked "sure?" can only be sure of what stands there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from cockpit.core.approvals import GATE
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Freshness, Health, Side
from cockpit.core.rollback import layers
from cockpit.core.snapshot import FlagStatus, PlanChange, ProbeStatus, Snapshot
from cockpit.core.spec import Stage
from cockpit.face.view import HEALTH_WORD, NOTHING, Line, Role, age, clip, percent, safe, since
from cockpit.face.view_banner import mode_words
from cockpit.face.view_lines import column, joined, mmss, named, number_of, row, utc, wrapped


def target(snapshot: Snapshot) -> Line:
    """Mode, environment and plan in words: what a confirmed act would touch."""
    mode, role = mode_words(snapshot)
    environment = "" if safe(snapshot.environment) in mode else f" {snapshot.environment} ·"
    return row((f" {mode} ", role), (environment, Role.STRONG), (f" {snapshot.plan_title}", Role.STRONG))


def flag_of(snapshot: Snapshot, key: str) -> FlagStatus | None:
    return next((flag for flag in snapshot.flags if flag.key == key), None)


# --- rollback ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which flags a rollback takes along, as (key, layer) with layer 0 first; `whole` when it is all.

    widens: an open rollback is widened by them to so many flags; 0 while none is open.
    """

    whole: bool
    flags: tuple[tuple[str, int], ...]
    widens: int = 0

    @property
    def keys(self) -> tuple[str, ...]:
        """The `flags` of the command: empty means all."""
        return () if self.whole else tuple(key for key, _ in self.flags)


def scope(snapshot: Snapshot, focused: str | None) -> Scope:
    """All flags, or the focused one with every flag that depends on it; less what is on its way already."""
    needs = {flag.key: flag.depends_on for flag in snapshot.flags}
    whole = focused is None or focused not in needs
    flags = layers(needs, tuple(needs) if focused is None or whole else (focused,))
    rollback = snapshot.rollback
    if rollback is None or not rollback.open:
        return Scope(whole=whole, flags=flags)
    added = tuple((key, layer) for key, layer in flags if key not in rollback.flags)
    return Scope(whole=whole, flags=added, widens=len(rollback.flags) + len(added))


def can_widen(snapshot: Snapshot) -> bool:
    """Whether the open rollback leaves out a flag of the plan."""
    return bool(snapshot.rollback and snapshot.rollback.open and scope(snapshot, None).flags)


def scope_line(chosen: Scope, focused: str | None) -> Line:
    """`ALL 3 FLAGS go to 0%`, or one flag and what it takes along, or what an open rollback gets too."""
    if chosen.widens:
        every = "all " if chosen.whole else ""
        also = joined((key for key, _ in chosen.flags), ", ")
        return row(
            (f"WIDEN the open rollback to {every}{number_of(chosen.widens, 'flag')}", Role.BAD),
            (f": also {also} → 0%", Role.STRONG),
        )
    if chosen.whole:
        return row((f"ALL {number_of(len(chosen.flags), 'FLAG', 'FLAGS')} go to 0%", Role.BAD))
    others = [key for key, _ in chosen.flags if key != focused]
    along = f" and what depends on it: {joined(others, ', ')}" if others else ""
    return row((f"ONLY {focused}", Role.BAD), (f"{along} → 0%", Role.STRONG))


def scope_flags(snapshot: Snapshot, chosen: Scope, now: datetime, width: int) -> tuple[Line, ...]:
    """One line per flag in the order of the writes: percent now, how fresh that is, whether writable."""
    rows: list[Line] = []
    last = -1
    for key, layer in chosen.flags:
        flag = flag_of(snapshot, key)
        first, last = layer != last, layer
        order = f"{layer + 1}" if first else ""
        rows.append(clip(row(column(order, 3, Role.DIM), *_scope_flag(flag, key, now, width)), width))
    return tuple(rows)


def _scope_flag(flag: FlagStatus | None, key: str, now: datetime, width: int) -> Line:
    room = max(14, min(34, width - 42))
    name = column(named(key, room), room, Role.STRONG)
    if flag is None:
        return row(name, (" not in the picture", Role.UNKNOWN))
    value = flag.configured.value
    shown = percent(value.exposure) if value is not None else NOTHING
    freshness = flag.configured.freshness(now)
    fresh = (f"read {since(flag.configured.observed_at, now)} ago", Role.DIM)
    if freshness is not Freshness.FRESH:
        seen = flag.configured.age_s(now)
        fresh = ("UNKNOWN now" if seen is None else f"last read {age(seen)} ago", Role.UNKNOWN)
    locked = ("", Role.DIM) if flag.writable else ("  CANNOT BE WRITTEN from here", Role.BAD)
    return row(name, column(f" {shown} → 0%", 15), fresh, locked)


def order_words(chosen: Scope) -> str:
    """How the writes are ordered, in words."""
    steps = len({layer for _, layer in chosen.flags})
    if len(chosen.flags) < 2:
        return "one write, then it is read back"
    if steps == 1:
        return "all at the same time, then each is read back"
    return f"in {steps} orders, what depends on others first; each order at the same time"


def legacy_state(snapshot: Snapshot, now: datetime) -> tuple[Line, ...]:
    """The state of the side that users will land on; loud when it is down or cannot be seen."""
    backends = [backend for backend in snapshot.backends if backend.side is Side.LEGACY]
    probes = [probe for backend in backends for probe in backend.probes if probe.required]
    if not probes:
        return (row(("? legacy is not probed: nobody knows whether it is well", Role.DOUBT)),)
    rows = [line for probe in probes if (line := _sick_probe(probe, now))]
    if rows:
        return tuple(rows)
    title = joined(backend.title for backend in backends)
    return (
        row((f"✓ legacy is well: {number_of(len(probes), 'required probe')} OK", Role.OK), f" · {title}"),
    )


def legacy_nature(snapshot: Snapshot, width: int) -> tuple[Line, ...]:
    """What users will find on legacy, where the plan has something to say about it; at most two lines."""
    words = joined(backend.nature for backend in snapshot.backends if backend.side is Side.LEGACY)
    return tuple(row((text, Role.CAUTION)) for text in wrapped(f"! {words}", width, limit=2)) if words else ()


def _sick_probe(probe: ProbeStatus, now: datetime) -> Line:
    value = probe.reading.fresh_value(now)
    if value is None:
        seen = probe.reading.age_s(now)
        ago = "never seen" if seen is None else f"last seen {age(seen)} ago"
        why = probe.reading.failure.title if probe.reading.failure is not None else ""
        return row((f"? LEGACY UNKNOWN: {joined((probe.name, ago, why))}", Role.DOUBT))
    if value.health is Health.OK:
        return ()
    word = HEALTH_WORD[value.health]
    role = Role.ALARM if value.health is Health.DOWN else Role.CAUTION
    return row((f"{word.glyph} LEGACY {word.text}: {joined((probe.name, value.detail))}", role))


def reason_words(snapshot: Snapshot) -> str:
    """The reason that is written into the journal without typing: what the judge proposes, if it does."""
    proposal = snapshot.proposal
    if proposal is None or proposal.vetoed_by is not None:
        return ""
    return proposal.text


def reason_line(snapshot: Snapshot) -> Line:
    words = reason_words(snapshot)
    if words:
        return row(("reason     ", Role.DIM), words)
    return row(("reason     ", Role.DIM), ("none picked: it is asked for after the flip", Role.DIM))


def past_no_return(snapshot: Snapshot, now: datetime) -> bool:
    return snapshot.no_return_at is not None and now >= snapshot.no_return_at


def rollback_refusal(snapshot: Snapshot, now: datetime, chosen: Scope) -> str:
    """Why no rollback can be declared (or widened) from here; empty when it can."""
    if snapshot.rollback is not None and snapshot.rollback.open and not chosen.flags:
        return "a rollback is open already, and it takes these flags along"
    if snapshot.read_only:
        return "this cockpit only watches: it holds nothing that can write"
    if past_no_return(snapshot, now):
        assert snapshot.no_return_at is not None
        return (
            f"past the point of no return since {utc(snapshot.no_return_at, now)}: "
            "legacy can no longer take the users back. Fix forward."
        )
    return ""


def budget_line(snapshot: Snapshot, now: datetime) -> Line:
    """How long users may take to be safe; an open rollback's time goes on and does not start again."""
    rollback = snapshot.rollback
    if rollback is not None and rollback.open:
        left_s = rollback.left(now).total_seconds()
        goes_on = (" left: the deadline stays", Role.DIM) if left_s >= 0 else (" OVER ALREADY", Role.BAD)
        return row(("countdown  ", Role.DIM), (mmss(abs(left_s)), Role.STRONG), goes_on)
    return row(
        ("countdown  ", Role.DIM),
        (mmss(snapshot.budget_s), Role.STRONG),
        (f" from the second R · escalates at {mmss(snapshot.escalate_after_s)}", Role.DIM),
    )


# --- advance -------------------------------------------------------------------------------------------


def next_stage(flag: FlagStatus) -> Stage | None:
    """The stage a forward move would reach; None at the last one or while the present one is not known."""
    if flag.stage is None or flag.stage + 1 >= len(flag.stages):
        return None
    return flag.stages[flag.stage + 1]


def advance_line(flag: FlagStatus) -> Line:
    """`convex_courses  25% → 100%  all`: from what is configured to the next stage and its cohort."""
    stage = next_stage(flag)
    value = flag.configured.value
    here = percent(value.exposure) if value is not None else NOTHING
    if stage is None:
        return row((f"{flag.key}  {here}", Role.STRONG), ("  no next stage", Role.DIM))
    cohort = f"  cohort {stage.cohort}" if stage.cohort else ""
    hold = f"  then hold {age(stage.hold_s)}" if stage.hold_s else ""
    return row((f"{flag.key}  {here} → {stage.percent}", Role.STRONG), cohort, (hold, Role.DIM))


def gate_lines(flag: FlagStatus, now: datetime, width: int, *, but: Collection[str] = ()) -> tuple[Line, ...]:
    """Every gate, open ones first: met or not, by how much, and when it can be met. but: names left out."""
    if not flag.gates:
        return (row(("no gate is configured for this move", Role.DIM)),)
    ordered = sorted((gate for gate in flag.gates if gate.name not in but), key=lambda gate: gate.met)
    return tuple(clip(_gate(gate.name, gate.met, gate.text, gate.met_at, now), width) for gate in ordered)


def _gate(name: str, met: bool, text: str, met_at: datetime | None, now: datetime) -> Line:
    if met:
        return row(("✓ met  ", Role.OK), column(name, 18), f" {text}")
    when = ""
    if met_at is not None and met_at > now:
        when = f" · in about {age((met_at - now).total_seconds())}"
    return row(("✗ OPEN ", Role.BAD), column(name, 18, Role.STRONG), f" {text}", (when, Role.DIM))


def people_lines(flag: FlagStatus) -> tuple[Line, ...]:
    """That confirming asks other people first, where the plan wants more than one."""
    if not any(gate.name == GATE for gate in flag.gates):
        return ()
    words = "confirming asks the others; it is written once enough have said yes"
    return (row((words, Role.NOTE)),)


def advance_refusal(snapshot: Snapshot, flag: FlagStatus | None) -> str:
    """Why the move cannot be confirmed now; empty when it can."""
    if flag is None:
        return "this flag is no longer in the plan"
    if snapshot.read_only or not flag.writable:
        return _no_driver(snapshot) or "this cockpit cannot write this flag"
    if snapshot.rollback is not None and snapshot.rollback.open:
        return "a rollback is open: nothing moves forward"
    if flag.held_by is not None:
        return f"held by {flag.held_by}" + (f": {flag.held_reason}" if flag.held_reason else "")
    if next_stage(flag) is None:
        return "no next stage" if flag.stage is not None else "nobody knows at which stage this flag is"
    open_gates = [gate.name for gate in flag.gates if not gate.met and gate.name != GATE]
    if open_gates:
        return f"{number_of(len(open_gates), 'gate')} not met: {joined(open_gates, ', ')}"
    return ""


def _no_driver(snapshot: Snapshot) -> str:
    """That somebody else drives, where that is why."""
    seat = snapshot.seat
    if seat is None or seat.drives or snapshot.read_only:
        return ""
    who = "nobody drives" if seat.holder is None else f"{seat.holder.name} drives"
    return f"{who}: D takes the seat"


def hold_refusal(snapshot: Snapshot, flag: FlagStatus | None) -> str:
    """Why the ramp cannot be held or released now; empty when it can."""
    if flag is None:
        return "this flag is no longer in the plan"
    if snapshot.read_only:
        return "this cockpit only watches"
    if snapshot.rollback is not None and snapshot.rollback.open:
        return "a rollback is open: every ramp has stopped"
    return ""


# --- plan change ---------------------------------------------------------------------------------------


def plan_lines(change: PlanChange, width: int) -> tuple[Line, ...]:
    """What the new file would change, or every problem that keeps it out."""
    if change.problems:
        return tuple(clip(row(("✗ ", Role.BAD), problem), width) for problem in change.problems)
    if not change.diff:
        return (row(("nothing that matters to this flight changed", Role.DIM)),)
    return tuple(clip(row(("· ", Role.ACCENT), change_text), width) for change_text in change.diff)


def plan_headline(change: PlanChange, now: datetime) -> Line:
    seen = f" · seen {since(change.seen_at, now)} ago"
    if change.problems:
        count = number_of(len(change.problems), "problem")
        return row((f"the changed plan is broken: {count}", Role.BAD), (seen, Role.DIM))
    return row(
        (f"the plan changed: {number_of(len(change.diff), 'difference')}", Role.WARN), (seen, Role.DIM)
    )


def plan_refusal(snapshot: Snapshot) -> str:
    """Why the change can be neither taken nor set aside; empty when it can."""
    change = snapshot.plan_change
    if change is None:
        return "no change waits for an answer"
    if snapshot.read_only:
        return "this cockpit only watches"
    if change.problems:
        return "broken: the last good plan stays. Mend the file and save it again"
    if snapshot.rollback is not None and snapshot.rollback.open:
        return "a rollback is open: the plan is frozen until it is closed"
    return ""


# --- leaving -------------------------------------------------------------------------------------------


def quit_lines(snapshot: Snapshot) -> tuple[Line, ...]:
    """What goes on without the person who leaves, and what does not."""
    rollback = snapshot.rollback
    if rollback is None or not rollback.open:
        return (row("Polling, judging and journalling stop when you leave. No flag is changed."),)
    machine = [step.title for step in rollback.steps if step.machine and not step.settled]
    people = [step.title for step in rollback.steps if not step.machine and not step.settled]
    rows: Sequence[Line] = (
        row(("A ROLLBACK IS OPEN.", Role.ALARM)),
        row(
            ("goes on    ", Role.OK),
            joined(machine, ", ") or "nothing: every machine step is done",
            (" · the engine ends after these", Role.DIM) if machine else "",
        ),
        row(("waits      ", Role.WARN), joined(people, ", ") or "nothing"),
        row(("resume     ", Role.DIM), "start the cockpit again: the countdown is where time put it"),
    )
    return tuple(rows)
