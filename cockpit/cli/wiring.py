"""Where everything meets: a plan's names become adapters, a journal, an engine. Used by `cli` only.

A read-only cockpit gets no writers and no hooks: they are not built, and their secrets are not read.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cockpit import __version__
from cockpit.cli.who import operator_name
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault, Mode
from cockpit.core.parity_spec import StoreSpec
from cockpit.core.secret import Secret, SecretRef
from cockpit.core.spec import AnnounceSpec, Plan, ProbeSpec, ServiceSpec
from cockpit.plan.kinds import Kinds

if TYPE_CHECKING:
    import asyncio

    from cockpit.adapters.base import Announcer, FlagReader, FlagWriter, Monitor, Probe, Store
    from cockpit.adapters.http import Heard, Web
    from cockpit.adapters.unavailable import Unavailable
    from cockpit.core.snapshot import PlanChange
    from cockpit.engine.identity import Identity
    from cockpit.engine.replan import PlanOffer
    from cockpit.engine.sources import Sources

WRITE_MARGIN_S: Final = 0.5
"""An adapter ends a write earlier than the engine gives up, so that it can still say whether it left."""

PATIENCE: Final = 0.95
"""An adapter gives up a little before its poll is ended: its own words say more than "no answer"."""

T = TypeVar("T")
Secrets = Callable[[SecretRef], Secret]


def kinds() -> Kinds:
    """What the plan may name, from the adapter table."""
    from cockpit.adapters import table

    return Kinds(
        flag_services=table.SettingsByKind(table.FLAG_SERVICES),
        probes=table.SettingsByKind(table.PROBES),
        monitors=table.SettingsByKind(table.MONITORS),
        announcers=table.SettingsByKind(table.ANNOUNCERS),
        stores=table.SettingsByKind(table.STORES),
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


def _own(spec: ServiceSpec | ProbeSpec | AnnounceSpec | StoreSpec) -> Any:
    """The adapter's own settings: the plan made them with the class that the table names for this kind."""
    return spec.settings


def _or_unavailable(build: Callable[[], T]) -> T | Unavailable:
    """What `build` makes, or a stand-in that says why it could not be made."""
    from cockpit.adapters.base import AdapterError
    from cockpit.adapters.unavailable import Unavailable
    from cockpit.plan.secrets import SecretProblem

    try:
        return build()
    except SecretProblem as problem:
        return _without_secret(problem)
    except AdapterError as error:
        return Unavailable(error.failure)


def _without_secret(problem: Exception) -> Unavailable:
    from cockpit.adapters.unavailable import Unavailable

    return Unavailable(Failure(title=str(problem), retryable=False, fault=Fault.CREDENTIAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds the adapters of a plan; called again when a changed plan is taken.

    Raises SecretProblem or AdapterError when a flag service cannot be used. Anything else that cannot be
    built is unavailable and says so: it must not keep anybody from rolling back.
    """

    secret: Secrets
    read_only: bool
    heard: Heard | None = None

    def __call__(self, plan: Plan) -> Sources:
        from cockpit.adapters.http import Web
        from cockpit.engine.clock import SystemClock
        from cockpit.engine.sources import Sources
        from cockpit.plan.secrets import SecretProblem

        web = Web(clock=SystemClock(), heard=self.heard)
        missing: list[str] = []
        readers = self._readers(plan, web, missing)
        writers = {} if self.read_only else self._writers(plan, web, missing)
        if missing:
            raise SecretProblem("\n".join(dict.fromkeys(missing)))
        return Sources(
            readers=readers,
            monitors={each.name: self._monitor(each, web) for each in plan.monitors},
            probes={
                (probe.side, probe.name): self._probe(probe, web)
                for backend in plan.backends
                for probe in backend.probes
            },
            stores={each.name: self._store(each, plan, web) for each in plan.stores},
            writers=writers,
            announcers={}
            if self.read_only
            else {hook.name: self.announcer(hook, web) for hook in plan.announce},
            close=web.aclose,
        )

    def _readers(self, plan: Plan, web: Web, missing: list[str]) -> dict[str, FlagReader]:
        return {
            each.name: self._of(each, plan, partial(self._reader, each, web), missing)
            for each in plan.flag_services
        }

    def _reader(self, service: ServiceSpec, web: Web) -> FlagReader:
        from cockpit.adapters.table import FLAG_SERVICES

        build = FLAG_SERVICES[service.kind].reader
        return build(_own(service), web, self.secret, PATIENCE * service.timeout_s)

    def _of(
        self, service: ServiceSpec, plan: Plan, build: Callable[[], T], missing: list[str]
    ) -> T | Unavailable:
        """A service that is only a second lever must not keep the first from working. What is `missing` for
        a first one is gathered, so that all of it is told at once."""
        from cockpit.plan.secrets import SecretProblem

        if all(flag.service != service.name for flag in plan.flags):
            return _or_unavailable(build)
        try:
            return build()
        except SecretProblem as problem:
            missing.append(f"flag_service.{service.name}: {problem}")
            return _without_secret(problem)

    def _writers(self, plan: Plan, web: Web, missing: list[str]) -> dict[str, FlagWriter]:
        from cockpit.adapters.table import FLAG_SERVICES
        from cockpit.adapters.unavailable import Unavailable

        def writer(service: ServiceSpec) -> FlagWriter | None:
            limit_s = plan.write_limit_s(service.name) - WRITE_MARGIN_S
            return FLAG_SERVICES[service.kind].writer(_own(service), web, self.secret, limit_s)

        built = {
            each.name: self._of(each, plan, partial(writer, each), missing) for each in plan.flag_services
        }
        return {
            name: writer
            for name, writer in built.items()
            if writer is not None and not isinstance(writer, Unavailable)
        }

    def _monitor(self, spec: ServiceSpec, web: Web) -> Monitor:
        from cockpit.adapters.table import MONITORS

        kind = MONITORS[spec.kind]
        return _or_unavailable(lambda: kind.build(_own(spec), web, self.secret, PATIENCE * spec.timeout_s))

    def _probe(self, spec: ProbeSpec, web: Web) -> Probe:
        from cockpit.adapters.table import PROBES

        kind = PROBES[spec.kind]
        return _or_unavailable(lambda: kind.build(_own(spec), web, self.secret, PATIENCE * spec.timeout_s))

    def _store(self, spec: StoreSpec, plan: Plan, web: Web) -> Store:
        """A store has no poll of its own: its deadline is that of the most patient check that asks it."""
        from cockpit.adapters.table import STORES

        kind = STORES[spec.kind]
        asking = (each for each in plan.parity if spec.name in (each.legacy.store, each.new.store))
        timeout_s = max((each.timeout_s for each in asking), default=30.0)
        return _or_unavailable(lambda: kind.build(_own(spec), web, self.secret, PATIENCE * timeout_s))

    def announcer(self, spec: AnnounceSpec, web: Web) -> Announcer:
        from cockpit.adapters.table import ANNOUNCERS

        kind = ANNOUNCERS[spec.kind]
        return _or_unavailable(lambda: kind.build(_own(spec), web, self.secret, spec.timeout_s))


Offers = Callable[["asyncio.Event", Callable[[], Plan]], "AsyncIterator[PlanOffer]"]


def plan_offers(path: Path) -> Offers:
    """Changed plans as offers: what differs from the plan that is flown, or what is wrong."""

    async def offers(stop: asyncio.Event, flown: Callable[[], Plan]) -> AsyncIterator[PlanOffer]:
        from cockpit.engine.replan import PlanOffer
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
    from cockpit.core.snapshot import PlanChange
    from cockpit.engine.clock import SystemClock

    return PlanChange(digest=digest, diff=diff, problems=problems, seen_at=SystemClock().now())
