"""A program as a flag service: real programs, their answers and every way in which they can end."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble, Unreachable
from cockpit.adapters.flags.command import (
    CommandFlagSettings,
    CommandReader,
    CommandWriter,
    build_reader,
    build_writer,
)
from cockpit.adapters.http import Web
from cockpit.core.clean import Percent
from cockpit.core.model import FlagValue, WriteOutcome
from cockpit.core.secret import Secret, SecretRef
from cockpit.plan.problems import PlanProblems
from tests.adapters.probes.hostile import EVIL, TOKEN, assert_harmless
from tests.tables import written

STORE = """
import json, sys
store, asked = sys.argv[1], json.load(sys.stdin)
flags = json.load(open(store))
if asked["action"] != "read":
    key = asked["flag"]
    if asked["action"] == "set":
        if asked["expected"]["revision"] != str(flags[key]["revision"]):
            print("somebody else changed it", file=sys.stderr)
            sys.exit(3)
        flags[key].update(on=True, percent=asked["percent"])
    elif asked["action"] == "kill":
        flags[key].update(on=False)
    else:
        flags[key].update(percent=0)
    flags[key]["revision"] += 1
    json.dump(flags, open(store, "w"))
print(json.dumps(flags))
"""


def secret(ref: SecretRef) -> Secret:
    return Secret(TOKEN)


def both(*argv: str, timeout_s: float = 20.0, **more: object) -> tuple[CommandReader, CommandWriter]:
    settings = written(CommandFlagSettings, {"read": list(argv), "write": list(argv), **more})
    writer = build_writer(settings, Web(), secret, timeout_s)
    assert writer is not None
    return build_reader(settings, Web(), secret, timeout_s), writer


def sh(program: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", program)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"chat": {"on": True, "percent": 25, "revision": 7, "changed_by": "ana"}}))
    return file


async def value_of(reader: CommandReader) -> FlagValue:
    value = (await reader.read(["chat"]))["chat"]
    assert isinstance(value, FlagValue), value
    return value


async def test_a_flag_is_read_set_switched_off_and_put_to_zero(store: Path) -> None:
    reader, writer = both(sys.executable, "-c", STORE, str(store))
    seen = await value_of(reader)
    assert (seen.on, seen.percent, seen.revision, seen.changed_by) == (True, Percent(2500), "7", "ana")
    assert (await writer.set_percent("chat", Percent(5000), expected=seen)).outcome is WriteOutcome.DONE
    assert (await value_of(reader)).exposure == Percent(5000)
    assert (await writer.kill("chat")).outcome is WriteOutcome.DONE
    assert (await value_of(reader)).exposure == Percent(0)
    assert (await value_of(reader)).percent == Percent(5000)
    assert (await writer.zero("chat")).outcome is WriteOutcome.DONE
    assert (await value_of(reader)).percent == Percent(0)


async def test_a_guard_that_does_not_hold_is_a_refusal(store: Path) -> None:
    reader, writer = both(sys.executable, "-c", STORE, str(store))
    seen = await value_of(reader)
    await writer.zero("chat")
    result = await writer.set_percent("chat", Percent(5000), expected=seen)
    assert result.outcome is WriteOutcome.REFUSED and not result.unsent
    assert "somebody else changed it" in result.detail
    assert (await value_of(reader)).exposure == Percent(0)


@pytest.mark.parametrize(
    ("program", "outcome", "words"),
    [
        ("echo no >&2; exit 3", WriteOutcome.REFUSED, "refused: no"),
        ("exit 1", WriteOutcome.UNKNOWN, "exit code 1"),
        ("kill -KILL $$", WriteOutcome.UNKNOWN, "SIGKILL"),
        ("echo done", WriteOutcome.UNKNOWN, "did not answer with one JSON object"),
        ("echo '[]'", WriteOutcome.UNKNOWN, "did not answer with one JSON object"),
        ("echo '{}'", WriteOutcome.UNKNOWN, "does not tell whether chat is on"),
        ('echo \'{"chat": {"on": true, "percent": 25}}\'', WriteOutcome.UNKNOWN, "another setting"),
        ('echo \'{"chat": {"on": true, "percent": 1e999}}\'', WriteOutcome.UNKNOWN, "finite"),
        ('echo \'{"chat": {"error": "locked"}}\'', WriteOutcome.UNKNOWN, "locked"),
        ('echo \'{"chat": {"on": false, "percent": 25}}\'', WriteOutcome.DONE, "says 0%"),
    ],
)
async def test_how_a_write_ends(program: str, outcome: WriteOutcome, words: str) -> None:
    _, writer = both(*sh(program))
    result = await writer.kill("chat")
    assert (result.outcome, result.unsent) == (outcome, False), result
    assert words in result.detail


async def test_a_program_that_is_not_there_never_left() -> None:
    reader, writer = both("/no/such/lever")
    result = await writer.kill("chat")
    assert result.outcome is WriteOutcome.REFUSED and result.unsent
    with pytest.raises(RefusedByService):
        await reader.read(["chat"])
    assert [line.ok for line in await writer.preflight(["chat"])] == [False]


async def test_past_its_time_a_write_is_unknown_and_the_whole_group_is_gone(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    reader, writer = both(*sh(f"sleep 300 & echo $! > {pids}; echo $$ >> {pids}; wait"), timeout_s=0.5)
    result = await writer.kill("chat")
    assert result.outcome is WriteOutcome.UNKNOWN and "did not end within 0.5 s" in result.detail
    numbers = [int(pid) for pid in pids.read_text().split()]
    psutil.wait_procs([psutil.Process(pid) for pid in numbers if psutil.pid_exists(pid)], 10)
    assert not any(_runs(pid) for pid in numbers)
    with pytest.raises(Unreachable):
        await reader.read(["chat"])


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("exit 3", ServiceTrouble),
        ("echo '{'", BrokenAnswer),
        ("head -c 200000 /dev/zero | tr '\\0' '['", BrokenAnswer),
        ("printf '\\377'", BrokenAnswer),
    ],
)
async def test_a_read_that_gives_no_flags_is_an_error_of_the_service(
    program: str, error: type[AdapterError]
) -> None:
    reader, _ = both(*sh(program))
    with pytest.raises(error) as caught:
        await reader.read(["chat"])
    assert_harmless(caught.value)


async def test_every_flag_has_its_own_answer_or_its_own_error() -> None:
    told = {
        "plain": {"on": True, "percent": 25},
        "split": {"on": True, "percent": None},
        "wild": {"on": True, "percent": 250},
        "gone": {"error": EVIL},
    }
    reader, _ = both(sys.executable, "-c", f"print({json.dumps(told)!r})")
    found = await reader.read([*told, "untold"])
    assert isinstance(found["plain"], FlagValue) and found["plain"].exposure == Percent(2500)
    assert isinstance(found["split"], FlagValue) and found["split"].exposure is None
    assert found["split"].complexities
    assert isinstance(found["wild"], BrokenAnswer) and isinstance(found["untold"], BrokenAnswer)
    assert isinstance(found["gone"], RefusedByService)
    assert_harmless(found["gone"])


async def test_secrets_are_handed_over_by_reference_and_come_back_blank() -> None:
    program = 'echo "$LB_TOKEN" >&2; echo "{\\"chat\\": {\\"error\\": \\"$LB_TOKEN\\"}}"; exit ${CODE:-0}'
    reader, writer = both(*sh(program), env={"LB_TOKEN": {"env": "LB"}})
    found = (await reader.read(["chat"]))["chat"]
    assert isinstance(found, AdapterError) and "[secret]" in found.failure.title
    _, writer = both(*sh("echo $LB_TOKEN >&2; exit 3"), write_env={"LB_TOKEN": {"env": "LB"}})
    result = await writer.kill("chat")
    assert "[secret]" in result.detail and TOKEN not in repr(result)


@pytest.mark.parametrize(
    "told",
    ['pa"ss\\word/1', "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n-----END KEY-----", "schlüssel-für-alle"],
)
async def test_no_escape_line_or_cut_brings_a_secret_back(told: str) -> None:
    """Escaped in JSON, line by line on standard error, and at the place where a long line is cut."""
    program = (
        "import json, os, sys; key = os.environ['KEY'];"
        "print(key.splitlines()[-1], file=sys.stderr);"
        "print(json.dumps({'chat': {'error': key}})); sys.exit(3 if 'kill' in sys.stdin.read() else 0)"
    )
    argv = [sys.executable, "-c", program]
    settings = written(CommandFlagSettings, {"read": argv, "write": argv, "env": {"KEY": {"env": "KEY"}}})
    reader = build_reader(settings, Web(), lambda ref: Secret(told), 20.0)
    found = (await reader.read(["chat"]))["chat"]
    assert isinstance(found, AdapterError) and found.failure.title.endswith("[secret]")
    writer = build_writer(settings, Web(), lambda ref: Secret(told), 20.0)
    assert writer is not None
    result = await writer.kill("chat")
    assert "[secret]" in result.detail
    cut = [*sh('printf "%0150d%s" 0 "$KEY" >&2; exit 3')]
    settings = written(CommandFlagSettings, {"read": cut, "write": cut, "env": {"KEY": {"env": "KEY"}}})
    writer = build_writer(settings, Web(), lambda ref: Secret(told), 20.0)
    assert writer is not None
    assert told[:6] not in (await writer.kill("chat")).detail


def test_without_a_program_to_write_with_there_is_no_writer() -> None:
    asked: list[str] = []

    def counted(ref: SecretRef) -> Secret:
        asked.append(str(ref))
        return Secret(TOKEN)

    given = {"read": ["lever"], "env": {"A": {"env": "READ"}}, "write_env": {"B": {"env": "WRITE"}}}
    settings = written(CommandFlagSettings, given)
    assert build_writer(settings, Web(), counted, 1.0) is None
    build_reader(settings, Web(), counted, 1.0)
    assert asked == ["env READ"], "who only reads asks for no secret to write with"


@pytest.mark.parametrize(
    "broken",
    [{"read": []}, {"read": "lb show"}, {"read": ["lb"], "env": {"TOKEN": "plain"}}, {"write": ["lb"]}],
)
def test_settings_take_argument_lists_and_secrets_by_reference_only(broken: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(CommandFlagSettings, broken)
