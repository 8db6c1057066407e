"""What is kept warm for the next write, when, and that nothing is asked for it otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from cockpit.adapters.base import AdapterError, Throttled
from cockpit.core import commands as asked
from cockpit.core.model import Failure, FlagValue, WriteOutcome
from cockpit.engine.warmth import MOST, SHEET_S
from tests.engine.conftest import flag_spec, ident, make_plan
from tests.engine.scripted import down
from tests.engine.stepping import Cockpit, SteppedService, Surroundings

FRESH_S = 2.0
"""For how long a write goes through a connection that was used."""
NIGHT_S = 45.0


class WarmService(SteppedService):
    """asked: when, and for which flags, its connections were to be kept open. used: when they were."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around.percents)
        self._clock = around.clock
        self.asked: list[tuple[float, tuple[str, ...]]] = []
        self.used: list[float] = []
        self.warming_fails: AdapterError | None = None

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        self.used.append(self._clock.monotonic())
        return await super().read(keys)

    async def warm(self, keys: Sequence[str]) -> None:
        self.asked.append((self._clock.monotonic(), tuple(keys)))
        self.used.append(self._clock.monotonic())
        if self.warming_fails is not None:
            raise self.warming_fails


class Night:
    """One cockpit on a plan whose flags are polled once in `interval_s`."""

    def __init__(self, *, interval_s: float = 20.0, flags: int = 2) -> None:
        plan = make_plan()
        services = tuple(replace(service, interval_s=interval_s) for service in plan.flag_services)
        more = tuple(flag_spec(f"more{number}") for number in range(flags - len(plan.flags)))
        monitors = tuple(replace(monitor, interval_s=5.0) for monitor in plan.monitors)
        backends = tuple(
            replace(each, probes=tuple(replace(probe, interval_s=5.0) for probe in each.probes))
            for each in plan.backends
        )
        plan = replace(
            plan,
            flag_services=services,
            monitors=monitors,
            backends=backends,
            flags=(*plan.flags, *more),
        )
        self.around = Surroundings(plan, {flag.key: 50.0 for flag in plan.flags})
        self.service = self.around.service = WarmService(self.around)
        self.cockpit = Cockpit(self.around, 1, lambda event: None)
        self.cockpit.take_off()
        self.cockpit.pass_time(5.0)

    def sheet(self, *flags: str) -> None:
        self.cockpit.give(asked.MakeReady(id="sheet", by="ana", flags=flags))

    def sheet_open_for(self, seconds: float, *flags: str) -> None:
        """A sheet says every second that it is open."""
        for _ in range(round(seconds)):
            self.sheet(*flags)
            self.cockpit.pass_time(1.0)

    def declare(self) -> None:
        self.cockpit.give(asked.DeclareRollback(id=ident(), by="ana"))

    def answer_all(self) -> None:
        while self.service.out:
            for key in tuple(self.service.out):
                self.service.answers(key, WriteOutcome.DONE, lands=True)
            self.cockpit.pass_time(1.0)


@pytest.fixture
def night() -> Iterator[Night]:
    made = Night()
    yield made
    made.cockpit.crash()


def test_nothing_is_asked_without_a_sheet_and_without_a_rollback(night: Night) -> None:
    night.cockpit.pass_time(NIGHT_S)
    assert night.service.asked == []


def test_an_open_sheet_is_asked_for_at_once_and_before_a_connection_cools(night: Night) -> None:
    opened_s = night.around.clock.monotonic()
    night.sheet_open_for(20)
    assert night.service.asked[0][0] - opened_s < 0.01
    gaps = [later - earlier for earlier, later in pairwise(at for at in night.service.used if at > opened_s)]
    assert max(gaps) < FRESH_S
    assert len(night.service.asked) <= 20 / 1.25
    assert {keys for _, keys in night.service.asked} == {("reads",)}, "the layer that is written first"


def test_a_sheet_that_was_left_is_forgotten(night: Night) -> None:
    night.sheet_open_for(1)
    left_s = night.around.clock.monotonic()
    night.cockpit.pass_time(NIGHT_S)
    assert 0 < len(night.service.asked) <= 3
    assert night.service.asked[-1][0] <= left_s + SHEET_S


def test_polls_that_come_often_enough_are_all_that_is_needed() -> None:
    night = Night(interval_s=0.5)
    night.sheet_open_for(20)
    assert night.service.asked == []
    night.cockpit.crash()


def test_the_flags_of_the_sheet_are_meant_and_never_more_than_a_few() -> None:
    night = Night(flags=MOST + 8)
    night.sheet_open_for(1, "more3")
    assert {keys for _, keys in night.service.asked} == {("more3",)}
    night.service.asked.clear()
    night.sheet_open_for(3)
    assert {len(keys) for _, keys in night.service.asked} == {MOST}
    night.cockpit.crash()


def test_a_service_that_asked_to_wait_is_not_asked_again(night: Night) -> None:
    night.service.warming_fails = Throttled(Failure(title="asked to wait (HTTP 429)"), status=429)
    night.sheet_open_for(10)
    assert len(night.service.asked) == 1
    night.service.warming_fails = None
    night.sheet_open_for(round(NIGHT_S))
    assert len(night.service.asked) == 1


def test_one_that_fails_is_asked_again_only_after_a_good_poll(night: Night) -> None:
    night.service.warming_fails = down()
    night.sheet_open_for(10)
    assert len(night.service.asked) == 1
    night.service.warming_fails = None
    night.sheet_open_for(round(NIGHT_S))
    assert len(night.service.asked) > 10


def test_a_service_in_trouble_is_left_to_its_poller(night: Night) -> None:
    night.service.down = True
    night.cockpit.pass_time(NIGHT_S)
    night.sheet_open_for(20)
    assert night.service.asked == []


def test_while_flags_are_on_their_way_their_service_is_kept_warm_and_then_no_more(night: Night) -> None:
    night.declare()
    night.cockpit.pass_time(1.0)
    assert set(night.service.out) == {"reads"}
    night.cockpit.pass_time(3.0)
    assert night.service.asked, "the first write is out, the next layer waits for it"
    night.answer_all()
    night.cockpit.pass_time(2.0)
    assert not night.service.out
    assert all(flip.at_zero for flip in night.cockpit.flight.rollback.flips)  # type: ignore[union-attr]  # open
    night.service.asked.clear()
    night.cockpit.pass_time(NIGHT_S)
    assert night.service.asked == []


def test_a_cockpit_that_does_not_drive_asks_nothing_for_an_open_rollback(night: Night) -> None:
    night.declare()
    night.cockpit.pass_time(3.0)
    assert night.service.asked
    night.cockpit._pilot._warmth._session = "another one than the holder's"
    night.service.asked.clear()
    night.cockpit.pass_time(20.0)
    assert night.cockpit.flight.rollback is not None
    assert night.service.asked == []


def test_a_sheet_leaves_no_trace(night: Night) -> None:
    before = len(night.around.book.everything())
    night.sheet_open_for(5)
    assert len(night.around.book.everything()) == before
    assert night.cockpit.snapshot.commands == ()
