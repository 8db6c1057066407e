"""A whole rollback over HTTP/2 whose server dies in the middle of it, and comes back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.adapters import http2
from cockpit.core.rollback import FlipState
from cockpit.core.snapshot import Snapshot
from tests.flying import Cockpit, configured_pct, flag_of, rollback_of
from tests.real.cutover import Night
from tests.real.tls_door import TlsDoor, tls_door
from tests.real.unleash_server import Unleash

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest.fixture
def night_service(frail_unleash: Unleash) -> Unleash:
    return frail_unleash


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, no test turns to HTTP/1.1 because a handshake took its time."""
    monkeypatch.setattr(http2, "LONGEST_WAIT_S", 60.0)
    monkeypatch.setattr(http2, "SHARE_OF_WAIT", 1.0)


def behind(door: TlsDoor, tonight: Night) -> Night:
    """The same night, through that door."""
    text = tonight.plan_path.read_text()
    address = f'url = "{tonight.unleash.server.url}"'
    assert address in text
    path = tonight.plan_path.with_name("tls.toml")
    path.write_text(text.replace(address, f'url = "{door.url}"\nca_file = "{door.ca_file}"'))
    return replace(tonight, plan_path=path)


def seen_at(percent: int, tonight: Night, cockpit: Cockpit) -> None:
    def all_there(picture: Snapshot) -> bool:
        return all(configured_pct(flag_of(picture, flag), picture) == percent for flag in tonight.flags)

    cockpit.wait(f"all at {percent} %", all_there)


def writing(picture: Snapshot) -> bool:
    return any(flip.state is FlipState.WRITING for flip in rollback_of(picture).flips)


def unknown(picture: Snapshot) -> bool:
    return any(flip.state is FlipState.UNKNOWN for flip in rollback_of(picture).flips)


def test_a_rollback_whose_server_dies_with_the_writes_in_it(tonight: Night, tmp_path: Path) -> None:
    tonight.start_at(25)
    service = tonight.unleash
    with tls_door(service.server.url, tmp_path) as door:
        staged = behind(door, tonight)
        with staged.flying() as cockpit:
            seen_at(25, tonight, cockpit)
            assert {line.protocol for line in door.lines()} == {"HTTP/2.0"}
            with service.server.frozen():
                before = service.server.connections()
                cockpit.declare()
                cockpit.wait("a write on its way", writing)
                service.server.wait_until(lambda: service.server.connections() > before, "written to")
                door.server.stop_at_once()
                cockpit.wait("a write of which nobody knows", unknown)
            with tls_door(service.server.url, tmp_path, port=door.server.port):
                cockpit.wait("every flag at zero", lambda picture: rollback_of(picture).flipped)
                cockpit.engine.leave_now("the test has seen enough")
    for flag in tonight.flags:
        assert not tonight.raw.is_on(flag)
        assert tonight.raw.event_types(flag).count("feature-environment-disabled") == 1
