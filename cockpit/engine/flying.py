"""What a flight is started with. Built by `cli`, flown by the pilot."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import field
from datetime import datetime

from cockpit.core.clock import Clock
from cockpit.core.dataclass import dataclass
from cockpit.core.flight import Flight
from cockpit.core.spec import Plan
from cockpit.engine.identity import Identity
from cockpit.engine.journal_port import Journal
from cockpit.engine.replan import PlanOffers
from cockpit.engine.rescue import RescueFiles
from cockpit.engine.sources import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Flying:
    """Everything that a flight needs. `sources` builds the adapters of a plan, those of a changed plan on a
    thread of its own.

    plan_offers yields changed plans until the event is set; it is told how to ask which plan is flown now.
    hint: what the demo says to press. recalls: whether monitors are asked what they remember, for a screen.
    """

    plan: Plan
    sources: Callable[[Plan], Sources]
    journal: Journal
    clock: Clock
    identity: Identity
    plan_offers: PlanOffers | None = None
    journal_path: str = ""
    last_drill_at: datetime | None = None
    rescue: RescueFiles | None = None
    hint: Callable[[Flight, datetime], str] = lambda flight, now: ""
    recalls: bool = True
    rng: random.Random = field(default_factory=random.Random)
