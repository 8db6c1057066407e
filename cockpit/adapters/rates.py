"""How often a service lets itself be asked: from the headers of its answers, or as its makers publish it.

Headers: RateLimit-Policy (`60;w=60`, or `"name";q=60;w=60` as in later drafts of the IETF's RateLimit
header fields), RateLimit-Limit and -Remaining, also with X- or X-Sentry- before them, and X-RateLimit-Period
in seconds (Datadog). A number without its window is repeated, never judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cockpit.core.dataclass import dataclass

_LONGEST: Final = 9
_PREFIXES: Final = ("ratelimit", "x-ratelimit", "x-rate-limit", "x-sentry-rate-limit")
_REMAINS: Final = (
    *(f"{prefix}-remaining" for prefix in _PREFIXES),
    "x-ratelimit-route-remaining",
    "x-ratelimit-global-remaining",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """per_minute: None where only the words tell something."""

    per_minute: float | None
    words: str


_PUBLISHED: Final[Mapping[str, Allowance]] = {
    "posthog.com": Allowance(per_minute=80, words="PostHog allows a key 4,800 an hour"),
    "api.supabase.com": Allowance(per_minute=120, words="Supabase allows a user about 120"),
    "api.clerk.com": Allowance(per_minute=600, words="Clerk allows a development instance 100 in 10 s"),
    "api.growthbook.io": Allowance(per_minute=60, words="GrowthBook allows a key 60"),
    "api.flagsmith.com": Allowance(per_minute=500, words="Flagsmith allows 500"),
}


def allowance(address: str, headers: Mapping[str, str]) -> Allowance | None:
    """What the service's own answer tells, else what is published of its host; None: nothing is known.

    address: `host:port`. headers: with lower-case names.
    """
    return _told(headers) or _published(address.rpartition(":")[0].lower())


def _published(host: str) -> Allowance | None:
    for name, found in _PUBLISHED.items():
        if host == name or host.endswith(f".{name}"):
            return found
    return None


def _told(headers: Mapping[str, str]) -> Allowance | None:
    left = next((n for name in _REMAINS if (n := _whole(headers.get(name, ""))) is not None), None)
    remains = "" if left is None else f", {left} left just now"
    policies = [*_policies(headers.get("ratelimit-policy", "")), *_with_period(headers)]
    if policies:
        limit, window_s = min(policies, key=lambda pair: pair[0] / pair[1])
        per_minute = limit * 60 / window_s
        return Allowance(per_minute=per_minute, words=f"it says {limit} in {window_s} s{remains}")
    limits = (_whole(headers.get(f"{prefix}-limit", "")) for prefix in _PREFIXES)
    bare = next((limit for limit in limits if limit is not None), None)
    if bare is not None:
        return Allowance(per_minute=None, words=f"it says {bare} in a time it does not tell{remains}")
    return None if left is None else Allowance(per_minute=None, words=f"it says {left} left just now")


def _policies(raw: str) -> list[tuple[int, int]]:
    """Requests and seconds of each policy that is a good one."""
    found: list[tuple[int, int]] = []
    for policy in raw.split(","):
        first, *rest = (part.strip() for part in policy.split(";"))
        named = dict(part.split("=", 1) for part in rest if "=" in part)
        limit, window_s = _whole(named.get("q", first)), _whole(named.get("w", ""))
        if limit and window_s:
            found.append((limit, window_s))
    return found


def _with_period(headers: Mapping[str, str]) -> list[tuple[int, int]]:
    limit = _whole(headers.get("x-ratelimit-limit", ""))
    period_s = _whole(headers.get("x-ratelimit-period", ""))
    return [(limit, period_s)] if limit and period_s else []


def _whole(raw: str) -> int | None:
    text = raw.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST else None
