"""The HTTP client: plain asking, trouble on the wire, and places to wait in."""

from __future__ import annotations

import asyncio
import ssl
from email.utils import format_datetime

import pytest

from cockpit import __version__
from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http import Cause, HttpHost, NoAnswer, Web
from cockpit.adapters.http_clients import Clients
from cockpit.adapters.http_wire import Lane
from cockpit.adapters.url import Url
from cockpit.core.model import Fault
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.crew import until
from tests.adapters.http_rig import TOKEN, always, everything_said, in_turn, serving
from tests.adapters.probes.scripted import Drip, Hang, Request, Reset, Step, as_json, as_text, scripted


async def test_an_answer(web: Web) -> None:
    date = format_datetime(SystemClock().now().replace(microsecond=0), usegmt=True)
    async with serving(web, always(as_json({"up": True}, Date=date, X_Thing="y"))) as (host, server):
        answer = await host.get("/api/x", params={"q": "a b&c"})
    assert (answer.status, answer.json()) == (200, {"up": True})
    assert answer.headers["x-thing"] == "y"
    assert answer.server_time is not None
    assert format_datetime(answer.server_time, usegmt=True) == date
    asked = server.requests[0]
    assert asked.path == "/api/x?q=a+b%26c"
    assert asked.headers["user-agent"] == f"cutover-cockpit/{__version__}"
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_base_path_stays(web: Web) -> None:
    async with scripted(always(as_json({}))) as server:
        host = web.host(f"{server.url}/instance/")
        await host.get("/api/features/a%2Fb")
    assert server.requests[0].path == "/instance/api/features/a%2Fb"


async def test_connections_are_used_again(web: Web) -> None:
    async with serving(web, always(as_json({}))) as (host, server):
        for _ in range(5):
            await host.get("/")
    assert (len(server.requests), server.connections) == (5, 1)


async def test_a_form_and_a_json_body(web: Web) -> None:
    async with serving(web, always(as_json({}))) as (host, server):
        await host.read_post("/q", form={"query": "a+b", "time": "1"})
        await host.read_post("/q", json={"a": [1, "ä"]})
        await host.write("PATCH", "/w", json=[{"op": "test"}])
        await host.write("POST", "/w", body=b'{"signed":1}')
        await host.write("POST", "/w")
    form, read, patch, signed, empty = server.requests
    assert (form.form("query"), form.form("time")) == ("a+b", "1")
    assert read.headers["content-type"] == "application/json"
    assert (patch.method, patch.body) == ("PATCH", b'[{"op":"test"}]')
    assert signed.body == b'{"signed":1}'
    assert (empty.body, empty.headers["content-length"]) == (b"", "0")
    assert "content-type" not in empty.headers


async def test_cookies_are_not_kept(web: Web) -> None:
    async with serving(web, always(as_json({}, Set_Cookie="session=1; Path=/"))) as (host, server):
        await host.get("/")
        await host.get("/")
    assert "cookie" not in server.requests[1].headers


async def test_every_status_is_an_answer(web: Web) -> None:
    async with serving(web, always(as_text("gone", 404))) as (host, _):
        answer = await host.get("/")
    assert (answer.status, answer.text()) == (404, "gone")


async def test_nobody_listens(web: Web) -> None:
    async with scripted(always(Hang())) as server:
        url, port = server.url, server.port
    with pytest.raises(NoAnswer) as caught:
        await web.host(url).get("/")
    assert (caught.value.cause, caught.value.sent) == (Cause.REFUSED, False)
    assert caught.value.failure.title == f"connection refused by 127.0.0.1:{port}"


async def test_a_name_without_an_address(web: Web) -> None:
    with pytest.raises(NoAnswer) as caught:
        await web.host("http://no-such-host.invalid").get("/")
    assert (caught.value.cause, caught.value.sent) == (Cause.DNS, False)
    assert caught.value.failure.fault is Fault.NETWORK


async def test_no_answer_ends_at_the_deadline(web: Web) -> None:
    async with serving(web, always(Hang()), timeout_s=1) as (host, _):
        with pytest.raises(NoAnswer) as caught:
            await host.write("POST", "/off")
    assert (caught.value.cause, caught.value.sent) == (Cause.TIMEOUT, True)
    assert "no answer from 127.0.0.1" in caught.value.failure.title


async def test_a_dripping_body_cannot_outlive_the_deadline(web: Web) -> None:
    async with serving(web, always(Drip()), timeout_s=0.3) as (host, server):
        with pytest.raises(NoAnswer) as caught:
            await host.get("/")
    assert "did not end within 0.3 s" in caught.value.failure.title
    assert len(server.requests) == 1


async def test_tls_that_is_never_answered_sent_nothing(web: Web) -> None:
    talking: set[asyncio.StreamWriter] = set()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(writer)
        while await reader.read(1000):
            continue
        writer.close()
        talking.discard(writer)

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswer):  # reads the authorities, which takes long on a busy machine
            await web.host("https://127.0.0.1:1").get("/")
        with pytest.raises(NoAnswer) as caught:
            await web.host(f"https://127.0.0.1:{port}", timeout_s=1.0).write("POST", "/")
        await web.aclose()
        await until(lambda: not talking)
    assert (caught.value.cause, caught.value.sent) == (Cause.TIMEOUT, False)
    assert "TLS" in caught.value.failure.title


async def test_a_read_is_tried_again_after_a_reset(web: Web) -> None:
    async with serving(web, in_turn(Reset(), as_json({"ok": 1}))) as (host, server):
        assert (await host.get("/")).json() == {"ok": 1}
    assert len(server.requests) == 2


async def test_a_write_is_never_sent_twice(web: Web) -> None:
    async with serving(web, in_turn(Reset(), as_json({}))) as (host, server):
        with pytest.raises(NoAnswer) as caught:
            await host.write("POST", "/off")
    assert (caught.value.cause, caught.value.sent) == (Cause.RESET, True)
    assert len(server.requests) == 1


async def test_what_is_not_http(web: Web) -> None:
    async def ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n\x1b[2J\r\n\r\n")
        while await reader.read(1000):
            continue
        writer.close()

    async with await asyncio.start_server(ssh, "127.0.0.1", 0) as server:
        with pytest.raises(BrokenAnswer) as caught:
            await web.host(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}").get("/")
    assert "does not speak HTTP" in caught.value.failure.title
    assert "SSH" not in everything_said(caught.value)


async def test_a_cancelled_request_leaves_the_host_usable(web: Web) -> None:
    async with serving(web, in_turn(Hang(), as_json({"ok": 1}))) as (host, server):
        asking = asyncio.create_task(host.get("/"))
        async with asyncio.timeout(5):
            while not server.requests:  # noqa: ASYNC110 - the server fills the list
                await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await host.get("/")).json() == {"ok": 1}


async def test_a_write_does_not_wait_behind_reads(web: Web) -> None:
    def handler(request: Request) -> Step:
        return Hang() if request.method == "GET" else as_json({"written": 1})

    async with serving(web, handler) as (host, server):
        reads = [asyncio.create_task(host.get("/slow")) for _ in range(20)]
        async with asyncio.timeout(5):
            while len(server.requests) < 4:  # noqa: ASYNC110 - the server fills the list
                await asyncio.sleep(0)
        assert (await host.write("POST", "/off")).json() == {"written": 1}
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    assert sum(request.method == "GET" for request in server.requests) == 4


async def test_waiting_for_a_place_counts(web: Web) -> None:
    async with scripted(always(Hang())) as server:
        clients = Clients(ssl.create_default_context, agent="test")
        lane = Lane(clients, places=asyncio.Semaphore(1), idle_s=1.0)
        patient, hasty = (
            HttpHost(
                Url.parse(server.url),
                headers={},
                timeout_s=timeout_s,
                max_body=1000,
                secret_path=False,
                clients=clients,
                reads=lane,
                proofs=lane,
                writes=lane,
            )
            for timeout_s in (30.0, 0.2)
        )
        first = asyncio.create_task(patient.get("/"))
        async with asyncio.timeout(5):
            while not server.requests:  # noqa: ASYNC110 - the server fills the list
                await asyncio.sleep(0)
        with pytest.raises(NoAnswer) as caught:
            await hasty.write("POST", "/off")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await clients.aclose()
    assert (caught.value.cause, caught.value.sent) == (Cause.TIMEOUT, False)
    assert caught.value.failure.title == f"earlier requests to {hasty.address} did not end within 0.2 s"
