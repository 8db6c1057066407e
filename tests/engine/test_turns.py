"""Many readings and answers of one moment make one turn; what presses does not wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from cockpit.engine.turns import Turns
from tests.adapters.flags.crew import until


@dataclass
class Desk:
    """Notes turns and deliveries, in order. A delivery without an answer is none."""

    pressing: bool = True
    happened: list[object] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turns = Turns(turn=self._turn, deliver=self._deliver, pressing=lambda: self.pressing)

    def answered(self, flag: str) -> None:
        self.answers.append(flag)
        self.turns.answered()

    def _turn(self) -> None:
        self._deliver()
        self.happened.append("turn")

    def _deliver(self) -> None:
        answers, self.answers = self.answers, []
        if answers:
            self.happened.append(answers)

    async def until(self, count: int) -> None:
        await until(lambda: len(self.happened) >= count)


async def test_what_comes_in_one_moment_is_one_turn_and_one_transaction() -> None:
    desk = Desk()
    for number in range(5):
        desk.turns.soon()
        desk.answered(f"flag {number}")
    assert desk.happened == []
    await desk.until(2)
    assert desk.happened == [[f"flag {number}" for number in range(5)], "turn"]


async def test_readings_wait_for_each_other_and_an_answer_for_none_of_them() -> None:
    desk = Desk(pressing=False)
    desk.turns.soon()
    await desk.until(1)
    desk.turns.soon()
    await asyncio.sleep(0)
    assert desk.happened == ["turn"], "the second reading of the same moment waits for more"
    desk.answered("a")
    await desk.until(3)
    assert desk.happened == ["turn", ["a"], "turn"]
    desk.turns.soon()
    await desk.until(4)
    assert desk.happened[3:] == ["turn"]


async def test_at_the_end_nothing_is_lost_and_no_turn_comes_any_more() -> None:
    desk = Desk()
    desk.answered("a")
    desk.turns.soon()
    desk.turns.end()
    desk.turns.soon()
    desk.answered("late")
    assert desk.happened == [["a"], ["late"]]
    for _ in range(5):
        await asyncio.sleep(0)
    assert desk.happened == [["a"], ["late"]]


async def test_a_turn_that_waits_comes_before_what_is_to_be_shown_and_not_again() -> None:
    desk = Desk(pressing=False)
    desk.turns.soon()
    await desk.until(1)
    desk.turns.soon()
    desk.turns.catch_up()
    assert desk.happened == ["turn", "turn"]
    desk.turns.catch_up()
    desk.answered("a")
    await desk.until(4)
    assert desk.happened == ["turn", "turn", ["a"], "turn"]
