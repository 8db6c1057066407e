"""Answers of one moment are one transaction, and one of them that is illegal costs the others nothing."""

from __future__ import annotations

import asyncio

from cockpit.core.clean import Percent
from cockpit.core.clocks import ClockPair
from cockpit.core.driver import How
from cockpit.core.events import Kind
from cockpit.core.model import FlagValue, Mode
from cockpit.engine.drive import Drive
from cockpit.engine.effects import Effects
from cockpit.engine.identity import signing_in
from cockpit.engine.journal_port import Draft
from cockpit.engine.logbook import Logbook
from cockpit.engine.senses import Senses
from cockpit.engine.write_orders import forward, intent
from tests.adapters.flags.crew import until
from tests.engine.conftest import World
from tests.engine.scripted import FickleJournal

SESSION = "s"


class Crew:
    """A drive over a scripted service, without an engine around it."""

    def __init__(self, world: World) -> None:
        self.world, self.answered = world, 0
        sources, clock = world.sources(world.plan), world.clock
        self.logbook = Logbook(world.journal)
        self.effects = Effects(
            sources=sources,
            clock=clock,
            wrote=self._count,
            read=self._read,
            announced=lambda *told: None,
            freed=lambda: None,
            stands=lambda order: "",
        )
        self.drive = Drive(
            logbook=self.logbook,
            senses=Senses(world.plan, sources, clock, lambda source: None, lambda: 0),
            effects=self.effects,
            clock=clock,
            mode=Mode.LIVE,
            session=SESSION,
        )
        self.append(signing_in(world.flying().identity, world.plan, first=True))
        taken = {"session": SESSION, "name": "ana", "host": "test-host", "how": How.FREE.value}
        self.append(Draft(kind=Kind.DRIVER_TAKEN, body=taken))

    def _count(self) -> None:
        self.answered += 1

    async def _read(self, *told: object) -> bool:
        return True

    def append(self, draft: Draft) -> None:
        self.logbook.append([draft], actor="ana", at=self.world.clock.now(), must=False)

    async def write(self, *flags: str, unknown: str = "") -> None:
        """Forward moves, each with its intent in the journal but for one."""
        for flag in flags:
            value = (await self.world.service.read((flag,)))[flag]
            assert isinstance(value, FlagValue)
            order = forward(flag, Percent.parse(10), value, self.drive.plan, ClockPair.of(self.world.clock))
            if flag != unknown:
                self.append(intent(order, self.drive.session))
            self.effects.write(order)
        await until(lambda: self.answered == len(flags))

    def told(self) -> list[str]:
        return [str(event.body["flag"]) for event in self.world.events(Kind.WRITE_OUTCOME)]


def crew_of(world: World) -> Crew:
    world.journal = FickleJournal()
    return Crew(world)


def test_answers_of_one_moment_are_one_transaction(world: World) -> None:
    crew = crew_of(world)
    asyncio.run(crew.write("writes", "reads"))
    assert isinstance(world.journal, FickleJournal)
    before = world.journal.attempts
    crew.drive.take_answers()
    crew.drive.take_answers()
    assert world.journal.attempts == before + 1
    assert sorted(crew.told()) == ["reads", "writes"]


def test_one_that_cannot_be_is_a_note_and_the_other_is_journalled(world: World) -> None:
    crew = crew_of(world)
    asyncio.run(crew.write("writes", "reads", unknown="writes"))
    crew.drive.take_answers()
    assert crew.told() == ["reads"]
    notes = [str(event.body["text"]) for event in world.events(Kind.NOTE_ADDED)]
    assert len(notes) == 1 and "writes: came too late" in notes[0]
