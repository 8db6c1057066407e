"""Asking for words: one sheet with one to three fields.

Every field's answer is cleaned before it leaves the sheet. A field with a suggestion takes it with F2, so
that a reason costs one key at the worst moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input

from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.dataclass import dataclass
from cockpit.core.snapshot import Snapshot
from cockpit.face.port import Port
from cockpit.face.screens.live import Sheet
from cockpit.face.view import Line, Role
from cockpit.face.view_lines import row, wrapped
from cockpit.face.view_rollback import countdown
from cockpit.face.view_sheets import target
from cockpit.face.widgets import Paper

ANSWER_LIMIT: Final = 280

Answers = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One line to type. suggestion: what F2 puts in it. exactly: the text that alone is accepted."""

    name: str
    label: str
    required: bool = False
    value: str = ""
    suggestion: str = ""
    exactly: str = ""


class Form(Sheet[Answers | None]):
    """Dismisses with the cleaned answers by field name, or with None when left."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "suggest", "take the suggestion", priority=True),
        Binding("up", "previous", "previous field", priority=True),
        Binding("down", "next", "next field", priority=True),
    ]

    def __init__(
        self, port: Port, clock: Clock, *, title: str, explain: str = "", fields: tuple[Field, ...]
    ) -> None:
        super().__init__(port, clock)
        self._title = title
        self._explain = explain
        self._fields = fields
        self._complaint = ""

    def fields(self) -> ComposeResult:
        for index, field in enumerate(self._fields):
            box = Input(value=field.value, placeholder=_placeholder(field), id=f"field-{index}")
            box.cursor_blink = False
            with Horizontal(classes="sheet-field"):
                yield Paper(id=f"label-{index}", classes="sheet-label")
                yield box

    def show(self, snapshot: Snapshot, now: datetime) -> None:
        super().show(snapshot, now)
        for index, field in enumerate(self._fields):
            self.query_one(f"#label-{index}", Paper).write([row((field.label, Role.DIM))])

    @property
    def fields_height(self) -> int:
        return 2 * len(self._fields)

    def words(self, snapshot: Snapshot, now: datetime, width: int, room: int) -> tuple[Line, ...]:
        return (
            target(snapshot),
            row((self._title, Role.STRONG)),
            *time_line(snapshot, now),
            *(row((text, Role.TEXT)) for text in wrapped(self._explain, width, limit=4)),
            *self.more_words(snapshot, now, width),
            *self._suggestion_lines(width),
            (),
        )

    def more_words(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        """What a special form adds above its fields."""
        return ()

    def _suggestion_lines(self, width: int) -> tuple[Line, ...]:
        offered = [field for field in self._fields if field.suggestion]
        return tuple(
            row(("F2 ", Role.KEY), (f"{field.label}: ", Role.DIM), (text, Role.NOTE))
            for field in offered
            for text in wrapped(field.suggestion, max(10, width - 16), limit=1)
        )

    def foot(self, snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
        refusal = self.refusal(snapshot, now) or self._complaint
        complaint = (row((f" {refusal}", Role.BAD)),) if refusal else ((),)
        more = (("↑ ↓ ", Role.KEY), ("field  ", Role.DIM)) if len(self._fields) > 1 else ()
        send, leave = (
            (("enter ", Role.KEY), ("send  ", Role.DIM)),
            (("escape ", Role.KEY), ("leave", Role.DIM)),
        )
        return (*complaint, row(*send, *more, *leave))

    def refusal(self, snapshot: Snapshot, now: datetime) -> str:
        """Why the form cannot be sent whatever is typed; empty when it can."""
        return ""

    def _answers(self) -> dict[str, str]:
        boxes = [self.query_one(f"#field-{index}", Input) for index in range(len(self._fields))]
        return {
            field.name: clean_text(box.value, limit=ANSWER_LIMIT)
            for field, box in zip(self._fields, boxes, strict=True)
        }

    def _complaint_about(self, answers: Answers) -> str:
        for field in self._fields:
            answer = answers[field.name]
            if field.exactly and answer != field.exactly:
                return f"type {field.exactly} to confirm"
            if field.required and not answer:
                return f"{field.label} is needed"
        return ""

    def on_input_submitted(self) -> None:
        snapshot, now = self.port.latest(), self.clock.now()
        answers = self._answers()
        self._complaint = self._complaint_about(answers)
        if self._complaint or self.refusal(snapshot, now):
            self.tick()
            return
        self.send(answers)
        self.dismiss(answers)

    def send(self, answers: Answers) -> None:
        """What a special form does with accepted answers before it closes; called once."""

    def action_suggest(self) -> None:
        for index, field in enumerate(self._fields):
            if field.suggestion:
                box = self.query_one(f"#field-{index}", Input)
                box.value = field.suggestion
                box.cursor_position = len(box.value)

    def action_previous(self) -> None:
        self.focus_previous(Input)

    def action_next(self) -> None:
        self.focus_next(Input)


def _placeholder(field: Field) -> str:
    if field.exactly:
        return f"type {field.exactly}"
    return "needed" if field.required else "may stay empty"


def time_line(snapshot: Snapshot, now: datetime) -> tuple[Line, ...]:
    """The countdown inside a sheet, so that it never hides the time."""
    rollback = snapshot.rollback
    if rollback is None or not rollback.open:
        return ()
    time = countdown(rollback, now)
    return (row((f"{time.digits} {time.word}", time.role)),)
