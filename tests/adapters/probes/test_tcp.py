"""The tcp probe: open and closed ports, greetings, silence, resets, and names that lead nowhere."""

from __future__ import annotations

import socket
import threading

import pytest

from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.tcp import TcpProbe, TcpProbeSettings, build
from cockpit.core.model import Health
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, assert_harmless
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.sockets import chatter, copy, hang_up, saying, silence, talking
from tests.real.servers import free_port
from tests.tables import written


def probe_of(
    web: Web, port: int, *, host: str = "127.0.0.1", timeout_s: float = 20.0, **more: object
) -> TcpProbe:
    settings = written(TcpProbeSettings, {"host": host, "port": port, **more})
    return build(settings, web, the_token, timeout_s)


async def trouble_of(probe: TcpProbe) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        await probe.probe()
    assert_harmless(caught.value)
    return caught.value


async def test_an_open_port_is_ok_and_knows_its_address(web: Web) -> None:
    async with talking(silence) as port:
        value = await probe_of(web, port).probe()
    assert (value.health, value.detail, value.facts) == (
        Health.OK,
        "takes connections",
        (("address", "127.0.0.1"),),
    )
    assert value.latency_ms is not None and value.latency_ms > 0


async def test_a_closed_port_refuses_and_is_down(web: Web) -> None:
    port = free_port()
    value = await probe_of(web, port).probe()
    assert (value.health, value.detail) == (Health.DOWN, f"connection refused by 127.0.0.1:{port}")


async def test_every_address_of_a_name_is_tried(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def two_addresses(host: str, port: int, **asked: int) -> list[object]:
        if asked["flags"]:
            raise socket.gaierror(socket.EAI_NONAME, "not a literal")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("127.0.0.2", "127.0.0.1")
        ]

    async with talking(silence) as port:
        monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
        value = await probe_of(web, port, host="db.example").probe()
    assert (value.health, value.facts) == (Health.OK, (("address", "127.0.0.1"),))


async def test_a_greeting_as_expected_and_another_one(web: Web) -> None:
    async with talking(saying(b"SSH-2.0-OpenSSH_9.2\r\n")) as port:
        good = await probe_of(web, port, expect="SSH-2.0").probe()
        other = await probe_of(web, port, expect="220 ", timeout_s=1.5).probe()
    assert (good.health, dict(good.facts)["greeting"]) == (Health.OK, "SSH-2.0-OpenSSH_9.2")
    assert other.health is Health.DOWN
    assert other.detail == 'says "SSH-2.0-OpenSSH_9.2", the plan expects "220"'


async def test_what_is_sent_arrives(web: Web) -> None:
    async with talking(copy) as port:
        assert (await probe_of(web, port, send="PING 1\r\n", expect="PING 1\r\n").probe()).health is Health.OK


async def test_silence_and_a_reset_could_not_be_asked(web: Web) -> None:
    async with talking(silence) as port:
        assert (await trouble_of(probe_of(web, port, expect="220 ", timeout_s=0.3))).cause is Cause.TIMEOUT
    async with talking(hang_up) as port:
        assert (await trouble_of(probe_of(web, port, expect="220 "))).cause is Cause.RESET


async def test_endless_and_evil_greetings_are_capped_and_cleaned(web: Web) -> None:
    async with talking(chatter) as port:
        value = await probe_of(web, port, expect="220 ").probe()
    assert value.health is Health.DOWN
    assert_harmless(value)
    async with talking(saying(EVIL.encode("utf-8", "replace") + b"\xff\xfe")) as port:
        value = await probe_of(web, port, expect="220 ", timeout_s=1.5).probe()
    assert value.health is Health.DOWN
    assert_harmless(value)


async def test_anything_is_slower_than_a_millionth_of_a_second(web: Web) -> None:
    async with talking(silence) as port:
        value = await probe_of(web, port, latency_limit="0.001ms").probe()
    assert value.health is Health.DEGRADED
    assert value.detail.startswith("slow: ")


async def test_a_name_that_leads_nowhere_is_unknown(web: Web) -> None:
    trouble = await trouble_of(probe_of(web, 80, host="no-such-host.invalid"))
    assert (trouble.cause, trouble.sent) == (Cause.DNS, False)


async def test_a_resolver_that_hangs_is_unknown_and_holds_nobody_up(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, real = threading.Event(), socket.getaddrinfo

    def hanging(host: str, port: int, **asked: int) -> object:
        if not asked["flags"]:
            gate.wait()
        return real(host, port, **asked)

    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    probe = probe_of(web, 80, host="slow.example", timeout_s=0.2)
    try:
        first, second = await trouble_of(probe), await trouble_of(probe)
    finally:
        gate.set()
    assert first.failure.title == "no resolver answers within 0.2 s"
    assert second.failure.title == "an earlier name lookup still hangs"


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "http://db"},
        {"host": "db:5432"},
        {"host": "db example"},
        {"host": ""},
        {"host": "-db"},
        {"port": 0},
        {"port": 65536},
        {"port": "22"},
        {"expect": ""},
        {"latency_limit": "0s"},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(TcpProbeSettings, {"host": "db", "port": 5432, **wrong})


@pytest.mark.parametrize(
    "host", ["db", "db-1.example.com", "192.0.2.7", "2001:db8::7", "::1", "fe80::1%eth0", "_x.y"]
)
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert written(TcpProbeSettings, {"host": host, "port": 1}).host == host
