"""Servers that misbehave in turn, and everything an error could say in a log."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cockpit.adapters.base import AdapterError
from cockpit.adapters.http import Answer, HttpHost, Web
from cockpit.core.secret import Secret
from tests.adapters.probes.scripted import Handler, Scripted, Step, scripted

TOKEN = "tok-7f3a9c51d2e84b60"
SECRET = {"Authorization": Secret(f"Bearer {TOKEN}")}


@asynccontextmanager
async def serving(
    web: Web, handler: Handler, *, timeout_s: float = 5.0
) -> AsyncIterator[tuple[HttpHost, Scripted]]:
    async with scripted(handler) as server:
        yield web.host(server.url, headers=SECRET, timeout_s=timeout_s), server


def always(step: Step) -> Handler:
    return lambda request: step


def in_turn(*steps: Step) -> Handler:
    """One step per request; the last one stays."""
    left = itertools.chain(steps, itertools.repeat(steps[-1]))
    return lambda request: next(left)


def everything_said(error: BaseException) -> str:
    """All text that a crash report or a log could make of an error."""
    parts = ["".join(traceback.format_exception(error)), repr(error)]
    if isinstance(error, AdapterError):
        parts.append(repr(error.failure))
    return "\n".join(parts)


def answer(body: bytes, *, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(
        status=status, headers=named, body=body, took_s=0.0, server_time=None, asked="GET http://h:1/x"
    )
