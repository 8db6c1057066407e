"""The HTTP client against servers that misbehave below and above HTTP."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import ssl
import traceback
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime

import httpx
import pytest
import pytest_asyncio

from cockpit import __version__
from cockpit.adapters.base import (
    AdapterError,
    BrokenAnswer,
    RefusedByService,
    ServiceTrouble,
    Throttled,
    Unreachable,
)
from cockpit.adapters.http import Answer, Cause, HttpHost, NoAnswer, Web
from cockpit.adapters.http_wire import Lane
from cockpit.core.model import Fault
from cockpit.core.secret import Secret
from cockpit.engine.clock import SystemClock
from tests.adapters.probes.scripted import (
    Drip,
    Handler,
    Hang,
    Reply,
    Request,
    Reset,
    Scripted,
    Step,
    as_json,
    as_text,
    scripted,
)

TOKEN = "tok-7f3a9c51d2e84b60"
SECRET = {"Authorization": Secret(f"Bearer {TOKEN}")}


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.aclose()


@asynccontextmanager
async def serving(
    web: Web, handler: Handler, *, timeout_s: float = 5.0
) -> AsyncIterator[tuple[HttpHost, Scripted]]:
    async with scripted(handler) as server:
        yield web.host(server.url, headers=SECRET, timeout_s=timeout_s), server


def always(step: Step) -> Handler:
    return lambda request: step


def in_turn(*steps: Step) -> Handler:
    """One step per request; the last one stays."""
    left = itertools.chain(steps, itertools.repeat(steps[-1]))
    return lambda request: next(left)


def everything_said(error: BaseException) -> str:
    """All text that a crash report or a log could make of an error."""
    parts = ["".join(traceback.format_exception(error)), repr(error)]
    if isinstance(error, AdapterError):
        parts.append(repr(error.failure))
    return "\n".join(parts)


# --- plain asking ---


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


# --- trouble on the wire ---


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
    async with serving(web, always(Hang()), timeout_s=0.2) as (host, _):
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
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            continue
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoAnswer) as caught:
            await web.host(f"https://127.0.0.1:{port}", timeout_s=0.3).write("POST", "/")
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


# --- bodies ---


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
    reply = Reply(body=gzip.compress(b'{"a": 1}'), headers={"content-encoding": "gzip"})
    async with serving(web, always(reply)) as (host, server):
        assert (await host.get("/")).json() == {"a": 1}
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("body", "encoding", "title"),
    [
        (gzip.compress(b'{"a": 1}')[:-9], "gzip", "the packed answer was cut short"),
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


def answer(body: bytes, *, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        status=status, headers=named, body=body, took_s=0.0, server_time=None, asked="GET http://h:1/x"
    )


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


# --- waiting when asked to ---


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


# --- redirects ---


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"location": location})


async def test_a_redirect_within_the_service_keeps_the_credential(web: Web) -> None:
    async with serving(web, in_turn(redirect("/new?x=1"), as_json({"ok": 1}))) as (host, server):
        assert (await host.get("/old")).json() == {"ok": 1}
    assert server.requests[1].path == "/new?x=1"
    assert server.requests[1].headers["authorization"] == f"Bearer {TOKEN}"


async def test_a_credential_is_not_carried_elsewhere(web: Web) -> None:
    async with scripted(always(as_json({}))) as elsewhere:
        target = f"http://user:pass@127.0.0.1:{elsewhere.port}/login?token=abc"
        async with serving(web, always(redirect(target))) as (host, _):
            with pytest.raises(RefusedByService) as caught:
                await host.get("/")
    assert elsewhere.requests == []
    assert "the credential was not sent there" in caught.value.failure.title
    assert not {"abc", "user", "pass@"} & set(everything_said(caught.value).replace("/", " ").split())
    assert "abc" not in everything_said(caught.value)


async def test_without_a_credential_a_redirect_may_lead_elsewhere(web: Web) -> None:
    async with (
        scripted(always(as_json({"there": 1}))) as elsewhere,
        scripted(always(redirect(f"{elsewhere.url}/x"))) as server,
    ):
        assert (await web.host(server.url).get("/")).json() == {"there": 1}


async def test_redirects_end(web: Web) -> None:
    async with serving(web, always(redirect("/again"))) as (host, server):
        with pytest.raises(RefusedByService, match="more than 3 redirects"):
            await host.get("/")
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://[::1",
        "http://a b/",
        "http://h:99999/",
        "http://xn--/",
    ],
)
async def test_a_redirect_to_nowhere(web: Web, location: str) -> None:
    async with scripted(always(redirect(location))) as server:
        with pytest.raises((RefusedByService, BrokenAnswer, Unreachable)):
            await web.host(server.url).get("/")


async def test_a_write_is_not_redirected(web: Web) -> None:
    async with serving(web, always(redirect("/new", 307))) as (host, server):
        with pytest.raises(RefusedByService, match="not followed"):
            await host.write("POST", "/off")
    assert len(server.requests) == 1


async def test_a_reading_post_follows_only_where_it_stays_a_post(web: Web) -> None:
    async with serving(web, in_turn(redirect("/new", 307), as_json({}), redirect("/new"))) as (host, server):
        await host.read_post("/q", json={"a": 1})
        assert (server.requests[1].method, server.requests[1].body) == ("POST", b'{"a":1}')
        with pytest.raises(RefusedByService, match="a POST was redirected"):
            await host.read_post("/q", json={"a": 1})


async def test_a_probe_sees_redirects(web: Web) -> None:
    async with serving(web, always(redirect("/login"))) as (host, _):
        assert (await host.get("/", redirects=False)).status == 302


# --- places ---


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
        lane = Lane(ssl.create_default_context, agent="test", places=1, idle_s=1.0)
        patient, hasty = (
            HttpHost(
                httpx.URL(server.url),
                headers={},
                timeout_s=timeout_s,
                max_body=1000,
                secret_path=False,
                reads=lane,
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
        await lane.aclose()
    assert (caught.value.cause, caught.value.sent) == (Cause.TIMEOUT, False)
    assert caught.value.failure.title == f"earlier requests to {hasty.address} did not end within 0.2 s"


# --- secrets ---


async def test_an_echoed_secret_is_blanked(web: Web) -> None:
    def echo(request: Request) -> Step:
        return as_json({"message": f"bad token {request.headers['authorization']}"}, 401)

    async with serving(web, echo) as (host, _):
        given = await host.get("/")
    assert TOKEN not in given.text()
    assert TOKEN not in str(given.json())
    assert TOKEN not in repr(given)
    assert TOKEN not in everything_said(given.as_error())


@pytest.mark.parametrize("evil", ["tok-\r\nX-Injected: 1", "tok-\x00-nul", "tok-ünïcode", "tok-\x1b[2J"])
async def test_a_secret_that_no_header_can_carry(web: Web, evil: str) -> None:
    async with scripted(always(as_json({}))) as server:
        host = web.host(server.url, headers={"Authorization": Secret(evil)})
        with pytest.raises(RefusedByService) as caught:
            await host.get("/")
    assert server.requests == []
    assert (caught.value.sent, caught.value.failure.fault) == (False, Fault.CREDENTIAL)
    assert "tok-" not in everything_said(caught.value)


async def test_no_error_shows_query_or_secret(web: Web) -> None:
    hidden = "-".join(("hidden", "value"))
    steps: tuple[Step, ...] = (Reset(), Reply(body=b"x", length=9_000_000), as_text("no", 500))
    for step in steps:
        async with serving(web, always(step), timeout_s=0.5) as (host, _):
            with pytest.raises(AdapterError) as caught:
                (await host.get("/a", params={"key": hidden})).raise_for_status()
        said = everything_said(caught.value)
        assert hidden not in said
        assert TOKEN not in said
        assert "/a" in caught.value.failure.detail


async def test_a_secret_path_appears_nowhere(web: Web) -> None:
    async with scripted(always(as_text("no", 500))) as server:
        host = web.host(server.url, secret_path=True)
        given = await host.write("POST", "/services/T000/B000/hidden", json={})
    assert "hidden" not in everything_said(given.as_error())
    assert f"127.0.0.1:{server.port}" in given.as_error().failure.detail


@pytest.mark.parametrize(
    "address",
    [
        "ftp://h/",
        "h:80",
        "",
        "http://",
        "http://user:hidden@h/",
        "http://h/?token=hidden",
        "http://h:99999/",
        "http://xn--/",
        "http://[::",
    ],
)
def test_an_address_that_cannot_be_used(address: str) -> None:
    with pytest.raises(RefusedByService) as caught:
        Web().host(address)
    assert (caught.value.failure.fault, caught.value.sent) == (Fault.PLAN, False)
    assert "hidden" not in everything_said(caught.value)


# --- proxies and authorities ---


async def test_a_proxy_of_the_environment_is_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(always(as_json({"via": "proxy"}))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert (await web.host("http://flags.invalid").get("/x")).json() == {"via": "proxy"}
    assert proxy.requests[0].path == "http://flags.invalid/x"


async def test_a_proxy_that_is_down_is_not_the_service(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(always(Hang())) as proxy:
        dead = proxy.url
    monkeypatch.setenv("HTTP_PROXY", dead)
    monkeypatch.setenv("HTTPS_PROXY", dead)
    for address in ("http://flags.invalid", "https://flags.invalid"):
        with pytest.raises(NoAnswer) as caught:
            await web.host(address).get("/x")
        assert (caught.value.cause, caught.value.sent) == (Cause.PROXY, False)


async def test_a_tunnel_that_the_proxy_refuses_sent_nothing(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(always(as_text("no", 407))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(NoAnswer) as caught:
            await web.host("https://flags.invalid", headers=SECRET).write("POST", "/off")
    assert (caught.value.cause, caught.value.sent) == (Cause.PROXY, False)
    assert "authorization" not in proxy.requests[0].headers


async def test_proxy_settings_that_cannot_be_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://user:hidden@proxy")
    with pytest.raises(RefusedByService) as caught:
        await web.host("http://flags.invalid").get("/x")
    assert caught.value.failure.fault is Fault.PLAN
    assert "hidden" not in everything_said(caught.value)


@pytest.mark.parametrize("content", [None, "this is no PEM"])
async def test_a_ca_file_that_cannot_be_used(
    web: Web, tmp_path_factory: pytest.TempPathFactory, content: str | None
) -> None:
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(RefusedByService) as caught:
        await web.host("https://127.0.0.1:1", ca_file=str(file)).get("/")
    assert caught.value.failure.title == "the CA file cannot be used"
    assert "ca.pem" in caught.value.failure.detail
