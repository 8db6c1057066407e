"""What a rollback asks a person to type: a note, names, a reason. Forms, and who says it of which rollback;
the countdown submits."""

from __future__ import annotations

from typing import TypedDict
from uuid import uuid4

from cockpit.core.clock import Clock
from cockpit.core.rollback import Rollback, Step
from cockpit.face.port import Port
from cockpit.face.screens.reason import Field, Form
from cockpit.face.view_levers import Offer
from cockpit.face.view_sheets import reason_words


class Act(TypedDict):
    """What every command about a rollback says of itself."""

    id: str
    by: str
    rollback: str


def act(rollback: Rollback, operator: str) -> Act:
    """One act of this person on the rollback that was shown."""
    return Act(id=str(uuid4()), by=operator, rollback=rollback.id)


def done_form(port: Port, clock: Clock, step: Step) -> Form:
    """A person's step is done. The answer is `note`."""
    title = f"DONE BY YOU: {step.title}"
    return Form(port, clock, title=title, explain=step.text, fields=(Field(name="note", label="note"),))


def by_hand_form(port: Port, clock: Clock, offer: Offer) -> Form:
    """A second lever that is a person. The answer is `note`, and it is needed: it is all there is."""
    return Form(
        port,
        clock,
        title=f"DONE BY HAND: {offer.flag}",
        explain=f"{offer.lever.manual}. Your name goes to the journal; the drain has to prove it.",
        fields=(Field(name="note", label="what was done", required=True),),
    )


def explain_form(port: Port, clock: Clock, rollback: Rollback) -> Form:
    """The answers are `reason`, `commander` and `data_owner`."""
    suggestion = "" if rollback.reason else reason_words(port.latest())
    return Form(
        port,
        clock,
        title="WHY, AND WHO",
        fields=(
            Field(name="reason", label="reason", value=rollback.reason, suggestion=suggestion),
            Field(name="commander", label="incident commander", value=rollback.commander),
            Field(name="data_owner", label="data owner", value=rollback.data_owner),
        ),
    )


def cancel_form(port: Port, clock: Clock) -> Form:
    """The answer is `reason`."""
    return Form(
        port,
        clock,
        title="CANCEL THIS ROLLBACK",
        explain="No flag was written yet. Cancelling leaves every flag as it is.",
        fields=(Field(name="reason", label="reason", required=True),),
    )


def close_form(port: Port, clock: Clock) -> Form:
    """The answer is `note`."""
    return Form(
        port,
        clock,
        title="SIGN AND CLOSE THIS ROLLBACK",
        explain="Every line is done. Your name and the time are written to the journal.",
        fields=(Field(name="note", label="note"),),
    )
