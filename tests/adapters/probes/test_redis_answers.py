"""Redis servers that lie, stammer or never end, and what a plan may not say."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from cockpit.adapters.base import AdapterError
from cockpit.adapters.http import Web
from cockpit.adapters.probes.redis import RedisProbe, RedisProbeSettings, build
from cockpit.adapters.resp import read_info
from cockpit.core.model import Health
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, assert_harmless
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.sockets import Talk, chatter, hang_up, saying, silence, talking
from tests.tables import written

RUBBISH = EVIL.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"")


def answering(*answers: bytes) -> Talk:
    """One answer per question, the last one for ever."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while await reader.read(65_536):
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return talk


def bulk(text: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(text), text)


def probe_of(web: Web, port: int, timeout_s: float = 20.0, **more: object) -> RedisProbe:
    settings = written(RedisProbeSettings, {"host": "127.0.0.1", "port": port, **more})
    return build(settings, web, the_token, timeout_s)


INFO = b"# Server\r\nredis_version:7.0.15\r\nrole:master\r\nconnected_slaves:0\r\nuptime_in_seconds:5\r\n"


async def test_a_script_of_good_answers_is_ok(web: Web) -> None:
    async with talking(answering(b"+PONG\r\n", bulk(INFO))) as port:
        value = await probe_of(web, port).probe()
    assert (value.health, dict(value.facts)["version"]) == (Health.OK, "7.0.15")


@pytest.mark.parametrize(
    ("answers", "detail"),
    [
        (
            [b"-LOADING Redis is loading the dataset in memory\r\n"],
            "it loads its data and answers nothing yet",
        ),
        ([b"-MASTERDOWN Link with MASTER is down\r\n"], "it lost its primary and answers nothing"),
        ([b"-ERR max number of clients reached\r\n"], "it takes no more clients"),
        ([b"+PONG\r\n", b"-LOADING later\r\n"], "it loads its data and answers nothing yet"),
        ([b"+PONG\r\n", bulk(INFO + b"rdb_last_bgsave_status:err\r\n")], "it cannot save its data"),
        (
            [b"+PONG\r\n", bulk(b"role:slave\r\nmaster_link_status:down\r\n")],
            "its link to its primary is down",
        ),
        ([b"+PONG\r\n", bulk(b"role:slave\r\n")], "its link to its primary is not told"),
    ],
)
async def test_what_a_server_says_of_itself_is_degraded(
    web: Web, answers: Sequence[bytes], detail: str
) -> None:
    async with talking(answering(*answers)) as port:
        value = await probe_of(web, port).probe()
    assert (value.health, value.detail) == (Health.DEGRADED, detail)


HOSTILE: dict[str, Talk] = {
    "silence": silence,
    "a reset": hang_up,
    "endless bytes without a line": chatter,
    "another protocol": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "an evil error": answering(b"-" + RUBBISH + b" " + RUBBISH + b"\r\n"),
    "a text of two gigabytes": answering(b"+PONG\r\n", b"$2000000000\r\nx"),
    "a text of less than nothing": answering(b"+PONG\r\n", b"$-7\r\n"),
    "a length that is none": answering(b"+PONG\r\n", b"$\xd9\xa3\r\n"),
    "an endless number": answering(b"+PONG\r\n", b":" + b"9" * 5000 + b"\r\n"),
    "a text that stops": answering(b"+PONG\r\n", b"$50\r\nshort"),
    "no text": answering(b"+PONG\r\n", b"$-1\r\n"),
    "a number for INFO": answering(b"+PONG\r\n", b":7\r\n"),
    "a list": answering(b"+PONG\r\n", b"*1\r\n:7\r\n"),
    "a line that ends wrongly": answering(b"+PONG\n"),
}


@pytest.mark.parametrize("talk", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_servers_are_unknown_and_harmless(web: Web, talk: Talk) -> None:
    async with talking(talk) as port:
        with pytest.raises(AdapterError) as caught:
            await probe_of(web, port, timeout_s=1.0, password={"env": "P"}, queues={"a": {}}).probe()
    assert_harmless(caught.value)


async def test_evil_information_is_harmless(web: Web) -> None:
    dice = random.Random(3)
    keys = [line.partition(b":")[0] for line in INFO.splitlines()] + [b"run_id", b"master_link_status", b""]
    for _ in range(60):
        lines = [dice.choice(keys) + b":" + RUBBISH[dice.randrange(40) :] for _ in range(dice.randrange(9))]
        async with talking(answering(b"+PONG\r\n", bulk(b"\r\n".join(lines)))) as port:
            assert_harmless(await probe_of(web, port, role="primary").probe())


async def test_evil_kinds_and_lengths_of_queues_are_harmless(web: Web) -> None:
    for answer in (b"+" + RUBBISH + b"\r\n", b"$-1\r\n", b":7\r\n", bulk(RUBBISH)):
        async with talking(answering(b"+PONG\r\n", bulk(INFO), answer)) as port:
            assert_harmless(await probe_of(web, port, queues={"jobs": {"down": 9}}).probe())


async def test_a_limit_that_nobody_can_look_at_is_unknown(web: Web) -> None:
    """A text has no length: its limit would never be reached."""
    for queue, health in (({"down": 9}, Health.UNKNOWN), ({}, Health.OK)):
        async with talking(answering(b"+PONG\r\n", bulk(INFO), b"+string\r\n")) as port:
            value = await probe_of(web, port, queues={"jobs": queue}).probe()
        assert value.health is health


def test_information_is_read_line_by_line() -> None:
    assert read_info("# Server\r\nrole:master\r\nbroken\r\n\r\nslave0:ip=1,port=2\r\n") == {
        "role": "master",
        "slave0": "ip=1,port=2",
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "hunter2"},
        {"host": "redis://x"},
        {"database": -1},
        {"queues": {"": {}}},
        {"queues": {"a": {"down": -1}}},
        {"queues": {"a": {"degraded": 9, "down": 3}}},
        {"queues": {"a": {"dawn": 3}}},
        {"role": "master"},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems) as caught:
        written(RedisProbeSettings, {"host": "cache", **wrong})
    assert "hunter2" not in str(caught.value)
