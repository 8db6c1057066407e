"""HTTP/2: one connection for all, requests that end by themselves, and writes whose outcome stays true."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters import http2
from cockpit.adapters.base import BrokenAnswer, Unreachable
from cockpit.adapters.http import HttpHost, Web
from cockpit.adapters.http2_frames import Farewell, Frames
from cockpit.adapters.http_address import Address
from cockpit.adapters.http_headers import Headers
from cockpit.adapters.http_outgoing import Outgoing
from cockpit.adapters.leaving import only_while_wanted
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.url import Url
from cockpit.core.secret import Secret
from tests.adapters.flags.crew import until
from tests.adapters.http2_rig import Asked, Http2Server, Identity, frame, http2_server, identity

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


async def acquainted(web: Web, server: Http2Server, mine: Identity) -> HttpHost:
    """Of a service that was read, as polls do: a write does not wait until it is known what is spoken."""
    host = lever(web, server, mine)
    handler, server.handler = server.handler, answered
    await host.get("/first")
    server.handler = handler
    server.requests.clear()
    return host


def answered(asked: Asked) -> None:
    asked.answer(b'{"ok": 1}')


def unanswered(asked: Asked) -> None:
    """Somebody else says what becomes of it."""


async def test_all_at_once_take_one_connection(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=unanswered)) as server:
        host = await acquainted(web, server, mine)
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


async def test_a_write_that_is_not_wanted_any_more_does_not_leave_and_disturbs_no_other(
    web: Web, mine: Identity
) -> None:
    async with http2_server(mine, Http2Server(handler=answered)) as server:
        host = await acquainted(web, server, mine)
        with only_while_wanted(lambda: "stood still"), pytest.raises(Unreachable) as caught:
            await host.write("POST", "/off", json={"n": 1})
        assert not caught.value.sent
        assert (await host.write("POST", "/next", json={"n": 2})).status == 200
        assert [asked.path for asked in server.requests] == ["/next"]
        assert len(server.speakers) == 1, "the connection is as good as before"


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
            await (await acquainted(web, server, mine)).write("POST", "/off")
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
            await (await acquainted(web, server, mine)).write("POST", "/off")
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
        host = await acquainted(web, server, mine)
        writing = asyncio.create_task(host.write("POST", "/off"))
        await until(lambda: len(server.requests) == 1)
        server.speakers[0].goaway(last=server.requests[0].number)
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
        host = await acquainted(web, server, mine)
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
            await (await acquainted(web, server, mine)).write("POST", "/off")


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
        writing = asyncio.create_task((await acquainted(web, server, mine)).write("PUT", "/", body=body))
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
        assert (await (await acquainted(web, server, mine)).write("PUT", "/", body=b'"much"')).status == 413
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
            await (await acquainted(web, server, mine)).write("POST", "/off")
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
        host = await acquainted(web, server, mine)
        with pytest.raises(BrokenAnswer) as caught:
            await host.write("POST", "/off")
        assert caught.value.sent
        assert (await host.get("/well")).status == 200
        assert len(server.speakers) == 1


async def test_a_write_uses_no_connection_that_was_silent(web: Web, mine: Identity) -> None:
    """What was heard of less than two seconds ago is not about to be closed; of the rest nobody knows."""
    async with http2_server(mine, Http2Server(handler=answered)) as server:
        host = await acquainted(web, server, mine)
        spoken = spoken_by(host)
        spoken._connections[0].heard_at -= 3.0
        await host.get("/read")
        assert len(server.speakers) == 1
        spoken._connections[0].heard_at -= 3.0
        await asyncio.gather(*(host.write("POST", f"/{n}") for n in range(5)))
        assert len(server.speakers) == 2
        await until(lambda: server.speakers[0].gone)
        spoken._connections[-1].heard_at -= 11.0
        await host.get("/read")
        assert len(server.speakers) == 3


async def test_a_goodbye_that_has_arrived_is_heard_before_a_write_leaves(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=answered)) as server:
        host = await acquainted(web, server, mine)
        server.speakers[0].goaway(last=1)
        assert (await host.write("POST", "/off")).spoken == "HTTP/2"
        assert len(server.speakers) == 2
        assert server.seen() == ["POST /off"]


async def test_who_says_nothing_after_the_handshake_holds_nobody_up(
    web: Web, mine: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http2, "LONGEST_WAIT_S", 0.05)
    async with http2_server(mine, Http2Server(handler=answered, mute=True)) as server:
        assert await asked_over(web, server, mine) is None
        await web.aclose()


@pytest.mark.parametrize(("exempt", "used"), [("", False), ("127.0.0.1", True)])
async def test_through_a_proxy_it_is_not_spoken(
    web: Web, mine: Identity, monkeypatch: pytest.MonkeyPatch, exempt: str, used: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", exempt)
    async with http2_server(mine, Http2Server(handler=answered)) as server:
        assert (await asked_over(web, server, mine) is not None) is used
        await web.aclose()


async def test_a_write_does_not_wait_until_it_is_known_what_is_spoken(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=answered)) as server:
        assert await asked_over(web, server, mine, asks=False) is None
        assert server.speakers == []


async def test_another_place_is_not_asked_over_it(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=answered)) as server:
        host = lever(web, server, mine)
        for url in ("https://127.0.0.1:1/", f"https://localhost:{server.port}/", "http://127.0.0.1/"):
            asked = spoken_by(host).send(
                asking(url),
                idle_s=9.0,
                left_s=9.0,
                asks=True,
                reached=lambda phase: None,
            )
            assert await asked is None
        assert server.speakers == []


def asking(url: str) -> Outgoing:
    return Outgoing("GET", Address(Url.parse(url)), Headers({}).wire(lambda said: said), b"", left_s=9.0)


def spoken_by(host: HttpHost) -> http2.Http2:
    clients = host._clients
    assert clients is not None and clients.http2 is not None
    return clients.http2


async def asked_over(web: Web, server: Http2Server, mine: Identity, *, asks: bool = True) -> int | None:
    """The status of one request over HTTP/2, None where HTTP/1.1 would have to do."""
    answer = await spoken_by(lever(web, server, mine)).send(
        asking(f"{server.url}/"),
        idle_s=9.0,
        left_s=9.0,
        asks=asks,
        reached=lambda phase: None,
    )
    return None if answer is None else answer.status


@given(
    st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=40)), max_size=8),
    st.lists(st.integers(0, 400)),
)
def test_however_frames_arrive_goodbyes_are_taken_out(sent: list[tuple[int, bytes]], cuts: list[int]) -> None:
    whole = b"".join(frame(kind, payload) for kind, payload in sent)
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    frames, passed, last = Frames(), b"", None
    for start, end in pairwise(edges):
        others, farewell = frames.take(whole[start:end])
        passed, last = passed + others, farewell or last
    goodbyes = [payload for kind, payload in sent if kind == 7 and len(payload) >= 8]
    assert passed == b"".join(frame(kind, payload) for kind, payload in sent if kind != 7 or len(payload) < 8)
    assert (last is None) == (not goodbyes)
    if goodbyes:
        assert last == Farewell(
            int.from_bytes(goodbyes[-1][:4], "big") & 0x7FFF_FFFF, int.from_bytes(goodbyes[-1][4:8], "big")
        )


async def test_who_is_closed_with_a_write_half_out_says_so(web: Web, mine: Identity) -> None:
    async with http2_server(mine, Http2Server(handler=answered, settings={WINDOW: 0})) as server:
        host = await acquainted(web, server, mine)
        writing = asyncio.create_task(host.write("PUT", "/", body=b'"half"'))
        await until(lambda: len(server.requests) == 1)
        await web.aclose()
        with pytest.raises(NoAnswer) as caught:
            await writing
        assert (caught.value.cause, caught.value.sent) == (Cause.RESET, True)
