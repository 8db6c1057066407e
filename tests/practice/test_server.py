from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx
import pytest

from cockpit.core.model import Side
from cockpit.core.secret import SecretRef
from cockpit.core.spec import AnnounceSpec, HookMoment, ProbeSpec
from cockpit.core.tables import Written
from cockpit.practice.faults import Service
from cockpit.practice.rehome import told
from cockpit.practice.server import PracticeServer
from tests.practice.conftest import HandClock, Lab, PlainSettings, a_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSettings(Written):
    url: SecretRef
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonProbeSettings(Written):
    url: str
    expect_status: tuple[int, ...] = (204, 200)
    json: dict[str, str | bool] | None = None
    tls_days: int | None = 14


def open_sockets() -> list[str]:
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:
            continue
    return sorted(link for link in links if link.startswith("socket:"))


def test_nothing_stays_behind(clock: HandClock) -> None:
    gc.collect()
    threads, sockets = set(threading.enumerate()), open_sockets()
    with PracticeServer(a_plan(), seed=1, clock=clock) as practice, httpx.Client() as client:
        for url in practice.urls.values():
            client.get(url)
        ports = [urlsplit(url).port for url in practice.urls.values()]
    gc.collect()
    assert set(threading.enumerate()) == threads
    assert open_sockets() == sockets
    for port in ports:
        assert port is not None
        with socket.socket() as caller:
            assert caller.connect_ex(("127.0.0.1", port)) != 0


def test_it_stops_after_an_error_inside(clock: HandClock) -> None:
    threads = set(threading.enumerate())
    with pytest.raises(RuntimeError, match="inside"), PracticeServer(a_plan(), seed=1, clock=clock):
        raise RuntimeError("inside")
    assert set(threading.enumerate()) == threads


def test_it_listens_on_loopback_only(lab: Lab) -> None:
    assert {urlsplit(url).hostname for url in lab.practice.urls.values()} == {"127.0.0.1"}
    assert len(set(lab.practice.urls.values())) == len(Service)


def test_many_requests_at_once_with_a_clock_that_stands_still(lab: Lab) -> None:
    lab.clock.move(10)
    expected = lab.count("sum(cutover_requests_total)")

    def ask(number: int) -> float:
        lab.admin("GET", "/projects/default/features/chat_reads")
        lab.get("legacy", "/health")
        return lab.count("sum(cutover_requests_total)")

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(64))) == {expected}


def test_guarded_writes_at_once_let_one_win(lab: Lab) -> None:
    env = "/projects/default/features/chat_reads/environments/production"
    strategy = lab.admin("GET", f"{env}/strategies").json()[0]["id"]

    def write(percent: int) -> int:
        path = "/parameters/rollout"
        guard = {"op": "test", "path": path, "value": "0"}
        change = {"op": "replace", "path": path, "value": str(percent)}
        return lab.admin("PATCH", f"{env}/strategies/{strategy}", [guard, change]).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(1, 9))) == [200] + [500] * 7


def test_a_plan_is_pointed_at_the_world(lab: Lab) -> None:
    plan = a_plan()
    moved = lab.practice.rehome(plan)
    urls = lab.practice.urls
    assert told(moved.flag_services[0].settings)["url"] == urls["unleash"]
    assert told(moved.monitors[0].settings)["url"] == urls["prometheus"]
    legacy, new = moved.backends
    assert told(legacy.probes[0].settings)["url"] == f"{urls['legacy']}/health/db?deep=1"
    assert told(new.probes[0].settings)["url"] == urls["convex"]
    assert told(new.probes[1].settings)["url"] == f"{urls['new']}/health"
    assert told(legacy.probes[0].settings)["ca_file"] is None
    assert replace(moved, flag_services=(), monitors=(), backends=()) == replace(
        plan, flag_services=(), monitors=(), backends=()
    )
    assert told(plan.flag_services[0].settings)["url"] == "https://unleash.example.com/team"


def test_every_probe_of_the_plan_finds_its_page(lab: Lab) -> None:
    for backend in lab.practice.rehome(a_plan()).backends:
        for probe in backend.probes:
            assert lab.client.get(told(probe.settings)["url"]).status_code == 200


@pytest.mark.parametrize(
    ("path", "check", "body"),
    [
        (
            "/internal/state",
            {"pointer": "/checks/0/a~1b", "equals": "green"},
            {"checks": {"0": {"a/b": "green"}}},
        ),
        ("/up", {"pointer": "/status", "equals": "UP"}, {}),
        ("/flag", {"pointer": "/well", "equals": True}, {"well": True}),
    ],
)
def test_health_pages_say_what_the_plan_expects(
    clock: HandClock, path: str, check: dict[str, str | bool], body: dict[str, object]
) -> None:
    settings = JsonProbeSettings(url=f"https://chat.example.com{path}", expect_status=(203,), json=check)
    probe = ProbeSpec(name="x", kind="http", side=Side.LEGACY, settings=settings, interval_s=5, timeout_s=2)
    plan = a_plan()
    legacy = replace(plan.backends[0], probes=(probe,))
    plan = replace(plan, backends=(legacy, plan.backends[1]))
    with PracticeServer(plan, seed=1, clock=clock) as practice, httpx.Client() as client:
        (moved, *_) = practice.rehome(plan).backends[0].probes
        assert told(moved.settings)["tls_days"] is None
        answer = client.get(told(moved.settings)["url"])
        assert answer.status_code == 203
        assert answer.json() == {"status": "ok", "db": "ok", "redis": "ok"} | body | (
            {"status": "UP"} if path == "/up" else {}
        )


def test_secrets_are_throwaway(lab: Lab) -> None:
    practice = lab.practice
    assert practice.secret(SecretRef(env="UNLEASH_TOKEN")).reveal().startswith("practice-")
    assert practice.secret(SecretRef(file="/etc/shadow")).reveal().startswith("practice-")
    assert practice.secret(SecretRef(command=("false",))).reveal().startswith("practice-")
    assert practice.secret(SecretRef(env="PRACTICE_CLIENT_TOKEN")).reveal().startswith("client-")
    assert practice.secret(SecretRef(env="PRACTICE_FRONTEND_TOKEN")).reveal().startswith("frontend-")
    assert practice.secret(SecretRef(env="PRACTICE_VIEWER_TOKEN")).reveal().startswith("viewer-")
    assert practice.secret(SecretRef(env="PRACTICE_WRONG_TOKEN")).reveal() == "wrong-token"
    assert practice.secret(SecretRef(env="PRACTICE_AS_BOB")).reveal() == "practice-as-bob"


def test_nobody_real_is_told_anything(lab: Lab) -> None:
    hook = AnnounceSpec(
        name="room",
        kind="webhook",
        settings=HookSettings(url=SecretRef(env="REAL_ROOM")),
        moments=(HookMoment.DECLARED,),
    )
    page = AnnounceSpec(
        name="pager",
        kind="command",
        settings=HookSettings(url=SecretRef(env="X"), command=("/usr/bin/page",)),
        moments=(HookMoment.DECLARED,),
    )
    moved = lab.practice.rehome(replace(a_plan(), announce=(hook, page)))
    (kept,) = moved.announce
    assert isinstance(kept.settings, HookSettings)
    address = lab.practice.secret(kept.settings.url).reveal()
    assert lab.client.post(address, content=b'{"title":"declared"}').status_code == 204
    assert lab.practice.hooks == [b'{"title":"declared"}']


@pytest.fixture
def outside() -> dict[str, float]:
    return {"chat_reads": 0.0, "chat_writes": 0.0}


@pytest.fixture
def followed(clock: HandClock, outside: dict[str, float]) -> Iterator[PracticeServer]:
    with PracticeServer(a_plan(), seed=1, clock=clock, share_source=lambda: dict(outside)) as practice:
        yield practice


def test_an_outside_flag_service_can_decide_the_shares(
    followed: PracticeServer, clock: HandClock, outside: dict[str, float]
) -> None:
    reads = 'cutover_requests_total{backend="new",flag="chat_reads",outcome="ok"}'
    writes = 'cutover_requests_total{backend="new",flag="chat_writes",outcome="ok"}'
    with httpx.Client() as client:
        client.get(followed.urls["metrics"] + "/metrics")
        outside["chat_reads"] = 100.0
        for _ in range(20):
            clock.move(1)
            text = client.get(followed.urls["metrics"] + "/metrics").text
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines())
    assert int(samples[reads]) > 400
    assert int(samples[writes]) == 0


def test_settings_without_a_model_are_left_alone(clock: HandClock) -> None:
    plan = a_plan()
    service = replace(plan.flag_services[0], settings=None)
    plan = replace(plan, flag_services=(service,))
    with PracticeServer(plan, seed=1, clock=clock) as practice:
        assert practice.rehome(plan).flag_services[0].settings is None
        assert practice.world.configured_pct("chat_reads") == 0


def test_flags_live_where_the_plan_says(clock: HandClock) -> None:
    plan = a_plan()
    settings = PlainSettings(url="https://x.example.com", project="shop", environment="staging")
    plan = replace(plan, flag_services=(replace(plan.flag_services[0], settings=settings),))
    with PracticeServer(plan, seed=1, clock=clock) as practice, httpx.Client() as client:
        answer = client.get(
            f"{practice.urls['unleash']}/api/admin/projects/shop/features/chat_reads/environments/staging",
            headers={"Authorization": "practice-x"},
        )
        assert answer.json()["environment"] == "staging"
        practice.world.set_exposure("chat_reads", 40)
        assert practice.world.configured_pct("chat_reads") == 40
