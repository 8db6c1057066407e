"""The sample cutover, flown on a real Unleash with PostgreSQL and a real Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from cockpit.cli.looking import EXIT_BY_LEVEL, status_lines
from cockpit.core.commands import CommandState, CommandStatus
from cockpit.core.events import MACHINE, Event, Kind
from cockpit.core.model import Freshness, Health, Verdict, WriteOutcome
from cockpit.core.report import report
from cockpit.core.report_markdown import markdown
from cockpit.core.rollback import FlipState, StepState
from cockpit.core.snapshot import Agreement, Level, Snapshot
from cockpit.core.spec import StepKey
from cockpit.engine.clock import SystemClock
from cockpit.engine.snapshot_json import as_json
from tests.flying import (
    OPERATOR,
    Cockpit,
    configured_pct,
    flag_of,
    machine_part_done,
    observed_pct,
    rollback_of,
)
from tests.real.cutover import Monitoring, Night, night
from tests.real.unleash_server import unleash

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

DRAIN_LIMIT_PCT = 0.5
BY_EVIDENCE = (StepKey.PROVE, StepKey.FLIP, StepKey.DRAIN, StepKey.VERIFY, StepKey.RECONCILE)


def test_stages_advance_through_the_real_gates(tonight: Night) -> None:
    """Preflight finds everything, then 0 -> 10 -> 25 %, the three numbers fitting together at each stage."""
    checked = tonight.command("check")
    lines = checked.stdout.splitlines()
    assert checked.returncode in (0, 3), checked.stdout + checked.stderr
    assert lines[-1].split(" ok, ")[1].startswith("0 failed") and len(lines) > 30
    writes, reads, _ = tonight.flags
    with tonight.flying() as cockpit:
        assert fits(cockpit, writes, 0)
        for percent in (10, 25):
            assert advance(cockpit, writes, percent).state is CommandState.DONE
            assert tonight.raw.rollouts(writes) == [str(percent)]
            assert fits(cockpit, writes, percent)
            assert tonight.sdk.served()[writes] == percent
        early = cockpit.advance(reads, 25)
        assert early.state is CommandState.REFUSED and "the next stage is 10%" in early.text
    done = [event for event in tonight.events() if event.kind is Kind.WRITE_OUTCOME]
    assert [event.body["outcome"] for event in done] == ["done", "done"]
    assert tonight.raw.event_types(writes).count("feature-strategy-update") == 2


def test_a_stage_is_refused_while_its_evidence_is_missing(tonight: Night) -> None:
    writes, reads, _ = tonight.flags
    with tonight.flying() as cockpit:
        assert fits(cockpit, writes, 0)
        dependent = cockpit.advance(reads, 10)
        assert dependent.state is CommandState.REFUSED
        assert advance(cockpit, writes, 10).state is CommandState.DONE
        at_once = cockpit.advance(writes, 25)
        assert at_once.state is CommandState.REFUSED and "gates not met" in at_once.text
    assert tonight.raw.rollouts(writes) == ["10"] and tonight.raw.rollouts(reads) == ["0"]


def test_a_change_by_somebody_else_is_told_by_the_next_poll_and_holds_the_flag(tonight: Night) -> None:
    writes = tonight.flags[0]
    who = tonight.raw.tokens.person_name
    with tonight.flying() as cockpit:
        cockpit.wait("a first reading", lambda picture: flag_of(picture, writes).configured.value)
        tonight.raw.store_rollout(writes, "50", token=tonight.raw.tokens.person)
        changed_at = SystemClock().now()
        alarmed = cockpit.wait("an alarm", lambda picture: flag_of(picture, writes).foreign)
        flag = flag_of(alarmed, writes)
        assert flag.foreign is not None
        assert (flag.foreign.who, flag.foreign.before, flag.foreign.after) == (who, "0%", "50%")
        assert flag.foreign.raised and alarmed.level is Level.BAD
        assert any(reason.subject == writes and who in reason.what for reason in alarmed.reasons)
        assert flag.held_by == MACHINE and "changed by someone else" in flag.held_reason
        unmet = {gate.name for gate in flag.gates if not gate.met}
        assert {"not held", "own changes"} <= unmet
        assert cockpit.advance(writes, 100).state is CommandState.REFUSED
        informed = [picture for picture in cockpit.pictures if seen_after(picture, writes, changed_at)]
        assert all(flag_of(picture, writes).foreign for picture in informed)
    assert tonight.raw.rollouts(writes) == ["50"], "told and held, not fought"


def test_a_rollback_is_done_when_real_numbers_prove_it(tonight: Night) -> None:
    """Every flag off, re-read, off for SDKs, and gone from the traffic that Prometheus counts."""
    tonight.start_at(25)
    with tonight.flying() as cockpit:
        for flag in tonight.flags:
            assert fits(cockpit, flag, 25)
        cockpit.declare()
        over = cockpit.wait("the machine's part is over", machine_part_done)
        rollback = rollback_of(over)
        for flip in rollback.flips:
            assert flip.state is FlipState.AT_ZERO and flip.before is not None and flip.before.value == 25
            assert flip.share_pct is not None and flip.share_pct < DRAIN_LIMIT_PCT
            share = observed_pct(flag_of(over, flip.flag), over)
            assert share is not None and share < DRAIN_LIMIT_PCT
            assert not tonight.raw.is_on(flip.flag) and tonight.raw.rollouts(flip.flag) == ["0"]
        assert off_for_everybody(tonight)
        proved = {step.key: step for step in rollback.steps if step.key in BY_EVIDENCE}
        assert set(proved) == set(BY_EVIDENCE)
        assert all(step.state is StepState.DONE and step.done_by == MACHINE for step in proved.values())
        drained = proved[StepKey.DRAIN].evidence
        assert re.fullmatch(r"3 observed below 0\.5%; live streams [0-4] \(below 5\)", drained), drained
        assert "3 of 3 in a row" in proved[StepKey.VERIFY].evidence
    assert kill_order(tonight.events()) == list(reversed(tonight.flags)), "what depends on a flag goes first"
    record = report(tonight.events(), made_at=SystemClock().now())
    (written,) = record.rollbacks
    drained_at = [flip.drained_at for flip in rollback.flips if flip.drained_at is not None]
    assert written.users_safe_at is not None and written.users_safe_at >= max(drained_at)
    row = next(line for line in markdown(record).splitlines() if "declare to users safe" in line)
    assert f"{written.users_safe_at:%H:%M:%S}" in row
    assert tonight.breaks() == []


def test_a_kill_that_got_no_answer_is_unknown_until_it_is_read_back(
    watched: Monitoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole PostgreSQL cluster stands still. On a server of its own: others shall not meet that."""
    with unleash() as frail, night(frail, watched, tmp_path, monkeypatch) as staged:
        staged.start_at(25)
        writes, _, realtime = staged.flags
        with staged.flying() as cockpit:
            assert fits(cockpit, realtime, 25)
            with frail.database.frozen():
                cockpit.declare()
                unknown = cockpit.wait("an unknown outcome", lambda picture: is_unknown(picture, realtime))
                shown = flag_of(unknown, realtime)
                assert shown.writing is WriteOutcome.UNKNOWN
                assert shown.writing_text.startswith("outcome unknown (no answer")
                told = status_lines(unknown, unknown.engine_at)
                assert any(line.startswith(f"  {realtime}: unknown (no answer") for line in told)
                cockpit.wait("two read-backs in vain", lambda picture: reads_in_vain(cockpit, realtime) >= 2)
                blind = cockpit.pictures[-1]
                assert any("flag cannot be read" in reason.what for reason in blind.reasons)
                frozen = rollback_of(blind)
                assert [flip.attempts for flip in frozen.flips if flip.flag == realtime] == [1]
                assert [flip.attempts for flip in frozen.flips if flip.flag == writes] == [0]
            cockpit.wait("every flag re-read at zero", lambda picture: rollback_of(picture).flipped)
            over = cockpit.wait("the machine's part is over", machine_part_done)
            assert all(flip.drained_at is not None for flip in rollback_of(over).flips)
            assert off_for_everybody(staged)
        assert_read_before_written_again(staged.events(), realtime)
        assert frail.raw.event_types(realtime).count("feature-environment-disabled") == 1


def test_a_rollback_without_a_screen(tonight: Night) -> None:
    """`cockpit rollback` as a process: exit 0, everything off, the journal whole, the report written."""
    tonight.start_at(25)
    rolled = tonight.command("rollback", "--reason", "the worst night")
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
    assert rolled.stdout.splitlines()[-1] == "users are back on legacy"
    assert off_for_everybody(tonight)
    events = tonight.events()
    kinds = [event.kind for event in events]
    assert kinds[:2] == [Kind.DRIVER_TAKEN, Kind.FLIGHT_OPENED] and Kind.FLIGHT_ENDED in kinds[-2:]
    assert kinds.count(Kind.ROLLBACK_DECLARED) == 1 and kinds.count(Kind.ROLLBACK_DRAINED) == 3
    assert intents(events) == outcomes(events) and len(intents(events)) == 6
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert tonight.breaks() == []
    told = tonight.command("report")
    assert told.returncode == 0 and "the worst night" in told.stdout
    assert "declare to users safe" in told.stdout
    (as_told,) = json.loads(tonight.command("report", "--json").stdout)["rollbacks"]
    assert as_told["users_safe_at"] is not None and as_told["declared_by"] == OPERATOR


def test_status_says_what_the_flying_cockpit_shows(tonight: Night) -> None:
    tonight.start_at(10)
    with tonight.flying() as cockpit:
        assert fits(cockpit, tonight.flags[0], 10)
        asked = tonight.command("status", "--json")
        said = json.loads(asked.stdout)
        (shown,) = [picture for picture in cockpit.pictures if picture.seq == said["seq"]]
        assert said == as_json(shown)
        assert not said["read_only"] and said["operator"] == OPERATOR, "the driver's own picture"
        assert asked.returncode == EXIT_BY_LEVEL[shown.level]
        assert {flag["configured_pct"] for flag in said["flags"]} == {10.0}


def test_a_frozen_prometheus_is_not_seen_and_nothing_is_concluded(tonight: Night) -> None:
    """Stale, then unknown: never OK, never down, no gate opens, nobody is rolled back. Then it recovers."""
    tonight.start_at(10)
    writes = tonight.flags[0]
    with tonight.flying() as cockpit:
        assert fits(cockpit, writes, 10)
        cockpit.wait("judged signals", lambda picture: verdict(picture, "errors") is not Verdict.UNKNOWN)
        calm_until = cockpit.pictures[-1].journal.last_seq
        with tonight.monitoring.server.frozen():
            stale = cockpit.wait("stale", lambda picture: freshness(picture) is Freshness.STALE)
            blind = cockpit.wait("unknown", lambda picture: freshness(picture) is Freshness.UNKNOWN)
            meanwhile = cockpit.pictures[cockpit.pictures.index(stale) :]
            assert all(verdict(picture, "errors") is Verdict.UNKNOWN for picture in meanwhile)
            assert {picture.level for picture in meanwhile if not has_failed_probe(picture)} == {
                Level.UNKNOWN
            }
            unmet = {gate.name for gate in flag_of(blind, writes).gates if not gate.met}
            assert {"numbers agree", "signal errors", "signal slow"} <= unmet
            assert any("cannot be seen" in reason.what for reason in blind.reasons)
            assert cockpit.advance(writes, 25).state is CommandState.REFUSED
        cockpit.wait("sight again", lambda picture: verdict(picture, "errors") is not Verdict.UNKNOWN)
        assert fits(cockpit, writes, 10)
    kinds = [event.kind for event in tonight.events() if event.seq > calm_until]
    assert kinds.count(Kind.SOURCE_LOST) == kinds.count(Kind.SOURCE_BACK) == 1
    assert not {Kind.PROPOSAL_RAISED, Kind.ROLLBACK_DECLARED, Kind.WRITE_INTENT} & set(kinds)
    assert tonight.raw.rollouts(writes) == ["10"]


def fits(cockpit: Cockpit, flag: str, percent: int) -> Snapshot:
    """The first picture in which asked (if anything was), configured and observed say the same."""

    def fit(picture: Snapshot) -> bool:
        seen = flag_of(picture, flag)
        share = observed_pct(seen, picture)
        return (
            seen.agreement is Agreement.AGREE
            and (seen.asked is None or seen.asked.value == percent)
            and configured_pct(seen, picture) == percent
            and share is not None
            and abs(share - percent) <= 3.5
        )

    return cockpit.wait(f"{flag}: three numbers fit at {percent}%", fit)


def advance(cockpit: Cockpit, flag: str, percent: int) -> CommandStatus:
    """Advance once every gate is met; a busy machine may let one close again in between."""
    while True:
        cockpit.wait(f"gates of {flag} open", lambda picture: gates_open(picture, flag))
        status = cockpit.advance(flag, percent)
        if status.state is CommandState.DONE or "gates not met" not in status.text:
            return status


def gates_open(picture: Snapshot, flag: str) -> bool:
    return all(gate.met for gate in flag_of(picture, flag).gates)


def seen_after(picture: Snapshot, flag: str, moment: datetime) -> bool:
    """Whether the picture shows a reading that was asked for after `moment`."""
    reading = flag_of(picture, flag).configured
    return reading.attempted_at is not None and reading.attempted_at >= moment and reading.failure is None


def is_unknown(picture: Snapshot, flag: str) -> bool:
    flips = picture.rollback.flips if picture.rollback is not None else ()
    return any(flip.flag == flag and flip.state is FlipState.UNKNOWN for flip in flips)


def reads_in_vain(cockpit: Cockpit, flag: str) -> int:
    """How many reads of the flag failed while its write's outcome was unknown."""
    readings = [
        flag_of(picture, flag).configured for picture in cockpit.pictures if is_unknown(picture, flag)
    ]
    return len({reading.attempted_at for reading in readings if reading.failure is not None})


def off_for_everybody(staged: Night) -> bool:
    """Whether Unleash itself tells every SDK that each flag is off."""
    served = staged.raw.served()
    return not any(served[flag] for flag in staged.flags)


def kill_order(events: Sequence[Event]) -> list[object]:
    kills = [event for event in events if event.kind is Kind.WRITE_INTENT and event.body["action"] == "kill"]
    return [event.body["flag"] for event in kills]


def intents(events: Sequence[Event]) -> set[object]:
    return {event.body["write_id"] for event in events if event.kind is Kind.WRITE_INTENT}


def outcomes(events: Sequence[Event]) -> set[object]:
    return {event.body["write_id"] for event in events if event.kind is Kind.WRITE_OUTCOME}


def assert_read_before_written_again(events: Sequence[Event], flag: str) -> None:
    """After each unknown outcome the next thing that happens to the flag is a reading."""
    own = [event for event in events if event.body.get("flag") == flag]
    unknown = [index for index, event in enumerate(own) if event.body.get("outcome") == "unknown"]
    assert unknown
    assert all(own[index + 1].kind is Kind.FLAG_SEEN for index in unknown)


def verdict(picture: Snapshot, signal: str) -> Verdict:
    return next(one for one in picture.signals if one.name == signal).evidence.verdict


def has_failed_probe(picture: Snapshot) -> bool:
    """Whether a backend is down by its own answer: a practice double fails one request in 170."""
    return any(backend.health is Health.DOWN for backend in picture.backends)


def freshness(picture: Snapshot) -> Freshness:
    """The worst of the signals' readings at the moment of the picture."""
    ages = [signal.reading.freshness(picture.engine_at) for signal in picture.signals]
    return next(worst for worst in (Freshness.UNKNOWN, Freshness.STALE, Freshness.FRESH) if worst in ages)
