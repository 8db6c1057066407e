"""Whether the three numbers of a flag fit together, and whether somebody else changed it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

from cockpit.core.clean import ZERO, Percent
from cockpit.core.model import FlagValue, Reading
from cockpit.core.snapshot import Agreement, Share
from cockpit.core.spec import FlagSpec

_NOISE_SIGMAS: Final = 3.0


def agreement(
    *,
    asked: Percent | None,
    configured: Reading[FlagValue],
    observed: Reading[Share],
    spec: FlagSpec,
    changed_at: datetime | None,
    differs_since: datetime | None,
    now: datetime,
) -> tuple[Agreement, datetime | None]:
    """Asked, configured and observed against each other, and since when they differ.

    changed_at: the last change this cockpit asked for. differs_since: what the last call returned, so that
    a difference keeps its age; a newer change starts the propagation time anew. None asked compares only
    the other two. Observed may be off by the plan's tolerance and by what so few events may show.
    """
    exposure = _fresh_exposure(configured, now)
    share = observed.fresh_value(now)
    if exposure is None:
        return Agreement.UNKNOWN, differs_since
    differ = asked is not None and asked != exposure
    if share is not None and spec.traffic is not None:
        differ = differ or _apart(exposure, share, spec.tolerance_pct)
    if differ:
        since = _difference_began(changed_at, differs_since, spec.propagation_s, now)
        spreading = (now - since).total_seconds() <= spec.propagation_s
        return (Agreement.PROPAGATING if spreading else Agreement.DIFFER), since
    if spec.traffic is not None and share is None:
        return Agreement.UNKNOWN, None
    return Agreement.AGREE, None


def _fresh_exposure(configured: Reading[FlagValue], now: datetime) -> Percent | None:
    value = configured.fresh_value(now)
    return value.exposure if value is not None else None


def _apart(configured: Percent, share: Share, tolerance_pct: float) -> bool:
    """Whether the observed share contradicts the configured one: further off than tolerance and chance."""
    events = share.legacy_events + share.new_events
    spread = max(part * (1 - part) for part in (configured.value / 100, share.percent.value / 100))
    noise_pct = 100 * _NOISE_SIGMAS * math.sqrt(spread / events) if events > 0 else 100.0
    return abs(configured.value - share.percent.value) > tolerance_pct + noise_pct


def _difference_began(
    changed_at: datetime | None, differs_since: datetime | None, propagation_s: float, now: datetime
) -> datetime:
    recent = changed_at is not None and (now - changed_at).total_seconds() <= propagation_s
    began = differs_since or (changed_at if recent and changed_at is not None else now)
    return max(began, changed_at) if changed_at is not None and changed_at <= now else began


def setting_words(value: FlagValue) -> str:
    """`10%`, `off`, `off (10% stored)`, `not plain (constraints)`."""
    plain = f"{value.percent}" if value.percent is not None else "no plain percentage"
    if value.complexities:
        plain = f"not plain ({', '.join(value.complexities)})"
    if value.on:
        return plain
    return "off" if value.percent in (None, ZERO) and not value.complexities else f"off ({plain} stored)"
