"""A file of announcements: private, whole lines, and nothing else than a file."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from cockpit.adapters.announce.file import build
from cockpit.adapters.announce.settings import FileSettings
from cockpit.adapters.base import AdapterError, Announcer, RefusedByService, ServiceTrouble
from cockpit.adapters.http import Web
from cockpit.core.model import Fault
from cockpit.plan.problems import PlanProblems
from tests.adapters.announce.test_webhook import NEWS
from tests.adapters.probes.hostile import EVIL, assert_harmless
from tests.adapters.probes.rig import the_token
from tests.tables import written


def to_file(web: Web, path: Path) -> Announcer:
    return build(FileSettings(path=str(path)), web, the_token, 5.0)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


async def test_every_announcement_is_one_line_that_only_its_owner_reads(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "cutover.jsonl"
    announcer = to_file(web, path)
    assert await announcer.announce(NEWS) == "a line in cutover.jsonl"
    await announcer.announce(replace(NEWS, event_id="second", text="two\nlines"))
    assert [json.loads(line)["event_id"] for line in lines(path)] == [NEWS.event_id, "second"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_that_others_may_read_keeps_its_rights_and_its_lines(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "shipped.jsonl"
    path.write_text('{"before": 1}\n')
    path.chmod(0o640)
    await to_file(web, path).announce(NEWS)
    assert json.loads(lines(path)[0]) == {"before": 1}
    assert (len(lines(path)), stat.S_IMODE(path.stat().st_mode)) == (2, 0o640)


async def test_many_at_once_are_whole_lines(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "busy.jsonl"
    announcers = [to_file(web, path) for _ in range(20)]
    await asyncio.gather(
        *(each.announce(replace(NEWS, event_id=str(n))) for n, each in enumerate(announcers))
    )
    assert {json.loads(line)["event_id"] for line in lines(path)} == {str(n) for n in range(20)}


async def test_after_half_a_line_comes_a_line_of_its_own(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    path.write_text('{"event_id": "hal')
    await to_file(web, path).announce(NEWS)
    assert json.loads(lines(path)[1])["event_id"] == NEWS.event_id


async def test_a_full_disk_is_said(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, text: whole(descriptor, text[:5]))
    with pytest.raises(ServiceTrouble, match="cut short"):
        await to_file(web, tmp_path / "full.jsonl").announce(NEWS)


@pytest.mark.parametrize("what", ["folder", "link", "pipe", "nowhere"])
async def test_what_is_no_plain_file_is_refused_and_untouched(web: Web, tmp_path: Path, what: str) -> None:
    path, victim = tmp_path / "sink", tmp_path / "victim"
    if what == "folder":
        path.mkdir()
    elif what == "link":
        victim.write_text("mine")
        path.symlink_to(victim)
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path = tmp_path / "no" / "such" / "folder"
    with pytest.raises(RefusedByService) as caught:
        await to_file(web, path).announce(NEWS)
    assert caught.value.failure.fault is Fault.PLAN and not caught.value.failure.retryable
    assert not victim.exists() or victim.read_text() == "mine"


async def test_a_hostile_name_is_shown_clean(web: Web, tmp_path: Path) -> None:
    name = EVIL.replace("\x00", "").replace("/", "").replace("\ud83d", "")[:60]
    (tmp_path / name).mkdir()
    with pytest.raises(AdapterError) as caught:
        await build(FileSettings(path=str(tmp_path / name)), web, the_token, 5.0).announce(NEWS)
    assert_harmless(caught.value)


@pytest.mark.parametrize("path", ["", "relative.jsonl", "./x", "/var/log/", "/a\nb", "~other/x"])
def test_a_path_is_whole(path: str) -> None:
    with pytest.raises(PlanProblems):
        written(FileSettings, {"path": path})


async def test_home_is_where_the_tilde_says(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    await build(FileSettings(path="~/told.jsonl"), web, the_token, 5.0).announce(NEWS)
    assert len(lines(tmp_path / "told.jsonl")) == 1
