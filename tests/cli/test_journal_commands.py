"""`cockpit journal verify` and `export`: whole, broken, damaged, somebody else's, and what is no journal."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import pytest

from cockpit.core.events import Kind
from cockpit.core.flight import fold
from cockpit.engine.journal import SqliteJournal
from cockpit.engine.journal_port import Draft, ResumePoint
from cockpit.engine.journal_resume import encode
from cockpit.engine.paths import journal_path

AT = datetime(2031, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
COCKPIT = [sys.executable, "-m", "cockpit"]
FOREIGN_OWNER = 12345


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Only a name: neither command reads the plan."""
    return tmp_path / "night.toml"


@pytest.fixture
def path(plan: Path, env: Mapping[str, str]) -> Path:
    """The plan's journal with five events in it, closed."""
    path = journal_path(plan, env)
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 5)
    return path


def fill(journal: SqliteJournal, count: int) -> None:
    drafts = [Draft(kind=Kind.NOTE_ADDED, body={"text": f"Zürich {n}", "pct": 0.5 * n}) for n in range(count)]
    journal.append_many(drafts, actor="ana", at=AT, expected_seq=journal.last_seq())


def cockpit(env: Mapping[str, str], *words: object) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [*COCKPIT, *map(str, words)],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert "Traceback" not in ended.stdout + ended.stderr, ended.stderr
    return ended


def tamper(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("DROP TRIGGER event_stays")
        raw.execute("DROP TRIGGER event_remains")
        raw.execute(statement)


def test_a_whole_journal_is_0_and_its_last_hash_is_told(
    plan: Path, path: Path, env: Mapping[str, str]
) -> None:
    told = cockpit(env, "journal", "verify", plan)
    assert (told.returncode, told.stderr) == (0, "")
    with closing(SqliteJournal(path)) as journal:
        assert journal.read()[-1].hash in told.stdout
    assert "5 events" in told.stdout


def test_a_broken_chain_is_1_and_told_event_by_event(plan: Path, path: Path, env: Mapping[str, str]) -> None:
    tamper(path, """UPDATE event SET body = '{"text":"lie"}' WHERE seq IN (2, 4)""")
    told = cockpit(env, "journal", "verify", plan)
    assert (told.returncode, told.stderr) == (1, "")
    first, second, last = told.stdout.splitlines()
    assert first.startswith("event 2: its hash") and second.startswith("event 4: its hash")
    assert last.startswith("BROKEN in 2 places")


def test_a_removed_event_is_named(plan: Path, path: Path, env: Mapping[str, str]) -> None:
    tamper(path, "DELETE FROM event WHERE seq = 3")
    told = cockpit(env, "journal", "verify", plan)
    assert told.returncode == 1
    assert "event 4: event 3 is missing before this one" in told.stdout


def test_the_report_warns_that_its_journal_is_broken(plan: Path, path: Path, env: Mapping[str, str]) -> None:
    assert cockpit(env, "report", plan).stderr == ""
    tamper(path, "UPDATE event SET actor = 'eve' WHERE seq = 3")
    told = cockpit(env, "report", plan)
    assert told.returncode == 0
    assert told.stderr.startswith("warning: the journal is not as it was written: event 3: its hash")
    head = told.stdout[: told.stdout.index("| what")]
    assert "**The journal is not as it was written: event 3: its hash" in head
    record = json.loads(cockpit(env, "report", plan, "--json").stdout)
    assert [each.partition(":")[0] for each in record["breaks"]] == ["event 3"]


def test_a_report_names_the_first_breaks_and_counts_the_rest(
    plan: Path, path: Path, env: Mapping[str, str]
) -> None:
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 5)
    tamper(path, "UPDATE event SET actor = 'eve' WHERE seq > 2")
    head = cockpit(env, "report", plan).stdout.partition("| what")[0]
    assert "event 7:" in head and "event 8:" not in head and "and 3 more" in head


def test_a_copy_is_read_as_it_is_wherever_it_lies(path: Path, env: Mapping[str, str], tmp_path: Path) -> None:
    """Somebody else's, open to all, without the right suffix: looked at, not touched, nothing left beside."""
    place = tmp_path / "evidence"
    place.mkdir()
    copy = place / "from-the-night"
    copyfile(path, copy)
    copy.chmod(0o666)
    if os.geteuid() == 0:
        os.chown(copy, FOREIGN_OWNER, FOREIGN_OWNER)
    before = (copy.read_bytes(), copy.stat())
    for words in ("verify", "export"):
        assert cockpit(env, "journal", words, copy).returncode == 0
    assert (copy.read_bytes(), copy.stat().st_mode) == (before[0], before[1].st_mode)
    assert copy.stat().st_mtime_ns == before[1].st_mtime_ns
    assert [entry.name for entry in place.iterdir()] == ["from-the-night"]


def test_a_journal_that_is_being_written_is_read_with_its_log(path: Path, env: Mapping[str, str]) -> None:
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 2)
        assert "7 events" in cockpit(env, "journal", "verify", path).stdout
        fill(journal, 1)
        assert len(cockpit(env, "journal", "export", path).stdout.splitlines()) == 8
    with closing(SqliteJournal(path)) as journal:
        assert (journal.last_seq(), journal.verify()) == (8, [])


def test_what_is_exported_proves_itself(plan: Path, path: Path, env: Mapping[str, str]) -> None:
    """The chain can be recomputed by anybody from the lines alone, by what the module says of it."""
    told = cockpit(env, "journal", "export", plan)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.isascii()
    lines = [json.loads(line) for line in told.stdout.splitlines()]
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[2]["body"] == {"text": "Zürich 2", "pct": 1.0}
    previous = "0" * 64
    for line in lines:
        assert list(line) == ["seq", "at", "actor", "kind", "body", "hash"]
        link = [line["seq"], line["at"], line["actor"], line["kind"], line["body"]]
        text = json.dumps(link, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        previous = hashlib.sha256((previous + text).encode()).hexdigest()
        assert line["hash"] == previous


def test_of_a_damaged_journal_everything_before_the_damage_is_exported(
    plan: Path, path: Path, env: Mapping[str, str]
) -> None:
    tamper(path, "UPDATE event SET body = '{broken' WHERE seq = 4")
    told = cockpit(env, "journal", "export", plan)
    assert told.returncode == 1
    assert [json.loads(line)["seq"] for line in told.stdout.splitlines()] == [1, 2, 3]
    assert "event 4 cannot be read" in told.stderr and "exported up to event 3" in told.stderr


def test_a_reader_who_leaves_is_no_trouble(path: Path, env: Mapping[str, str]) -> None:
    with closing(SqliteJournal(path)) as journal:
        for _ in range(20):
            fill(journal, 200)
    command = [*COCKPIT, "journal", "export", str(path)]
    with subprocess.Popen(
        command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        assert json.loads(child.stdout.readline())["seq"] == 1
        child.stdout.close()
        assert child.stderr.read() == ""
        child.wait(50)


def test_a_journal_that_was_cut_off_is_broken(path: Path, env: Mapping[str, str]) -> None:
    with closing(SqliteJournal(path)) as journal:
        fill(journal, 400)
    os.truncate(path, path.stat().st_size // 2)
    told = cockpit(env, "journal", "verify", path)
    assert told.returncode == 1
    assert "damaged" in told.stderr + told.stdout or "malformed" in told.stdout


@pytest.mark.parametrize("words", ["verify", "export"])
def test_what_cannot_be_checked_is_2_and_said(
    words: str, plan: Path, env: Mapping[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("CREATE TABLE event (seq INTEGER)")
    newer = tmp_path / "newer.journal"
    SqliteJournal(tmp_path / "place" / "x.journal").close()
    copyfile(tmp_path / "place" / "x.journal", newer)
    with closing(sqlite3.connect(newer)) as raw:
        raw.execute("PRAGMA user_version=9")
    for target, said in (
        (plan, "nobody has flown this plan here"),
        (tmp_path / "gone.journal", "no such journal"),
        (tmp_path, "nobody has flown this plan here"),
        (other, "not a journal of this cockpit"),
        (newer, "newer cockpit"),
    ):
        told = cockpit(env, "journal", words, target)
        assert (told.returncode, told.stdout) == (2, "")
        assert said in told.stderr
    assert not (tmp_path / "state").exists(), "looking makes nothing"


def test_an_empty_journal_is_whole(tmp_path: Path, env: Mapping[str, str]) -> None:
    path = tmp_path / "place" / "x.journal"
    SqliteJournal(path).close()
    told = cockpit(env, "journal", "verify", path)
    assert (told.returncode, told.stdout) == (0, f"whole: {path} has 0 events\n")
    assert cockpit(env, "journal", "export", path).stdout == ""


def test_a_resume_point_that_lies_is_found(plan: Path, path: Path, env: Mapping[str, str]) -> None:
    with closing(SqliteJournal(path)) as journal:
        events = journal.read()
        true = fold(events)
        point = ResumePoint(seq=5, hash=events[-1].hash, state=encode(true))
        journal.keep_resume_point(point)
        assert cockpit(env, "journal", "verify", plan).returncode == 0
        journal.keep_resume_point(replace(point, state=encode(replace(true, plan_digest="lie"))))
    told = cockpit(env, "journal", "verify", plan)
    assert told.returncode == 1
    assert "event 5: the resume point" in told.stdout


LOADS = """
import sys
from pathlib import Path
from cockpit.cli.journaling import run_export, run_verify
assert (run_verify(Path(sys.argv[1])), run_export(Path(sys.argv[1]))) == (0, 0)
heavy = "textual rich httpx starlette uvicorn watchfiles asyncio"
print([name for name in heavy.split() if name in sys.modules])
"""


def test_neither_loads_a_screen_or_the_network(path: Path, env: Mapping[str, str]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", LOADS, str(path)],
        env=dict(env),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1] == "[]"
