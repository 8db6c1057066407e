"""Loading: what is not a plan at all, what a plan becomes, and that nothing but PlanProblems comes out."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from cockpit.core.spec import HookMoment
from cockpit.plan.load import SIZE_LIMIT, load
from cockpit.plan.problems import PlanProblems
from tests.plan.plans import KINDS, SMALL, changed, load_text, problems_of
from tests.tables import written


def _only_problem(path: Path) -> str:
    with pytest.raises(PlanProblems) as raised:
        load(path, KINDS)
    (problem,) = raised.value.problems
    assert str(problem).startswith(f"{path}:{problem.line}: ")
    return f"{problem.line}: {problem.text}"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert _only_problem(tmp_path / "none.toml") == "1: there is no such file; expected a plan in TOML"


def test_a_directory_is_no_plan(tmp_path: Path) -> None:
    assert _only_problem(tmp_path) == "1: is a directory; expected a plan in TOML"


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in _only_problem(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_path_that_cannot_be_is_a_problem(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanProblems, match="cannot be read"):
        load(tmp_path / name, KINDS)


def test_a_file_of_five_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.toml"
    path.write_bytes(b"#" * 5_000_000)
    assert _only_problem(path) == f"1: is too large for a plan; expected at most {SIZE_LIMIT // 1024} KiB"


def test_bytes_that_are_not_utf_8_are_found_at_their_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'title = "x"\n# caf\xe9\n')
    assert _only_problem(path) == "2: is not UTF-8 text; expected a plan in TOML"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('title = "x"\ntitle = "y"\n', "2: column 12: not TOML: Cannot overwrite a value"),
        ("title = \n", "1: column 9: not TOML: Invalid value"),
        ('title = "x"\n[flag\n', "2: column 6: not TOML: "),
        ('title = "x\x1b[2J"\n', "1: column "),
        ("a = " + "9" * 5000 + "\n", "1: not TOML: "),
        ('title = "x', "1: not TOML: "),
        ("a = " + "[" * 100_000, "1: is nested too deeply for a plan"),
        ("title = 1\n" + ".".join(["a"] * 100_000) + " = 1", "2: is nested too deeply for a plan"),
        ("[" + ".".join(['"a"'] * 60_000) + "]", "1: is nested too deeply for a plan"),
        (".".join(["a"] * 20) + " = 1", "1: is nested too deeply for a plan"),
        ("a = " + "[" * 20 + "]" * 20, "1: is nested too deeply for a plan"),
    ],
)
def test_text_that_is_not_toml_is_said_where(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    said = _only_problem(path)
    assert said.startswith(expected)
    assert said.isprintable()


def test_an_empty_file_misses_what_a_plan_needs(tmp_path: Path) -> None:
    said = problems_of("", tmp_path)
    missing = ["backend", "environment", "flag", "flag_service", "title"]
    assert [line.split(": ")[1] for line in said] == missing
    assert all("is missing; expected" in line for line in said)


def test_digest_and_source_say_which_file_it_was(tmp_path: Path) -> None:
    plan = load_text(SMALL, tmp_path)
    assert plan.digest == sha256(SMALL.encode()).hexdigest()
    assert plan.source == str(tmp_path / "plan.toml")


def test_a_byte_order_mark_and_windows_line_ends_are_borne(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path, KINDS).flags == load_text(SMALL, tmp_path).flags


def test_loading_twice_gives_equal_plans_that_cannot_be_changed(tmp_path: Path) -> None:
    plan = load_text(SMALL, tmp_path)
    assert load_text(SMALL, tmp_path) == plan
    assert hash(plan.rollback) == hash(load_text(SMALL, tmp_path).rollback)
    with pytest.raises(FrozenInstanceError):
        plan.title = "other"  # type: ignore[misc]


def test_sources_take_the_interval_of_their_poll_unless_they_name_their_own(tmp_path: Path) -> None:
    plan = load_text(
        changed(
            '[monitor.prom]\nkind = "prometheus"', '[monitor.prom]\nkind = "prometheus"\ninterval = "20s"'
        )
        + '\n[poll]\nflags = "4s"\nprobes = "1s"\n',
        tmp_path,
    )
    assert [(one.interval_s, one.timeout_s) for one in plan.flag_services] == [(4.0, 3.0)]
    assert [(one.interval_s, one.timeout_s) for one in plan.monitors] == [(20.0, 5.0)]
    assert {probe.timeout_s for backend in plan.backends for probe in backend.probes} == {0.75}


def test_times_become_utc_and_escalation_a_share_of_the_budget(tmp_path: Path) -> None:
    plan = load_text(
        changed('budget = "15m"', 'budget = "10m"\npoint_of_no_return = 2026-09-01T08:00:00+02:00'), tmp_path
    )
    assert plan.rollback.point_of_no_return_at == datetime(2026, 9, 1, 6, tzinfo=UTC)
    assert plan.rollback.escalate_after_s == 480


def test_hooks_keep_their_moments_and_settings(tmp_path: Path) -> None:
    plan = load_text(
        SMALL
        + '[[announce]]\nname = "pager"\nkind = "command"\ncommand = ["page"]\non = ["flipped", "closed"]\n',
        tmp_path,
    )
    (hook,) = plan.announce
    assert hook.moments == (HookMoment.FLIPPED, HookMoment.CLOSED)
    assert hook.settings == written(KINDS.announcers["command"], {"command": ("page",)})


def test_a_note_of_several_lines_becomes_one_clean_line(tmp_path: Path) -> None:
    plan = load_text(
        changed('title = "Writes"', 'title = "Writes"\nnote = """\nfirst\nsecond\n"""'), tmp_path
    )
    assert plan.flag("chat_writes").note == "first second"
