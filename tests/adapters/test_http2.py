"""HTTP/2: one connection for all, requests that end by themselves, and writes whose outcome stays true."""

from __future__ import annotations

import asyncio

import pytest
from h2.settings import SettingCodes

from cockpit.adapters import http2
from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http import HttpHost, Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.core.secret import Secret
from tests.adapters.flags.crew import until
from tests.adapters.http2_rig import Asked, Http2Server, Identity, http2_server, identity

REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0x7, 0x8, 0xB
WINDOW = SettingCodes.INITIAL_WINDOW_SIZE
TOKEN = "tok-7f3a9c51d2e84b60"


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return identity(tmp_path_factory.mktemp("identity"))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no test turns to HTTP/1.1 because a handshake took its time."""
    monkeypatch.setattr(http2, "LONGEST_WAIT_S", 60.0)
    monkeypatch.setattr(http2, "SHARE_OF_WAIT", 1.0)


def lever(
    web: Web, server: Http2Server, mine: Identity, *, timeout_s: float = 30.0, max_body: int = 2_000_000
) -> HttpHost:
    return web.host(
        server.url,
        headers={"Authorization": Secret(TOKEN), "X-Team": "ops"},
        ca_file=mine.ca_file,
        timeout_s=timeout_s,
        max_body=max_body,
        lever=True,
    )


def answered(asked: Asked) -> None:
    asked.answer(b'{"ok": 1}')


def unanswered(asked: Asked) -> None:
    """Somebody else says what becomes of it."""


async def test_all_at_once_take_one_connection(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=unanswered)) as server:
        host = lever(web, server, mine)
        writing = [asyncio.create_task(host.write("POST", f"/{n}/off", json={"n": n})) for n in range(20)]
        await until(lambda: sum(asked.whole for asked in server.requests) == 20)
        for asked in reversed(server.requests):
            asked.answer(bytes(asked.body))
        answers = await asyncio.gather(*writing)
        assert [answer.json() for answer in answers] == [{"n": n} for n in range(20)]
        assert {answer.spoken for answer in answers} == {"HTTP/2"}
        assert answers[0].certificate_ends_at is not None
        assert len(server.speakers) == 1
        asked = server.requests[0]
        assert asked.headers[":authority"] == f"127.0.0.1:{server.port}"
        assert (asked.headers["authorization"], asked.headers["x-team"]) == (TOKEN, "ops")
        assert asked.headers["content-length"] == str(len(asked.body))
        assert not {"host", "connection", "transfer-encoding"} & set(asked.headers)


async def test_a_read_that_hangs_ends_alone_and_the_server_is_told(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=unanswered)) as server:
        hanging, host = lever(web, server, mine, timeout_s=2.0), lever(web, server, mine)
        slow = asyncio.create_task(host.get("/slow"))
        await until(lambda: len(server.requests) == 1)
        with pytest.raises(NoAnswer) as caught:
            await hanging.get("/hangs")
        assert (caught.value.cause, caught.value.sent) == (Cause.TIMEOUT, True)
        assert "no answer from" in caught.value.failure.title
        await until(lambda: server.requests[1].given_up)
        server.requests[0].answer(b"7")
        assert (await slow).json() == 7


async def test_a_server_that_is_silent_is_asked_over_another_connection_next(
    web: Web, mine: Identity
) -> None:
    async with http2_server(mine, Http2Server(handler=unanswered)) as server:
        opening = asyncio.create_task(lever(web, server, mine).get("/"))
        await until(lambda: len(server.requests) == 1)
        server.requests[0].answer()
        await opening
        with pytest.raises(NoAnswer):
            await lever(web, server, mine, timeout_s=2.0).get("/hangs")
        server.handler = answered
        assert (await lever(web, server, mine).get("/")).spoken == "HTTP/2"
        assert len(server.speakers) == 2
        await until(lambda: server.speakers[0].gone)


@pytest.mark.parametrize("code", [REFUSED_STREAM, CANCEL, 0])
async def test_a_write_that_is_reset_is_unknown_and_never_sent_again(
    web: Web, mine: Identity, code: int
) -> None:
    async with http2_server(mine, Http2Server(handler=lambda asked: asked.reset(code))) as server:
        with pytest.raises(NoAnswer) as caught:
            await lever(web, server, mine).write("POST", "/off")
        assert (caught.value.cause, caught.value.sent) == (Cause.RESET, True)
        assert caught.value.failure.title.endswith("broke off before an answer")
        assert server.seen() == ["POST /off"]


async def test_a_write_that_goaway_leaves_out_is_unknown_and_never_sent_again(
    web: Web, mine: Identity
) -> None:
    """A server may say that it has not begun. A cockpit reads back instead of believing it."""

    def leaving(asked: Asked) -> None:
        asked.speaker.goaway(last=0)

    async with http2_server(mine, Http2Server(handler=leaving)) as server:
        with pytest.raises(NoAnswer) as caught:
            await lever(web, server, mine).write("POST", "/off")
        assert (caught.value.cause, caught.value.sent) == (Cause.RESET, True)
        assert server.seen() == ["POST /off"]


async def test_a_read_that_goaway_leaves_out_is_asked_again(web: Web, mine: Identity) -> None:
    def leaving(asked: Asked) -> None:
        asked.speaker.goaway(last=0) if len(server.speakers) == 1 else asked.answer()

    async with http2_server(mine, Http2Server(handler=leaving)) as server:
        assert (await lever(web, server, mine).get("/")).status == 200
        assert (len(server.speakers), server.seen()) == (2, ["GET /", "GET /"])


async def test_what_was_begun_before_goaway_is_answered(web: Web, mine: Identity) -> None:
    """nginx says goodbye when it is reloaded, and ends what it has begun."""
    async with http2_server(mine, Http2Server(handler=unanswered)) as server:
        host = lever(web, server, mine)
        writing = asyncio.create_task(host.write("POST", "/off"))
        await until(lambda: len(server.requests) == 1)
        server.speakers[0].goaway(last=1)
        server.handler = answered
        assert (await host.get("/")).status == 200
        assert len(server.speakers) == 2
        server.requests[0].answer(b'"off"')
        assert (await writing).json() == "off"
        await until(lambda: server.speakers[0].gone)


async def test_a_connection_that_is_lost_leaves_writes_unknown(web: Web, mine: Identity) -> None:
    def lose(asked: Asked) -> None:
        if len(server.requests) == 3:
            asked.speaker.transport.abort()

    async with http2_server(mine, Http2Server(handler=lose)) as server:
        host = lever(web, server, mine)
        outcomes = await asyncio.gather(
            *(host.write("POST", f"/{n}") for n in range(3)), return_exceptions=True
        )
        for outcome in outcomes:
            assert isinstance(outcome, NoAnswer)
            assert (outcome.cause, outcome.sent) == (Cause.RESET, True)
            assert "closed the connection without an answer" in outcome.failure.title
        assert sorted(server.seen()) == ["POST /0", "POST /1", "POST /2"]


async def test_an_answer_that_is_cut_short_is_none(web: Web, mine: Identity) -> None:
    def cut(asked: Asked) -> None:
        asked.head()
        asked.say(b'{"half', end=False)
        asked.reset(CANCEL)

    async with http2_server(mine, Http2Server(handler=cut)) as server:
        with pytest.raises(BrokenAnswer, match="was cut short"):
            await lever(web, server, mine).write("POST", "/off")


async def test_a_body_without_end_is_given_up_and_others_go_on(web: Web, mine: Identity) -> None:
    def endless(asked: Asked) -> None:
        asked.head(end=False)
        while asked.speaker.h2.local_flow_control_window(asked.number) >= 16_384:
            asked.say(bytes(16_384), end=False)

    async with http2_server(mine, Http2Server(handler=endless)) as server:
        host = lever(web, server, mine, max_body=100_000)
        for _ in range(20):
            with pytest.raises(BrokenAnswer, match=r"larger than 0\.1 MB"):
                await host.get("/endless")
        server.handler = answered
        assert (await host.get("/")).status == 200
        assert all(asked.given_up for asked in server.requests[:20])
        assert len(server.speakers) == 1


async def test_a_request_waits_for_the_window_of_the_server(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=answered, settings={WINDOW: 0})) as server:
        body = b'"' + b"x" * 50_000 + b'"'
        writing = asyncio.create_task(lever(web, server, mine).write("PUT", "/", body=body))
        await until(lambda: len(server.requests) == 1)
        asked = server.requests[0]
        while not asked.whole:
            asked.speaker.h2.increment_flow_control_window(20_000, asked.number)
            asked.speaker.flush()
            await asyncio.sleep(0)
        assert (await writing).status == 200
        assert bytes(asked.body) == body


async def test_an_answer_before_the_request_is_out_is_taken(web: Web, mine: Identity) -> None:
    early = Http2Server(
        handler=lambda asked: asked.head(status="413", end=True), settings={WINDOW: 0}, early=True
    )
    async with http2_server(mine, early) as server:
        assert (await lever(web, server, mine).write("PUT", "/", body=b'"much"')).status == 413
        await until(lambda: server.requests[0].given_up)


async def test_informational_answers_and_trailers_are_passed_over(web: Web, mine: Identity) -> None:
    def wordy(asked: Asked) -> None:
        for _ in range(3):
            asked.head(("link", "</style.css>"), status="103")
        asked.head(("X-Odd".lower(), "\u202eevil"))
        asked.say(b"[1]", end=False)
        asked.speaker.h2.send_headers(asked.number, [("x-checksum", "7")], end_stream=True)
        asked.speaker.flush()

    async with http2_server(mine, Http2Server(handler=wordy)) as server:
        answer = await lever(web, server, mine).get("/")
        assert (answer.status, answer.json()) == (200, [1])
        assert "\u202e" not in answer.headers["x-odd"]
        assert "x-checksum" not in answer.headers


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda speaker: speaker.raw(0, b"x", stream=9), id="data nobody asked for"),
        pytest.param(lambda speaker: speaker.raw(0, bytes(16_385), stream=1), id="too long a frame"),
        pytest.param(lambda speaker: speaker.raw(1, b"\xff" * 9, flags=4, stream=1), id="no packed headers"),
        pytest.param(lambda speaker: speaker.raw(5, bytes(4), flags=4, stream=1), id="a push"),
        pytest.param(lambda speaker: speaker.raw(7, bytes(3)), id="half a goodbye"),
        pytest.param(lambda speaker: speaker.transport.write(b"HTTP/1.1 200 OK\r\n\r\n"), id="HTTP/1.1"),
    ],
)
async def test_who_breaks_the_rules_is_not_believed(web: Web, mine: Identity, wrong: object) -> None:
    assert callable(wrong)
    async with http2_server(mine, Http2Server(handler=lambda asked: wrong(asked.speaker))) as server:
        with pytest.raises(NoAnswer) as caught:
            await lever(web, server, mine).write("POST", "/off")
        assert (caught.value.cause, caught.value.sent) == (Cause.RESET, True)
        assert server.seen() == ["POST /off"]
        await until(lambda: server.speakers[0].gone)


@pytest.mark.parametrize("status", ["", "20", "abc", "999"])
async def test_a_head_that_is_none_ends_its_own_request_only(web: Web, mine: Identity, status: str) -> None:
    def headless(asked: Asked) -> None:
        if asked.path == "/well":
            return asked.answer()
        block = asked.speaker.h2.encoder.encode([(":status", status), ("server", "odd")])
        return asked.speaker.raw(1, block, flags=5, stream=asked.number)

    async with http2_server(mine, Http2Server(handler=headless)) as server:
        host = lever(web, server, mine)
        with pytest.raises(BrokenAnswer) as caught:
            await host.write("POST", "/off")
        assert caught.value.sent
        assert (await host.get("/well")).status == 200
        assert len(server.speakers) == 1
