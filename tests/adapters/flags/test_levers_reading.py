"""What every flag service's reader does, whatever it speaks. The rigs say which of it applies to them."""

from __future__ import annotations

import traceback

from cockpit.adapters.base import AdapterError, RefusedByService, Throttled
from cockpit.core.clean import ZERO
from cockpit.core.model import Fault, FlagValue
from tests.adapters.flags.rigs import levers, levers_in_trouble
from tests.adapters.flags.suite import EVIL, Built, Can, Lever, LeverRig, Trouble, clean


@levers()
async def test_a_flag_is_read_as_it_is(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    value = await lever.value(key)
    assert (value.key, value.on, value.percent, value.exposure) == (key, True, rig.high, rig.high)
    assert value.complexities == ()


@levers()
async def test_reading_changes_nothing(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    before = await rig.truth(key)
    assert await lever.value(key) == await lever.value(key)
    assert await rig.truth(key) == before


@levers()
async def test_each_flag_has_its_own_value(rig: LeverRig, lever: Lever) -> None:
    low, high = await rig.flag(rig.low), await rig.flag(rig.high)
    found = await lever.reader.read([high, low])
    assert list(found) == [high, low]
    assert [getattr(value, "percent", None) for value in found.values()] == [rig.high, rig.low]


@levers(Can.SWITCH)
async def test_what_is_off_exposes_nobody(rig: LeverRig, lever: Lever) -> None:
    value = await lever.value(await rig.flag(rig.high, on=False))
    assert (value.on, value.percent, value.exposure) == (False, rig.high, ZERO)


@levers()
async def test_a_missing_flag_takes_no_other_with_it(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    found = await lever.reader.read([rig.absent, key])
    absent, good = found[rig.absent], found[key]
    assert isinstance(absent, RefusedByService), absent
    assert (absent.failure.fault, absent.failure.retryable) == (Fault.PLAN, False)
    assert isinstance(good, FlagValue), good
    assert good.percent == rig.high


@levers()
async def test_nothing_but_a_missing_flag_is_no_empty_success(rig: LeverRig, lever: Lever) -> None:
    assert isinstance(await lever.read_trouble(rig.absent), RefusedByService)


@levers()
async def test_a_foreign_change_shows(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    before = await lever.value(key)
    await rig.change(key, rig.low)
    after = await lever.value(key)
    assert (before.percent, after.percent) == (rig.high, rig.low)
    assert before.revision is None or before.revision != after.revision


@levers(Can.TELLS_WHO)
async def test_who_did_it_is_told_and_harmless(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    await lever.value(key)
    await rig.change(key, rig.low, who="ada")
    value = await lever.value(key)
    assert value.changed_by == rig.name_of("ada")
    assert value.changed_at is not None
    await rig.change(key, rig.high, who=EVIL)
    value = await lever.value(key)
    assert value.changed_by
    clean(value)


@levers(Built.ELSEWHERE)
async def test_what_is_not_there_is_the_plans_fault(rig: LeverRig) -> None:
    error = await rig.build(Built.ELSEWHERE).read_trouble(await rig.flag(rig.high))
    assert isinstance(error, RefusedByService), error
    assert error.failure.fault is Fault.PLAN


@levers(Built.STRANGER)
async def test_a_stranger_reads_nothing(rig: LeverRig) -> None:
    error = await rig.build(Built.STRANGER).read_trouble(await rig.flag(rig.high))
    assert isinstance(error, RefusedByService), error
    assert (error.failure.fault, error.failure.retryable) == (Fault.CREDENTIAL, False)


@levers(Built.MAY_ONLY_READ)
async def test_who_may_only_read_reads(rig: LeverRig) -> None:
    key = await rig.flag(rig.high)
    assert (await rig.build(Built.MAY_ONLY_READ).value(key)).percent == rig.high


@levers(Built.READ_ONLY)
async def test_a_read_only_build_has_no_writer_and_asks_for_no_secret_to_write(rig: LeverRig) -> None:
    lever = rig.build(Built.READ_ONLY)
    assert lever.maybe_writer is None
    assert "WRITE_TOKEN" not in lever.vault.asked
    key = await rig.flag(rig.high)
    assert (await lever.value(key)).percent == rig.high


@levers_in_trouble(*(set(Trouble) - {Trouble.SILENT, Trouble.ANSWER_LOST}))
async def test_trouble_is_an_error_of_ours_and_never_a_setting(rig: LeverRig, kind: Trouble) -> None:
    lever, key = rig.build(), await rig.flag(rig.high)
    async with rig.trouble(kind):
        error = await lever.read_trouble(key)
    clean(error)
    assert (await lever.value(key)).percent == rig.high


@levers(Trouble.SILENT)
async def test_silence_is_no_setting_and_ends(rig: LeverRig) -> None:
    lever, key = rig.build(Built.IMPATIENT), await rig.flag(rig.high)
    async with rig.trouble(Trouble.SILENT):
        error = await lever.read_trouble(key)
    assert error.failure.retryable


@levers_in_trouble(Trouble.UNWELCOME, Trouble.FORBIDDEN)
async def test_a_credential_that_is_refused_is_named_as_such(rig: LeverRig, kind: Trouble) -> None:
    lever, key = rig.build(), await rig.flag(rig.high)
    async with rig.trouble(kind):
        error = await lever.read_trouble(key)
    assert isinstance(error, RefusedByService), error
    assert (error.failure.fault, error.failure.retryable) == (Fault.CREDENTIAL, False)


@levers(Trouble.THROTTLED)
async def test_being_asked_to_wait_is_obeyed(rig: LeverRig, lever: Lever) -> None:
    key = await rig.flag(rig.high)
    async with rig.trouble(Trouble.THROTTLED):
        error = await lever.read_trouble(key)
    assert isinstance(error, Throttled), error
    assert error.failure.retryable


@levers()
async def test_the_readers_preflight_says_what_can_be_read_and_writes_nothing(
    rig: LeverRig, lever: Lever
) -> None:
    key = await rig.flag(rig.high)
    before = await rig.truth(key)
    lines = await lever.reader.preflight([key, rig.absent])
    clean(list(lines))
    assert [line for line in lines if line.ok is True]
    assert [line.subject for line in lines if line.ok is False] == [rig.absent]
    assert await rig.truth(key) == before


@levers(Built.STRANGER)
async def test_the_readers_preflight_finds_a_stranger_out(rig: LeverRig) -> None:
    lines = await rig.build(Built.STRANGER).reader.preflight([await rig.flag(rig.high)])
    assert any(line.ok is False for line in lines), lines


@levers_in_trouble(*Trouble)
async def test_no_secret_is_ever_shown(rig: LeverRig, kind: Trouble) -> None:
    """Not in what goes well, not in what goes wrong, not in what a crash report could print."""
    lever, key = rig.build(Built.IMPATIENT), await rig.flag(rig.high)
    shown: list[object] = [lever.reader, lever.writer, vars(lever.reader), vars(lever.writer)]
    async with rig.trouble(kind):
        try:
            shown.append(await lever.reader.read([key, rig.absent]))
        except AdapterError as error:
            shown += [error.failure, "".join(traceback.format_exception(error))]
        shown += [await lever.writer.kill(key), await lever.reader.preflight([key])]
        shown += [await lever.writer.preflight([key]), await lever.writer.zero(key)]
    said = repr(shown)
    assert not [secret for secret in rig.secrets if secret in said]
