"""How often a real Unleash lets itself be asked: it tells holders of a personal token, and nobody else."""

from __future__ import annotations

import pytest

from cockpit.adapters.base import FlagReader
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.cli.preflight_hosts import Hosts
from cockpit.core.secret import Secret
from cockpit.engine.clock import SystemClock
from tests.real.unleash_server import Unleash
from tests.tables import written

pytestmark = pytest.mark.real


def reader(url: str, token: str, web: Web) -> FlagReader:
    row = FLAG_SERVICES["unleash"]
    plan = {"url": url, "environment": "production", "token": {"env": "TOKEN"}}
    return row.reader(written(row.settings, plan), web, lambda _: Secret(token), 20.0)


@pytest.mark.parametrize(
    ("person", "said"), [(True, "30 of 20,000; it says 20000 in 60 s, "), (False, "30; no limit known ")]
)
async def test_its_limit_is_told_beside_what_a_plan_asks(
    real_unleash: Unleash, person: bool, said: str
) -> None:
    raw, clock = real_unleash.raw, SystemClock()
    hosts = Hosts(clock)
    web = Web(clock=clock, heard=hosts.heard)
    asked, flag = reader(raw.url, raw.tokens.person if person else raw.tokens.admin, web), raw.flag("10")
    assert all(line.ok for line in await hosts.polled("flags main", 2.0, asked.preflight([flag]), lever=True))
    rate, clocks = hosts.lines()
    assert rate.ok and rate.detail.startswith(said)
    assert clocks.ok and clocks.detail == "they agree"
    await web.aclose()
