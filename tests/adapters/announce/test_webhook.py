"""Webhooks: what is sent, what counts as delivered, and that the address stays a secret."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from cockpit.adapters.announce.settings import WebhookSettings
from cockpit.adapters.announce.webhook import WebhookAnnouncer, build
from cockpit.adapters.base import (
    AdapterError,
    Announcement,
    RefusedByService,
    ServiceTrouble,
    Throttled,
    Unreachable,
)
from cockpit.adapters.http import Web
from cockpit.core.model import Fault
from cockpit.core.secret import Secret, SecretRef
from cockpit.practice.rehome import HOOK_VARIABLE
from tests.adapters.probes.hostile import EVIL, TROUBLES, assert_harmless
from tests.adapters.probes.practice import practice
from tests.adapters.probes.rig import NOW
from tests.adapters.probes.scripted import Hang, Reply, Step, as_text, scripted
from tests.tables import written

PATH = "/services/T000/B000/kjh3-SECRET-PATH-wxyz"
KEY = "shared-throwaway-key"
NEWS = Announcement(
    event_id="5f2c0a",
    moment="declared",
    title="Rollback declared",
    text="courses: 25 % -> 0 %",
    environment="production",
    plan="LMS to Convex",
    actor="ada",
    at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    facts={"deadline": "12:15 UTC", "größe": "é"},
)


def announcer(web: Web, url: str, *, timeout_s: float = 5.0, signed: bool = True) -> WebhookAnnouncer:
    secrets = {"HOOK": Secret(url), "KEY": Secret(KEY)}

    def secret(reference: SecretRef) -> Secret:
        return secrets[reference.env or ""]

    tables = {"url": {"env": "HOOK"}, **({"secret": {"env": "KEY"}} if signed else {})}
    return build(written(WebhookSettings, tables), web, secret, timeout_s)


async def send(web: Web, reply: Step, timeout_s: float = 5.0) -> str | AdapterError:
    async with scripted(lambda request: reply) as server:
        try:
            return await announcer(web, server.url + PATH, timeout_s=timeout_s).announce(NEWS)
        except AdapterError as error:
            return error


async def test_the_body_tells_everything_once_and_the_signature_covers_it(web: Web) -> None:
    async with scripted(lambda request: as_text("ok")) as server:
        receipt = await announcer(web, f"{server.url}{PATH}?wait=true").announce(NEWS)
        (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"{PATH}?wait=true")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "schema": "cockpit.event.v1",
        "event_id": "5f2c0a",
        "moment": "declared",
        "title": "Rollback declared",
        "text": "courses: 25 % -> 0 %",
        "environment": "production",
        "plan": "LMS to Convex",
        "actor": "ada",
        "at": "2026-11-20T12:00:00+00:00",
        "facts": {"deadline": "12:15 UTC", "größe": "é"},
    }
    timestamp = request.headers["x-cutover-timestamp"]
    assert timestamp == str(int(NOW.timestamp()))
    expected = hmac.new(KEY.encode(), f"{timestamp}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["x-cutover-signature"] == f"sha256={expected}"
    assert request.headers["x-cutover-event"] == "declared"
    assert request.headers["x-cutover-delivery"] == "5f2c0a"
    assert receipt == f"200 from 127.0.0.1:{server.port}/…true"


async def test_without_a_shared_secret_nothing_is_signed(web: Web) -> None:
    async with scripted(lambda request: as_text("ok")) as server:
        await announcer(web, server.url + PATH, signed=False).announce(NEWS)
        assert "x-cutover-signature" not in server.requests[0].headers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_delivered(web: Web, status: int) -> None:
    assert isinstance(await send(web, as_text("whatever", status)), str)


REFUSALS: Mapping[str, tuple[Step, type[AdapterError], bool, Fault]] = {
    "400": (as_text("invalid_payload", 400), RefusedByService, False, Fault.PLAN),
    "401": (as_text("who", 401), RefusedByService, False, Fault.CREDENTIAL),
    "403": (as_text("invalid_token", 403), RefusedByService, False, Fault.CREDENTIAL),
    "404": (as_text("no_service", 404), RefusedByService, False, Fault.PLAN),
    "410": (as_text("channel_is_archived", 410), RefusedByService, False, Fault.PLAN),
    "a redirect": (Reply(status=302, headers={"location": "/login"}), RefusedByService, False, Fault.PLAN),
    "a redirect to nowhere": (Reply(status=302), RefusedByService, False, Fault.PLAN),
    "408": (as_text("late", 408), ServiceTrouble, True, Fault.SERVICE),
    "429": (as_text("slow", 429), Throttled, True, Fault.SERVICE),
    "500": (as_text("rollup_error", 500), ServiceTrouble, True, Fault.SERVICE),
    "503": (as_text("", 503), ServiceTrouble, True, Fault.SERVICE),
    "hang": (Hang(), Unreachable, True, Fault.SERVICE),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_what_is_not_delivered_says_whether_to_try_again(web: Web, case: str) -> None:
    reply, kind, retryable, fault = REFUSALS[case]
    error = await send(web, reply, 0.3)
    assert type(error) is kind or (isinstance(error, kind) and kind is Unreachable)
    assert isinstance(error, AdapterError)
    assert (error.failure.retryable, error.failure.fault) == (retryable, fault)


@pytest.mark.parametrize("status", [429, 503])
async def test_the_wait_that_is_asked_for_is_passed_on(web: Web, status: int) -> None:
    error = await send(web, Reply(status=status, headers={"retry-after": "7"}))
    assert isinstance(error, AdapterError)
    assert error.failure.retry_after_s == 7


async def test_a_timeout_may_have_been_delivered(web: Web) -> None:
    error = await send(web, Hang(), 0.2)
    assert isinstance(error, AdapterError) and error.sent


async def test_a_dead_receiver_has_seen_nothing(web: Web) -> None:
    async with scripted(lambda request: as_text("ok")) as server:
        dead = server.url
    with pytest.raises(Unreachable) as caught:
        await announcer(web, dead + PATH).announce(NEWS)
    assert not caught.value.sent


async def test_it_is_sent_once(web: Web) -> None:
    async with scripted(lambda request: as_text("", 503)) as server:
        with pytest.raises(ServiceTrouble):
            await announcer(web, server.url + PATH).announce(NEWS)
        assert len(server.requests) == 1


@pytest.mark.parametrize("case", TROUBLES)
async def test_neither_address_nor_key_is_in_any_text(
    web: Web, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = await send(web, TROUBLES[case], 0.3)
    assert_harmless(outcome, "SECRET-PATH", KEY)
    assert "SECRET-PATH" not in caplog.text
    assert KEY not in caplog.text


async def test_a_receiver_that_repeats_the_address_is_not_quoted(web: Web) -> None:
    for status in (200, 302, 404, 500):
        reply = Reply(
            status=status,
            body=f"no hook at {PATH} {EVIL}".encode("utf-8", "replace"),
            headers={"location": PATH},
        )
        assert_harmless(await send(web, reply), "SECRET-PATH")


@pytest.mark.parametrize(
    "url", ["", "hooks.example/abc", "ftp://x/secret", "https://u:secret@x/", "http://x y/secret", EVIL]
)
async def test_a_secret_that_is_no_address_is_refused_without_showing_it(web: Web, url: str) -> None:
    with pytest.raises(RefusedByService) as caught:
        announcer(web, url)
    assert caught.value.failure.fault is Fault.CREDENTIAL
    assert_harmless(caught.value, "secret@", "x/secret", "hooks.example")


async def test_a_short_path_shows_nothing_of_itself(web: Web) -> None:
    assert str(announcer(web, "http://127.0.0.1:9/abc").address) == "127.0.0.1:9/…"


async def test_the_practice_world_takes_it(web: Web) -> None:
    with practice() as server:
        settings = written(WebhookSettings, {"url": {"env": HOOK_VARIABLE}, "secret": {"env": "KEY"}})
        receipt = await build(settings, web, server.secret, 20.0).announce(NEWS)
        (body,) = server.hooks
    assert receipt.startswith("204 from 127.0.0.1:")
    assert json.loads(body)["event_id"] == NEWS.event_id
