"""Where everything meets: a plan's names become adapters, a journal, an engine. Used by `cli` only.

A read-only cockpit gets no writers and no hooks: they are not built, and their secrets are not read.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cockpit import __version__
from cockpit.core.clean import clean_text
from cockpit.core.model import Mode
from cockpit.core.secret import Secret, SecretRef
from cockpit.core.snapshot import PlanChange
from cockpit.core.spec import AnnounceSpec, Plan, ProbeSpec, ServiceSpec
from cockpit.plan.kinds import Kinds

if TYPE_CHECKING:
    from cockpit.adapters.base import FlagWriter
    from cockpit.engine.identity import Identity
    from cockpit.engine.pilot import PlanOffer
    from cockpit.engine.sources import Sources

Secrets = Callable[[SecretRef], Secret]


def kinds() -> Kinds:
    """What the plan may name, from the adapter table."""
    from cockpit.adapters import table

    return Kinds(
        flag_services={name: kind.settings for name, kind in table.FLAG_SERVICES.items()},
        probes={name: kind.settings for name, kind in table.PROBES.items()},
        monitors={name: kind.settings for name, kind in table.MONITORS.items()},
        announcers={name: kind.settings for name, kind in table.ANNOUNCERS.items()},
    )


def plan_secrets(plan: Plan) -> Secrets:
    """Secrets of a plan file, relative to where it lies. Raises SecretProblem when one cannot be had."""
    from cockpit.plan.secrets import resolve

    base_dir = Path(plan.source).resolve().parent
    return lambda ref: resolve(ref, base_dir=base_dir)


def identity(mode: Mode, *, read_only: bool) -> Identity:
    from cockpit.engine.identity import Identity

    return Identity(
        operator=operator_name(os.environ),
        host=clean_text(socket.gethostname(), limit=64),
        mode=mode,
        version=__version__,
        read_only=read_only,
    )


def operator_name(environ: Mapping[str, str]) -> str:
    """Who flies: COCKPIT_OPERATOR (for shared accounts), else the login name."""
    name = environ.get("COCKPIT_OPERATOR")
    if not name:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = f"uid {os.getuid()}"
    return clean_text(name, limit=40) or "unknown"


def _own(spec: ServiceSpec | ProbeSpec | AnnounceSpec) -> Any:
    """The adapter's own settings: the plan made them with the class that the table names for this kind."""
    return spec.settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds the adapters of a plan; called again when a changed plan is taken."""

    secret: Secrets
    read_only: bool

    def __call__(self, plan: Plan) -> Sources:
        from cockpit.adapters import table
        from cockpit.adapters.http import Web
        from cockpit.engine.sources import Sources

        web = Web()
        services, secret = plan.flag_services, self.secret
        return Sources(
            readers={
                each.name: table.FLAG_SERVICES[each.kind].reader(_own(each), web, secret, each.timeout_s)
                for each in services
            },
            monitors={
                each.name: table.MONITORS[each.kind].build(_own(each), web, secret, each.timeout_s)
                for each in plan.monitors
            },
            probes={
                (probe.side, probe.name): table.PROBES[probe.kind].build(
                    _own(probe), web, secret, probe.timeout_s
                )
                for backend in plan.backends
                for probe in backend.probes
            },
            writers={} if self.read_only else self._writers(plan, web),
            announcers={}
            if self.read_only
            else {
                hook.name: table.ANNOUNCERS[hook.kind].build(_own(hook), web, secret, hook.timeout_s)
                for hook in plan.announce
            },
            close=web.aclose,
        )

    def _writers(self, plan: Plan, web: Any) -> dict[str, FlagWriter]:
        from cockpit.adapters import table

        built = {
            each.name: table.FLAG_SERVICES[each.kind].writer(_own(each), web, self.secret)
            for each in plan.flag_services
        }
        return {name: writer for name, writer in built.items() if writer is not None}


Offers = Callable[[asyncio.Event, Callable[[], Plan]], "AsyncIterator[PlanOffer]"]


def plan_offers(path: Path) -> Offers:
    """Changed plans as offers: what differs from the plan that is flown, or what is wrong."""

    async def offers(stop: asyncio.Event, flown: Callable[[], Plan]) -> AsyncIterator[PlanOffer]:
        from cockpit.engine.pilot import PlanOffer
        from cockpit.plan.change import describe_change
        from cockpit.plan.watching import watch

        async for found in watch(path, kinds(), stop, seen=flown().digest):
            if isinstance(found, Plan):
                diff = describe_change(flown(), found)
                yield PlanOffer(plan=found, change=_change(found.digest, diff, ()))
            else:
                problems = tuple(str(problem) for problem in found.problems)
                yield PlanOffer(plan=None, change=_change("", (), problems))

    return offers


def _change(digest: str, diff: tuple[str, ...], problems: tuple[str, ...]) -> PlanChange:
    from cockpit.engine.clock import SystemClock

    return PlanChange(digest=digest, diff=diff, problems=problems, seen_at=SystemClock().now())
