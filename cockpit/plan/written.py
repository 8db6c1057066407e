"""What every table of the plan is made of: how single values are read, and their base."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cockpit.core.clean import Percent
from cockpit.core.tables import After, Before, Written
from cockpit.plan import values

Duration = Annotated[float, Before(values.duration), values.DURATION]
Length = Annotated[float, Before(values.positive_duration), values.DURATION]
Interval = Annotated[float, Before(values.interval), values.DURATION]
Budget = Annotated[float, Before(values.budget), values.DURATION]
Share = Annotated[Percent, Before(values.percent), values.PERCENT]
Instant = Annotated[datetime, Before(values.instant), values.INSTANT]
Line = Annotated[str, After(values.line)]
Text = Annotated[str, After(values.text)]
Name = Annotated[str, After(values.name)]
FlagKey = Annotated[str, After(values.flag_key)]
Query = Annotated[str, After(values.query)]
Zone = Annotated[str, After(values.zone)]


class Table(Written):
    """Base of every table of the plan."""

    __slots__ = ()
