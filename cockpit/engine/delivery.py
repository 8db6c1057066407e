"""One announcement to one hook: tried again where that can help, and never for long.

Only trouble of the network or of the service is worth another try (no connection, 429, 5xx); what is the
plan's or the credential's fault stays so. A hook that asks for a longer wait than `LONGEST_WAIT_S` is
not waited for: people are told by other means sooner. Every try carries the same event id.
"""

from __future__ import annotations

import asyncio
from typing import Final

from cockpit.adapters.base import AdapterError, Announcement, Announcer
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault

PAUSES_S: Final = (1.0, 4.0)
LONGEST_WAIT_S: Final = 15.0
_WORTH_ANOTHER_TRY: Final = frozenset({Fault.SERVICE, Fault.NETWORK})


async def deliver(
    announcer: Announcer | None, announcement: Announcement, *, timeout_s: float
) -> tuple[str, Failure | None]:
    """The receipt, or why it is not delivered after the last try. `timeout_s` is for each try."""
    if announcer is None:
        return "", Failure(title="this cockpit has no such hook", retryable=False, fault=Fault.COCKPIT)
    receipt, failure = await _once(announcer, announcement, timeout_s)
    for pause_s in PAUSES_S:
        if failure is None or not failure.retryable or failure.fault not in _WORTH_ANOTHER_TRY:
            break
        wait_s = max(pause_s, failure.retry_after_s or 0.0)
        if wait_s > LONGEST_WAIT_S:
            break
        await asyncio.sleep(wait_s)
        receipt, failure = await _once(announcer, announcement, timeout_s)
    return receipt, failure


async def _once(
    announcer: Announcer, announcement: Announcement, timeout_s: float
) -> tuple[str, Failure | None]:
    try:
        async with asyncio.timeout(timeout_s):
            return clean_text(await announcer.announce(announcement)), None
    except TimeoutError:
        return "", Failure(title=f"no answer in {timeout_s:g} s", fault=Fault.NETWORK)
    except AdapterError as error:
        return "", error.failure
    except Exception as error:  # the command edge: a hook must never take the engine down
        title = f"the cockpit's own fault: {type(error).__name__}"
        return "", Failure(title=title, retryable=False, fault=Fault.COCKPIT)
