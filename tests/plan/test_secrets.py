"""Secrets by reference: fetched from real files, variables and programs; never shown."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cockpit.core.secret import SecretRef
from cockpit.plan.secrets import SecretProblem, resolve

TOKEN = "s3cr3t-token"


def _file(directory: Path, content: bytes, mode: int = 0o600) -> SecretRef:
    path = directory / "token"
    path.write_bytes(content)
    path.chmod(mode)
    return SecretRef(file="token")


def _python(code: str, timeout_s: float = 10.0) -> SecretRef:
    return SecretRef(command=(sys.executable, "-c", code), timeout_s=timeout_s)


def _refusal(ref: SecretRef, base_dir: Path) -> str:
    with pytest.raises(SecretProblem) as raised:
        resolve(ref, base_dir=base_dir)
    assert TOKEN not in str(raised.value)
    assert str(raised.value).isprintable()
    return str(raised.value)


def test_a_variable_is_read_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COCKPIT_TOKEN", f"{TOKEN}\n")
    secret = resolve(SecretRef(env="COCKPIT_TOKEN"), base_dir=tmp_path)
    assert secret.reveal() == TOKEN
    assert TOKEN not in f"{secret!r}{secret}"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COCKPIT_TOKEN", raising=False)
    assert _refusal(SecretRef(env="COCKPIT_TOKEN"), tmp_path) == "env COCKPIT_TOKEN: is not set"


def test_an_empty_variable_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COCKPIT_TOKEN", " \n")
    assert _refusal(SecretRef(env="COCKPIT_TOKEN"), tmp_path) == "env COCKPIT_TOKEN: is empty"


def test_a_private_file_is_read_beside_the_plan(tmp_path: Path) -> None:
    assert resolve(_file(tmp_path, TOKEN.encode() + b"\r\n"), base_dir=tmp_path).reveal() == TOKEN


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    assert "group or others can read or change it" in _refusal(
        _file(tmp_path, TOKEN.encode(), mode), tmp_path
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    ref = _file(tmp_path, TOKEN.encode())
    os.chown(tmp_path / "token", 12345, 12345)
    assert _refusal(ref, tmp_path) == "file token: belongs to another user"


def test_what_is_not_a_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert _refusal(SecretRef(file="pipe"), tmp_path) == "file pipe: is not a regular file"
    assert _refusal(SecretRef(file="none"), tmp_path) == "file none: No such file or directory"
    assert "directory" in _refusal(SecretRef(file="."), tmp_path)


@pytest.mark.parametrize(
    "content",
    [f"{TOKEN}\nX-Evil: 1".encode(), f"{TOKEN}\x1b[2J".encode(), f"{TOKEN}\xe9".encode(), b"\xff\xfe"],
)
def test_what_would_break_a_header_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "ASCII" in _refusal(_file(tmp_path, content), tmp_path)


def test_a_huge_file_is_no_secret(tmp_path: Path) -> None:
    assert "too long" in _refusal(_file(tmp_path, b"x" * 1_000_000), tmp_path)


def test_a_program_prints_the_secret(tmp_path: Path) -> None:
    assert resolve(_python(f"print({TOKEN!r})"), base_dir=tmp_path).reveal() == TOKEN


def test_a_program_runs_in_the_plans_directory_without_a_shell(tmp_path: Path) -> None:
    ref = SecretRef(
        command=(sys.executable, "-c", "import os, sys; print(os.getcwd(), sys.argv[1])", "$HOME;x")
    )
    assert resolve(ref, base_dir=tmp_path).reveal() == f"{tmp_path} $HOME;x"


def test_a_program_that_fails_is_quoted_from_its_errors_alone(tmp_path: Path) -> None:
    ref = _python(f"import sys; print({TOKEN!r}); sys.exit('\\x1b[31mno such entry\\nmore')")
    said = _refusal(ref, tmp_path)
    assert said.endswith("[31mno such entry") and "ended with status 1: " in said


def test_a_program_that_is_killed_or_missing_is_said_so(tmp_path: Path) -> None:
    assert "was ended by signal 9" in _refusal(_python("import os; os.kill(os.getpid(), 9)"), tmp_path)
    assert _refusal(SecretRef(command=("./none",)), tmp_path).startswith("command ./none: ")


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    assert "did not end within 0.2s" in _refusal(_python("import time; time.sleep(60)", 0.2), tmp_path)


def test_a_program_that_prints_without_end_is_ended(tmp_path: Path) -> None:
    assert "did not end within 0.5s" in _refusal(SecretRef(command=("yes", TOKEN), timeout_s=0.5), tmp_path)


def test_a_program_cannot_hold_us_up_with_a_child_that_keeps_the_pipe(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n    os.setsid(); time.sleep(20); os._exit(0)\n"
        f"print({TOKEN!r}, flush=True); os._exit(0)"
    )
    assert resolve(_python(code), base_dir=tmp_path).reveal() == TOKEN


def test_a_program_that_prints_nothing_gives_no_secret(tmp_path: Path) -> None:
    assert _refusal(_python(""), tmp_path).endswith(": is empty")
