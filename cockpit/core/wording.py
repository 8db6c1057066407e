"""One plain line for every event, for the deck's journal tail and the report's timeline.

`line(event)` gives clean text without the time and the actor (they have columns of their own) and how
loud it is. Every event renders, also one from an older journal that lacks fields.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.core.driver import How
from cockpit.core.events import Event, Kind, Lever
from cockpit.core.model import Health, Verdict, WriteOutcome
from cockpit.core.recorded import NOT_RECORDED, Recorded
from cockpit.core.snapshot import Level

Line = tuple[str, Level]
_DIGEST_SHOWN: Final = 12


def line(event: Event) -> Line:
    """The event in words, and its level."""
    text, level = _WORDS[event.kind](Recorded(event.body))
    return clean_text(text), level


def span(seconds: float) -> str:
    """A length of time as `1:02:07`, `4:05` or `0:00`; negative lengths keep their sign."""
    whole = round(abs(seconds))
    hours, rest = divmod(whole, 3600)
    sign = "-" if seconds < 0 and whole else ""
    if hours:
        return f"{sign}{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{sign}{rest // 60}:{rest % 60:02}"


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S UTC")


def count_text(count: float | None) -> str:
    return "not counted" if count is None else f"{count:.10g}"


def _with(text: str, detail: str, join: str = ": ") -> str:
    return f"{text}{join}{detail}" if detail else text


def _flight(verb: str) -> Callable[[Recorded], Line]:
    def words(said: Recorded) -> Line:
        where = f"{said.text('plan_title')} in {said.text('environment')} ({said.text('mode')})"
        return f"flight {verb}: {where}, cockpit {said.text('version')} on {said.text('host')}", Level.NOTE

    return words


def _flight_ended(said: Recorded) -> Line:
    return _with("flight ended", said.said("why")), Level.NOTE


def _operator_lost(said: Recorded) -> Line:
    return _with("operator lost", said.said("why")), Level.WARN


_TAKEN: Final = {
    How.FREE.value: ("it was free", Level.NOTE),
    How.HANDED_OVER.value: ("handed over by {other}", Level.NOTE),
    How.SILENCE.value: ("{other} was silent", Level.WARN),
    How.GONE.value: ("the cockpit of {other} is gone", Level.WARN),
    How.CONFIRMED.value: ("taken from {other} by a confirmed act", Level.WARN),
    How.ROLLBACK.value: ("by declaring a rollback", Level.WARN),
}


def _driver_taken(said: Recorded) -> Line:
    other = said.said("from_name") or "whoever had it"
    how, level = _TAKEN.get(said.text("how"), (said.text("how"), Level.NOTE))
    words = how.replace("{other}", other)
    if said.said("how") == How.ROLLBACK and said.said("from_name"):
        words = f"{words}, from {other}"
    return f"driver's seat taken on {said.text('host')}: {words}", level


def _driver_released(said: Recorded) -> Line:
    return _with("driver's seat released", said.said("why")), Level.NOTE


def _driver_offered(said: Recorded) -> Line:
    return f"driver's seat offered to {said.text('to_name')}", Level.NOTE


def _driver_declined(said: Recorded) -> Line:
    return _with("offer of the driver's seat is off", said.said("why")), Level.NOTE


def _plan_taken(said: Recorded) -> Line:
    digest = said.text("digest")[:_DIGEST_SHOWN]
    return _with(f"changed plan {digest} taken", "; ".join(said.texts("diff"))), Level.NOTE


def _flag_asked(said: Recorded) -> Line:
    wish = f"{said.text('flag')}: asked for {said.percent_text('percent')}"
    before = said.percent("before")
    return (wish if before is None else f"{wish}, was {before}"), Level.NOTE


def _move(said: Recorded) -> str:
    return f"{said.text('flag')} from {said.percent_text('before')} to {said.percent_text('percent')}"


def _advance_requested(said: Recorded) -> Line:
    needed, lapses_at = said.number("needed"), said.instant("lapses_at")
    people = NOT_RECORDED if needed is None else f"{needed:.0f} people"
    words = f"asks for {_move(said)}, which needs {people}"
    return (words if lapses_at is None else f"{words}, until {moment(lapses_at)}"), Level.NOTE


def _advance_approved(said: Recorded) -> Line:
    return f"approved what was asked for, on {said.text('host')}", Level.OK


def _advance_declined(said: Recorded) -> Line:
    return _with("declined what was asked for", said.said("reason")), Level.WARN


def _advance_withdrawn(said: Recorded) -> Line:
    return _with("the request to advance is over", said.said("why")), Level.NOTE


def _write_intent(said: Recorded) -> Line:
    return f"{said.text('flag')}: {act(said)}{_lever(said)}, writing", Level.NOTE


def _lever(said: Recorded) -> str:
    """Which lever is meant, where it is not the first."""
    if said.said("lever") != Lever.SECOND.value:
        return ""
    service = said.said("service")
    return f" by the second lever ({service})" if service else " by the second lever"


def act(said: Recorded) -> str:
    """What a write event wanted of the flag."""
    action = said.text("action")
    named = {"set": f"set to {said.percent_text('percent')}", "kill": "switch off", "zero": "store 0%"}
    return named.get(action, f"action {action}")


_OUTCOME_LEVEL: Final = {
    WriteOutcome.DONE.value: Level.OK,
    WriteOutcome.REFUSED.value: Level.WARN,
    WriteOutcome.UNKNOWN.value: Level.UNKNOWN,
}


def _write_outcome(said: Recorded) -> Line:
    outcome, took_s = said.text("outcome"), said.number("took_s")
    action = {"set": "write", "kill": "switching off", "zero": "storing 0%"}.get(said.said("action"), "write")
    text = f"{said.text('flag')}: {action}{_lever(said)} {outcome}"
    if took_s is not None:
        text = f"{text} after {took_s:.2f} s"
    return _with(text, said.said("detail")), _OUTCOME_LEVEL.get(outcome, Level.UNKNOWN)


def _flag_seen(said: Recorded) -> Line:
    exposure = said.percent("exposure")
    switch = {True: ", on", False: ", off", None: ""}[said.yes("on")]
    if exposure is None:
        return f"{said.text('flag')}: read{_lever(said)}, exposure cannot be told{switch}", Level.UNKNOWN
    return f"{said.text('flag')}: reads {exposure}{switch}{_lever(said)}", Level.OK


def _lever_pulled(said: Recorded) -> Line:
    pulled = f"{said.text('flag')}: second lever pulled ({said.text('service')})"
    return _with(pulled, said.said("why")), Level.WARN


def _lever_by_hand(said: Recorded) -> Line:
    done = f"{said.text('flag')}: brought to zero by hand, which no machine has verified"
    return _with(done, said.said("note")), Level.WARN


def _flag_foreign(said: Recorded) -> Line:
    who = said.said("who") or "somebody (the service does not tell who)"
    change = f"from {setting(said, 'before')} to {setting(said, 'after')}"
    level = Level.NOTE if said.yes("raised") is False else Level.WARN
    return f"{said.text('flag')}: changed {change} by {who}, not by this cockpit", level


def setting(said: Recorded, name: str) -> str:
    """A flag's setting: words as they are, whole hundredths as a percentage."""
    percent = said.percent(name)
    return said.text(name) if percent is None else str(percent)


def _held(said: Recorded) -> Line:
    return _with(f"{said.text('flag')}: held", said.said("reason")), Level.NOTE


def _released(said: Recorded) -> Line:
    return f"{said.text('flag')}: hold released", Level.NOTE


_VERDICT_LEVEL: Final = {
    Verdict.REGRESSED.value: Level.BAD,
    Verdict.NOT_WORSE.value: Level.OK,
    Verdict.UNDECIDED.value: Level.NOTE,
    Verdict.UNKNOWN.value: Level.UNKNOWN,
}


def _verdict_changed(said: Recorded) -> Line:
    verdict = said.text("verdict")
    text = _with(f"{said.text('signal')}: {verdict}", said.said("text"))
    return text, _VERDICT_LEVEL.get(verdict, Level.UNKNOWN)


def _verdict_overridden(said: Recorded) -> Line:
    stage = f"{said.text('flag')} to {said.percent_text('percent')}"
    return _with(f"{said.text('signal')}: verdict overridden for {stage}", said.said("reason")), Level.WARN


def _limit_breached(said: Recorded) -> Line:
    value, limit = said.text("value"), said.said("limit")
    text = f"{said.text('signal')}: over its hard limit: {value}"
    return (text if not limit or limit in value else f"{text}, limit {limit}"), Level.BAD


def _limit_cleared(said: Recorded) -> Line:
    return f"{said.text('signal')}: back under its limit", Level.OK


_HEALTH_LEVEL: Final = {
    Health.OK.value: Level.OK,
    Health.DEGRADED.value: Level.WARN,
    Health.DOWN.value: Level.BAD,
    Health.UNKNOWN.value: Level.UNKNOWN,
}


def _probe_changed(said: Recorded) -> Line:
    health = said.text("health")
    text = f"{said.text('side')} probe {said.text('probe')}: {health}"
    return _with(text, said.said("detail"), ", "), _HEALTH_LEVEL.get(health, Level.UNKNOWN)


def _source_lost(said: Recorded) -> Line:
    return _with(f"{said.text('source')}: cannot be asked", said.said("title")), Level.UNKNOWN


def _source_back(said: Recorded) -> Line:
    return f"{said.text('source')}: answers again", Level.OK


def _proposal_raised(said: Recorded) -> Line:
    text = _with(f"rollback proposed: {said.text('signal')}", said.said("text"))
    value, limit = said.said("value"), said.said("limit")
    if value:
        text = f"{text} ({value}, limit {limit})" if limit else f"{text} ({value})"
    return text, Level.BAD


def _proposal_cleared(said: Recorded) -> Line:
    return f"rollback no longer proposed: {said.text('signal')}", Level.OK


def _proposal_vetoed(said: Recorded) -> Line:
    return f"proposed rollback vetoed: {said.text('signal')}: {said.text('reason')}", Level.WARN


def _declared(said: Recorded) -> Line:
    flags = ", ".join(flag.text("flag") for flag in said.objects("flags")) or NOT_RECORDED
    scope = f"all flags ({flags})" if said.yes("whole") else f"flags {flags}"
    text = _with(f"ROLLBACK declared for {scope}", said.said("reason"))
    deadline = said.instant("deadline_at")
    return (text if deadline is None else f"{text}; users safe by {moment(deadline)}"), Level.BAD


def _widened(said: Recorded) -> Line:
    flags = ", ".join(flag.text("flag") for flag in said.objects("flags")) or NOT_RECORDED
    scope = f"to all flags (now also {flags})" if said.yes("whole") else f"by flags {flags}"
    return _with(f"ROLLBACK widened {scope}, same deadline", said.said("reason")), Level.BAD


def _asked(said: Recorded) -> Line:
    return f"rollback asks: {said.text('question')}", Level.WARN


def _answered(said: Recorded) -> Line:
    go = said.yes("go")
    answer = NOT_RECORDED if go is None else "go" if go else "hold"
    return f"rollback answered: {answer}", Level.NOTE if go else Level.WARN


def _cut(said: Recorded) -> Line:
    counters = ", ".join(f"{name} {count_text(count)}" for name, count in said.counters("counters"))
    return _with("cut mark set", counters), Level.NOTE


def _drained(said: Recorded) -> Line:
    share_pct, note = said.number("share_pct"), said.said("note")
    if share_pct is not None:
        text = f"{said.text('flag')}: drained, {share_pct:.4g}% of its traffic on the new side"
        return _with(text, note), Level.OK
    if note:
        return f"{said.text('flag')}: taken as drained: {note}", Level.NOTE
    return f"{said.text('flag')}: taken as drained, its traffic cannot be observed", Level.UNKNOWN


def _delta(said: Recorded) -> Line:
    deltas = said.objects("deltas")
    counts = [_with(f"{one.text('name')} {count_text(one.number('count'))}", one.said("note"), " - ")
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
    return _with("rollback cancelled before any flag was written", said.said("reason")), Level.NOTE


def _closed(said: Recorded) -> Line:
    overrun_s = said.number("overrun_s")
    if overrun_s is not None and overrun_s > 0:
        return _with(f"rollback closed, {span(overrun_s)} over time", said.said("note")), Level.WARN
    text = "rollback closed" if overrun_s is None else "rollback closed in time"
    return _with(text, said.said("note")), Level.OK


def _step(verb: str, level: Level, why: str = "") -> Callable[[Recorded], Line]:
    def words(said: Recorded) -> Line:
        return _with(f"step {said.text('step')} {verb}", said.said(why) if why else ""), level

    return words


def _retried(said: Recorded) -> Line:
    return f"{said.text('flag')}: trying again to bring it to zero", Level.NOTE


def _announced(said: Recorded) -> Line:
    text = f"announced through {said.text('hook')}: {said.text('moment')}"
    return _with(text, said.said("receipt"), ", "), Level.OK


def _not_announced(said: Recorded) -> Line:
    text = f"announcement through {said.text('hook')} failed: {said.text('moment')}"
    return _with(text, said.said("detail"), ", "), Level.WARN


def _clock_jumped(said: Recorded) -> Line:
    by_s = said.number("by_s")
    size = NOT_RECORDED if by_s is None else f"{by_s:+.0f} s"
    return f"this host's clock jumped by {size}: times before and after do not fit together", Level.WARN


def _note(said: Recorded) -> Line:
    return said.text("text"), Level.NOTE


def _check_signed(said: Recorded) -> Line:
    return _with(f"signed: {said.text('title')}", said.said("note")), Level.OK


def _check_withdrawn(said: Recorded) -> Line:
    return _with(f"signature withdrawn: {said.text('title')}", said.said("reason")), Level.WARN


_WORDS: Final[dict[Kind, Callable[[Recorded], Line]]] = {
    Kind.FLIGHT_OPENED: _flight("opened"),
    Kind.FLIGHT_RESUMED: _flight("resumed"),
    Kind.FLIGHT_ENDED: _flight_ended,
    Kind.OPERATOR_LOST: _operator_lost,
    Kind.DRIVER_TAKEN: _driver_taken,
    Kind.DRIVER_RELEASED: _driver_released,
    Kind.DRIVER_OFFERED: _driver_offered,
    Kind.DRIVER_DECLINED: _driver_declined,
    Kind.PLAN_TAKEN: _plan_taken,
    Kind.FLAG_ASKED: _flag_asked,
    Kind.ADVANCE_REQUESTED: _advance_requested,
    Kind.ADVANCE_APPROVED: _advance_approved,
    Kind.ADVANCE_DECLINED: _advance_declined,
    Kind.ADVANCE_WITHDRAWN: _advance_withdrawn,
    Kind.WRITE_INTENT: _write_intent,
    Kind.WRITE_OUTCOME: _write_outcome,
    Kind.FLAG_SEEN: _flag_seen,
    Kind.FLAG_FOREIGN: _flag_foreign,
    Kind.ROLLOUT_HELD: _held,
    Kind.ROLLOUT_RELEASED: _released,
    Kind.VERDICT_CHANGED: _verdict_changed,
    Kind.VERDICT_OVERRIDDEN: _verdict_overridden,
    Kind.LIMIT_BREACHED: _limit_breached,
    Kind.LIMIT_CLEARED: _limit_cleared,
    Kind.PROBE_CHANGED: _probe_changed,
    Kind.SOURCE_LOST: _source_lost,
    Kind.SOURCE_BACK: _source_back,
    Kind.PROPOSAL_RAISED: _proposal_raised,
    Kind.PROPOSAL_CLEARED: _proposal_cleared,
    Kind.PROPOSAL_VETOED: _proposal_vetoed,
    Kind.ROLLBACK_DECLARED: _declared,
    Kind.ROLLBACK_WIDENED: _widened,
    Kind.ROLLBACK_ASKED: _asked,
    Kind.ROLLBACK_ANSWERED: _answered,
    Kind.ROLLBACK_CUT: _cut,
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
    Kind.LEVER_PULLED: _lever_pulled,
    Kind.LEVER_BY_HAND: _lever_by_hand,
    Kind.ANNOUNCE_SENT: _announced,
    Kind.ANNOUNCE_FAILED: _not_announced,
    Kind.NOTE_ADDED: _note,
    Kind.CHECK_SIGNED: _check_signed,
    Kind.CHECK_WITHDRAWN: _check_withdrawn,
    Kind.CLOCK_JUMPED: _clock_jumped,
}
