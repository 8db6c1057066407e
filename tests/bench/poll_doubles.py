"""Services that can be had as a double only, each in a process of its own, for the poll bench.

The double answers what its documentation says, at the speed of a trivial server: what is measured is the
adapter.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final

from tests.adapters.flags import launchdarkly_double, posthog_double, vercel_double
from tests.adapters.probes.scripted import Request, Step, as_json, scripted
from tests.adapters.probes.sentry_double import Sentry
from tests.adapters.probes.supabase_double import SECRET_KEY, Project
from tests.adapters.probes.test_alerts import BEAT, a_rule, rules

SENTRY_TOKEN: Final = "token-sentry-throwaway"  # opens nothing
SUPABASE_KEY: Final = SECRET_KEY
FLAG: Final = "FLAG_1"
Handler = Callable[[Request], Step]


def _launchdarkly() -> Handler:
    double = launchdarkly_double.LaunchDarklyDouble()
    double.add(FLAG, 25_000)
    return double.answer


def _posthog() -> Handler:
    double = posthog_double.PostHogDouble()
    double.add(FLAG, 25.0)
    return double.answer


def _vercel() -> Handler:
    double = vercel_double.VercelDouble()
    double.add(FLAG, "true")
    double.items[FLAG] = 25
    return double.answer


def _prometheus_alerts() -> Handler:
    answer: Mapping[str, Any] = rules(a_rule(lastEvaluation="2099-01-01T00:00:00Z"))
    return lambda request: as_json(answer)


def _alertmanager() -> Handler:
    return lambda request: as_json([BEAT] if "Watchdog" in request.path else [])


def _http_json() -> Handler:
    flags = {key: {"percent": 25, "on": True} for key in ("chat_writes", "chat_reads", "chat_realtime")}
    return lambda request: as_json({"flags": flags})


HANDLERS: Final[Mapping[str, Callable[[], Handler]]] = {
    "launchdarkly": _launchdarkly,
    "posthog": _posthog,
    "vercel": _vercel,
    "prometheus_alerts": _prometheus_alerts,
    "alertmanager": _alertmanager,
    "http_json": _http_json,
    "sentry": lambda: Sentry(SENTRY_TOKEN),
    "supabase": Project,
}


@contextmanager
def doubled(name: str) -> Iterator[str]:
    """The address of one double, in another process."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve, args=(name, there))
    process.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        process.join()


def serve(name: str, pipe: Connection) -> None:
    """Tells its address, and serves until it is told anything."""

    async def main() -> None:
        over = asyncio.Event()
        async with scripted(HANDLERS[name]()) as server:
            asyncio.get_running_loop().add_reader(pipe.fileno(), over.set)
            pipe.send(server.url)
            await over.wait()

    asyncio.run(main())
