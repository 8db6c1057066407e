"""One plain line for every event, for the deck's journal tail and the report's timeline.

`line(event)` gives clean text without the time and the actor (they have columns of their own) and how
loud it is. Every event renders, also one from an older journal that lacks fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.core.driver import How
from cockpit.core.events import Event, Kind, Lever
from cockpit.core.model import Health, Verdict, WriteOutcome
from cockpit.core.phrases import Line, moment, with_detail
from cockpit.core.recorded import NOT_RECORDED, Recorded
from cockpit.core.snapshot import Level
from cockpit.core.wording_rollback import ROLLBACK_WORDS

_DIGEST_SHOWN: Final = 12


def line(event: Event) -> Line:
    """The event in words, and its level."""
    text, level = _WORDS[event.kind](Recorded(event.body))
    return clean_text(text), level


def _flight(verb: str) -> Callable[[Recorded], Line]:
    def words(said: Recorded) -> Line:
        where = f"{said.text('plan_title')} in {said.text('environment')} ({said.text('mode')})"
        return f"flight {verb}: {where}, cockpit {said.text('version')} on {said.text('host')}", Level.NOTE

    return words


def _flight_ended(said: Recorded) -> Line:
    return with_detail("flight ended", said.said("why")), Level.NOTE


def _operator_lost(said: Recorded) -> Line:
    return with_detail("operator lost", said.said("why")), Level.WARN


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
    return with_detail("driver's seat released", said.said("why")), Level.NOTE


def _driver_offered(said: Recorded) -> Line:
    return f"driver's seat offered to {said.text('to_name')}", Level.NOTE


def _driver_declined(said: Recorded) -> Line:
    return with_detail("offer of the driver's seat is off", said.said("why")), Level.NOTE


def _plan_taken(said: Recorded) -> Line:
    digest = said.text("digest")[:_DIGEST_SHOWN]
    return with_detail(f"changed plan {digest} taken", "; ".join(said.texts("diff"))), Level.NOTE


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
    return with_detail("declined what was asked for", said.said("reason")), Level.WARN


def _advance_withdrawn(said: Recorded) -> Line:
    return with_detail("the request to advance is over", said.said("why")), Level.NOTE


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
    return with_detail(text, said.said("detail")), _OUTCOME_LEVEL.get(outcome, Level.UNKNOWN)


def _flag_seen(said: Recorded) -> Line:
    exposure = said.percent("exposure")
    switch = {True: ", on", False: ", off", None: ""}[said.yes("on")]
    if exposure is None:
        return f"{said.text('flag')}: read{_lever(said)}, exposure cannot be told{switch}", Level.UNKNOWN
    return f"{said.text('flag')}: reads {exposure}{switch}{_lever(said)}", Level.OK


def _lever_pulled(said: Recorded) -> Line:
    pulled = f"{said.text('flag')}: second lever pulled ({said.text('service')})"
    return with_detail(pulled, said.said("why")), Level.WARN


def _lever_by_hand(said: Recorded) -> Line:
    done = f"{said.text('flag')}: brought to zero by hand, which no machine has verified"
    return with_detail(done, said.said("note")), Level.WARN


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
    return with_detail(f"{said.text('flag')}: held", said.said("reason")), Level.NOTE


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
    words = {each.value: each.words for each in Verdict}.get(verdict, verdict)
    text = with_detail(f"{said.text('signal')}: {words}", said.said("text"))
    return text, _VERDICT_LEVEL.get(verdict, Level.UNKNOWN)


def _verdict_overridden(said: Recorded) -> Line:
    stage = f"{said.text('flag')} to {said.percent_text('percent')}"
    return with_detail(
        f"{said.text('signal')}: verdict overridden for {stage}", said.said("reason")
    ), Level.WARN


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
    return with_detail(text, said.said("detail"), ", "), _HEALTH_LEVEL.get(health, Level.UNKNOWN)


def _source_lost(said: Recorded) -> Line:
    return with_detail(f"{said.text('source')}: cannot be asked", said.said("title")), Level.UNKNOWN


def _source_back(said: Recorded) -> Line:
    return f"{said.text('source')}: answers again", Level.OK


def _proposal_raised(said: Recorded) -> Line:
    """Its text names the signal, and has value and limit in it."""
    return f"rollback proposed: {said.said('text') or said.text('signal')}", Level.BAD


def _proposal_cleared(said: Recorded) -> Line:
    return f"rollback no longer proposed: {said.text('signal')}", Level.OK


def _proposal_vetoed(said: Recorded) -> Line:
    return f"proposed rollback vetoed: {said.text('signal')}: {said.text('reason')}", Level.WARN


def _clock_jumped(said: Recorded) -> Line:
    by_s = said.number("by_s")
    size = NOT_RECORDED if by_s is None else f"{by_s:+.0f} s"
    if said.yes("away"):
        return f"this host's clock was set back by at least {size[1:]} while no cockpit flew", Level.WARN
    return f"this host's clock jumped by {size}: times before and after do not fit together", Level.WARN


def _note(said: Recorded) -> Line:
    return said.text("text"), Level.NOTE


def _check_signed(said: Recorded) -> Line:
    return with_detail(f"signed: {said.text('title')}", said.said("note")), Level.OK


def _check_withdrawn(said: Recorded) -> Line:
    return with_detail(f"signature withdrawn: {said.text('title')}", said.said("reason")), Level.WARN


_WORDS: Final[Mapping[Kind, Callable[[Recorded], Line]]] = {
    **ROLLBACK_WORDS,
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
    Kind.LEVER_PULLED: _lever_pulled,
    Kind.LEVER_BY_HAND: _lever_by_hand,
    Kind.NOTE_ADDED: _note,
    Kind.CHECK_SIGNED: _check_signed,
    Kind.CHECK_WITHDRAWN: _check_withdrawn,
    Kind.CLOCK_JUMPED: _clock_jumped,
}
