"""What monitoring plugins print, taken apart: the convention, its corners, and what is no convention."""

from __future__ import annotations

import random

import pytest

from cockpit.adapters.probes.plugin_output import NUMBERS_LIMIT, Measured, read_output
from tests.adapters.probes.hostile import EVIL, assert_harmless


def measured(text: str) -> tuple[Measured, ...]:
    said = read_output(text)
    assert said.unreadable == 0
    return said.measured


def test_the_words_stand_before_the_bar_and_the_numbers_behind_it() -> None:
    said = read_output("TCP OK - 0.000 second response time|time=0.000098s;1;2;0.000000;10.000000\n")
    assert said.line == "TCP OK - 0.000 second response time"
    (time,) = said.measured
    assert (time.label, time.value, time.unit) == ("time", 0.000098, "s")
    assert (time.warn, time.crit, time.least, time.most) == ("1", "2", "0.000000", "10.000000")
    assert time.milliseconds == pytest.approx(0.098)
    assert time.words == "9.8e-05s (warn 1, crit 2, min 0.000000, max 10.000000)"


def test_several_numbers_and_empty_limits() -> None:
    load1, load5 = measured("LOAD OK|load1=0.380;100.000;200.000;0; load5=7;;;0;")
    assert load1.words == "0.38 (warn 100.000, crit 200.000, min 0)"
    assert load5.words == "7 (min 0)"


def test_quoted_labels_may_hold_spaces_equal_signs_and_quotes() -> None:
    names = [each.label for each in measured("x|'C:\\ used'=5GB 'a=b'=1 'it''s'=2 /=3B")]
    assert names == ["C:\\ used", "a=b", "it's", "/"]


def test_limits_are_ranges_and_stay_text() -> None:
    (one,) = measured("x|procs=82;@10:20;~:300;0;")
    assert one.words == "82 (warn @10:20, crit ~:300, min 0)"


def test_further_lines_bring_words_and_after_a_second_bar_numbers() -> None:
    said = read_output("DISK OK | /=1MB\n/ is fine\n/home is fine | /home=2MB\n/tmp=3MB\n")
    assert said.line == "DISK OK"
    assert [(each.label, each.value) for each in said.measured] == [("/", 1), ("/home", 2), ("/tmp", 3)]


def test_an_empty_first_line_gives_way_to_the_next() -> None:
    assert read_output("\n\nsomething is wrong\n").line == "something is wrong"
    assert read_output("").line == ""


def test_a_number_that_the_plugin_does_not_know_is_not_zero() -> None:
    (one,) = measured("x|rta=U;1;2")
    assert (one.value, one.words, one.milliseconds) == (None, "not known to the plugin", None)


def test_a_decimal_comma_is_a_point() -> None:
    assert measured("x|load1=0,380;1;2")[0].value == 0.38


@pytest.mark.parametrize(
    ("text", "ms"), [("1.5s", 1500), ("20ms", 20), ("9us", 0.009), ("5%", None), ("-1s", None)]
)
def test_only_a_length_of_time_is_a_latency(text: str, ms: float | None) -> None:
    assert measured(f"x|a={text}")[0].milliseconds == (None if ms is None else pytest.approx(ms))


@pytest.mark.parametrize(
    "numbers",
    ["time", "=5", "a=", "a=NaN", "a=inf", "a=1e999", "a=0x10", "a=1_000", "'a=1", "a=1.2.3", "a=1,2,3"],
)
def test_what_is_no_number_is_counted_and_left_out(numbers: str) -> None:
    said = read_output(f"words|{numbers} good=1")
    assert said.line == "words"
    assert said.unreadable >= 1
    assert all(each.label == "good" for each in said.measured)


def test_a_plugin_with_a_thousand_numbers_shows_the_first() -> None:
    assert len(read_output("x|" + " ".join(f"n{n}={n}" for n in range(1000))).measured) == NUMBERS_LIMIT


def test_hostile_output_is_harmless() -> None:
    dice = random.Random(5)
    pieces = [EVIL, "|", "=", ";", "'", "''", "U", "1", "9" * 500, "a=1", "\n", " ", "@", "~:", "%", "٣=٣"]
    for _ in range(400):
        said = read_output("".join(dice.choice(pieces) for _ in range(dice.randint(1, 30))))
        assert_harmless(said)
        for each in said.measured:
            assert_harmless(each.words)
