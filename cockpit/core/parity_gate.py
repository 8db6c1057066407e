"""Whether a parity check lets a forward move pass: it looked, not long ago, and what it saw agrees."""

from __future__ import annotations

from datetime import datetime

from cockpit.core.figures import length
from cockpit.core.model import Freshness
from cockpit.core.snapshot import GateResult, ParityStatus


def parity_gate(status: ParityStatus, now: datetime) -> GateResult:
    name, reading = f"parity {status.name}", status.reading
    value, age_s = reading.value, reading.age_s(now)
    if value is None or age_s is None:
        why = reading.failure.title if reading.failure is not None else "has not looked yet"
        return GateResult(name=name, met=False, text=f"{status.name}: {why}")
    if reading.freshness(now) is not Freshness.FRESH:
        trouble = f": {reading.failure.title}" if reading.failure is not None else ""
        return GateResult(name=name, met=False, text=f"last looked {length(age_s)} ago{trouble}")
    return GateResult(name=name, met=value.match.agrees, text=f"{value.match}: {value.text}")
