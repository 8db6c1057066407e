"""Debian's own monitoring plugins against real servers: what they say is what the probe says."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit.adapters.base import ServiceTrouble, Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.probes.plugin import PluginProbe, PluginSettings, build
from cockpit.core.model import Health, ProbeValue
from tests.adapters.probes.rig import the_token
from tests.real.http_server import Service, service
from tests.real.servers import free_port, program
from tests.tables import written

pytestmark = pytest.mark.real

FOLDER = Path("/usr/lib/nagios/plugins")


@pytest.fixture(scope="module")
def backend() -> Iterator[Service]:
    with service() as running:
        yield running


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.aclose()


def probe_of(web: Web, name: str, *arguments: str, **settings: object) -> PluginProbe:
    command = [program(name, FOLDER), *arguments]
    return build(written(PluginSettings, {"command": command, **settings}), web, the_token, 30.0)


async def check_http(web: Web, port: int, *arguments: str) -> ProbeValue:
    where = ("-H", "127.0.0.1", "-p", str(port))
    return await probe_of(web, "check_http", *where, *arguments, latency="time").probe()


async def test_check_http_sees_a_service_well_sick_and_gone(web: Web) -> None:
    with service() as backend:
        port = backend.server.port
        well = await check_http(web, port, "-u", "/health")
        backend.make(sick=True)
        sick = await check_http(web, port, "-u", "/health")
    gone = await check_http(web, port, "-u", "/health")
    assert [each.health for each in (well, sick, gone)] == [Health.OK, Health.DOWN, Health.DOWN]
    assert well.detail.startswith("HTTP OK: HTTP/1.1 200 OK")
    assert well.latency_ms is not None and well.latency_ms > 0
    assert {name for name, _ in well.facts} == {"time", "size", "took"}
    assert "503" in sick.detail
    assert "Connection refused" in gone.detail


async def test_check_http_warns_of_what_is_missing(web: Web, backend: Service) -> None:
    value = await check_http(web, backend.server.port, "-u", "/no/such/page")
    assert (value.health, value.detail.split(" - ")[0]) == (
        Health.DEGRADED,
        "HTTP WARNING: HTTP/1.1 404 Not Found",
    )


async def test_a_frozen_service_is_unknown_though_the_plugin_says_critical(
    web: Web, backend: Service
) -> None:
    with backend.server.frozen(), pytest.raises(Unreachable) as caught:
        await check_http(web, backend.server.port, "-u", "/health", "-t", "1")
    assert "Socket timeout after 1 seconds" in caught.value.failure.title
    assert (await check_http(web, backend.server.port, "-u", "/health")).health is Health.OK


async def test_a_name_that_does_not_resolve_is_unknown_though_the_plugin_says_critical(web: Web) -> None:
    with pytest.raises(Unreachable) as caught:
        await probe_of(web, "check_tcp", "-H", "no-such-host.invalid", "-p", "80").probe()
    assert "could not ask" in caught.value.failure.title


async def test_check_tcp_open_and_closed(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        value = await probe_of(web, "check_tcp", "-H", "127.0.0.1", "-p", port, latency="time").probe()
    assert (value.health, value.latency_ms is None) == (Health.OK, False)
    closed = await probe_of(web, "check_tcp", "-H", "127.0.0.1", "-p", str(free_port())).probe()
    assert closed.health is Health.DOWN


async def test_check_load_and_check_disk_bring_numbers_with_limits(web: Web) -> None:
    load = await probe_of(web, "check_load", "-w", "900,900,900", "-c", "999,999,999").probe()
    assert load.health is Health.OK
    assert "warn 900" in dict(load.facts)["load1"]
    disk = await probe_of(web, "check_disk", "-w", "100%", "-c", "0%", "-p", "/").probe()
    assert disk.health is Health.DEGRADED
    assert "max" in dict(disk.facts)["/"]


async def test_wrong_arguments_are_unknown(web: Web) -> None:
    with pytest.raises(ServiceTrouble) as caught:
        await probe_of(web, "check_http", "--no-such-option").probe()
    assert "says UNKNOWN" in caught.value.failure.title
