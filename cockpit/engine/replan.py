"""The changed plan: offered while its file differs, and flown from one moment to the next when it is taken.

Building its adapters may take long (a secret can be a command with a limit of seconds), so that is done on
a thread beside the loop while the old plan is flown on. The change itself is one step on the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial

from cockpit.adapters.base import AdapterError
from cockpit.core.clean import clean_text
from cockpit.core.commands import CommandState
from cockpit.core.dataclass import dataclass
from cockpit.core.snapshot import PlanChange
from cockpit.core.spec import Plan
from cockpit.engine.sources import Sources

Ended = Callable[[CommandState, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOffer:
    """A plan file that changed on disk: a plan to take, or (None) the problems of a broken edit."""

    plan: Plan | None
    change: PlanChange


PlanOffers = Callable[[asyncio.Event, Callable[[], Plan]], AsyncIterator[PlanOffer]]


class Replan:
    """On the engine's loop only. sources: builds a plan's adapters, called on a thread of its own.

    refusal: why no plan may be taken now, or empty. adopt: journals that it is taken and flies by it; False
    when it could not be journalled. The sources that are not flown (any more) are in `retired`.
    """

    def __init__(
        self,
        *,
        offers: PlanOffers | None,
        sources: Callable[[Plan], Sources],
        flown: Callable[[], Plan],
        refusal: Callable[[], str],
        adopt: Callable[[PlanOffer, Plan, Sources], bool],
        draw: Callable[[], None],
    ) -> None:
        self._offers = offers
        self._sources = sources
        self._flown = flown
        self._refusal = refusal
        self._adopt = adopt
        self._draw = draw
        self._building = False
        self._offer: PlanOffer | None = None
        self.retired: list[Sources] = []

    @property
    def change(self) -> PlanChange | None:
        return self._offer.change if self._offer is not None else None

    async def watch(self, stop: asyncio.Event) -> None:
        """Until the event is set. Raises whatever breaks the watch."""
        if self._offers is None:
            return
        async for offer in self._offers(stop, self._flown):
            same = offer.plan is not None and offer.plan.digest == self._flown().digest
            self._offer = None if same else offer
            self._draw()

    def take(self, digest: str, accept: bool, ended: Ended) -> str:
        """Set the offered plan aside, or begin to take it; `ended` is told what came of that, later.

        Raises ValueError when it cannot be taken.
        """
        offer = self._offer
        if offer is None or offer.change.digest != digest:
            raise ValueError("that plan is not on offer any more")
        if not accept:
            self._offer = None
            return "the change is set aside"
        if offer.plan is None:
            raise ValueError("a broken plan cannot be taken")
        if offer.plan.environment != self._flown().environment:
            raise ValueError("another environment is another flight: leave, and start on the changed plan")
        if self._building:
            raise ValueError("a changed plan is being taken already")
        if refusal := self._refusal():
            raise ValueError(refusal)
        self._building = True
        work = partial(self._build, asyncio.get_running_loop(), offer, offer.plan, ended)
        threading.Thread(target=work, name="cockpit-plan", daemon=True).start()
        return "reading the secrets of the changed plan; the old one is flown until then"

    def _build(self, loop: asyncio.AbstractEventLoop, offer: PlanOffer, plan: Plan, ended: Ended) -> None:
        """On the thread."""
        fresh: Sources | None = None
        try:
            fresh, trouble = self._sources(plan), ""
        except AdapterError as error:
            trouble = error.failure.title
        except Exception as error:  # the thread's edge: the command ends with what broke it
            trouble = f"it cannot be built: {type(error).__name__}"
        try:
            loop.call_soon_threadsafe(self._built, offer, plan, fresh, trouble, ended)
        except RuntimeError:
            return  # the loop closed in between: there is nobody left to fly by it

    def _built(self, offer: PlanOffer, plan: Plan, fresh: Sources | None, trouble: str, ended: Ended) -> None:
        """Back on the loop: the world went on meanwhile, so that everything is asked again."""
        self._building = False
        if fresh is not None:
            moved_on = "" if self._offer is offer else "the plan file changed again meanwhile"
            trouble = moved_on or self._refusal()
            if not trouble and not self._adopt(offer, plan, fresh):
                trouble = self._refusal() or "the journal cannot be written"
            if trouble:
                self.retired.append(fresh)
        if trouble:
            ended(CommandState.REFUSED, clean_text(trouble))
            return
        self._offer = None
        ended(CommandState.DONE, "the changed plan is flown from now on")
