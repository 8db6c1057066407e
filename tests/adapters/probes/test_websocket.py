"""The websocket probe against real servers of the `websockets` library, and against sockets that are none."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
import pytest_asyncio
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol
from websockets.utils import accept_key

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, Throttled
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.websocket import WebSocketProbe, WebSocketProbeSettings, build, read_gauge
from cockpit.core.model import Health, ProbeValue
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, TOKEN, assert_harmless
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.sockets import chatter, hang_up, saying, silence, talking
from tests.real.http_server import make_certificates
from tests.real.servers import free_port, scratch
from tests.tables import written

ACCEPT = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
Serve = Callable[[ServerConnection], Awaitable[None]]


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web()
    yield made
    await made.aclose()


def probe_of(web: Web, port: int, *, timeout_s: float = 20.0, **more: object) -> WebSocketProbe:
    settings = {"url": f"ws://127.0.0.1:{port}/socket?v=1", **more}
    return build(written(WebSocketProbeSettings, settings), web, the_token, timeout_s)


async def trouble_of(probe: WebSocketProbe) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await probe.probe()
    assert_harmless(caught.value)
    return caught.value


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def saying_first(*messages: str | bytes) -> Serve:
    async def talk(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(message)
        await connection.wait_closed()

    return talk


def closing_with(code: int, reason: str = "") -> Serve:
    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(code, reason)

    return talk


@asynccontextmanager
async def server(talk: Serve = echo, **options: object) -> AsyncIterator[int]:
    async with serve(talk, "127.0.0.1", 0, **options) as running:  # type: ignore[arg-type]  # options of any kind
        yield next(iter(running.sockets)).getsockname()[1]


def answering(status: int, **headers: str) -> Callable[[ServerConnection, Request], Response]:
    def process_request(connection: ServerConnection, request: Request) -> Response:
        response = connection.respond(HTTPStatus(status), f"no {TOKEN}\n")
        for name, value in headers.items():
            response.headers[name] = value
        return response

    return process_request


async def test_a_well_server_answers_pings(web: Web) -> None:
    codes: list[int | None] = []

    async def remember(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.append(connection.close_code)

    async with server(remember) as port:
        value = await probe_of(web, port).probe()
    assert (value.health, value.detail) == (Health.OK, "answers pings")
    assert value.latency_ms is not None and value.latency_ms > 0
    assert dict(value.facts)["connected in"].endswith(" ms")
    assert codes == [1000]


async def test_credentials_go_with_the_upgrade_and_nowhere_else(web: Web) -> None:
    seen: list[Request] = []

    def look(connection: ServerConnection, request: Request) -> None:
        seen.append(request)

    async with server(process_request=look) as port:
        value = await probe_of(
            web, port, token={"env": "T"}, headers={"X-Api-Key": {"env": "K"}, "X-Plain": "p"}
        ).probe()
    assert_harmless(value)
    (request,) = seen
    assert request.path == "/socket?v=1"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert (request.headers["X-Api-Key"], request.headers["X-Plain"]) == (TOKEN, "p")
    assert request.headers["User-Agent"].startswith("cutover-cockpit/")


async def test_a_subprotocol_that_it_speaks_and_one_that_it_does_not(web: Web) -> None:
    async with server(subprotocols=[Subprotocol("chat.v2")]) as port:
        good = await probe_of(web, port, subprotocols=["chat.v3", "chat.v2"]).probe()
    async with server() as port:
        none = await probe_of(web, port, subprotocols=["chat.v3"]).probe()
    assert (good.health, dict(good.facts)["subprotocol"]) == (Health.OK, "chat.v2")
    assert none.health is Health.DOWN
    assert none.detail == "speaks none of the plan's subprotocols: chat.v3"


async def test_a_gauge_out_of_the_first_message_that_has_it(web: Web) -> None:
    async with server(
        saying_first("hello", '{"online": "many"}', '{"online": 812}', '{"online": 1}')
    ) as port:
        value = await probe_of(web, port, gauge="/online").probe()
    assert dict(value.facts)["/online"] == "812"
    async with server(echo) as port:
        asked = json.dumps({"stats": {"online": 7}})
        value = await probe_of(web, port, send=asked, gauge="/stats/online").probe()
    assert dict(value.facts)["/stats/online"] == "7"


async def test_a_gauge_that_does_not_come_is_told_or_unknown(web: Web) -> None:
    async with server(saying_first(*["{}"] * 50)) as port:
        value = await probe_of(web, port, gauge="/online").probe()
    assert dict(value.facts)["/online"] == "not in its first 20 messages"
    async with server() as port:
        trouble = await trouble_of(probe_of(web, port, gauge="/online", timeout_s=0.5))
    assert isinstance(trouble, NoAnswer) and trouble.cause is Cause.TIMEOUT


@pytest.mark.parametrize("status", [301, 404, 426, 500, 503])
async def test_another_status_is_down(web: Web, status: int) -> None:
    elsewhere = {"Location": "ws://127.0.0.1:1/"} if status == 301 else {}
    async with server(process_request=answering(status, **elsewhere)) as port:
        value = await probe_of(web, port, token={"env": "T"}).probe()
    assert (value.health, value.detail) == (Health.DOWN, f"127.0.0.1:{port} answers {status} to the upgrade")


@pytest.mark.parametrize(
    ("status", "kind"), [(401, RefusedByService), (403, RefusedByService), (429, Throttled)]
)
async def test_a_status_that_means_could_not_ask(web: Web, status: int, kind: type[AdapterError]) -> None:
    async with server(process_request=answering(status)) as port:
        trouble = await trouble_of(probe_of(web, port))
    assert isinstance(trouble, kind)
    assert trouble.status == status


@pytest.mark.parametrize(
    ("code", "words"), [(1001, "it is going away"), (1011, "it failed"), (1012, "it restarts")]
)
async def test_a_close_that_says_down(web: Web, code: int, words: str) -> None:
    async with server(closing_with(code, f"because {TOKEN}")) as port:
        value = await probe_of(web, port, send="hello", gauge="/x").probe()
    assert value.health is Health.DOWN
    assert value.detail == f"127.0.0.1:{port} closes with {code}: {words}"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1000, NoAnswer),
        (1008, RefusedByService),
        (4401, RefusedByService),
        (1013, Throttled),
        (4999, NoAnswer),
    ],
)
async def test_a_close_that_means_could_not_ask(web: Web, code: int, kind: type[AdapterError]) -> None:
    async with server(closing_with(code, f"{EVIL[:30]} {TOKEN}")) as port:
        trouble = await trouble_of(probe_of(web, port, send="hello", gauge="/x"))
    assert isinstance(trouble, kind)


async def test_a_server_that_accepts_and_then_hangs_is_unknown(web: Web) -> None:
    async def no_pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        (key,) = [
            line.split(b": ")[1]
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        ]
        writer.write(ACCEPT + f"Sec-WebSocket-Accept: {accept_key(key.decode())}\r\n\r\n".encode())
        await silence(reader, writer)

    async with talking(no_pong) as port:
        trouble = await trouble_of(probe_of(web, port, timeout_s=0.7))
    assert isinstance(trouble, NoAnswer) and trouble.cause is Cause.TIMEOUT


async def test_sockets_that_speak_something_else_are_unknown(web: Web) -> None:
    for talk, kind in (
        (silence, NoAnswer),
        (hang_up, NoAnswer),
        (chatter, NoAnswer),
        (saying(b"220 mail.example ESMTP\r\n"), BrokenAnswer),
        (
            saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            BrokenAnswer,
        ),
    ):
        async with talking(talk) as port:
            assert isinstance(await trouble_of(probe_of(web, port, timeout_s=1.0)), kind), talk


async def test_large_and_evil_messages_are_harmless(web: Web) -> None:
    async with server(saying_first("x" * 1_000_000)) as port:
        assert isinstance(await trouble_of(probe_of(web, port, gauge="/x")), BrokenAnswer)
    evil = (
        "[" * 30_000,
        json.dumps({"online": EVIL}),
        b"\xff\xfe",
        '{"online": NaN}',
        '{"online": 1e999}',
        '{"online": 3}',
    )
    async with server(saying_first(*evil)) as port:
        value = await probe_of(web, port, gauge="/online").probe()
    assert dict(value.facts)["/online"] == "3"


async def test_through_tls(web: Web) -> None:
    with scratch("ws-tls") as folder:
        make_certificates(folder, days=20)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        async with server(ssl=context) as port:
            url = f"wss://127.0.0.1:{port}/"
            value = await probe_of(web, port, url=url, ca_file=str(folder / "ca.pem")).probe()
            stranger = await trouble_of(probe_of(web, port, url=url))
    assert value.health is Health.OK
    assert isinstance(stranger, NoAnswer) and stranger.cause is Cause.TLS


async def test_a_closed_port_is_down_and_a_slow_pong_degraded(web: Web) -> None:
    port = free_port()
    gone: ProbeValue = await probe_of(web, port).probe()
    assert (gone.health, gone.detail) == (Health.DOWN, f"connection refused by 127.0.0.1:{port}")
    async with server() as port:
        slow = await probe_of(web, port, latency_limit="0.001ms").probe()
    assert slow.health is Health.DEGRADED
    assert slow.detail.startswith("slow: ")


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ('{"a": 1.5}', 1.5),
        ('{"a": true}', None),
        ('{"a": "1"}', None),
        ("nothing", None),
        ('{"b": 1}', None),
        (b"1", None),
    ],
)
def test_only_a_number_is_a_gauge(message: str | bytes, number: float | None) -> None:
    assert read_gauge(message, "/a") == number


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://x"},
        {"url": "ws://"},
        {"url": "ws://u:hunter2@x"},
        {"url": "ws://x/#a"},
        {"token": "hunter2"},
        {"headers": {"Authorization": "Bearer hunter2"}},
        {"subprotocols": ["a b"]},
        {"gauge": "online"},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems) as caught:
        written(WebSocketProbeSettings, {"url": "ws://x", **wrong})
    assert "hunter2" not in str(caught.value)
