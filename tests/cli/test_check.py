"""`cockpit check`: the plan alone, then every service it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.cli.checking import run_check
from cockpit.core import textual_release
from tests.e2e.conftest import COCKPIT, FLAGS, ROOT, Stage, run, staged
from tests.e2e.terminal import Terminal, wait_until

WRITE_TOKEN = 'write_token = { env = "UNLEASH_WRITE_TOKEN" }'
PROBLEM = re.compile(r".*broken\.toml:\d+: \S.*: .+")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Every service has fifteen seconds to answer: these tests ask what is said, and not how soon."""
    with staged(tmp_path) as hasty:
        yield hasty.unhurried("20s")


def asking(stage: Stage, *words: str) -> Stage:
    """Status waits for second polls: on the plan file as it was staged they come soon."""
    return stage if words[0] == "check" else replace(stage, plan_path=stage.plan_path.with_name("night.toml"))


def test_a_good_plan_offline(stage: Stage) -> None:
    told = stage.run("check", "--offline")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == f"{stage.plan_path}: a good plan (3 flags, 3 signals)\n"


SWITCHED = (
    (
        """stages = [
  { percent = 10, cohort = "internal", hold = "45s" },
  { percent = 25, cohort = "beta", hold = "60s" },
  { percent = 100, cohort = "all" },
]""",
        "stages = [{ percent = 100 }]",
    ),
    ("limit = { max_pct = 5, breaches = 3, window = 5, min_total = 20 }", ""),
    ("limit = { max_pct = 25 }", ""),
)


def test_switches_that_nothing_would_judge_are_warned_of_and_fail_nothing(stage: Stage) -> None:
    blind = stage.changed(*SWITCHED)
    offline = blind.run("check", "--offline")
    good, *warned = offline.stdout.splitlines()
    assert offline.returncode == 0 and good.endswith("a good plan (3 flags, 3 signals)")
    assert [line.partition(":")[0] for line in warned] == [f"warn  flag {flag}" for flag in FLAGS]
    told = blind.run("check")
    lines = told.stdout.splitlines()
    assert (told.returncode, told.stderr) == (0, "")
    assert sum(line.startswith("warn  flag ") for line in lines) == 3
    assert lines[-1].endswith(" ok, 0 failed, 0 could not be found out, 3 warned of")


def test_every_problem_of_a_broken_plan_at_its_line() -> None:
    broken = ROOT / "sample_configs" / "broken.toml"
    told = run([*COCKPIT, "check", str(broken), "--offline"], env={})
    *problems, count = told.stderr.splitlines()
    assert told.returncode == 2 and told.stdout == ""
    assert [line for line in problems if not PROBLEM.fullmatch(line)] == []
    promised = {
        f"{broken}:{number}: {problem}"
        for number, line in enumerate(broken.read_text().splitlines(), start=1)
        if "#!" in line and not line.startswith("#")
        for problem in line.split("#!")[1].strip().split(" | ")
    }
    assert [each for each in promised if not any(line.startswith(each) for line in problems)] == []
    assert count == f"{len(problems)} problems in the plan; nothing was started"


def test_a_broken_plan_leaves_the_terminal_as_it_was(stage: Stage) -> None:
    broken = stage.changed(("[judge]", "[jugde]"))
    with Terminal(broken.command("fly"), env=stage.env) as terminal:
        wait_until(lambda: terminal.process.poll() is not None, "the process ended")
        terminal.expect("nothing was started")
        assert terminal.process.returncode == 2
        assert b"\x1b" not in terminal.raw


def test_all_services_answer(stage: Stage) -> None:
    told = stage.run("check")
    lines = told.stdout.splitlines()
    assert (told.returncode, told.stderr) == (0, "")
    assert all(line.startswith("ok  ") for line in lines[:-1])
    for said in (*FLAGS, "the write token may write", "gives one number", "sync api", "deployment"):
        assert any(said in line for line in lines[:-1])
    assert lines[-1] == f"{len(lines) - 1} ok, 0 failed, 0 could not be found out"


def test_a_textual_that_gets_plain_output_is_warned_of(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who flies over a slow link would feel it, and should know before the night."""
    for name, value in stage.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(textual_release, "KNOWN", frozenset({"8.1.0"}))
    assert run_check(stage.plan_path, offline=False) == 0
    told = capsys.readouterr().out.splitlines()
    assert any(line.startswith("warn  screen ") and "plain output" in line for line in told)
    assert told[-1].endswith("1 warned of")


def test_the_requests_that_a_plan_sends_to_each_host_are_told(stage: Stage) -> None:
    told = stage.run("check")
    rates = re.findall(r"(?m)^ok    (\S+) +requests a minute: (\S+); no limit known \((.*)\)$", told.stdout)
    by = {asking: (host, figure) for host, figure, asking in rates}
    practice = stage.practice.urls["unleash"].removeprefix("http://")
    assert by["flags main 9"] == (practice, "9")
    assert by["legacy sync api 3, legacy sync queue 3"][1] == "6"
    assert len(re.findall("(?m)^ok .* clocks within a second: they agree$", told.stdout)) == len(rates) == 5


def test_what_the_monitor_remembers_is_told_and_counted_into_the_first_minute(stage: Stage) -> None:
    told = stage.run("check").stdout
    line = next(line for line in told.splitlines() if "remembers the signals" in line)
    said = r"ok    monitor prom +remembers the signals \(drawn, never judged\): \d+ of 10 counters"
    assert re.match(said, line)
    rate = next(each for each in told.splitlines() if "monitor prom " in each and "requests a minute" in each)
    assert re.search(r"monitor prom 3[,)]", rate), "one request in each poll, every twenty seconds"
    asked = re.search(r"past of prom, once (\d+)", rate)
    assert asked is not None and 1 <= int(asked[1]) <= 10


def test_what_the_drain_will_wait_for_is_told(stage: Stage) -> None:
    gauge = """
[[rollback.drain]]
name = "sockets"
side = "new"
monitor = "prom"
query = 'sum(cutover_requests_total{backend="new"})'
below = 1
owner = "ana"
"""
    stage.plan_path.write_text(stage.plan_path.read_text() + gauge)
    told = stage.run("check").stdout
    line = next(line for line in told.splitlines() if "drain sockets" in line)
    assert line.startswith("ok") and "new, below 1 by prom; the step drain waits for it, ask ana" in line


def test_a_person_reads_it_within_the_width_of_the_terminal(stage: Stage) -> None:
    with Terminal(stage.command("check"), env={**stage.env, "COLUMNS": "80"}) as terminal:
        wait_until(lambda: terminal.process.poll() is not None, "the process ended", 40)
        terminal.expect("could not be found out")
        lines = terminal.raw.decode().splitlines()
    assert max(len(line) for line in lines) <= 80
    assert [line for line in lines if not re.match("ok  |FAIL|[?]   |      |[0-9]+ ok", line)] == []


def test_no_secret_is_ever_printed(stage: Stage) -> None:
    for token in ("practice-as-driver", "wrong-token"):
        for words in (("check",), ("status", "--json")):
            told = asking(stage, *words).run(*words, UNLEASH_WRITE_TOKEN=token, UNLEASH_READ_TOKEN=token)
            assert token not in told.stdout + told.stderr


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("wrong-token", "does not accept the credential (HTTP 401)"),
        ("viewer-token", "it lacks UPDATE_FEATURE"),
    ],
)
def test_a_write_token_that_may_not_write_is_1(stage: Stage, token: str, said: str) -> None:
    told = stage.run("check", UNLEASH_WRITE_TOKEN=token)
    assert told.returncode == 1
    assert any(
        line.startswith("FAIL") and "write token" in line and said in line
        for line in told.stdout.splitlines()
    )


def test_a_plan_without_a_write_token_is_1(stage: Stage) -> None:
    told = stage.changed((WRITE_TOKEN, "")).run("check")
    assert told.returncode == 1
    assert "this cockpit can watch but not roll back" in told.stdout


def test_what_cannot_be_found_out_is_3(stage: Stage) -> None:
    stage.inject("flag_service_down", kind="refused")
    told = stage.run("check")
    assert told.returncode == 3, told.stdout
    assert re.search(r"^\?     chat_writes .*connection refused", told.stdout, re.MULTILINE)
    assert not re.search("^FAIL", told.stdout, re.MULTILINE)
    stage.clear()
    stage.inject("metrics_empty")
    told = stage.run("check")
    assert told.returncode == 3
    assert "no series matched (this is not zero)" in told.stdout


def test_a_backend_that_is_down_is_1(stage: Stage) -> None:
    stage.inject("legacy_sick")
    told = stage.run("check")
    assert told.returncode == 1
    assert re.search(r"^FAIL  legacy sync api .*down answers 503", told.stdout, re.MULTILINE)


def test_hostile_answers_cannot_paint(stage: Stage) -> None:
    stage.inject("hostile_text")
    for words in (("check",), ("status",), ("status", "--json")):
        told = asking(stage, *words).run(*words)
        assert told.returncode in (0, 1, 3)
        assert all(line.isprintable() for line in told.stdout.splitlines())


@pytest.mark.parametrize(
    "command", [("check",), ("fly",), ("rollback", "--reason", "x")], ids=lambda words: words[0]
)
class TestSecretsThatCannotBeHad:
    """Words on stderr and exit 2, before anything is started."""

    def test_an_unset_variable(self, stage: Stage, command: tuple[str, ...]) -> None:
        env = {name: value for name, value in stage.env.items() if name != "UNLEASH_WRITE_TOKEN"}
        self._refused(stage, command, env, "flag_service.main: env UNLEASH_WRITE_TOKEN: is not set")

    def test_all_that_is_missing_is_told_at_once(self, stage: Stage, command: tuple[str, ...]) -> None:
        env = {name: value for name, value in stage.env.items() if not name.startswith("UNLEASH_")}
        for name in ("READ", "WRITE"):
            self._refused(stage, command, env, f"flag_service.main: env UNLEASH_{name}_TOKEN: is not set\n")

    def test_a_file_that_others_can_read(
        self, stage: Stage, command: tuple[str, ...], tmp_path: Path
    ) -> None:
        secret = tmp_path / "token"
        secret.write_text("practice-as-driver")
        secret.chmod(0o644)
        readable = stage.changed((WRITE_TOKEN, 'write_token = { file = "token" }'))
        self._refused(readable, command, stage.env, "file token: group or others can read or change it")

    def _refused(self, stage: Stage, command: tuple[str, ...], env: Mapping[str, str], said: str) -> None:
        with Terminal(stage.command(*command), env=env) as terminal:
            wait_until(lambda: terminal.process.poll() is not None, "the process ended")
            terminal.expect(said)
            assert terminal.process.returncode == 2
            assert b"\x1b" not in terminal.raw and b"Traceback" not in terminal.raw
            assert b"practice-as" not in terminal.raw
        assert stage.kinds() == []
