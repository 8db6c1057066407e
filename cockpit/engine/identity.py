"""Who flies: shown on every screen and journalled."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from cockpit.core.model import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """read_only: no writers, no driving, no commands. session: this run of this cockpit, and no other."""

    operator: str
    host: str
    mode: Mode
    version: str
    read_only: bool = False
    session: str = field(default_factory=lambda: str(uuid4()))
