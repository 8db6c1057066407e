"""Answers that lie about themselves: floods, bombs, broken JSON, and waits that they ask for."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from datetime import timedelta
from email.utils import format_datetime

import pytest

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble, Throttled
from cockpit.adapters.http import Cause, NoAnswer, Web
from cockpit.core.model import Fault
from cockpit.engine.clock import SystemClock
from tests.adapters.http_rig import always, answer, everything_said, in_turn, serving
from tests.adapters.probes.scripted import Hang, Reply, as_json, as_text


async def test_an_endless_body_is_cut(web: Web) -> None:
    """Two gigabytes are announced by nothing; the connection is dropped once the cap is passed."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        try:
            while sent < 2_000_000_000:
                writer.write(b"x" * 65536)
                sent += 65536
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    async with await asyncio.start_server(flood, "127.0.0.1", 0) as server:
        host = web.host(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", max_body=1_000_000)
        with pytest.raises(BrokenAnswer) as caught:
            await host.get("/")
    assert caught.value.failure.title == "the answer is larger than 1 MB"
    assert sent < 50_000_000


async def test_an_announced_giant_is_not_begun(web: Web) -> None:
    async with serving(web, always(Reply(length=2_000_000_000))) as (host, _):
        with pytest.raises(BrokenAnswer, match="larger than 2 MB"):
            await host.get("/")


async def test_a_gzip_bomb_is_not_unpacked(web: Web) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()
    reply = Reply(body=bomb, headers={"content-encoding": "gzip"})
    assert len(bomb) < 200_000
    async with serving(web, always(reply)) as (host, _):
        with pytest.raises(BrokenAnswer, match="larger than 2 MB"):
            await host.get("/")


async def test_a_packed_answer(web: Web) -> None:
    reply = Reply(body=gzip.compress(b'{"a": 1}', mtime=0), headers={"content-encoding": "gzip"})
    async with serving(web, always(reply)) as (host, server):
        assert (await host.get("/")).json() == {"a": 1}
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "encoding", "title"),
    [
        (gzip.compress(b'{"a": 1}', mtime=0)[:-9], "gzip", "the packed answer was cut short"),
        (b"this is no gzip", "gzip", "the packed answer cannot be unpacked"),
        (b"{}", "br", "the answer is packed in a way that was not asked for"),
    ],
)
async def test_a_badly_packed_answer(web: Web, body: bytes, encoding: str, title: str) -> None:
    async with serving(web, always(Reply(body=body, headers={"content-encoding": encoding}))) as (host, _):
        with pytest.raises(BrokenAnswer) as caught:
            await host.get("/")
    assert caught.value.failure.title == title


async def test_a_body_that_ends_too_early(web: Web) -> None:
    reply = Reply(body=b'{"a": ', length=100, headers={"connection": "close"})

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + reply.body)
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        with pytest.raises(BrokenAnswer) as caught:
            await web.host(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}").write("POST", "/")
    assert "cut short" in caught.value.failure.title
    assert caught.value.sent


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"<!doctype html><html>", "HTML instead of JSON (proxy or login page?)"),
        (b"  \n<html>", "HTML instead of JSON (proxy or login page?)"),
        (b"", "an empty answer instead of JSON"),
        (b'{"a": ', "not valid JSON"),
        (b'{"a": "\xff\xfe"}', "not valid UTF-8"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "a number in the JSON is too large"),
        (b"[" + b"9" * 5000 + b"]", "a number in the JSON is too large"),
        (b"[" * 200_000, "JSON is nested too deeply"),
        (b'{"a":' * 200_000, "JSON is nested too deeply"),
    ],
)
def test_json_that_is_none(body: bytes, title: str) -> None:
    with pytest.raises(BrokenAnswer) as caught:
        answer(body).json()
    assert caught.value.failure.title == title


def test_json_is_taken_whatever_it_is_called() -> None:
    assert answer(b'\xef\xbb\xbf{"a": 1}', content_type="text/plain").json() == {"a": 1}


def test_text_is_clean_and_short() -> None:
    assert (
        answer(b"\x1b[2J\xff" + b"x" * 100_000).text(20)
        == "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}" + "x" * 14 + "…"
    )


@pytest.mark.parametrize(
    ("status", "kind", "fault"),
    [
        (401, RefusedByService, Fault.CREDENTIAL),
        (403, RefusedByService, Fault.CREDENTIAL),
        (404, RefusedByService, Fault.PLAN),
        (409, RefusedByService, Fault.SERVICE),
        (422, RefusedByService, Fault.PLAN),
        (302, RefusedByService, Fault.PLAN),
        (429, Throttled, Fault.SERVICE),
        (500, ServiceTrouble, Fault.SERVICE),
        (503, ServiceTrouble, Fault.SERVICE),
    ],
)
def test_a_status_as_an_error(status: int, kind: type[AdapterError], fault: Fault) -> None:
    with pytest.raises(kind) as caught:
        answer(b'{"message": "the \x1b[31mreason"}', status=status).raise_for_status()
    assert (caught.value.status, caught.value.failure.fault) == (status, fault)
    assert "reason" in caught.value.failure.detail or "[31m" in caught.value.failure.detail
    assert "\x1b" not in everything_said(caught.value)


@pytest.mark.parametrize("status", [200, 201, 204, 304])
def test_a_status_that_is_no_error(status: int) -> None:
    answer(b"", status=status).raise_for_status()


async def test_too_many_requests_is_tried_again_in_time(web: Web) -> None:
    async with serving(web, in_turn(as_text("", 429), as_json({"ok": 1}))) as (host, server):
        assert (await host.get("/")).json() == {"ok": 1}
    assert len(server.requests) == 2


async def test_a_wait_longer_than_the_deadline_is_told(web: Web) -> None:
    async with serving(web, always(as_json({}, 429, Retry_After="3600"))) as (host, server):
        with pytest.raises(Throttled) as caught:
            await host.get("/")
    assert caught.value.failure.retry_after_s == 3600
    assert len(server.requests) == 1


async def test_a_wait_until_a_date_counts_by_the_servers_clock(web: Web) -> None:
    now = SystemClock().now().replace(microsecond=0) - timedelta(days=3)
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry_After": format_datetime(now + timedelta(seconds=90), usegmt=True),
    }
    async with serving(web, always(as_json({}, 503, **headers))) as (host, _):
        with pytest.raises(Throttled) as caught:
            await host.get("/")
    assert caught.value.failure.retry_after_s == 90


@pytest.mark.parametrize("nonsense", ["-5", "1e9", "soon", "", "99999999999999999999", "٣"])
def test_a_wait_that_makes_no_sense_is_none(nonsense: str) -> None:
    assert answer(b"", status=429, retry_after=nonsense).retry_after_s() is None


async def test_unavailable_twice_is_trouble(web: Web) -> None:
    async with serving(web, always(as_text("down", 503))) as (host, server):
        with pytest.raises(ServiceTrouble) as caught:
            await host.get("/")
    assert caught.value.status == 503
    assert len(server.requests) == 2


async def test_a_probe_gets_every_answer_at_once(web: Web) -> None:
    async with serving(web, always(as_json({"db": "down"}, 503))) as (host, server):
        given = await host.get("/ready", retry=False)
    assert (given.status, given.json(), len(server.requests)) == (503, {"db": "down"}, 1)


async def test_a_write_gets_every_answer_at_once(web: Web) -> None:
    async with serving(web, always(as_text("wait", 429))) as (host, server):
        given = await host.write("POST", "/off")
    assert (given.status, len(server.requests)) == (429, 1)


async def test_the_second_try_is_inside_the_deadline(web: Web) -> None:
    async with serving(web, in_turn(as_text("", 503), Hang()), timeout_s=0.5) as (host, _):
        with pytest.raises(NoAnswer) as caught:
            await host.get("/")
    assert caught.value.cause is Cause.TIMEOUT
