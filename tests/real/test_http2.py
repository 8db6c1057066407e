"""HTTP/2 through a real nginx before a real Unleash: one connection for all, and writes that stay true."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from cockpit.adapters import http2
from cockpit.adapters.base import AdapterError
from cockpit.adapters.flags.unleash import UnleashWriter, build_reader, build_writer
from cockpit.adapters.flags.unleash_reading import UnleashReader
from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.adapters.http import Web
from cockpit.cli.preflight_hosts import Hosts
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteOutcome
from cockpit.core.secret import Secret, SecretRef
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.crew import until
from tests.real.tls_door import TlsDoor, tls_door
from tests.real.unleash_raw import ENVIRONMENT, RawUnleash
from tests.real.unleash_server import Unleash

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

DONE, UNKNOWN = WriteOutcome.DONE, WriteOutcome.UNKNOWN


@pytest.fixture
def service(frail_unleash: Unleash) -> Unleash:
    return frail_unleash


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no test turns to HTTP/1.1 because a handshake took its time."""
    monkeypatch.setattr(http2, "LONGEST_WAIT_S", 60.0)
    monkeypatch.setattr(http2, "SHARE_OF_WAIT", 1.0)


@dataclass(frozen=True, slots=True)
class Crew:
    """Our reader and writer of that Unleash, through the door."""

    reader: UnleashReader
    writer: UnleashWriter

    async def value(self, flag: str) -> FlagValue:
        found = (await self.reader.read([flag]))[flag]
        assert isinstance(found, FlagValue), found
        return found

    async def settled(self, flag: str) -> FlagValue:
        """What reading back says once the service answers again."""
        for _ in range(400):
            try:
                return await self.value(flag)
            except AdapterError:
                await asyncio.sleep(0.05)
        raise AssertionError("never answered again")


def crew(web: Web, raw: RawUnleash, door: TlsDoor) -> Crew:
    settings = UnleashSettings(
        url=door.url,
        environment=ENVIRONMENT,
        token=SecretRef(env="READ"),
        write_token=SecretRef(env="WRITE"),
        ca_file=door.ca_file,
    )

    def secret(reference: SecretRef) -> Secret:
        return Secret(raw.tokens.viewer if reference.env == "READ" else raw.tokens.admin)

    writer = build_writer(settings, web, secret, 60.0)
    assert writer is not None
    return Crew(build_reader(settings, web, secret, 60.0), writer)


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web(clock=SystemClock())
    yield made
    await made.aclose()


async def test_reading_a_guarded_write_and_a_kill(web: Web, service: Unleash, certificates: Path) -> None:
    with tls_door(service.server.url, certificates) as door:
        ours, flag = crew(web, service.raw, door), service.raw.flag("10")
        seen = await ours.value(flag)
        moved = await ours.writer.set_percent(flag, Percent.parse(25), expected=seen)
        assert (moved.outcome, service.raw.rollouts(flag)) == (DONE, ["25"])
        stale = await ours.writer.set_percent(flag, Percent.parse(50), expected=seen)
        assert (stale.outcome, service.raw.rollouts(flag)) == (WriteOutcome.REFUSED, ["25"])
        assert (await ours.writer.kill(flag)).outcome is DONE
        assert not service.raw.is_on(flag)
        assert {line.protocol for line in door.lines()} == {"HTTP/2.0"}
        assert len({line.connection for line in door.lines()}) == 1
        await web.aclose()


async def test_twenty_flags_at_once_take_one_connection(
    web: Web, service: Unleash, certificates: Path
) -> None:
    with tls_door(service.server.url, certificates) as door:
        ours, flags = crew(web, service.raw, door), [service.raw.flag("50") for _ in range(20)]
        assert (await ours.value(flags[0])).on
        killed = await asyncio.gather(*(ours.writer.kill(flag) for flag in flags))
        assert {result.outcome for result in killed} == {DONE}
        assert not any(service.raw.is_on(flag) for flag in flags)
        assert {(line.protocol, line.status) for line in door.writes()} == {("HTTP/2.0", 200)}
        assert len(door.writes()) == 20
        assert len({line.connection for line in door.lines()}) == 1
        await web.aclose()


async def test_a_service_that_speaks_http_1_only(web: Web, service: Unleash, certificates: Path) -> None:
    with tls_door(service.server.url, certificates, http2=False) as door:
        ours, flags = crew(web, service.raw, door), [service.raw.flag("50") for _ in range(5)]
        killed = await asyncio.gather(*(ours.writer.kill(flag) for flag in flags))
        assert {result.outcome for result in killed} == {DONE}
        assert {line.protocol for line in door.lines()} == {"HTTP/1.1"}
        await web.aclose()


async def test_without_the_extra_all_is_as_it_was(
    web: Web, service: Unleash, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h2", None)
    with tls_door(service.server.url, certificates) as door:
        ours, flag = crew(web, service.raw, door), service.raw.flag("50")
        assert (await ours.value(flag)).on
        assert (await ours.writer.kill(flag)).outcome is DONE
        assert {line.protocol for line in door.lines()} == {"HTTP/1.1"}
        await web.aclose()


async def test_a_service_that_takes_few_at_once(web: Web, service: Unleash, certificates: Path) -> None:
    """What is too much for its one connection goes over HTTP/1.1; nothing is refused, nothing waits."""
    with tls_door(service.server.url, certificates, more="http2_max_concurrent_streams 2;") as door:
        ours, flags = crew(web, service.raw, door), [service.raw.flag("50") for _ in range(8)]
        assert (await ours.value(flags[0])).on
        killed = await asyncio.gather(*(ours.writer.kill(flag) for flag in flags))
        assert {result.outcome for result in killed} == {DONE}
        assert {line.status for line in door.writes()} == {200}
        assert len({line.connection for line in door.lines() if line.protocol == "HTTP/2.0"}) == 1
        await web.aclose()


async def test_a_server_that_says_goodbye_with_every_request(
    web: Web, service: Unleash, certificates: Path
) -> None:
    """GOAWAY comes before the answer. What it leaves out is unknown, was never sent again, and reading back
    tells: here that nothing happened."""
    with tls_door(service.server.url, certificates, more="keepalive_requests 1;") as door:
        ours, flags = crew(web, service.raw, door), [service.raw.flag("50") for _ in range(6)]
        assert (await ours.value(flags[0])).on
        killed = await asyncio.gather(*(ours.writer.kill(flag) for flag in flags))
        assert all(result.outcome in (DONE, UNKNOWN) and not result.unsent for result in killed)
        for flag, result in zip(flags, killed, strict=True):
            assert (await ours.settled(flag)).on is (result.outcome is UNKNOWN)
            assert service.raw.event_types(flag).count("feature-environment-disabled") == (
                result.outcome is DONE
            )
        assert {line.status for line in door.writes()} == {200}
        await web.aclose()


async def test_a_reload_in_the_middle_of_a_write_costs_no_answer(
    web: Web, service: Unleash, certificates: Path
) -> None:
    with tls_door(service.server.url, certificates) as door:
        ours, flag = crew(web, service.raw, door), service.raw.flag("50")
        assert (await ours.value(flag)).on
        with service.server.frozen():
            before = service.server.connections()
            killing = asyncio.create_task(ours.writer.kill(flag))
            await until(lambda: service.server.connections() > before)
            door.reload()
        killed = await killing
        assert (killed.outcome, service.raw.is_on(flag)) == (DONE, False)
        assert (await ours.settled(flag)).exposure == ZERO
        assert [line.status for line in door.writes()] == [200]
        await web.aclose()


async def test_a_server_that_is_gone_in_the_middle_of_a_write_leaves_it_unknown(
    web: Web, service: Unleash, certificates: Path
) -> None:
    flags = [service.raw.flag("50") for _ in range(5)]
    with tls_door(service.server.url, certificates) as door:
        ours = crew(web, service.raw, door)
        assert (await ours.value(flags[0])).on
        with service.server.frozen():
            before = service.server.connections()
            killing = [asyncio.create_task(ours.writer.kill(flag)) for flag in flags]
            await until(lambda: service.server.connections() >= before + len(flags))
            door.server.stop_at_once()
            killed = await asyncio.gather(*killing)
    for result in killed:
        assert (result.outcome, result.unsent) == (UNKNOWN, False)
        assert "closed the connection without an answer" in result.detail
    with tls_door(service.server.url, certificates, port=door.server.port):
        for flag in flags:
            assert (await ours.settled(flag)).on is service.raw.is_on(flag)
            assert service.raw.event_types(flag).count("feature-environment-disabled") <= 1
        await web.aclose()


async def test_check_says_what_is_spoken(service: Unleash, certificates: Path) -> None:
    for spoken, is_offered in (("HTTP/2", True), ("HTTP/1.1", False)):
        hosts = Hosts(SystemClock())
        web = Web(clock=SystemClock(), heard=hosts.heard)
        with tls_door(service.server.url, certificates, http2=is_offered) as door:
            reading = crew(web, service.raw, door).value(service.raw.flag("50"))
            await hosts.polled("flags main", 2.0, reading, lever=True)
            rate = next(line for line in hosts.lines() if line.question == "requests a minute")
            assert rate.subject == f"127.0.0.1:{door.server.port}"
            assert f" over {spoken}; " in rate.detail
            await web.aclose()
