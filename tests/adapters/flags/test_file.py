"""Files under our hands: exactly one value changes, in one step, and everything else stays as it was."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import stat
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError
from cockpit.adapters.flags.file import FileWriter, build_reader, build_writer
from cockpit.adapters.flags.file_edit import edited, same
from cockpit.adapters.flags.file_settings import FlagFileSettings
from cockpit.adapters.flags.file_store import SIZE_LIMIT, Content, Edit, FileStore
from cockpit.adapters.flags.file_syntax import EnvSyntax, JsonSyntax, TomlSyntax
from cockpit.adapters.flags.file_yaml import YamlSyntax
from cockpit.adapters.flags.outcome import Stop
from cockpit.adapters.http import Web
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import FlagValue, WriteOutcome, WriteResult
from cockpit.core.secret import Secret
from cockpit.plan.problems import PlanProblems
from tests.adapters.flags.crew import until
from tests.tables import written

DONE, REFUSED, UNKNOWN = WriteOutcome.DONE, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN
TEN, QUARTER = Percent.parse(10), Percent.parse(25)
VARIANTS: dict[str, object] = {"new": "convex", "legacy": "old"}
SETTINGS: dict[str, dict[str, object]] = {
    "flagd": {"format": "flagd", **VARIANTS},
    "goff": {"format": "goff", **VARIANTS},
    "json": {"format": "json", "percent": "/{key}/percent", "on": "/{key}/on"},
    "toml": {"format": "toml", "percent": "/rollout/{key}/percent"},
    "env": {"format": "env", "variable": "{KEY}_PERCENT"},
}

FLAGD = """{ "flags": {
  "f" : {"state":"ENABLED", "variants":{"convex":true,"old":false}, "defaultVariant":"old",
    "targeting": {"fractional": [ ["convex",  10], ["old",90] ]}  },
  "g": {"state": "ENABLED", "variants": {"convex": 10, "old": 90}, "defaultVariant": "old"} } }
"""
GOFF = """# flags of the crew
f:  # courses
  variations: { old: false, "convex": true }
  defaultRule:
    percentage:
      old: 90      # the rest
      convex: 10   # of 10
other: { variations: {old: 1, convex: 10}, defaultRule: { variation: old } } # 10
"""
JSON = '{"g": {"percent": 10, "on": true},\n\t"f": { "on" :true , "percent":10.0 , "t": "\\"percent\\": 10"}}'
TOML = """# 10 percent
title = "percent = 10"
[rollout.g]
percent = 10
[rollout."f"]   # ours
percent=10      # percent = 10
[[rollout_f]]
percent = 10
"""
ENV = "# F_PERCENT=10\nexport F_PERCENT='10' # ten\r\nOLD_F_PERCENT=10\nF_PERCENT_OLD=10\nX=a b 10\n"
TEXTS = {"flagd": FLAGD, "goff": GOFF, "json": JSON, "toml": TOML, "env": ENV}


class File:
    """One file with our lever on it."""

    def __init__(self, folder: Path, kind: str, text: str | None = None, **more: object) -> None:
        self.path = folder / "flags.cfg"
        self.write(TEXTS[kind] if text is None else text)
        table = {**SETTINGS[kind], "path": str(self.path), "write": True, **more}
        wanted, web = written(FlagFileSettings, table), Web()
        writer = build_writer(wanted, web, lambda ref: Secret("x"), 5.0)
        assert isinstance(writer, FileWriter)
        self.writer, self.reader = writer, build_reader(wanted, web, lambda ref: Secret("x"), 5.0)

    def write(self, text: str) -> None:
        self.path.write_bytes(text.encode())

    @property
    def text(self) -> str:
        return self.path.read_bytes().decode()

    async def value(self, key: str = "f") -> FlagValue:
        found = (await self.reader.read([key]))[key]
        assert isinstance(found, FlagValue), found
        return found

    async def set(self, percent: Percent, key: str = "f") -> WriteResult:
        return await self.writer.set_percent(key, percent, expected=await self.value(key))


CHANGED = {
    "flagd": FLAGD.replace('["convex",  10], ["old",90]', '["convex",  25], ["old",75]'),
    "goff": GOFF.replace("old: 90 ", "old: 75 ").replace("convex: 10   #", "convex: 25   #"),
    "json": JSON.replace('"percent":10.0', '"percent":25'),
    "toml": TOML.replace("percent=10 ", "percent=25 "),
    "env": ENV.replace("export F_PERCENT='10'", "export F_PERCENT='25'"),
}
KILLED = {
    "flagd": FLAGD.replace('"state":"ENABLED"', '"state":"DISABLED"'),
    "goff": GOFF.replace("  variations: { old: false", "  disable: true\n  variations: { old: false"),
    "json": JSON.replace('"on" :true , "percent":10.0', '"on" :false , "percent":0'),
    "toml": TOML.replace("percent=10 ", "percent=0 "),
    "env": ENV.replace("export F_PERCENT='10'", "export F_PERCENT='0'"),
}


@pytest.mark.parametrize("kind", SETTINGS)
async def test_a_percentage_changes_its_own_characters_and_no_other(tmp_path: Path, kind: str) -> None:
    file = File(tmp_path, kind)
    result = await file.set(QUARTER)
    assert result.outcome is DONE, result
    assert file.text == CHANGED[kind]


@pytest.mark.parametrize("kind", SETTINGS)
async def test_a_kill_changes_its_own_characters_and_no_other(tmp_path: Path, kind: str) -> None:
    file = File(tmp_path, kind)
    result = await file.writer.kill("f")
    assert result.outcome is DONE, result
    assert file.text == KILLED[kind]


@pytest.mark.parametrize("kind", SETTINGS)
async def test_windows_line_ends_stay(tmp_path: Path, kind: str) -> None:
    file = File(tmp_path, kind, TEXTS[kind].replace("\r", "").replace("\n", "\r\n"))
    await file.set(QUARTER)
    assert file.text == CHANGED[kind].replace("\r", "").replace("\n", "\r\n")


async def test_disabled_in_one_line_of_yaml(tmp_path: Path) -> None:
    text = "f: {variations: {old: 0, convex: 1}, defaultRule: {percentage: {old: 90, convex: 10}}}\n"
    file = File(tmp_path, "goff", text)
    assert (await file.writer.kill("f")).outcome is DONE
    assert file.text == text.replace("f: {", "f: {disable: true, ")
    assert (await file.set(QUARTER)).outcome is DONE
    assert file.text == text.replace("f: {", "f: {disable: false, ").replace("90", "75").replace("10", "25")


async def test_fractions_of_a_percent(tmp_path: Path) -> None:
    flagd = File(tmp_path, "flagd")
    assert (await flagd.set(Percent.parse(12.34))).outcome is DONE
    assert '["convex",  1234], ["old",8766]' in flagd.text
    goff = File(tmp_path, "goff")
    assert (await goff.set(Percent.parse(12.34))).outcome is DONE
    assert "old: 87.66 " in goff.text and "convex: 12.34 " in goff.text


# --- how the file is replaced ---


async def test_mode_and_owner_stay_and_nothing_is_left_behind_but_the_lock(tmp_path: Path) -> None:
    file = File(tmp_path, "json")
    file.path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file.path, 1234, 2345)
    before = file.path.stat()
    assert (await file.set(QUARTER)).outcome is DONE
    after = file.path.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert after.st_ino != before.st_ino
    assert sorted(os.listdir(tmp_path)) == [".flags.cfg.lock", "flags.cfg"]


async def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    file = File(tmp_path, "json")
    file.path.rename(there / "real.json")
    file.path.symlink_to("there/real.json")
    assert (await file.set(QUARTER)).outcome is DONE
    assert file.path.is_symlink()
    assert not (there / "real.json").is_symlink()
    assert file.text == CHANGED["json"]
    assert os.listdir(tmp_path) and sorted(os.listdir(there)) == [".real.json.lock", "real.json"]


async def test_a_second_name_of_the_file_is_not_left_with_the_old_content(tmp_path: Path) -> None:
    file = File(tmp_path, "json")
    os.link(file.path, tmp_path / "second")
    result = await file.set(QUARTER)
    assert result.outcome is REFUSED
    assert "hard link" in result.detail
    assert (file.text, (tmp_path / "second").read_text()) == (JSON, JSON)


async def test_a_file_of_another_user_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = File(tmp_path, "json")
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    for result in (await file.set(QUARTER), await file.writer.kill("f")):
        assert result.outcome is REFUSED
        assert "another user" in result.detail
    lines = await file.writer.preflight(["f"])
    assert lines[0].ok is False
    assert file.text == JSON


FAILING = {"fsync": errno.EIO, "replace": errno.EXDEV, "fchown": errno.EPERM}


@pytest.mark.parametrize("call", FAILING)
async def test_what_fails_before_the_last_step_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    file = File(tmp_path, "json")
    seen = await file.value()
    monkeypatch.setattr(os, "getegid", lambda: -7)  # so that the owner has to be put right

    def fails(*_: object) -> None:
        raise OSError(FAILING[call], "no")

    monkeypatch.setattr(os, call, fails)
    result = await file.writer.set_percent("f", QUARTER, expected=seen)
    assert result.outcome is REFUSED, result
    assert file.text == JSON
    assert sorted(os.listdir(tmp_path)) == [".flags.cfg.lock", "flags.cfg"]


async def test_a_change_that_may_not_last_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, real = File(tmp_path, "json"), os.fsync

    def fails_for_directories(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, "no")
        real(handle)

    monkeypatch.setattr(os, "fsync", fails_for_directories)
    result = await file.set(QUARTER)
    assert result.outcome is UNKNOWN
    assert file.text == CHANGED["json"]


async def test_content_reaches_the_disk_before_its_name_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, steps = File(tmp_path, "json"), []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content")
        fsync(handle)

    def replaced(old: str, new: Path) -> None:
        steps.append("name")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    await file.set(QUARTER)
    assert steps == ["content", "name", "directory"]


async def test_an_editor_that_saves_in_the_same_moment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, fsync = File(tmp_path, "json"), os.fsync
    saved = JSON.replace("10.0", "40")

    def save_while_we_sync(handle: int) -> None:
        fsync(handle)
        file.write(saved)

    monkeypatch.setattr(os, "fsync", save_while_we_sync)
    result = await file.set(QUARTER)
    assert result.outcome is REFUSED
    assert file.text == saved


async def test_another_flag_may_change_in_the_meantime(tmp_path: Path) -> None:
    file = File(tmp_path, "json")
    seen = await file.value()
    file.write(JSON.replace('{"percent": 10, "on": true}', '{"percent": 77, "on": true}'))
    assert (await file.writer.set_percent("f", QUARTER, expected=seen)).outcome is DONE
    assert json.loads(file.text)["g"]["percent"] == 77
    assert (await file.value()).revision != seen.revision


async def test_a_lock_stops_a_forward_move_but_no_kill(tmp_path: Path) -> None:
    file = File(tmp_path, "json")
    seen = await file.value()
    with (tmp_path / ".flags.cfg.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = await file.writer.set_percent("f", QUARTER, expected=seen)
        assert (result.outcome, result.unsent, file.text) == (REFUSED, True, JSON)
        assert "locked" in result.detail
        assert (await file.writer.kill("f")).outcome is DONE
    assert file.text == KILLED["json"]


class _KilledMeanwhile(FileStore):
    """Somebody rolls back when the forward move has just looked."""

    kill: Callable[[], Awaitable[None]] | None = None

    async def read(self) -> Content:
        content = await super().read()
        if self.kill is not None:
            kill, self.kill = self.kill, None
            await kill()
        return content


class _Liar(FileStore):
    """Says that it wrote, and did not."""

    async def change(self, edit: Edit, *, patient: bool = True) -> None:
        edit(await self.read())


async def test_what_was_written_and_does_not_read_so_is_unknown(tmp_path: Path) -> None:
    file = File(tmp_path, "json")
    file.writer._flags.store = _Liar(str(file.path), timeout_s=5.0)
    for result in (await file.set(QUARTER), await file.writer.kill("f"), await file.writer.zero("f")):
        assert result.outcome is UNKNOWN
        assert "but it reads 10%" in result.detail


async def test_a_kill_stops_a_forward_move_before_it_writes(tmp_path: Path) -> None:
    """Even where the kill had nothing to change, so that the flag is still what the operator saw."""
    file = File(tmp_path, "toml", TOML.replace("percent=10 ", "percent=0 "))
    seen, before = await file.value(), file.text
    store, kills = _KilledMeanwhile(str(file.path), timeout_s=5.0), []

    async def kill() -> None:
        """Its second half waits for the move that it comes in between of."""
        kills.append(asyncio.create_task(file.writer.kill("f")))
        await until(lambda: bool(file.writer._turns._kills["f"]))

    store.kill = kill
    file.writer._flags.store = store
    result = await file.writer.set_percent("f", QUARTER, expected=seen)
    assert (await kills[0]).outcome is DONE
    assert (result.outcome, result.detail) == (REFUSED, "a rollback of the same flag came in between")
    assert file.text == before


async def test_a_file_system_that_hangs_leaves_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, thaws = File(tmp_path, "json"), threading.Event()
    file.writer._flags.store = FileStore(str(file.path), timeout_s=0.2)
    seen, replace = await file.value(), os.replace

    def hangs(old: str, new: Path) -> None:
        thaws.wait(30)
        replace(old, new)

    monkeypatch.setattr(os, "replace", hangs)
    result = await file.writer.set_percent("f", QUARTER, expected=seen)
    thaws.set()
    assert (result.outcome, result.unsent) == (UNKNOWN, False)


async def test_no_change_writes_nothing(tmp_path: Path) -> None:
    file = File(tmp_path, "flagd")
    await file.writer.kill("f")
    before = file.path.stat()
    assert (await file.writer.kill("f")).outcome is DONE
    assert (await file.set(ZERO)).outcome is DONE
    assert (await file.set(ZERO)).outcome is DONE
    after_zero = file.path.stat()
    assert before.st_ino != after_zero.st_ino
    assert (await file.writer.zero("f")).outcome is DONE
    assert file.path.stat().st_ino == after_zero.st_ino


async def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    file = File(tmp_path, "json")
    file.path.unlink()
    os.mkfifo(file.path)
    with pytest.raises(AdapterError) as caught:
        await file.reader.read(["f"])
    assert "not a regular file" in caught.value.failure.title
    assert (await file.writer.kill("f")).outcome is REFUSED


async def test_preflight_leaves_no_trace(tmp_path: Path) -> None:
    file = File(tmp_path, "goff")
    before = file.path.stat().st_mtime_ns
    lines = await file.writer.preflight(["f", "other", "absent"])
    assert [line.ok for line in lines] == [True, True, False, False]
    assert "no split in the file" in lines[2].detail
    assert (os.listdir(tmp_path), file.path.stat().st_mtime_ns) == (["flags.cfg"], before)


async def test_when_it_was_changed_is_about_this_flag(tmp_path: Path) -> None:
    file = File(tmp_path, "json")
    os.utime(file.path, (1_700_000_000, 1_700_000_000))
    first = datetime.fromtimestamp(1_700_000_000, UTC)
    assert (await file.value()).changed_at == first
    file.write(JSON.replace('{"percent": 10, "on"', '{"percent": 11, "on"'))
    assert (await file.value()).changed_at == first
    file.write(JSON.replace("10.0", "11"))
    assert (await file.value()).changed_at != first


# --- what cannot be changed safely ---

UNSAFE = {
    "an anchor": ("goff", GOFF.replace("convex: 10   #", "convex: &ten 10   #")),
    "an alias": (
        "goff",
        "x: {variations: {old: 0, convex: 1}, defaultRule: &r {percentage: {old: 90, convex: 10}}}\n"
        "f: {variations: {old: 0, convex: 1}, defaultRule: *r}\n",
    ),
    "a tag": ("goff", GOFF.replace("convex: 10   #", "convex: !!int 10   #")),
    "an inline table": ("toml", "[rollout]\nf = { percent = 10 }\n"),
    "no weight": ("flagd", FLAGD.replace('["convex",  10]', '["convex"]').replace('["old",90]', '["old",9]')),
}


@pytest.mark.parametrize(("kind", "text"), UNSAFE.values(), ids=UNSAFE.keys())
async def test_what_cannot_be_changed_alone_is_not_changed(tmp_path: Path, kind: str, text: str) -> None:
    file = File(tmp_path, kind, text)
    result = await file.set(QUARTER)
    assert result.outcome is REFUSED, file.text
    assert file.text == text


BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in pairwise(("a", "b", "c", "d", "e", "f", "g"))
)
BROKEN = {
    "json twice": ("json", '{"f": {"percent": 10, "percent": 90, "on": true}}'),
    "json NaN": ("json", '{"f": {"percent": NaN, "on": true}}'),
    "json on": ("json", '{"f": {"percent": 10, "on": "yes"}}'),
    "json deep": ("json", "[" * 100_000),
    "yaml twice": ("goff", GOFF + "f: {}\n"),
    "yaml code": ("goff", "f: !!python/object/apply:os.system ['true']\n"),
    "yaml bomb": ("goff", BOMB),
    "yaml list": ("goff", "- f\n"),
    "toml twice": ("toml", "[rollout.f]\npercent = 10\npercent = 20\n"),
    "env twice": ("env", "F_PERCENT=10\nF_PERCENT=20\n"),
    "flagd state": ("flagd", FLAGD.replace("ENABLED", "enabled")),
    "flagd flag": ("flagd", '{"flags": {"f": 7}}'),
    "not text": ("json", "\ud800"),
}


@pytest.mark.parametrize(("kind", "text"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_file_is_no_setting_and_stays_as_it_is(tmp_path: Path, kind: str, text: str) -> None:
    file = File(tmp_path, kind)
    seen = await file.value()
    file.path.write_bytes(text.encode("utf-8", "surrogatepass"))
    before = file.path.read_bytes()
    with suppress(AdapterError):
        assert isinstance((await file.reader.read(["f"]))["f"], AdapterError)
    results = [
        await file.writer.set_percent("f", QUARTER, expected=seen),
        await file.writer.kill("f"),
        await file.writer.zero("f"),
    ]
    assert {result.outcome for result in results} == {REFUSED}
    assert file.path.read_bytes() == before


SPLIT = '{"fractional": [ ["convex",  10], ["old",90] ]}'
COMPLEX = {
    "flagd rule": ("flagd", FLAGD.replace(SPLIT, f'{{"if": [true, {SPLIT}]}}'), "more than one"),
    "flagd third": ("flagd", FLAGD.replace('["old",90]', '["old",80],["x",10]'), "serves x as well"),
    "flagd thirds": ("flagd", FLAGD.replace('["old",90]', '["old",20]'), "no percentage with two decimals"),
    "flagd zero": ("flagd", FLAGD.replace("10], [", "0], [").replace("90]", "0]"), "add up to nothing"),
    "flagd text": ("flagd", FLAGD.replace("  10]", ' "10"]'), "no number"),
    "flagd variant": ("flagd", FLAGD.replace('"convex":true,', ""), "no variant convex"),
    "goff targeting": ("goff", GOFF.replace("  vari", "  targeting: [{query: a}]\n  vari"), "targeting"),
    "goff ramp": ("goff", GOFF.replace("    perc", "    progressiveRollout: {a: 1}\n    perc"), "progr"),
    "goff third": ("goff", GOFF.replace("old: 90 ", "x: 5\n      old: 85 "), "serves x as well"),
    "json much": ("json", JSON.replace("10.0", "101"), "no percentage"),
    "json text": ("json", JSON.replace("10.0", '"10"'), "no percentage"),
    "env word": ("env", ENV.replace("'10'", "'ten'"), "no percentage"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "why"), COMPLEX.values(), ids=COMPLEX.keys())
async def test_what_is_not_plain_is_killed_but_not_promoted(
    tmp_path: Path, kind: str, text: str, why: str
) -> None:
    file = File(tmp_path, kind, text)
    value = await file.value()
    assert why in "; ".join(value.complexities)
    result = await file.set(QUARTER)
    assert (result.outcome, file.text) == (REFUSED, text)
    killed = await file.writer.kill("f")
    assert killed.outcome is DONE, killed
    assert (await file.value()).exposure == ZERO


async def test_a_flag_that_serves_one_side_alone_goes_to_the_other_but_not_in_between(tmp_path: Path) -> None:
    for kind, key in (("flagd", "g"), ("goff", "other")):
        file = File(tmp_path, kind)
        assert (await file.value(key)).percent == ZERO
        assert (await file.set(TEN, key)).outcome is REFUSED
        assert (await file.set(FULL, key)).outcome is DONE
        assert (await file.value(key)).percent == FULL
        assert (await file.writer.zero(key)).outcome is DONE
        assert file.text == TEXTS[kind]


KEYS = st.text(min_size=1, max_size=4)
LEAVES = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8)
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@settings(deadline=None)
@given(
    tree=TREES,
    flag=KEYS.filter(lambda key: key != "z"),
    other=KEYS,
    indent=st.sampled_from([None, 1]),
    value=st.integers(0, 100),
)
def test_in_any_json_one_value_changes(
    tree: Any, flag: str, other: str, indent: int | None, value: int
) -> None:
    document = {other: tree, flag: {"t": tree, "percent": 7}, "z": [{"percent": 7}]}
    path = (flag, "percent")
    after = json.loads(edited(JsonSyntax(), json.dumps(document, indent=indent), {path: value}))
    document[flag] = {"t": tree, "percent": value}
    assert same(after, document)


@settings(deadline=None)
@given(text=st.text(alphabet=" \n\t#'\"[]{}=.:,-&*!|>abf1%truefalse", max_size=60), value=st.integers(0, 100))
def test_any_text_is_changed_in_one_place_or_not_at_all(text: str, value: int) -> None:
    for syntax in (JsonSyntax(), TomlSyntax(), YamlSyntax(), EnvSyntax()):
        try:
            before: Any = syntax.parse(text)
        except ValueError:
            continue
        if not isinstance(before, dict):
            continue
        wanted = str(value) if isinstance(syntax, EnvSyntax) else value
        for key in before:
            try:
                after: Any = syntax.parse(edited(syntax, text, {(key,): wanted}))
            except Stop:
                continue
            assert same(after, {**before, key: wanted})


WRONG: dict[str, dict[str, object]] = {
    "a relative path": {**SETTINGS["json"], "path": "flags.json"},
    "a directory": {**SETTINGS["json"], "path": "/etc/"},
    "no variants": {"format": "flagd"},
    "one variant": {"format": "goff", "new": "a", "legacy": "a"},
    "no pointer": {"format": "toml"},
    "a pointer to one flag": {"format": "json", "percent": "/f/percent"},
    "no variable": {"format": "env"},
    "a variable of one flag": {"format": "env", "variable": "PERCENT"},
    "one word": {**SETTINGS["env"], "on_value": "yes"},
    "one word for both": {**SETTINGS["env"], "on_value": "yes", "off_value": "yes"},
    "words for json": {**SETTINGS["json"], "on_value": "yes", "off_value": "no"},
    "no step": {**SETTINGS["json"], "step": 7},
    "no format": {"format": "ini"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(FlagFileSettings, {"path": "/x/flags", **wrong})


def test_without_write_in_the_plan_there_is_no_writer() -> None:
    wanted = written(FlagFileSettings, {"path": "/x/flags", **SETTINGS["json"]})
    assert build_writer(wanted, Web(), lambda ref: Secret("x"), 1.0) is None


def of_size(size: int) -> str:
    return ENV + "#" * (size - len(ENV) - 1) + "\n"


async def test_the_largest_file_is_read_and_written(tmp_path: Path) -> None:
    file = File(tmp_path, "env", of_size(SIZE_LIMIT))
    assert (await file.set(QUARTER)).outcome is DONE
    assert (await file.value()).percent == QUARTER


async def test_a_file_past_the_limit_is_left_alone_and_says_why(tmp_path: Path) -> None:
    file = File(tmp_path, "env")
    seen = await file.value()
    file.write(of_size(SIZE_LIMIT + 1))
    with pytest.raises(AdapterError) as trouble:
        await file.reader.read(["f"])
    said = "flags.cfg is larger than 2 MB, the most that is read of a file of flags"
    assert trouble.value.failure.title == said
    for result in (
        await file.writer.set_percent("f", QUARTER, expected=seen),
        await file.writer.kill("f"),
        await file.writer.zero("f"),
    ):
        assert result.outcome is REFUSED and said in result.detail, result
    assert [line.ok for line in await file.writer.preflight(["f"])] == [False]
    assert file.text == of_size(SIZE_LIMIT + 1)


async def test_no_write_makes_a_file_that_could_not_be_read_back(tmp_path: Path) -> None:
    file = File(tmp_path, "env", of_size(SIZE_LIMIT))
    result = await file.set(FULL)
    assert result.outcome is REFUSED and "would be larger than 2 MB" in result.detail, result
    assert file.text == of_size(SIZE_LIMIT)
    assert (await file.writer.kill("f")).outcome is DONE
