"""One question to one monitor about the past. It gives up quietly: nothing waits for it, nobody judges it."""

from __future__ import annotations

import asyncio
from typing import Final

from cockpit.adapters.base import AdapterError, Historian, Monitor
from cockpit.engine.signal_senses import SignalSenses
from cockpit.engine.trails import in_words

RECALL_LIMIT_S: Final = 20.0


async def recall(signals: SignalSenses, source: Monitor, name: str) -> None:
    """Ask once, and put what came of it into the trails: the past, or why there is none."""
    wanted = signals.past_wanted(name)
    if wanted is None:
        return
    if not isinstance(source, Historian):
        signals.trails.no_past(name, "a monitor of this kind remembers nothing")
        return
    try:
        async with asyncio.timeout(RECALL_LIMIT_S):
            told = await source.history(
                wanted.expressions, start=wanted.start, end=wanted.end, step_s=wanted.step_s
            )
    except AdapterError as error:
        signals.trails.no_past(name, in_words(error))
    except TimeoutError:
        signals.trails.no_past(name, f"no answer in {RECALL_LIMIT_S:g} s")
    except Exception as error:  # a drawing must not end a flight: it is said where the history would be
        signals.trails.no_past(name, f"the cockpit's own fault: {type(error).__name__}")
    else:
        await signals.trails.remember(name, wanted, told)
