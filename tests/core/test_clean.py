"""The gate for untrusted text and numbers: what comes out is safe to print and finite."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.clean import (
    FULL,
    PLACEHOLDER,
    TEXT_LIMIT,
    ZERO,
    Percent,
    clean_text,
    finite_number,
    parse_duration,
    parse_instant,
)

HOSTILE = [
    "\x1b[2J\x1b[1;1Hgone",
    "\x1b]52;c;ZXZpbA==\x07",
    "\x9b31mC1 colour",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "a\x00b\x7fc\x08d\x85e",
    "abc\u202efdp.exe",
    "\u2066hidden\u2069",
    "zero\u200bwidth\ufeffjoin\u200d",
    "\ud800 lone surrogate",
    "\ue000 private \U0010ffff unassigned",
    "z" + "\u0301" * 50,
    "line\nbreak\r\nand\ttab\u2028sep",
    "[@click=app.rollback('x')]tap[/]",
    "\u00ad\u061c\u180e\u2060",
]

NOT_NUMBERS = ["NaN", "inf", "-Infinity", "1e999", "", "1_000", "\u0663", "0x10", "1,5"]

any_text = st.text(alphabet=st.characters(codec=None), max_size=400)


def hidden(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize("raw", HOSTILE)
def test_hostile_text_loses_every_byte_that_a_terminal_acts_on(raw: str) -> None:
    cleaned = clean_text(raw)
    assert not any(hidden(char) for char in cleaned)
    assert "\n" not in cleaned and "\x1b" not in cleaned


@given(any_text)
def test_no_control_no_bidi_no_zero_width_and_no_surrogate_survives(raw: str) -> None:
    cleaned = clean_text(raw)
    assert not any(hidden(char) for char in cleaned)
    assert "  " not in cleaned and cleaned == cleaned.strip()
    cleaned.encode()


@given(any_text)
def test_cleaning_twice_is_cleaning_once(raw: str) -> None:
    once = clean_text(raw)
    assert clean_text(once) == once


@given(any_text, st.integers(1, 80))
def test_text_is_never_longer_than_its_limit(raw: str, limit: int) -> None:
    assert len(clean_text(raw, limit=limit)) <= limit


def test_what_was_removed_stays_visible_and_what_is_harmless_stays_as_it_is() -> None:
    assert clean_text("a\x1bb") == f"a{PLACEHOLDER}b"
    assert clean_text("Größe 日本 ½ ok ✓") == "Größe 日本 ½ ok ✓"
    assert clean_text("  two\n\n lines ") == "two lines"
    assert clean_text("e\u0301\u0302\u0303\u0304!") == "e\u0301\u0302!"
    assert clean_text(None) == "None" and clean_text(12.5) == "12.5"


def test_long_text_ends_in_an_ellipsis_and_a_huge_one_is_not_walked_through() -> None:
    assert clean_text("x" * 400) == "x" * (TEXT_LIMIT - 1) + "…"
    assert len(clean_text("\x00" * 50_000_000)) == TEXT_LIMIT
    assert clean_text("\u0301" * 1_000_000 + "end") == "\u0301\u0301"


@pytest.mark.parametrize(
    ("raw", "number"), [(3, 3.0), ("0.5", 0.5), (" 7 ", 7.0), ("1e3", 1000.0), (-2, -2.0)]
)
def test_numbers_and_numeric_text_become_floats(raw: object, number: float) -> None:
    assert finite_number(raw) == number


def test_negative_zero_becomes_zero() -> None:
    assert math.copysign(1, finite_number("-0.0")) == 1


@pytest.mark.parametrize(
    "raw",
    [*NOT_NUMBERS, math.nan, math.inf, 10**400, True, False, None, [1], {"value": 1}, b"1"],
)
def test_whatever_is_no_finite_number_is_refused_in_clean_words(raw: object) -> None:
    with pytest.raises(ValueError, match="not a") as refused:
        finite_number(raw)
    assert not any(hidden(char) for char in str(refused.value))


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none()))
def test_a_number_is_finite_or_it_is_refused(raw: object) -> None:
    try:
        number = finite_number(raw)
    except ValueError:
        return
    assert math.isfinite(number)


@given(st.integers(0, 10_000))
def test_every_percentage_survives_its_own_words(hundredths: int) -> None:
    percent = Percent(hundredths)
    assert Percent.parse(str(percent).removesuffix("%")) == percent
    assert Percent.parse(percent.value) == percent


@pytest.mark.parametrize("raw", ["-0.01", "100.01", "12.345", 1e9, "NaN", True, "12%", None])
def test_what_is_no_percentage_is_refused_and_never_rounded_or_clamped(raw: object) -> None:
    with pytest.raises(ValueError, match=r"percentage|not a"):
        Percent.parse(raw)


def test_percentages_compare_and_know_their_ends() -> None:
    assert ZERO < Percent.parse("0.01") < Percent.parse(50) < FULL
    assert (str(ZERO), str(FULL), str(Percent.parse("12.5"))) == ("0%", "100%", "12.5%")
    for outside in (-1, 10_001):
        with pytest.raises(ValueError, match="between 0 and 100"):
            Percent(outside)


@given(st.floats(0, 1e12), st.floats(1e-9, 1e12))
def test_a_share_of_a_whole_is_a_percentage(part: float, more: float) -> None:
    share = Percent.of(part, part + more)
    assert 0 <= share.value <= 100
    assert abs(share.value - 100 * part / (part + more)) <= 0.0051


@pytest.mark.parametrize(("part", "whole"), [(1, 0), (0, 0), (2, 1), (-1, 1), (math.nan, 1), (1, math.inf)])
def test_no_share_without_a_whole(part: float, whole: float) -> None:
    with pytest.raises(ValueError, match="no share"):
        Percent.of(part, whole)


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ("30s", 30),
        ("15m", 900),
        ("1h30m", 5400),
        ("2w", 1_209_600),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("0s", 0),
    ],
)
def test_durations_are_seconds(raw: str, seconds: float) -> None:
    assert parse_duration(raw) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "raw", ["", "15", "m", "-5s", "5 s", "5s ", "1h 30m", "5y", "1e3s", 30, None, "5s\n", "\x1b5s"]
)
def test_what_is_no_duration_is_refused(raw: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(raw)


@given(st.integers(0, 10**7), st.sampled_from(["s", "m", "h", "d", "w"]))
def test_a_duration_in_one_unit_is_exact(count: int, unit: str) -> None:
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit]
    assert parse_duration(f"{count}{unit}") == count * seconds


def test_instants_are_utc_and_need_a_zone() -> None:
    assert parse_instant("2026-03-01T13:00:00+01:00") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parse_instant("2026-03-01T12:00:00Z").utcoffset() == timedelta(0)
    for broken in ("2026-03-01T12:00:00", "yesterday", "", 5, None, "2026-03-01T12:00:00Z" + " " * 40):
        with pytest.raises(ValueError):
            parse_instant(broken)
