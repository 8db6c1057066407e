"""How often a service may be asked, out of its headers and by its name."""

from __future__ import annotations

import pytest

from cockpit.adapters.rates import allowance


@pytest.mark.parametrize(
    ("headers", "per_minute", "words"),
    [
        ({"ratelimit-policy": "60;w=60"}, 60, "it says 60 in 60 s"),
        ({"ratelimit-policy": '"default";q=100;w=10'}, 600, "it says 100 in 10 s"),
        ({"ratelimit-policy": '"burst";q=100;w=10, "day";w=3600;q=1200'}, 20, "it says 1200 in 3600 s"),
        (
            {"ratelimit-policy": "10;w=1", "ratelimit-limit": "10", "ratelimit-remaining": "7"},
            600,
            "it says 10 in 1 s, 7 left just now",
        ),
        ({"x-ratelimit-limit": "30", "x-ratelimit-period": "10"}, 180, "it says 30 in 10 s"),
        (
            {"x-sentry-rate-limit-limit": "40", "x-sentry-rate-limit-remaining": "39"},
            None,
            "it says 40 in a time it does not tell, 39 left just now",
        ),
        ({"x-ratelimit-route-remaining": "4"}, None, "it says 4 left just now"),
        ({"x-ratelimit-remaining": "0"}, None, "it says 0 left just now"),
    ],
)
def test_what_headers_tell(headers: dict[str, str], per_minute: float | None, words: str) -> None:
    found = allowance("flags.example.com:443", headers)
    assert found is not None
    assert (found.per_minute, found.words) == (per_minute, words)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit-policy": "0;w=60"},
        {"ratelimit-policy": "60;w=0"},
        {"ratelimit-policy": "60"},
        {"ratelimit-policy": ";;=,=;w=;q"},
        {"ratelimit-policy": "\u0661;w=60"},
        {"ratelimit-limit": "1e9"},
        {"ratelimit-limit": "9" * 4000},
        {"ratelimit-remaining": "-1"},
        {"x-ratelimit-period": "10"},
    ],
)
def test_headers_that_tell_nothing(headers: dict[str, str]) -> None:
    assert allowance("flags.example.com:443", headers) is None


@pytest.mark.parametrize(
    ("address", "per_minute"),
    [("us.posthog.com:443", 80), ("API.supabase.com:443", 120), ("api.clerk.com:443", 600)],
)
def test_what_is_published(address: str, per_minute: float) -> None:
    found = allowance(address, {})
    assert found is not None and found.per_minute == per_minute


@pytest.mark.parametrize("address", ["posthog.com.example.org:443", "notposthog.com:443", "[::1]:80", ""])
def test_a_name_that_only_looks_like_it_has_no_known_limit(address: str) -> None:
    assert allowance(address, {}) is None


def test_the_service_itself_knows_better_than_what_is_published() -> None:
    found = allowance("us.posthog.com:443", {"ratelimit-policy": "9;w=60"})
    assert found is not None and found.per_minute == 9
