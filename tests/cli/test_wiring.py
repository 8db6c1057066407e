"""How the parts are put together: what adapters are handed besides their own settings."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from cockpit.adapters import table
from cockpit.adapters.base import Settings
from cockpit.adapters.unavailable import Unavailable
from cockpit.cli.wiring import Builder
from cockpit.core.secret import Secret, SecretRef
from cockpit.plan.secrets import SecretProblem
from tests.plan.plans import SMALL, load_text


class Recording:
    """Takes the place of a kind and remembers how long its adapter may take."""

    def __init__(self, settings: type[Settings]) -> None:
        self.settings = settings
        self.allowed_s: list[float] = []

    def build(self, settings: Any, web: Any, secret: Any, timeout_s: float) -> object:
        self.allowed_s.append(timeout_s)
        return object()


def test_adapters_give_up_in_their_own_words_before_their_poll_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = load_text(SMALL, tmp_path)
    probes = Recording(table.PROBES["http"].settings)
    monitors = Recording(table.MONITORS["prometheus"].settings)
    monkeypatch.setitem(table.PROBES, "http", probes)
    monkeypatch.setitem(table.MONITORS, "prometheus", monitors)
    Builder(secret=lambda _: Secret("throwaway"), read_only=True)(plan)
    polls = [probe.timeout_s for backend in plan.backends for probe in backend.probes]
    assert len(probes.allowed_s) == len(polls) > 0
    assert all(mine < poll for mine, poll in zip(probes.allowed_s, polls, strict=True))
    assert len(monitors.allowed_s) == len(plan.monitors) > 0
    assert all(mine < each.timeout_s for mine, each in zip(monitors.allowed_s, plan.monitors, strict=True))


def test_a_second_lever_without_its_secret_keeps_nobody_from_the_first(tmp_path: Path) -> None:
    """Its reader says why it cannot be read, its writer is not there, and the first lever works."""
    plan = load_text(SMALL, tmp_path)
    settings: Any = plan.flag_services[0].settings
    first = replace(settings, write_token=SecretRef(env="THERE"))
    secrets = (each.name for each in fields(first) if isinstance(getattr(first, each.name), SecretRef))
    gone = {name: SecretRef(env="GONE") for name in secrets}
    backup = replace(plan.flag_services[0], name="backup", settings=replace(first, **gone))
    plan = replace(plan, flag_services=(replace(plan.flag_services[0], settings=first), backup))

    def secret(ref: SecretRef) -> Secret:
        if ref.env == "GONE":
            raise SecretProblem("env GONE is not set")
        return Secret("throwaway")

    sources = Builder(secret=secret, read_only=False)(plan)
    assert isinstance(sources.readers["backup"], Unavailable)
    assert set(sources.writers) == {plan.flag_services[0].name}
