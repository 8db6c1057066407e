"""Every kind of bad answer, flown in a real terminal: a clear state, a living process, not one raw byte."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psutil
import pytest

from cockpit.core.model import Health, Verdict
from cockpit.core.snapshot import Snapshot
from cockpit.practice.hostile import EVIL_TEXTS
from tests.e2e.answering import Answering, answering
from tests.e2e.conftest import Stage
from tests.e2e.flown import DOWN, ENTER, flown

pytestmark = pytest.mark.timeout(150)


def flags_lost(picture: Snapshot) -> bool:
    return all(flag.configured.failure is not None for flag in picture.flags)


def signals_lost(picture: Snapshot) -> bool:
    return all(signal.evidence.verdict is Verdict.UNKNOWN for signal in picture.signals)


def backends_bad(picture: Snapshot) -> bool:
    return all(backend.health in (Health.DOWN, Health.UNKNOWN) for backend in picture.backends)


def everything_lost(picture: Snapshot) -> bool:
    return flags_lost(picture) and signals_lost(picture) and backends_bad(picture)


GARBAGE = {
    "html": "cannot see: HTML instead of JSON (proxy or login page?)",
    "truncated": "cannot see: not valid JSON",
    "bad_utf8": "cannot see: not valid UTF-8",
    "huge": "cannot see: the answer is larger than 2 MB",
    "wrong_types": "cannot see: the answer is about another flag",
}


def test_garbage_from_every_service(stage: Stage) -> None:
    with flown(stage) as deck:
        for kind, said in GARBAGE.items():
            deck.wait_until_well()
            stage.inject("garbage", kind=kind)
            deck.wait_for(everything_lost, kind)
            deck.shows(said, "UNKNOWN")
            deck.clean()
            stage.clear()
        deck.wait_until_well()
        deck.wander()
        deck.clean()


MONITORING = {
    "metrics_nan": "cannot be seen: not finite",
    "metrics_empty": "cannot be seen: no data",
    "metrics_warnings": "cannot be seen: partial",
    "metrics_down": "cannot be seen: the source is starting or stopping",
}


def test_monitoring_that_tells_nothing(stage: Stage) -> None:
    with flown(stage) as deck:
        for fault, said in MONITORING.items():
            deck.wait_until_well()
            stage.inject(fault)
            picture = deck.wait_for(signals_lost, fault)
            assert picture.proposal is None and not flags_lost(picture)
            deck.shows(said, "? UNKNOWN  Failed requests")
            stage.clear()
        deck.clean()


def _probe_reason(words: str) -> Callable[[Snapshot], object]:
    return lambda picture: any(words in reason.what for reason in picture.reasons)


def test_services_that_hang_throttle_or_are_somebody_elses(stage: Stage) -> None:
    with flown(stage) as deck:
        deck.wait_until_well()
        stage.inject("hang", service="unleash")
        stage.inject("hang", service="prometheus")
        deck.wait_for(lambda picture: flags_lost(picture) and signals_lost(picture), "hanging services")
        deck.shows("cannot see: no answer", "cannot be seen: no answer")
        deck.wander()
        stage.clear()
        deck.wait_until_well()
        stage.inject("rate_limit", seconds=1.0)
        deck.wait_for(everything_lost, "throttled")
        deck.shows("asked to wait (HTTP 429)")
        stage.clear()
        deck.wait_until_well()
        stage.inject("wrong_instance")
        deck.wait_for(_probe_reason("answers as somebody-elses-deployment"), "a foreign deployment")
        deck.shows("✗ BAD  new deployment: DOWN: answers as somebody-elses-deployment")
        stage.clear()
        deck.wait_until_well()
        stage.inject("clock_skew", seconds=90.0)
        deck.shows("! WARNING  clock: this host's clock and a server's differ")
        stage.clear()
        deck.wait_until_well()
        stage.inject("convex_paused")
        deck.wait_for(lambda picture: picture.backends[1].health is Health.DOWN, "a paused deployment")
        deck.shows("✗ DOWN     deployment")
        deck.clean()


def _store(stage: Stage, flag: str, rollout: str) -> None:
    """Store a percentage as it is, through the flag service's own API, which checks nothing."""
    url = (
        f"{stage.practice.urls['unleash']}/api/admin/projects/default/features/{flag}/environments/production"
    )
    with httpx.Client(headers={"Authorization": "practice-as-mallory"}, base_url=url) as client:
        (strategy,) = client.get("/strategies").raise_for_status().json()
        patch = [{"op": "replace", "path": "/parameters/rollout", "value": rollout}]
        client.patch(f"/strategies/{strategy['id']}", json=patch).raise_for_status()


def test_percentages_that_are_none(stage: Stage) -> None:
    with flown(stage) as deck:
        deck.wait_until_well()
        for rollout in ("101", "-1", "abc", "NaN", "", "1e1", "\u0665\u0660", "\x1b[2J25"):
            _store(stage, "chat_reads", rollout)
            picture = deck.wait_for(_probe_reason("the stored percentage is no number"), repr(rollout))
            value = picture.flags[1].configured.value
            assert value is not None and value.exposure is None
            deck.shows("complex", "RAISED 25% to unclear by mallory")
            _store(stage, "chat_reads", "25")
            deck.wait_for(
                lambda picture: not _probe_reason("the stored percentage")(picture), "a number again"
            )
        _store(stage, "chat_reads", "12.5")
        deck.wait_for(_probe_reason("12.5, of which Unleash serves 12"), "a broken percentage")
        deck.shows("12.5%")
        deck.press(DOWN)
        deck.page(ENTER, "the stored percentage is 12.5, of which Unleash serves 12")
        deck.wander()
        deck.clean()


def test_a_foreign_hand_with_an_evil_name(stage: Stage) -> None:
    with flown(stage) as deck:
        deck.wait_until_well()
        stage.inject("foreign_change", flag="chat_reads", percent=50.0, who="\x1b[31mmallory\u202e\x07")
        deck.shows("✗ BAD  chat_reads: changed by \ufffd[31mmallory\ufffd\ufffd: 25% → 50%")
        deck.shows("RAISED 25% to 50% by \ufffd[31mmallory")
        deck.wander()
        deck.clean()


def test_hostile_text_on_every_screen_up_to_the_countdown(stage: Stage) -> None:
    """The attacks stand in every text for people, also in what a refused write says."""
    stage.inject("hostile_text")
    with flown(stage) as deck:
        deck.wait_for(_any_placeholder, "cleaned attacks")
        deck.wander()
        for panel in "123":
            deck.press(panel)
            deck.page("y", "not in the clipboard")
        deck.page("Y", "not in the clipboard")
        deck.press("t")
        deck.press("z")
        deck.press("z")
        stage.inject("flag_service_refuses_writes", kind="403")
        deck.press("R")
        deck.shows("press R to roll back")
        deck.press("R")
        deck.shows("since declare", "refused")
        deck.press("e")
        deck.shows("incident commander")
        deck.press(EVIL_TEXTS[4])
        deck.close("incident commander")
        deck.page("?", "Act (capitals touch")
        deck.page("y", "INCIDENT TEXT")
        deck.shows("since declare")
        deck.clean(copied=True)


def _any_placeholder(picture: Snapshot) -> bool:
    changed_by = [flag.configured.value.changed_by for flag in picture.flags if flag.configured.value]
    return all(who is not None and "\ufffd" in who for who in changed_by) and bool(changed_by)


STATUSES = (401, 403, 404, 409, 410, 418, 429, 500, 502, 503)


def test_every_status_from_everybody(stage: Stage) -> None:
    """One raw server stands in for all services and says the same to everything."""
    with answering() as server, flown(_pointed_at(stage, server)) as deck:
        for status in STATUSES:
            server.say(status, b'{"message": "\\u001b[2J no \\u202e"}')
            deck.press("r")
            deck.wait_for(_lost_by_status(status), f"HTTP {status}")
            deck.shows(f"(HTTP {status})")
        deck.page("?", "Act (capitals touch")
        deck.clean()


def _lost_by_status(status: int) -> Callable[[Snapshot], bool]:
    def lost(picture: Snapshot) -> bool:
        return all(f"HTTP {status}" in title for title in _titles(picture))

    return lost


WIRE = {
    "nothing": b"",
    "no http": b"\x1b[2J220 smtp.example.com ESMTP\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"A" * 300_000,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "less than it says": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
    "evil header": b"HTTP/1.1 200 \x1b]0;owned\x07\r\nDate: \x1b[2J\r\nContent-Length: 2\r\n\r\n{}",
    "no gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1b[2J",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://evil.invalid/\x9b\r\nContent-Length: 0\r\n\r\n",
}


def test_broken_bytes_from_everybody(stage: Stage) -> None:
    with answering() as server, flown(_pointed_at(stage, server)) as deck:
        for name, raw in WIRE.items():
            server.say(418, b"{}")
            deck.press("r")
            deck.wait_for(_lost_by_status(418), f"a status before {name}")
            server.send(raw)
            deck.press("r")
            deck.wait_for(lambda picture: flags_lost(picture) and not _lost_by_status(418)(picture), name)
            deck.shows("UNKNOWN")
        deck.page("?", "Act (capitals touch")
        deck.clean()


def _titles(picture: Snapshot) -> list[str]:
    """What is wrong with reading each flag; empty where nothing is."""
    return [flag.configured.failure.title if flag.configured.failure else "" for flag in picture.flags]


def test_a_body_without_end_costs_no_memory(stage: Stage) -> None:
    with answering() as server, flown(_pointed_at(stage, server)) as deck:
        server.stream()
        deck.wait_for(lambda picture: "larger than 2 MB" in _titles(picture)[0], "the cap")
        deck.shows("the answer is larger than 2 MB")
        already = server.streamed
        deck.wait_for(lambda _: server.streamed > already + 200_000_000, "two hundred megabytes more")
        used = psutil.Process(deck.terminal.process.pid).memory_info().rss
        assert used < 300 * 2**20
        deck.page("R", "press R to roll back")
        deck.clean()


def _pointed_at(stage: Stage, server: Answering) -> Stage:
    services = ("unleash", "prometheus", "convex", "legacy", "new")
    return stage.changed(*((stage.practice.urls[each], server.url) for each in services))
