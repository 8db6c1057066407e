"""Plugins as probes: real programs with every exit code, hostile words, secrets and too little time."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from cockpit.adapters.base import AdapterError, RefusedByService, ServiceTrouble, Unreachable
from cockpit.adapters.http import Web
from cockpit.adapters.probes.plugin import PluginProbe, PluginSettings, build
from cockpit.core.model import Fault, Health
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, TOKEN, assert_harmless
from tests.adapters.probes.rig import the_token
from tests.tables import written


def probe_of(web: Web, *argv: str, timeout_s: float = 20.0, **settings: object) -> PluginProbe:
    given = written(PluginSettings, {"command": list(argv), **settings})
    return build(given, web, the_token, timeout_s)


def sh(program: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", program)


async def trouble_of(probe: PluginProbe) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await probe.probe()
    assert_harmless(caught.value)
    return caught.value


@pytest.mark.parametrize(("code", "health"), [(0, Health.OK), (1, Health.DEGRADED), (2, Health.DOWN)])
async def test_the_exit_code_is_the_word(web: Web, code: int, health: Health) -> None:
    value = await probe_of(web, *sh(f"echo 'QUEUE is so | depth=7;5;9'; exit {code}")).probe()
    assert (value.health, value.detail) == (health, "QUEUE is so")
    assert dict(value.facts)["depth"] == "7 (warn 5, crit 9)"
    assert value.latency_ms is None


async def test_unknown_could_not_be_asked(web: Web) -> None:
    error = await trouble_of(probe_of(web, *sh("echo 'no such option'; exit 3")))
    assert isinstance(error, ServiceTrouble)
    assert error.failure.title == "sh says UNKNOWN: no such option"


@pytest.mark.parametrize(("end", "words"), [("exit 4", "exit code 4"), ("exit 127", "exit code 127")])
async def test_an_end_outside_the_convention_is_unknown(web: Web, end: str, words: str) -> None:
    error = await trouble_of(probe_of(web, *sh(f"echo fine; echo why >&2; {end}")))
    assert error.failure.title == f"sh ended with {words}"
    assert (error.failure.detail, error.failure.fault) == ("why", Fault.PLAN)


async def test_death_by_signal_is_unknown(web: Web) -> None:
    error = await trouble_of(probe_of(web, *sh("echo OK; kill -SEGV $$")))
    assert error.failure.title == "sh was ended by SIGSEGV"


async def test_critical_without_a_word_is_a_wrong_argument_and_not_down(web: Web) -> None:
    """What argparse does: usage on standard error, exit code 2."""
    program = "import argparse; argparse.ArgumentParser().parse_args(['--no-such-option'])"
    error = await trouble_of(probe_of(web, sys.executable, "-c", program))
    assert "says nothing: wrong arguments?" in error.failure.title
    assert error.failure.fault is Fault.PLAN


@pytest.mark.parametrize("code", [0, 1])
async def test_a_program_that_says_nothing_has_asked_nobody(web: Web, code: int) -> None:
    """/bin/true is no monitoring plugin, and a script whose check was never run ends with 0 as well."""
    error = await trouble_of(probe_of(web, *sh(f"exit {code}")))
    assert "says nothing" in error.failure.title


async def test_critical_because_the_plugin_could_not_ask_is_not_down(web: Web) -> None:
    says = sh("echo 'CRITICAL - Socket timeout after 10 seconds'; exit 2")
    error = await trouble_of(probe_of(web, *says))
    assert isinstance(error, Unreachable)
    assert error.failure.title == "sh could not ask: CRITICAL - Socket timeout after 10 seconds"
    assert (await probe_of(web, *says, could_not_ask=[]).probe()).health is Health.DOWN


async def test_one_number_may_be_the_latency(web: Web) -> None:
    value = await probe_of(web, *sh("echo 'OK|time=0.25s;1;2 size=7B'"), latency="time").probe()
    assert value.latency_ms == 250
    assert (await probe_of(web, *sh("echo 'OK|size=7B'"), latency="size").probe()).latency_ms is None


async def test_past_its_time_the_plugin_and_its_children_are_gone(web: Web, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = f"sleep 300 & echo $! > {pids}; echo $$ >> {pids}; echo OK; wait"
    error = await trouble_of(probe_of(web, *sh(program), timeout_s=2.0))
    assert isinstance(error, Unreachable)
    assert "did not end within 2 s" in error.failure.title
    psutil.wait_procs([psutil.Process(int(pid)) for pid in pids.read_text().split() if _runs(int(pid))], 10)
    assert not any(_runs(int(pid)) for pid in pids.read_text().split())


async def test_what_is_not_there_is_the_plans_fault(web: Web) -> None:
    error = await trouble_of(probe_of(web, "/no/such/plugin"))
    assert isinstance(error, RefusedByService)
    assert error.failure.fault is Fault.PLAN


async def test_endless_and_hostile_output_is_capped_and_cleaned(web: Web) -> None:
    program = (
        "import sys; sys.stdout.buffer.write(sys.argv[1].encode() * 20000 + b'\\xff|\\xfe=1'); sys.exit(1)"
    )
    text = EVIL.replace("\x00", "").replace("\ud83d", "").replace("\r\n", "")
    value = await probe_of(web, sys.executable, "-c", program, text).probe()
    assert value.health is Health.DEGRADED
    assert value.detail
    assert_harmless(value)


async def test_a_secret_is_handed_over_by_reference_and_comes_back_blank(web: Web) -> None:
    program = 'echo "OK with $DB_PASSWORD | \'$DB_PASSWORD\'=1"; echo "$DB_PASSWORD" >&2; exit $1'
    environment = {"DB_PASSWORD": {"env": "LEGACY_DB"}, "PLAIN": "x"}
    value = await probe_of(web, *sh(program), env=environment).probe()
    assert value.detail == "OK with [secret]"
    assert_harmless(value)
    error = await trouble_of(probe_of(web, *sh(program.replace("$1", "9")), env=environment))
    assert error.failure.detail == "[secret]"
    error = await trouble_of(probe_of(web, *sh(program.replace("$1", "3")), env=environment))
    assert TOKEN not in repr(error.failure)


async def test_the_environment_is_plain_and_in_one_language(
    web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UNLEASH_TOKEN", "throwaway")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("KRB5CCNAME", "somewhere")
    out = tmp_path / "env"
    program = sh(f"env > {out}; echo OK")
    await probe_of(web, *program, pass_env=["KRB5CCNAME"], env={"PGPORT": "5432"}).probe()
    seen = dict(line.split("=", 1) for line in out.read_text().splitlines())
    assert "UNLEASH_TOKEN" not in seen
    assert (seen["LC_ALL"], seen["KRB5CCNAME"], seen["PGPORT"]) == ("C.UTF-8", "somewhere", "5432")


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": []},
        {"command": "check_tcp -H db"},
        {"command": ["a", "b\0c"]},
        {"env": {"DB_PASSWORD": "hunter2"}},
        {"env": {"API_KEY": "hunter2"}},
        {"env": {"A=b": "c"}},
        {"pass_env": ["A b"]},
        {"could_not_ask": ["x"]},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems) as caught:
        written(PluginSettings, {"command": ["true"], **wrong})
    assert "hunter2" not in str(caught.value)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
