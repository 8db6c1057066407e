"""What only nginx has, by its double: a slow test, a reload that is refused or not got to; and that the
double says what the real one says.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from cockpit.adapters.flags.nginx_process import Content, SplitFile
from cockpit.adapters.http import Web
from cockpit.core.clean import ZERO
from cockpit.core.model import WriteOutcome
from tests.adapters.flags.nginx_double import NginxDouble
from tests.adapters.flags.test_nginx import FLAG, Crew
from tests.real.nginx_server import FLAGS, Nginx, Splitter, blocks

DONE, REFUSED, UNKNOWN = WriteOutcome.DONE, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN
SPLIT = 'split_clients "$arg_id" '
CONFIGURATIONS = [
    blocks("a", "b"),
    f"{SPLIT} $a {{ 10% new; * legacy; }}\n",
    f"{SPLIT} $a {{\n 0% new; * legacy; }}\n",
    f"{SPLIT} $a {{ 60% new; 60% legacy; }}\n",
    f"{SPLIT} $a {{ 100% new; * legacy; }}\n",
    f"{SPLIT} $a {{ 10.005% new; }}\n",
    f"{SPLIT} $a {{ 10.25% new; }}\n",
    f"{SPLIT} $a {{ NaN% new; }}\n",
    f"{SPLIT} $a {{ 10 new; }}\n",
    f"{SPLIT} a {{ 10% new; }}\n",
    f"{SPLIT} {{ 10% new; }}\n",
    f"{SPLIT} $a {{ 10% new",
    f"{SPLIT} $a {{ 10% new;\n",
    f"{SPLIT} $a {{ 10% new }}\n",
    "}\n",
    "nonsense on;\n",
    "# nothing\n",
    "<html>a page</html>\n",
]


@pytest.fixture
def nginx(practice_nginx: NginxDouble) -> NginxDouble:
    practice_nginx.write(blocks(*FLAGS))
    practice_nginx.reload()
    return practice_nginx


async def test_a_test_that_does_not_end_puts_everything_back(nginx: NginxDouble, web: Web) -> None:
    before, workers = nginx.split.read_text(), nginx.workers()
    with nginx.fault("hold-test"):
        result = await Crew(nginx, web, timeout_s=0.5).set(10)
    assert result.outcome is REFUSED, result
    assert (nginx.split.read_text(), nginx.workers()) == (before, workers)


async def test_a_reload_that_is_refused_is_unknown_and_the_file_is_put_back(
    nginx: NginxDouble, web: Web
) -> None:
    before = nginx.split.read_text()
    crew = Crew(nginx, web, reload=nginx.reloading)
    with nginx.fault("no-reload", '[error] open() "/run/nginx.pid" failed (13: Permission denied)'):
        result = await crew.set(10)
    assert result.outcome is UNKNOWN, result
    assert "Permission denied" in result.detail
    assert nginx.split.read_text() == before
    assert (
        await crew.value()
    ).exposure is None  # the file is younger than the workers: nobody vouches for it
    nginx.reload()
    assert (await crew.set(10)).outcome is DONE


@pytest.mark.parametrize("told_by", ["signal", "program"])
async def test_a_master_that_does_not_get_to_it_is_unknown_until_it_does(
    nginx: NginxDouble, web: Web, told_by: str
) -> None:
    """Its workers are as young as the file: only that they are the old ones gives it away."""
    more = {"reload": nginx.reloading} if told_by == "program" else {}
    crew = Crew(nginx, web, timeout_s=1.0, **more)
    await crew.set(50)
    with nginx.fault("hold-reload"):
        nginx.write(nginx.split.read_text())
        killed = await crew.writer.kill(FLAG)
    assert killed.outcome is UNKNOWN, killed
    assert "has not renewed its workers within 1 s" in killed.detail
    nginx.reload()
    assert (await crew.value()).exposure == ZERO


async def test_a_kill_of_a_dead_nginx_leaves_zero_for_the_one_that_comes(
    nginx: NginxDouble, web: Web
) -> None:
    crew = Crew(nginx, web)
    await crew.set(50)
    with nginx.gone():
        killed = await crew.writer.kill(FLAG)
    assert killed.outcome is UNKNOWN, killed
    assert "the file says 0%, but nginx was not told" in killed.detail
    assert (await crew.value()).exposure == ZERO


async def test_a_kill_keeps_what_somebody_else_wrote_in_the_same_moment(
    nginx: NginxDouble, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(nginx, web)
    await crew.set(50)
    replace, note = SplitFile.replace, "# on call: ada\n"

    def meddled(file: SplitFile, before: Content, text: str, allow: Callable[[], None]) -> bool:
        if note not in nginx.split.read_text():
            nginx.write(note + nginx.split.read_text())
        return replace(file, before, text, allow)

    monkeypatch.setattr(SplitFile, "replace", meddled)
    assert (await crew.writer.kill(FLAG)).outcome is DONE
    assert nginx.split.read_text() == note + blocks(*FLAGS)


@pytest.mark.real
@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_the_double_says_what_the_real_one_says(nginx: NginxDouble, real_nginx: Nginx, text: str) -> None:
    try:
        for each in (real_nginx, nginx):
            each.write(blocks(*FLAGS) + text)
        assert _said(nginx, nginx.test) == _said(real_nginx, real_nginx.test)
    finally:
        real_nginx.write(blocks(*FLAGS))


@pytest.mark.real
@pytest.mark.parametrize("pid", ["", "x", "3999999"])
def test_the_double_reloads_as_the_real_one_does(nginx: NginxDouble, real_nginx: Nginx, pid: str) -> None:
    """Refusals only: a pid file that leads nowhere."""
    told = []
    place = ["-p", f"{real_nginx.folder}/", "-c", "nginx.conf", "-e", "error.log"]
    asked = [real_nginx.binary, "-s", "reload", *place]
    for each, argv in ((nginx, nginx.reloading), (real_nginx, asked)):
        kept = each.pid_file.read_text()
        each.pid_file.write_text(pid)
        try:
            told.append(_said(each, argv))
        finally:
            each.pid_file.write_text(kept)
    assert told[0] == told[1]
    assert told[0][0] == 1


def _said(nginx: Splitter, argv: list[str]) -> tuple[int, str]:
    """Exit code and words, without the folder."""
    ended = subprocess.run(argv, cwd=nginx.folder, capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stderr.replace(f"{nginx.folder}/", "")
