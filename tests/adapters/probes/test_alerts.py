"""Alert probes against raw answers: what counts as silence, what does not, and what is hostile.

Shapes as recorded from Prometheus 2.42 and Alertmanager 0.25.
"""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.adapters.base import AdapterError, BrokenAnswer, Probe, RefusedByService, ServiceTrouble
from cockpit.adapters.http import Web
from cockpit.adapters.table import PROBES
from cockpit.core.model import Health, ProbeValue
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, TROUBLES, assert_harmless, mutated
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.scripted import HTML, Reply, Request, Step, as_json, as_text, scripted
from tests.tables import written

FIRING = {
    "labels": {"alertname": "Errors", "cutover": "abort", "instance": "a"},
    "annotations": {"summary": "new backend error rate 0.05"},
    "state": "firing",
    "activeAt": "2026-11-20T08:19:33.843348692Z",
    "value": "5e-02",
}
PENDING = {**FIRING, "state": "pending"}


def a_rule(*alerts: object, **changes: object) -> dict[str, object]:
    return {
        "state": "inactive",
        "name": "Errors",
        "query": "errors > 0",
        "duration": 3,
        "labels": {"cutover": "abort"},
        "annotations": {},
        "alerts": list(alerts),
        "health": "ok",
        "lastEvaluation": "2026-11-20T12:00:00.845522389Z",
        "type": "alerting",
        **changes,
    }


def rules(*listed: object, interval: object = 15, **envelope: object) -> dict[str, Any]:
    groups = [{"name": "cutover", "file": "rules.yml", "interval": interval, "rules": list(listed)}]
    return {"status": "success", "data": {"groups": groups}, **envelope}


def probe(web: Web, kind: str, url: str, timeout_s: float = 5.0, **more: Any) -> Probe:
    found = PROBES[kind]
    tables: dict[str, dict[str, Any]] = {
        "prometheus_alerts": {"url": url, "labels": {"cutover": "abort"}, "token": {"env": "X"}},
        "alertmanager": {
            "url": url,
            "matchers": [{"label": "team", "value": "chat"}],
            "heartbeat": "Watchdog",
            "token": {"env": "X"},
        },
    }
    settings = written(found.settings, {**tables[kind], **more})
    return found.build(settings, web, the_token, timeout_s)


async def ask(web: Web, kind: str, answer: Any, **more: Any) -> ProbeValue | AdapterError:
    def reply(request: Request) -> Step:
        said = answer(request) if callable(answer) else answer
        return as_json(said, date="Fri, 20 Nov 2026 12:00:05 GMT") if isinstance(said, dict | list) else said

    async with scripted(reply) as server:
        try:
            return await probe(web, kind, server.url, **more).probe()
        except AdapterError as error:
            return error


async def health(web: Web, body: Any, **more: Any) -> tuple[Health, str]:
    value = await ask(web, "prometheus_alerts", body, **more)
    assert isinstance(value, ProbeValue), value
    assert_harmless(value)
    return value.health, value.detail


# --- Prometheus -------------------------------------------------------------------------------------


async def test_no_alert_of_a_rule_that_works_is_ok(web: Web) -> None:
    assert await health(web, rules(a_rule())) == (Health.OK, "no alert; 1 rule could raise one")


async def test_firing_is_down_whatever_else_is_wrong(web: Web) -> None:
    broken = a_rule(name="Other", health="err", lastError="many-to-many")
    body = rules(a_rule(FIRING, PENDING, FIRING), broken, warnings=["a store is missing"])
    expected = (Health.DOWN, "Errors is firing and 1 more: new backend error rate 0.05")
    assert await health(web, body) == expected


async def test_pending_is_degraded(web: Web) -> None:
    assert (await health(web, rules(a_rule(PENDING))))[0] is Health.DEGRADED


QUIET_BUT: dict[str, tuple[dict[str, Any], str]] = {
    "no rule at all": ({"status": "success", "data": {"groups": []}}, "silence means nothing"),
    "no groups": ({"status": "success", "data": {}}, "silence means nothing"),
    "only a recording rule": (rules(a_rule(type="recording")), "silence means nothing"),
    "only rules of others": (rules(a_rule(labels={"cutover": "other"})), "silence means nothing"),
    "a broken rule": (rules(a_rule(health="err", lastError="bad")), "cannot be evaluated: bad"),
    "a broken rule beside a pending one": (
        rules(a_rule(PENDING), a_rule(health="err")),
        "cannot be evaluated",
    ),
    "a rule not evaluated yet": (rules(a_rule(health="unknown")), "not evaluated yet"),
    "a rule without a health": (rules(a_rule(health=None)), "not evaluated yet"),
    "a rule that stands still": (
        rules(a_rule(lastEvaluation="2026-11-20T11:58:00.1Z")),
        "was evaluated 125 s ago",
    ),
    "a partial answer": (rules(a_rule(), warnings=["store gateway is down"]), "store gateway is down"),
}


@pytest.mark.parametrize("case", QUIET_BUT)
async def test_silence_that_means_nothing_is_unknown(web: Web, case: str) -> None:
    body, words = QUIET_BUT[case]
    value, detail = await health(web, body)
    assert value is Health.UNKNOWN
    assert words in detail


async def test_a_slow_group_may_take_its_time(web: Web) -> None:
    body = rules(a_rule(lastEvaluation="2026-11-20T11:58:00.1Z"), interval=60)
    assert (await health(web, body))[0] is Health.OK


@pytest.mark.parametrize(
    "moment", [None, 7, "", "yesterday", "2026-11-20T12:00:00.1", "9999-12-31T23:59:59.9Z"]
)
async def test_a_time_that_cannot_be_read_accuses_nobody(web: Web, moment: object) -> None:
    assert (await health(web, rules(a_rule(lastEvaluation=moment))))[0] is Health.OK


async def test_every_rule_that_the_plan_names_must_be_there(web: Web) -> None:
    body = rules(a_rule(), a_rule(name="Slow"))
    assert (await health(web, body, alerts=["Errors", "Slow"]))[0] is Health.OK
    value, detail = await health(web, body, alerts=["Errors", "Gone"])
    assert (value, detail) == (Health.UNKNOWN, "there is no alerting rule Gone: silence means nothing")


async def test_alerts_of_rules_that_the_plan_does_not_name_do_not_count(web: Web) -> None:
    body = rules(a_rule(), a_rule(FIRING, name="Other"))
    assert (await health(web, body, alerts=["Errors"]))[0] is Health.OK
    assert (await health(web, body))[0] is Health.DOWN


async def test_a_label_that_only_the_alert_has_counts(web: Web) -> None:
    body = rules(a_rule(FIRING))
    assert (await health(web, body, labels={"instance": "a"}))[0] is Health.DOWN
    assert (await health(web, body, labels={"instance": "b"}))[0] is Health.OK


async def test_a_label_made_by_a_template_hides_no_alert(web: Web) -> None:
    made = a_rule(FIRING, labels={"cutover": "{{ $labels.kind }}"})
    assert (await health(web, rules(made)))[0] is Health.DOWN
    made["alerts"] = []
    assert (await health(web, rules(made)))[0] is Health.OK


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (as_text("Service Unavailable", 503), ServiceTrouble),
        (HTML, BrokenAnswer),
        (as_text("404 page not found", 404), RefusedByService),
        (as_json({"status": "error", "errorType": "bad_data", "error": "no"}, 400), RefusedByService),
        (as_json({"status": "success", "data": {"groups": 7}}), BrokenAnswer),
        (as_json(rules(a_rule({**FIRING, "state": "resting"}))), BrokenAnswer),
        (as_json(rules(a_rule(), interval="soon")), BrokenAnswer),
    ],
)
async def test_what_is_no_answer_is_unknown_and_not_down(
    web: Web, reply: Reply, kind: type[AdapterError]
) -> None:
    error = await ask(web, "prometheus_alerts", reply)
    assert isinstance(error, kind)
    assert_harmless(error)


# --- Alertmanager -----------------------------------------------------------------------------------

ALERT = {
    "annotations": {"summary": "new backend error rate 0.05"},
    "endsAt": "2026-11-20T08:23:46.843Z",
    "fingerprint": "a93072c49128905c",
    "receivers": [{"name": "none"}],
    "startsAt": "2026-11-20T08:19:46.843Z",
    "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"},
    "updatedAt": "2026-11-20T08:19:46.846Z",
    "labels": {"alertname": "Errors", "team": "chat"},
}
BEAT = {**ALERT, "labels": {"alertname": "Watchdog"}}


def in_state(state: object) -> dict[str, object]:
    return {**ALERT, "status": {"inhibitedBy": [], "silencedBy": [], "state": state}}


async def manager(web: Web, *alerts: object, beats: bool = True) -> ProbeValue | AdapterError:
    def answer(request: Request) -> list[object]:
        return ([BEAT] if beats else []) if "Watchdog" in request.path else list(alerts)

    return await ask(web, "alertmanager", answer)


@pytest.mark.parametrize(
    ("alerts", "beats", "health", "words"),
    [
        ([], True, Health.OK, "no alert"),
        ([], False, Health.UNKNOWN, "the heartbeat Watchdog is absent"),
        ([ALERT], False, Health.DOWN, "Errors is active"),
        ([in_state("suppressed"), ALERT, ALERT], True, Health.DOWN, "Errors is active and 1 more"),
        ([in_state("suppressed")], True, Health.OK, "none active, but Errors is silenced or inhibited"),
        ([in_state("suppressed")], False, Health.UNKNOWN, "the heartbeat Watchdog is absent"),
        ([in_state("unprocessed")], True, Health.UNKNOWN, "Errors was not processed yet"),
        ([BEAT], True, Health.OK, "no alert"),
    ],
)
async def test_what_alertmanager_tells_is_told(
    web: Web, alerts: list[object], beats: bool, health: Health, words: str
) -> None:
    value = await manager(web, *alerts, beats=beats)
    assert isinstance(value, ProbeValue)
    assert (value.health, value.detail[: len(words)]) == (health, words)


@pytest.mark.parametrize("alert", [7, {}, in_state("resting"), in_state(None), {**ALERT, "status": "active"}])
async def test_an_alert_in_no_known_state_is_no_silence(web: Web, alert: object) -> None:
    assert isinstance(await manager(web, alert), BrokenAnswer)


async def test_filters_are_quoted(web: Web) -> None:
    async with scripted(lambda request: as_json([])) as server:
        await probe(
            web, "alertmanager", server.url, matchers=[{"label": "a", "value": 'x"\\y\n', "negate": True}]
        ).probe()
        asked = {request.path for request in server.requests}
    assert "/api/v2/alerts?filter=a%21%3D%22x%5C%22%5C%5Cy%5Cn%22" in asked


async def test_a_bare_string_says_what_is_wrong(web: Web) -> None:
    error = await ask(web, "alertmanager", as_json("error parsing regexp: missing closing ]", 400))
    assert isinstance(error, RefusedByService)
    assert "missing closing" in error.failure.detail


@pytest.mark.parametrize("table", [{"matchers": []}, {"heartbeat": ""}])
def test_without_matchers_or_a_heartbeat_there_is_no_probe(table: dict[str, Any]) -> None:
    valid: dict[str, Any] = {
        "url": "http://am",
        "matchers": [{"label": "a", "value": "b"}],
        "heartbeat": "Watchdog",
    }
    settings = PROBES["alertmanager"].settings
    written(settings, valid)
    with pytest.raises(PlanProblems):
        written(settings, {**valid, **table})


# --- both -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["prometheus_alerts", "alertmanager"])
@pytest.mark.parametrize("case", TROUBLES)
async def test_trouble_is_harmless_and_never_ok(web: Web, kind: str, case: str) -> None:
    async with scripted(lambda request: TROUBLES[case]) as server:
        try:
            result: object = await probe(web, kind, server.url, 0.3).probe()
        except AdapterError as error:
            result = error
    assert_harmless(result)
    assert not isinstance(result, ProbeValue) or result.health is Health.UNKNOWN


@pytest.mark.parametrize("seed", range(80))
async def test_a_damaged_answer_is_a_value_or_an_error(web: Web, seed: int) -> None:
    body = mutated(rules(a_rule(FIRING), a_rule(name=EVIL, health="err", lastError=EVIL)), seed)
    reply = as_json(body)
    assert_harmless(await ask(web, "prometheus_alerts", reply))
    listed = mutated([ALERT, in_state("suppressed"), {**ALERT, "annotations": {"summary": EVIL}}], seed)
    assert_harmless(await ask(web, "alertmanager", as_json(listed)))
