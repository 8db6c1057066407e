from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from cockpit.engine.journal_port import FailureKind, JournalFailure
from cockpit.engine.paths import (
    journal_path,
    secure_directory,
    secure_file,
    state_directory,
    system_failure,
)


@pytest.mark.parametrize(
    ("environ", "directory"),
    [
        ({"XDG_STATE_HOME": "/var/s", "HOME": "/home/a"}, "/var/s/cutover-cockpit"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.local/state/cutover-cockpit"),
        ({"XDG_STATE_HOME": "", "HOME": "/home/a"}, "/home/a/.local/state/cutover-cockpit"),
        ({"HOME": "/home/a"}, "/home/a/.local/state/cutover-cockpit"),
    ],
)
def test_the_state_directory_follows_the_xdg_rule(environ: dict[str, str], directory: str) -> None:
    assert state_directory(environ) == Path(directory)


def test_a_journal_is_named_after_its_plan(tmp_path: Path) -> None:
    path = journal_path(tmp_path / "Chat Sync — Größe (v2).toml", {"XDG_STATE_HOME": "/s"})
    name, _, digest = path.name.removesuffix(".journal").rpartition("-")
    assert name == "chat-sync-groe-v2"
    assert len(digest) == 12
    assert path.parent == Path("/s/cutover-cockpit")


@pytest.mark.parametrize("name", ["计划.toml", "---.toml", "x" * 200 + ".toml", "..toml", "a\nb\x1b.toml"])
def test_every_name_makes_a_plain_file_name(tmp_path: Path, name: str) -> None:
    made = journal_path(tmp_path / name, {"XDG_STATE_HOME": "/s"})
    assert made.parent == Path("/s/cutover-cockpit")
    assert len(made.name) < 80
    assert made.name.isascii() and made.name.isprintable() and not made.name.startswith(("-", "."))


def test_plans_of_one_name_in_two_places_are_two_flights(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": "/s"}
    first = journal_path(tmp_path / "a" / "plan.toml", environ)
    assert first != journal_path(tmp_path / "b" / "plan.toml", environ)


def test_every_way_to_one_plan_leads_to_one_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"XDG_STATE_HOME": "/s"}
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    straight = journal_path(tmp_path / "real" / "plan.toml", environ)
    assert journal_path(tmp_path / "link" / "plan.toml", environ) == straight
    assert journal_path(tmp_path / "real" / ".." / "real" / "plan.toml", environ) == straight
    monkeypatch.chdir(tmp_path / "real")
    assert journal_path(Path("plan.toml"), environ) == straight


def test_a_mounted_plan_whose_link_is_swapped_keeps_its_journal(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": "/s"}
    plan = tmp_path / "plan.toml"
    for version in ("v1", "v2"):
        (tmp_path / version).touch()
    plan.symlink_to("v1")
    before = journal_path(plan, environ)
    plan.unlink()
    plan.symlink_to("v2")
    assert journal_path(plan, environ) == before


def kind_of(path: Path, *, directory: bool) -> FailureKind:
    with pytest.raises(JournalFailure) as caught:
        secure_directory(path) if directory else secure_file(path)
    assert str(path) in caught.value.detail
    return caught.value.kind


def test_a_directory_is_made_closed_and_kept_closed(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    secure_directory(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    directory.chmod(0o755)
    secure_directory(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(mode)
    assert kind_of(directory, directory=True) is FailureKind.UNSAFE


def test_a_directory_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("elsewhere")
    assert kind_of(tmp_path / "link", directory=True) is FailureKind.UNSAFE


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert kind_of(tmp_path / "file", directory=True) is FailureKind.IO
    assert kind_of(tmp_path / "file" / "below", directory=True) is FailureKind.IO


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_is_refused(tmp_path: Path) -> None:
    directory, file = tmp_path / "theirs", tmp_path / "file"
    directory.mkdir(mode=0o700)
    file.touch(mode=0o600)
    for path in (directory, file):
        os.chown(path, 65534, 65534)
    assert kind_of(directory, directory=True) is FailureKind.UNSAFE
    assert kind_of(file, directory=False) is FailureKind.UNSAFE


def test_a_journal_that_others_could_read_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(mode=0o644)
    secure_file(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_journal_that_others_could_write_linked_or_special_is_refused(tmp_path: Path) -> None:
    loose, link, pipe = tmp_path / "loose", tmp_path / "link", tmp_path / "pipe"
    loose.touch()
    loose.chmod(0o622)
    link.symlink_to("loose")
    os.mkfifo(pipe, 0o600)
    for path in (loose, link, pipe):
        assert kind_of(path, directory=False) is FailureKind.UNSAFE
    assert kind_of(tmp_path / "none", directory=False) is FailureKind.MISSING


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, FailureKind.FULL),
        (errno.EROFS, FailureKind.READ_ONLY),
        (errno.EACCES, FailureKind.READ_ONLY),
        (errno.EIO, FailureKind.IO),
    ],
)
def test_the_system_s_complaints_are_told_apart(code: int, kind: FailureKind) -> None:
    failure = system_failure("It broke", Path("/x\x1b"), OSError(code, os.strerror(code)))
    assert failure.kind is kind
    assert "\x1b" not in failure.detail
