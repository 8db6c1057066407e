"""A flag service that was not reached in a rollback and answers again."""

from __future__ import annotations

from tests.engine.conftest import World, declare
from tests.engine.scripted import CLOSED, down


def test_a_flag_service_that_answers_its_poll_again_is_tried_before_its_pause_is_over(
    exposed: World,
) -> None:
    """The clock stands still, so no pause ends by itself."""
    exposed.service.failing = down()
    exposed.service.always["reads"] = exposed.service.always["writes"] = CLOSED
    pilot = exposed.start()
    pilot.done(declare("reads"))
    pilot.until(lambda _: pilot.flip("reads").unsent == 1)
    pilot.until(lambda _: pilot.flag("reads").configured.failure is not None)
    exposed.service.failing = None
    pilot.until(lambda _: pilot.flip("reads").unsent == 2, "one try for the first answer")
    exposed.service.always.clear()
    exposed.service.failing = down()
    pilot.until(lambda _: pilot.flag("reads").configured.failure is not None)
    assert pilot.flip("reads").unsent == 2
    exposed.service.failing = None
    pilot.until(lambda _: pilot.rollback.flipped)
