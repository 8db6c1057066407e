"""From a plan to the practice world and back: what the world must hold, and the same plan pointed at it.

Adapter settings are known by their public field names only (`url`, `environment`, `instance` ...), so
that this room needs no adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, Final
from urllib.parse import urlsplit

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side
from cockpit.core.secret import SecretRef
from cockpit.core.spec import AnnounceSpec, BackendSpec, FlagSpec, Plan, ProbeSpec, SecondLever, ServiceSpec
from cockpit.core.tables import Written
from cockpit.practice.convex import DEFAULT_INSTANCE
from cockpit.practice.convex_flags import TableFunctions
from cockpit.practice.faults import Service
from cockpit.practice.plain import HealthPage
from cockpit.practice.queries import answerable
from cockpit.practice.world import DEFAULT_RPS, PROPAGATION_S, FlagSeed

HOOK_VARIABLE: Final = "PRACTICE_HOOK"
CONVEX_TABLE: Final = "convex_table"
HTTP_JSON: Final = "http_json"
UNLEASH: Final = "unleash"
PROMETHEUS: Final = "prometheus"
HTTP: Final = "http"
STAND_IN_PATH: Final = "/practice/health"
_CONVEX: Final = ("convex", "convex_metrics", "convex_jobs", "convex_logs")
_TABLE: Final = ("list_query", "set_mutation", "kill_mutation")
_NO_TLS: Final = {"ca_file": None, "tls_days": None, "base_path": ""}


StandIn = Callable[[str], Written]
"""Settings of one adapter from its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIns:
    """What plays the part of kinds that have no double here: an Unleash, an http probe, a Prometheus."""

    lever: StandIn
    probe: StandIn
    monitor: StandIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a plan's probes and levers expect to find in the world."""

    pages: Mapping[Side, tuple[HealthPage, ...]]
    instance: str
    functions: tuple[str, ...]
    table: TableFunctions
    endpoints: Mapping[str, Mapping[str, Any]]


def seeds(plan: Plan, *, rps: float = DEFAULT_RPS) -> tuple[FlagSeed, ...]:
    """The plan's flags at 0 %, switched on. Propagation is the plan's, but a few seconds at most."""
    services = {
        service.name: told(service.settings) for service in plan.flag_services if service.kind == UNLEASH
    }
    return tuple(_seed(flag, services.get(flag.service, {}), rps) for flag in plan.flags)


def _seed(flag: FlagSpec, service: Mapping[str, Any], rps: float) -> FlagSeed:
    return FlagSeed(
        key=flag.key,
        project=str(service.get("project") or "default"),
        environment=str(service.get("environment") or "production"),
        rps=rps,
        propagation_s=min(flag.propagation_s, PROPAGATION_S),
        description=flag.title,
    )


def needs(plan: Plan) -> Needs:
    pages: dict[Side, tuple[HealthPage, ...]] = {}
    convex: list[Mapping[str, Any]] = []
    for backend in plan.backends:
        settings = [(probe.kind, told(probe.settings)) for probe in backend.probes]
        own = tuple(_page(each) for kind, each in settings if kind == HTTP)
        played = any(kind not in (HTTP, *_CONVEX) for kind, _ in settings)
        pages[backend.side] = (*own, HealthPage(path=STAND_IN_PATH)) if played else own
        convex += [each for kind, each in settings if kind in _CONVEX]
    tables = [told(each.settings) for each in plan.flag_services if each.kind == CONVEX_TABLE]
    convex += tables
    return Needs(
        pages=pages,
        instance=next((str(each["instance"]) for each in convex if each.get("instance")), DEFAULT_INSTANCE),
        functions=tuple(str(each["health_query"]) for each in convex if each.get("health_query")),
        table=TableFunctions(**{name: str(tables[0][name]) for name in _TABLE})
        if tables
        else TableFunctions(),
        endpoints={each.name: told(each.settings) for each in plan.flag_services if each.kind == HTTP_JSON},
    )


def _page(settings: Mapping[str, Any]) -> HealthPage:
    statuses, check = settings.get("expect_status") or (200,), settings.get("json")
    return HealthPage(
        path=urlsplit(str(settings.get("url", ""))).path or "/",
        status=int(statuses[0]),
        pointer=str(check["pointer"]) if check else "",
        value=check["equals"] if check else None,
    )


def told(settings: object) -> Mapping[str, Any]:
    """Settings as a plan would write them; empty for what are no settings."""
    return asdict(settings) if isinstance(settings, Written) else {}


def rehome(plan: Plan, urls: Mapping[str, str], stand_ins: StandIns | None = None) -> Plan:
    """The same plan with every address pointing into the practice world, and queries it can answer.

    Programs that announcements would start are left out: a drill must never page anybody. A lever, probe or
    monitoring source that has no double here is played by a stand-in: a drill must never move a real lever,
    run a real check or ask a real database. Raises ValueError where one is needed and not given. Parity is
    left out for the same reason: nothing here plays two stores. So are the figures that the way back stands
    on, such as the age of a backup, the age of the last drill and the point of no return: this is a drill.
    """
    known = answerable(plan)
    return replace(
        known,
        flag_services=tuple(_lever(each, urls, stand_ins) for each in plan.flag_services),
        flags=tuple(_by_hand(flag) for flag in known.flags),
        monitors=tuple(_monitor(each, urls, stand_ins) for each in plan.monitors),
        backends=tuple(_backend(each, urls, stand_ins) for each in plan.backends),
        stores=(),
        parity=(),
        rollback=replace(known.rollback, ready=(), drill_within_s=None, point_of_no_return_at=None),
        announce=tuple(_hook(each) for each in plan.announce if each.kind == "webhook"),
    )


def _by_hand(flag: FlagSpec) -> FlagSpec:
    """The world has no double of a second lever's service: here a person is the lever."""
    second = flag.second
    if second is None or second.manual:
        return flag
    manual = f"Pull {second.service} for {second.key} (this world has none: say that it was done)"
    return replace(flag, second=SecondLever(takes_s=second.takes_s, manual=manual))


def _lever(service: ServiceSpec, urls: Mapping[str, str], stand_ins: StandIns | None) -> ServiceSpec:
    if service.kind == CONVEX_TABLE:
        return _moved(service, urls[Service.CONVEX])
    if service.kind == HTTP_JSON:
        return _moved(service, f"{urls[Service.HTTP_JSON]}/{service.name}")
    if service.kind == UNLEASH:
        return _moved(service, urls[Service.UNLEASH])
    settings = _given(service.kind, stand_ins).lever(urls[Service.UNLEASH])
    return replace(service, kind=UNLEASH, settings=settings)


def _given(kind: str, stand_ins: StandIns | None) -> StandIns:
    if stand_ins is None:
        raise ValueError(f"the practice world has no {kind}")
    return stand_ins


def _monitor(service: ServiceSpec, urls: Mapping[str, str], stand_ins: StandIns | None) -> ServiceSpec:
    if service.kind in _CONVEX:
        return _moved(service, urls[Service.CONVEX])
    if service.kind == PROMETHEUS:
        return _moved(service, urls[Service.PROMETHEUS])
    settings = _given(service.kind, stand_ins).monitor(urls[Service.PROMETHEUS])
    return replace(service, kind=PROMETHEUS, settings=settings)


def _moved(service: ServiceSpec, url: str) -> ServiceSpec:
    return replace(service, settings=_at(service.settings, url))


def _backend(backend: BackendSpec, urls: Mapping[str, str], stand_ins: StandIns | None) -> BackendSpec:
    return replace(backend, probes=tuple(_probe(probe, urls, stand_ins) for probe in backend.probes))


def _probe(probe: ProbeSpec, urls: Mapping[str, str], stand_ins: StandIns | None) -> ProbeSpec:
    if probe.kind in _CONVEX:
        return replace(probe, settings=_at(probe.settings, urls[Service.CONVEX]))
    plain = urls[Service.LEGACY if probe.side is Side.LEGACY else Service.NEW]
    if probe.kind != HTTP:
        settings = _given(probe.kind, stand_ins).probe(f"{plain}{STAND_IN_PATH}")
        return replace(probe, kind=HTTP, settings=settings)
    parts = urlsplit(str(told(probe.settings).get("url", "")))
    query = f"?{parts.query}" if parts.query else ""
    return replace(probe, settings=_at(probe.settings, f"{plain}{parts.path or '/'}{query}"))


def _hook(hook: AnnounceSpec) -> AnnounceSpec:
    """A webhook's address is a secret by reference; `PracticeServer.secret` knows this one."""
    return replace(hook, settings=_at(hook.settings, SecretRef(env=HOOK_VARIABLE)))


def _at(settings: object, url: object) -> object:
    if not isinstance(settings, Written):
        return settings
    known = {field.name for field in fields(settings)}
    moved = {name: value for name, value in _NO_TLS.items() if name in known}
    return replace(settings, **{**moved, "url": url})
