"""What every table of the plan is made of: how single values are read, and the base of the models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from cockpit.core.clean import Percent
from cockpit.plan import values

Duration = Annotated[float, BeforeValidator(values.duration), values.DURATION]
Length = Annotated[float, BeforeValidator(values.positive_duration), values.DURATION]
Interval = Annotated[float, BeforeValidator(values.interval), values.DURATION]
Budget = Annotated[float, BeforeValidator(values.budget), values.DURATION]
Share = Annotated[Percent, BeforeValidator(values.percent), values.PERCENT]
Instant = Annotated[datetime, BeforeValidator(values.instant), values.INSTANT]
Line = Annotated[str, AfterValidator(values.line)]
Text = Annotated[str, AfterValidator(values.text)]
Name = Annotated[str, AfterValidator(values.name)]
FlagKey = Annotated[str, AfterValidator(values.flag_key)]
Query = Annotated[str, AfterValidator(values.query)]
Zone = Annotated[str, AfterValidator(values.zone)]


class Table(BaseModel):
    """Base of every table of the plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)
