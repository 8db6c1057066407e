"""`cockpit announce PLAN --test NAME`: one clearly labelled message, to see before the night that it arrives.

It goes out under a name of its own, so that a test in the middle of a cutover touches nothing real: a
silence that it makes is another one, and is ended at once. It pages nobody.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path
from typing import Final

from cockpit.cli.output import say, say_error
from cockpit.cli.plans import NOT_DONE, USAGE, complain, load_plan
from cockpit.cli.who import operator_name
from cockpit.cli.wiring import Builder, plan_secrets
from cockpit.core.model import Failure
from cockpit.core.spec import AnnounceSpec, HookMoment, Plan
from cockpit.plan.problems import PlanProblems

LASTING: Final = "alertmanager_silence"


def run_test(path: Path, name: str) -> int:
    """Exit 0 when the hook took the message, 1 when it did not, 2 for a wrong plan or name."""
    try:
        plan = load_plan(path)
    except PlanProblems as problems:
        return complain(problems)
    hook = next((each for each in plan.announce if each.name == name), None)
    if hook is None:
        known = ", ".join(f'"{each.name}"' for each in plan.announce) or "none"
        say_error(f'no announcement is called "{name}"; the plan names {known}')
        return USAGE
    moments = [HookMoment.STAGE, *([HookMoment.CANCELLED] if hook.kind == LASTING else [])]
    for receipt, failure in asyncio.run(_tell(plan, hook, moments)):
        if failure is not None:
            say_error(f"{name}: not delivered: {failure.title} {failure.detail}".strip())
            return NOT_DONE
        say(f"{name}: {receipt}")
    return 0


async def _tell(
    plan: Plan, hook: AnnounceSpec, moments: list[HookMoment]
) -> list[tuple[str, Failure | None]]:
    from cockpit.adapters.base import Announcement
    from cockpit.adapters.http import Web
    from cockpit.engine.clock import SystemClock
    from cockpit.engine.delivery import deliver

    clock = SystemClock()
    web = Web(clock=clock)
    announcer = Builder(secret=plan_secrets(plan), read_only=False).announcer(hook, web)
    event_id = f"test:{uuid.uuid4()}"
    try:
        return [
            await deliver(
                announcer,
                Announcement(
                    event_id=event_id,
                    moment=moment.value,
                    title=f"[TEST, nothing happened] {plan.title}",
                    text="A test of this announcement. Nothing was changed, and nobody has to do anything.",
                    environment=plan.environment,
                    plan=f"TEST of {plan.title}",
                    actor=operator_name(os.environ),
                    at=clock.now(),
                ),
                timeout_s=hook.timeout_s,
            )
            for moment in moments
        ]
    finally:
        await announcer.aclose()
        await web.aclose()
