"""Numbers in few words: short, and never promising early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.core.figures import amount, events, evidence_value, length, rate, times


@pytest.mark.parametrize(
    ("pct", "words"),
    [(0, "0%"), (0.00001, "<0.001%"), (0.0123, "0.012%"), (0.1, "0.1%"), (3.14, "3.1%"), (100, "100.0%")],
)
def test_rates(pct: float, words: str) -> None:
    assert rate(pct) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (40, "40 s"),
        (40.2, "41 s"),
        (120, "2 min"),
        (121, "3 min"),
        (7200, "2.0 h"),
        (200_000, "2.3 d"),
    ],
)
def test_lengths(seconds: float, words: str) -> None:
    assert length(seconds) == words


@pytest.mark.parametrize(
    ("e", "words"), [(0, "0.0"), (8.43, "8.4"), (412.4, "412"), (3e7, ">1e6"), (1e300, ">1e6")]
)
def test_evidence_values(e: float, words: str) -> None:
    assert evidence_value(e) == words


def test_ratios_and_events() -> None:
    assert (times(3.1, 0.9), times(0, 0.9), times(100, 1e-300)) == ("3.4x", "0.0x", ">1000x")
    assert (amount(24), amount(0.5), amount(999_999), amount(1_234_567)) == (
        "24",
        "0.5",
        "999999",
        "1 234 567",
    )
    assert (events(12), events(0.5), events(1234.6)) == ("12", "0.5", "1235")


@given(st.floats(0, 1e9))
def test_every_word_is_short_and_plain(number: float) -> None:
    for words in (rate(min(100, number)), length(number), evidence_value(number), events(number)):
        assert 0 < len(words) <= 12
