"""The events of a rollback in one plain line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cockpit.core.events import Kind
from cockpit.core.phrases import Line, count_text, moment, span, with_detail
from cockpit.core.recorded import NOT_RECORDED, Recorded
from cockpit.core.snapshot import Level


def _declared(said: Recorded) -> Line:
    flags = ", ".join(flag.text("flag") for flag in said.objects("flags")) or NOT_RECORDED
    scope = f"all flags ({flags})" if said.yes("whole") else f"flags {flags}"
    text = with_detail(f"ROLLBACK declared for {scope}", said.said("reason"))
    deadline = said.instant("deadline_at")
    return (text if deadline is None else f"{text}; users safe by {moment(deadline)}"), Level.BAD


def _widened(said: Recorded) -> Line:
    flags = ", ".join(flag.text("flag") for flag in said.objects("flags")) or NOT_RECORDED
    scope = f"to all flags (now also {flags})" if said.yes("whole") else f"by flags {flags}"
    return with_detail(f"ROLLBACK widened {scope}, same deadline", said.said("reason")), Level.BAD


def _asked(said: Recorded) -> Line:
    return f"rollback asks: {said.text('question')}", Level.WARN


def _answered(said: Recorded) -> Line:
    go = said.yes("go")
    answer = NOT_RECORDED if go is None else "go" if go else "hold"
    return f"rollback answered: {answer}", Level.NOTE if go else Level.WARN


def _cut(said: Recorded) -> Line:
    counters = ", ".join(f"{name} {count_text(count)}" for name, count in said.counters("counters"))
    return with_detail("cut mark set", counters), Level.NOTE


def _counted(said: Recorded) -> Line:
    counters = ", ".join(f"{name} {count_text(count)}" for name, count in said.counters("counters"))
    return with_detail("counted for the first time after the cut mark", counters), Level.NOTE


def _drained(said: Recorded) -> Line:
    share_pct, note = said.number("share_pct"), said.said("note")
    if share_pct is not None:
        text = f"{said.text('flag')}: drained, {share_pct:.4g}% of its traffic on the new side"
        return with_detail(text, note), Level.OK
    if note:
        return f"{said.text('flag')}: taken as drained: {note}", Level.NOTE
    return f"{said.text('flag')}: taken as drained, its traffic cannot be observed", Level.UNKNOWN


def _delta(said: Recorded) -> Line:
    deltas = said.objects("deltas")
    counts = [with_detail(f"{one.text('name')} {count_text(one.number('count'))}", one.said("note"), " - ")
              for one in deltas]  # fmt: skip
    seen = bool(deltas) and all(one.number("count") is not None for one in deltas)
    text = f"new-side writes since the cut mark: {', '.join(counts) or NOT_RECORDED}"
    return text, Level.NOTE if seen else Level.UNKNOWN


def _explained(said: Recorded) -> Line:
    titles = {"reason": "reason", "commander": "commander", "data_owner": "data owner"}
    parts = [f"{title} {said.said(name)}" for name, title in titles.items() if said.said(name)]
    return f"rollback explained: {', '.join(parts) or NOT_RECORDED}", Level.NOTE


def _escalated(said: Recorded) -> Line:
    return f"rollback escalated: {said.text('why')}", Level.BAD


def _cancelled(said: Recorded) -> Line:
    return with_detail("rollback cancelled before any flag was written", said.said("reason")), Level.NOTE


def _closed(said: Recorded) -> Line:
    overrun_s = said.number("overrun_s")
    if overrun_s is not None and overrun_s > 0:
        return with_detail(f"rollback closed, {span(overrun_s)} over time", said.said("note")), Level.WARN
    text = "rollback closed" if overrun_s is None else "rollback closed in time"
    return with_detail(text, said.said("note")), Level.OK


def _step(verb: str, level: Level, why: str = "") -> Callable[[Recorded], Line]:
    def words(said: Recorded) -> Line:
        return with_detail(f"step {said.text('step')} {verb}", said.said(why) if why else ""), level

    return words


def _retried(said: Recorded) -> Line:
    return f"{said.text('flag')}: trying again to bring it to zero", Level.NOTE


def _announced(said: Recorded) -> Line:
    text = f"announced through {said.text('hook')}: {said.text('moment')}"
    return with_detail(text, said.said("receipt"), ", "), Level.OK


def _not_announced(said: Recorded) -> Line:
    text = f"announcement through {said.text('hook')} failed: {said.text('moment')}"
    return with_detail(text, said.said("detail"), ", "), Level.WARN


ROLLBACK_WORDS: Final[Mapping[Kind, Callable[[Recorded], Line]]] = {
    Kind.ROLLBACK_DECLARED: _declared,
    Kind.ROLLBACK_WIDENED: _widened,
    Kind.ROLLBACK_ASKED: _asked,
    Kind.ROLLBACK_ANSWERED: _answered,
    Kind.ROLLBACK_CUT: _cut,
    Kind.ROLLBACK_COUNTED: _counted,
    Kind.ROLLBACK_DRAINED: _drained,
    Kind.ROLLBACK_DELTA: _delta,
    Kind.ROLLBACK_EXPLAINED: _explained,
    Kind.ROLLBACK_ESCALATED: _escalated,
    Kind.ROLLBACK_CANCELLED: _cancelled,
    Kind.ROLLBACK_CLOSED: _closed,
    Kind.STEP_STARTED: _step("started", Level.NOTE),
    Kind.STEP_DONE: _step("done", Level.OK, "evidence"),
    Kind.STEP_FAILED: _step("failed", Level.BAD, "evidence"),
    Kind.STEP_OVERRIDDEN: _step("overridden", Level.WARN, "reason"),
    Kind.FLAG_RETRIED: _retried,
    Kind.ANNOUNCE_SENT: _announced,
    Kind.ANNOUNCE_FAILED: _not_announced,
}
