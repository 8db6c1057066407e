"""`cockpit announce --test`: one labelled message through the hook that was named, and only through it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Stage, run
from tests.real.alertmanager_server import alertmanager, api


@pytest.fixture
def told(stage: Stage, tmp_path: Path) -> Stage:
    """The stage with four announcements: two files, one without its secret, one that nobody takes."""
    with stage.plan_path.open("a") as plan:
        for name in ("record", "other"):
            plan.write(f'\n[[announce]]\nname = "{name}"\nkind = "file"\n')
            plan.write(f'path = "{tmp_path / name}"\non = ["declared"]\n')
        plan.write('\n[[announce]]\nname = "chat room"\nkind = "slack"\nurl = { env = "NO_SUCH" }\n')
        plan.write('on = ["declared"]\n')
        plan.write(
            '\n[[announce]]\nname = "refusing"\nkind = "command"\ncommand = ["false"]\non = ["closed"]\n'
        )
    return stage


def test_one_message_goes_where_it_was_sent(told: Stage, tmp_path: Path) -> None:
    ended = told.run("announce", "--test", "record")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "record: a line in record\n", "")
    (line,) = (tmp_path / "record").read_text().splitlines()
    body = json.loads(line)
    assert body["title"].startswith("[TEST, nothing happened]")
    assert (body["moment"], body["event_id"][:5]) == ("stage", "test:")
    assert not (tmp_path / "other").exists()
    assert told.kinds() == [], "a test is no flight"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("chat room", 1, "not delivered: env NO_SUCH"),
        ("refusing", 1, "ended with exit code 1"),
        ("nobody", 2, 'the plan names "record", "other", "chat room", "refusing"'),
    ],
)
def test_what_does_not_arrive_is_said(told: Stage, name: str, code: int, said: str) -> None:
    ended = told.run("announce", "--test", name)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert said in ended.stderr


def test_check_finds_a_missing_secret_and_sends_nothing(told: Stage, tmp_path: Path) -> None:
    lines = told.unhurried().run("check").stdout.splitlines()
    hooks = [line for line in lines if "announce " in line]
    assert [line[:4].strip() for line in hooks] == ["ok", "ok", "FAIL", "ok"]
    assert "NO_SUCH" in hooks[2]
    assert not (tmp_path / "record").exists()


@pytest.mark.real
def test_a_silence_that_was_a_test_is_ended_at_once(stage: Stage) -> None:
    with alertmanager() as server:
        with stage.plan_path.open("a") as plan:
            plan.write('\n[[announce]]\nname = "quiet"\nkind = "alertmanager_silence"\non = ["declared"]\n')
            plan.write(
                f'url = "{server.url}/alerts"\nmatchers = [{{ label = "alertname", value = "Low" }}]\n'
            )
        ended = run(stage.command("announce", "--test", "quiet"), env=stage.env)
        assert ended.returncode == 0, ended.stderr
        assert "has ended" in ended.stdout
        (silence,) = api(server, "silences")
        assert silence["status"]["state"] == "expired"
        assert silence["comment"].startswith("[TEST of ")
