"""Snapshots with parity checks: data that agree, that differ, and data that nobody could look at."""

from __future__ import annotations

from dataclasses import replace

from cockpit.core.model import Failure, Fault, Reading
from cockpit.core.parity import Difference, Match, ParityValue
from cockpit.core.parity_spec import Question
from cockpit.core.snapshot import Level, ParityStatus, Reason, Snapshot
from tests.face.parts import ago
from tests.face.pictures import calm


def check(
    name: str,
    value: ParityValue | None,
    *,
    question: Question = Question.COUNT,
    age_s: float = 40,
    failure: Failure | None = None,
    required: bool = True,
) -> ParityStatus:
    """One check; `value` None means never looked."""
    reading: Reading[ParityValue] = Reading(
        value=value,
        observed_at=ago(age_s) if value is not None else None,
        took_s=0.8 if value is not None else None,
        failure=failure,
        failing_since=ago(90) if failure is not None else None,
        attempted_at=ago(age_s),
        interval_s=300,
    )
    return ParityStatus(
        name=name,
        title=name.capitalize(),
        question=question,
        legacy_store="postgres",
        new_store="convex",
        required=required,
        reading=reading,
    )


def agreeing() -> Snapshot:
    """Counts, rows and the newest change of a chat, all as they should be."""
    counted = ParityValue(
        match=Match.NOISE,
        text="48,214 rows, legacy moved from 48,211 to 48,215 meanwhile",
        legacy="48,211-48,215",
        new="48,214",
        apart=0.0,
        compared=48_215,
    )
    rows = ParityValue(
        match=Match.EQUAL,
        text="50 rows compared, all alike",
        legacy="50 rows",
        new="0 differ",
        apart=0.0,
        compared=50,
    )
    newest = ParityValue(
        match=Match.TOLERATED,
        text="the new side is 4 s behind; 30 s allowed",
        legacy="03-14 03:11:20",
        new="03-14 03:11:16",
        apart=4.0,
        compared=1,
    )
    return replace(
        calm(),
        parity=(
            check("chats", counted),
            check("messages", rows, question=Question.ROWS),
            check("newest message", newest, question=Question.NEWEST),
        ),
    )


def differing() -> Snapshot:
    """Messages were skipped on import, times read in another zone; one check cannot look."""
    counted = ParityValue(
        match=Match.DIFFERENT,
        text="new has 48,199 rows fewer than legacy's 48,211",
        legacy="48,211",
        new="12",
        apart=-48_199.0,
        compared=48_211,
    )
    times = "timestamp is off by exactly -2.0 h (time zone?) in all 50 rows"
    rows = ParityValue(
        match=Match.DIFFERENT,
        text=f"50 of 50 rows differ (1000 per 1,000): {times}",
        legacy="50 rows",
        new="50 differ",
        apart=1000.0,
        compared=50,
        differences=(
            Difference(what=times, rows=50, examples=("msg_9001", "msg_9002", "msg_9003")),
            Difference(what="chatId still is legacy's id in 3 of 50 rows", rows=3, examples=("msg_9001",)),
        ),
    )
    away = Failure(title="postgres.example.com:5432 refuses the connection", fault=Fault.NETWORK)
    reason = Reason(level=Level.BAD, subject="Chats", what=f"the data differ: {counted.text}")
    return replace(
        calm(),
        level=Level.BAD,
        reasons=(reason,),
        parity=(
            check("chats", counted),
            check("messages", rows, question=Question.ROWS),
            check("newest message", None, question=Question.NEWEST, failure=away),
        ),
    )


EVERY_PARITY = (agreeing, differing)
