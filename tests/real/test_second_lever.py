"""When a real Unleash fails as the first lever: a program is the second, and Unleash is put right later."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from cockpit.core.commands import CommandState, PullSecondLever, RetryFlag
from cockpit.core.events import Lever
from cockpit.core.rollback import Flip, FlipState
from cockpit.core.snapshot import Snapshot
from tests.flying import OPERATOR, Cockpit, configured_pct, flag_of, rollback_of
from tests.real.cutover import Night
from tests.real.door import Door, Mode

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

LEVER = """
import json, sys
store, asked = sys.argv[1], json.load(sys.stdin)
pools = json.load(open(store))
if asked["action"] != "read":
    pools[asked["flag"]] = {"on": False, "percent": 0}
    json.dump(pools, open(store, "w"))
print(json.dumps(pools))
"""


@contextmanager
def behind_a_door(tonight: Night, folder: Path) -> Iterator[tuple[Night, Door]]:
    """The same night, with a door before Unleash and a program as the live flag's second lever."""
    realtime = tonight.flags[2]
    store = folder / "pools.json"
    store.write_text(json.dumps({"pool": {"on": True, "percent": 100}}))
    program = json.dumps([sys.executable, "-c", LEVER, str(store)])
    with Door(tonight.unleash.server.url) as door:
        text = tonight.plan_path.read_text().replace(tonight.unleash.server.url, door.url)
        text = text.replace('flags = "1s"', 'flags = "2s"')
        second = 'second = { service = "balancer", key = "pool", takes = "2s" }'
        text = text.replace(f'key = "{realtime}"\n', f'key = "{realtime}"\n{second}\n')
        text += f'\n[flag_service.balancer]\nkind = "command"\nread = {program}\nwrite = {program}\n'
        path = folder / "levers.toml"
        path.write_text(text)
        tonight.start_at(25)
        yield replace(tonight, plan_path=path), door


def flip_of(picture: Snapshot, flag: str) -> Flip:
    return next(flip for flip in rollback_of(picture).flips if flip.flag == flag)


def offered(cockpit: Cockpit, flag: str, words: str) -> None:
    def offer(picture: Snapshot) -> bool:
        second = flag_of(picture, flag).second
        return second is not None and words in second.offer

    cockpit.wait(f"an offer: {words}", offer)


def pull(cockpit: Cockpit, flag: str) -> None:
    of = rollback_of(cockpit.pictures[-1]).id
    status = cockpit.order(PullSecondLever(id=str(uuid4()), by=OPERATOR, rollback=of, flag=flag))
    assert status.state is CommandState.DONE, status
    cockpit.wait("zero by the second lever", lambda picture: flip_of(picture, flag).lever is Lever.SECOND)


def gave_up(cockpit: Cockpit, flag: str) -> None:
    """A flag without a second lever: the machine has no tries left, a person is asked."""
    cockpit.wait(f"no tries left for {flag}", lambda picture: flip_of(picture, flag).exhausted)
    assert flip_of(cockpit.pictures[-1], flag).lied


def try_again(cockpit: Cockpit, flag: str) -> None:
    of = rollback_of(cockpit.pictures[-1]).id
    status = cockpit.order(RetryFlag(id=str(uuid4()), by=OPERATOR, rollback=of, flag=flag))
    assert status.state is CommandState.DONE, status


def seen_at_25(cockpit: Cockpit, flag: str) -> None:
    cockpit.wait("25 %", lambda picture: configured_pct(flag_of(picture, flag), picture) == 25)


def put_right(cockpit: Cockpit, staged: Night, flag: str) -> None:
    """The service is well again: the first lever goes to zero too, and what brought users back stays told."""
    over = cockpit.wait(
        "zero by the first lever too", lambda picture: flip_of(picture, flag).state is FlipState.AT_ZERO
    )
    assert flip_of(over, flag).lever is Lever.SECOND
    cockpit.wait("every flag at zero", lambda picture: rollback_of(picture).flipped)
    cockpit.engine.leave_now("the test has seen enough")


def test_a_port_that_refuses_offers_at_once_and_what_comes_back_halfway_is_put_right(
    tonight: Night, tmp_path: Path
) -> None:
    realtime = tonight.flags[2]
    with behind_a_door(tonight, tmp_path) as (staged, door), staged.flying() as cockpit:
        seen_at_25(cockpit, realtime)
        door.shut()
        cockpit.declare()
        offered(cockpit, realtime, "the first lever")
        pull(cockpit, realtime)
        assert (staged.raw.is_on(realtime), staged.raw.rollouts(realtime)) == (True, ["25"]), (
            "users are off by the balancer; Unleash still says 25 %"
        )
        door.open()
        put_right(cockpit, staged, realtime)


def test_a_service_that_never_answers_is_not_waited_for(tonight: Night, tmp_path: Path) -> None:
    realtime = tonight.flags[2]
    with behind_a_door(tonight, tmp_path) as (staged, door), staged.flying() as cockpit:
        seen_at_25(cockpit, realtime)
        door.hang()
        cockpit.declare()
        offered(cockpit, realtime, "the first lever")
        pull(cockpit, realtime)
        door.open()
        put_right(cockpit, staged, realtime)


def test_a_proxy_that_says_yes_and_changes_nothing_is_found_out(tonight: Night, tmp_path: Path) -> None:
    realtime = tonight.flags[2]
    with behind_a_door(tonight, tmp_path) as (staged, door), staged.flying() as cockpit:
        seen_at_25(cockpit, realtime)
        door.mode = Mode.LIES
        cockpit.declare()
        offered(cockpit, realtime, "the first lever")
        pull(cockpit, realtime)
        assert door.written >= 1
        others = tonight.flags[:2]
        for flag in others:
            gave_up(cockpit, flag)
        door.mode = Mode.OPEN
        for flag in others:
            try_again(cockpit, flag)
        put_right(cockpit, staged, realtime)


def test_a_token_that_may_not_write_is_a_refusal_and_the_second_lever_follows(
    tonight: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    realtime = tonight.flags[2]
    monkeypatch.setenv("UNLEASH_WRITE_TOKEN", tonight.raw.tokens.viewer)
    with behind_a_door(tonight, tmp_path) as (staged, _), staged.flying() as cockpit:
        seen_at_25(cockpit, realtime)
        cockpit.declare(realtime)
        offered(cockpit, realtime, "gave up")
        pull(cockpit, realtime)
        assert flip_of(cockpit.pictures[-1], realtime).attempts >= 2
        cockpit.engine.leave_now("the crowd follows Unleash alone, so nothing drains")
