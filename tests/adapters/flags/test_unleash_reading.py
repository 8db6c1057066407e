"""Reading flags of Unleash: the same questions to the practice double and to the real server."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from cockpit.adapters.base import RefusedByService
from cockpit.adapters.http import Web
from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import Fault, FlagValue
from tests.adapters.flags.crew import Crew
from tests.real.unleash_raw import RawUnleash

EVIL = "\x1b[2J\x1b]52;c;cm0=\x07 [/] \u202egnp.exe \x9b31m zero\u200bwidth"
CONSTRAINT = {"contextName": "region", "operator": "IN", "values": ["eu"]}


def texts(value: object) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from texts(each)
    elif is_dataclass(value):
        for each in fields(value):
            yield from texts(getattr(value, each.name))


async def test_a_plain_flag(raw: RawUnleash, crew: Crew) -> None:
    value = await crew.value(raw.flag("25"))
    assert (value.on, value.percent, value.exposure) == (True, Percent.parse(25), Percent.parse(25))
    assert value.complexities == ()
    assert value.revision


async def test_many_flags_in_one_poll(raw: RawUnleash, crew: Crew) -> None:
    flags = [raw.flag(str(percent)) for percent in range(12)]
    found = await crew.reader.read(flags)
    assert list(found) == flags
    assert [getattr(value, "percent", None) for value in found.values()] == [
        Percent.parse(percent) for percent in range(12)
    ]


async def test_an_absent_flag_has_its_own_error(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")
    found = await crew.reader.read([flag, "no-such-flag"])
    absent = found["no-such-flag"]
    assert isinstance(absent, RefusedByService)
    assert (absent.status, absent.failure.fault, absent.failure.retryable) == (404, Fault.PLAN, False)
    assert getattr(found[flag], "percent", None) == Percent.parse(5)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a?b", "a b", "ä"])
async def test_a_name_never_leaves_its_place_in_the_address(crew: Crew, name: str) -> None:
    assert isinstance(await crew.error(name), RefusedByService)


async def test_off_is_no_exposure_but_the_stored_percentage_shows(raw: RawUnleash, crew: Crew) -> None:
    value = await crew.value(raw.flag("50", on=False))
    assert (value.on, value.percent, value.exposure) == (False, Percent.parse(50), ZERO)
    assert value.complexities == ()


async def test_off_without_a_strategy_is_plain_zero(raw: RawUnleash, crew: Crew) -> None:
    value = await crew.value(raw.flag(None, on=False))
    assert (value.on, value.percent, value.complexities) == (False, ZERO, ())


async def test_the_on_trap_shows_as_everybody(raw: RawUnleash, crew: Crew) -> None:
    value = await crew.value(raw.flag(None, on=True))
    assert value.exposure == Percent.parse(100)


async def test_several_strategies_have_no_percentage(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("0")
    raw.add_strategy(flag, "100")
    value = await crew.value(flag)
    assert value.percent is None
    assert value.exposure is None
    assert "2 strategies" in value.complexities[0]


async def test_conditions_are_named_and_hide_the_percentage(raw: RawUnleash, crew: Crew) -> None:
    value = await crew.value(raw.flag("10", constraints=[CONSTRAINT]))
    assert value.percent is None
    assert value.complexities == ("only for users with a matching region",)


async def test_zero_percent_of_anything_is_zero(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("0", constraints=[CONSTRAINT])
    raw.add_strategy(flag, "0")
    value = await crew.value(flag)
    assert value.exposure == ZERO
    assert value.complexities


async def test_a_disabled_strategy_is_told(raw: RawUnleash, crew: Crew) -> None:
    value = await crew.value(raw.flag("10", on=False, disabled=True))
    assert value.exposure == ZERO
    assert "switching on would serve everybody" in value.complexities[0]


@pytest.mark.parametrize("stored", ["101", "-1", "abc", "", "200%", "1e1", " 25 ", "+5", "Infinity", "NaN"])
async def test_nonsense_that_unleash_stores_is_never_guessed(
    raw: RawUnleash, crew: Crew, stored: str
) -> None:
    flag = raw.flag("10")
    raw.store_rollout(flag, stored)
    value = await crew.value(flag)
    assert value.percent is None
    assert "no number from 0 to 100" in value.complexities[0]


async def test_a_fraction_is_explained(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("10")
    raw.store_rollout(flag, "12.5")
    value = await crew.value(flag)
    assert value.percent == Percent.parse(12.5)
    assert value.complexities == ("the stored percentage is 12.5, of which Unleash serves 12",)


async def test_a_missing_project_is_no_empty_success(raw: RawUnleash, web: Web) -> None:
    error = await Crew(raw, web, project="nope").error(raw.flag("5"))
    assert isinstance(error, RefusedByService)
    assert "nope" in error.failure.detail


async def test_an_unknown_environment_is_the_plans_fault(raw: RawUnleash, web: Web) -> None:
    error = await Crew(raw, web, environment="staging").error(raw.flag("5"))
    assert isinstance(error, RefusedByService)
    assert error.failure.fault is Fault.PLAN
    assert "staging" in error.failure.title


@pytest.mark.parametrize(("kind", "status"), [("wrong", 401), ("backend", 403)])
async def test_a_token_of_the_wrong_kind_fails_the_service(
    raw: RawUnleash, web: Web, kind: str, status: int
) -> None:
    flags = [raw.flag("5"), raw.flag("6")]
    token = str(getattr(raw.tokens, kind))
    with pytest.raises(RefusedByService) as caught:
        await Crew(raw, web, token=token).reader.read(flags)
    assert caught.value.status == status
    assert caught.value.failure.fault is Fault.CREDENTIAL
    assert token not in repr(caught.value.failure)


async def test_a_viewer_may_read(raw: RawUnleash, web: Web) -> None:
    value = await Crew(raw, web, token=raw.tokens.viewer).value(raw.flag("5"))
    assert value.percent == Percent.parse(5)


async def test_maintenance_mode_does_not_stop_reading(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")
    raw.maintenance(on=True)
    try:
        assert (await crew.value(flag)).percent == Percent.parse(5)
    finally:
        raw.maintenance(on=False)


async def test_who_did_it(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")
    before = await crew.value(flag)
    raw.store_rollout(flag, "40", token=raw.tokens.person)
    after = await crew.value(flag)
    assert before.changed_by == "admin"
    assert after.changed_by == raw.tokens.person_name
    assert before.changed_at is not None
    assert after.changed_at is not None
    assert after.changed_at >= before.changed_at
    assert after.revision != before.revision


async def test_the_audit_log_is_asked_only_when_something_changed(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")
    first, second = await crew.value(flag), await crew.value(flag)
    assert first == second
    audits = [seen for seen in crew.reading.seen if "events" in seen]
    assert len(audits) == 1
    raw.switch(flag, on=False, token=raw.tokens.person)
    assert (await crew.value(flag)).changed_by == raw.tokens.person_name
    assert not any("search/features" in seen for seen in crew.reading.seen)


async def test_a_read_back_leaves_the_audit_log_to_the_next_read(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("5")
    await crew.value(flag)
    raw.switch(flag, on=False, token=raw.tokens.person)
    crew.reading.seen.clear()
    back = (await crew.reader.read_back([flag]))[flag]
    assert isinstance(back, FlagValue) and (back.on, back.changed_by) == (False, None)
    assert not any("events" in seen for seen in crew.reading.seen)
    assert (await crew.value(flag)).changed_by == raw.tokens.person_name


async def test_a_read_back_that_finds_traffic_on_the_new_side_names_who_sent_it(
    raw: RawUnleash, crew: Crew
) -> None:
    flag = raw.flag("5")
    raw.switch(flag, on=False, token=raw.tokens.admin)
    await crew.value(flag)
    raw.switch(flag, on=True, token=raw.tokens.person)
    back = (await crew.reader.read_back([flag]))[flag]
    assert isinstance(back, FlagValue) and (back.on, back.changed_by) == (True, raw.tokens.person_name)


async def test_hostile_text_comes_out_clean(raw: RawUnleash, crew: Crew) -> None:
    constraint = {"contextName": EVIL, "operator": "IN", "values": [EVIL]}
    flag = raw.flag("10", description=EVIL, title=EVIL, constraints=[constraint])
    value = await crew.value(flag)
    assert value.complexities
    for text in texts(value):
        assert not {unicodedata.category(char) for char in text} & {"Cc", "Cf", "Co", "Cs"}


async def test_a_title_is_no_change_of_the_setting(raw: RawUnleash, crew: Crew) -> None:
    flag = raw.flag("10")
    before = await crew.value(flag)
    path = f"/features/{flag}/environments/production/strategies/{raw.strategies(flag)[0]['id']}"
    raw.call("PATCH", path, [{"op": "replace", "path": "/title", "value": "another title"}])
    assert (await crew.value(flag)).revision == before.revision


async def test_preflight_finds_everything_in_order(raw: RawUnleash, crew: Crew) -> None:
    lines = await crew.reader.preflight([raw.flag("5")])
    assert all(line.ok is not False for line in lines), lines
    assert [line.ok for line in lines if "environment" in line.question] == [True]


async def test_preflight_names_what_is_wrong(raw: RawUnleash, web: Web) -> None:
    conditional, dormant = raw.flag("5", constraints=[CONSTRAINT]), raw.flag("50", on=False)
    lines = await Crew(raw, web).reader.preflight([conditional, dormant, "no-such-flag"])
    wrong = {line.subject: line.detail for line in lines if line.ok is False}
    assert wrong[conditional] == "only for users with a matching region"
    assert "exposes 50% at once" in wrong[dormant]
    assert "not found" in wrong["no-such-flag"]


async def test_preflight_of_an_unknown_environment(raw: RawUnleash, web: Web) -> None:
    lines = await Crew(raw, web, environment="staging").reader.preflight([])
    (wrong,) = [line.detail for line in lines if line.ok is False]
    assert wrong.startswith("there is no environment of that name; there are ")
    assert "production" in wrong and "development" in wrong


async def test_preflight_of_an_unknown_project(raw: RawUnleash, web: Web) -> None:
    lines = await Crew(raw, web, project="elsewhere").reader.preflight([])
    (wrong,) = [line.detail for line in lines if line.ok is False]
    assert wrong.startswith("there is no project of that name; there are ")
    assert "default" in wrong


async def test_preflight_with_a_wrong_token(raw: RawUnleash, web: Web) -> None:
    lines = await Crew(raw, web, token=raw.tokens.backend).reader.preflight([])
    assert lines[0].ok is False
    assert "different token type" in lines[0].detail
