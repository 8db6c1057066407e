"""What a socket can do to a write of weights, and what its answers can hold: asked of the double."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.flags.haproxy import build_writer
from cockpit.adapters.flags.haproxy_settings import HaproxySettings
from cockpit.adapters.flags.haproxy_state import HEAVIEST, Weights, read_split, read_table, weights_for
from cockpit.adapters.http import Web
from cockpit.core.clean import Percent
from cockpit.core.model import WriteOutcome
from cockpit.plan.problems import PlanProblems
from tests.adapters.flags.haproxy_double import HaproxyDouble, haproxy_double
from tests.adapters.flags.test_haproxy import Crew, no_secret
from tests.adapters.flags.test_unleash_mutations import assert_clean
from tests.tables import written

TEN = Percent.parse(10)


@pytest_asyncio.fixture
async def double(tmp_path: Path) -> AsyncIterator[HaproxyDouble]:
    async with haproxy_double(tmp_path) as started:
        yield started


@pytest.fixture
def crew(double: HaproxyDouble, web: Web) -> Crew:
    return Crew(double.socket, web, timeout_s=0.5)


async def test_a_change_in_the_last_moment_shows_in_the_reading_after(
    double: HaproxyDouble, crew: Crew
) -> None:
    seen = await crew.value()

    def meddle(line: str) -> str | None:
        if line.startswith("set weight"):
            answer, double.before = double.say(line), None
            double.say("set weight split/new 200")
            return answer
        return None

    double.before = meddle
    result = await crew.writer.set_percent("split", TEN, expected=seen)
    assert result.outcome is WriteOutcome.UNKNOWN
    assert "not plain" in result.detail


async def test_between_two_commands_the_share_is_never_larger_and_never_nobodys(
    double: HaproxyDouble, crew: Crew
) -> None:
    """Every order of two commands is looked at through the halves of the lines that were sent."""
    between: list[Weights] = []

    def watch(line: str) -> str | None:
        if not line.startswith("set weight"):
            return None
        for command in line.split(";")[:-1]:
            double.say(command)
        legacy, new = double.weights()
        between.append(Weights(legacy=legacy, new=new))
        return double.say(line)

    double.before = watch
    before = 0.0
    for percent in (0.5, 12.5, 25, 100, 12.5, 50, 0.5, 0, 100, 0):
        assert (await crew.set(percent)).outcome is WriteOutcome.DONE
        share = between[-1].share
        assert share is not None
        assert share.value <= max(before, percent)
        before = percent


async def test_a_kill_beats_a_forward_move_on_its_way(double: HaproxyDouble, crew: Crew) -> None:
    """The kill comes between the look and the write of a raise: nothing is raised."""
    killed: list[str] = []

    def meddle(line: str) -> str | None:
        if line.startswith("show servers") and not killed:
            killed.append(line)
            crew.writer._turns._kills["split"] += 1
        return None

    seen = await crew.value()
    double.before = meddle
    result = await crew.writer.set_percent("split", TEN, expected=seen)
    assert result.outcome is WriteOutcome.REFUSED
    assert "a rollback of the same flag came in between" in result.detail
    assert double.weights() == (100, 0)


@pytest.mark.parametrize("answer", ["", "\n", "garbage", "\n\n\n\n"])
async def test_an_answer_that_is_none_is_settled_by_reading(
    double: HaproxyDouble, crew: Crew, answer: str
) -> None:
    """HAProxy obeyed, or did not: what counts is what the reading after says."""
    seen = await crew.value()
    double.before = lambda line: answer if line.startswith("set weight") else None
    result = await crew.writer.set_percent("split", TEN, expected=seen)
    assert result.outcome is not WriteOutcome.DONE
    assert double.weights() == (100, 0)


async def test_silence_before_the_write_writes_nothing(double: HaproxyDouble, crew: Crew) -> None:
    seen = await crew.value()
    double.silent = True
    result = await crew.writer.set_percent("split", TEN, expected=seen)
    assert result.outcome is WriteOutcome.REFUSED
    assert "nothing was written" in result.detail
    assert not any(line.startswith("set") for line in double.lines)


async def test_a_kill_goes_out_although_nothing_could_be_read(double: HaproxyDouble, crew: Crew) -> None:
    """It gives legacy a weight then, because nobody knows whether it has one."""
    double.before = lambda line: "rubbish\n\n" if line.startswith("show servers") else None
    result = await crew.writer.kill("split")
    assert result.outcome is WriteOutcome.UNKNOWN
    assert double.weights() == (100, 0)
    assert double.lines[1] == "set weight split/legacy 100;set weight split/new 0"


async def test_the_socket_of_the_wrong_level(double: HaproxyDouble, crew: Crew) -> None:
    double.level = "operator"
    result = await crew.set(10)
    assert (result.outcome, double.weights()) == (WriteOutcome.REFUSED, (100, 0))


async def test_legacy_down_by_its_checks(double: HaproxyDouble, crew: Crew) -> None:
    await crew.set(25)
    double.backends["split"]["legacy"].down = True
    value = await crew.value()
    assert value.percent is None
    assert value.complexities == ("the legacy server is down: the new one gets whoever is served",)


def test_every_percentage_is_exact_or_refused() -> None:
    sayable = 0
    for hundredths in range(10_001):
        weights = weights_for(Percent(hundredths))
        if weights is None:
            continue
        sayable += 1
        assert weights.exact
        assert weights.share == Percent(hundredths)
        assert max(weights.legacy, weights.new) <= HEAVIEST
        assert weights.legacy + weights.new > 0
    assert all(weights_for(Percent(whole * 100)) is not None for whole in range(101))
    assert sayable < 10_001


HEADER = "# be_id be_name srv_id srv_name srv_op_state srv_admin_state srv_uweight srv_iweight"
TEXT = st.text(max_size=40) | st.sampled_from(["1", HEADER, "3 split 1 legacy 2 0 100 100", "\x1b[2J", ""])


@given(lines=st.lists(TEXT, max_size=6))
def test_whatever_is_answered_is_a_split_or_our_error(lines: list[str]) -> None:
    answer = "\n".join(lines) + "\n\n"
    for read in (
        lambda: read_split(answer, backend="split", legacy="legacy", new="new"),
        lambda: read_table(answer),
    ):
        try:
            read()
        except AdapterError as error:
            assert_clean(error.failure.title)


@pytest.mark.parametrize("cell", ["-1", "٣", "1e3", "", "nan", "99999999", "300"])
def test_a_weight_that_is_none_is_no_weight(cell: str) -> None:
    rows = [f"3 split 1 legacy 2 0 {cell} 100", "3 split 2 new 2 0 0 0"]
    with pytest.raises(BrokenAnswer):
        read_split("\n".join(["1", HEADER, *rows, "", ""]), backend="split", legacy="legacy", new="new")


@pytest.mark.parametrize(
    "wrong",
    [
        {"socket": "admin.sock"},
        {"socket": "10.0.0.1:9999"},
        {"socket": "localhost:9999"},
        {"socket": "127.0.0.1:0"},
        {"socket": "127.0.0.1:99999"},
        {"socket": "/" + "x" * 200},
        {"legacy": "a b"},
        {"new": "a/b"},
        {"kill_state": "gone"},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(HaproxySettings, {"socket": "/run/haproxy.sock", **wrong})


@pytest.mark.parametrize("socket", ["/run/haproxy/admin.sock", "127.0.0.1:9999", "[::1]:9999"])
def test_settings_that_can(socket: str, web: Web) -> None:
    settings = written(HaproxySettings, {"socket": socket})
    assert build_writer(settings, web, no_secret, 5.0) is None
