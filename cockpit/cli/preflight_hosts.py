"""What `cockpit check` says of hosts: how often this plan asks each of them, and whether its clock is ours.

Nothing is guessed from settings: every source is polled once as a flight polls it, and what went over the
wire is counted, but for what an adapter asks only once. A flight asks more often only where somebody pokes
it: a rollback, the refresh key.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Sequence
from contextvars import ContextVar
from dataclasses import field
from typing import Final, TypeVar

from cockpit.adapters.base import Preflight
from cockpit.adapters.http import Answer
from cockpit.adapters.once import is_asked_once
from cockpit.adapters.rates import Allowance, allowance
from cockpit.core.clock import Clock
from cockpit.core.dataclass import dataclass

T = TypeVar("T")

CLOCK_LIMIT_S: Final = 1.0
_RATE: Final = "requests a minute"
_CLOCK: Final = "clocks within a second"


@dataclass(slots=True)
class _Host:
    """skew_s: the smallest that an answer showed; None while no answer told the time. spoken: over TLS, where
    the two sides choose."""

    allowed: Allowance | None = None
    skew_s: float | None = None
    spoken: set[str] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class _Polled:
    """One poll of one source. requests: by the host they went to. over_http: it sent any, counted or not."""

    source: str
    interval_s: float
    lever: bool
    requests: Counter[str] = field(default_factory=Counter)
    over_http: bool = False


_POLL: Final[ContextVar[_Polled | None]] = ContextVar("the poll that asks now", default=None)


class Hosts:
    """Give `heard` to the HTTP client and polls to `polled`, then ask for the `lines`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: defaultdict[str, _Host] = defaultdict(_Host)
        self._polls: list[_Polled] = []

    def heard(self, address: str, answer: Answer | None) -> None:
        """One request went to `host:port`; None when no answer came."""
        poll = _POLL.get()
        counts = poll is not None and not is_asked_once()
        if poll is not None:
            poll.over_http = True
            poll.requests[address] += counts
        host = self._hosts[address]
        if answer is None:
            return
        if answer.certificate_ends_at is not None:
            host.spoken.add(answer.spoken)
        if counts:  # what only `check` asks may have a limit of its own
            host.allowed = _stricter(allowance(address, answer.headers), host.allowed)
        skew_s = self._skew_s(answer)
        if skew_s is not None and (host.skew_s is None or abs(skew_s) < abs(host.skew_s)):
            host.skew_s = skew_s

    async def polled(self, source: str, interval_s: float, work: Awaitable[T], *, lever: bool = False) -> T:
        """What one poll returns or raises; what it sends is counted. lever: a flag service is polled."""
        poll = _Polled(source=source, interval_s=interval_s, lever=lever)
        self._polls.append(poll)
        token = _POLL.set(poll)
        try:
            return await work
        finally:
            _POLL.reset(token)

    def asked(self, source: str) -> bool:
        """Whether that source's poll went over HTTP."""
        return any(poll.over_http for poll in self._polls if poll.source == source)

    def lines(self) -> list[Preflight]:
        found: list[Preflight] = []
        for address in sorted(self._hosts):
            found.extend(self._rate(address))
            found.extend(_clock_line(address, self._hosts[address].skew_s))
        quiet = [poll for poll in self._polls if not poll.over_http]
        if quiet:
            text = ", ".join(f"{poll.source} {_figure(60 / poll.interval_s)}" for poll in quiet)
            found.append(Preflight(subject="not over HTTP", question="polls a minute", ok=True, detail=text))
        return found

    def _rate(self, address: str) -> Sequence[Preflight]:
        polls = [poll for poll in self._polls if poll.requests[address]]
        if not polls:
            return ()
        parts = {poll.source: poll.requests[address] * 60 / poll.interval_s for poll in polls}
        asked = sum(parts.values())
        allowed = self._hosts[address].allowed
        limit = None if allowed is None else allowed.per_minute
        words = "no limit known" if allowed is None else allowed.words
        of = "" if limit is None else f" of {_figure(limit)}"
        over = " and ".join(sorted(self._hosts[address].spoken))
        of += f" over {over}" if over else ""
        by = ", ".join(f"{source} {_figure(figure)}" for source, figure in parts.items())
        ok: bool | None = True
        if limit is not None and asked > limit:
            # A service that throttles us refuses the kill too; of any other host we only see less.
            ok = False if any(poll.lever for poll in polls) else None
            words = f"too many, ask less often; {words}"
        detail = f"{_figure(asked)}{of}; {words} ({by})"
        return (Preflight(subject=address, question=_RATE, ok=ok, detail=detail),)

    def _skew_s(self, answer: Answer) -> float | None:
        """How far its clock is from ours at least: the answer was made at some time while we waited.

        Date headers are cut to whole seconds; an answer out of a cache (Age) bears the time of another day.
        """
        if answer.server_time is None or "age" in answer.headers:
            return None
        latest = self._clock.now()
        ahead_s = (answer.server_time - latest).total_seconds()
        behind_s = -ahead_s - 1 - answer.took_s
        return ahead_s if ahead_s > 0 else -behind_s if behind_s > 0 else 0.0


def _stricter(new: Allowance | None, old: Allowance | None) -> Allowance | None:
    """Of two limits of one host the lower one; of two equal ones the newer, which tells what is left."""
    if new is None or old is None:
        return new or old
    if old.per_minute is not None and (new.per_minute is None or old.per_minute < new.per_minute):
        return old
    return new


def _clock_line(address: str, skew_s: float | None) -> Sequence[Preflight]:
    if skew_s is None:
        return ()
    side = "ahead" if skew_s > 0 else "behind"
    detail = "they agree" if skew_s == 0 else f"it is {abs(skew_s):.1f} s {side}"
    ok = abs(skew_s) <= CLOCK_LIMIT_S
    return (Preflight(subject=address, question=_CLOCK, ok=ok, detail=detail),)


def _figure(per_minute: float) -> str:
    return f"{per_minute:,.1f}".removesuffix(".0")
