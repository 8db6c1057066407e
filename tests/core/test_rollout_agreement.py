"""Asked, configured and observed against each other, and hands that are not ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from cockpit.core.agreement import agreement, setting_words
from cockpit.core.clean import Percent
from cockpit.core.model import FlagValue, Reading
from cockpit.core.snapshot import Agreement, Share
from tests.core.sim_rollout import CHAT, NOW, flag_value, fresh, pct, share_of

LONG_AGO = NOW - timedelta(hours=1)
JUST_NOW = NOW - timedelta(seconds=5)
UNSEEN: Reading[Share] = Reading(interval_s=5.0)


def judged(
    *,
    asked: float | None = 5,
    configured: float | None = 5,
    observed: Reading[Share] | None = None,
    changed: object = LONG_AGO,
    since: object = None,
) -> tuple[Agreement, object]:
    return agreement(
        asked=pct(asked) if asked is not None else None,
        configured=fresh(flag_value(configured)),
        observed=observed if observed is not None else fresh(share_of(5)),
        spec=CHAT,
        changed_at=changed,  # type: ignore[arg-type]  # a parameter of any kind
        differs_since=since,  # type: ignore[arg-type]  # a parameter of any kind
        now=NOW,
    )


def test_three_equal_numbers_agree() -> None:
    assert judged() == (Agreement.AGREE, None)
    assert judged(since=LONG_AGO) == (Agreement.AGREE, None)


def test_a_difference_is_spreading_for_the_propagation_time_after_the_change_and_then_red() -> None:
    young = judged(asked=25, configured=5, changed=JUST_NOW)
    assert young == (Agreement.PROPAGATING, JUST_NOW)
    began = NOW - timedelta(seconds=31)
    assert judged(asked=25, configured=5, changed=began, since=began) == (Agreement.DIFFER, began)


def test_a_difference_out_of_the_blue_begins_when_it_is_first_seen() -> None:
    assert judged(observed=fresh(share_of(60))) == (Agreement.PROPAGATING, NOW)
    earlier = NOW - timedelta(minutes=1)
    assert judged(observed=fresh(share_of(60)), since=earlier) == (Agreement.DIFFER, earlier)


def test_a_newer_change_starts_the_propagation_time_anew() -> None:
    assert judged(asked=25, configured=5, changed=JUST_NOW, since=LONG_AGO) == (
        Agreement.PROPAGATING,
        JUST_NOW,
    )


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (share_of(7.9), Agreement.AGREE),
        (share_of(15), Agreement.PROPAGATING),
        (share_of(15, events=30), Agreement.AGREE),
        (share_of(0), Agreement.PROPAGATING),
        (share_of(0, events=20), Agreement.AGREE),
    ],
    ids=[
        "within tolerance",
        "too far",
        "too few events to say so",
        "nothing arrives",
        "few events, none on new",
    ],
)
def test_observed_may_be_off_by_tolerance_and_by_chance(share: Share, expected: Agreement) -> None:
    assert judged(observed=fresh(share))[0] is expected


def test_what_is_not_fresh_is_unknown_unless_a_difference_is_plain() -> None:
    assert judged(observed=UNSEEN) == (Agreement.UNKNOWN, None)
    assert judged(asked=25, configured=5, observed=UNSEEN, since=LONG_AGO) == (Agreement.DIFFER, LONG_AGO)
    assert judged(configured=None) == (Agreement.UNKNOWN, None)
    stale = agreement(
        asked=pct(5),
        configured=fresh(flag_value(5), age_s=30),
        observed=fresh(share_of(5)),
        spec=CHAT,
        changed_at=None,
        differs_since=LONG_AGO,
        now=NOW,
    )
    assert stale == (Agreement.UNKNOWN, LONG_AGO)


def test_a_flag_whose_traffic_nobody_counts_agrees_by_the_other_two() -> None:
    blind = replace(CHAT, traffic=None)
    result = agreement(
        asked=pct(5),
        configured=fresh(flag_value(5)),
        observed=UNSEEN,
        spec=blind,
        changed_at=None,
        differs_since=None,
        now=NOW,
    )
    assert result == (Agreement.AGREE, None)


def test_nothing_asked_compares_configured_with_observed() -> None:
    assert judged(asked=None) == (Agreement.AGREE, None)
    assert judged(asked=None, observed=fresh(share_of(50)), changed=None) == (Agreement.PROPAGATING, NOW)


PLAIN = FlagValue(key="chat", on=True, percent=Percent(1000), revision="7")


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (PLAIN, "10%"),
        (replace(PLAIN, on=False), "off (10% stored)"),
        (replace(PLAIN, on=False, percent=pct(0)), "off"),
        (replace(PLAIN, percent=None, complexities=("two strategies",)), "not plain (two strategies)"),
        (replace(PLAIN, complexities=("constraints",)), "not plain (constraints)"),
        (replace(PLAIN, percent=None), "no plain percentage"),
    ],
)
def test_a_setting_in_words(read: FlagValue, words: str) -> None:
    assert setting_words(read) == words
