"""A read-back: one flag through one lever, now, beside the poller."""

from __future__ import annotations

import asyncio

from cockpit.core.events import Lever
from cockpit.core.model import Failure, Fault
from cockpit.core.spec import Plan
from cockpit.engine.senses import Senses


async def read_back(senses: Senses, plan: Plan, flag: str, lever: Lever) -> bool:
    """True when it gave a value; why it gave none stands at the flag. Raises nothing."""
    service, key = plan.read_through(flag, second=lever is Lever.SECOND)
    if service is None:
        return False
    try:
        async with asyncio.timeout(service.timeout_s):
            return await senses.read_service(service, (key,)) is None
    except TimeoutError:
        failure = Failure(title=f"no answer in {service.timeout_s:g} s", fault=Fault.NETWORK)
    except Exception as error:  # the poll edge: a broken reader is one more way of not knowing
        title = f"the cockpit's own fault while reading: {type(error).__name__}"
        failure = Failure(title=title, fault=Fault.COCKPIT)
    senses.service_failed(service.name, (key,), failure)
    return False
