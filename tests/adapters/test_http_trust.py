"""Where a credential goes and what is said about it: redirects, secrets, proxies, authorities."""

from __future__ import annotations

import pytest

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, Unreachable
from cockpit.adapters.http import Cause, NoAnswer, Web
from cockpit.adapters.leaving import only_while_wanted
from cockpit.core.model import Fault
from cockpit.core.secret import Secret
from tests.adapters.http_rig import SECRET, TOKEN, always, everything_said, in_turn, serving
from tests.adapters.probes.scripted import Hang, Reply, Request, Reset, Step, as_json, as_text, scripted


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


@pytest.mark.parametrize("swapped", [False, True])
async def test_of_a_secret_that_begins_like_another_nothing_stays(web: Web, swapped: bool) -> None:
    tokens = [f"{TOKEN[:8]}{'-and-more' * length}" for length in range(4)]
    said = {f"X-Key-{number}": Secret(token) for number, token in enumerate(sorted(tokens, reverse=swapped))}
    async with scripted(always(as_text(" ".join(tokens)))) as server:
        answer = await web.host(server.url, headers=said).get("/x")
    assert b"more" not in answer.body


async def test_an_echoed_secret_is_blanked(web: Web) -> None:
    def echo(request: Request) -> Step:
        return as_json({"message": f"bad token {request.headers['authorization']}"}, 401)

    async with serving(web, echo) as (host, _):
        given = await host.get("/")
    assert TOKEN not in given.text()
    assert TOKEN not in str(given.json())
    assert TOKEN not in repr(given)
    assert TOKEN not in everything_said(given.as_error())


@pytest.mark.parametrize("form", ['ab\\"cd/ef+gh', 'ab\\"cd\\/ef+gh'], ids=["json", "php"])
async def test_no_escape_brings_an_echoed_secret_back(web: Web, form: str) -> None:
    body = f'{{"message": "bad token {form}"}}'.encode()
    async with scripted(always(Reply(body=body, status=401))) as server:
        host = web.host(server.url, headers={"Authorization": Secret('Bearer ab"cd/ef+gh')})
        given = await host.get("/")
    assert given.json() == {"message": "bad token [secret]"}


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


async def test_a_proxy_of_the_environment_is_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(always(as_json({"via": "proxy"}))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        assert (await web.host("http://flags.invalid").get("/x")).json() == {"via": "proxy"}
    assert proxy.requests[0].path == "http://flags.invalid/x"


async def test_a_write_that_is_not_wanted_any_more_does_not_leave_for_a_proxy(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(always(as_json({"via": "proxy"}))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        host = web.host("http://flags.invalid")
        with only_while_wanted(lambda: "stood still"), pytest.raises(Unreachable) as caught:
            await host.write("POST", "/off")
        assert not caught.value.sent
        assert (await host.write("POST", "/next")).status == 200
    assert [request.path for request in proxy.requests] == ["http://flags.invalid/next"]


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
