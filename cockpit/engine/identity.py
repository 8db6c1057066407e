"""Who flies: shown on every screen and journalled."""

from __future__ import annotations

from dataclasses import field
from uuid import uuid4

from cockpit.core.dataclass import dataclass
from cockpit.core.events import Kind
from cockpit.core.model import Mode
from cockpit.core.spec import Plan
from cockpit.engine.journal_port import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """read_only: no writers, no driving, no commands. session: this run of this cockpit, and no other."""

    operator: str
    host: str
    mode: Mode
    version: str
    read_only: bool = False
    session: str = field(default_factory=lambda: str(uuid4()))


def signing_in(identity: Identity, plan: Plan, *, first: bool) -> Draft:
    """What whoever takes the seat journals of itself. first: nobody has flown on this journal before."""
    body: dict[str, object] = {
        "plan_title": plan.title,
        "plan_digest": plan.digest,
        "environment": plan.environment,
        "mode": identity.mode.value,
        "host": identity.host,
        "version": identity.version,
    }
    return Draft(kind=Kind.FLIGHT_OPENED if first else Kind.FLIGHT_RESUMED, body=body)
