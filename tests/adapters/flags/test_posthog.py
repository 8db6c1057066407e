"""What only PostHog has: two ways to write, a version that guards nothing alone, approvals, dependants."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError
from cockpit.adapters.flags.posthog_access import PostHogSettings
from cockpit.adapters.flags.posthog_answers import find_id, newest_change, stored_flag
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import WriteOutcome
from cockpit.plan.problems import PlanProblems
from tests.adapters.flags.posthog_double import WRITER, PostHogDouble
from tests.adapters.flags.rigs.posthog import DoubleRig
from tests.adapters.flags.suite import Lever
from tests.adapters.flags.test_unleash_mutations import JSON, assert_clean, paths, put
from tests.tables import written

KEY = "reads"
DONE, REFUSED = WriteOutcome.DONE, WriteOutcome.REFUSED
GROUP = {"properties": [], "rollout_percentage": 10}


@pytest_asyncio.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[DoubleRig]:
    async with DoubleRig.open(request) as opened:
        yield opened


@pytest.fixture
def double(rig: DoubleRig) -> PostHogDouble:
    return rig._double


@pytest.fixture
def lever(rig: DoubleRig) -> Lever:
    return rig.build()


async def test_a_new_build_is_written_by_its_action(double: PostHogDouble, lever: Lever) -> None:
    double.add(KEY, 10)
    assert (await lever.set(KEY, Percent.parse(12.5))).outcome is DONE
    assert double.trail == ["POST set_release_condition_rollout"]
    assert double.by_key(KEY)["filters"]["groups"][0]["rollout_percentage"] == 12.5


async def test_an_old_build_is_written_whole_and_guarded(
    rig: DoubleRig, double: PostHogDouble, lever: Lever
) -> None:
    double.add(KEY, 10, payloads={"true": "kept"})
    double.old = True
    before = copy.deepcopy(double.by_key(KEY))
    assert (await lever.set(KEY, Percent.parse(25))).outcome is DONE
    body = json.loads(rig.way.writes[-1].body)
    assert (body["version"], body["original_flag"]) == (6, before)
    assert double.by_key(KEY)["filters"]["payloads"] == {"true": "kept"}


async def test_an_old_build_answers_a_stale_write_with_a_conflict(
    rig: DoubleRig, double: PostHogDouble, lever: Lever
) -> None:
    double.add(KEY, 10)
    double.old = True
    seen = await lever.value(KEY)

    async def wait_for_the_next() -> None:
        """The first write is the action that an old build does not know."""
        rig.just_before_a_write(meddle)

    async def meddle() -> None:
        double.store(KEY, 40, who="ada")

    rig.just_before_a_write(wait_for_the_next)
    result = await lever.writer.set_percent(KEY, Percent.parse(25), expected=seen)
    assert result.outcome is REFUSED
    assert "it reads 40%" in result.detail
    assert double.by_key(KEY)["filters"]["groups"][0]["rollout_percentage"] == 40


async def test_the_share_and_the_switch_change_together(double: PostHogDouble, lever: Lever) -> None:
    double.add(KEY, 50, on=False)
    assert (await lever.set(KEY, Percent.parse(10))).outcome is DONE
    assert double.trail == ["PATCH"]
    assert (await lever.value(KEY)).exposure == Percent.parse(10)


async def test_approvals_are_refused_with_words(double: PostHogDouble, lever: Lever) -> None:
    double.add(KEY, 10)
    double.approvals = True
    result = await lever.set(KEY, Percent.parse(25))
    assert result.outcome is REFUSED
    assert "a change request may wait in PostHog now" in result.detail
    assert (await lever.writer.kill(KEY)).outcome is REFUSED


async def test_what_may_not_be_switched_off_is_put_to_zero(double: PostHogDouble, lever: Lever) -> None:
    double.add(KEY, 100)
    double.needed.add(KEY)
    killed = await lever.writer.kill(KEY)
    assert killed.outcome is DONE
    assert "put to 0% instead of switched off" in killed.detail
    value = await lever.value(KEY)
    assert (value.on, value.exposure) == (True, ZERO)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"groups": [{**GROUP, "properties": [{"key": "email"}]}]}, "matching properties"),
        ({"groups": [GROUP, GROUP]}, "2 release conditions"),
        ({"groups": [{**GROUP, "variant": "b"}]}, "names a variant"),
        ({"groups": []}, "no release condition"),
        ({"multivariate": {"variants": [{}]}}, "has variants"),
        ({"super_groups": [{}]}, "also decided by super_groups"),
        ({"groups": [{**GROUP, "rollout_percentage": None}]}, "no percentage"),
        ({"groups": [{**GROUP, "rollout_percentage": True}]}, "no percentage"),
        ({"groups": [{**GROUP, "rollout_percentage": 33.333}]}, "no percentage"),
    ],
)
async def test_what_is_not_plain_is_killed_but_not_promoted(
    double: PostHogDouble, lever: Lever, more: dict[str, Any], words: str
) -> None:
    double.add(KEY, 10, **more)
    assert any(words in note for note in (await lever.value(KEY)).complexities)
    before = copy.deepcopy(double.by_key(KEY))
    assert (await lever.set(KEY, Percent.parse(25))).outcome is REFUSED
    assert double.by_key(KEY) == before
    assert (await lever.writer.kill(KEY)).outcome is DONE
    assert (await lever.value(KEY)).exposure == ZERO


async def test_a_key_that_is_part_of_another_is_not_taken_for_it(double: PostHogDouble, lever: Lever) -> None:
    double.add("reads_beta", 90)
    double.add(KEY, 10)
    assert (await lever.value(KEY)).percent == Percent.parse(10)


async def test_a_deleted_flag_is_the_plans_fault(double: PostHogDouble, lever: Lever) -> None:
    double.add(KEY, 10)
    await lever.value(KEY)
    double.by_key(KEY)["deleted"] = True
    assert "is deleted" in (await lever.read_trouble(KEY)).failure.title
    assert "no flag reads" in (await lever.read_trouble(KEY)).failure.title


def plain() -> dict[str, Any]:
    double = PostHogDouble()
    double.add("f", 10)
    return double.by_key("f")


@given(path=st.sampled_from(paths(plain())), value=JSON)
def test_one_mutation_is_a_flag_or_our_error(path: tuple[str | int, ...], value: Any) -> None:
    try:
        found = stored_flag(put(plain(), path, value), key="f").value
    except AdapterError as error:
        assert_clean(error.failure.title)
        return
    for note in found.complexities:
        assert_clean(note)


@given(body=JSON)
def test_lists_are_read_or_our_error(body: Any) -> None:
    for answer in (body, {"results": [body]}, {"results": [{"key": "f", "id": body, "user": body}]}):
        try:
            author, _ = newest_change(answer)
            find_id(answer, "f")
        except AdapterError as error:
            assert_clean(error.failure.title)
            continue
        if author is not None:
            assert_clean(author)


@pytest.mark.parametrize("wrong", [{"project": 0}, {"project": "7"}, {"token": "phx_1"}, {"colour": "red"}])
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(PostHogSettings, {"project": 7, "token": {"env": "PH"}, **wrong})


@pytest.mark.parametrize(
    ("scopes", "ok", "said"),
    [
        (["*"], True, "everything"),
        (["query:read", "feature_flag:write"], True, "its scopes have feature_flag:write"),
        (["feature_flag:read", "evil\x1b[2J"], False, "it has feature_flag:read, evil"),
        ([], False, "it has none"),
        (None, None, "does not tell the scopes"),
        ([7], None, "does not tell the scopes"),
    ],
)
async def test_what_a_key_may_is_what_its_scopes_say(
    double: PostHogDouble, lever: Lever, scopes: Any, ok: bool | None, said: str
) -> None:
    double.add(KEY, 10)
    double.scopes[WRITER] = scopes
    (line,) = await lever.writer.preflight([KEY])
    assert line.ok is ok and said in line.detail and line.detail.isprintable()


async def test_an_old_build_tells_no_scopes_and_nobody_guesses(double: PostHogDouble, lever: Lever) -> None:
    double.add(KEY, 10)
    double.old = True
    (line,) = await lever.writer.preflight([KEY])
    assert line.ok is None and line.detail.startswith("it does not tell: ")
