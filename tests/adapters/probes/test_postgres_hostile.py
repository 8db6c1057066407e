"""A server that speaks PostgreSQL's protocol just far enough to lie, and others that do not speak it."""

from __future__ import annotations

import asyncio
import logging
import struct

import pytest

from cockpit.adapters.base import AdapterError
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import NoAnswer
from cockpit.adapters.probes.postgres import Counters, PostgresProbe, build, rate_words
from cockpit.adapters.probes.postgres_settings import PostgresProbeSettings
from cockpit.core.model import Health
from cockpit.core.secret import Secret
from tests.adapters.probes.hostile import EVIL, TOKEN, assert_harmless
from tests.adapters.probes.sockets import Talk, chatter, hang_up, saying, silence, talking
from tests.tables import written

READY = b"R" + struct.pack("!ii", 8, 0) + b"Z" + struct.pack("!ic", 5, b"I")


def error(state: str, words: str) -> bytes:
    """ErrorResponse (PostgreSQL documentation, "Message Formats")."""
    said = words.encode("utf-8", "replace").replace(b"\0", b" ")
    fields = b"SFATAL\0VFATAL\0C" + state.encode() + b"\0M" + said + b"\0\0"
    return b"E" + struct.pack("!i", 4 + len(fields)) + fields


def after_the_start(said: bytes, *, then: bytes = b"") -> Talk:
    """No TLS, then `said` to the start-up message, and `then` to whatever follows."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if body[:4] == struct.pack("!i", 196608):
                break
            writer.write(b"N")
        writer.write(said)
        while await reader.read(65_536):
            writer.write(then)
            await writer.drain()

    return talk


def probe_of(port: int, timeout_s: float = 20.0) -> PostgresProbe:
    settings = written(PostgresProbeSettings, {"dsn": {"env": "LEGACY_DSN"}})
    dsn = f"postgresql://someone:{TOKEN}@127.0.0.1:{port}/somewhere"
    return build(settings, Web(), lambda _: Secret(dsn), timeout_s)


@pytest.mark.parametrize(
    ("state", "words", "health"),
    [
        ("57P03", "the database system is starting up", Health.DOWN),
        ("57P03", "the database system is not yet accepting connections", Health.DOWN),
        ("53300", "sorry, too many clients already", Health.DEGRADED),
        (
            "53300",
            "remaining connection slots are reserved for roles with the SUPERUSER attribute",
            Health.DEGRADED,
        ),
    ],
)
async def test_what_a_server_says_of_itself_is_believed(state: str, words: str, health: Health) -> None:
    async with talking(after_the_start(error(state, words))) as port:
        probe = probe_of(port)
        value = await probe.probe()
        await probe.aclose()
    assert value.health is health


HOSTILE: dict[str, Talk] = {
    "silence": silence,
    "a reset": hang_up,
    "endless bytes": chatter,
    "another protocol": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "evil words": after_the_start(error("XX000", f"{EVIL} {TOKEN} 127.0.0.1 someone")),
    "an evil SQLSTATE": after_the_start(error("\x1b[2J", EVIL)),
    "words in another language": after_the_start(error("57P03", "das Datenbanksystem startet")),
    "a session that gives nothing": after_the_start(READY),
    "a session that gives rubbish": after_the_start(READY, then=b"\xff" * 64),
    "a session that ends at the first question": after_the_start(READY, then=error("57P01", f"bye {TOKEN}")),
    "a session that fails with evil words": after_the_start(READY, then=error("XX001", f"{EVIL} {TOKEN}")),
    "a message of two gigabytes": after_the_start(READY, then=b"D" + struct.pack("!i", 2**31 - 1)),
    "a refusal that it does not explain": after_the_start(b"E" + struct.pack("!i", 5) + b"\0"),
}


@pytest.mark.parametrize("talk", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_servers_are_unknown_and_harmless(talk: Talk) -> None:
    async with talking(talk) as port:
        probe = probe_of(port, timeout_s=1.5)
        with pytest.raises(AdapterError) as caught:
            await probe.probe()
        await probe.aclose()
    assert_harmless(caught.value, "someone", "somewhere", "127.0.0.1")


async def test_a_stalled_handshake_ends_in_time() -> None:
    async with talking(silence) as port:
        probe = probe_of(port, timeout_s=0.5)
        with pytest.raises(NoAnswer) as caught:
            await probe.probe()
    assert caught.value.failure.title.startswith("no session with the database within")


async def test_the_library_writes_nothing_over_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    """Its warnings name hosts, and a logger without a handler prints them on standard error."""
    await probe_of(1).aclose()
    logging.getLogger("psycopg").warning("query cancellation failed: 127.0.0.1")
    assert capfd.readouterr() == ("", "")


def counters(written: float, at_s: float) -> Counters:
    return Counters(written=written, committed=written / 10, at_s=at_s)


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (None, counters(5, 10), "not measured yet"),
        (counters(100, 10), counters(150, 20), "5.0 rows/s, 0.5 commits/s"),
        (counters(100, 10), counters(100, 20), "0.0 rows/s, 0.0 commits/s"),
        (counters(100, 10), counters(99, 20), "not known: the counters were reset"),
        (counters(100, 10), counters(150, 10), "not measured yet"),
        (counters(100, 10), counters(150, 9), "not measured yet"),
    ],
)
def test_the_write_rate_in_words(before: Counters | None, now: Counters, words: str) -> None:
    assert rate_words(before, now) == words
