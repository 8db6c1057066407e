"""Everything known of one parity check: what was found, in which ways the sides differ, and where."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cockpit.core.parity import ParityValue
from cockpit.core.parity_spec import Question
from cockpit.core.snapshot import ParityStatus
from cockpit.face.view import NOTHING, Line, Role
from cockpit.face.view_lines import wrapped
from cockpit.face.view_page import plain, reading_lines, section, stated
from cockpit.face.view_parity import apart, parity_word, says, seen

_ASKS = {
    Question.COUNT: "rows on both sides, legacy before and after the new side",
    Question.NEWEST: "the newest change on both sides",
    Question.ROWS: "sampled rows field by field, legacy before and after the new side",
}


def parity_page(check: ParityStatus, now: datetime, width: int) -> tuple[Line, ...]:
    value = seen(check, now)
    return (
        stated("state", parity_word(check, now).segment),
        *(
            plain("" if index else "found", row)
            for index, row in enumerate(_wrapped(says(check, now), width))
        ),
        plain("compares", _ASKS[check.question]),
        plain("required", "yes: it gates forward moves" if check.required else "no"),
        *section("Both sides"),
        plain("legacy", f"{value.legacy if value else NOTHING}  ({check.legacy_store})"),
        plain("new", f"{value.new if value else NOTHING}  ({check.new_store})"),
        plain("apart", apart(check, value)),
        *section("Differences"),
        *_differences(value, width),
        *section("Source"),
        *reading_lines(check.reading, now),
    )


def _differences(value: ParityValue | None, width: int) -> Iterator[Line]:
    if value is None or not value.differences:
        yield plain("", "none found" if value is not None else "not known", Role.DIM)
        return
    for difference in value.differences:
        for index, row in enumerate(_wrapped(difference.what, width)):
            yield plain("" if index else f"{difference.rows} rows", row, Role.WARN)
        for example in difference.examples:
            yield plain("", f"for example {example}", Role.DIM)


def _wrapped(text: str, width: int) -> tuple[str, ...]:
    return tuple(wrapped(text, max(10, width - 18)))
