"""Failed function runs, from the log of a Convex deployment.

The deployment holds a request for up to a minute until there is something to tell. One such request is
always under way beside the polls, never two, with a deadline of its own; a probe only says what came so
far. What was logged while nobody listened is told by the cursor, if the deployment still has it.

Of an entry only the function's name is shown: texts of errors may hold anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.convex import Deployment
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.probes.convex_settings import ConvexLogsSettings
    from cockpit.core.clock import Clock

_LOG: Final = "/api/stream_function_logs"
_LONG_POLL_S: Final = 75.0
_LARGEST: Final = 4_000_000
_SLOT_S: Final = 10
_MOST_NAMES: Final = 300
_OTHERS: Final = "(other functions)"
_PAUSES_S: Final = (0.25, 1.0, 3.0, 10.0)
_BREATH_S: Final = 1.0
_NAMED: Final = 3


def build(settings: ConvexLogsSettings, web: Web, secret: Secrets, timeout_s: float) -> ConvexLogsProbe:
    """Raises what `secret` raises, and RefusedByService for an address that cannot be used."""
    host = web.host(
        settings.url,
        headers={"Authorization": Secret(f"Convex {secret(settings.key).reveal()}")},
        timeout_s=_LONG_POLL_S,
        ca_file=settings.ca_file,
        max_concurrent=1,
        max_body=_LARGEST,
    )
    deployment = Deployment(host, instance=settings.instance)
    return ConvexLogsProbe(deployment, settings, clock=web.clock, patience_s=timeout_s / 2)


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of a function: when (seconds there), which, and whether it failed."""

    at_s: float
    function: str
    failed: bool


class ConvexLogsProbe:
    """Begins to listen at the first probe, and gives the first answer so long to come."""

    def __init__(
        self, host: Deployment, settings: ConvexLogsSettings, *, clock: Clock | None, patience_s: float
    ) -> None:
        self._host = host
        self._settings = settings
        self._clock = clock
        self._ahead_s = 0.0
        self._listening: asyncio.Task[None] | None = None
        self._slots: dict[int, Counter[tuple[str, bool]]] = {}
        self._cursor: float | None = None
        self._heard = False
        self._failure: Failure | None = None
        self._patience_s = patience_s
        self._news = asyncio.Event()

    async def probe(self) -> ProbeValue:
        """Raises AdapterError while the log cannot be read."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.get_running_loop().create_task(self._listen())
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._patience_s)
        if self._failure is not None:
            raise AdapterError(self._failure)
        if not self._heard:
            return ProbeValue(health=Health.UNKNOWN, detail="listening, and nothing was told so far")
        return self._tell()

    async def aclose(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._host.aclose()

    def _tell(self) -> ProbeValue:
        lately: Counter[tuple[str, bool]] = Counter()
        for slot, runs in self._slots.items():
            if slot >= self._oldest_slot():
                lately.update(runs)
        failed = Counter({name: count for (name, bad), count in lately.items() if bad})
        total, runs_seen = failed.total(), lately.total()
        length = f"in {self._settings.window / 60:g} min"
        if not runs_seen:
            return ProbeValue(health=Health.UNKNOWN, detail=f"nothing ran {length}", facts=(("runs", "0"),))
        text = f"{total} of {runs_seen} runs failed {length}{self._too_many(total, runs_seen)}"
        worst = tuple((name, f"{count} failed") for name, count in failed.most_common(_NAMED))
        health = Health.DEGRADED if self._too_many(total, runs_seen) else Health.OK
        return ProbeValue(health=health, detail=text, facts=(("runs", str(runs_seen)), *worst))

    def _too_many(self, failed: int, runs: int) -> str:
        """Which limit so many failures are past, in words; empty while they are within both."""
        share_pct, limit_pct = 100 * failed / runs, self._settings.failure_limit_pct
        if share_pct > limit_pct:
            return f" ({share_pct:.3g}%, the limit is {limit_pct:g}%)"
        most = self._settings.error_limit
        return f" (the limit is {most})" if most is not None and failed >= most else ""

    def _oldest_slot(self) -> int:
        now_s = asyncio.get_running_loop().time() + self._ahead_s
        return int((now_s - self._settings.window) // _SLOT_S)

    async def _listen(self) -> None:
        """Until cancelled: one question after the other, with a breath between them."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            try:
                now = await self._host.verify() or (None if self._clock is None else self._clock.now())
                if now is None:
                    raise BrokenAnswer(Failure(title="the deployment does not tell what time it is"))
                self._ahead_s = now.timestamp() - loop.time()
                if self._cursor is None:
                    self._cursor = 1000 * (now.timestamp() - self._settings.window)
                self._take(await self._host.read(_LOG, {"cursor": f"{self._cursor:.3f}"}))
            except AdapterError as error:
                self._failure, failures = error.failure, failures + 1
                self._news.set()
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])
            else:
                self._failure, failures = None, 0
                self._news.set()
                await asyncio.sleep(_BREATH_S)

    def _take(self, body: object) -> None:
        """Remember what an answer tells. Raises BrokenAnswer."""
        entries = body.get("entries") if isinstance(body, Mapping) else None
        if not isinstance(body, Mapping) or not isinstance(entries, list):
            raise _broken()
        cursor = _number(body.get("newCursor"))
        runs = [run for run in map(read_run, entries) if run is not None]
        for run in runs:
            slot = self._slots.setdefault(int(run.at_s // _SLOT_S), Counter())
            crowded = len(slot) >= _MOST_NAMES and (run.function, run.failed) not in slot
            slot[_OTHERS if crowded else run.function, run.failed] += 1
        oldest = self._oldest_slot()
        newest = oldest + self._settings.window / _SLOT_S + 1
        self._slots = {slot: kept for slot, kept in self._slots.items() if oldest <= slot <= newest}
        self._cursor, self._heard = cursor, True


def read_run(entry: object) -> Run | None:
    """A finished run; None for what is none (progress of one that goes on). Raises BrokenAnswer."""
    if not isinstance(entry, Mapping):
        raise _broken()
    if entry.get("kind") != "Completion":
        return None
    name = entry.get("identifier")
    return Run(
        at_s=_number(entry.get("timestamp")),
        function=clean_text(name, limit=80) if isinstance(name, str) else "(without a name)",
        failed=entry.get("error") is not None,
    )


def _number(raw: object) -> float:
    try:
        value = finite_number(raw)
    except ValueError:
        raise _broken() from None
    if isinstance(raw, str) or value < 0:
        raise _broken()
    return value


def _broken() -> BrokenAnswer:
    return BrokenAnswer(Failure(title="not the log of a Convex deployment"))
