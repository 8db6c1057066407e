"""The sheet behind `D` and the second person's yes: what they say, and what a key sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cockpit.core.commands import (
    ApproveAdvance,
    Command,
    CommandState,
    CommandStatus,
    DeclineAdvance,
    DeclineSeat,
    OfferSeat,
    ReleaseSeat,
    TakeSeat,
    WithdrawAdvance,
)
from cockpit.core.model import Mode
from cockpit.core.snapshot import Snapshot
from cockpit.face.app import CockpitApp
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.screens.request import RequestSheet
from cockpit.face.screens.seat_sheet import SeatSheet
from cockpit.face.view import text_of, width_of
from cockpit.face.view_banner import banner, strips
from cockpit.face.view_countdown import key_line, keys_for
from cockpit.face.view_wall import lines as wall_lines
from tests.face import pictures_seat
from tests.face.pictures import HOSTILE, NOW, FakeClock, ScriptedPort, calm
from tests.face.pictures_rollback import says, shown, until
from tests.face.pictures_seat import (
    asked,
    asking,
    beside,
    driving,
    nobody_drives,
    offered,
    offering,
    rolled_back_by_another,
    seat_lost,
    silent_driver,
)


class Stage:
    def __init__(self, snapshot: Snapshot) -> None:
        self.port = ScriptedPort(snapshot)
        self.clock = FakeClock()
        self.app = CockpitApp(self.port, self.clock, "ines", theme="cockpit")

    def settle(self) -> None:
        self.clock.advance(1)
        self.port.show(self.port.latest())

    @property
    def only(self) -> Command:
        [command] = self.port.commands
        return command


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize(
    ("picture", "words", "confirmed"),
    [
        (beside, "press D to TAKE THE SEAT FROM ana@ops-1, WHO IS DRIVING", True),
        (silent_driver, "press D to take the seat, ana@ops-1 does not answer", False),
        (offered, "press D to take the seat that ana@ops-1 offers", False),
        (nobody_drives, "press D to take the free seat", False),
    ],
)
async def test_d_after_silence_takes_the_seat_from_whom_the_sheet_names(
    size: tuple[int, int], picture: Callable[[], Snapshot], words: str, confirmed: bool
) -> None:
    stage = Stage(picture())
    async with stage.app.run_test(size=size) as pilot:
        await pilot.press("D")
        await says(pilot, "D counts after half a second of silence")
        await pilot.press("D")
        assert stage.port.commands == [], "a held key takes nothing"
        stage.settle()
        await says(pilot, words)
        await pilot.press("D")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
    assert isinstance(stage.only, TakeSeat)
    seen = "" if picture is nobody_drives else "s-ana"
    assert (stage.only.seen, stage.only.confirmed, stage.only.by) == (seen, confirmed, "ines")


async def test_the_sheet_says_who_drives_since_when_how_and_who_else_is_there() -> None:
    stage = Stage(beside())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D")
        await says(pilot, "ana@ops-1")
        text = shown(stage.app.screen)
        assert "12 min ago · the cockpit of dan@ops-3 was gone" in text
        assert "heartbeat  heard 0 s ago" in text
        assert "cleo@ops-2" in text and "SILENT for 14 s" in text
        await pilot.press("escape")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
    assert stage.port.commands == []


async def test_the_driver_hands_over_to_the_chosen_one_or_leaves_the_seat_free() -> None:
    stage = Stage(driving())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D")
        await says(pilot, "(this cockpit)")
        await pilot.press("down", "H")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
        assert isinstance(stage.only, OfferSeat) and stage.only.to == "s-cleo"
        await pilot.press("D")
        await until(pilot, lambda: isinstance(stage.app.screen, SeatSheet))
        stage.settle()
        await pilot.press("D", "X", "L")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
    assert [type(each) for each in stage.port.commands] == [OfferSeat, ReleaseSeat]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_seat_is_taken_from_the_countdown_which_says_what_became_of_it(
    size: tuple[int, int],
) -> None:
    stage = Stage(rolled_back_by_another())
    async with stage.app.run_test(size=size) as pilot:
        await says(pilot, " D seat ")
        await pilot.press("D", "D")
        await says(pilot, "D counts after half a second of silence")
        stage.settle()
        await says(pilot, "press D to TAKE THE SEAT FROM ana@ops-1, WHO IS DRIVING")
        await pilot.press("D")
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        await says(pilot, "driver's seat: handed to the engine")
        assert isinstance(stage.only, TakeSeat) and (stage.only.seen, stage.only.confirmed) == ("s-ana", True)
        refused = CommandStatus(
            id=stage.only.id, what="take", state=CommandState.REFUSED, text="meanwhile cleo@ops-2 drives"
        )
        stage.port.show(replace(rolled_back_by_another(), commands=(refused,)))
        await says(pilot, "REFUSED  driver's seat: meanwhile cleo@ops-2 drives")


async def test_the_seat_is_handed_over_from_the_countdown_and_left_alone_with_escape() -> None:
    stage = Stage(replace(rolled_back_by_another(), seat=driving().seat))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await says(pilot, " D seat ")
        await pilot.press("D")
        await says(pilot, "(this cockpit)")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
        assert stage.port.commands == [], "escape hands over nothing"
        await pilot.press("D", "down", "H")
        await until(pilot, lambda: isinstance(stage.app.screen, CountdownScreen))
    assert isinstance(stage.only, OfferSeat) and stage.only.to == "s-cleo"


async def test_a_countdown_that_only_watches_offers_no_seat() -> None:
    stage = Stage(replace(rolled_back_by_another(), mode=Mode.WATCH, read_only=True))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await says(pilot, "escape deck")
        assert " D seat " not in shown(stage.app.screen)
        await pilot.press("D")
        await pilot.pause()
        assert isinstance(stage.app.screen, CountdownScreen)
    assert stage.port.commands == []


def test_a_narrow_key_line_drops_the_seat_before_what_moves_the_rollback() -> None:
    rollback = rolled_back_by_another().rollback
    keys = text_of(key_line(keys_for(rollback, read_only=False, offered=True), 80))
    for key in ("L second lever", "enter done", "o override", "C close", "escape deck"):
        assert key in keys
    assert " D seat " not in keys and len(keys) <= 80
    assert " D seat " in text_of(key_line(keys_for(rollback, read_only=False, offered=True), 120))


@pytest.mark.parametrize("picture", [offered, offering])
async def test_an_offer_is_declined_or_withdrawn(picture: Callable[[], Snapshot]) -> None:
    stage = Stage(picture())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D")
        await says(pilot, "X ")
        await pilot.press("X")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
    assert isinstance(stage.only, DeclineSeat)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_second_person_types_the_flag_and_approves(size: tuple[int, int]) -> None:
    stage = Stage(asked())
    async with stage.app.run_test(size=size) as pilot:
        await says(pilot, "ana@ops-1 ASKS FOR")
        await pilot.press("A")
        await says(pilot, "convex_resources  10% → 25%")
        text = shown(stage.app.screen)
        assert "1 of 2 people: ana@ops-1" in text and "lapses     in 8 min" in text
        await pilot.press("enter")
        await says(pilot, "type convex_resources to confirm")
        await pilot.press(*"convex_resources", "enter")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
    assert isinstance(stage.only, ApproveAdvance)
    assert (stage.only.request, stage.only.by) == ("r-1", "ines")


async def test_a_no_wants_a_reason() -> None:
    stage = Stage(asked())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("A")
        await says(pilot, "decline, with a reason")
        await pilot.press("f3")
        await says(pilot, "DECLINE WHAT IS ASKED FOR")
        await pilot.press("enter")
        await says(pilot, "reason is needed")
        await pilot.press(*"later", "enter")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
    assert isinstance(stage.only, DeclineAdvance) and stage.only.reason == "later"


async def test_the_one_who_asked_cannot_approve_and_can_withdraw() -> None:
    stage = Stage(asking())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("A")
        await says(pilot, "this cockpit has said yes already")
        await pilot.press(*"convex_resources", "enter")
        assert stage.port.commands == []
        await pilot.press("f3")
        await until(pilot, lambda: stage.app.screen is stage.app.deck)
    assert isinstance(stage.only, WithdrawAdvance)


async def test_an_answer_is_to_what_was_shown_and_to_nothing_else() -> None:
    stage = Stage(asked())
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("A")
        await until(pilot, lambda: isinstance(stage.app.screen, RequestSheet))
        other = asked().request
        assert other is not None
        stage.port.show(replace(asked(), request=replace(other, id="r-2")))
        await says(pilot, "not asked for any more")
        await pilot.press(*"convex_resources", "enter", "f3")
    assert stage.port.commands == []


async def test_where_nobody_may_touch_anything_the_key_only_says_so() -> None:
    stage = Stage(replace(beside(), mode=Mode.WATCH, read_only=True))
    async with stage.app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D")
        await pilot.pause()
        assert stage.app.screen is stage.app.deck
    assert stage.port.commands == []


def top(snapshot: Snapshot, width: int = 80) -> str:
    return text_of(banner(snapshot, NOW, width))


def test_every_banner_names_the_driver_with_the_host() -> None:
    assert "you drive, ines@bastion-2" in top(driving())
    assert "driver ana@ops-1" in top(beside())
    assert "driver ana@ops-1" in top(replace(beside(), mode=Mode.WATCH, read_only=True))
    assert "driver ana@ops-1, no heartbeat" in top(silent_driver())
    assert "nobody drives" in top(nobody_drives())
    assert "ines@bastion-2" in top(calm()), "a picture of an older cockpit"
    assert "driver ana@ops-1" in text_of(wall_lines(beside(), NOW, 80, 24)[0])


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (offered, "THE SEAT IS OFFERED TO YOU"),
        (seat_lost, "SEAT LOST"),
        (nobody_drives, "NOBODY DRIVES"),
        (asked, "1 of 2 people"),
        (rolled_back_by_another, "ana@ops-1 drives since 03:08:55 UTC (rollback)"),
    ],
)
@pytest.mark.parametrize("width", [80, 120])
def test_what_concerns_the_person_stands_in_a_strip(
    picture: Callable[[], Snapshot], words: str, width: int
) -> None:
    rows = [text_of(line) for line in strips(picture(), NOW, width)]
    assert any(words in each for each in rows), rows
    assert not any("OFFERED" in text_of(line) for line in strips(replace(offered(), read_only=True), NOW, 80))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_neither_crash_nor_leak(text: str) -> None:
    for builder in pictures_seat.EVERY:
        snapshot = builder()
        assert snapshot.seat is not None
        holder = snapshot.seat.holder
        named = None if holder is None else replace(holder, operator=text, host=text)
        hostile = replace(snapshot, seat=replace(snapshot.seat, holder=named))
        for line in (banner(hostile, NOW, 80), *strips(hostile, NOW, 80)):
            assert width_of(line) <= 80
            assert "\x1b" not in text_of(line)
