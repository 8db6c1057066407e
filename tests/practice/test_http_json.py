"""A home-grown endpoint in the practice world, built from the plan; and no lever that leads out of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.adapters.http import Web
from cockpit.adapters.probes.settings import HttpProbeSettings
from cockpit.adapters.signals.settings import PrometheusSettings
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteOutcome
from cockpit.core.secret import SecretRef
from cockpit.core.spec import ServiceSpec
from cockpit.engine.clock import SystemClock
from cockpit.plan.load import load
from cockpit.practice.faults import make_fault
from cockpit.practice.rehome import StandIns, rehome, told
from cockpit.practice.server import PracticeServer
from tests.plan.plans import KINDS, SAMPLES

PLAN = load(SAMPLES / "levers.toml", KINDS)
KEY = "orders_home"


def _unleash(url: str) -> UnleashSettings:
    return UnleashSettings(url=url, environment="production", token=SecretRef(env="ANY"))


STAND_INS = StandIns(
    lever=_unleash,
    probe=lambda url: HttpProbeSettings(url=url),
    monitor=lambda url: PrometheusSettings(url=url),
)


async def test_the_sample_plan_moves_its_flag_in_the_practice_world() -> None:
    web = Web()
    with PracticeServer(PLAN, seed=1, clock=SystemClock()) as practice:
        home = practice.rehome(PLAN, STAND_INS).flag_services[0]
        reader = FLAG_SERVICES[home.kind].reader(home.settings, web, practice.secret)  # type: ignore[arg-type]
        writer = FLAG_SERVICES[home.kind].writer(home.settings, web, practice.secret)  # type: ignore[arg-type]
        assert writer is not None
        seen = (await reader.read([KEY]))[KEY]
        assert isinstance(seen, FlagValue)
        assert (seen.exposure, seen.changed_by) == (ZERO, "admin")
        moved = await writer.set_percent(KEY, Percent.parse(10), expected=seen)
        assert moved.outcome is WriteOutcome.DONE, moved
        assert practice.world.configured_pct(KEY) == pytest.approx(10)
        practice.world.inject(make_fault("flag_service_refuses_writes"))
        assert (await writer.kill(KEY)).outcome is WriteOutcome.REFUSED
        practice.world.clear()
        practice.world.inject(make_fault("flag_service_lies"))
        assert (await writer.kill(KEY)).outcome is WriteOutcome.UNKNOWN
        practice.world.clear()
        assert (await writer.kill(KEY)).outcome is WriteOutcome.DONE
        assert practice.world.configured_pct(KEY) == 0
        await web.aclose()


def test_a_drill_never_moves_a_real_lever() -> None:
    """A service that has no double here must not keep the address of the real one."""
    urls = dict.fromkeys(
        ("unleash", "http_json", "prometheus", "convex", "legacy", "new", "hooks"), "http://h:1"
    )
    real = ServiceSpec(name="lb", kind="haproxy", settings=object(), interval_s=2.0, timeout_s=1.0)
    plan = replace(PLAN, flag_services=(real,))
    (practised,) = rehome(plan, urls, STAND_INS).flag_services
    assert (practised.name, practised.kind, practised.settings) == ("lb", "unleash", _unleash("http://h:1"))
    with pytest.raises(ValueError, match="has no haproxy"):
        rehome(plan, urls)


def test_a_drill_runs_no_real_check_and_asks_no_real_database() -> None:
    urls = dict.fromkeys(
        ("unleash", "http_json", "prometheus", "convex", "legacy", "new", "hooks"), "http://h:1"
    )
    plan = load(SAMPLES / "probes.toml", KINDS)
    practised = rehome(plan, urls, STAND_INS)
    asked = [each for backend in practised.backends for each in backend.probes] + [*practised.monitors]
    assert len(asked) == sum(len(backend.probes) for backend in plan.backends) + len(plan.monitors)
    assert {each.kind for each in asked} == {"http", "prometheus"}
    assert all(told(each.settings)["url"].startswith("http://h:1") for each in asked)
    with pytest.raises(ValueError, match="has no"):
        rehome(plan, urls)
