"""Heartbeats on the disk: the kernel tells who lives, whatever lies in the folder and whoever reads it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_beats import BeatShelf
from cockpit.engine.journal_port import Beat, FailureKind, JournalFailure

LIVES = """
import sys
from pathlib import Path
from cockpit.engine.journal_beats import BeatShelf
from cockpit.engine.journal_port import Beat
shelf = BeatShelf(Path(sys.argv[1]))
for count, line in enumerate(sys.stdin, start=1):
    shelf.beat(Beat(session="child", operator="kim", host="ops-9", count=count))
    print(count, flush=True)
"""
KIM = Beat(session="child", operator="kim", host="ops-9", count=1)
OWN = Beat(session="own", operator="ana", host="ops-1", count=1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "flight.journal"


@pytest.fixture
def child(place: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", LIVES, str(place)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        beats(process)
        yield process
        process.kill()


def beats(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("beat\n")
    process.stdin.flush()
    assert process.stdout.readline()


def test_another_process_is_seen_to_live_and_to_beat(place: Path, child: subprocess.Popen[str]) -> None:
    shelf = BeatShelf(place)
    assert shelf.beats(sweep=True) == (KIM,)
    beats(child)
    assert [beat.count for beat in shelf.beats(sweep=True)] == [2]
    (file,) = place.parent.glob("*.seat.*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_killed_process_is_gone_at_once_and_is_swept_away(
    place: Path, child: subprocess.Popen[str]
) -> None:
    shelf = BeatShelf(place)
    child.kill()
    child.wait()
    assert shelf.beats(sweep=False) == ()
    assert list(place.parent.glob("*.seat.*")), "who only looks on changes nothing"
    assert shelf.beats(sweep=True) == ()
    assert not list(place.parent.glob("*.seat.*"))


def test_a_beat_comes_back_after_somebody_swept_the_folder(place: Path) -> None:
    shelf, other = BeatShelf(place), BeatShelf(place)
    shelf.beat(OWN)
    (file,) = place.parent.glob("*.seat.*")
    file.unlink()
    assert other.beats(sweep=True) == ()
    shelf.beat(OWN)
    assert other.beats(sweep=True) == (OWN,)
    shelf.close()
    assert not list(place.parent.iterdir())


@pytest.mark.parametrize("line", [b"", b"{", b"[1]\n", b'{"count": "x", "operator": 3}\n', b"\xff\xfe"])
def test_one_that_says_nothing_sensible_lives_all_the_same(place: Path, line: bytes) -> None:
    file = place.with_name("flight.journal.seat.odd")
    file.write_bytes(line)
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (beat,) = BeatShelf(place).beats(sweep=True)
    assert (beat.session, beat.count) == ("odd", 0)


def test_names_from_the_disk_are_made_harmless(place: Path) -> None:
    shelf, other = BeatShelf(place), BeatShelf(place)
    shelf.beat(Beat(session="own", operator="a\x1b[2Jna", host="h" * 5000, count=1))
    (beat,) = other.beats(sweep=True)
    assert "\x1b" not in beat.operator and len(beat.host) <= 100
    shelf.close()


def test_a_session_is_no_path(place: Path) -> None:
    with pytest.raises(JournalFailure) as caught:
        BeatShelf(place).beat(Beat(session="../x", operator="ana", host="h", count=1))
    assert caught.value.kind is FailureKind.UNFIT


def test_a_beat_that_cannot_be_given_says_what_the_disk_said_and_leaves_no_descriptor(tmp_path: Path) -> None:
    """It is tried four times a second: a descriptor each time would leave none for the rollback."""
    shelf = BeatShelf(tmp_path / "not there" / "flight.journal")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(JournalFailure, match="heartbeat"):
            shelf.beat(OWN)
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_the_file_system_knows_no_locks_everybody_counts_as_alive(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then only silence tells: taking one for gone who lives would be worse."""

    def no_locks(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    shelf, other = BeatShelf(place), BeatShelf(place)
    shelf.beat(OWN)
    assert other.beats(sweep=True) == (OWN,)
    shelf.close()


def test_who_only_reads_the_journal_sees_the_beats_and_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "state" / "flight.journal"
    driving = SqliteJournal(path)
    driving.beat(OWN)
    looking = SqliteJournal(path, read_only=True)
    assert looking.beats() == (OWN,)
    with pytest.raises(JournalFailure) as caught:
        looking.beat(OWN)
    assert caught.value.kind is FailureKind.READ_ONLY
    driving.close()
    assert looking.beats() == ()
    looking.close()
