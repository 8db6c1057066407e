"""Events for the tests of wording and report: a told story, and any events at all."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from hypothesis import strategies as st

from cockpit.core.events import MACHINE, Event, Kind

BEGAN_AT: Final = datetime(2031, 2, 3, 4, 0, 0, tzinfo=UTC)

STEPS: Final = (
    ("declare", "Declare", 30),
    ("freeze", "Freeze", 60),
    ("prove", "Prove the way back", 105),
    ("flip", "Flip", 180),
    ("drain", "Verify drain", 420),
    ("verify", "Verify legacy", 600),
    ("reconcile", "Reconcile", 780),
    ("announce", "Announce", 840),
    ("close", "Close", 900),
)


class Story:
    """Collects events; `at_s` counts from the beginning of the flight."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, at_s: float, kind: Kind, actor: str = MACHINE, /, **body: object) -> None:
        seq = len(self.events) + 1
        at = BEGAN_AT + timedelta(seconds=at_s)
        digest = f"{seq:064x}"
        self.events.append(Event(seq=seq, at=at, actor=actor, kind=kind, body=body, hash=digest))

    def open(self, mode: str = "live") -> None:
        body = {
            "plan_title": "Chat sync",
            "plan_digest": "abc123",
            "environment": "production",
            "mode": mode,
            "host": "ops-1",
            "version": "0.1.0",
        }
        self.tell(0, Kind.FLIGHT_OPENED, "ana", **body)

    def declare(self, at_s: float, **other: object) -> None:
        body: dict[str, object] = {
            "rollback": "r1",
            "flags": [
                {"flag": "send", "layer": 0, "before": 2500},
                {"flag": "read", "layer": 1, "before": 5000},
            ],
            "whole": True,
            "deadline_at": (BEGAN_AT + timedelta(seconds=at_s + 900)).isoformat(),
            "escalate_at": (BEGAN_AT + timedelta(seconds=at_s + 720)).isoformat(),
            "first_breach_at": (BEGAN_AT + timedelta(seconds=at_s - 95)).isoformat(),
            "reason": "errors: new 7.2% > limit 5%",
            "steps": [
                {
                    "id": key,
                    "key": key,
                    "title": title,
                    "budget_s": budget_s,
                    "text": "",
                    "machine": key != "close",
                }
                for key, title, budget_s in STEPS
            ],
        }
        self.tell(at_s, Kind.ROLLBACK_DECLARED, "ana", **{**body, **other})

    def step(self, at_s: float, step: str, evidence: str = "seen", actor: str = MACHINE) -> None:
        self.tell(at_s, Kind.STEP_DONE, actor, rollback="r1", step=step, evidence=evidence)

    def write(self, at_s: float, flag: str, number: int, outcome: str, action: str = "kill") -> None:
        write_id = f"{flag}-{number}"
        percent = 0 if action == "zero" else None
        self.tell(
            at_s,
            Kind.WRITE_INTENT,
            write_id=write_id,
            flag=flag,
            action=action,
            percent=percent,
            rollback="r1",
        )
        self.tell(
            at_s + 0.2,
            Kind.WRITE_OUTCOME,
            write_id=write_id,
            flag=flag,
            action=action,
            outcome=outcome,
            detail="" if outcome == "done" else "HTTP 503",
            took_s=0.2,
            rollback="r1",
        )

    def seen(self, at_s: float, flag: str, exposure: int | None = 0) -> None:
        self.tell(at_s, Kind.FLAG_SEEN, flag=flag, exposure=exposure, rollback="r1")

    def drained(self, at_s: float, flag: str, share_pct: float | None = 0.1) -> None:
        self.tell(at_s, Kind.ROLLBACK_DRAINED, rollback="r1", flag=flag, share_pct=share_pct, note="")


def rolled_back() -> Story:
    """A flight: one forward move, a breach after 1000 s, a rollback closed 9:10 after its declaration."""
    story = Story()
    story.open()
    story.tell(
        60, Kind.VERDICT_OVERRIDDEN, "ana", flag="send", signal="errors", percent=2500, reason="low traffic"
    )
    story.tell(61, Kind.FLAG_ASKED, "ana", flag="send", percent=2500, before=1000)
    story.tell(
        61, Kind.WRITE_INTENT, "ana", write_id="w0", flag="send", action="set", percent=2500, rollback=None
    )
    outcome = {
        "write_id": "w0",
        "flag": "send",
        "action": "set",
        "outcome": "done",
        "detail": "",
        "took_s": 0.1,
    }
    story.tell(61.1, Kind.WRITE_OUTCOME, **outcome, rollback=None)
    story.tell(62, Kind.FLAG_SEEN, flag="send", exposure=2500, rollback=None)
    story.tell(905, Kind.LIMIT_BREACHED, signal="errors", value="new 7.2% > limit 5%", limit="5%")
    story.declare(1000)
    story.tell(1000, Kind.ROLLBACK_CUT, rollback="r1", counters=[["messages", 100.0], ["uploads", 7.0]])
    story.step(1000, "declare")
    story.step(1000, "freeze")
    story.step(1001, "prove", "legacy ok")
    story.tell(1000, Kind.STEP_STARTED, rollback="r1", step="flip")
    story.write(1000, "send", 1, "unknown")
    story.seen(1002, "send")
    story.write(1002, "read", 1, "refused")
    story.write(1003, "read", 2, "done")
    story.seen(1004, "read")
    story.write(1004, "send", 2, "done", "zero")
    story.write(1004, "read", 3, "done", "zero")
    story.step(1004, "flip", "2 of 2 flags re-read at 0%")
    story.tell(
        1030, Kind.ROLLBACK_EXPLAINED, "ana", rollback="r1", reason="", commander="bo", data_owner="cy"
    )
    story.drained(1100, "send")
    story.drained(1430, "read")
    story.step(1430, "drain", "2 observed below 0.5%")
    story.step(1450, "verify", "api 3 of 3 in a row")
    deltas = [{"name": "messages", "count": 12.0, "note": ""}, {"name": "uploads", "count": 0.0, "note": ""}]
    story.tell(1460, Kind.ROLLBACK_DELTA, rollback="r1", deltas=deltas)
    story.step(1460, "reconcile", "12 messages")
    told = {"rollback": "r1", "hook": "chat", "moment": "declared", "event_id": "e1"}
    story.tell(1002, Kind.ANNOUNCE_FAILED, **told, detail="HTTP 500")
    story.tell(1008, Kind.ANNOUNCE_SENT, **told, receipt="HTTP 200")
    story.tell(
        1010,
        Kind.ANNOUNCE_FAILED,
        rollback="r1",
        hook="pager",
        moment="flipped",
        event_id="e2",
        detail="HTTP 404",
    )
    story.tell(1470, Kind.STEP_FAILED, rollback="r1", step="announce", evidence="not delivered by pager")
    story.tell(1500, Kind.STEP_OVERRIDDEN, "ana", rollback="r1", step="announce", reason="told them by phone")
    story.tell(1550, Kind.ROLLBACK_CLOSED, "bo", rollback="r1", note="all safe", overrun_s=0.0)
    story.tell(1600, Kind.NOTE_ADDED, "cy", text="replaying messages tomorrow")
    return story


NAMES: Final = re.findall(
    r"\w+",
    """flag percent before write_id action outcome detail took_s exposure on after who raised reason signal
    verdict text value limit side probe health source title since rollback flags whole deadline_at escalate_at
    first_breach_at steps question go counters share_pct note deltas commander data_owner why overrun_s step
    evidence hook moment event_id receipt digest diff plan_title plan_digest environment mode host version""",
)
_INNER: Final = ["flag", "layer", "before", "id", "key", "title", "budget_s", "name", "count", "note"]
_IDS: Final = ["r1", "r2", "send", "read", "flip", "drain", "close", "w1", "w2"]
_SAID: Final = ["kill", "zero", "set", "done", "unknown", "", "| <b> `x` [a](b)"]
_TIMES: Final = ["2031-02-03T04:05:06+00:00", "0001-01-01T00:00:00+23:59", "yesterday"]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([*_IDS, *_SAID, *_TIMES])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_INNER), inner, max_size=5),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from(NAMES), values, max_size=12)


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """Any events in order, with bodies of any shape under the right names."""
    kinds = draw(st.lists(st.sampled_from(Kind), max_size=25))
    moments = st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone
    return [
        Event(seq=seq, at=draw(moments), actor=draw(st.text(max_size=8)), kind=kind, body=draw(bodies))
        for seq, kind in enumerate(kinds, 1)
    ]
