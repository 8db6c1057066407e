"""Every fault is visible from outside, through HTTP, and goes away when it ends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx
import pytest

from cockpit.practice.faults import Fault, FaultName, Garbage, Param, Service, make_fault
from cockpit.practice.hostile import EVIL_TEXTS, HUGE_BYTES
from tests.practice.conftest import Lab

ENV = "/projects/default/features/chat_reads/environments/production"
PAGES = {
    "unleash": "/api/admin/projects/default/features",
    "http_json": "/home/flags/chat_reads",
    "prometheus": "/api/v1/query?query=sum(cutover_requests_total)",
    "convex": "/instance_name",
    "legacy": "/health",
    "new": "/health",
}


def page(lab: Lab, service: str) -> httpx.Response:
    return lab.get(service, PAGES[service], Authorization="practice-admin")


def inject(lab: Lab, name: str, **params: Param) -> Fault:
    return lab.practice.world.inject(make_fault(name, params))


def eventually(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "never became true"


def reaches(lab: Lab, service: str) -> bool | None:
    """False when the connection is refused; None when it broke in between, as the port was closing."""
    try:
        page(lab, service)
    except httpx.ConnectError:
        return False
    except httpx.TransportError:
        return None
    return True


@pytest.mark.parametrize("service", ["legacy", "new", "convex"])
def test_an_outage_answers_503_on_its_own_side_only(lab: Lab, service: str) -> None:
    side = "legacy" if service == "legacy" else "new"
    inject(lab, "outage", side=side)
    assert page(lab, service).status_code == 503
    assert page(lab, "new" if side == "legacy" else "legacy").status_code == 200
    assert page(lab, "unleash").status_code == 200
    lab.practice.world.clear()
    assert page(lab, service).status_code == 200


@pytest.mark.parametrize(
    ("name", "params", "service"),
    [
        ("outage", {"side": "legacy", "kind": "refused"}, "legacy"),
        ("outage", {"side": "new", "kind": "refused"}, "convex"),
        ("flag_service_down", {"kind": "refused"}, "unleash"),
        ("flag_service_down", {"kind": "refused"}, "http_json"),
        ("metrics_down", {"kind": "refused"}, "prometheus"),
    ],
)
def test_connections_can_be_refused_and_accepted_again(
    lab: Lab, name: str, params: dict[str, Param], service: str
) -> None:
    address = lab.practice.urls[service]
    inject(lab, name, **params)
    eventually(lambda: reaches(lab, service) is False)
    lab.practice.world.clear()
    eventually(lambda: reaches(lab, service) is True)
    assert lab.practice.urls[service] == address
    assert page(lab, service).status_code == 200


@pytest.mark.parametrize("service", list(PAGES))
def test_a_hanging_service_answers_nothing_until_it_thaws(lab: Lab, service: str) -> None:
    inject(lab, "hang", service=service)
    with pytest.raises(httpx.ReadTimeout):
        lab.client.get(lab.url(service, PAGES[service]), timeout=0.2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(page, lab, service)
        lab.practice.world.clear()
        assert waiting.result().status_code == 200


def test_a_hanging_side_hangs_all_its_faces(lab: Lab) -> None:
    inject(lab, "hang", side="new")
    for service in ("new", "convex"):
        with pytest.raises(httpx.ReadTimeout):
            lab.client.get(lab.url(service, PAGES[service]), timeout=0.2)
    assert page(lab, "legacy").status_code == 200


def test_a_write_that_timed_out_may_still_happen(lab: Lab) -> None:
    inject(lab, "hang", service="unleash")
    with pytest.raises(httpx.ReadTimeout):
        lab.client.post(
            lab.url("unleash", f"/api/admin{ENV}/off"), headers={"Authorization": "practice-x"}, timeout=0.2
        )
    assert lab.get("unleash", "/health").json() == {"health": "GOOD"}
    lab.practice.world.clear()
    eventually(lambda: lab.admin("GET", ENV).json()["enabled"] is False)


def test_a_hanging_service_does_not_hold_up_the_end(lab: Lab) -> None:
    inject(lab, "hang", service="legacy")
    with pytest.raises(httpx.ReadTimeout):
        lab.client.get(lab.url("legacy", "/health"), timeout=0.2)


@pytest.mark.parametrize("service", list(PAGES))
@pytest.mark.parametrize("kind", list(Garbage))
def test_garbage_is_not_what_was_asked_for(lab: Lab, service: str, kind: Garbage) -> None:
    good = page(lab, service).content
    inject(lab, "garbage", service=service, kind=kind)
    answer = page(lab, service)
    assert answer.status_code == 200
    assert answer.content != good
    if kind is Garbage.HTML:
        assert answer.headers["content-type"] == "text/html"
    elif kind is Garbage.HUGE:
        assert len(answer.content) > HUGE_BYTES
    elif kind is Garbage.BAD_UTF8:
        with pytest.raises(UnicodeDecodeError):
            answer.content.decode()
    elif kind is Garbage.TRUNCATED:
        assert good.startswith(answer.content) and len(answer.content) < len(good)
    elif good.startswith(b"{"):
        assert answer.json().keys() == json.loads(good).keys()
    lab.practice.world.clear()
    assert page(lab, service).headers["content-type"] != "text/html"


def test_the_flag_service_is_down_but_says_it_is_well(lab: Lab) -> None:
    inject(lab, "flag_service_down")
    assert page(lab, "unleash").status_code == 503
    assert lab.get("unleash", "/health").json() == {"health": "GOOD"}


def test_a_slow_flag_service_answers_late(lab: Lab) -> None:
    inject(lab, "flag_service_slow", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        lab.client.get(lab.url("unleash", PAGES["unleash"]), timeout=0.2)
    lab.practice.world.clear()
    inject(lab, "flag_service_slow", seconds=0.05)
    assert page(lab, "unleash").status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("403", 403), ("503", 503)])
def test_the_flag_service_refuses_writes(lab: Lab, kind: str, status: int) -> None:
    inject(lab, "flag_service_refuses_writes", kind=kind)
    assert lab.admin("POST", f"{ENV}/off").status_code == status
    assert lab.admin("GET", ENV).json()["enabled"] is True


def test_the_flag_service_lies(lab: Lab) -> None:
    (strategy,) = lab.admin("GET", f"{ENV}/strategies").json()
    before = lab.admin("GET", "/events").json()
    inject(lab, "flag_service_lies")
    patch = [{"op": "replace", "path": "/parameters/rollout", "value": "90"}]
    answer = lab.admin("PATCH", f"{ENV}/strategies/{strategy['id']}", patch)
    assert (answer.status_code, answer.json()["parameters"]["rollout"]) == (200, "90")
    assert lab.admin("POST", f"{ENV}/off").status_code == 200
    body = lab.admin("GET", ENV).json()
    assert (body["enabled"], body["strategies"][0]["parameters"]["rollout"]) == (True, "0")
    assert lab.admin("GET", "/events").json() == before


def test_a_write_is_done_and_its_answer_never_comes(lab: Lab) -> None:
    inject(lab, "flag_service_write_timeout")
    url = lab.url("unleash", f"/api/admin{ENV}/off")
    with pytest.raises(httpx.ReadTimeout):
        lab.client.post(url, headers={"Authorization": "practice-x"}, timeout=0.2)
    assert lab.admin("GET", ENV).json()["enabled"] is False
    lab.practice.world.clear()
    assert lab.admin("POST", f"{ENV}/on").status_code == 200


def test_a_foreign_change_shows_in_the_flag_and_in_the_log(lab: Lab) -> None:
    inject(lab, "foreign_change", flag="chat_reads", percent=70, who="mallory")
    assert lab.admin("GET", ENV).json()["strategies"][0]["parameters"]["rollout"] == "70"
    (event,) = lab.admin("GET", "/search/events?feature=IS:chat_reads&limit=1").json()["events"]
    assert event["createdBy"] == "mallory"


def test_a_foreign_change_answers_a_write(lab: Lab) -> None:
    inject(lab, "foreign_change", percent=50, on_write=True, seconds=2)
    lab.clock.move(60)
    assert lab.admin("GET", ENV).json()["strategies"][0]["parameters"]["rollout"] == "0"
    lab.admin("POST", f"{ENV}/off")
    assert lab.admin("GET", ENV).json()["enabled"] is False
    lab.clock.move(2)
    body = lab.admin("GET", ENV).json()
    assert (body["enabled"], body["strategies"][0]["parameters"]["rollout"]) == (True, "50")


def test_metrics_go_dark(lab: Lab) -> None:
    inject(lab, "metrics_down")
    answer = page(lab, "prometheus")
    assert (answer.status_code, answer.text) == (503, "Service Unavailable")


def test_legacy_is_sick(lab: Lab) -> None:
    inject(lab, "legacy_sick")
    sick = lab.get("legacy", "/health")
    assert sick.status_code == 503
    assert sick.json() == {"status": "error", "db": "timeout", "redis": "ok"}
    assert lab.get("legacy", "/healthz").status_code == 503
    assert lab.get("new", "/health").status_code == 200
    lab.practice.world.clear()
    assert lab.get("legacy", "/health").json() == {"status": "ok", "db": "ok", "redis": "ok"}
    assert lab.get("legacy", "/healthz").text == "ok"


def test_hostile_text_stands_in_every_field_for_people(lab: Lab) -> None:
    inject(lab, "hostile_text")
    features = page(lab, "unleash").json()["features"]
    assert features[0]["name"] == "chat_writes"
    assert features[0]["description"].endswith(EVIL_TEXTS[0])
    (event, *_) = lab.admin("GET", "/search/events?feature=IS:chat_reads").json()["events"]
    assert event["createdBy"] != "admin" and event["createdBy"].startswith("admin")
    assert any(evil in lab.get("convex", "/instance_name").text for evil in EVIL_TEXTS)
    assert "\x1b" in lab.get("legacy", "/health").json()["status"] + lab.get("legacy", "/health").json()["db"]
    error = lab.get("prometheus", "/api/v1/query?query=rate(x)").json()["error"]
    assert any(evil in error for evil in EVIL_TEXTS)
    assert "\n# HELP cutover_requests_total" in lab.get("metrics", "/metrics").text


def test_hostile_text_may_come_from_one_service_only(lab: Lab) -> None:
    inject(lab, "hostile_text", service="legacy")
    assert page(lab, "unleash").json()["features"][0]["description"] == "Writes"


def test_dates_follow_the_worlds_clock_and_its_skew(lab: Lab) -> None:
    lab.clock.move(7)
    honest = parsedate_to_datetime(page(lab, "legacy").headers["date"])
    assert honest == lab.clock.now()
    inject(lab, "clock_skew", seconds=-90, service="legacy")
    skewed = parsedate_to_datetime(page(lab, "legacy").headers["date"])
    assert (honest - skewed).total_seconds() == 90
    assert parsedate_to_datetime(page(lab, "unleash").headers["date"]) == honest


def test_a_rate_limit_names_the_time_to_wait(lab: Lab) -> None:
    inject(lab, "rate_limit", service="unleash", seconds=9)
    answer = page(lab, "unleash")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert page(lab, "prometheus").status_code == 200


def test_errors_and_slowness_reach_the_api_of_the_side(lab: Lab) -> None:
    assert lab.get("legacy", "/api/chats").json() == [{"id": "1"}, {"id": "2"}, {"id": "3"}]
    assert lab.get("new", "/api/chats/7").json() == {"id": "7"}
    assert lab.get("new", "/api/unheard-of").status_code == 404
    inject(lab, "error_burst", side="new", rate=1.0)
    assert lab.get("new", "/api/chats").status_code == 500
    assert lab.get("new", "/health").status_code == 200
    inject(lab, "slow", side="new", factor=1000)
    with pytest.raises(httpx.ReadTimeout):
        lab.client.get(lab.url("new", "/health"), timeout=0.2)


def test_every_fault_has_a_test_here_or_beside() -> None:
    """The names that the tests of this room use are all there are."""
    elsewhere = {
        FaultName.METRICS_EMPTY,
        FaultName.METRICS_NAN,
        FaultName.METRICS_WARNINGS,
        FaultName.SLOW_PROPAGATION,
        FaultName.CONVEX_PAUSED,
        FaultName.WRONG_INSTANCE,
    }
    with open(__file__, encoding="utf-8") as source:
        text = source.read()
    assert {name for name in FaultName if f'"{name}"' in text} | elsewhere == set(FaultName)
    assert set(PAGES) | {"metrics", "hooks"} == set(Service)
