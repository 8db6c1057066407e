"""One line in, a few lines out: faults and flags of a running practice world by hand."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from cockpit.core.clean import Percent
from cockpit.core.spec import Plan
from cockpit.practice.faults import PARAMETERS, Fault, FaultName, parse_command
from cockpit.practice.scenarios import SCENARIOS
from cockpit.practice.staging import stage
from cockpit.practice.world import World

HELP: Final = "\n".join(
    (
        "share                     configured and served percent of every flag",
        "set FLAG PERCENT [WHO]    change a flag as somebody else would",
        "faults                    what is active or waiting",
        "clear [FAULT]             end one kind of fault, or all",
        f"scenario NAME             {', '.join(SCENARIOS)}",
        "quit",
        "FAULT key=value ... [in=10s] [for=2m]",
        *(f"  {name:<28}{' '.join(parameters)}" for name, parameters in PARAMETERS.items()),
    )
)


def answer(world: World, plan: Plan, line: str) -> str:
    """Do what the line says; the answer, or what is wrong with the line."""
    words = line.split()
    try:
        match words:
            case []:
                return ""
            case ["help"]:
                return HELP
            case ["share"]:
                return _shares(world)
            case ["faults"]:
                return "\n".join(_told(fault) for fault in world.faults()) or "none"
            case ["set", flag, percent, *who]:
                _known("flag", flag, world.seeds)
                world.set_exposure(flag, Percent.parse(percent).value, who=" ".join(who) or "by-hand")
                return _shares(world)
            case ["clear", *names]:
                for name in names:
                    _known("fault", name, tuple(FaultName))
                ended = [world.clear(FaultName(name)) for name in names] if names else [world.clear()]
                return f"{sum(ended)} ended"
            case ["scenario", name]:
                _known("scenario", name, SCENARIOS)
                return f"the first fault comes at {stage(world, SCENARIOS[name], plan):%H:%M:%S} UTC"
            case _:
                return _told(world.inject(parse_command(line, now_s=world.settle())))
    except ValueError as problem:
        return str(problem)


def _known(what: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        raise ValueError(f"no {what} is called {name!r}; there are: {', '.join(names)}")


def _shares(world: World) -> str:
    return "\n".join(
        f"{flag:<24}{world.configured_pct(flag):6.1f}% configured {world.served_pct(flag):6.1f}% served"
        for flag in world.seeds
    )


def _told(fault: Fault) -> str:
    ends = "until cleared" if fault.end_s is None else f"to {fault.end_s:.1f} s"
    details = [
        f"{key}={getattr(fault, key)}" for key in PARAMETERS[fault.name] if getattr(fault, key) is not None
    ]
    return " ".join((fault.name, *details, f"from {fault.start_s or 0.0:.1f} s {ends}"))
