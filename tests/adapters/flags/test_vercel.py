"""What only Vercel has: variables that mean nothing until something is built, and rollbacks of everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.flags.vercel_answers import (
    Sides,
    find_variable,
    read_flag,
    read_production,
    with_value,
)
from cockpit.adapters.flags.vercel_edge import VercelEdgeSettings, item_value
from cockpit.adapters.flags.vercel_project import VercelEnvSettings
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import WriteOutcome
from cockpit.plan.problems import PlanProblems
from tests.adapters.flags.rigs.vercel import EdgeRig, EnvRig, VercelRig
from tests.adapters.flags.suite import Lever, Trouble
from tests.adapters.flags.test_unleash_mutations import JSON, assert_clean, paths, put
from tests.adapters.flags.vercel_double import VercelDouble
from tests.tables import written

KEY = "NEXT_PUBLIC_USE_CONVEX"
DONE, REFUSED, UNKNOWN = WriteOutcome.DONE, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN


@pytest_asyncio.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[VercelRig]:
    async with EnvRig.open(request) as opened:
        yield opened


@pytest.fixture
def double(rig: VercelRig) -> VercelDouble:
    return rig.double


@pytest.fixture
def lever(rig: VercelRig) -> Lever:
    return rig.build()


async def test_a_move_takes_a_build_and_says_so(double: VercelDouble, lever: Lever) -> None:
    double.add(KEY, "false")
    double.slow = True
    result = await lever.set(KEY, FULL)
    assert result.outcome is DONE
    assert "a build has begun" in result.detail
    assert "with a rebuild and after a reload of their page" in result.detail
    assert "the last build took 83 s" in result.detail
    value = await lever.value(KEY)
    assert (value.percent, value.exposure) == (None, None)
    assert value.complexities == ("production was built before the variable was changed: it needs a rebuild",)
    double.slow = False
    double.deploy()
    assert (await lever.value(KEY)).exposure == FULL


@pytest.mark.parametrize("percent", [1, 50, 99.99])
async def test_there_is_nothing_in_between(double: VercelDouble, lever: Lever, percent: float) -> None:
    double.add(KEY, "false")
    result = await lever.set(KEY, Percent.parse(percent))
    assert result.outcome is REFUSED
    assert "is 0% or 100%" in result.detail
    assert double.writes[KEY] == 1


async def test_a_variable_without_a_build_is_put_back(double: VercelDouble, lever: Lever) -> None:
    """Left as it is, the next build of anybody would move everybody."""
    double.add(KEY, "false")
    double.closed = True
    result = await lever.set(KEY, FULL)
    assert result.outcome is REFUSED
    assert "402" in result.detail
    assert double.by_key(KEY)["value"] == "false"


async def test_a_lost_answer_of_a_variable_is_unknown_and_reads_as_such(
    rig: VercelRig, double: VercelDouble, lever: Lever
) -> None:
    double.add(KEY, "false")
    seen = await lever.value(KEY)
    async with rig.trouble(Trouble.ANSWER_LOST):
        result = await lever.writer.set_percent(KEY, FULL, expected=seen)
    assert result.outcome is UNKNOWN
    assert (await lever.value(KEY)).exposure is None


async def test_a_known_deployment_is_the_fast_way_back(rig: VercelRig, double: VercelDouble) -> None:
    double.add(KEY, "false")
    known = double.serving
    double.add(KEY, "true")
    lever = rig.build(rollback_to=known)
    assert (await lever.value(KEY)).exposure == FULL
    builds = len(double.deployments)
    killed = await lever.writer.kill(KEY)
    assert killed.outcome is DONE
    assert f"production is {known}" in killed.detail
    assert (double.serving, double.by_key(KEY)["value"], len(double.deployments)) == (known, "false", builds)
    value = await lever.value(KEY)
    assert (value.exposure, value.complexities) == (ZERO, ())


async def test_a_rollback_whose_variable_stays_is_not_plain(rig: VercelRig, double: VercelDouble) -> None:
    double.add(KEY, "false")
    known = double.serving
    double.add(KEY, "true")
    double.serving = known
    value = await rig.build(rollback_to=known).value(KEY)
    assert value.exposure == ZERO
    assert value.complexities == (
        "rolled back, but the variable still says new: the next build brings it back",
    )


async def test_a_known_deployment_that_is_gone_is_refused(rig: VercelRig, double: VercelDouble) -> None:
    double.add(KEY, "true")
    killed = await rig.build(rollback_to="dpl_gone").writer.kill(KEY)
    assert killed.outcome is REFUSED
    assert double.by_key(KEY)["value"] == "true"


async def test_a_repeated_rollback_queues_no_builds(double: VercelDouble, lever: Lever) -> None:
    double.add(KEY, "true")
    double.slow = True
    for _ in range(3):
        assert (await lever.writer.kill(KEY)).outcome is DONE
    assert sum(each["readyState"] == "BUILDING" for each in double.deployments.values()) == 1
    assert double.writes[KEY] == 2


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [("maybe", "encrypted", "neither that of legacy nor that of new"), ("true", "sensitive", "is withheld")],
)
async def test_values_that_say_nothing(
    double: VercelDouble, lever: Lever, value: str, kind: str, words: str
) -> None:
    double.add(KEY, value, kind=kind)
    found = await lever.value(KEY)
    assert (found.percent, words in found.complexities[0]) == (None, True)
    assert (await lever.set(KEY, FULL)).outcome is REFUSED


async def test_a_variable_of_another_target_is_not_ours(double: VercelDouble, lever: Lever) -> None:
    double.add(KEY, "true", target=("preview",))
    assert isinstance(await lever.read_trouble(KEY), RefusedByService)
    double.add(KEY, "true", target="production")
    assert (await lever.value(KEY)).exposure == FULL


async def test_preflight_says_what_a_way_back_costs(rig: VercelRig, double: VercelDouble) -> None:
    double.add(KEY, "false")
    slow, fast = rig.build(), rig.build(rollback_to=double.serving)
    found = [(await lever.reader.preflight([KEY]))[1] for lever in (slow, fast)]
    assert [line.ok for line in found] == [None, True]
    assert all("reload of their page" in line.detail for line in found)


async def test_an_item_that_is_no_percentage(request: pytest.FixtureRequest) -> None:
    async with EdgeRig.open(request) as edge:
        edge.double.items["pct"] = "25"
        lever = edge.build()
        assert (await lever.value("pct")).percent is None
        assert (await lever.set("pct", FULL)).outcome is REFUSED
        assert (await lever.writer.kill("pct")).outcome is DONE
        assert edge.double.items["pct"] == 0


def listed() -> dict[str, Any]:
    double = VercelDouble()
    double.add(KEY, "true")
    return {"envs": [double.by_key(KEY)], "name": "chat", "targets": {"production": double.deploy()}}


@given(path=st.sampled_from(paths(listed())), value=JSON)
def test_one_mutation_is_a_flag_or_our_error(path: tuple[str | int, ...], value: Any) -> None:
    body = put(listed(), path, value)
    try:
        variable = with_value(find_variable(body, KEY), body["envs"][0])
        sides = Sides(legacy="false", new="true", rollback_to="dpl_0")
        found = read_flag(KEY, variable, read_production(body), sides)
    except AdapterError as error:
        assert_clean(error.failure.title)
        return
    for note in (*found.complexities, found.revision or ""):
        assert_clean(note)


@given(stored=JSON)
def test_an_item_is_a_number_or_not_plain(stored: Any) -> None:
    value = item_value({"key": "k", "value": stored}, "k")
    assert (value.percent is None) == bool(value.complexities)
    for note in value.complexities:
        assert_clean(note)


@pytest.mark.parametrize("wrong", [{"project": "a/b"}, {"rollback_to": ""}, {"team": "../x"}, {"token": "t"}])
def test_settings_of_variables_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(VercelEnvSettings, {"project": "chat", "token": {"env": "V"}, **wrong})


@pytest.mark.parametrize("wrong", [{"edge_config": "a b"}, {"colour": "red"}])
def test_settings_of_items_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(VercelEdgeSettings, {"edge_config": "ecfg_1", "token": {"env": "V"}, **wrong})
