"""Failed function runs, from the log of a Convex deployment.

The deployment holds a request for up to a minute until there is something to tell. One such request is
always under way beside the polls, never two, with a deadline of its own; a probe only says what came so
far. What was logged while nobody listened is told by the cursor, if the deployment still has it.

Of an entry only the function's name is shown: texts of errors may hold anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer
from cockpit.adapters.convex import Deployment
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text, finite_number
from cockpit.core.model import Failure, Health, ProbeValue
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import Web
    from cockpit.adapters.probes.convex_settings import ConvexLogsSettings
    from cockpit.core.clock import Clock

_LOG: Final = "/api/stream_function_logs"
_LONG_POLL_S: Final = 75.0
_LARGEST: Final = 16_000_000
_MOST_KEPT: Final = 10_000
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
    return ConvexLogsProbe(Deployment(host, instance=settings.instance), settings, clock=web.clock)


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run of a function: when (seconds there), which, and whether it failed."""

    at_s: float
    function: str
    failed: bool


class ConvexLogsProbe:
    """Begins to listen at the first probe."""

    def __init__(self, host: Deployment, settings: ConvexLogsSettings, *, clock: Clock | None) -> None:
        self._host = host
        self._settings = settings
        self._clock = clock
        self._ahead_s = 0.0
        self._listening: asyncio.Task[None] | None = None
        self._runs: deque[Run] = deque(maxlen=_MOST_KEPT)
        self._cursor = 0.0
        self._heard = False
        self._failure: Failure | None = None

    async def probe(self) -> ProbeValue:
        """Raises AdapterError while the log cannot be read."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.get_running_loop().create_task(self._listen())
            await asyncio.sleep(0)
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
        since_s = asyncio.get_running_loop().time() + self._ahead_s - self._settings.window
        lately = [run for run in self._runs if run.at_s >= since_s]
        failed = Counter(run.function for run in lately if run.failed)
        total = sum(failed.values())
        within = f"in {self._settings.window / 60:g} min"
        text = f"{total} of {len(lately)} runs failed {within}"
        worst = tuple((name, f"{count} failed") for name, count in failed.most_common(_NAMED))
        health = Health.DEGRADED if total >= self._settings.error_limit else Health.OK
        return ProbeValue(health=health, detail=text, facts=(("runs", str(len(lately))), *worst))

    async def _listen(self) -> None:
        """Until cancelled: one question after the other, with a breath between them."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            try:
                now = await self._host.verify() or (None if self._clock is None else self._clock.now())
                if now is None:
                    raise BrokenAnswer(Failure(title="the deployment does not tell what time it is"))
                self._ahead_s = now.timestamp() - loop.time()
                body = await self._host.read(_LOG, {"cursor": f"{self._cursor:.3f}"})
                self._take(body)
            except AdapterError as error:
                self._failure, failures = error.failure, failures + 1
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])
            else:
                self._failure, failures = None, 0
                await asyncio.sleep(_BREATH_S)

    def _take(self, body: object) -> None:
        """Remember what an answer tells. Raises BrokenAnswer."""
        entries = body.get("entries") if isinstance(body, Mapping) else None
        if not isinstance(body, Mapping) or not isinstance(entries, list):
            raise _broken()
        cursor = _number(body.get("newCursor"))
        runs = [run for run in map(read_run, entries) if run is not None]
        self._runs.extend(runs)
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
