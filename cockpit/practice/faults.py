"""Faults on command: what can go wrong in the practice world, as values.

`make_fault` is the one way in from text (scenarios, the hand console) and says what is wrong with a
request in plain words. Times are seconds since the world began; `start_s` None means "now".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from cockpit.core.clean import parse_duration
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Side

Param = str | float | bool


class Service(StrEnum):
    """The servers of the practice world; each has a port of its own."""

    UNLEASH = "unleash"
    HTTP_JSON = "http_json"
    PROMETHEUS = "prometheus"
    CONVEX = "convex"
    LEGACY = "legacy"
    NEW = "new"
    METRICS = "metrics"
    HOOKS = "hooks"


class FaultName(StrEnum):
    ERROR_BURST = "error_burst"
    SLOW = "slow"
    OUTAGE = "outage"
    HANG = "hang"
    GARBAGE = "garbage"
    FLAG_SERVICE_DOWN = "flag_service_down"
    FLAG_SERVICE_SLOW = "flag_service_slow"
    FLAG_SERVICE_REFUSES_WRITES = "flag_service_refuses_writes"
    FLAG_SERVICE_LIES = "flag_service_lies"
    FLAG_SERVICE_WRITE_TIMEOUT = "flag_service_write_timeout"
    FOREIGN_CHANGE = "foreign_change"
    METRICS_EMPTY = "metrics_empty"
    METRICS_NAN = "metrics_nan"
    METRICS_WARNINGS = "metrics_warnings"
    METRICS_DOWN = "metrics_down"
    SLOW_PROPAGATION = "slow_propagation"
    CONVEX_PAUSED = "convex_paused"
    LEGACY_SICK = "legacy_sick"
    WRONG_INSTANCE = "wrong_instance"
    HOSTILE_TEXT = "hostile_text"
    CLOCK_SKEW = "clock_skew"
    RATE_LIMIT = "rate_limit"


class Garbage(StrEnum):
    HTML = "html"
    TRUNCATED = "truncated"
    BAD_UTF8 = "bad_utf8"
    HUGE = "huge"
    WRONG_TYPES = "wrong_types"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault and its parameters; which of them count depends on the name (see `PARAMETERS`).

    rate is a probability, factor a multiplier, percent 0-100. A fault with neither side nor service
    where both are possible strikes everything it can. FOREIGN_CHANGE happens once, at `start_s`; with
    `on_write` it lies in wait and happens `seconds` after the next write to its flag by anyone else.
    An empty `flag` means the flag with the highest exposure at that moment.
    """

    name: FaultName
    side: Side | None = None
    service: Service | None = None
    kind: str = ""
    rate: float = 0.0
    factor: float = 1.0
    seconds: float = 0.0
    flag: str = ""
    percent: float = 0.0
    who: str = ""
    on_write: bool = False
    start_s: float | None = None
    end_s: float | None = None

    def active(self, at_s: float) -> bool:
        return (self.start_s or 0.0) <= at_s and (self.end_s is None or at_s < self.end_s)


FLAG_SERVICES: Final = frozenset({Service.UNLEASH, Service.HTTP_JSON})
REFUSED: Final = "refused"
SERVER_ERROR: Final = "503"
FORBIDDEN: Final = "403"

PARAMETERS: Final[Mapping[FaultName, Mapping[str, Param | None]]] = {
    FaultName.ERROR_BURST: {"side": "new", "rate": 0.12},
    FaultName.SLOW: {"side": "new", "factor": 4.0},
    FaultName.OUTAGE: {"side": "new", "kind": SERVER_ERROR},
    FaultName.HANG: {"side": None, "service": None},
    FaultName.GARBAGE: {"service": None, "kind": "html"},
    FaultName.FLAG_SERVICE_DOWN: {"kind": SERVER_ERROR},
    FaultName.FLAG_SERVICE_SLOW: {"seconds": 3.0},
    FaultName.FLAG_SERVICE_REFUSES_WRITES: {"kind": FORBIDDEN},
    FaultName.FLAG_SERVICE_LIES: {},
    FaultName.FLAG_SERVICE_WRITE_TIMEOUT: {},
    FaultName.FOREIGN_CHANGE: {
        "flag": "",
        "percent": 50.0,
        "who": "release-bot",
        "on_write": False,
        "seconds": 0.0,
    },
    FaultName.METRICS_EMPTY: {},
    FaultName.METRICS_NAN: {},
    FaultName.METRICS_WARNINGS: {},
    FaultName.METRICS_DOWN: {"kind": SERVER_ERROR},
    FaultName.SLOW_PROPAGATION: {"factor": 20.0},
    FaultName.CONVEX_PAUSED: {},
    FaultName.LEGACY_SICK: {"rate": 0.3},
    FaultName.WRONG_INSTANCE: {},
    FaultName.HOSTILE_TEXT: {"service": None},
    FaultName.CLOCK_SKEW: {"seconds": 90.0, "service": None},
    FaultName.RATE_LIMIT: {"service": None, "seconds": 5.0},
}
"""The parameters each fault understands, with their defaults."""

_KINDS: Final[Mapping[FaultName, tuple[str, ...]]] = {
    FaultName.OUTAGE: (SERVER_ERROR, REFUSED),
    FaultName.GARBAGE: tuple(Garbage),
    FaultName.FLAG_SERVICE_DOWN: (SERVER_ERROR, REFUSED),
    FaultName.FLAG_SERVICE_REFUSES_WRITES: (FORBIDDEN, SERVER_ERROR),
    FaultName.METRICS_DOWN: (SERVER_ERROR, REFUSED),
}


def make_fault(
    name: str,
    params: Mapping[str, Param] | None = None,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Fault:
    """A fault from a name and parameters. Raises ValueError naming what is not understood."""
    try:
        known = FaultName(name)
    except ValueError:
        raise ValueError(f"no fault is called {name!r}; there are: {', '.join(FaultName)}") from None
    understood = PARAMETERS[known]
    values = {key: value for key, value in understood.items() if value is not None}
    for key, value in (params or {}).items():
        if key not in understood:
            raise ValueError(f"{name} does not take {key!r}; it takes: {', '.join(understood) or 'nothing'}")
        values[key] = value
    fault = Fault(name=known, start_s=start_s, end_s=end_s)
    for key, value in values.items():
        fault = _with(fault, key, value)
    if known in _KINDS and fault.kind not in _KINDS[known]:
        raise ValueError(f"{name} is of kind {' or '.join(_KINDS[known])}, not {fault.kind!r}")
    if known is FaultName.HANG and fault.side is None and fault.service is None:
        raise ValueError("hang needs a side or a service")
    return fault


def _with(fault: Fault, key: str, value: Param) -> Fault:
    if key == "side":
        return replace(fault, side=Side(str(value)))
    if key == "service":
        return replace(fault, service=Service(str(value)))
    if key == "kind":
        return replace(fault, kind=str(value))
    if key == "flag":
        return replace(fault, flag=str(value))
    if key == "who":
        return replace(fault, who=str(value))
    if key == "on_write":
        return replace(fault, on_write=str(value).lower() in ("true", "yes", "1"))
    number = float(value)
    if key == "rate":
        if not 0 <= number <= 1:
            raise ValueError(f"a rate lies between 0 and 1, not {number:g}")
        return replace(fault, rate=number)
    if key == "factor":
        if not number > 0:
            raise ValueError(f"a factor is above 0, not {number:g}")
        return replace(fault, factor=number)
    if key == "percent":
        return replace(fault, percent=number)
    return replace(fault, seconds=number)


def parse_command(line: str, *, now_s: float) -> Fault:
    """A fault from one line such as `slow side=new factor=3 in=10s for=2m`. Raises ValueError."""
    name, *words = line.split()
    params: dict[str, Param] = {}
    start_s, for_s = now_s, None
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"write key=value, not {word!r}")
        if key == "in":
            start_s = now_s + parse_duration(value)
        elif key == "for":
            for_s = parse_duration(value)
        else:
            params[key] = value
    return make_fault(name, params, start_s=start_s, end_s=None if for_s is None else start_s + for_s)
