"""Following with an own look in reserve: when it begins, when it ends, and what the picture says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from cockpit.core.commands import AddNote
from cockpit.core.model import Mode
from cockpit.core.snapshot import FOLLOWING, Level, Snapshot
from cockpit.engine.engine import Engine
from cockpit.engine.follower import Follower
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.published import encode
from cockpit.engine.standby import (
    POLL_AFTER_S,
    POLLS_ITSELF,
    TRY_AGAIN_S,
    OwnLook,
    Rule,
    Standby,
    driver_silent,
    nothing_ever,
)
from tests.engine.conftest import World
from tests.engine.scripted import DEADLINE_S, START
from tests.face import pictures


class Lent(MemoryJournal):
    """Outlives every follower that opens and closes it."""

    def close(self) -> None:
        self.closed = True


@dataclass
class WarRoom:
    """A scripted world, a driver's shelf in memory, and one screen that stands by."""

    world: World = field(default_factory=World)
    shelf: MemoryJournal = field(default_factory=Lent)
    looks: list[Engine] = field(default_factory=list)
    released: list[Engine] = field(default_factory=list)
    refusal: Exception | None = None
    screens: list[Standby] = field(default_factory=list)

    def publish(self, seq: int) -> None:
        made = replace(pictures.calm(), seq=seq, engine_at=self.world.clock.now())
        self.shelf.publish(encode(made), made.engine_at)

    def look(self) -> OwnLook:
        if self.refusal is not None:
            raise self.refusal
        engine = Engine(self.world.flying(read_only=True))
        engine.start()
        self.looks.append(engine)

        def release() -> None:
            self.released.append(engine)
            self.world.bell.tell()

        return OwnLook(engine=engine, release=release)

    def stand_by(self, rule: Rule) -> Standby:
        follower = Follower(lambda: self.shelf, self.world.clock)
        screen = Standby(follower, self.look, rule, self.world.clock, ours=(RuntimeError,))
        screen.subscribe(self.world.bell.tell)
        screen.start()
        self.screens.append(screen)
        return screen

    def until(self, screen: Standby, condition: Callable[[Snapshot], bool], what: str) -> Snapshot:
        self.world.bell.until(lambda: condition(screen.latest()), what)
        return screen.latest()


@pytest.fixture
def room() -> Iterator[WarRoom]:
    made = WarRoom()
    yield made
    for screen in made.screens:
        screen.stop()
        assert screen.join(DEADLINE_S) and screen.failed is None
    assert made.released == made.looks and not any(engine.alive for engine in made.looks)
    made.world.end()


def polls_itself(snapshot: Snapshot) -> bool:
    return any((each.subject, each.what) == (FOLLOWING, POLLS_ITSELF) for each in snapshot.reasons)


def follows(snapshot: Snapshot) -> bool:
    return snapshot.mode is Mode.WATCH


@pytest.mark.parametrize("rule", [nothing_ever, driver_silent])
def test_before_any_driver_it_looks_and_then_follows(room: WarRoom, rule: Rule) -> None:
    screen = room.stand_by(rule)
    assert polls_itself(screen.latest()) and screen.latest().read_only
    room.publish(seq=5)
    shown = room.until(screen, follows, "it follows")
    assert shown.seq == 5 and not polls_itself(shown)
    room.world.bell.until(lambda: room.released == room.looks != [], "the own look has ended")
    assert room.world.cast.released == 1


def test_with_a_driver_nothing_is_asked(room: WarRoom) -> None:
    room.publish(seq=1)
    screen = room.stand_by(driver_silent)
    assert follows(screen.latest())
    assert room.looks == [] and room.world.cast.sources_built == 0


def test_a_wall_that_has_followed_does_not_begin_to_ask(room: WarRoom) -> None:
    room.publish(seq=1)
    screen = room.stand_by(nothing_ever)
    room.world.clock.advance(100 * POLL_AFTER_S)
    room.until(screen, lambda shown: shown.reasons != (), "it says that nobody publishes")
    room.publish(seq=2)
    room.until(screen, lambda shown: shown.seq == 2, "it follows")
    assert room.looks == []


def test_asked_to_it_looks_while_the_driver_is_silent_and_no_longer(room: WarRoom) -> None:
    room.publish(seq=1)
    screen = room.stand_by(driver_silent)
    for seq in (2, 3):
        room.world.clock.advance(POLL_AFTER_S + 1)
        room.until(screen, polls_itself, "it looks by itself")
        room.publish(seq=seq)
        assert room.until(screen, follows, "it follows").seq == seq
    assert len(room.looks) == 2


def test_what_keeps_it_from_looking_is_told_and_tried_again(room: WarRoom) -> None:
    room.publish(seq=1)
    screen = room.stand_by(driver_silent)
    room.refusal = RuntimeError("no \x1b[31mtoken")
    room.world.clock.advance(POLL_AFTER_S + 1)

    def refused(shown: Snapshot) -> bool:
        return any("cannot look by itself: no " in reason.what for reason in shown.reasons)

    shown = room.until(screen, refused, "the refusal")
    assert (shown.reasons[0].subject, shown.reasons[0].level) == (FOLLOWING, Level.UNKNOWN)
    assert "\x1b" not in shown.reasons[0].what
    room.refusal = None
    room.world.clock.advance(TRY_AGAIN_S)
    room.until(screen, polls_itself, "it looks by itself")


def test_a_fault_of_a_library_is_told_by_name_alone(room: WarRoom) -> None:
    """`Illegal header value b'Bearer ...'` is how one of them says that a token has a line break."""
    room.publish(seq=1)
    screen = room.stand_by(driver_silent)
    room.refusal = ValueError("Illegal header value b'Bearer s3cret'")
    room.world.clock.advance(POLL_AFTER_S + 1)

    def refused(shown: Snapshot) -> bool:
        return any(reason.what.endswith("cannot look by itself: ValueError") for reason in shown.reasons)

    shown = room.until(screen, refused, "the refusal")
    assert "s3cret" not in str(shown)


def test_what_keeps_it_from_looking_at_once_is_raised(room: WarRoom) -> None:
    room.refusal = RuntimeError("no token")
    with pytest.raises(RuntimeError, match="no token"):
        room.stand_by(nothing_ever)


@pytest.mark.parametrize("driven", [True, False])
def test_commands_are_refused_by_whoever_shows(room: WarRoom, driven: bool) -> None:
    if driven:
        room.publish(seq=1)
    screen = room.stand_by(driver_silent)
    screen.submit(AddNote(id="n1", by="eve", text="hello"))
    shown = room.until(screen, lambda shown: shown.commands != (), "the refusal")
    assert shown.commands[0].text == ("observers only look" if driven else "this cockpit is read-only")
    assert room.world.events() == []


def test_a_screen_that_unsubscribed_hears_no_more(room: WarRoom) -> None:
    screen = room.stand_by(driver_silent)
    heard: list[str] = []
    screen.subscribe(lambda: heard.append("once"))()
    room.publish(seq=1)
    room.until(screen, follows, "it follows")
    assert heard == []


def test_a_screen_that_breaks_leaves_no_engine_behind(room: WarRoom) -> None:
    screen = room.stand_by(driver_silent)

    def breaks() -> None:
        raise ValueError

    stop = screen.subscribe(breaks)
    room.publish(seq=1)
    room.world.bell.until(lambda: room.released == room.looks != [], "the own look has ended")
    stop()
    room.publish(seq=2)
    room.until(screen, lambda shown: shown.seq == 2, "it follows")


def test_the_rules() -> None:
    made = replace(pictures.calm(), engine_at=START)
    assert nothing_ever(None, START) and driver_silent(None, START)
    assert not nothing_ever(made, START + timedelta(days=1))
    assert not driver_silent(made, START + timedelta(seconds=POLL_AFTER_S))
    assert driver_silent(made, START + timedelta(seconds=POLL_AFTER_S + 0.1))
