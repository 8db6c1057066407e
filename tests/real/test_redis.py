"""The redis probe against real Redis servers: queues, rights, replicas, full, frozen, restarted, TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.redis import RedisProbe, RedisProbeSettings, build
from cockpit.core.model import Fault, Health, ProbeValue
from tests.adapters.probes.hostile import TOKEN, assert_harmless
from tests.adapters.probes.rig import the_token
from tests.real.http_server import make_certificates
from tests.real.redis_server import redis, say
from tests.real.servers import Server, free_port, scratch
from tests.tables import written

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def legacy() -> Iterator[Server]:
    with redis() as running:
        say(
            running.port,
            "RPUSH jobs a b c",
            "XADD events * k v",
            "ZADD late 1 a 2 b",
            "SADD tags a",
            "HSET h k v",
        )
        say(running.port, "SET greeting hello", "SELECT 3", "RPUSH other a b")
        yield running


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.aclose()


def probe_of(web: Web, port: int, *, timeout_s: float = 30.0, **more: object) -> RedisProbe:
    settings = written(RedisProbeSettings, {"host": "127.0.0.1", "port": port, **more})
    return build(settings, web, the_token, timeout_s)


async def trouble_of(probe: RedisProbe) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await probe.probe()
    assert_harmless(caught.value)
    return caught.value


async def until(condition: Callable[[ProbeValue], bool], probe: RedisProbe) -> ProbeValue:
    while True:
        value = await probe.probe()
        if condition(value):
            return value
        await asyncio.sleep(0.05)


async def test_a_well_server_says_what_it_is(web: Web, legacy: Server) -> None:
    value = await probe_of(web, legacy.port, role="primary").probe()
    facts = dict(value.facts)
    assert (value.health, value.detail) == (Health.OK, "answers")
    assert facts["version"].startswith("7.")
    assert (facts["role"], facts["replicas"]) == ("primary", "0")
    assert facts["clients"].isdigit()
    assert value.latency_ms is not None and value.latency_ms > 0


async def test_the_length_of_every_kind_of_queue(web: Web, legacy: Server) -> None:
    names = ("jobs", "events", "late", "tags", "h", "greeting", "no-such-queue")
    facts = dict((await probe_of(web, legacy.port, queues={name: {} for name in names}).probe()).facts)
    assert [facts[name] for name in names] == [
        "3",
        "1",
        "2",
        "1",
        "1",
        "not known: a string",
        "0 (no such key)",
    ]
    other = await probe_of(web, legacy.port, database=3, queues={"other": {}}).probe()
    assert dict(other.facts)["other"] == "2"


async def test_the_limits_of_a_queue(web: Web, legacy: Server) -> None:
    async def with_limits(**limits: int) -> tuple[Health, str]:
        value = await probe_of(web, legacy.port, queues={"jobs": limits, "late": {}}).probe()
        return value.health, value.detail

    assert await with_limits(degraded=3, down=3) == (Health.OK, "answers")
    assert await with_limits(degraded=2, down=3) == (Health.DEGRADED, "jobs holds 3, the limit is 2")
    assert await with_limits(degraded=1, down=2) == (Health.DOWN, "jobs holds 3, the limit is 2")


async def test_passwords_and_rights(web: Web) -> None:
    with redis("--requirepass", TOKEN) as guarded:
        acl = f"ACL SETUSER looker on >{TOKEN} ~jobs +ping +info +type +llen"
        say(guarded.port, f"AUTH {TOKEN}", acl, "RPUSH jobs a")
        password = {"env": "REDIS_PASSWORD"}
        assert (await probe_of(web, guarded.port, password=password).probe()).health is Health.OK
        looker = await probe_of(
            web, guarded.port, password=password, user="looker", queues={"jobs": {}}
        ).probe()
        assert (looker.health, dict(looker.facts)["jobs"]) == (Health.OK, "1")
        none = await trouble_of(probe_of(web, guarded.port))
        stranger = await trouble_of(probe_of(web, guarded.port, password=password, user="stranger"))
        elsewhere = await trouble_of(
            probe_of(web, guarded.port, password=password, user="looker", queues={"secrets": {}})
        )
    for trouble, code in ((none, "NOAUTH"), (stranger, "WRONGPASS"), (elsewhere, "NOPERM")):
        assert isinstance(trouble, RefusedByService)
        assert trouble.failure.fault is Fault.CREDENTIAL
        assert trouble.failure.title.endswith(f"does not let this user in ({code})")


async def test_a_password_that_nobody_asked_for_is_unknown(web: Web, legacy: Server) -> None:
    trouble = await trouble_of(probe_of(web, legacy.port, password={"env": "REDIS_PASSWORD"}))
    assert trouble.failure.fault is Fault.CREDENTIAL


async def test_a_replica_its_link_and_the_wrong_role(web: Web) -> None:
    with redis() as primary, redis("--replicaof", f"127.0.0.1 {primary.port}") as copy:
        probe = probe_of(web, copy.port, role="replica")
        up = await until(lambda value: value.health is Health.OK, probe)
        wrong = await probe_of(web, copy.port, role="primary").probe()
        primary.stop()
        cut = await until(lambda value: value.health is Health.DEGRADED, probe)
        say(copy.port, "CONFIG SET replica-serve-stale-data no")
        silent = await probe.probe()
    assert dict(up.facts)["link to its primary"] == "up"
    assert (wrong.health, wrong.detail) == (Health.DOWN, "is a replica, the plan expects a primary")
    assert cut.detail == "its link to its primary is down"
    assert (silent.health, silent.detail) == (Health.DEGRADED, "it lost its primary and answers nothing")


async def test_no_place_for_another_client_is_degraded(web: Web) -> None:
    with redis("--maxclients", "1") as small:
        reader, writer = await asyncio.open_connection("127.0.0.1", small.port)
        writer.write(b"PING\r\n")
        await reader.readline()
        value = await probe_of(web, small.port).probe()
        writer.close()
        await writer.wait_closed()
    assert (value.health, value.detail) == (Health.DEGRADED, "it takes no more clients")


async def test_a_server_that_cannot_save_is_degraded(web: Web) -> None:
    with redis() as full:
        folder = full.log.parent
        say(full.port, "SET a b")
        (folder / "dump.rdb").mkdir()
        say(full.port, "BGSAVE")
        value = await until(lambda value: value.health is not Health.OK, probe_of(web, full.port))
    assert (value.health, value.detail) == (Health.DEGRADED, "it cannot save its data")


async def test_a_frozen_server_is_unknown_and_then_well_again(web: Web, legacy: Server) -> None:
    with legacy.frozen():
        trouble = await trouble_of(probe_of(web, legacy.port, timeout_s=0.5))
    assert isinstance(trouble, NoAnswer) and trouble.cause is Cause.TIMEOUT
    assert (await probe_of(web, legacy.port).probe()).health is Health.OK


async def test_a_server_gone_is_down_and_a_restart_is_told(web: Web) -> None:
    port = free_port()
    probe = probe_of(web, port)
    with redis(port=port):
        first = await probe.probe()
    gone = await probe.probe()
    with redis(port=port):
        back = await probe.probe()
    assert (gone.health, gone.detail) == (Health.DOWN, f"connection refused by 127.0.0.1:{port}")
    assert "restarted" not in dict(first.facts)["up"]
    assert dict(back.facts)["up"].endswith(", restarted")


async def test_through_tls(web: Web) -> None:
    with scratch("redis-tls") as folder:
        make_certificates(folder, days=20)
        tls_port = free_port()
        files = ("cert-file", "server.pem"), ("key-file", "server.key"), ("ca-cert-file", "ca.pem")
        options = [part for name, file in files for part in (f"--tls-{name}", str(folder / file))]
        with redis("--tls-port", str(tls_port), "--tls-auth-clients", "no", *options):
            value = await probe_of(web, tls_port, tls=True, ca_file=str(folder / "ca.pem")).probe()
            stranger = await trouble_of(probe_of(web, tls_port, tls=True))
            plain = await trouble_of(probe_of(web, tls_port))
    assert value.health is Health.OK
    assert isinstance(stranger, NoAnswer) and stranger.cause is Cause.TLS
    assert isinstance(plain, NoAnswer) and plain.cause is Cause.RESET


async def test_anything_is_slower_than_a_millionth_of_a_second(web: Web, legacy: Server) -> None:
    value = await probe_of(web, legacy.port, latency_limit="0.001ms").probe()
    assert value.health is Health.DEGRADED
    assert value.detail.startswith("slow: ")
