"""Recorded answers, damaged at random places: only a valid sample or an adapter's error comes out."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError
from cockpit.adapters.signals.instant import read_error, read_sample
from cockpit.core.model import Quality
from tests.adapters.probes.hostile import assert_harmless, mutated
from tests.adapters.signals.test_prometheus_answers import HISTOGRAM, result, vector

SHAPES = [
    vector("7", warnings=["remote_read: refused"], infos=["a hint"]),
    vector("7"),
    vector("1", "2"),
    result("scalar", [1795162768.4, "0.21"]),
    result("matrix", [{"metric": {}, "values": [[1.0, "1"]]}]),
    result("vector", [HISTOGRAM]),
    result("vector", []),
    {"status": "error", "errorType": "bad_data", "error": "parse error"},
]


@given(st.sampled_from(SHAPES), st.integers(0, 1 << 32))
def test_a_damaged_answer_is_a_valid_sample_or_an_error(shape: dict[str, object], seed: int) -> None:
    body = mutated(shape, seed)
    try:
        sample = read_sample(body)
    except AdapterError as error:
        assert_harmless(error)
        return
    assert_harmless(sample)
    assert (sample.value is None) == (sample.quality is not Quality.GOOD)
    if sample.value is not None:
        assert math.isfinite(sample.value) and sample.value >= 0


@given(st.sampled_from(SHAPES), st.integers(0, 1 << 32), st.sampled_from([400, 404, 422, 500, 503]))
def test_a_damaged_error_is_an_error_or_nothing(shape: dict[str, object], seed: int, status: int) -> None:
    error = read_error(status, mutated(shape, seed))
    if error is not None:
        assert_harmless(error)
