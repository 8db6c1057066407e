"""Asking once more where silence says nothing about the service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cockpit.adapters.no_answer import Cause, NoAnswer

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer


async def once_more_after_reset(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer to `ask()`, asked a second time when the connection was closed on us.

    A service may close an idle connection at the very moment when we use it again. Nothing else is
    repeated: a poll is one observation, and the next one is never far.
    """
    try:
        return await ask()
    except NoAnswer as trouble:
        if trouble.cause is not Cause.RESET:
            raise
    return await ask()
