"""The drills that come along. What goes wrong is data; `staging` makes it happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cockpit.core.drill import Expected, Scenario, ScheduledFault
from cockpit.practice.faults import FaultName

_FIRST_S: Final = 45.0


def _errors(rate: float = 0.12, at_s: float = _FIRST_S) -> ScheduledFault:
    return ScheduledFault(at_s=at_s, name=FaultName.ERROR_BURST, params={"side": "new", "rate": rate})


_ALL: Final = (
    Scenario(
        name="error-burst",
        title="Errors on the new side",
        story="The new side began to fail one request in eight. Legacy stayed as it was, and so did "
        "everything else.",
        faults=(_errors(),),
        good_play=(
            "Read the reason line: which signal, what value, since when.",
            "Declare at once; the reason can be named after the flip is on its way.",
            "Watch every flag read back at 0%, then the share drain, then legacy verified.",
            "Sign the reconcile and close within the budget.",
        ),
    ),
    Scenario(
        name="slow-new-side",
        title="The new side turns slow",
        story="Nothing failed. The new side answered five times slower than before, so most of its requests "
        "took longer than 200 ms; users felt it, the error signal did not.",
        faults=(ScheduledFault(at_s=_FIRST_S, name=FaultName.SLOW, params={"side": "new", "factor": 5.0}),),
        good_play=(
            "Look at the slow signal, not only at errors.",
            "Believe the comparison with legacy: it is one side, not the network.",
            "Declare, and let the machine do the rest.",
        ),
    ),
    Scenario(
        name="outage",
        title="The new side is gone",
        story="The new side answered every request with 503, its health pages too.",
        faults=(ScheduledFault(at_s=_FIRST_S, name=FaultName.OUTAGE, params={"side": "new", "kind": "503"}),),
        good_play=("A dead health check needs no statistics: declare.", "Watch the drain to the end."),
    ),
    Scenario(
        name="write-conflict",
        title="Somebody raises the flag again",
        story="Errors on the new side. Two seconds after your first flag write, a release automation put "
        "that flag back to 25%.",
        faults=(
            _errors(),
            ScheduledFault(
                at_s=_FIRST_S,
                name=FaultName.FOREIGN_CHANGE,
                params={"percent": 25.0, "who": "release-bot", "on_write": True, "seconds": 2.0},
            ),
        ),
        good_play=(
            "Declare.",
            "Read the flag rows after the flip: accepted is not the same as at zero.",
            "See who raised the flag, stop that automation, and do not close before the flag reads 0%.",
        ),
    ),
    Scenario(
        name="slow-propagation",
        title="The flag is off, the traffic stays",
        story="Errors on the new side, and SDK clients that took three minutes instead of seconds to see a "
        "change. The flags read 0% long before users were safe.",
        faults=(
            _errors(0.1),
            ScheduledFault(at_s=_FIRST_S, name=FaultName.SLOW_PROPAGATION, params={"factor": 45.0}),
        ),
        good_play=(
            "Declare.",
            "Do not take the flag's word for it: watch the observed share fall.",
            "Say in the announcement that users are still moving; close only after the drain.",
        ),
    ),
    Scenario(
        name="sick-legacy",
        title="The way back is ill",
        story="Errors on the new side while legacy's own health page said that its database timed out. "
        "Legacy recovered two minutes later.",
        faults=(
            ScheduledFault(
                at_s=_FIRST_S - 10, name=FaultName.LEGACY_SICK, params={"rate": 0.02}, for_s=120.0
            ),
            _errors(),
        ),
        good_play=(
            "Declare; the one question comes.",
            "Look at both sides before answering: legacy's probes are down, its error rate is still low.",
            "Go, or hold until legacy answers again; either way say why.",
        ),
    ),
    Scenario(
        name="dark-monitoring",
        title="The numbers are gone",
        story="The monitoring source stopped answering for four minutes. Both backends, all flags and all "
        "users were well the whole time.",
        faults=(ScheduledFault(at_s=_FIRST_S, name=FaultName.METRICS_DOWN, for_s=240.0),),
        good_play=(
            "Tell unknown from broken: the signals have no data, the probes are green.",
            "Hold the ramp; do not advance blind.",
            "Do not roll back on a missing number alone. Go on when the numbers are back.",
        ),
        expected=Expected.STAY,
    ),
    Scenario(
        name="slow-flag-service",
        title="The flag service answers late",
        story="Errors on the new side, and a flag service that took six seconds for every answer for a "
        "minute. Writes ran into the timeout and were applied all the same.",
        faults=(
            _errors(),
            ScheduledFault(
                at_s=_FIRST_S, name=FaultName.FLAG_SERVICE_SLOW, params={"seconds": 6.0}, for_s=60.0
            ),
        ),
        good_play=(
            "Declare; a write without an answer is unknown, neither done nor refused.",
            "Let the cockpit read back instead of writing again by hand.",
            "Close when the flags were read at 0%, not when you believe it.",
        ),
    ),
    Scenario(
        name="lost-answers",
        title="Done, but nobody says so",
        story="Errors on the new side. The flag service applied every write and never answered it for two "
        "minutes; reading worked.",
        faults=(
            _errors(),
            ScheduledFault(at_s=_FIRST_S, name=FaultName.FLAG_SERVICE_WRITE_TIMEOUT, for_s=120.0),
        ),
        good_play=(
            "Declare.",
            "See unknown writes settle by reading: the flags are at 0% although no write was answered.",
        ),
    ),
)

SCENARIOS: Final[Mapping[str, Scenario]] = {scenario.name: scenario for scenario in _ALL}
"""Every scenario by name, in the order a trainee may take them."""
