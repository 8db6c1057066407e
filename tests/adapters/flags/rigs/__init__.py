"""One file per lever; what each names in `RIGS` flies the suite. See `tests/adapters/flags/suite.py`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

import pytest

from tests.adapters.flags.suite import Claim, LeverRig, Trouble

F = TypeVar("F", bound=Callable[..., object])


def all_rigs() -> tuple[type[LeverRig], ...]:
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    return tuple(rig for module in modules for rig in module.RIGS)


def levers(*needed: Claim) -> Callable[[F], F]:
    """Run this case for every rig that claims all of this."""
    fit = [rig for rig in all_rigs() if rig.claims.issuperset(needed)]
    assert fit, f"no lever can do {needed}"
    params = [pytest.param(rig, id=rig.name, marks=rig.marks) for rig in fit]
    return pytest.mark.parametrize("rig", params, indirect=True)


def levers_in_trouble(*kinds: Trouble) -> Callable[[F], F]:
    """Run this case for every rig and every one of these troubles that the rig can make."""
    params = [
        pytest.param(rig, kind, id=f"{rig.name}-{kind.name}", marks=rig.marks)
        for rig in all_rigs()
        for kind in Trouble
        if kind in kinds and kind in rig.claims
    ]
    return pytest.mark.parametrize(("rig", "kind"), params, indirect=["rig"])
