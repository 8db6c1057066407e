"""New issues in Sentry, against a double built from its documentation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, Throttled
from cockpit.adapters.http import Web
from cockpit.adapters.probes.sentry import SentryProbe, SentrySettings, build
from cockpit.core.model import Fault, Health, ProbeValue
from tests.adapters.probes.hostile import EVIL, TOKEN, TROUBLES, assert_harmless, mutated
from tests.adapters.probes.rig import NOW, the_token
from tests.adapters.probes.scripted import Reply, Request, as_json, as_text, scripted
from tests.adapters.probes.sentry_double import Sentry
from tests.tables import written

MINUTE = timedelta(minutes=1)


def probe(web: Web, url: str, timeout_s: float = 5.0, **more: Any) -> SentryProbe:
    table = {"organization": "shop", "url": url, "token": {"env": "X"}, **more}
    return build(written(SentrySettings, table), web, the_token, timeout_s)


async def ask(web: Web, answer: Any, timeout_s: float = 5.0, **more: Any) -> ProbeValue | AdapterError:
    async with scripted(answer) as server:
        try:
            return await probe(web, server.url, timeout_s, **more).probe()
        except AdapterError as error:
            return error


async def health(web: Web, sentry: Sentry, **more: Any) -> tuple[Health, str]:
    value = await ask(web, sentry, **more)
    assert isinstance(value, ProbeValue), value
    return value.health, value.detail


async def test_nothing_new_is_ok_and_what_was_accepted_is_told(web: Web) -> None:
    value = await ask(web, Sentry(TOKEN))
    assert isinstance(value, ProbeValue)
    assert (value.health, value.detail) == (Health.OK, "no new issue")
    assert value.facts == (("new issues", "0"), ("errors accepted", "12 in the last hour"))


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("fatal", Health.DOWN),
        ("error", Health.DOWN),
        ("warning", Health.DEGRADED),
        ("info", Health.OK),
        ("debug", Health.OK),
    ],
)
async def test_the_level_of_a_new_issue_decides(web: Web, level: str, expected: Health) -> None:
    sentry = Sentry(TOKEN)
    sentry.seen(level, NOW - MINUTE)
    assert (await health(web, sentry))[0] is expected


async def test_what_was_seen_before_is_not_new(web: Web) -> None:
    sentry = Sentry(TOKEN)
    sentry.seen("error", NOW - 90 * MINUTE)
    assert (await health(web, sentry))[0] is Health.OK
    assert (await health(web, sentry, new_within="2h"))[0] is Health.DOWN


async def test_the_gravest_comes_first_and_the_rest_is_counted(web: Web) -> None:
    sentry = Sentry(TOKEN)
    for level in ("fatal", "warning", "error"):
        sentry.seen(level, NOW - MINUTE)
    assert await health(web, sentry) == (Health.DOWN, "new: SHOP-1 and 1 more: Error: it broke 1 times")


async def test_environment_and_search_narrow_what_counts(web: Web) -> None:
    sentry = Sentry(TOKEN)
    sentry.seen("error", NOW - MINUTE, environment="staging")
    assert (await health(web, sentry, environment="production", query="backend:convex"))[0] is Health.OK
    assert any(each.get("query", "").endswith(" backend:convex") for each in sentry.asked)
    assert (await health(web, sentry))[0] is Health.DOWN


async def test_an_issue_with_too_few_events_does_not_count(web: Web) -> None:
    sentry = Sentry(TOKEN)
    sentry.seen("error", NOW - MINUTE, count=9)
    assert (await health(web, sentry, min_events=10))[0] is Health.OK
    assert (await health(web, sentry, min_events=9))[0] is Health.DOWN


async def test_dropped_errors_make_silence_unknown_and_an_issue_still_counts(web: Web) -> None:
    sentry = Sentry(TOKEN, outcomes={"accepted": 5, "rate_limited": 7})
    assert await health(web, sentry) == (Health.UNKNOWN, "Sentry dropped 7 errors: silence means nothing")
    sentry.seen("error", NOW - MINUTE)
    assert (await health(web, sentry))[0] is Health.DOWN


async def test_a_list_that_goes_on_is_not_taken_for_the_whole(web: Web) -> None:
    sentry = Sentry(TOKEN)
    for _ in range(101):
        sentry.seen("info", NOW - MINUTE)
    state, detail = await health(web, sentry)
    assert (state, detail) == (Health.UNKNOWN, "more than 100 new issues, not all of them were read")


async def test_a_wrong_token_or_organization_is_unknown(web: Web) -> None:
    error = await ask(web, Sentry("another"))
    assert isinstance(error, RefusedByService) and error.failure.fault is Fault.CREDENTIAL
    assert "Invalid token" in error.failure.detail
    error = await ask(web, Sentry(TOKEN), organization="nobody")
    assert isinstance(error, RefusedByService) and error.status == 404


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"x-sentry-rate-limit-reset": str(int(NOW.timestamp()) + 30)}, 30),
        ({"x-sentry-rate-limit-reset": str(int(NOW.timestamp()) - 30)}, 0),
        ({"x-sentry-rate-limit-reset": "9" * 40}, None),
        ({"x-sentry-rate-limit-reset": "soon"}, None),
        ({"x-sentry-rate-limit-reset": "5", "retry-after": "7"}, 7),
        ({}, None),
    ],
)
async def test_the_wait_is_until_the_window_ends(
    web: Web, headers: dict[str, str], wait_s: float | None
) -> None:
    reply = Reply(status=429, headers={"date": "Fri, 20 Nov 2026 12:00:00 GMT", **headers})
    error = await ask(web, lambda request: reply)
    assert isinstance(error, Throttled)
    assert error.failure.retry_after_s == wait_s


@pytest.mark.parametrize("case", TROUBLES)
async def test_trouble_is_harmless_and_never_ok(web: Web, case: str) -> None:
    result = await ask(web, lambda request: TROUBLES[case], 0.3)
    assert isinstance(result, AdapterError)
    assert_harmless(result)


@pytest.mark.parametrize(
    ("issues", "stats"),
    [
        ({}, {"groups": []}),
        ([7], {"groups": []}),
        ([{"title": "x"}], {"groups": []}),
        ([{"level": "info", "count": "many"}], {"groups": []}),
        ([], []),
        ([], {"groups": [7]}),
        ([], {"groups": [{"by": {}, "totals": {}}]}),
        ([], {"groups": [{"by": {"outcome": "accepted"}, "totals": {"sum(quantity)": None}}]}),
    ],
)
async def test_what_is_no_answer_of_sentrys_is_unknown(web: Web, issues: Any, stats: Any) -> None:
    def answer(request: Request) -> Reply:
        return as_json(issues if "/issues/" in request.path else stats)

    assert isinstance(await ask(web, answer), BrokenAnswer)


@pytest.mark.parametrize("seed", range(40))
async def test_a_damaged_answer_is_a_value_or_an_error(web: Web, seed: int) -> None:
    issues = [{"shortId": EVIL, "title": EVIL, "level": "error", "count": "3"}]
    stats = {"groups": [{"by": {"outcome": "accepted"}, "totals": {"sum(quantity)": 3}}]}

    def answer(request: Request) -> Reply:
        return as_json(mutated(issues if "/issues/" in request.path else stats, seed))

    assert_harmless(await ask(web, answer))


async def test_half_an_answer_is_none(web: Web) -> None:
    def answer(request: Request) -> Reply:
        return as_json([]) if "/issues/" in request.path else as_text("no", 500)

    assert isinstance(await ask(web, answer), AdapterError)


async def test_what_was_dropped_is_asked_for_as_long_as_an_issue_is_new(web: Web) -> None:
    """Errors dropped five hours ago would leave a list of the last day empty as well."""
    sentry = Sentry(TOKEN)
    await ask(web, sentry, new_within="5h30m")
    assert [each["statsPeriod"] for each in sentry.asked if "statsPeriod" in each] == ["6h"]
