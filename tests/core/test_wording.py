from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.clean import TEXT_LIMIT
from cockpit.core.events import Event, Kind
from cockpit.core.phrases import span
from cockpit.core.snapshot import Level
from cockpit.core.wording import line
from tests.core.recorded_events import bodies

AT = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def said(kind: Kind, **body: object) -> tuple[str, Level]:
    return line(Event(seq=1, at=AT, actor="ana", kind=kind, body=body))


@pytest.mark.parametrize(
    ("kind", "body", "words", "level"),
    [
        (
            Kind.FLIGHT_OPENED,
            {"plan_title": "Chat", "environment": "prod", "mode": "live", "version": "1.0", "host": "h1"},
            "flight opened: Chat in prod (live), cockpit 1.0 on h1",
            Level.NOTE,
        ),
        (Kind.OPERATOR_LOST, {"why": "terminal gone"}, "operator lost: terminal gone", Level.WARN),
        (
            Kind.PLAN_TAKEN,
            {"digest": "0123456789abcdef", "diff": ["a", "b"]},
            "changed plan 0123456789ab taken: a; b",
            Level.NOTE,
        ),
        (
            Kind.FLAG_ASKED,
            {"flag": "chat", "percent": 2550, "before": 1000},
            "chat: asked for 25.5%, was 10%",
            Level.NOTE,
        ),
        (
            Kind.WRITE_INTENT,
            {"flag": "chat", "action": "set", "percent": 2500},
            "chat: set to 25%, writing",
            Level.NOTE,
        ),
        (Kind.WRITE_INTENT, {"flag": "chat", "action": "kill"}, "chat: switch off, writing", Level.NOTE),
        (
            Kind.WRITE_OUTCOME,
            {"flag": "chat", "action": "kill", "outcome": "done", "took_s": 0.1234, "detail": ""},
            "chat: switching off done after 0.12 s",
            Level.OK,
        ),
        (
            Kind.WRITE_OUTCOME,
            {
                "flag": "chat",
                "action": "set",
                "outcome": "unknown",
                "took_s": 5,
                "detail": "no answer in 5 s",
            },
            "chat: write unknown after 5.00 s: no answer in 5 s",
            Level.UNKNOWN,
        ),
        (Kind.WRITE_OUTCOME, {"flag": "chat", "outcome": "refused"}, "chat: write refused", Level.WARN),
        (Kind.FLAG_SEEN, {"flag": "chat", "exposure": 0, "on": False}, "chat: reads 0%, off", Level.OK),
        (
            Kind.FLAG_SEEN,
            {"flag": "chat", "exposure": None},
            "chat: read, exposure cannot be told",
            Level.UNKNOWN,
        ),
        (
            Kind.FLAG_FOREIGN,
            {"flag": "chat", "before": "0%", "after": "100%", "who": None, "raised": True},
            "chat: changed from 0% to 100% by somebody (the service does not tell who), not by this cockpit",
            Level.WARN,
        ),
        (
            Kind.VERDICT_CHANGED,
            {"signal": "errors", "verdict": "UNKNOWN", "text": "no data"},
            "errors: UNKNOWN: no data",
            Level.UNKNOWN,
        ),
        (
            Kind.LIMIT_BREACHED,
            {"signal": "errors", "value": "new 7.2% > limit 5% in 3 of 5 polls", "limit": "5%"},
            "errors: over its hard limit: new 7.2% > limit 5% in 3 of 5 polls",
            Level.BAD,
        ),
        (
            Kind.LIMIT_BREACHED,
            {"signal": "errors", "value": 7.2, "limit": 5},
            "errors: over its hard limit: 7.2, limit 5",
            Level.BAD,
        ),
        (
            Kind.PROBE_CHANGED,
            {"side": "legacy", "probe": "api", "health": "down", "detail": "503"},
            "legacy probe api: down, 503",
            Level.BAD,
        ),
        (
            Kind.SOURCE_LOST,
            {"source": "flags/unleash", "title": "no connection"},
            "flags/unleash: cannot be asked: no connection",
            Level.UNKNOWN,
        ),
        (
            Kind.ROLLBACK_DECLARED,
            {
                "flags": [{"flag": "a"}, {"flag": "b"}],
                "whole": False,
                "reason": "errors",
                "deadline_at": "2031-02-03T04:20:06+00:00",
            },
            "ROLLBACK declared for flags a, b: errors; users safe by 04:20:06 UTC",
            Level.BAD,
        ),
        (Kind.ROLLBACK_ANSWERED, {"go": False}, "rollback answered: hold", Level.WARN),
        (
            Kind.ROLLBACK_CUT,
            {"counters": [["orders", 12.0], ["carts", None]]},
            "cut mark set: orders 12, carts not counted",
            Level.NOTE,
        ),
        (
            Kind.CLOCK_JUMPED,
            {"by_s": -600.0, "away": True},
            "this host's clock was set back by at least 600 s while no cockpit flew",
            Level.WARN,
        ),
        (
            Kind.ROLLBACK_COUNTED,
            {"counters": [["carts", 7.0]]},
            "counted for the first time after the cut mark: carts 7",
            Level.NOTE,
        ),
        (
            Kind.ROLLBACK_DRAINED,
            {"flag": "a", "share_pct": 0.25},
            "a: drained, 0.25% of its traffic on the new side",
            Level.OK,
        ),
        (
            Kind.ROLLBACK_DRAINED,
            {"flag": "a", "share_pct": None, "note": ""},
            "a: taken as drained, its traffic cannot be observed",
            Level.UNKNOWN,
        ),
        (
            Kind.ROLLBACK_DELTA,
            {"deltas": [{"name": "orders", "count": 3, "note": ""}, {"name": "carts", "note": "reset"}]},
            "new-side writes since the cut mark: orders 3, carts not counted - reset",
            Level.UNKNOWN,
        ),
        (Kind.ROLLBACK_CLOSED, {"overrun_s": 83.4}, "rollback closed, 1:23 over time", Level.WARN),
        (Kind.ROLLBACK_CLOSED, {"overrun_s": 0, "note": "ok"}, "rollback closed in time: ok", Level.OK),
        (Kind.ROLLBACK_CLOSED, {}, "rollback closed", Level.OK),
        (Kind.STEP_FAILED, {"step": "prove", "evidence": "503"}, "step prove failed: 503", Level.BAD),
        (Kind.NOTE_ADDED, {"text": "hello"}, "hello", Level.NOTE),
        (Kind.NOTE_ADDED, {}, "not recorded", Level.NOTE),
        (
            Kind.FLAG_ASKED,
            {"percent": 999_999},
            "not recorded: asked for not recorded",
            Level.NOTE,
        ),
    ],
)
def test_events_in_words(kind: Kind, body: dict[str, object], words: str, level: Level) -> None:
    assert said(kind, **body) == (words, level)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_renders_with_an_empty_body(kind: Kind) -> None:
    text, level = said(kind)
    assert text
    assert level in Level


def test_an_event_s_line_is_one_clean_line() -> None:
    text, _ = said(Kind.NOTE_ADDED, text="a\x1b[2J\nb\u202e" + "c" * 1000)
    assert text.startswith("a\ufffd[2J b\ufffdccc")
    assert len(text) == TEXT_LIMIT


@given(kind=st.sampled_from(Kind), body=bodies)
@settings(deadline=None)
def test_any_body_renders_as_one_printable_line(kind: Kind, body: Mapping[str, object]) -> None:
    text, level = line(Event(seq=1, at=AT, actor="ana", kind=kind, body=body))
    assert text == text.strip()
    assert len(text) <= TEXT_LIMIT
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text)
    assert level in Level


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (59.6, "1:00"), (245, "4:05"), (3727, "1:02:07"), (-61, "-1:01"), (-0.2, "0:00")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert span(seconds) == words
