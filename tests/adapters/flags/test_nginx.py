"""The split file of nginx: written, tested, loaded and seen to be loaded, against the real server."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from cockpit.adapters.base import AdapterError, RefusedByService, Unreachable
from cockpit.adapters.flags.nginx import NginxWriter, build_reader, build_writer
from cockpit.adapters.flags.nginx_reading import NginxReader
from cockpit.adapters.flags.nginx_settings import NginxSettings
from cockpit.adapters.http import Web
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, WriteOutcome, WriteResult
from cockpit.core.secret import Secret, SecretRef
from tests.adapters.flags.crew import until
from tests.real.nginx_server import FLAGS, Nginx, Splitter, blocks
from tests.tables import written

pytestmark = pytest.mark.real

FLAG = FLAGS[0]
TEN = Percent.parse(10)


def no_secret(ref: SecretRef) -> Secret:
    raise AssertionError("this service has no secret")


class Crew:
    def __init__(self, nginx: Splitter, web: Web, *, timeout_s: float = 30.0, **more: object) -> None:
        given = {"file": str(nginx.split), "pid_file": str(nginx.pid_file), "test": nginx.test, **more}
        settings = written(NginxSettings, given)
        self.reader: NginxReader = build_reader(settings, web, no_secret, timeout_s)
        writer = build_writer(settings, web, no_secret, timeout_s)
        assert writer is not None
        self.writer: NginxWriter = writer

    async def value(self, key: str = FLAG) -> FlagValue:
        found = (await self.reader.read([key]))[key]
        assert isinstance(found, FlagValue), found
        return found

    async def set(self, percent: float) -> WriteResult:
        return await self.writer.set_percent(FLAG, Percent.parse(percent), expected=await self.value())


@pytest.fixture
def nginx(real_nginx: Nginx) -> Nginx:
    real_nginx.write(blocks(*FLAGS))
    real_nginx.reload()
    return real_nginx


@pytest.fixture
def crew(nginx: Nginx, web: Web) -> Crew:
    return Crew(nginx, web)


async def test_traffic_follows(nginx: Nginx, crew: Crew) -> None:
    """A hash of identities, so the share of 400 users is near and not exact."""
    for percent, low, high in ((25, 60, 140), (100, 400, 400), (0.01, 0, 5), (0, 0, 0)):
        result = await crew.set(percent)
        assert result.outcome is WriteOutcome.DONE, result
        assert low <= nginx.served(FLAG) <= high
    await crew.set(50)
    assert (await crew.writer.kill(FLAG)).outcome is WriteOutcome.DONE
    assert nginx.served(FLAG) == 0


async def test_zero_is_the_absence_of_a_line(nginx: Nginx, crew: Crew) -> None:
    await crew.set(12.5)
    assert "    12.5% new;\n    * legacy;\n" in nginx.split.read_text()
    await crew.set(0)
    assert nginx.split.read_text() == blocks(*FLAGS)


async def test_everything_else_in_the_file_stays(nginx: Nginx, crew: Crew) -> None:
    text = "# ours }\n" + blocks(*FLAGS) + 'map $uri $x { default "a;b{"; } # end\n'
    nginx.write(text)
    nginx.reload()
    await crew.set(10)
    assert nginx.split.read_text() == text.replace("{\n    * legacy", "{\n    10% new;\n    * legacy", 1)


async def test_owner_and_mode_are_kept(nginx: Nginx, crew: Crew) -> None:
    nginx.split.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(nginx.split, 33, 33)
    nginx.reload()
    before = nginx.split.stat()
    await crew.set(10)
    after = nginx.split.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert [each.name for each in nginx.folder.iterdir() if each.suffix == ".cockpit"] == []


async def test_a_file_that_nginx_has_not_loaded_is_no_setting(nginx: Nginx, crew: Crew) -> None:
    """An edit without a reload: the file says 50 % and nobody knows that."""
    seen = await crew.value()
    nginx.write(nginx.split.read_text().replace("{\n", "{\n    50% new;\n", 1))
    value = await crew.value()
    assert (value.percent, value.exposure) == (None, None)
    assert "nginx still runs with what was there before" in value.complexities[0]
    assert (await crew.writer.set_percent(FLAG, TEN, expected=seen)).outcome is WriteOutcome.REFUSED
    nginx.reload()
    assert (await crew.value()).exposure == Percent.parse(50)


async def test_a_configuration_that_nginx_refuses_is_put_back(nginx: Nginx, crew: Crew) -> None:
    main = nginx.folder / "nginx.conf"
    good, before = main.read_text(), nginx.split.read_text()
    main.write_text(good.replace("access_log off;", "access_log off; nonsense on;"))
    try:
        result = await crew.set(10)
        preflight = await crew.writer.preflight([FLAG])
    finally:
        main.write_text(good)
    assert result.outcome is WriteOutcome.REFUSED
    assert 'unknown directive "nonsense"' in result.detail
    assert nginx.split.read_text() == before
    assert [line.ok for line in preflight] == [True, False, True]


async def test_a_rollback_under_a_broken_configuration_tells_the_truth(nginx: Nginx, web: Web) -> None:
    """Somebody else broke it: nginx goes on as before, the file says 0 % for whoever mends it."""
    crew, hasty = Crew(nginx, web), Crew(nginx, web, timeout_s=1.0)
    await crew.set(50)
    main = nginx.folder / "nginx.conf"
    good = main.read_text()
    main.write_text(good.replace("access_log off;", "access_log off; nonsense on;"))
    try:
        killed = await hasty.writer.kill(FLAG)
    finally:
        main.write_text(good)
    assert killed.outcome is WriteOutcome.UNKNOWN
    assert "has not renewed its workers" in killed.detail
    assert 'unknown directive "nonsense"' in killed.detail
    assert nginx.served(FLAG) > 0
    assert (await crew.value()).exposure is None
    assert (await crew.writer.kill(FLAG)).outcome is WriteOutcome.DONE
    assert nginx.served(FLAG) == 0


async def test_a_change_while_it_is_tested_is_seen(nginx: Nginx, web: Web, tmp_path: Path) -> None:
    """The program that tests is our chance to act between the file and the reload."""
    meddler = tmp_path / "test"
    meddler.write_text(f"#!/bin/sh\necho '{blocks('mine')}' > {nginx.split}\nexit 1\n")
    meddler.chmod(0o755)
    crew = Crew(nginx, web, test=[str(meddler)])
    result = await crew.set(10)
    assert result.outcome is WriteOutcome.REFUSED
    assert "$mine" in nginx.split.read_text()


async def test_a_write_that_is_given_up_leaves_nothing_behind(nginx: Nginx, web: Web, tmp_path: Path) -> None:
    started, before = tmp_path / "started", nginx.split.read_text()
    slow = tmp_path / "test"
    slow.write_text(f"#!/bin/sh\ntouch {started}\nexec sleep 60\n")
    slow.chmod(0o755)
    crew = Crew(nginx, web, test=[str(slow)])
    write = asyncio.create_task(crew.set(10))
    await until(started.exists)
    assert nginx.split.read_text() != before
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    assert nginx.split.read_text() == before


async def test_a_kill_overtakes_a_raise_that_is_being_tested(nginx: Nginx, web: Web, tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    slow = tmp_path / "test"
    slow.write_text(f"#!/bin/sh\ntouch {started}\nwhile [ ! -e {go} ]; do sleep 0.02; done\n")
    slow.chmod(0o755)
    crew = Crew(nginx, web, test=[str(slow)])
    raising = asyncio.create_task(crew.set(10))
    await until(started.exists)
    killing = asyncio.create_task(crew.writer.kill(FLAG))
    await asyncio.sleep(0)
    go.touch()
    raised, killed = await asyncio.gather(raising, killing)
    assert raised.outcome is WriteOutcome.REFUSED
    assert "a rollback of the same flag came in between" in raised.detail
    assert killed.outcome is WriteOutcome.DONE
    assert nginx.split.read_text() == blocks(*FLAGS)


async def test_a_kill_takes_the_new_side_out_of_any_block(nginx: Nginx, crew: Crew) -> None:
    rest = blocks(*FLAGS).partition("}\n")[2]
    odd = f'split_clients "$arg_id" ${FLAG} {{ 20% new; 10% third; 5% new; * new; }}\n'
    nginx.write(odd + rest)
    nginx.reload()
    value = await crew.value()
    assert value.percent is None
    assert len(value.complexities) == 3
    assert (await crew.set(10)).outcome is WriteOutcome.REFUSED
    assert (await crew.writer.kill(FLAG)).outcome is WriteOutcome.DONE
    assert nginx.served(FLAG) == 0
    assert "10% third;" in nginx.split.read_text()


async def test_a_program_may_do_the_reload(nginx: Nginx, web: Web) -> None:
    reload = [sys.executable, "-c", "import os, sys; os.kill(int(open(sys.argv[1]).read()), 1)"]
    crew = Crew(nginx, web, reload=[*reload, str(nginx.pid_file)])
    assert (await crew.set(10)).outcome is WriteOutcome.DONE
    failing = Crew(nginx, web, reload=[sys.executable, "-c", "raise SystemExit('no way')"])
    result = await failing.set(20)
    assert result.outcome is WriteOutcome.UNKNOWN
    assert "no way" in result.detail
    assert "10% new" in nginx.split.read_text()


async def test_a_pid_file_that_names_somebody_else(nginx: Nginx, web: Web, tmp_path: Path) -> None:
    """A stale file after a crash: whoever has the number now must not get our signal."""
    stale = tmp_path / "nginx.pid"
    stale.write_text(f"{os.getpid()}\n")
    crew = Crew(nginx, web, pid_file=str(stale))
    with pytest.raises(Unreachable):
        await crew.reader.read([FLAG])
    killed = await crew.writer.kill(FLAG)
    assert killed.outcome is WriteOutcome.UNKNOWN
    assert "is no nginx master" in killed.detail


@pytest.mark.parametrize("text", ["", "abc", "-1", "0", "99999999999999999999"])
async def test_a_pid_file_of_nonsense(nginx: Nginx, web: Web, tmp_path: Path, text: str) -> None:
    broken = tmp_path / "nginx.pid"
    broken.write_text(text)
    with pytest.raises(AdapterError):
        await Crew(nginx, web, pid_file=str(broken)).reader.read([FLAG])


async def test_preflight(crew: Crew) -> None:
    reading, writing = await crew.reader.preflight([FLAG]), await crew.writer.preflight([FLAG])
    assert [line.ok for line in (*reading, *writing)] == [True] * 5


@pytest.mark.parametrize("key", ["nope", "a b", "$flag0", "flag0 {", ""])
async def test_a_variable_that_is_not_there(crew: Crew, key: str) -> None:
    found = (await crew.reader.read([key]))[key]
    assert isinstance(found, RefusedByService)
    assert (await crew.writer.kill(key)).outcome is WriteOutcome.REFUSED


async def test_kill_and_zero_of_what_is_at_zero_disturb_nobody(nginx: Nginx, crew: Crew) -> None:
    file, workers = nginx.split.stat().st_ino, nginx.workers()
    for result in (await crew.writer.kill(FLAG), await crew.writer.zero(FLAG)):
        assert result.outcome is WriteOutcome.DONE
    assert (nginx.split.stat().st_ino, nginx.workers()) == (file, workers)
    assert (await crew.value()).exposure == ZERO


async def test_a_kill_loads_the_zero_that_nobody_has_loaded(nginx: Nginx, crew: Crew) -> None:
    await crew.set(50)
    nginx.write(blocks(*FLAGS))
    assert nginx.served(FLAG) > 0
    assert (await crew.writer.kill(FLAG)).outcome is WriteOutcome.DONE
    assert nginx.served(FLAG) == 0
