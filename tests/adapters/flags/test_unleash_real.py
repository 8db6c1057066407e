"""What only the real Unleash has: segments, parent flags, archived flags, and its own maintenance mode."""

from __future__ import annotations

import pytest

from cockpit.adapters.base import RefusedByService
from cockpit.core.clean import ZERO
from cockpit.core.model import WriteOutcome
from tests.adapters.flags.crew import Crew
from tests.real.unleash_raw import ENVIRONMENT, PROJECT, RawUnleash
from tests.real.unleash_server import Unleash

pytestmark = pytest.mark.real


@pytest.fixture
def raw(real_unleash: Unleash) -> RawUnleash:
    return real_unleash.raw


async def test_a_segment_is_a_condition(raw: RawUnleash, crew: Crew) -> None:
    """The answer for one environment leaves segments out; the reader must not be fooled."""
    flag = raw.flag("10")
    rule = {"contextName": "region", "operator": "IN", "values": ["eu"]}
    segment = raw.admin.post("/api/admin/segments", json={"name": f"{flag}-eu", "constraints": [rule]}).json()
    wish = {
        "projectId": "default",
        "strategyId": raw.strategies(flag)[0]["id"],
        "environmentId": ENVIRONMENT,
        "segmentIds": [segment["id"]],
    }
    before = await crew.value(flag)
    raw.admin.post("/api/admin/segments/strategies", json=wish).raise_for_status()
    after = await crew.value(flag)
    assert "segments" not in raw.strategies(flag)[0]
    assert after.complexities == ("only for users in a segment",)
    assert after.revision != before.revision


async def test_a_parent_flag_is_a_condition(raw: RawUnleash, crew: Crew) -> None:
    parent, child = raw.flag("100"), raw.flag("10")
    raw.admin.post(f"{PROJECT}/features/{child}/dependencies", json={"feature": parent}).raise_for_status()
    assert (await crew.value(child)).complexities == (f"depends on the flag {parent}",)
    assert (await crew.set(child, 25)).outcome is WriteOutcome.REFUSED


async def test_an_archived_flag_is_gone(raw: RawUnleash, crew: Crew) -> None:
    """The answer for one environment still shows it, switched on."""
    flag = raw.flag("10")
    raw.admin.delete(f"{PROJECT}/features/{flag}").raise_for_status()
    assert raw.is_on(flag)
    assert isinstance(await crew.error(flag), RefusedByService)
    assert (await crew.writer.kill(flag)).outcome is WriteOutcome.REFUSED


async def test_maintenance_mode_leaves_a_second_way_down(raw: RawUnleash, crew: Crew) -> None:
    """It refuses POST, PUT and DELETE but not PATCH: the flag cannot be switched off, but put to 0 %."""
    flag = raw.flag("25")
    raw.maintenance(on=True)
    try:
        killed = await crew.writer.kill(flag)
    finally:
        raw.maintenance(on=False)
    value = await crew.value(flag)
    assert killed.outcome is WriteOutcome.DONE
    assert "0% instead of switched off" in killed.detail
    assert (value.on, value.exposure) == (True, ZERO)
