"""The dns probe: expected, mixed and other addresses, unknown names, a resolver that fails or hangs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.dns import DnsProbe, DnsProbeSettings, build
from cockpit.core.model import Health
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.rig import the_token
from tests.tables import written

Answer = Callable[[], list[str]]


def probe_of(web: Web, host: str = "api.example", *, timeout_s: float = 20.0, **more: object) -> DnsProbe:
    return build(written(DnsProbeSettings, {"host": host, **more}), web, the_token, timeout_s)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """Makes the host's resolver answer what a test says; literal addresses are no names to it."""

    def install(answer: Answer) -> None:
        def getaddrinfo(host: str, port: int, **asked: int) -> list[object]:
            if asked["flags"]:
                raise socket.gaierror(socket.EAI_NONAME, "not a literal")
            return [
                (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
                for each in answer()
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return install


async def test_the_hosts_own_name_resolves(web: Web) -> None:
    value = await probe_of(web, "localhost", expect=["127.0.0.1", "::1"]).probe()
    assert value.health is Health.OK
    assert value.latency_ms is not None


@pytest.mark.parametrize(
    ("found", "health", "detail"),
    [
        (["192.0.2.7"], Health.OK, "leads to 192.0.2.7"),
        (["192.0.2.8", "192.0.2.7"], Health.OK, "leads to 192.0.2.7, 192.0.2.8"),
        (
            ["192.0.2.9", "192.0.2.7"],
            Health.DEGRADED,
            "also leads to 192.0.2.9, the plan expects 192.0.2.7, 192.0.2.8",
        ),
        (["192.0.2.9"], Health.DOWN, "leads to 192.0.2.9, the plan expects 192.0.2.7, 192.0.2.8"),
    ],
)
async def test_where_it_leads_is_compared(
    web: Web, resolver: Callable[[Answer], None], found: list[str], health: Health, detail: str
) -> None:
    resolver(lambda: found)
    value = await probe_of(web, expect=["192.0.2.7", "192.0.2.8"]).probe()
    assert (value.health, value.detail) == (health, detail)


async def test_addresses_are_compared_however_they_are_written(
    web: Web, resolver: Callable[[Answer], None]
) -> None:
    resolver(lambda: ["2001:db8:0:0::7", "fe80::1%eth0"])
    value = await probe_of(web, expect=["2001:DB8::7", "FE80::1"]).probe()
    assert value.health is Health.OK


async def test_many_addresses_are_counted(web: Web, resolver: Callable[[Answer], None]) -> None:
    resolver(lambda: [f"192.0.2.{n}" for n in range(10, 30)])
    assert dict((await probe_of(web).probe()).facts)["addresses"].endswith("192.0.2.15 and 14 more")


@pytest.mark.parametrize(
    ("number", "words"), [(socket.EAI_NONAME, "no such name"), (socket.EAI_AGAIN, "no resolver answers")]
)
async def test_what_the_resolver_cannot_tell_is_unknown(
    web: Web, resolver: Callable[[Answer], None], number: int, words: str
) -> None:
    def failing() -> list[str]:
        raise socket.gaierror(number, "said the library")

    resolver(failing)
    with pytest.raises(NoAnswer) as caught:
        await probe_of(web).probe()
    assert caught.value.cause is Cause.DNS
    assert caught.value.failure.title == f"no address for the name api.example: {words}"


async def test_a_resolver_that_hangs_is_unknown_and_then_well_again(
    web: Web, resolver: Callable[[Answer], None]
) -> None:
    gate = threading.Event()

    def slow() -> list[str]:
        gate.wait()
        return ["192.0.2.7"]

    resolver(slow)
    probe = probe_of(web, timeout_s=0.2)
    try:
        with pytest.raises(NoAnswer) as caught:
            await probe.probe()
    finally:
        gate.set()
    assert caught.value.cause is Cause.TIMEOUT
    for thread in threading.enumerate():
        if thread.name == "name lookup":
            thread.join(20)
    assert (await probe.probe()).health is Health.OK


async def test_a_literal_address_asks_nobody(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def only_literals(host: str, port: int, **asked: int) -> object:
        assert asked["flags"]
        return real(host, port, **asked)

    monkeypatch.setattr(socket, "getaddrinfo", only_literals)
    assert (await probe_of(web, "192.0.2.7").probe()).detail == "leads to 192.0.2.7"


async def test_a_name_that_no_resolver_can_be_asked_for(web: Web) -> None:
    with pytest.raises(NoAnswer) as caught:
        await probe_of(web, "a" * 70 + ".example").probe()
    assert caught.value.cause is Cause.DNS


@pytest.mark.parametrize(
    "wrong", [{"expect": ["db.example"]}, {"expect": ["192.0.2.0/24"]}, {"family": "ipv5"}]
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(DnsProbeSettings, {"host": "a.example", **wrong})
