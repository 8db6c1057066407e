"""Snapshots of a rollback in every situation, and the smallest app that shows one of its screens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from cockpit.core.clean import Percent
from cockpit.core.model import Health, Reading, Side
from cockpit.core.rollback import CutMark, Delta, Flip, FlipState, Rollback, SecondWay, Step, StepState
from cockpit.core.snapshot import BackendStatus, SecondLeverStatus, Snapshot
from cockpit.core.spec import StepKey
from cockpit.face.themes import Wardrobe, read_wardrobe, themes_dir
from cockpit.face.view import text_of
from cockpit.face.widgets import Paper
from tests.face.pictures import NOW, ago, ahead, calm, probe, regressed, rolling_back

WARDROBE: Final[Wardrobe] = read_wardrobe(themes_dir())


class Host(App[None]):
    """An app that has nothing but a skin; tests push the screen they are about."""

    CSS_PATH = "../../cockpit/face/cockpit.tcss"
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, skin: str = "cockpit") -> None:
        super().__init__()
        chosen = WARDROBE.pick(skin)
        self.inks = chosen.inks()
        self.register_theme(chosen.theme())
        self.theme = chosen.name


def shown(screen: Screen[Any]) -> str:
    """Everything that the papers of a screen say, line by line."""
    papers = screen.query(Paper)
    return "\n".join(text_of(line).rstrip() for paper in papers for line in paper.lines)


async def until(pilot: Pilot[Any], truth: Callable[[], bool], *, within_s: float = 10.0) -> None:
    """Let the app run until `truth` holds; fails after `within_s`."""
    deadline = monotonic() + within_s
    while not truth():
        assert monotonic() < deadline, "never came true"
        await pilot.pause(0.01)


async def says(pilot: Pilot[Any], text: str) -> None:
    await until(pilot, lambda: text in shown(pilot.app.screen))


def _flips(*states: FlipState) -> tuple[Flip, ...]:
    keys = ("convex_live_sessions", "convex_courses", "convex_resources")
    befores = (Percent(0), Percent(2500), Percent(1000))
    return tuple(
        Flip(
            flag=key,
            layer=0 if index == 0 else 1,
            state=state,
            before=before,
            attempts=0 if state is FlipState.WAITING else 1,
            changed_at=ago(1),
            at_zero_at=ago(1) if state is FlipState.AT_ZERO else None,
        )
        for index, (key, before, state) in enumerate(zip(keys, befores, states, strict=True))
    )


def with_rollback(snapshot: Snapshot, **changes: Any) -> Snapshot:
    assert snapshot.rollback is not None
    return replace(snapshot, rollback=replace(snapshot.rollback, **changes))


def with_step(rollback: Rollback, key: StepKey, **changes: Any) -> Rollback:
    steps = tuple(replace(step, **changes) if step.key is key else step for step in rollback.steps)
    return replace(rollback, steps=steps)


def flipping() -> Snapshot:
    """Half a second after declare: one flag at zero, one being written, one waiting, no reason given."""
    base = replace(rolling_back(elapsed_s=0.6, settled=2), drain_below_pct=0.5)
    return with_rollback(
        base,
        reason="",
        flips=_flips(FlipState.AT_ZERO, FlipState.WRITING, FlipState.WAITING),
        cut_mark=CutMark(at=ago(0.5), counters=(("courses written", 18231.0),)),
    )


def refused() -> Snapshot:
    """One flag refused until the machine had no try left, one unknown."""
    states = (FlipState.AT_ZERO, FlipState.REFUSED, FlipState.UNKNOWN)
    flips = tuple(
        replace(flip, attempts=2, detail="403: token may not write")
        if flip.state is FlipState.REFUSED
        else flip
        for flip in _flips(*states)
    )
    return with_rollback(rolling_back(elapsed_s=41, settled=3), flips=flips)


BALANCER: Final = SecondLeverStatus(
    service="balancer", key="pool-new", manual="", takes_s=40, reading=Reading(value=None), offer=""
)
RUNBOOK: Final = SecondLeverStatus(
    service="",
    key="",
    manual="Set the weight of the new pool to 0 in the load balancer (runbook 7)",
    takes_s=240,
    reading=Reading(value=None),
)
CLOSED: Final = "connection refused by flags.example.com:4242"


def with_seconds(snapshot: Snapshot, **levers: SecondLeverStatus) -> Snapshot:
    flags = tuple(replace(flag, second=levers.get(flag.key, flag.second)) for flag in snapshot.flags)
    return replace(snapshot, flags=flags)


def flags_down() -> Snapshot:
    """The flag service refuses connections: nothing leaves, one lever is a service and one a person."""
    flips = tuple(
        replace(flip, attempts=7, lost=7, unsent=7, detail=CLOSED, began_at=ago(20))
        for flip in _flips(FlipState.REFUSED, FlipState.REFUSED, FlipState.REFUSED)
    )
    why = f"the first lever is not reached: {CLOSED}"
    down = with_rollback(rolling_back(elapsed_s=21, settled=3), flips=flips)
    return with_seconds(
        down, convex_courses=replace(BALANCER, offer=why), convex_resources=replace(RUNBOOK, offer=why)
    )


def driver_without_right() -> Snapshot:
    """The balancer was pulled beside a driver that may not write it: D takes the seat."""
    base = flags_down()
    assert base.rollback is not None
    live, courses, resources = base.rollback.flips
    why = "ana@ops-1 has no right to write to balancer"
    refused = SecondWay(
        service="balancer",
        key="pool-new",
        takes_s=40,
        pulled_by="ines@bastion-2",
        pulled_at=ago(9),
        state=FlipState.REFUSED,
        attempts=2,
        began_at=ago(9),
        detail=why,
    )
    barred = f"D takes the seat, then L pulls it: the driver {why}"
    shown = with_seconds(base, convex_courses=replace(BALANCER, barred=barred), convex_resources=RUNBOOK)
    return with_rollback(shown, flips=(live, replace(courses, second=refused), resources))


def second_levers_pulled() -> Snapshot:
    """One flag went by the balancer, one by hand, and the flag service still cannot be reached."""
    base = flags_down()
    assert base.rollback is not None
    live, courses, resources = base.rollback.flips
    balancer = SecondWay(
        service="balancer",
        key="pool-new",
        takes_s=40,
        pulled_by="ines@bastion-2",
        pulled_at=ago(9),
        state=FlipState.AT_ZERO,
        attempts=1,
        began_at=ago(9),
        at_zero_at=ago(6),
        at_zero_seq=40,
    )
    hand = SecondWay(
        manual=RUNBOOK.manual,
        takes_s=240,
        pulled_by="ines@bastion-2",
        pulled_at=ago(4),
        note="weight is 0",
        at_zero_at=ago(4),
        at_zero_seq=44,
    )
    flips = (live, replace(courses, second=balancer), replace(resources, second=hand))
    quiet = with_seconds(base, convex_courses=BALANCER, convex_resources=RUNBOOK)
    return with_rollback(quiet, flips=flips)


def _legacy(snapshot: Snapshot, health: Health | None) -> Snapshot:
    def sick(backend: BackendStatus) -> BackendStatus:
        if backend.side is not Side.LEGACY:
            return backend
        bad = probe("database", Side.LEGACY, health=health, latency_ms=None, detail="connection refused")
        rest = tuple(each for each in backend.probes if each.name != "database")
        return replace(backend, health=health or Health.UNKNOWN, probes=(bad, *rest))

    return replace(snapshot, backends=tuple(sick(backend) for backend in snapshot.backends))


def legacy_down() -> Snapshot:
    return _legacy(regressed(), Health.DOWN)


def legacy_unseen() -> Snapshot:
    return _legacy(regressed(), None)


def question() -> Snapshot:
    """Legacy is down: the flip waits for a person."""
    base = _legacy(rolling_back(elapsed_s=2, settled=2), Health.DOWN)
    text = "Legacy is down by its own probes (database: connection refused). Roll back onto it anyway?"
    waiting = _flips(FlipState.WAITING, FlipState.WAITING, FlipState.WAITING)
    return with_rollback(base, question=text, flips=waiting, cut_mark=None)


def holding() -> Snapshot:
    return with_rollback(question(), answered_go=False)


def escalated() -> Snapshot:
    """Past escalation, two minutes left, traffic does not drain, one line is a person's."""
    base = rolling_back(elapsed_s=780, settled=4)
    assert base.rollback is not None
    rollback = with_step(base.rollback, StepKey.MANUAL, state=StepState.ASKING, started_at=ago(700))
    rollback = with_step(rollback, StepKey.VERIFY, state=StepState.RUNNING, started_at=ago(770))
    return replace(base, rollback=replace(rollback, escalated_at=ago(60)))


DELTAS: Final = (
    Delta(name="courses written", count=1204),
    Delta(name="sessions", count=None, note="the counter was reset since the cut mark"),
)


def _settled(step: Step) -> Step:
    if step.key is StepKey.CLOSE:
        return replace(step, state=StepState.ASKING, started_at=ago(10))
    done_at = ago(60) if step.key is not StepKey.FREEZE else ago(400)
    return replace(step, state=StepState.DONE, evidence="seen", started_at=ago(500), done_at=done_at)


def ready() -> Snapshot:
    """Every line done, names given: only the signature is missing."""
    base = rolling_back(elapsed_s=540, settled=9)
    assert base.rollback is not None
    steps = tuple(_settled(step) for step in base.rollback.steps)
    flips = tuple(replace(flip, drained_at=ago(70), share_pct=0.12) for flip in base.rollback.flips)
    return with_rollback(
        base, steps=steps, flips=flips, deltas=DELTAS, commander="noor", data_owner="ines", answered_go=None
    )


def closed() -> Snapshot:
    """Closed 20 s past the deadline; the engine has moved it to `last_closed`."""
    base = ready()
    assert base.rollback is not None
    rollback = replace(
        base.rollback, closed_at=NOW, closed_by="noor", deadline_at=ago(20), declared_at=ago(920)
    )
    return replace(calm(), rollback=None, last_closed=rollback, rollbacks_closed=1)


def cancelled() -> Snapshot:
    base = question()
    assert base.rollback is not None
    gone = replace(base.rollback, cancelled_at=NOW, closed_by="ines", question="")
    return replace(calm(), rollback=None, last_closed=gone)


def past_no_return() -> Snapshot:
    return replace(regressed(), no_return_at=ago(3600))


def before_no_return() -> Snapshot:
    return replace(regressed(), no_return_at=ahead(3600))


EVERY_ROLLBACK: Final[tuple[Callable[[], Snapshot], ...]] = (
    flipping,
    refused,
    flags_down,
    second_levers_pulled,
    question,
    holding,
    rolling_back,
    escalated,
    ready,
    closed,
    cancelled,
)
