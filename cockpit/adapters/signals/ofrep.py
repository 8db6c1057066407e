"""The share that a flag really serves, by asking for it: any service that speaks OFREP, flagd among them.

OFREP (OpenFeature Remote Evaluation Protocol 0.3.0) tells decisions, never percentages. So synthetic
identities are evaluated, some at each poll, and counted: the two counters of a flag grow like those of
requests, and their growth is the share. Expressions are a flag's key and a word:

    chat_reads legacy      decisions for the legacy side, ever growing
    chat_reads new         decisions for the new side, ever growing
    chat_reads share       percent on the new side among the newest decisions, with its 95 % interval

The identities are invented and always the same, so a decision that depends on more than the identity
(a segment, an attribute that `context` does not give) is not what real users get. Every evaluation is one
request, and counts as an evaluation in the statistics of the flag service.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field
from itertools import islice
from math import sqrt
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import (
    AdapterError,
    BrokenAnswer,
    Preflight,
    RefusedByService,
    Settings,
    Unreachable,
)
from cockpit.adapters.credentials import Secrets, bearer
from cockpit.adapters.fields import BaseUrl, Reference
from cockpit.adapters.http_path import plan_fault, segment
from cockpit.adapters.signals.preflight import in_words
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, Quality, Sample
from cockpit.core.tables import Bound

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web
    from cockpit.core.secret import Secret

_CONCURRENT: Final = 4
# A poll ends before a single evaluation is given up as unanswered, so that what was decided by then counts.
_POLL_PART: Final = 0.9
_PATH: Final = "/ofrep/v1/evaluate/flags"
_WORDS: Final = ("legacy", "new", "share")
_Z_95: Final = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class OfrepSettings(Settings):
    """A service that evaluates flags over OFREP."""

    url: BaseUrl
    """The address in front of /ofrep/v1."""
    token: Reference | None = None
    """Sent as Authorization: Bearer."""
    api_key: Reference | None = None
    """Sent as X-API-Key."""
    legacy: bool | str = False
    """The value that means the legacy side."""
    new: bool | str = True
    """The value that means the new side."""
    without_value: Literal["legacy", "new"] | None = None
    """What your code does when the service gives no value (a disabled flag); without it such do not count."""
    identities: Annotated[int, Bound(ge=50, le=10_000)] = 400
    """How many synthetic users there are."""
    per_poll: Annotated[int, Bound(ge=4, le=400)] = 40
    """How many of them are evaluated for each flag at each poll, four at a time."""
    context: dict[str, str] = field(default_factory=dict)
    """What every synthetic user has beside its targeting key."""
    ca_file: str | None = None


def build(settings: OfrepSettings, web: Web, secret: Secrets, timeout_s: float) -> OfrepMonitor:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    headers: dict[str, Secret | str] = {"Accept": "application/json"}
    if settings.token is not None:
        headers["Authorization"] = bearer(secret(settings.token))
    if settings.api_key is not None:
        headers["X-API-Key"] = secret(settings.api_key)
    host = web.host(
        settings.url,
        headers=headers,
        timeout_s=timeout_s,
        ca_file=settings.ca_file,
        max_concurrent=_CONCURRENT,
    )
    return OfrepMonitor(settings, host, timeout_s=timeout_s)


@dataclass(slots=True)
class Tally:
    """What was decided for one flag. newest: whether each of the newest decisions was for the new side."""

    newest: deque[bool]
    counted: dict[str, int] = field(default_factory=lambda: {"legacy": 0, "new": 0})
    turn: int = 0

    def add(self, side: Literal["legacy", "new"]) -> None:
        self.counted[side] += 1
        self.newest.append(side == "new")


class OfrepMonitor:
    """Counts decisions from poll to poll, so what it knows grows."""

    def __init__(self, settings: OfrepSettings, host: HttpHost, *, timeout_s: float) -> None:
        self._settings = settings
        self._host = host
        self._timeout_s = timeout_s
        self._tallies: dict[str, Tally] = {}
        self._places = asyncio.Semaphore(_CONCURRENT)

    async def query(self, expressions: Sequence[str]) -> Mapping[str, Sample | AdapterError]:
        """One entry per expression. Raises AdapterError when the service as a whole cannot be asked."""
        wanted = {each: _read_expression(each) for each in dict.fromkeys(expressions)}
        keys = list(dict.fromkeys(each[0] for each in wanted.values() if not isinstance(each, AdapterError)))
        found = await asyncio.gather(*(self._poll(key) for key in keys), return_exceptions=True)
        troubles: dict[str, FlagTrouble | None] = {}
        for key, trouble in zip(keys, found, strict=True):
            if isinstance(trouble, BaseException) and not isinstance(trouble, FlagTrouble):
                raise trouble
            troubles[key] = trouble
        return {text: self._outcome(each, troubles) for text, each in wanted.items()}

    async def preflight(self, expressions: Sequence[str]) -> Sequence[Preflight]:
        subject = self._host.address
        try:
            outcomes = await self.query(expressions)
        except AdapterError as error:
            return [Preflight(subject=subject, question="answers as OFREP", ok=False, detail=in_words(error))]
        lines = [Preflight(subject=subject, question="answers as OFREP", ok=True, detail="")]
        return lines + [_line(text, outcome) for text, outcome in outcomes.items()]

    async def aclose(self) -> None:
        await self._host.aclose()

    async def _poll(self, key: str) -> FlagTrouble | None:
        """Evaluate the next identities, as many as there is time for. Raises AdapterError; Unreachable when
        there was no time for any."""
        tally = self._tallies.setdefault(key, Tally(deque(maxlen=self._settings.identities)))
        began = tally.turn
        turns = iter(range(began, began + self._settings.per_poll))
        try:
            async with asyncio.timeout(self._timeout_s * _POLL_PART):
                while batch := list(islice(turns, _CONCURRENT)):
                    await self._take(key, tally, batch)
        except TimeoutError:
            if tally.turn == began:
                title = f"no evaluation ended within {self._timeout_s:g} s"
                raise Unreachable(Failure(title=title, detail=self._host.address)) from None
        except FlagTrouble as trouble:
            return trouble
        return None

    async def _take(self, key: str, tally: Tally, batch: Sequence[int]) -> None:
        """What was decided before trouble came is counted all the same."""
        found = await asyncio.gather(*(self._evaluate(key, turn) for turn in batch), return_exceptions=True)
        for side in found:
            if isinstance(side, BaseException):
                raise side
            if side is not None:
                tally.add(side)
            tally.turn += 1

    async def _evaluate(self, key: str, turn: int) -> Literal["legacy", "new"] | None:
        """One decision. Raises FlagTrouble for what is wrong with this flag alone, else AdapterError."""
        name = f"cockpit-synthetic-{turn % self._settings.identities}"
        body = {"context": {**self._settings.context, "targetingKey": name}}
        async with self._places:
            answer = await once_more_after_reset(
                lambda: self._host.read_post(f"{_PATH}/{segment(key)}", json=body, retry=False)
            )
        if answer.status in (400, 404):
            raise _flag_trouble(answer.status, answer.json())
        answer.raise_for_status()
        return self._side(answer.json(), key)

    def _side(self, body: object, key: str) -> Literal["legacy", "new"] | None:
        if not isinstance(body, Mapping) or body.get("key") != key:
            raise BrokenAnswer(Failure(title="not an evaluation of this flag"))
        if "value" not in body:
            return self._settings.without_value
        value = body["value"]
        # True equals 1 in Python, and not in a flag service.
        if type(value) is type(self._settings.new) and value == self._settings.new:
            return "new"
        if type(value) is type(self._settings.legacy) and value == self._settings.legacy:
            return "legacy"
        return None

    def _outcome(
        self, wanted: tuple[str, str] | AdapterError, troubles: Mapping[str, FlagTrouble | None]
    ) -> Sample | AdapterError:
        if isinstance(wanted, AdapterError):
            return wanted
        key, word = wanted
        trouble, tally = troubles[key], self._tallies[key]
        if trouble is not None:
            return trouble
        if not tally.newest:
            note = "no decision was for either side (a third value, or none)"
            return Sample(value=None, quality=Quality.NO_DATA, note=note)
        hits, of = sum(tally.newest), len(tally.newest)
        value = 100 * hits / of if word == "share" else float(tally.counted[word])
        return Sample(value=value, quality=Quality.GOOD, note=sampled(hits, of))


class FlagTrouble(RefusedByService):
    """The service's own word about one flag; others may do well."""


def sampled(hits: int, of: int) -> str:
    low, high = interval(hits, of)
    return f"sampled: {hits} of {of} on the new side, {100 * low:.1f}% to {100 * high:.1f}% (95%)"


def interval(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share after `hits` of `of` (Wilson), which never leaves 0 to 1."""
    share, spread = hits / of, _Z_95**2 / of
    centre = (share + spread / 2) / (1 + spread)
    half = _Z_95 * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return (max(0.0, centre - half) if hits else 0.0), (min(1.0, centre + half) if hits < of else 1.0)


def _read_expression(text: str) -> tuple[str, str] | AdapterError:
    key, _, word = text.strip().rpartition(" ")
    if not key.strip() or word not in _WORDS:
        shown = clean_text(text, limit=60)
        return plan_fault(f'not a flag\'s key and one of {", ".join(_WORDS)}: "{shown}"')
    return key.strip(), word


def _flag_trouble(status: int, body: object) -> AdapterError:
    """`{"key", "errorCode", "errorDetails"}`: FLAG_NOT_FOUND with 404, the others with 400."""
    code = body.get("errorCode") if isinstance(body, Mapping) else None
    if not isinstance(code, str):
        failure = Failure(
            title=f"no OFREP at this address (HTTP {status})", retryable=False, fault=Fault.PLAN
        )
        return RefusedByService(failure, status=status)
    details = body.get("errorDetails") if isinstance(body, Mapping) else ""
    failure = Failure(
        title=f"the flag cannot be evaluated: {clean_text(code, limit=60)}",
        detail=clean_text(details or "", limit=160),
        retryable=False,
        fault=Fault.PLAN,
    )
    return FlagTrouble(failure, status=status)


def _line(text: str, outcome: Sample | AdapterError) -> Preflight:
    subject, question = clean_text(text, limit=80), "gives a share"
    if isinstance(outcome, AdapterError):
        ok = False if outcome.failure.fault is Fault.PLAN else None
        return Preflight(subject=subject, question=question, ok=ok, detail=in_words(outcome))
    good = True if outcome.quality is Quality.GOOD else None
    return Preflight(subject=subject, question=question, ok=good, detail=outcome.note)
