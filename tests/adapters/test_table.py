"""The table of adapters: light to import, complete, and honest about what it builds."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from cockpit.adapters.base import Settings
from cockpit.adapters.flags.unleash_settings import UnleashSettings
from cockpit.adapters.http import Web
from cockpit.adapters.table import ANNOUNCERS, FLAG_SERVICES, MONITORS, PROBES, FlagService, Kind
from cockpit.core.secret import Secret, SecretRef
from cockpit.plan.problems import PlanProblems
from tests.tables import written

KINDS = {**PROBES, **MONITORS, **ANNOUNCERS}


def test_importing_the_table_needs_no_network_library() -> None:
    code = (
        "import sys, cockpit.adapters.table\n"
        "heavy = {'httpx', 'httpcore', 'anyio', 'starlette', 'uvicorn', 'textual'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("row", KINDS.values(), ids=KINDS.keys())
def test_every_kind_has_what_builds_it(row: Kind[object]) -> None:
    module = import_module(f"cockpit.adapters.{row.module}")
    names = list(inspect.signature(module.build).parameters)
    assert names == ["settings", "web", "secret", "timeout_s"]
    assert issubclass(row.settings, Settings)


@pytest.mark.parametrize("row", FLAG_SERVICES.values(), ids=FLAG_SERVICES.keys())
def test_every_flag_service_has_what_builds_it(row: FlagService) -> None:
    module = import_module(f"cockpit.adapters.{row.module}")
    for build in (module.build_reader, module.build_writer):
        assert list(inspect.signature(build).parameters) == ["settings", "web", "secret", "timeout_s"]


@pytest.mark.parametrize("row", FLAG_SERVICES.values(), ids=FLAG_SERVICES.keys())
def test_a_flag_service_is_one_file_that_can_be_read_at_a_sitting(row: FlagService) -> None:
    """As CONTRIBUTING says; what a service needs besides lies beside it."""
    source = inspect.getsource(import_module(f"cockpit.adapters.{row.module}"))
    assert len(source.splitlines()) < 250


def settings(**more: object) -> UnleashSettings:
    given = {"url": "https://flags.example.org", "environment": "production", "token": {"env": "READ"}}
    return written(UnleashSettings, {**given, **more})


def test_a_reader_asks_for_no_write_secret() -> None:
    asked: list[str] = []

    def secret(ref: SecretRef) -> Secret:
        asked.append(str(ref))
        return Secret("tok-1234567")

    FLAG_SERVICES["unleash"].reader(settings(write_token={"env": "WRITE"}), Web(), secret)
    assert asked == ["env READ"]
    FLAG_SERVICES["unleash"].writer(settings(write_token={"env": "WRITE"}), Web(), secret)
    assert asked == ["env READ", "env WRITE"]


def test_without_a_write_token_there_is_no_writer() -> None:
    assert FLAG_SERVICES["unleash"].writer(settings(), Web(), lambda ref: Secret("x")) is None


@pytest.mark.parametrize("tail", ["", "/", "/api", "/api/", "/api/admin", "/api/admin/"])
def test_the_address_as_sdks_have_it_will_do(tail: str) -> None:
    assert settings(url=f"https://flags.example.org/inst{tail}").url == "https://flags.example.org/inst"


@pytest.mark.parametrize(
    "wrong",
    [
        {"environment": "a/b"},
        {"environment": ".."},
        {"project": ""},
        {"token": "*:*.a-token-in-the-open"},
        {"url": "https://user:pass@flags.example.org"},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems) as caught:
        settings(**wrong)
    assert "a-token-in-the-open" not in str(caught.value)
