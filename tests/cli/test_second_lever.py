"""Second levers with real processes: the practice world's flag service fails, and a program helps."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.conftest import FLAGS, Stage

LEVER = """
import fcntl, json, sys
asked = json.load(sys.stdin)
with open(sys.argv[1], "r+") as store:  # three of them at once share one file
    fcntl.flock(store, fcntl.LOCK_EX)
    pools = json.load(store)
    if asked["action"] != "read":
        pools[asked["flag"]] = {"on": False, "percent": 0}
        store.seek(0)
        json.dump(pools, store)
        store.truncate()
print(json.dumps(pools))
"""


@pytest.fixture
def levered(stage: Stage, tmp_path: Path) -> Stage:
    """Every flag has a second lever that is a program; nobody counts the traffic of any."""
    store = tmp_path / "pools.json"
    store.write_text(json.dumps({f"pool-{flag}": {"on": True, "percent": 100} for flag in FLAGS}))
    text = re.sub(
        r"(?ms)^\[flag\.second\]\nmanual[^\n]*\ntakes[^\n]*\n", "", stage.unhurried().plan_path.read_text()
    )
    for flag in FLAGS:
        second = f'second = {{ service = "balancer", key = "pool-{flag}", takes = "2s" }}'
        text = text.replace(f'key = "{flag}"\n', f'key = "{flag}"\n{second}\n', 1)
    text = re.sub(r"(?ms)^\[flag.traffic\].*?(?=^# |^\[\[)", "", text)
    program = json.dumps([sys.executable, "-c", LEVER, str(store)])
    text += f'\n[flag_service.balancer]\nkind = "command"\nread = {program}\nwrite = {program}\n'
    path = tmp_path / "levers.toml"
    path.write_text(text)
    return replace(stage, plan_path=path)


def pools(stage: Stage) -> list[float]:
    told = json.loads((stage.plan_path.parent / "pools.json").read_text())
    return [told[f"pool-{flag}"]["percent"] for flag in FLAGS]


def roll_back(stage: Stage, *more: str) -> tuple[int, str, str]:
    ended = stage.run("rollback", "--reason", "errors", *more)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("fault", "params", "words"),
    [
        ("flag_service_down", {"kind": "refused"}, "the first lever"),
        ("flag_service_down", {"kind": "503"}, "the first lever"),
        ("flag_service_refuses_writes", {}, "the first lever gave up"),
        ("flag_service_lies", {}, "the first lever"),
        ("flag_service_slow", {}, "the first lever"),
    ],
    ids=["down", "503", "refuses", "lies", "slow"],
)
def test_a_script_pulls_the_second_lever_when_the_first_fails(
    levered: Stage, fault: str, params: dict[str, str], words: str
) -> None:
    levered.inject(fault, **params)
    code, out, err = roll_back(levered, "--second-lever")
    assert pools(levered) == [0, 0, 0], out + err
    assert code == 3, out + err
    assert words in err
    assert all(f"{flag}: at zero by the second lever (balancer)" in out for flag in FLAGS)
    assert "no traffic proves that" in out.splitlines()[-1]
    kinds = levered.kinds()
    assert kinds.count("lever.pulled") == 3


def test_without_being_asked_a_script_pulls_nothing_and_says_what_would(levered: Stage) -> None:
    levered.inject("flag_service_refuses_writes")
    code, out, err = roll_back(levered)
    assert code == 1
    assert pools(levered) == [100, 100, 100]
    assert "its second lever is offered: balancer (--second-lever, or L on the deck)" in out, err
    assert out.splitlines()[-1] == "NOT every flag is proved to be back"


def test_in_a_rollback_of_more_flags_a_script_pulls_the_levers_of_its_own_alone(levered: Stage) -> None:
    levered.inject("flag_service_refuses_writes")
    roll_back(levered)
    *others, last = FLAGS
    _, out, err = roll_back(levered, last, "--second-lever")
    assert pools(levered) == [*(100 for _ in others), 0], out + err
    assert levered.kinds().count("lever.pulled") == 1
    assert all(f"{flag}: --second-lever or L on the deck pulls balancer" in err for flag in others), err


def test_a_healthy_service_needs_no_second_lever_and_an_unseen_drain_ends_early_with_3(
    levered: Stage,
) -> None:
    code, out, err = roll_back(levered, "--second-lever")
    assert (code, err) == (3, "")
    assert levered.configured() == [0, 0, 0] and pools(levered) == [100, 100, 100]
    assert "lever.pulled" not in levered.kinds()
    assert "still open: " in out


def test_check_tells_which_flags_stand_behind_the_same_handle(levered: Stage) -> None:
    first, second, _ = FLAGS
    text = levered.plan_path.read_text().replace(f"pool-{second}", f"pool-{first}")
    levered.plan_path.write_text(text)
    told = levered.run("check").stdout
    assert f"second lever: balancer, 2s; pulling it takes {second} along" in told, told
    assert f"second lever: balancer, 2s; pulling it takes {first} along" in told, told
    assert told.count("along") == 2, told


def test_check_and_status_and_report_tell_of_the_second_lever(levered: Stage) -> None:
    told = levered.run("check")
    assert "second lever: balancer, 2s" in told.stdout, told.stdout
    for said in (
        r"main: chat_writes +one plain percentage: it reads 25%",
        r"main: Unleash at \S+ +the write token may write: it may",
        r"balancer: pool-chat_writes +one plain percentage: it reads 100%",
        r"not over HTTP +polls a minute: flags balancer 30",
    ):
        assert re.search(f"(?m)^ok    {said}", told.stdout), (said, told.stdout)
    levered.inject("flag_service_refuses_writes")
    roll_back(levered, "--second-lever")
    status = json.loads(levered.run("status", "--json").stdout)
    flags = status["rollback"]["flags"]
    assert [flag["lever"] for flag in flags] == ["second"] * 3
    assert all(flag["second_lever"]["service"] == "balancer" and flag["took_s"] > 0 for flag in flags)
    assert all(flag["second_lever"]["by_hand"] is None for flag in status["flags"])
    report = levered.run("report").stdout
    assert "second (balancer), pulled by kim; the first **not** at zero" in report
