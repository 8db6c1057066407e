"""What is fetched before a screen is put on, so that what is missing is told on plain lines.

The adapters themselves are built when the screen stands: that loads network libraries, and takes as long
again as the screen does. A secret is quick to find missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cockpit.cli.wiring import Secrets
from cockpit.core.secret import Secret, SecretRef
from cockpit.core.spec import Plan
from cockpit.plan.secrets import SecretProblem


def fetch_ahead(plan: Plan, secret: Secrets) -> Secrets | None:
    """`secret`, with what the services of the plan's flags name fetched already and handed out once each.

    None when some of it cannot be had: whoever builds the adapters then is told what, and for which service.
    """
    in_use = {flag.service for flag in plan.flags}
    needed = [each.settings for each in plan.flag_services if each.name in in_use]
    fetched: dict[SecretRef, list[Secret]] = {}
    try:
        for ref in _references(needed):
            fetched.setdefault(ref, []).append(secret(ref))
    except SecretProblem:
        return None

    def once(ref: SecretRef) -> Secret:
        return fetched[ref].pop() if fetched.get(ref) else secret(ref)

    return once


def _references(value: object) -> Iterator[SecretRef]:
    """Every reference to a secret in an adapter's settings."""
    if isinstance(value, SecretRef):
        yield value
    elif isinstance(value, Mapping):
        yield from _references(list(value.values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _references(each)
    else:
        names = getattr(value, "__dataclass_fields__", getattr(value, "__dict__", ()))
        yield from _references([getattr(value, name) for name in names])
