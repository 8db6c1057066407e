"""What only LaunchDarkly has: off variations, default rules of every kind, approvals, its way to say wait."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError, RefusedByService, Throttled
from cockpit.adapters.flags.launchdarkly_access import LaunchDarklySettings
from cockpit.adapters.flags.launchdarkly_answers import Sides, newest_change, stored_flag
from cockpit.adapters.flags.launchdarkly_rights import approvals
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import Fault, WriteOutcome
from cockpit.plan.problems import PlanProblems
from tests.adapters.flags.launchdarkly_double import ENVIRONMENT, WRITER, LaunchDarklyDouble
from tests.adapters.flags.rigs.launchdarkly import DoubleRig
from tests.adapters.flags.suite import Lever
from tests.adapters.flags.test_unleash_mutations import JSON, assert_clean, paths, put
from tests.tables import written

KEY = "reads"
SIDES = Sides(legacy=False, new=True)
DONE, REFUSED = WriteOutcome.DONE, WriteOutcome.REFUSED


@pytest_asyncio.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[DoubleRig]:
    async with DoubleRig.open(request) as opened:
        yield opened


@pytest.fixture
def double(rig: DoubleRig) -> LaunchDarklyDouble:
    return rig._double


@pytest.fixture
def lever(rig: DoubleRig) -> Lever:
    return rig.build()


def bodies(rig: DoubleRig) -> list[Any]:
    return [json.loads(request.body) for request in rig.way.writes]


def dealt(weight: int, **more: object) -> dict[str, object]:
    shares = [{"variation": 0, "weight": weight}, {"variation": 1, "weight": 100_000 - weight}]
    return {"fallthrough": {"rollout": {"variations": shares, **more}}}


async def test_a_move_tests_the_version_and_keeps_who_is_dealt_where(
    rig: DoubleRig, double: LaunchDarklyDouble, lever: Lever
) -> None:
    double.add(KEY, 10_000)
    double.place(KEY)["fallthrough"]["rollout"] |= {"contextKind": "device", "bucketBy": "country", "seed": 7}
    assert (await lever.set(KEY, Percent.parse(25))).outcome is DONE
    (body,) = bodies(rig)
    assert body["patch"][0] == {"op": "test", "path": f"/environments/{ENVIRONMENT}/version", "value": 1}
    rollout = double.place(KEY)["fallthrough"]["rollout"]
    assert (rollout["contextKind"], rollout["bucketBy"], rollout["seed"]) == ("device", "country", 7)
    assert sum(share["weight"] for share in rollout["variations"]) == 100_000


async def test_the_share_and_the_switch_change_together(
    rig: DoubleRig, double: LaunchDarklyDouble, lever: Lever
) -> None:
    """A flag that was off at 50 % must never serve 50 %, not even for a moment."""
    double.add(KEY, 50_000, on=False)
    assert (await lever.set(KEY, Percent.parse(10))).outcome is DONE
    assert len(bodies(rig)) == 1
    assert (await lever.value(KEY)).exposure == Percent.parse(10)


async def test_a_kill_is_the_semantic_patch(rig: DoubleRig, double: LaunchDarklyDouble, lever: Lever) -> None:
    double.add(KEY, 100_000)
    assert (await lever.writer.kill(KEY)).outcome is DONE
    (body,) = bodies(rig)
    assert body["instructions"] == [{"kind": "turnFlagOff"}]
    assert "domain-model=launchdarkly.semanticpatch" in rig.way.writes[0].headers["content-type"]
    value = await lever.value(KEY)
    assert (value.on, value.percent) == (False, FULL)


async def test_off_may_mean_everybody(double: LaunchDarklyDouble, lever: Lever) -> None:
    """The off variation is the new side: being off is no safety, and a kill mends it."""
    double.add(KEY, 10_000, on=False, offVariation=0)
    value = await lever.value(KEY)
    assert value.exposure == FULL
    assert value.complexities == ("it is off and serves the new side",)
    assert (await lever.writer.kill(KEY)).outcome is DONE
    value = await lever.value(KEY)
    assert (value.exposure, value.complexities) == (ZERO, ())
    assert double.place(KEY)["offVariation"] == 1


async def test_a_kill_never_serves_a_new_off_variation(double: LaunchDarklyDouble, lever: Lever) -> None:
    double.add(KEY, 10_000, offVariation=0)
    assert (await lever.value(KEY)).complexities == ("switched off it serves the new side",)
    assert (await lever.set(KEY, Percent.parse(25))).outcome is REFUSED
    assert (await lever.writer.kill(KEY)).outcome is DONE
    assert (double.place(KEY)["on"], double.place(KEY)["offVariation"]) == (False, 1)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"rules": [{"clauses": []}]}, "has targeting rules"),
        ({"targets": [{"values": ["ada"], "variation": 0}]}, "serves named users"),
        ({"contextTargets": [{"values": ["ada"], "variation": 0}]}, "serves named users"),
        ({"prerequisites": [{"key": "x", "variation": 0}]}, "depends on another flag"),
        ({"archived": True}, "archived"),
        ({"fallthrough": {"variation": 2}}, "a third variation"),
        (
            {
                "fallthrough": {
                    "rollout": {
                        "experimentAllocation": {},
                        "variations": [{"variation": 1, "weight": 100_000}],
                    }
                }
            },
            "an experiment or a guarded rollout",
        ),
        (
            {
                "fallthrough": {
                    "rollout": {
                        "variations": [{"variation": 0, "weight": 3}, {"variation": 1, "weight": 99_997}]
                    }
                }
            },
            "no percentage with two decimals",
        ),
    ],
)
async def test_what_is_not_plain_is_killed_but_not_promoted(
    double: LaunchDarklyDouble, lever: Lever, more: dict[str, Any], words: str
) -> None:
    double.add(KEY, 10_000, **more)
    assert any(words in note for note in (await lever.value(KEY)).complexities)
    before = copy.deepcopy(double.flags[KEY])
    assert (await lever.set(KEY, Percent.parse(25))).outcome is REFUSED
    assert double.flags[KEY] == before
    assert (await lever.writer.kill(KEY)).outcome is DONE
    assert (await lever.value(KEY)).exposure == ZERO


@pytest.mark.parametrize(("variation", "percent"), [(0, FULL), (1, ZERO)])
async def test_a_rule_without_a_rollout(
    double: LaunchDarklyDouble, lever: Lever, variation: int, percent: Percent
) -> None:
    double.add(KEY, 0, fallthrough={"variation": variation})
    assert (await lever.value(KEY)).exposure == percent
    assert (await lever.set(KEY, Percent.parse(12.34))).outcome is DONE
    assert double.place(KEY)["fallthrough"]["rollout"]["contextKind"] == "user"
    assert (await lever.value(KEY)).exposure == Percent.parse(12.34)


async def test_approvals_are_refused_with_words(double: LaunchDarklyDouble, lever: Lever) -> None:
    double.add(KEY, 10_000)
    double.approvals = True
    for result in (await lever.set(KEY, Percent.parse(25)), await lever.writer.kill(KEY)):
        assert result.outcome is REFUSED
        assert "wants an approval" in result.detail
        assert result.failure is not None
        assert result.failure.fault is Fault.CREDENTIAL


async def test_the_wait_stands_in_a_header_of_its_own(double: LaunchDarklyDouble, lever: Lever) -> None:
    """Milliseconds since 1970, seven seconds after the Date of the answer."""
    double.add(KEY, 10_000)
    double.reset_ms = 1_795_608_007_000
    error = await lever.read_trouble(KEY)
    assert isinstance(error, Throttled)
    assert error.failure.retry_after_s == 7.0


async def test_variations_that_are_not_the_sides(double: LaunchDarklyDouble, lever: Lever) -> None:
    double.add(KEY, 10_000)
    double.flags[KEY]["variations"] = [{"_id": "a", "value": 1}, {"_id": "b", "value": 0}]
    error = await lever.read_trouble(KEY)
    assert isinstance(error, RefusedByService)
    assert error.failure.fault is Fault.PLAN
    assert (await lever.writer.kill(KEY)).outcome is not REFUSED


def plain() -> dict[str, Any]:
    double = LaunchDarklyDouble()
    double.add("f", 10_000)
    return double.flags["f"]


@given(path=st.sampled_from(paths(plain())), value=JSON)
def test_one_mutation_is_a_flag_or_our_error(path: tuple[str | int, ...], value: Any) -> None:
    try:
        found = stored_flag(put(plain(), path, value), key="f", environment=ENVIRONMENT, sides=SIDES).value
    except AdapterError as error:
        assert_clean(error.failure.title)
        return
    for note in found.complexities:
        assert_clean(note)


@given(entry=JSON)
def test_an_audit_log_is_an_author_or_our_error(entry: Any) -> None:
    for body in (entry, {"items": [entry]}, {"items": [{"member": {"email": entry}}]}):
        try:
            author = newest_change(body)
        except AdapterError:
            continue
        if author is not None:
            assert_clean(author)


@pytest.mark.parametrize(
    "wrong", [{"project": "a/b"}, {"environment": ""}, {"token": "api-123"}, {"new": 1}, {"colour": "red"}]
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    good = {"project": "chat", "environment": "production", "token": {"env": "LD"}}
    with pytest.raises(PlanProblems):
        written(LaunchDarklySettings, {**good, **wrong})


@pytest.mark.parametrize(
    ("more", "ok", "said"),
    [
        ({"role": "admin"}, True, "its role is admin"),
        ({"role": "no_access"}, False, "its role is no_access"),
        ({"role": "writer", "serviceToken": False, "_member": {"role": "reader"}}, False, "its owner's role"),
        ({"role": "writer", "serviceToken": True, "_member": {"role": "reader"}}, True, "its role is writer"),
        (
            {"customRoleIds": ["cutover"]},
            None,
            "the custom roles cutover: see there that they allow updateOn",
        ),
        ({"inlineRole": [{"effect": "allow"}]}, None, "a policy of its own"),
        ({"role": None}, None, "does not tell its role"),
        ({"role": 7, "customRoleIds": "x", "_member": []}, None, "does not tell its role"),
        ({"role": "wri\x1b[2Jter"}, None, "its role is wri"),
        ({"_id": None}, None, "does not say which token this is"),
    ],
)
async def test_what_a_token_may_is_what_launchdarkly_tells(
    double: LaunchDarklyDouble, lever: Lever, more: dict[str, object], ok: bool | None, said: str
) -> None:
    double.told[WRITER] |= more
    rights, _ = await lever.writer.preflight([KEY])
    assert (rights.question, rights.ok) == ("the write token may write", ok)
    assert said in rights.detail and rights.detail.isprintable()


@pytest.mark.parametrize(
    ("told", "ok"),
    [
        (None, None),
        ({}, None),
        ({"required": "yes"}, None),
        ({"required": False}, True),
        ({"required": True}, False),
        ({"required": True, "requiredApprovalTags": ["prod"]}, None),
        ({"required": True, "requiredApprovalTags": [7]}, False),
    ],
)
def test_an_environment_that_wants_approvals_has_no_lever(told: object, ok: bool | None) -> None:
    assert approvals(told)[0] is ok


async def test_required_approvals_are_found_before_the_night(
    double: LaunchDarklyDouble, lever: Lever
) -> None:
    double.approvals = True
    double.add(KEY, 10_000)
    _, open_to_writes = await lever.writer.preflight([KEY])
    assert (open_to_writes.ok, (await lever.writer.kill(KEY)).outcome) == (False, REFUSED)
