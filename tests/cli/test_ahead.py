"""Secrets that are fetched before a screen is put on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cockpit.cli.ahead import fetch_ahead
from cockpit.core.secret import Secret, SecretRef
from cockpit.core.spec import Plan
from cockpit.plan.secrets import SecretProblem
from tests.e2e.conftest import sample

READ, WRITE = SecretRef(env="UNLEASH_READ_TOKEN"), SecretRef(env="UNLEASH_WRITE_TOKEN")


class Safe:
    """Counts what is asked of it. lacks: what it does not have."""

    def __init__(self, *lacks: SecretRef) -> None:
        self.asked = Counter[SecretRef]()
        self._lacks = lacks

    def __call__(self, ref: SecretRef) -> Secret:
        if ref in self._lacks:
            raise SecretProblem(f"{ref}: is not set")
        self.asked[ref] += 1
        return Secret(f"{ref} {self.asked[ref]}")


def test_what_the_flags_services_name_is_fetched_once_and_handed_out_once() -> None:
    safe = Safe()
    once = fetch_ahead(sample(), safe)
    assert once is not None
    assert safe.asked == {READ: 1, WRITE: 1}
    assert once(READ).reveal() == f"{READ} 1"
    assert once(READ).reveal() == f"{READ} 2", "a changed plan may be about a changed secret"


def test_with_one_missing_nothing_is_kept() -> None:
    assert fetch_ahead(sample(), Safe(WRITE)) is None


@dataclass(frozen=True)
class Own:
    """What an adapter's settings may be like."""

    token: SecretRef | None
    headers: Mapping[str, SecretRef | str] = field(default_factory=dict)
    inner: Own | None = None


def served(plan: Plan, **settings: object) -> Plan:
    """The plan with one flag service per name; the first is the one of its flags."""
    first = plan.flag_services[0]
    services = [replace(first, name=name, settings=own) for name, own in settings.items()]
    return replace(plan, flag_services=(replace(services[0], name=first.name), *services[1:]))


def test_what_can_be_done_without_is_not_fetched() -> None:
    """A service that is only a second lever keeps nobody from the first."""
    safe = Safe(WRITE)
    assert fetch_ahead(served(sample(), first=Own(READ), backup=Own(WRITE)), safe) is not None
    assert safe.asked == {READ: 1}


def test_secrets_are_found_wherever_settings_keep_them() -> None:
    safe = Safe()
    own = Own(None, headers={"X-Key": READ, "X-Team": "chat"}, inner=Own(WRITE))
    assert fetch_ahead(served(sample(), first=own), safe) is not None
    assert safe.asked == {READ: 1, WRITE: 1}
