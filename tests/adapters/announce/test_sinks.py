"""Slack, PagerDuty and Grafana against doubles built from their documentation."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from cockpit.adapters.base import (
    AdapterError,
    Announcement,
    Announcer,
    BrokenAnswer,
    RefusedByService,
    ServiceTrouble,
    Throttled,
    Unreachable,
)
from cockpit.adapters.http import Web
from cockpit.adapters.table import ANNOUNCERS
from cockpit.core.model import Fault
from cockpit.core.secret import Secret, SecretRef
from cockpit.core.spec import HookMoment
from tests.adapters.announce.doubles import Grafana, PagerDuty, Slack
from tests.adapters.announce.test_webhook import NEWS
from tests.adapters.probes.hostile import EVIL, TOKEN, TROUBLES, assert_harmless
from tests.adapters.probes.scripted import (
    Handler,
    Hang,
    Reply,
    Reset,
    Scripted,
    Step,
    as_json,
    as_text,
    scripted,
)
from tests.tables import written

PATH = "/services/T000/B000/kjh3-SECRET-PATH-wxyz"
MOMENTS = tuple(HookMoment)
ROLLBACK = replace(NEWS, facts={"rollback": "r-7f3a", "flags": "courses"})


def at(moment: HookMoment) -> Announcement:
    return replace(ROLLBACK, moment=moment.value, event_id=f"r-7f3a:{moment}:x")


def make(web: Web, kind: str, url: str, timeout_s: float = 5.0, **more: Any) -> Announcer:
    """An announcer of this kind that sends to `url`."""
    found = ANNOUNCERS[kind]
    tables: dict[str, Mapping[str, object]] = {
        "slack": {"url": {"env": "URL"}},
        "pagerduty": {"url": url, "routing_key": {"env": "TOKEN"}},
        "grafana": {"url": f"{url}/grafana", "token": {"env": "TOKEN"}},
    }
    secrets = {"URL": Secret(url + PATH), "TOKEN": Secret(TOKEN)}

    def secret(reference: SecretRef) -> Secret:
        return secrets[reference.env or ""]

    return found.build(written(found.settings, {**tables[kind], **more}), web, secret, timeout_s)


async def outcome(announcer: Announcer, news: Announcement = ROLLBACK) -> str | AdapterError:
    try:
        return await announcer.announce(news)
    except AdapterError as error:
        return error


@asynccontextmanager
async def told(
    web: Web, kind: str, double: Handler, *moments: HookMoment, **more: Any
) -> AsyncIterator[tuple[Scripted, list[str | AdapterError]]]:
    """The outcome of every moment, announced to a double of `kind`."""
    async with scripted(double) as server:
        announcer = make(web, kind, server.url, **more)
        yield server, [await outcome(announcer, at(moment)) for moment in moments]


# --- Slack ------------------------------------------------------------------------------------------


async def test_slack_shows_every_moment_with_its_event_id(web: Web) -> None:
    slack = Slack(PATH)
    async with told(web, "slack", slack, *MOMENTS) as (server, receipts):
        assert receipts == [f"Slack took it at 127.0.0.1:{server.port}/…wxyz"] * len(MOMENTS)
    for moment, post in zip(MOMENTS, slack.posts, strict=True):
        assert f"r-7f3a:{moment}:x" in post["text"]
        assert f"r-7f3a:{moment}:x" in str(post["blocks"])


async def test_nothing_in_a_message_calls_anybody(web: Web) -> None:
    slack = Slack(PATH)
    news = replace(ROLLBACK, title="<!channel> & <@U1>", text="<https://evil|click>", actor="<!here>")
    async with scripted(slack) as server:
        await make(web, "slack", server.url).announce(news)
    assert slack.mentions() == []
    assert "&lt;!channel&gt; &amp; &lt;@U1&gt;" in slack.posts[0]["text"]


async def test_an_endless_text_fits_into_slacks_blocks(web: Web) -> None:
    slack = Slack(PATH)
    async with scripted(slack) as server:
        await make(web, "slack", server.url).announce(replace(ROLLBACK, title="<" * 9000, text="&" * 9000))
    assert len(slack.posts) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (
            as_text("channel_is_archived", 410),
            RefusedByService,
            "channel_is_archived, its channel is archived",
        ),
        (as_text("invalid_token", 403), RefusedByService, "invalid_token"),
        (as_text("no_service", 404), RefusedByService, "removed or switched off"),
        (as_text("rollup_error", 500), ServiceTrouble, "rollup_error"),
        (as_text("slow down", 429), Throttled, "asks to wait"),
        (as_text("OK, logged in"), BrokenAnswer, "without its ok"),
        (as_json({"ok": True}), BrokenAnswer, "without its ok"),
        (as_text("<html>Sign in</html>", 200, "text/html"), BrokenAnswer, "without its ok"),
    ],
)
async def test_what_slack_does_not_take_says_why(
    web: Web, reply: Reply, kind: type[AdapterError], words: str
) -> None:
    async with told(web, "slack", lambda request: reply, HookMoment.DECLARED) as (_, (error,)):
        assert isinstance(error, kind)
        assert words in error.failure.title


async def test_words_that_slack_is_not_known_to_say_are_not_repeated(web: Web) -> None:
    reply = as_text(f"no hook at {PATH}", 404)
    async with told(web, "slack", lambda request: reply, HookMoment.DECLARED) as (_, (error,)):
        assert_harmless(error, "SECRET-PATH")


# --- PagerDuty --------------------------------------------------------------------------------------


async def test_only_a_declared_rollback_pages_and_its_end_resolves_it(web: Web) -> None:
    pager = PagerDuty(TOKEN)
    moments = (HookMoment.STAGE, HookMoment.DECLARED, HookMoment.FLIPPED, HookMoment.CLOSED)
    async with told(web, "pagerduty", pager, *moments, severity="error") as (_, receipts):
        assert all(isinstance(each, str) for each in receipts)
    assert pager.alerts == {"cutover-r-7f3a": "resolved"}
    assert [each["custom_details"]["moment"] for each in pager.changes] == ["stage", "flipped"]
    assert pager.events[0]["payload"]["severity"] == "error"


async def test_a_cancelled_rollback_pages_nobody_any_longer(web: Web) -> None:
    pager = PagerDuty(TOKEN)
    async with told(web, "pagerduty", pager, HookMoment.DECLARED, HookMoment.CANCELLED):
        assert pager.alerts == {"cutover-r-7f3a": "resolved"}


async def test_a_second_try_updates_the_same_alert(web: Web) -> None:
    pager = PagerDuty(TOKEN)
    async with told(web, "pagerduty", pager, HookMoment.DECLARED, HookMoment.DECLARED):
        assert pager.alerts == {"cutover-r-7f3a": "triggered"}


async def test_another_key_is_refused_and_is_not_shown(web: Web) -> None:
    async with told(web, "pagerduty", PagerDuty("x" * 32), HookMoment.DECLARED) as (_, (error,)):
        assert isinstance(error, RefusedByService)
        assert "'routing_key' [secret] is invalid" in error.failure.title
        assert_harmless(error)


async def test_an_alert_under_another_name_is_no_success(web: Web) -> None:
    reply = as_json({"status": "success", "dedup_key": "somebody-elses"}, 202)
    async with told(web, "pagerduty", lambda request: reply, HookMoment.DECLARED) as (_, (error,)):
        assert isinstance(error, BrokenAnswer)
        assert "resolve that one by hand" in error.failure.title


async def test_pagerduty_has_a_house_in_europe(web: Web) -> None:
    kind = ANNOUNCERS["pagerduty"]
    table = {"routing_key": {"env": "TOKEN"}, "region": "eu", "ca_file": "/no/such/authority.pem"}
    announcer = kind.build(written(kind.settings, table), web, lambda reference: Secret(TOKEN), 5.0)
    error = await outcome(announcer)
    assert isinstance(error, AdapterError) and not error.sent, "nothing leaves without an authority"


# --- Grafana ----------------------------------------------------------------------------------------


async def test_grafana_marks_every_moment_where_the_tag_is_asked_for(web: Web) -> None:
    grafana = Grafana(TOKEN)
    async with told(web, "grafana", grafana, *MOMENTS, tags=["night"], dashboard_uid="abc") as (_, receipts):
        assert receipts[0] == "annotation 1124"
    assert len(grafana.seen("night")) == len(grafana.seen("production")) == len(MOMENTS)
    assert len(grafana.seen("declared")) == 1
    first = grafana.annotations[0]
    assert (first["time"], first["dashboardUID"]) == (1795176000000, "abc")
    assert "r-7f3a:stage:x" in first["text"]


async def test_a_token_that_may_not_write_is_told_apart_from_a_wrong_one(web: Web) -> None:
    async with told(web, "grafana", Grafana(TOKEN, may_write=False), HookMoment.STAGE) as (_, (error,)):
        assert isinstance(error, RefusedByService) and error.failure.fault is Fault.CREDENTIAL
        assert "additional permissions" in error.failure.title
    async with told(web, "grafana", Grafana("another"), HookMoment.STAGE) as (_, (error,)):
        assert isinstance(error, RefusedByService) and error.status == 401


@pytest.mark.parametrize("body", [{}, {"id": True}, {"id": "7"}, [], {"message": "Annotation added"}])
async def test_an_answer_without_an_id_is_no_annotation(web: Web, body: Any) -> None:
    async with told(web, "grafana", lambda request: as_json(body), HookMoment.STAGE) as (_, (error,)):
        assert isinstance(error, BrokenAnswer)
        assert not error.failure.retryable or error.failure.fault is Fault.PLAN


# --- all of them ------------------------------------------------------------------------------------

KINDS = ("slack", "pagerduty", "grafana")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", TROUBLES)
async def test_trouble_is_harmless_and_shows_no_secret(
    web: Web, kind: str, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with scripted(lambda request: TROUBLES[case]) as server:
        result = await outcome(make(web, kind, server.url, 0.3))
    assert isinstance(result, AdapterError), "none of these is a success"
    assert_harmless(result, "SECRET-PATH")
    assert TOKEN not in caplog.text and "SECRET-PATH" not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "echo", [lambda text: as_text(text, 400), lambda text: as_json({"message": text}, 403)]
)
async def test_a_sink_that_repeats_what_it_was_sent_shows_no_secret(
    web: Web, kind: str, echo: Callable[[str], Reply]
) -> None:
    credential = PATH if kind == "slack" else f"Bearer {TOKEN} {TOKEN}"
    said = f"{credential} {EVIL}".encode("utf-8", "replace").decode()
    async with scripted(lambda request: echo(said)) as server:
        assert_harmless(await outcome(make(web, kind, server.url)), "SECRET-PATH")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [Hang(), Reset()])
async def test_silence_is_tried_again_and_may_have_been_heard(web: Web, kind: str, step: Step) -> None:
    async with scripted(lambda request: step) as server:
        error = await outcome(make(web, kind, server.url, 0.3))
        assert len(server.requests) == 1, "an announcer sends once"
    assert isinstance(error, Unreachable) and error.sent and error.failure.retryable


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_the_wait_that_a_sink_asks_for_is_passed_on(web: Web, kind: str, status: int) -> None:
    reply = Reply(status=status, headers={"retry-after": "3"})
    async with scripted(lambda request: reply) as server:
        error = await outcome(make(web, kind, server.url))
    assert isinstance(error, AdapterError)
    assert (error.failure.retryable, error.failure.retry_after_s) == (True, 3)
    assert error.failure.fault is Fault.SERVICE


@pytest.mark.parametrize("kind", KINDS)
async def test_an_announcement_is_not_carried_elsewhere(web: Web, kind: str) -> None:
    reply = Reply(status=302, headers={"location": "https://elsewhere.example/"})
    async with scripted(lambda request: reply) as server:
        error = await outcome(make(web, kind, server.url))
    assert isinstance(error, RefusedByService) and not error.failure.retryable
